"""Lays out the arrivals of a thread and packs the synapses onto its units.

Each thread owns a slice of every population. The arrivals at all ports of its slices are one vector of whole numbers,
the *places*. Synapses are packed in bundles of projections that can be delivered by one loop: targets in 16 bits where
the places fit, weights per source where all its synapses share one, else 16 to 64 bits each. Where both take 16 bits,
they share one word.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snnsim.backends.cpu import draw, kernels
from snnsim.connect import Block
from snnsim.connect.base import BLOCK
from snnsim.normal import chunks
from snnsim.plan import Plan, Projection, Synapses
from snnsim.random import NumpyWords

_WINDOW = 1 << 16
_MOST_GROUPS = 64
_MOST_EPOCH = 64
_ROOM = 1 << 22


class FastWords(NumpyWords):
    """The words that ``snnsim.random`` defines, compiled."""

    def words(self, key: tuple[int, int], stream: int, start: int, count: int, draw: int = 0) -> np.ndarray:
        first = start >> 2
        out = np.empty(4 * (((start + count + 3) >> 2) - first), dtype=np.uint32)
        kernels.indexed_words(out, first, draw, stream, *key)
        return out[start - 4 * first :][:count]

    def words_at(self, key: tuple[int, int], stream: int, index: np.ndarray, draw: int = 0) -> np.ndarray:
        out = np.empty(len(index), np.uint32)
        kernels.words_at(out, np.asarray(index, np.uint64), draw, stream, *key)
        return out

    def tally(self, key: tuple[int, int], stream: int, count: int, n: int) -> np.ndarray:
        out = np.zeros(n, np.int64)
        for low, high in chunks(0, count, BLOCK):
            kernels.add_tally(out, self.words(key, stream, low, high - low))
        return out


fast_words = FastWords()


@dataclass(frozen=True)
class Slices:
    """The part of every population that each thread owns: units [cuts[p][t], cuts[p][t + 1])."""

    threads: int
    cuts: list[np.ndarray]

    @classmethod
    def of(cls, plan: Plan, threads: int) -> Slices:
        return cls(threads, [np.arange(threads + 1) * p.n // threads for p in plan.populations])

    def bounds(self, population: int, thread: int) -> tuple[int, int]:
        return int(self.cuts[population][thread]), int(self.cuts[population][thread + 1])

    def size(self, population: int, thread: int) -> int:
        low, high = self.bounds(population, thread)
        return high - low

    def largest(self, population: int) -> int:
        return int(np.diff(self.cuts[population]).max())


def meeting_interval(plan: Plan, slices: Slices) -> int:
    """Steps between two meetings of the threads: the smallest delay, or fewer, so that their spikes fit."""
    if any(p.level for p in plan.populations):
        return 1
    most = max(sum(slices.size(k, t) for k in range(len(plan.populations))) for t in range(slices.threads))
    return max(1, min(plan.min_delay, _MOST_EPOCH, _ROOM // max(1, most)))


@dataclass
class Places:
    """Where the arrivals of (population, port) lie: [base, base + units of the thread), and in which window."""

    segments: list[tuple[int, str]]
    window: dict[tuple[int, str], int]
    base: list[dict[tuple[int, str], int]]
    windows: list[list[tuple[int, int]]]
    totals: list[int]


def lay_out(plan: Plan, slices: Slices) -> Places:
    """Segments ordered by port, so that what one source population reaches tends to share a window of 2^16 places."""
    ports = [(number, k, name) for k, p in enumerate(plan.populations) for number, name in enumerate(p.ports)]
    segments = [(k, name) for _, k, name in sorted(ports)]
    window: dict[tuple[int, str], int] = {}
    used = _WINDOW + 1
    for segment in segments:
        size = slices.largest(segment[0])
        used += size
        if used > _WINDOW:
            used = size
            window[segment] = max(window.values(), default=-1) + 1
        else:
            window[segment] = max(window.values())
    return _measured(slices, segments, window)


def _measured(slices: Slices, segments: list[tuple[int, str]], window: dict[tuple[int, str], int]) -> Places:
    places = Places(segments, window, [], [], [])
    for thread in range(slices.threads):
        sizes = [slices.size(k, thread) for k, _ in segments]
        ends = np.cumsum([0, *sizes])
        places.base.append({s: int(ends[i]) for i, s in enumerate(segments)})
        count = max(window.values(), default=-1) + 1
        members = [[i for i, s in enumerate(segments) if window[s] == w] for w in range(count)]
        places.windows.append([(int(ends[m[0]]), int(ends[m[-1] + 1])) for m in members])
        places.totals.append(int(ends[-1]))
    return places


@dataclass
class Bundle:
    """Projections that one loop delivers. window: number, or -1 for all places; delays: the groups, in steps."""

    kind: str
    window: int
    level: int
    delays: list[int]
    projections: list[Projection] = field(default_factory=list)
    row_weight: dict[int, int] = field(default_factory=dict)

    @property
    def groups(self) -> int:
        return 1 if self.kind == "ring" else len(self.delays)


def make_bundles(plan: Plan, places: Places) -> list[Bundle]:
    """Group the projections of a network."""
    bundles: list[Bundle] = []
    for projection in plan.projections:
        kind, level = _kind(plan, projection), plan.populations[projection.target].level
        for low, high in [(0, 0), (1, projection.delays[1])] if projection.delays[0] == 0 else [projection.delays]:
            if high >= low:
                _place(plan, bundles, places, projection, kind, level if high == 0 else -1, range(low, high + 1))
    return bundles


def _kind(plan: Plan, projection: Projection) -> str:
    low, high = projection.delays
    per_source = projection.bound.synapses / max(1, plan.populations[projection.source].n)
    if high - low + 1 > max(_MOST_GROUPS, per_source):
        return "ring"
    return "rows" if projection.constant_weight else "synapses"


def _fits_pair(plan: Plan, projection: Projection, window: int) -> bool:
    """Places and weights take 16 bits each."""
    ports = plan.populations[projection.target].ports
    return window >= 0 and all(ports[name].stored == 16 for name in projection.ports)


def _place(plan: Plan, bundles: list[Bundle], places: Places, projection: Projection, kind: str, level: int,
           delays: range) -> None:
    windows = {places.window[projection.target, port] for port in _reached(projection)}
    window = windows.pop() if len(windows) == 1 else -1
    kind = "pairs" if kind == "synapses" and _fits_pair(plan, projection, window) else kind
    weight = _row_weight(projection) if kind == "rows" else 0
    for bundle in bundles:
        same = (bundle.kind, bundle.window, bundle.level) == (kind, window, level)
        if same and bundle.row_weight.get(projection.source, weight) == weight:
            break
    else:
        bundle = Bundle(kind, window, level, [])
        bundles.append(bundle)
    bundle.projections.append(projection)
    bundle.row_weight[projection.source] = weight
    # A ring needs the longest one only, and its range may hold millions.
    bundle.delays = sorted({*bundle.delays, *((delays[0], delays[-1]) if kind == "ring" else delays)})


def _reached(projection: Projection) -> set[str]:
    """The ports that the weights' signs can choose."""
    weight = projection.weight
    first = {projection.ports[0]} if weight.high >= 0 else set()
    return first | ({projection.ports[1]} if weight.low < 0 else set())


