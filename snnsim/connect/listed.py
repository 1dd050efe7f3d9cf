"""The rule that connects the pairs of a list, which may stand in a file and be longer than memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from snnsim.connect.base import BLOCK, Block, Bound, Ids, Rule
from snnsim.errors import InputError, Problem, Problems
from snnsim.files import read_whole, whole_pieces
from snnsim.normal import chunks
from snnsim.random import WordSource

_HELD = 1 << 22    # pairs that are in memory from the beginning
_PART = 1 << 24    # pairs that are read and sorted at a time where all are looked at, and nobody keeps them


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
        own = slice(*np.searchsorted(self.target, np.array((low, high), np.uint32)))
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
        problems, lists, sources = Problems(), {}, 0
        degrees = np.zeros(bound.n_target, np.int64)
        with problems.at("source"):
            lists["source"] = _in_memory(self.source)
            sources = sum(piece.size for piece in _pieces(bound, "source", lists["source"]))
        with problems.at("target"):
            lists["target"] = _in_memory(self.target)
            for piece in _pieces(bound, "target", lists["target"]):
                degrees += np.bincount(piece, minlength=bound.n_target)
        problems.check()
        if (targets := int(degrees.sum())) != sources:
            raise InputError(f"expected as many sources as targets, found {sources} and {targets}")
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


def _in_memory(spec: Any) -> Any:
    """Lists as arrays, since they are looked at several times."""
    return spec if isinstance(spec, Mapping) else read_whole(spec)


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
    degrees = bound.cache["degrees"][low:high]
    ends = np.cumsum(degrees)
    begin, before = ends - degrees, 0                # where the next synapse onto each target belongs
    found = _Listed(np.empty(degrees.sum(), np.uint32), np.repeat(np.arange(low, high, dtype=np.uint32), degrees),
                    np.empty(degrees.sum(), np.uint64), low, high)
    for source, target in zip(*(_pieces(bound, key, spec) for key, spec in lists.items()), strict=False):
        own = np.flatnonzero((target >= low) & (target < high))
        own = own[np.argsort(target[own], kind="stable")]
        counts = np.bincount(target[own] - low, minlength=high - low)
        if source.size != target.size or np.any(begin + counts > ends):
            break
        place = np.repeat(begin - np.cumsum(counts) + counts, counts) + np.arange(own.size)
        found.source[place], found.row[place] = source[own], own + before
        begin += counts
        before += target.size
    if before != bound.synapses or not np.array_equal(begin, ends):
        raise InputError("the files have changed since they were checked: their pairs are others than before")
    return found


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
