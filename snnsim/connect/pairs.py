"""Rules that say which pairs are connected: all, equal numbers, or a given list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from snnsim.connect.base import BLOCK, Block, Bound, Ids, Rule, pass_over, row_chunks, row_numbers
from snnsim.errors import InputError, Problem, Problems
from snnsim.files import read_whole, whole_pieces
from snnsim.normal import chunks
from snnsim.random import WordSource

_HELD = 1 << 22    # pairs that are in memory from the beginning
_PART = 1 << 24    # pairs that are read and sorted at a time where all are looked at, and nobody keeps them

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
    """Synapses onto the targets from `low` to `high` - 1, sorted by target (stable); row: their places in the lists."""

    source: Ids
    target: Ids
    row: npt.NDArray[np.uint64]
    low: int
    high: int

    def part(self, low: int, high: int) -> _Listed | None:
        """Those onto targets in [low, high), unless some of them are not here."""
        if low < self.low or high > self.high:
            return None
        own = slice(*np.searchsorted(self.target, (low, high)))
        return _Listed(self.source[own], self.target[own], self.row[own], low, high)


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
        problems, lists, sizes = Problems(), {}, {"source": 0, "target": 0}
        degrees = np.zeros(bound.n_target, np.int64)
        for key, spec in (("source", self.source), ("target", self.target)):
            with problems.at(key):
                lists[key] = spec if isinstance(spec, Mapping) else read_whole(spec)
                for piece in _pieces(bound, key, lists[key]):
                    sizes[key] += piece.size
                    if key == "target":
                        degrees += np.bincount(piece, minlength=bound.n_target)
        problems.check()
        if sizes["source"] != sizes["target"]:
            raise InputError(f"expected as many sources as targets, found {sizes['source']} and {sizes['target']}")
        bound.cache["degrees"] = degrees
        self._check_pairs(bound, lists)

    def _check_pairs(self, bound: Bound, lists: dict[str, Any]) -> None:
        """``InputError`` where a pair may not be. Long lists are looked at part by part, and if need be only."""
        if bound.synapses <= _HELD:
            bound.cache["prepared"] = listed = _read(bound, lists, 0, bound.n_target)
            self._check_listed(bound, listed)
        elif bound.skip_self or not self.multapses:
            for part in _parts(bound, lists, 0, bound.n_target):
                self._check_listed(bound, part)

    def _check_listed(self, bound: Bound, listed: _Listed) -> None:
        own = listed.row[listed.source == listed.target] if bound.skip_self else listed.row[:0]
        if own.size:
            unit = listed.source[listed.row == own.min()][0]
            raise InputError(Problem("autapses", f"are switched off, but pair number {own.min()} connects unit {unit} "
                                                 "to itself"))
        if not self.multapses:
            _check_different(listed, bound.n_source)

    def expected(self, bound: Bound) -> float:
        return int(bound.cache["degrees"].sum())

    def most(self, bound: Bound) -> float:
        return int(bound.cache["degrees"].max(initial=0))

    def prepare(self, bound: Bound, source: WordSource) -> _Listed:
        return _read(bound, self._lists(), *source.own(bound.n_target))

    def _lists(self) -> dict[str, Any]:
        return {"source": self.source, "target": self.target}

    def keep(self, bound: Bound, low: int, high: int) -> None:
        listed = bound.cache.get("prepared")
        if listed is not None and (part := listed.part(low, high)) is not None:
            bound.cache["prepared"] = _Listed(part.source.copy(), part.target.copy(), part.row.copy(), low, high)

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        listed = bound.cache.get("prepared")
        part = None if listed is None else listed.part(low, high)
        for some in _parts(bound, self._lists(), low, high) if part is None else [part]:
            for lo, hi in chunks(0, some.source.size, BLOCK):
                yield Block(some.source[lo:hi], some.target[lo:hi], some.row[lo:hi])


def _pieces(bound: Bound, key: str, spec: Any) -> Iterator[npt.NDArray[np.int64]]:
    """The numbers of sources or targets, each below the number of units."""
    n, before = bound.n_source if key == "source" else bound.n_target, 0
    for piece in whole_pieces(spec, bound.base_dir):
        wrong = np.flatnonzero(piece >= n)
        if wrong.size:
            raise InputError(f"value number {before + wrong[0]} is {piece[wrong[0]]}, but there are {n} units")
        before += piece.size
        yield piece


def _read(bound: Bound, lists: dict[str, Any], low: int, high: int) -> _Listed:
    """The synapses onto the targets in [low, high). Lists in files are never in memory as a whole."""
    found, before = [], 0
    for source, target in zip(*(_pieces(bound, key, spec) for key, spec in lists.items()), strict=False):
        own = np.flatnonzero((target >= low) & (target < high))
        found.append((source[own].astype(np.uint32), target[own].astype(np.uint32), (own + before).astype(np.uint64)))
        before += target.size
    source, target, row = (np.concatenate(column) for column in zip(*found, strict=True))
    expected = int(bound.cache["degrees"][low:high].sum())
    if row.size != expected or before != bound.synapses:
        raise InputError(f"the files have changed: expected {bound.synapses} pairs as before, found {before}, of which "
                         f"{row.size} in place of {expected} are onto the units from {low} to {high - 1}")
    order = np.argsort(target, kind="stable")
    return _Listed(source[order], target[order], row[order], low, high)


def _parts(bound: Bound, lists: dict[str, Any], low: int, high: int) -> Iterator[_Listed]:
    """The same target by target, as many as have ``_PART`` synapses together, one at least."""
    ends = np.cumsum(bound.cache["degrees"])
    while low < high:
        before = int(ends[low - 1]) if low else 0
        end = min(high, max(low + 1, int(np.searchsorted(ends, before + _PART, "right"))))
        yield _read(bound, lists, low, end)
        low = end


def _check_different(listed: _Listed, n_source: int) -> None:
    cells = listed.target.astype(np.int64) * n_source + listed.source
    order = np.argsort(cells, kind="stable")
    twice = np.flatnonzero(cells[order][1:] == cells[order][:-1])
    if twice.size:
        a, b = order[twice[0]], order[twice[0] + 1]
        raise InputError(Problem("multapses", f"are switched off, but pairs number {listed.row[a]} and {listed.row[b]} "
                                              f"both connect unit {listed.source[a]} to unit {listed.target[a]}"))