def _row_weight(projection: Projection) -> int:
    weight = projection.weight.constant
    assert weight is not None
    return round(weight / projection.quanta[int(weight < 0)])


@dataclass
class Packed:
    """The synapses of one bundle onto the units of one thread.

    rows: [sources * groups + 1] where each group of each source begins. targets: places from `base` on, with the weight
    in the upper half where the bundle is `pairs`, and `weights` is then empty.
    """

    rows: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    delays: np.ndarray
    base: int
    end: int


class Packer:
    """Packs one bundle for one thread.

    Sources are drawn twice, first to count; everything else once. A synapse is put into the row of its source, and the
    rows are then sorted by delay: all in one go would scatter over as many places as there are sources and delays.
    """

    def __init__(self, plan: Plan, slices: Slices, places: Places, bundle: Bundle, thread: int) -> None:
        self.plan, self.slices, self.places, self.bundle, self.thread = plan, slices, places, bundle, thread
        everything = (0, places.totals[thread])
        self.base, self.end = places.windows[thread][bundle.window] if bundle.window >= 0 else everything
        self.group = np.zeros(max(bundle.delays) + 1, dtype=np.uint8 if bundle.groups <= 1 << 8 else np.int32)
        self.group[bundle.delays] = 0 if bundle.kind == "ring" else np.arange(len(bundle.delays))

    def pack(self) -> Packed:
        starts = self._starts()
        total = int(starts[-1])
        columns = {name: np.empty(total, dtype) for name, dtype in self._columns().items()}
        at = starts[:-1].copy()
        for projection in self.bundle.projections:
            first = self.plan.populations[projection.source].first
            for block in self._blocks(projection):
                order = np.empty(block.source.size, np.uint32 if total < 1 << 32 else np.int64)
                kernels.place_rows(at, first, block.source, order)
                for name, values in self._values(projection, block, columns):
                    _scatter(order, values, columns[name])
        rows = self._sorted(starts, columns)
        empty = np.empty(0, np.int64)
        weights = self._row_weights() if self.bundle.kind == "rows" else columns.get("weights", empty)
        return Packed(rows, columns["targets"], weights, columns.get("delays", empty), self.base, self.end)

    def _columns(self) -> dict[str, type]:
        """What is kept of each synapse, and `groups` until the rows are sorted."""
        kind, target = self.bundle.kind, np.uint16 if self.end - self.base <= _WINDOW else np.uint32
        columns: dict[str, type] = {"targets": np.uint32 if kind == "pairs" else target}
        if kind in ("synapses", "ring"):
            columns["weights"] = weight_type(self.plan, self.bundle)
        if kind == "ring":
            columns["delays"] = np.uint16 if self.group.size <= 1 << 16 else np.uint32
        return columns | ({"groups": self.group.dtype.type} if self.bundle.groups > 1 else {})

    def _starts(self) -> np.ndarray:
        """Where the row of each source begins, and where the last one ends: int64 [sources + 1]."""
        starts = np.zeros(self.plan.neurons + 1, dtype=np.int64)
        for projection in self.bundle.projections:
            first = self.plan.populations[projection.source].first
            for block in self._blocks(projection) if _is_split(projection) else self._pairs(projection):
                kernels.count_sources(starts, first + 1, block.source)
        return np.cumsum(starts, out=starts)

    def _pairs(self, projection: Projection) -> Iterator[Block]:
        low, high = self.slices.bounds(projection.target, self.thread)
        return projection.bound.blocks(low, high, fast_words)

    def _blocks(self, projection: Projection) -> Iterator[Synapses]:
        for pairs in self._pairs(projection):
            drawn = (*draw.weights(projection, pairs, fast_words), draw.delays(projection, pairs, fast_words))
            block = Synapses(pairs.source, pairs.target, *drawn)
            yield _with_delays(block, self.bundle.level >= 0) if _is_split(projection) else block

    def _values(self, projection: Projection, block: Synapses, names: Container[str]) -> Iterator[tuple[str, Any]]:
        """The columns of a block."""
        targets = self._place_of(projection, block)
        if self.bundle.kind == "pairs":
            targets = targets | np.asarray(block.weight).astype(np.uint32) << np.uint32(16)
        yield "targets", targets
        if "weights" in names:
            yield "weights", block.weight
        if "delays" in names:
            yield "delays", block.delay
        if "groups" in names:
            yield "groups", self.group[block.delay]

    def _sorted(self, starts: np.ndarray, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Sort the rows of all columns by group; returns where each group of each row begins."""
        small = np.uint32 if starts[-1] < 1 << 32 else np.int64
        number, groups = self.bundle.groups, columns.pop("groups", None)
        if groups is None:
            return starts.astype(small)
        rows = np.empty(self.plan.neurons * number + 1, small)
        kernels.count_groups(starts, groups, number, rows)
        for values in columns.values():
            kernels.sort_rows(starts, groups, number, rows, values, int(np.diff(starts).max(initial=0)))
        return rows

    def _place_of(self, projection: Projection, block: Synapses) -> np.ndarray:
        base = self.places.base[self.thread]
        low, _ = self.slices.bounds(projection.target, self.thread)
        starts = [base[projection.target, port] - self.base - low for port in projection.ports]
        # Numbers below zero wrap around, here and again when the target is added.
        return block.target + np.array(starts).astype(np.uint32)[block.port]

    def _row_weights(self) -> np.ndarray:
        weights = np.zeros(self.plan.neurons, dtype=np.int64)
        for source, weight in self.bundle.row_weight.items():
            population = self.plan.populations[source]
            weights[population.first : population.first + population.n] = weight
        return weights.astype(np.int32) if np.abs(weights).max(initial=0) < 1 << 31 else weights


def weight_type(plan: Plan, bundle: Bundle) -> type:
    """The narrowest type that holds every weight of a bundle."""
    ports = (plan.populations[p.target].ports[name] for p in bundle.projections for name in p.ports)
    return {16: np.int16, 32: np.int32, 64: np.int64}[max(port.stored for port in ports)]


def _scatter(order: np.ndarray, values: Any, out: np.ndarray) -> None:
    if np.ndim(values):
        kernels.scatter(order, values, out)
    else:
        out[order] = values


def _is_split(projection: Projection) -> bool:
    """Its synapses without delay are in another bundle than the rest."""
    return projection.delays[0] == 0 < projection.delays[1]


def _with_delays(block: Synapses, zero: bool) -> Synapses:
    """The part of a block whose delay is zero, or the rest."""
    keep = (np.broadcast_to(block.delay, block.source.shape) == 0) == zero
    parts = (np.broadcast_to(x, block.source.shape)[keep] for x in block)
    return Synapses(*parts)
