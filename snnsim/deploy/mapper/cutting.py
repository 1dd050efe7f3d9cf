"""A group cut into pieces that just fit on a core, one unit after the other, with every limit counted exactly.

All synapses of a unit are on its core. What a piece takes depends on all of its units together: the lists that they
share, the bits of an index, dense lists or sparse ones. So units are added to a piece for as long as it fits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from snnsim.cachefolder import compiled


class Group(NamedTuple):
    """What there is to cut: C connections onto N units, K kinds of settings, W widths of an index, B synapses a block.

    start: int64 [C, N + 1], pre: int32 [synapses], delay: int32 [N], as in ``Incoming``.
    list_first, source_first: int64 [C], the numbers of a connection's first list, and of its first source among all.
    step: int64 [C, B, W], what a synapse adds to a sparse list; dense: int64 [C, B + 1], of so many in a dense one.
    format: int64 [C]; setting: int64 [K, N], which of the different values a unit has; forced: bool [N], piece begins.
    """

    start: np.ndarray
    pre: np.ndarray
    delay: np.ndarray
    list_first: np.ndarray
    source_first: np.ndarray
    step: np.ndarray
    dense: np.ndarray
    format: np.ndarray
    setting: np.ndarray
    forced: np.ndarray


class Limits(NamedTuple):
    """Of one core. neuron_bits: what a neuron takes of `memory`; settings: int64 [K]; widths: int64 [W], of indices."""

    neurons: int
    memory: int
    neuron_bits: int
    axons_in: int
    delay_slots: int
    formats: int
    settings: np.ndarray
    widths: np.ndarray


class Work(NamedTuple):
    """Counts for the piece that is being filled. When something was seen last is told by how many units were taken."""

    lists: np.ndarray         # int32 [lists, 2], when a list was seen last, synapses in its last block
    seen_source: np.ndarray   # int32 [sources]
    seen_setting: np.ndarray  # int32 [K, values]
    seen_format: np.ndarray   # int32 [2, formats]
    many: np.ndarray          # int64 [C], lists of a connection
    sparse: np.ndarray        # int64 [C, W], bits of them if they are sparse
    double: np.ndarray        # bool [C], two synapses from one unit to another: no dense list holds them
    settings: np.ndarray      # int64 [K], how many different ones
    kind: np.ndarray          # int8 [C], 0 without synapses, 1 sparse, 2 dense


class Pieces(NamedTuple):
    """P pieces: their first unit and the one behind the last, bits of synapses, sources, largest delay, and whether
    each fits on a core.

    kind: int8 [P, C], 0 where a connection has no synapses on the piece, 1 where its lists are sparse, 2 where dense.
    """

    start: np.ndarray
    stop: np.ndarray
    bits: np.ndarray
    axons_in: np.ndarray
    delay: np.ndarray
    fits: np.ndarray
    kind: np.ndarray


def cut(group: Group, limits: Limits, sources: int, lists: int, ranges: np.ndarray) -> Pieces:
    """The pieces of `ranges` of units, int64 [ranges, 2]; so many `sources` have so many `lists` on the group.

    A unit that fits on no core is a piece alone.
    """
    connections, settings = group.format.size, group.setting.shape[0]
    work = Work(
        np.full((lists, 2), -1, np.int32), np.full(sources, -1, np.int32),
        np.full((settings, group.setting.max(initial=0) + 1), -1, np.int32),
        np.full((2, group.format.max(initial=0) + 1), -1, np.int32),
        np.zeros(connections, np.int64), np.zeros((connections, limits.widths.size), np.int64),
        np.zeros(connections, np.bool_), np.zeros(settings, np.int64), np.zeros(connections, np.int8),
    )
    most = int(np.diff(ranges).sum())
    rows, kind = np.zeros((most, 6), np.int64), np.zeros((most, connections), np.int8)
    pieces = _cut(group, limits, work, ranges, rows, kind)
    start, stop, bits, axons_in, delay, fits = rows[:pieces].T
    return Pieces(start, stop, bits, axons_in, delay, fits > 0, kind[:pieces])


@compiled("deploy")
def _cut(group, limits, work, ranges, rows, kinds):  # type: ignore[no-untyped-def]
    """A row for each piece: start, stop, bits, sources, delay, whether it fits; and the kinds of its lists."""
    pieces, now = 0, np.int64(0)   # a plain 0 would be a type of its own, and everything compiled twice
    for k in range(ranges.shape[0]):
        start = ranges[k, 0]
        while start < ranges[k, 1]:
            now = _piece(group, limits, work, start, ranges[k, 1], now, rows[pieces], kinds[pieces])
            start = rows[pieces, 1]
            pieces += 1
    return pieces


@compiled("deploy")
def _piece(group, limits, work, start, end, now, row, kind):  # type: ignore[no-untyped-def]
    """Fill a piece from `start` on, at most up to `end`; `now` counts the units that were ever taken."""
    work.many.fill(0)
    work.sparse.fill(0)
    work.double.fill(False)
    work.settings.fill(0)
    row[0] = start
    begin, sources, delay = now, 0, 0
    for unit in range(start, end):
        if unit > start and group.forced[unit]:
            break
        sources += _take(group, work, unit, now, begin)
        delay = max(delay, group.delay[unit])
        bits = _bits(group, limits, work, unit + 1 - start)
        fits = _fits(group, limits, work, unit + 1 - start, bits, sources, delay, now)
        now += 1
        if not fits and unit > start:
            break
        row[1], row[2], row[3], row[4], row[5] = unit + 1, bits, sources, delay, fits
        for c in range(kind.size):
            kind[c] = work.kind[c]
        if not fits:
            break
    return now


@compiled("deploy")
def _take(group, work, unit, now, begin):  # type: ignore[no-untyped-def]
    """Count the synapses and settings of a unit; returns how many sources are new to the piece."""
    new = 0
    for c in range(group.format.size):
        new += _append(group.pre, group.start[c, unit], group.start[c, unit + 1], group.list_first[c],
                       group.source_first[c], group.step, work.lists, work.seen_source, work.many, work.sparse,
                       work.double, c, now, begin)
    for k in range(group.setting.shape[0]):
        value = group.setting[k, unit]
        work.settings[k] += work.seen_setting[k, value] < begin
        work.seen_setting[k, value] = now
    return new


@compiled("deploy")
def _append(  # type: ignore[no-untyped-def]
    pre, first, last, list_first, source_first, step, lists, seen_source, many, sparse, double, c, now, begin,
):
    """The synapses `first` to `last` of connection c, onto one unit; a tuple of arrays is slow to reach into."""
    new, block, widths = 0, step.shape[1], step.shape[2]
    for k in range(first, last):
        source, at = source_first + pre[k], list_first + pre[k]
        new += seen_source[source] < begin
        seen_source[source] = now
        rest = lists[at, 1]
        if lists[at, 0] < begin:
            many[c] += 1
            rest = 0
        elif lists[at, 0] == now:
            double[c] = True
        for w in range(widths):
            sparse[c, w] += step[c, rest, w]
        lists[at, 0] = now
        lists[at, 1] = 0 if rest + 1 == block else rest + 1
    return new


@compiled("deploy")
def _bits(group, limits, work, units):  # type: ignore[no-untyped-def]
    """Of all synapses of the piece, each connection in the kind of lists that takes less."""
    width, total, block = 0, 0, group.dense.shape[1] - 1
    while width < limits.widths.size - 1 and (1 << limits.widths[width]) < units:
        width += 1
    for c in range(group.format.size):
        sparse = work.sparse[c, width]
        dense = work.many[c] * (units // block * group.dense[c, block] + group.dense[c, units % block])
        work.kind[c] = 0 if work.many[c] == 0 else 1 if work.double[c] or sparse < dense else 2
        total += dense if work.kind[c] == 2 else sparse
    return total


@compiled("deploy")
def _fits(group, limits, work, units, bits, sources, delay, now):  # type: ignore[no-untyped-def]
    """Whether so many units with such needs are within all limits."""
    for k in range(limits.settings.size):
        if work.settings[k] > limits.settings[k]:
            return False
    return (units <= limits.neurons and bits + units * limits.neuron_bits <= limits.memory
            and sources <= limits.axons_in and units * (delay + 2) <= limits.delay_slots
            and _formats(group, work, now) <= limits.formats)


@compiled("deploy")
def _formats(group, work, now):  # type: ignore[no-untyped-def]
    """How many different formats the piece has."""
    many = 0
    for c in range(group.format.size):
        if work.kind[c] > 0 and work.seen_format[work.kind[c] - 1, group.format[c]] != now:
            work.seen_format[work.kind[c] - 1, group.format[c]] = now
            many += 1
    return many
