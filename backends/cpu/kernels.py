"""The loops that every network shares: random words, delivery of spikes, collection of spikes, building of rows.

Loops run from 0 over slices, and whole numbers are cast after each operation: Numba would otherwise widen them or add
tests to each access, and LLVM would not vectorise.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from snnsim.backends.cpu import intrinsics  # noqa: F401  registers the option noalias
from snnsim.backends.cpu.cache import compiled

u32, u64, i32, i64 = np.uint32, np.uint64, np.int32, np.int64
_OPTIONS = {"noalias": True, "error_model": "numpy"}


@njit(inline="always")
def _philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Philox4x32-10 (Salmon et al. 2011)."""
    for _ in range(10):
        p0 = u64(c0) * u64(0xD2511F53)
        p1 = u64(c2) * u64(0xCD9E8D57)
        n0 = u32(u32(u32(p1 >> u64(32)) ^ c1) ^ k0)
        n2 = u32(u32(u32(p0 >> u64(32)) ^ c3) ^ k1)
        c1 = u32(p1 & u64(0xFFFFFFFF))
        c3 = u32(p0 & u64(0xFFFFFFFF))
        c0 = n0
        c2 = n2
        k0 = u32(u64(k0) + u64(0x9E3779B9))
        k1 = u32(u64(k1) + u64(0xBB67AE85))
    return c0, c1, c2, c3


@compiled(**_OPTIONS)
def step_words(n, first, part, block, stream, k0, k1, w0, w1, w2, w3):  # type: ignore[no-untyped-def]
    """Random words of units first .. first+n-1 for the four steps of `block`."""
    for i in range(n):
        a, b, c, d = _philox(u32(first + i), u32(part), u32(block), u32(stream), u32(k0), u32(k1))
        w0[i] = a
        w1[i] = b
        w2[i] = c
        w3[i] = d


@compiled(**_OPTIONS)
def indexed_words(out, first, draw, stream, k0, k1):  # type: ignore[no-untyped-def]
    """Words number 4 first, 4 first + 1, ... of a stream; out: uint32, a whole number of fours."""
    for i in range(out.size // 4):
        counter = u64(first) + u64(i)
        low, high = u32(counter & u64(0xFFFFFFFF)), u32(counter >> u64(32))
        a, b, c, d = _philox(low, high, u32(draw), u32(stream), u32(k0), u32(k1))
        out[4 * i] = a
        out[4 * i + 1] = b
        out[4 * i + 2] = c
        out[4 * i + 3] = d


@compiled(**_OPTIONS)
def count_thresholds(n, words, limits, out):  # type: ignore[no-untyped-def]
    """out[i] += number of limits below words[i]; limits: uint32, a multiple of 8 of them."""
    for j in range(0, limits.size, 8):
        a, b, c, d = limits[j], limits[j + 1], limits[j + 2], limits[j + 3]
        e, f, g, h = limits[j + 4], limits[j + 5], limits[j + 6], limits[j + 7]
        for i in range(n):
            w = words[i]
            low = i32(i32(w > a) + i32(w > b)) + i32(i32(w > c) + i32(w > d))
            high = i32(i32(w > e) + i32(w > f)) + i32(i32(w > g) + i32(w > h))
            out[i] = i32(out[i] + i32(i32(low) + i32(high)))


@compiled()
def count_table(n, words, limits, table, out):  # type: ignore[no-untyped-def]
    """As ``count_thresholds`` where units differ: unit i uses row table[i] of limits, which rise along the row."""
    for i in range(n):
        row = limits[table[i]]
        j = 0
        while j < row.size and words[i] > row[j]:
            j += 1
        out[i] += j


@compiled()
def set_drive(steps, values, out, step, afresh):  # type: ignore[no-untyped-def]
    """Put the row of values that holds since the latest of steps <= step into out, where it begins (or afresh)."""
    row = np.searchsorted(steps, step, side="right") - 1
    if row >= 0 and (afresh or steps[row] == step):
        part = values[row]
        for i in range(out.size):
            out[i] = part[i % part.size]


@compiled()
def collect(n, marks, marks8, first, ids, at):  # type: ignore[no-untyped-def]
    """Append the numbers of marked units to ids[at:]; marks: uint8[n], marks8 the same bytes eight at a time."""
    for block in range(marks8.size):
        if marks8[block] != 0:
            for i in range(8 * block, min(8 * block + 8, n)):
                if marks[i] != 0:
                    ids[at] = first + i
                    at += 1
    return at


@compiled()
def collect_counts(n, counts, first, ids, at):  # type: ignore[no-untyped-def]
    """Append unit i counts[i] times; stops at the end of ids and returns the length that was needed."""
    for i in range(n):
        for _ in range(counts[i]):
            if at < ids.size:
                ids[at] = first + i
            at += 1
    return at


@compiled()
def deliver_rows(acc, rows, targets, weights, groups, group, ids, start, stop):  # type: ignore[no-untyped-def]
    """Add weights[source] to each target of each spike. rows: [sources * groups + 1] ends of each source's groups."""
    for k in range(start, stop):
        row = i64(ids[k])
        a = i64(rows[row * groups + group])
        b = i64(rows[row * groups + group + 1])
        if a < b:
            w = weights[row]
            part = targets[a:b]
            for j in range(part.size):
                acc[part[j]] += w


@compiled()
def deliver_synapses(acc, rows, targets, weights, groups, group, ids, start, stop):  # type: ignore[no-untyped-def]
    """As ``deliver_rows`` with a weight of its own for each synapse."""
    for k in range(start, stop):
        row = i64(ids[k])
        a = i64(rows[row * groups + group])
        b = i64(rows[row * groups + group + 1])
        part, w = targets[a:b], weights[a:b]
        for j in range(part.size):
            acc[part[j]] += w[j]


@compiled()
def deliver_ring(ring, rows, targets, weights, delays, step, ids, start, stop):  # type: ignore[no-untyped-def]
    """Add the synapses of spikes of `step` to the arrivals of later steps. ring: [slots of time, places]."""
    length = ring.shape[0]
    for k in range(start, stop):
        row = i64(ids[k])
        for j in range(i64(rows[row]), i64(rows[row + 1])):
            ring[(step + i64(delays[j])) % length, i64(targets[j])] += weights[j]


@compiled(**_OPTIONS)
def take_row(acc, row):  # type: ignore[no-untyped-def]
    """Move a row of the ring into the arrivals of this step."""
    for i in range(row.size):
        acc[i] += row[i]
        row[i] = 0


@compiled()
def take_schedule(acc, steps, places, weights, step, at):  # type: ignore[no-untyped-def]
    """Add the scheduled arrivals of `step`; returns where the next step begins."""
    while at < steps.size and steps[at] <= step:
        if steps[at] == step:
            acc[places[at]] += weights[at]
        at += 1
    return at


@compiled()
def copy_trace(values, units, out, row, columns):  # type: ignore[no-untyped-def]
    """Write the chosen units of one state into a row of the trace."""
    for k in range(units.size):
        out[row, columns[k]] = values[units[k]]


@compiled()
def count_rows(rows, keys):  # type: ignore[no-untyped-def]
    """rows[key + 1] += 1 for each synapse."""
    for k in range(keys.size):
        rows[i64(keys[k]) + 1] += 1


@compiled()
def place_rows(at, keys, order):  # type: ignore[no-untyped-def]
    """order[k] = the place of synapse k in its row; at: next free place of each row."""
    for k in range(keys.size):
        key = i64(keys[k])
        order[k] = at[key]
        at[key] += 1
