"""The loops that every network shares while it runs: random words, delivery of spikes, collection of spikes.

Loops run from 0 over slices, and whole numbers are cast after each operation: Numba would otherwise widen them or add
tests to each access, and LLVM would not vectorise.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from snnsim.backends.cpu.cache import compiled
from snnsim.backends.cpu.intrinsics import prefetch  # registers the option noalias, too

u32, u64, i32, i64 = np.uint32, np.uint64, np.int32, np.int64
_OPTIONS = {"noalias": True, "error_model": "numpy"}
_PIECE = 512            # units that counts are drawn for at a time
_AHEAD, _LINES = 6, 8   # parts, and lines of each, that are fetched before they are needed
_CACHED = 1 << 20       # bytes of synapses that need no fetching


@njit(inline="always")
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
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
        a, b, c, d = philox(u32(first + i), u32(part), u32(block), u32(stream), u32(k0), u32(k1))
        w0[i] = a
        w1[i] = b
        w2[i] = c
        w3[i] = d


@compiled(**_OPTIONS)
def _largest(words):  # type: ignore[no-untyped-def]
    most = u32(0)
    for i in range(words.size):
        most = max(most, words[i])
    return most


@compiled(**_OPTIONS)
def count_thresholds(words, limits, out):  # type: ignore[no-untyped-def]
    """out[i] += number of limits below words[i]; limits: uint32, rising, a multiple of 8 of them."""
    most = _largest(words)
    for j in range(0, limits.size, 8):
        if most <= limits[j]:
            return
        a, b, c, d = limits[j], limits[j + 1], limits[j + 2], limits[j + 3]
        e, f, g, h = limits[j + 4], limits[j + 5], limits[j + 6], limits[j + 7]
        for i in range(words.size):
            w = words[i]
            low = i32(i32(w > a) + i32(w > b)) + i32(i32(w > c) + i32(w > d))
            high = i32(i32(w > e) + i32(w > f)) + i32(i32(w > g) + i32(w > h))
            out[i] = i32(out[i] + i32(i32(low) + i32(high)))


@compiled()
def count_table(words, limits, table, out):  # type: ignore[no-untyped-def]
    """As ``count_thresholds`` where units differ: unit i uses row table[i] of limits."""
    for i in range(words.size):
        row = limits[table[i]]
        j = 0
        while j < row.size and words[i] > row[j]:
            j += 1
        out[i] += j


@compiled()
def draw_counts(first, parts, block, stream, k0, k1, limits, table, out):  # type: ignore[no-untyped-def]
    """Poisson counts of units first, first + 1, ... in the four steps of `block`, a piece at a time in the cache.

    parts: how many draws are summed. limits: [k], or [rows, k] where unit i has row table[i]. out: [4, units], of the
    narrowest type that holds them: so large populations stay in the cache, too.
    """
    words, sums = np.empty((4, _PIECE), u32), np.empty((4, _PIECE), i32)
    for at in range(0, out.shape[1], _PIECE):
        n = min(_PIECE, out.shape[1] - at)
        sums[:] = 0
        for part in range(parts):
            step_words(n, first + at, part, block, stream, k0, k1, words[0], words[1], words[2], words[3])
            for k in range(4):
                if limits.ndim == 1:
                    count_thresholds(words[k, :n], limits, sums[k])
                else:
                    count_table(words[k, :n], limits, table[at : at + n], sums[k])
        for k in range(4):
            _copy(sums[k], out[k, at : at + n])


@compiled(**_OPTIONS)
def _copy(values, out):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] = values[i]


@compiled()
def set_drive(steps, values, out, step, afresh):  # type: ignore[no-untyped-def]
    """Put the row of values that holds since the latest of steps <= step into out, where it begins (or afresh)."""
    row = np.searchsorted(steps, step, side="right") - 1
    if row >= 0 and (afresh or steps[row] == step):
        part = values[row]
        for i in range(out.size):
            out[i] = part[i % part.size]


@compiled()
def collect(marks, marks8, first, ids, at):  # type: ignore[no-untyped-def]
    """Append numbers of marked units to ids[at:]. marks: uint8 [rows, 4, 8]; marks8: its bytes by eights, [rows, 4].

    With these shapes LLVM knows that no index is below zero, and looks at 32 units at a time.
    """
    for row in range(marks8.shape[0]):
        some = u64(0)
        for k in range(4):
            some |= marks8[row, k]
        if some == 0:
            continue
        for k in range(4):
            if marks8[row, k] != 0:
                for i in range(8):
                    if marks[row, k, i] != 0:
                        ids[at] = first + 32 * row + 8 * k + i
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
def list_parts(rows, groups, group, ids, at, stop, parts, n):  # type: ignore[no-untyped-def]
    """Note which synapses the spikes ids[at:stop] reach after one delay, as long as there is room.

    rows: [sources * groups + 1] where each group of each source begins. parts: [3, room] begin, end, source; n: how
    many there are. Returns n and the next spike.
    """
    while at < stop and n < parts.shape[1]:
        row = i64(ids[at])
        a = i64(rows[row * groups + group])
        b = i64(rows[row * groups + group + 1])
        parts[0, n] = a
        parts[1, n] = b
        parts[2, n] = row
        n += i64(a < b)
        at += 1
    return n, at


@njit(inline="always")
def fetch(values, low, high):  # type: ignore[no-untyped-def]
    """Have the beginning of a part loaded."""
    line = 64 // values.itemsize
    for j in range(low, min(high + line - 1, low + _LINES * line), line):
        prefetch(values, j)


@njit(inline="always")
def ahead_of(values, n):  # type: ignore[no-untyped-def]
    """How many parts before it is needed one is fetched: parts lie anywhere, so the processor cannot guess."""
    return _AHEAD if values.nbytes > _CACHED else n


@compiled()
def deliver_rows(acc, targets, weights, parts, n):  # type: ignore[no-untyped-def]
    """Add weights[source] to each target of each part."""
    ahead = ahead_of(targets, n)
    for k in range(n):
        if k + ahead < n:
            fetch(targets, parts[0, k + ahead], parts[1, k + ahead])
        part, w = targets[parts[0, k] : parts[1, k]], weights[parts[2, k]]
        for j in range(part.size):
            acc[part[j]] += w


@compiled()
def deliver_pairs(acc, targets, weights, parts, n):  # type: ignore[no-untyped-def]
    """Add the upper half of each word to the target that its lower half names. weights: not used."""
    ahead = ahead_of(targets, n)
    for k in range(n):
        if k + ahead < n:
            fetch(targets, parts[0, k + ahead], parts[1, k + ahead])
        part = targets[parts[0, k] : parts[1, k]]
        for j in range(part.size):
            word = part[j]
            acc[word & u32(0xFFFF)] += i32(i32(word) >> i32(16))


@compiled()
def deliver_synapses(acc, targets, weights, parts, n):  # type: ignore[no-untyped-def]
    """Add a weight of its own for each synapse."""
    ahead = ahead_of(targets, n)
    for k in range(n):
        if k + ahead < n:
            fetch(targets, parts[0, k + ahead], parts[1, k + ahead])
            fetch(weights, parts[0, k + ahead], parts[1, k + ahead])
        part, w = targets[parts[0, k] : parts[1, k]], weights[parts[0, k] : parts[1, k]]
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
