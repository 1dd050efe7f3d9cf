"""The loops that all plastic projections share: traces, columns, records of weights, sorting of synapses."""

from __future__ import annotations

import numpy as np

from snnsim.backends.cpu.cache import compiled
from snnsim.backends.cpu.intrinsics import prefetch  # registers the option noalias, too

i64 = np.int64
_LINES = 64  # of a row that are fetched before it is needed


@compiled()
def scale_trace(values, decay):  # type: ignore[no-untyped-def]
    """One step of decay."""
    for i in range(values.size):
        values[i] *= decay


@compiled()
def begin_row(before, after, step, rows, n, decay):  # type: ignore[no-untyped-def]
    """The row of `step` from what the step before left; before, after: [rows * n], the row of a step is step % rows."""
    old, new = (step - 1) % rows * n, step % rows * n
    earlier, first, second = after[old : old + n], before[new : new + n], after[new : new + n]
    for i in range(n):
        value = earlier[i] * decay
        first[i] = value
        second[i] = value


@compiled()
def raise_trace(values, more, nearest, ids, start, stop, first, n):  # type: ignore[no-untyped-def]
    """Add `more` for each spike of the units [first, first + n), or set their traces to it."""
    for k in range(start, stop):
        i = i64(ids[k]) - first
        if 0 <= i < n:
            values[i] = more if nearest else values[i] + more


@compiled()
def raise_one(values, more, nearest, count):  # type: ignore[no-untyped-def]
    """The same for a trace of all spikes of a population."""
    for _ in range(count):
        values[0] = more if nearest else values[0] + more


@compiled()
def count_spikes(ids, start, stop, first, n):  # type: ignore[no-untyped-def]
    """How many spikes the units [first, first + n) emitted."""
    count = i64(0)
    for k in range(start, stop):
        count += i64(0 <= i64(ids[k]) - first < n)
    return count


@compiled()
def mark_last(last, step, ids, start, stop, first, n):  # type: ignore[no-untyped-def]
    """Note the step of the latest presynaptic event."""
    for k in range(start, stop):
        i = i64(ids[k]) - first
        if 0 <= i < n:
            last[i] = step


@compiled()
def fill_slots(slots, step, direction, low, rows, n):  # type: ignore[no-untyped-def]
    """slots[d] = where the row of step + direction (low + d) begins in a ring of `rows` rows of n."""
    for d in range(slots.size):
        slots[d] = (step + direction * (low + d)) % rows * n


@compiled()
def _search(positions, delays, delay, low, high):  # type: ignore[no-untyped-def]
    """The first place in [low, high) of a sorted column whose delay is not below `delay`."""
    while low < high:
        middle = (low + high) >> 1
        if delays[positions[middle]] < delay:
            low = middle + 1
        else:
            high = middle
    return low


@compiled()
def column(columns, positions, delays, target, group, groups):  # type: ignore[no-untyped-def]
    """Where the synapses onto `target` with delay number `group` begin and end among the columns.

    columns: [targets * groups + 1], or [targets + 1] and no groups where delays are so many that they are searched for.
    """
    if groups > 0:
        at = target * groups + group
        return i64(columns[at]), i64(columns[at + 1])
    low = _search(positions, delays, group, i64(columns[target]), i64(columns[target + 1]))
    return low, _search(positions, delays, group + 1, low, i64(columns[target + 1]))


@compiled()
def fetch_column(values, columns, positions, delays, target, n, group, groups):  # type: ignore[no-untyped-def]
    """Have a piece of a column loaded while another one is worked on."""
    if 0 <= target < n:
        low, high = column(columns, positions, delays, target, group, groups)
        for k in range(low, min(high, low + 8 * _LINES)):
            prefetch(values, i64(positions[k]))


@compiled()
def fetch_ends(columns, positions, sources, delays, ids, k, stop, first, n, group, groups):  # type: ignore[no-untyped-def]
    """Have loaded where pieces of later columns lie, before ``fetch_column`` needs to know."""
    if k + 3 < stop and 0 <= i64(ids[k + 3]) - first < n:
        prefetch(columns, (i64(ids[k + 3]) - first) * max(groups, 1) + group)
    if k + 2 < stop and 0 <= i64(ids[k + 2]) - first < n:
        low, high = column(columns, positions, delays, i64(ids[k + 2]) - first, group, groups)
        for q in range(low, min(high + 15, low + 8 * _LINES), 16):
            prefetch(positions, q)
            prefetch(sources, q)


@compiled()
def fetch_row(values, rows, row):  # type: ignore[no-untyped-def]
    """Have a row loaded while another one is worked on: rows lie anywhere, so the processor cannot guess."""
    if 0 <= row < rows.size - 1:
        low, line = i64(rows[row]), 64 // values.itemsize
        for k in range(low, min(i64(rows[row + 1]) + line - 1, low + _LINES * line), line):
            prefetch(values, k)


@compiled()
def blame(fault, found, step, source, target, sent):  # type: ignore[no-untyped-def]
    """Keep the first synapse that sends more than it may: step, source, target and the weight."""
    if fault[0] == 0:
        fault[0], fault[1], fault[2] = step, source, target
        found[0] = sent


@compiled()
def blame_row(fault, found, step, source, targets, sent, limit):  # type: ignore[no-untyped-def]
    """As ``blame``, for a row of which some synapse sends too much."""
    for k in range(targets.size):
        if not (abs(sent[k]) <= limit):
            blame(fault, found, step, source, i64(targets[k]), sent[k])


@compiled()
def log_row(watch_rows, watch_synapse, row, first, sent, sign, step, entry, when, value, at):  # type: ignore[no-untyped-def]
    """Note what the watched synapses of a row sent. at[0]: length of the log, also where that is beyond its room."""
    for k in range(watch_rows[row], watch_rows[row + 1]):
        if at[0] < entry.size:
            entry[at[0]], when[at[0]], value[at[0]] = k, step, sign * sent[watch_synapse[k] - first]
        at[0] += 1


@compiled()
def copy_weights(out, row, columns, synapses, w, sign):  # type: ignore[no-untyped-def]
    """Write the weights of chosen synapses into a row of the record."""
    for k in range(synapses.size):
        out[row, columns[k]] = sign * w[synapses[k]]


@compiled()
def keep_variable(ring, at, values, offset):  # type: ignore[no-untyped-def]
    """Put the variable of the units of a thread into the ring from `at` on."""
    for i in range(values.size):
        ring[at + i] = np.float64(values[i]) + offset[i % offset.size]


@compiled()
def sum_weights(sums, targets, w, quanta):  # type: ignore[no-untyped-def]
    """Sum of the weights onto each target, in whole quanta; quanta: of a weight of 1."""
    for i in range(sums.size):
        sums[i] = 0
    for k in range(w.size):
        sums[targets[k]] += i64(np.rint(w[k] * quanta))


@compiled()
def as_weights(sums, quantum, out):  # type: ignore[no-untyped-def]
    """Whole quanta as weights."""
    for i in range(sums.size):
        out[i] = np.float64(sums[i]) * quantum


@compiled()
def sort_by(keys, order, ends, out):  # type: ignore[no-untyped-def]
    """A stable sort of `order` by keys[order] into `out`; ends: zeros [keys + 1], becomes where each key begins."""
    for k in range(keys.size):
        ends[i64(keys[k]) + 1] += 1
    for k in range(1, ends.size):
        ends[k] += ends[k - 1]
    at = ends.copy()
    for k in range(order.size):
        key = i64(keys[order[k]])
        out[at[key]] = order[k]
        at[key] += 1
