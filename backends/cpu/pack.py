"""Packs the synapses onto the units of one thread, bundle by bundle."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim.backends.cpu import build_kernels as kernels
from snnsim.backends.cpu import draw
from snnsim.backends.cpu.build import WINDOW, Bundle, Places
from snnsim.backends.cpu.draw import fast_words
from snnsim.connect import Block
from snnsim.plan import Plan, Projection, Synapses
from snnsim.slices import Slices


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
        columns: dict[str, np.ndarray] = {name: np.empty(total, dtype) for name, dtype in self._columns().items()}
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
        kind, target = self.bundle.kind, np.uint16 if self.end - self.base <= WINDOW else np.uint32
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
