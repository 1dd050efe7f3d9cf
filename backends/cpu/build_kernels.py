"""The loops that build a network: random words by number, counting and placing synapses, sorting their rows."""

from __future__ import annotations

import numpy as np

from snnsim.backends.cpu.cache import compiled
from snnsim.backends.cpu.kernels import philox

u32, u64, i64 = np.uint32, np.uint64, np.int64


@compiled(noalias=True, error_model="numpy")
def indexed_words(out, first, draw, stream, k0, k1):  # type: ignore[no-untyped-def]
    """Words number 4 first, 4 first + 1, ... of a stream; out: uint32, a whole number of fours."""
    for i in range(out.size // 4):
        counter = u64(first) + u64(i)
        low, high = u32(counter & u64(0xFFFFFFFF)), u32(counter >> u64(32))
        a, b, c, d = philox(low, high, u32(draw), u32(stream), u32(k0), u32(k1))
        out[4 * i] = a
        out[4 * i + 1] = b
        out[4 * i + 2] = c
        out[4 * i + 3] = d


@compiled()
def words_at(out, index, draw, stream, k0, k1):  # type: ignore[no-untyped-def]
    """Words of any indices, uint64; neighbours that share a counter are computed once."""
    last, a, b, c, d = u64(0), u32(0), u32(0), u32(0), u32(0)
    for k in range(index.size):
        counter = index[k] >> u64(2)
        if k == 0 or counter != last:
            low, high = u32(counter & u64(0xFFFFFFFF)), u32(counter >> u64(32))
            a, b, c, d = philox(low, high, u32(draw), u32(stream), u32(k0), u32(k1))
            last = counter
        word = index[k] & u64(3)
        out[k] = (a if word == 0 else b) if word < 2 else (c if word == 2 else d)


@compiled()
def add_tally(out, words):  # type: ignore[no-untyped-def]
    """out[j] += how many of the words become j when they become whole numbers below out.size."""
    n = u64(out.size)
    for k in range(words.size):
        out[i64(u64(words[k]) * n >> u64(32))] += 1


@compiled()
def count_sources(counts, first, source):  # type: ignore[no-untyped-def]
    """counts[first + source] += 1 for each synapse."""
    for k in range(source.size):
        counts[first + i64(source[k])] += 1


@compiled()
def place_rows(at, first, source, order):  # type: ignore[no-untyped-def]
    """order[k] = the place of synapse k in the row of its source; at: next free place of each row."""
    for k in range(source.size):
        row = first + i64(source[k])
        order[k] = at[row]
        at[row] += 1


@compiled()
def scatter(order, values, out):  # type: ignore[no-untyped-def]
    """out[order[k]] = values[k]."""
    for k in range(order.size):
        out[order[k]] = values[k]


@compiled()
def count_groups(starts, groups, number, rows):  # type: ignore[no-untyped-def]
    """rows[row * number + group] = where that group of a row begins. starts: [n + 1] of rows; groups: of synapses."""
    counts = np.zeros(number, np.int64)
    for row in range(starts.size - 1):
        at = starts[row]
        counts[:] = 0
        part = groups[at : starts[row + 1]]
        for k in range(part.size):
            counts[part[k]] += 1
        for group in range(number):
            rows[row * number + group] = at
            at += counts[group]
    rows[rows.size - 1] = starts[starts.size - 1]


@compiled()
def sort_rows(starts, groups, number, rows, values, room):  # type: ignore[no-untyped-def]
    """Put the values of each row into the order of their groups, which stays as it is. room: the longest row."""
    at, moved = np.zeros(number, np.int64), np.empty(room, values.dtype)
    for row in range(starts.size - 1):
        low = i64(starts[row])
        part, mine = groups[low : starts[row + 1]], values[low : starts[row + 1]]
        for group in range(number):
            at[group] = i64(rows[row * number + group]) - low
        for k in range(part.size):
            moved[at[part[k]]] = mine[k]
            at[part[k]] += 1
        for k in range(part.size):
            mine[k] = moved[k]
