"""Rules that connect each pair with a probability, independently of the others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

import numpy as np
import numpy.typing as npt

from snnsim.connect.base import Block, Bound, Rule, likely_most, pass_over, row_chunks
from snnsim.connect.pairs import AllToAll
from snnsim.errors import InputError, Problem
from snnsim.ir import exact
from snnsim.normal import by_chunks
from snnsim.random import Stream, Words, WordSource

Gaps = npt.NDArray[np.int64]
TABLE_FROM = 2.0**-12   # below it the gaps are wider than a table is worth
BELOW_ONE = 1 - 2.0**-53


@dataclass(frozen=True)
class Pairwise(Rule):
    """Each pair with probability `p`. Sources of a target are found by skipping geometrically distributed gaps."""

    p: float
    name = "pairwise"

    def __post_init__(self) -> None:
        probability(self.p, "p")

    @property
    def exact(self) -> bool:
        return self.p in (0, 1)

    def expected(self, bound: Bound) -> float:
        return self.p * bound.choices * bound.n_target

    def most(self, bound: Bound) -> float:
        return likely_most(self.p * bound.choices, bound.choices)

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        yield from bernoulli(bound, self.p, low, high, source)


def probability(value: object, name: str) -> float:
    """A number in [0, 1]; ``InputError`` naming the key otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
        raise InputError(Problem(name, f"expected a probability from 0 to 1, found {value!r}"))
    return float(value)


def bernoulli(bound: Bound, p: float, low: int, high: int, source: WordSource) -> Iterator[Block]:
    """Blocks of pairs that are each there with probability `p`; synapse j of target t has the number t choices + j."""
    n = bound.choices
    if p == 1 or not n:
        yield from AllToAll().draw(bound, low, high, source)
        return
    for lo, hi in row_chunks(low, high if p > 0 else low, max(1.0, n * p)):
        row, chosen = _rows(bound.stream(source), lo, hi, n, p)
        degrees = np.bincount(row, minlength=hi - lo)
        within = np.arange(len(row)) - np.repeat(np.cumsum(degrees) - degrees, degrees)
        target = (row + lo).astype(np.uint32)
        chosen = pass_over(chosen, target) if bound.skip_self else chosen
        yield Block(chosen, target, ((row + lo) * n + within).astype(np.uint64))


def _rows(stream: Stream, lo: int, hi: int, n: int, p: float) -> tuple[Gaps, Words]:
    """Row number (from lo on) and source of each synapse of the rows, sorted.

    A row asks for a few words more than its mean number of synapses, and again (draw 1, 2, ...) while it has not
    passed the last source.
    """
    ahead = words_ahead(n, p)
    left, at = np.arange(hi - lo), np.full(hi - lo, -1)
    rows, sources = [], []
    for draw in count():
        gap = gaps(stream, lo, hi, ahead, draw, left, p)
        np.cumsum(gap, axis=1, out=gap)
        gap += at[:, None]
        row, column = np.nonzero(gap < n)
        rows.append(left[row])
        sources.append(gap[row, column])
        at = gap[:, -1]
        left, at = left[at < n], at[at < n]
        if not left.size:
            break
    row, chosen = np.concatenate(rows), np.concatenate(sources).astype(np.uint32)
    order = np.lexsort((chosen, row)) if len(rows) > 1 else slice(None)
    return row[order], chosen[order]


def words_ahead(n: int, p: float) -> int:
    """How many gaps a row of n sources asks for at a time."""
    return min(n, math.ceil(n * p + 4 * math.sqrt(n * p))) + 1


def gaps(stream: Stream, lo: int, hi: int, ahead: int, draw: int, left: Gaps, p: float) -> Gaps:
    """Steps to the next synapse, 1, 2, ..., of the rows lo + `left`: int64 [rows left, ahead]."""
    if len(left) == hi - lo:
        index: tuple[int, int] | npt.NDArray[np.uint64] = (lo * ahead, (hi - lo) * ahead)
    else:
        index = ((lo + left)[:, None] * ahead + np.arange(ahead)).reshape(-1).astype(np.uint64)
    if p >= TABLE_FROM:
        gap = _by_table(stream.take(index, draw), p)
    else:
        gap = gaps_by_log(stream.take(index, 2 * draw), stream.take(index, 2 * draw + 1), p)
    return gap.reshape(len(left), ahead)


@lru_cache(maxsize=64)
def gap_tables(p: float) -> tuple[npt.NDArray[np.uint32], Gaps, npt.NDArray[np.bool_]]:
    """2^32 P(gap <= g) for g = 1, 2, ...; the gap of the first word with each upper half; where halves do not tell."""
    unit, rest, edges = 1 << 96, 1 << 96, []
    chance = int(p * 2.0**96)
    while (edge := (((unit - rest) >> 63) + 1) >> 1) < 1 << 32:
        edges.append(edge)
        rest -= rest * chance >> 96
    edge_array = np.array(edges[1:], np.uint64)
    halves = np.arange(0, (1 << 32) + 1, 1 << 16, dtype=np.uint64)
    first = np.searchsorted(edge_array, halves[:-1], side="right") + 1
    last = np.searchsorted(edge_array, halves[1:] - np.uint64(1), side="right") + 1
    return edge_array.astype(np.uint32), first, first != last


def _by_table(words: Words, p: float) -> Gaps:
    edges, first, unclear = gap_tables(p)
    half = words >> np.uint32(16)
    gap = first[half]
    open_ = np.flatnonzero(unclear[half])
    gap[open_] = np.searchsorted(edges, words[open_], side="right") + 1
    return gap


def gaps_by_log(high: Words, low: Words, p: float) -> Gaps:
    """floor(log u / log(1 - p)) + 1 with u of 64 random bits."""
    u = (high * 2.0**32 + low + 0.5) * 2.0**-64
    gap = by_chunks(exact.log, np.minimum(u, BELOW_ONE)) / log_of_rest(p)
    return np.minimum(gap, 2.0**33).astype(np.int64) + 1


def log_of_rest(p: float) -> float:
    """log(1 - p) for p < 2^-12, by its series."""
    return -p * (1 + p * (1 / 2 + p * (1 / 3 + p * (1 / 4 + p / 5))))
