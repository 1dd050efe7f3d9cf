"""Packs plastic synapses on the device: rows by part and source, and columns by target that point into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim.backends.cupy.build import synapse_columns
from snnsim.backends.cupy.coupling_source import index_type
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.layout import Layout
from snnsim.plan import Plan, Projection
from snnsim.synapse_rules import Delays, rule_of


@dataclass(frozen=True)
class PackedRows:
    """The synapses of one projection, sorted by (part, source, target, delay, order of drawing); arrays of the device.

    base: int64 [parts + 1], on the host, where those of each part begin. rows: uint32 [parts, sources + 1], where those
    of each source begin within the part. targets: own ones from the first; delays: less the smallest.
    columns: uint32 [targets * groups + 1], or [targets + 1] where delays are searched for: where those of each target
    and delay begin, modulo 2**32; positions: uint32, which these are, counted within the part; sources: theirs.
    """

    base: np.ndarray
    rows: Any
    targets: Any
    delays: Any
    w: Any
    columns: Any
    positions: Any
    sources: Any


def pack_rows(device: Device, plan: Plan, layout: Layout, projection: Projection) -> PackedRows:
    """Draw a projection and sort it. Keys fit 64 bits wherever the synapses fit into memory."""
    xp, drawn, delays = device.xp, synapse_columns(device, plan, layout, projection), Delays.of(plan, projection)
    (low, high), n_source = layout.bounds(projection.target), plan.populations[projection.source].n
    target = drawn.target.astype(np.int64) - low
    delay = drawn.delay - (delays.low + rule_of(projection).axonal)
    part = part_of(device, layout, projection, target)
    row = part * n_source + drawn.source
    order = xp.argsort(drawn.index, kind="stable")
    order = order[xp.argsort(((row * (high - low) + target) * delays.count + delay)[order], kind="stable")]
    ends = xp.cumsum(xp.bincount(row, minlength=len(layout.own) * n_source).reshape(len(layout.own), n_source), axis=1)
    rows = xp.zeros((len(layout.own), n_source + 1), np.uint32)
    rows[:, 1:] = ends
    base = np.concatenate([[0], np.cumsum(device.download(ends[:, -1]))])
    target, delay, source = target[order], delay[order], drawn.source[order]
    columns, positions = _columns(device, target, delay, high - low, delays)
    return PackedRows(
        base, rows, target.astype(index_type(high - low)), delay.astype(index_type(delays.count)), drawn.weight[order],
        columns, (positions - device.upload(base)[part[order][positions]]).astype(np.uint32),
        source[positions].astype(index_type(n_source)))


def part_of(device: Device, layout: Layout, projection: Projection, target: Any) -> Any:
    """The own part of each own target, both counted from the first."""
    cuts = layout.slices.cuts[projection.target][layout.own.start : layout.own.stop + 1]
    return device.xp.searchsorted(device.upload(cuts[1:] - cuts[0]), target, side="right")


def _columns(device: Device, target: Any, delay: Any, n: int, delays: Delays) -> tuple[Any, Any]:
    """Where the columns begin, and the synapses in them."""
    xp, groups = device.xp, max(1, delays.groups)
    positions = xp.argsort(target * delays.count + delay, kind="stable")
    counts = xp.bincount(target * groups + (delay if delays.groups else 0), minlength=n * groups)
    columns = xp.zeros(n * groups + 1, np.uint32)
    columns[1:] = xp.cumsum(counts).astype(np.uint32)
    return columns, positions


def ranks(packed_rows: np.ndarray) -> list[np.ndarray]:
    """The number of each synapse of each part in the order of ``snnsim.plastic``; packed_rows: as on the device.

    A part's rows are sorted, and targets rise with the part.
    """
    rows = packed_rows.astype(np.int64)
    counts = np.diff(rows, axis=1)
    starts = np.concatenate([[0], np.cumsum(counts.T)])[:-1].reshape(counts.T.shape).T
    return [np.repeat(start - ends[:-1], count) + np.arange(ends[-1])
            for start, ends, count in zip(starts, rows, counts, strict=True)]
