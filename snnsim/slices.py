"""The part of every population that each of several workers owns: threads, blocks of a device, devices, processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnsim.plan import Plan


@dataclass(frozen=True)
class Slices:
    """Part t owns the units [cuts[p][t], cuts[p][t + 1]) of population p, about n/parts of them.

    Where `ranks` processes have `parts` each, these are the parts of one of them, and units count over all.
    """

    parts: int
    cuts: list[np.ndarray]
    sizes: list[int]
    rank: int = 0
    ranks: int = 1

    @classmethod
    def of(cls, plan: Plan, parts: int, rank: int = 0, ranks: int = 1) -> Slices:
        sizes = [p.n for p in plan.populations]
        return cls(parts, [cut(n, parts, rank, ranks) for n in sizes], sizes, rank, ranks)

    def bounds(self, population: int, part: int) -> tuple[int, int]:
        return int(self.cuts[population][part]), int(self.cuts[population][part + 1])

    def own(self, population: int) -> tuple[int, int]:
        """What all parts of this process own together."""
        return int(self.cuts[population][0]), int(self.cuts[population][-1])

    def owned(self, population: int, rank: int) -> tuple[int, int]:
        """The same of another process."""
        cuts = cut(self.sizes[population], self.parts, rank, self.ranks)
        return int(cuts[0]), int(cuts[-1])

    def size(self, population: int, part: int) -> int:
        low, high = self.bounds(population, part)
        return high - low

    def largest(self, population: int) -> int:
        """Units of the largest part of this process."""
        return int(np.diff(self.cuts[population]).max())

    @property
    def most(self) -> int:
        """No part of any process has more units than that."""
        return sum(-(-n // (self.parts * self.ranks)) for n in self.sizes)


def cut(n: int, parts: int, rank: int, ranks: int) -> np.ndarray:
    """Where the parts of one process begin and end, [parts + 1]."""
    return (np.arange(parts + 1) + rank * parts) * n // (parts * ranks)
