"""Rules that fix how many synapses there are: of each target, of each source, or in all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from snnsim.connect.base import (
    Block,
    Bound,
    Ids,
    Rule,
    distinct_rows,
    likely_most,
    pass_over,
    row_chunks,
    row_numbers,
    selected,
    whole,
)
from snnsim.errors import InputError, Problem
from snnsim.random import Stream, WordSource


@dataclass(frozen=True)
class FixedIndegree(Rule):
    """Every target has `k` synapses, from sources chosen at random."""

    k: int
    name = "fixed_indegree"

    def __post_init__(self) -> None:
        whole(self.k, "k")

    def check(self, bound: Bound) -> None:
        _check_choices(bound, self.k, bound.choices, "sources")

    def expected(self, bound: Bound) -> float:
        return self.k * bound.n_target

    def most(self, bound: Bound) -> float:
        return self.k

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        for lo, hi in row_chunks(low, high, self.k):
            target = row_numbers(lo, hi, self.k)
            chosen = _chosen(self, bound.stream(source), (lo, hi), self.k, bound.choices)
            yield Block(pass_over(chosen, target) if bound.skip_self else chosen, target, (lo * self.k, len(target)))


@dataclass(frozen=True)
class FixedOutdegree(Rule):
    """Every source has `k` synapses, onto targets chosen at random."""

    k: int
    name = "fixed_outdegree"

    def __post_init__(self) -> None:
        whole(self.k, "k")

    def check(self, bound: Bound) -> None:
        _check_choices(bound, self.k, bound.n_target - bound.skip_self, "targets")

    def expected(self, bound: Bound) -> float:
        return self.k * bound.n_source

    def most(self, bound: Bound) -> float:
        mean = self.expected(bound) / max(1, bound.n_target)
        return likely_most(mean, self.expected(bound) if self.multapses else bound.choices)

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        all_targets = (low, high) == (0, bound.n_target)
        for lo, hi in row_chunks(0, bound.n_source if high > low else 0, self.k):
            own = row_numbers(lo, hi, self.k)
            target = _chosen(self, bound.stream(source), (lo, hi), self.k, bound.n_target - bound.skip_self)
            target = pass_over(target, own) if bound.skip_self else target
            block = Block(own, target, (lo * self.k, len(own)))
            yield block if all_targets else _onto(block, low, high)


def _onto(block: Block, low: int, high: int) -> Block:
    """The synapses of a block onto the targets in [low, high)."""
    inside = np.flatnonzero((block.target >= low) & (block.target < high))
    return Block(block.source[inside], block.target[inside], selected(block.index, inside))


class _Rows(NamedTuple):
    """The synapses of row t are first[t] .. first[t + 1] - 1.

    source: those from number `begin` on, where they are chosen at once.
    """

    first: npt.NDArray[np.int64]
    source: Ids | None
    begin: int = 0

    def holds(self, low: int, high: int) -> bool:
        """Whether the sources of rows low .. high - 1 are here, or need not be."""
        return self.source is None or (self.begin <= self.first[low]
                                       and self.first[high] <= self.begin + self.source.size)


@dataclass(frozen=True)
class FixedTotal(Rule):
    """`n` synapses in all, between pairs chosen at random.

    With multapses the in-degrees are a multinomial draw (a count of n random targets) and the sources independent,
    which is the same as n independent pairs, but lets each partition draw its own synapses only. Without multapses
    pairs that are there already are drawn again, and the pairs (of each process its own) are held in memory: 4 bytes
    each, and 16 while they are chosen.
    """

    n: int
    name = "fixed_total"

    def __post_init__(self) -> None:
        whole(self.n, "n")

    def check(self, bound: Bound) -> None:
        pairs = bound.choices * bound.n_target
        if self.n > (pairs if not self.multapses else self.n * pairs):
            raise InputError(Problem("n", f"{self.n} synapses do not fit on {_counted(pairs, bound)}{_remedy(self)}"))

    def expected(self, bound: Bound) -> float:
        return self.n

    def most(self, bound: Bound) -> float:
        return likely_most(self.n / max(1, bound.n_target), self.n if self.multapses else min(self.n, bound.choices))

    def prepare(self, bound: Bound, source: WordSource) -> _Rows:
        if not self.multapses:
            return _distinct_pairs(bound, self.n, source)
        degrees = bound.stream(source, "/targets").tally(self.n, bound.n_target)
        return _Rows(np.concatenate(([0], np.cumsum(degrees))), None)

    def keep(self, bound: Bound, low: int, high: int) -> None:
        rows = bound.cache.get("prepared")
        if rows is not None and rows.source is not None and rows.holds(low, high):
            first, last = rows.first[low], rows.first[high]
            own = rows.source[first - rows.begin : last - rows.begin].copy()
            bound.cache["prepared"] = _Rows(rows.first, own, int(first))

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        rows, stream = bound.prepared(source), bound.stream(source)
        rows = rows if rows.holds(low, high) else self.prepare(bound, source)
        for lo, hi in row_chunks(low, high, self.n / max(1, bound.n_target)):
            first, size = int(rows.first[lo]), int(rows.first[hi] - rows.first[lo])
            target = np.repeat(np.arange(lo, hi, dtype=np.uint32), np.diff(rows.first[lo : hi + 1]))
            chosen = stream.below(first, size, bound.choices) if rows.source is None \
                else rows.source[first - rows.begin :][:size].copy()
            yield Block(pass_over(chosen, target) if bound.skip_self else chosen, target, (first, size))


def _distinct_pairs(bound: Bound, n: int, source: WordSource) -> _Rows:
    """n different pairs, those of the own targets: drawn as with multapses, and as many again as were there already.

    Where n is more than half of all pairs, those left out are drawn.
    """
    (low, high), choices = source.own(bound.n_target), bound.choices
    drawn = min(n, choices * bound.n_target - n)
    cells, left = np.zeros(0, np.int64), drawn
    for turn in count():
        if not left:
            break
        new = np.unique(_cells(bound, left, f"/{turn}", (low, high), source))
        place = np.searchsorted(cells, new)
        there = np.append(cells, -1)[place] == new
        cells = np.concatenate([cells, new[~there]])
        cells.sort(kind="stable")    # two sorted runs, which it merges
        left = drawn - int(source.sum(np.array([cells.size]))[0])
    if drawn < n:
        keep = np.ones((high - low) * choices, bool)
        keep[cells - low * choices] = False
        cells = np.flatnonzero(keep) + low * choices
    row, chosen = np.divmod(cells, max(1, choices))
    degrees = source.sum(np.bincount(row, minlength=bound.n_target))
    first = np.concatenate(([0], np.cumsum(degrees)))
    return _Rows(first, chosen.astype(np.uint32), int(first[low]))


def _cells(bound: Bound, n: int, part: str, targets: tuple[int, int], source: WordSource) -> npt.NDArray[np.int64]:
    """Of n random pairs those of some targets, numbered target x choices + source."""
    low, high = targets
    degrees = bound.stream(source, f"/targets{part}").tally(n, bound.n_target)
    first, size = int(degrees[:low].sum()), int(degrees[low:high].sum())
    row = np.repeat(np.arange(low, high), degrees[low:high])
    return row * bound.choices + bound.stream(source, part).below(first, size, bound.choices)


def _chosen(rule: FixedIndegree | FixedOutdegree, stream: Stream, rows: tuple[int, int], k: int, n: int) -> Ids:
    """k numbers below n for each row, flat: with repetition, or distinct where multapses are off."""
    if not rule.multapses:
        return distinct_rows(stream, rows, k, n).reshape(-1)
    return stream.below(rows[0] * k, (rows[1] - rows[0]) * k, n)


def _check_choices(bound: Bound, k: int, choices: int, what: str) -> None:
    if k <= choices or (bound.rule.multapses and (choices or not k)):
        return
    others = " other" if bound.skip_self else ""
    kind = "distinct " if choices else ""
    raise InputError(Problem("k", f"each unit needs {k} {kind}{what}, but there are {choices}{others}"
                                  f"{_remedy(bound.rule) if choices else ''}"))


def _counted(pairs: int, bound: Bound) -> str:
    return f"the {pairs} pairs" if pairs else f"{bound.n_source} sources and {bound.n_target} targets"


def _remedy(rule: Rule) -> str:
    return "" if rule.multapses else " (multapses are switched off)"
