"""The part of every population that each of several workers owns: threads, blocks of a device, devices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snnsim.plan import Plan


@dataclass(frozen=True)
class Slices:
    """Part t owns the units [cuts[p][t], cuts[p][t + 1]) of population p, about n/parts of them."""

    parts: int
    cuts: list[np.ndarray]

    @classmethod
    def of(cls, plan: Plan, parts: int) -> Slices:
        return cls(parts, [np.arange(parts + 1) * p.n // parts for p in plan.populations])

    def bounds(self, population: int, part: int) -> tuple[int, int]:
        return int(self.cuts[population][part]), int(self.cuts[population][part + 1])

    def size(self, population: int, part: int) -> int:
        low, high = self.bounds(population, part)
        return high - low

    def largest(self, population: int) -> int:
        return int(np.diff(self.cuts[population]).max())
