"""Rules that say which pairs are connected: all, equal numbers, or a given list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from snnsim.connect.base import BLOCK, Block, Bound, Ids, Rule, pass_over, row_chunks, row_numbers
from snnsim.errors import InputError, Problem, Problems
from snnsim.files import read_whole
from snnsim.normal import chunks
from snnsim.random import WordSource


@dataclass(frozen=True)
class AllToAll(Rule):
    """Every source to every target, once."""

    name = "all_to_all"

    def expected(self, bound: Bound) -> float:
        return bound.choices * bound.n_target

    def most(self, bound: Bound) -> float:
        return bound.choices

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        for lo, hi in row_chunks(low, high, bound.choices):
            target = row_numbers(lo, hi, bound.choices)
            chosen = np.tile(np.arange(bound.choices, dtype=np.uint32), hi - lo)
            chosen = pass_over(chosen, target) if bound.skip_self else chosen
            yield Block(chosen, target, (lo * bound.choices, len(target)))


@dataclass(frozen=True)
class OneToOne(Rule):
    """Source i to target i."""

    name = "one_to_one"

    def check(self, bound: Bound) -> None:
        if bound.n_source != bound.n_target:
            raise InputError(f"one_to_one needs populations of one size, found {bound.n_source} sources and "
                             f"{bound.n_target} targets")
        if bound.skip_self:
            raise InputError(Problem("autapses", "one_to_one from a population to itself makes autapses only"))

    def expected(self, bound: Bound) -> float:
        return bound.n_target

    def most(self, bound: Bound) -> float:
        return 1

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        for lo, hi in chunks(low, high, BLOCK):
            own = np.arange(lo, hi, dtype=np.uint32)
            yield Block(own, own.copy(), (lo, hi - lo))


class _Listed(NamedTuple):
    """Synapses sorted by target (stable), from number `begin` on.

    row: their places in the given lists; first[t]: where target t begins among all.
    """

    source: Ids
    target: Ids
    row: npt.NDArray[np.uint64]
    first: npt.NDArray[np.int64]
    begin: int = 0

    def part(self, low: int, high: int) -> _Listed | None:
        """Those onto targets in [low, high), unless some of them are not here."""
        first, last = int(self.first[low]) - self.begin, int(self.first[high]) - self.begin
        if first < 0 or last > self.source.size:
            return None
        own = slice(first, last)
        return _Listed(self.source[own], self.target[own], self.row[own], self.first, first + self.begin)


@dataclass(frozen=True, eq=False)
class Explicit(Rule):
    """The pairs that two lists of numbers name; the number of a synapse is its place in the lists.

    source, target: whole numbers as a list, an array or ``{file, key}``. weight, delay: value specs with a number for
    each pair, or None where the projection says them.
    """

    source: Any
    target: Any
    weight: Any = None
    delay: Any = None
    name = "explicit"

    def check(self, bound: Bound) -> None:
        self.listed(bound)

    def expected(self, bound: Bound) -> float:
        return int(self.listed(bound).first[-1])

    def most(self, bound: Bound) -> float:
        return np.diff(self.listed(bound).first).max(initial=0)

    def listed(self, bound: Bound) -> _Listed:
        """The lists, read and checked once."""
        if "listed" not in bound.cache:
            bound.cache["listed"] = self._sorted(*self._read(bound), bound)
        return bound.cache["listed"]

    def keep(self, bound: Bound, low: int, high: int) -> None:
        if (part := self.listed(bound).part(low, high)) is not None:
            own = part.source.copy(), part.target.copy(), part.row.copy()
            bound.cache["listed"] = _Listed(*own, part.first, part.begin)

    def _read(self, bound: Bound) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        problems, found = Problems(), {}
        for key, spec, n in (("source", self.source, bound.n_source), ("target", self.target, bound.n_target)):
            with problems.at(key):
                found[key] = read_whole(spec, bound.base_dir)
                wrong = np.flatnonzero(found[key] >= n)
                if wrong.size:
                    raise InputError(f"value number {wrong[0]} is {found[key][wrong[0]]}, but there are {n} units")
        problems.check()
        if len(found["source"]) != len(found["target"]):
            raise InputError(f"expected as many sources as targets, found {len(found['source'])} and "
                             f"{len(found['target'])}")
        return found["source"], found["target"]

    def _sorted(self, source: npt.NDArray[np.int64], target: npt.NDArray[np.int64], bound: Bound) -> _Listed:
        own = np.flatnonzero(source == target) if bound.skip_self else np.array([])
        if own.size:
            raise InputError(Problem("autapses", f"are switched off, but pair number {own[0]} connects unit "
                                                 f"{source[own[0]]} to itself"))
        if not self.multapses:
            _check_different(source, target, bound.n_source)
        order = np.argsort(target, kind="stable")
        first = np.searchsorted(target[order], np.arange(bound.n_target + 1))
        return _Listed(source[order].astype(np.uint32), target[order].astype(np.uint32), order.astype(np.uint64), first)

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        part = self.listed(bound).part(low, high)
        if part is None:
            part = self._sorted(*self._read(bound), bound).part(low, high)
        assert part is not None
        for lo, hi in chunks(0, part.source.size, BLOCK):
            yield Block(part.source[lo:hi], part.target[lo:hi], part.row[lo:hi])


def _check_different(source: npt.NDArray[np.int64], target: npt.NDArray[np.int64], n_source: int) -> None:
    cells = target * n_source + source
    order = np.argsort(cells, kind="stable")
    twice = np.flatnonzero(cells[order][1:] == cells[order][:-1])
    if twice.size:
        a, b = order[twice[0]], order[twice[0] + 1]
        raise InputError(Problem("multapses", f"are switched off, but pairs number {a} and {b} both connect unit "
                                              f"{source[a]} to unit {target[a]}"))
