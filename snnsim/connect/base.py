"""What every connection rule has in common."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from snnsim.errors import InputError, Problem
from snnsim.normal import chunks
from snnsim.random import Index, Indices, Stream, WordSource, numpy_words, to_below

Ids = npt.NDArray[np.uint32]
Lengths = npt.NDArray[np.float64]
BLOCK = 1 << 18   # synapses in a block: its arrays stay in the cache


@dataclass(frozen=True, slots=True)
class Block:
    """Some synapses of a projection.

    source, target: uint32 [k], numbers in the source and the target population; index: the unique number of each
    synapse, as a range (start, k) or uint64 [k]; weights and delays are drawn by it.
    """

    source: Ids
    target: Ids
    index: Index


@dataclass(frozen=True)
class Rule:
    """Which units are connected.

    autapses: a unit may be connected to itself (matters where the source is the target).
    multapses: a pair of units may be connected more than once (matters where the rule could do so).
    """

    autapses: bool = field(default=True, kw_only=True)
    multapses: bool = field(default=True, kw_only=True)
    name: ClassVar[str]

    def bind(
        self, n_source: int, n_target: int, same: bool, stream_seed: int, label: str, base_dir: Path | None = None,
        positions: tuple[Any, Any] | None = None,
    ) -> Bound:
        """The rule between two populations.

        same: source and target are one population. positions: of source and target, each ``(float64 [n, d], extent
        [d] or None)``, for rules that need them. Raises ``InputError`` where the rule cannot hold.
        """
        bound = Bound(self, n_source, n_target, same, stream_seed, label, base_dir, positions)
        self.check(bound)
        return bound

    def check(self, bound: Bound) -> None:
        """``InputError`` where the rule cannot hold between these populations."""

    def period(self, bound: Bound) -> Lengths | None:
        """Lengths in um, [d], after which space repeats; None where it does not."""
        return None

    @property
    def exact(self) -> bool:
        """Whether ``expected`` is the number of synapses, not the mean of a random one."""
        return True

    def expected(self, bound: Bound) -> float:
        """Number of synapses, or its mean."""
        raise NotImplementedError

    def most(self, bound: Bound) -> float:
        """An upper limit of the in-degree of any target; random ones exceed it with probability below 1e-15."""
        raise NotImplementedError

    def prepare(self, bound: Bound, source: WordSource) -> Any:
        """What ``draw`` needs and does not depend on the range of targets; computed once."""

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        """Blocks of all synapses onto the targets in [low, high)."""
        raise NotImplementedError

    def keep(self, bound: Bound, low: int, high: int) -> None:
        """Let go of what is held in memory of synapses onto other targets than those in [low, high)."""

    def to_spec(self) -> dict[str, Any]:
        """The canonical form that ``rule_from_spec`` reads: defaults are left out."""
        own = sorted(fields(self), key=lambda f: bool(f.kw_only))
        values = ((f.name, getattr(self, f.name), f.default) for f in own)
        return {"rule": self.name} | {name: _plain(value) for name, value, default in values
                                      if value is not default and not (isinstance(value, str) and value == default)}


@dataclass(frozen=True, eq=False)
class Bound:
    """A rule between two populations of given sizes; ``blocks`` draws its synapses, the same in every partition."""

    rule: Rule
    n_source: int
    n_target: int
    same: bool
    seed: int
    label: str
    base_dir: Path | None = None
    positions: tuple[Any, Any] | None = None
    cache: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def skip_self(self) -> bool:
        """No unit may be connected to itself."""
        return self.same and not self.rule.autapses

    @property
    def choices(self) -> int:
        """How many sources each target may have."""
        return self.n_source - self.skip_self

    @cached_property
    def synapses(self) -> int:
        """Number of synapses; its mean where the number is random."""
        return round(self.rule.expected(self))

    @cached_property
    def max_indegree(self) -> int:
        """No target has more synapses (for a random number: mean + 10 sd and some)."""
        return math.ceil(self.rule.most(self))

    def count(self) -> int:
        """Number of synapses, also where it is random: then all are drawn."""
        return self.synapses if self.rule.exact else sum(len(block.source) for block in self.blocks())

    def need_positions(self, what: str) -> None:
        """``InputError``, where `what` needs them, unless both populations have positions in one space."""
        places: tuple[Any, Any] = self.positions or (None, None)
        sides = zip(("source", "target"), places, strict=True)
        if missing := " and the ".join(side for side, place in sides if place is None):
            raise InputError(f"{what} needs the positions of the {missing} population")
        source, target = (points.shape[1] for points, _ in places)
        if source != target:
            raise InputError(f"expected positions of one dimension, found {source} coordinates of the source and "
                             f"{target} of the target")

    def squared(self, source: npt.NDArray[Any], target: npt.NDArray[Any]) -> Lengths:
        """Squared distances in um^2 of pairs of units, through the boundary where space is periodic."""
        (a, _), (b, _) = self.positions  # type: ignore[misc]
        period, total = self.rule.period(self), np.zeros(len(source))
        for axis in range(a.shape[1]):
            gap = np.abs(a[source, axis] - b[target, axis])
            if period is not None:
                gap = np.fmod(gap, period[axis])
                gap = np.minimum(gap, period[axis] - gap)
            total += gap * gap
        return total

    def stream(self, source: WordSource, part: str = "") -> Stream:
        """The random numbers of the connections, or of a named part of them."""
        return Stream(self.seed, f"{self.label}/connect{part}", source)

    def prepared(self, source: WordSource) -> Any:
        if "prepared" not in self.cache:
            self.cache["prepared"] = self.rule.prepare(self, source)
        return self.cache["prepared"]

    def keep(self, low: int, high: int) -> None:
        """Let go of what is held of synapses onto other targets; it is had again when it is asked for."""
        self.rule.keep(self, low, high)

    def blocks(self, low: int = 0, high: int | None = None, source: WordSource = numpy_words) -> Iterator[Block]:
        """All synapses onto the targets in [low, high), in blocks of about 2^18; `source`: a faster one of words."""
        high = self.n_target if high is None else high
        if not 0 <= low <= high <= self.n_target:
            raise InputError(f"expected a range of targets within [0, {self.n_target}), found [{low}, {high})")
        yield from self.rule.draw(self, low, high, source)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return np.asarray(value).tolist() if isinstance(value, (np.ndarray, np.generic, tuple)) else value


def likely_most(mean: float, limit: float) -> float:
    """What a binomial or Poisson number of this mean does not exceed (probability below 1e-15), at most `limit`."""
    return min(limit, mean + 10 * math.sqrt(mean) + 30)


def selected(index: Index, places: npt.NDArray[np.intp]) -> Indices:
    """The numbers at some places of an index."""
    return places.astype(np.uint64) + np.uint64(index[0]) if isinstance(index, tuple) else index[places]


def row_chunks(low: int, high: int, length: float) -> Iterator[tuple[int, int]]:
    """Ranges of rows that hold about ``BLOCK`` synapses each."""
    return chunks(low, high, max(1, int(BLOCK / max(1.0, length))))


def row_numbers(low: int, high: int, length: int) -> Ids:
    """low, low, ..., low + 1, ...: each row number `length` times."""
    return np.repeat(np.arange(low, high, dtype=np.uint32), length)


def pass_over(source: Ids, own: Ids) -> Ids:
    """From a choice among the others to a number among all: those from `own` on move up by one."""
    source += source >= own
    return source


def distinct_rows(stream: Stream, rows: tuple[int, int], k: int, n: int) -> Ids:
    """k distinct numbers below n for each row, [rows, k], sorted; every subset is equally likely.

    Words are drawn with the index row k + j; a number that its row has already is drawn again (draw 1, 2, ...), or,
    where k is more than half of n, those left out are chosen so.
    """
    low, high = rows
    if 2 * k > n:
        keep = np.ones((high - low, n), bool)
        if k < n:
            np.put_along_axis(keep, distinct_rows(stream, rows, n - k, n).astype(np.intp), False, axis=1)
        return np.nonzero(keep)[1].astype(np.uint32).reshape(high - low, k)
    out = to_below(stream.words(low * k, (high - low) * k), n).reshape(high - low, k)
    out.sort(axis=1)
    left = np.arange(high - low)
    for draw in count(1):
        part = out[left]
        row, column = np.nonzero(part[:, 1:] == part[:, :-1])
        if not row.size:
            break
        index = ((low + left[row]) * k + column + 1).astype(np.uint64)
        part[row, column + 1] = to_below(stream.take(index, draw), n)
        part.sort(axis=1)
        out[left] = part
        left = left[np.unique(row)]
    return out


def whole(value: Any, name: str, least: int = 0) -> int:
    """A whole number from `least` on; ``InputError`` naming the key otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(Problem(name, f"expected a whole number from {least} on, found {value!r}"))
    return int(value)
