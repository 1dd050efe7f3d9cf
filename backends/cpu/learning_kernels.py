"""The loops that all learning projections share: sending, and traces in whole numbers."""

from __future__ import annotations

import numpy as np

from snnsim.backends.cpu.cache import compiled
from snnsim.backends.cpu.plastic_kernels import fetch_row
from snnsim.loihi_learning import HIGHEST_SUM, LOWEST_SUM, MOST_TRACE

i32, i64 = np.int32, np.int64


@compiled()
def clip(value, low, high):  # type: ignore[no-untyped-def]
    """The lowest 32 bits of a value, brought between bounds."""
    cut, least, most = i32(value), i32(low), i32(high)
    return least if cut < least else most if cut > most else cut


@compiled()
def added(total, more):  # type: ignore[no-untyped-def]
    """A product, in 32 bits, on top of the accumulator."""
    return clip(total + clip(more, LOWEST_SUM, HIGHEST_SUM), LOWEST_SUM, HIGHEST_SUM)


@compiled()
def send_rows(later, ids, begin, end, first, n, rows, targets, w, left):  # type: ignore[no-untyped-def]
    """Add the weights of each spike's row, shifted left, to what arrives in the step to come."""
    for k in range(begin, end):
        i = i64(ids[k]) - first
        if i < 0 or i >= n:
            continue
        if k + 1 < end:
            fetch_row(w, rows, i64(ids[k + 1]) - first)
            fetch_row(targets, rows, i64(ids[k + 1]) - first)
        low, high = i64(rows[i]), i64(rows[i + 1])
        target, row = targets[low:high], w[low:high]
        for j in range(row.size):
            later[target[j]] += i64(row[j]) << left


@compiled()
def send_dense(later, ids, begin, end, first, n, w, left):  # type: ignore[no-untyped-def]
    """The same where each row holds all targets."""
    for k in range(begin, end):
        i = i64(ids[k]) - first
        if 0 <= i < n:
            row = w[i * later.size : (i + 1) * later.size]
            for j in range(later.size):
                later[j] += i64(row[j]) << left


@compiled()
def raise_again(values, last, more, ids, begin, end, first, n):  # type: ignore[no-untyped-def]
    """Add `more` to the traces of the units that spike and have spiked in this epoch already: once, however often."""
    for k in range(begin, end):
        i = i64(ids[k]) - first
        if 0 <= i < n and last[i] > 0 and (k == begin or ids[k] != ids[k - 1]):
            values[i] = min(i64(values[i]) + more, MOST_TRACE)


@compiled()
def mark(last, moment, ids, begin, end, first, n):  # type: ignore[no-untyped-def]
    """Note when units spike."""
    for k in range(begin, end):
        i = i64(ids[k]) - first
        if 0 <= i < n:
            last[i] = moment


@compiled()
def advance(values, last, whole, fraction, draw, more):  # type: ignore[no-untyped-def]
    """A step of a trace where the epoch is one step: what remains, its fraction rounded by one draw, and impulses."""
    for i in range(values.size):
        x = values[i]
        decayed = i64(whole[x]) + i64(draw < fraction[x])
        values[i] = min(decayed + more * i64(last[i] > 0), MOST_TRACE)


@compiled()
def advance_epoch(values, past, own, last, epoch, whole, fraction, draw, more):  # type: ignore[no-untyped-def]
    """All steps of an epoch. past: [(epoch + 1) * units], before it and after each; own: at the unit's own spike."""
    n = values.size
    past[:n] = values
    for moment in range(1, epoch + 1):
        before, after = past[(moment - 1) * n : moment * n], past[moment * n : (moment + 1) * n]
        for i in range(n):
            x = before[i]
            decayed = i64(whole[x]) + i64(draw < fraction[x])
            after[i] = min(decayed + more * i64(last[i] == moment), MOST_TRACE)
    for i in range(n):
        values[i] = past[epoch * n + i]
        own[i] = past[i64(last[i]) * n + i]


@compiled()
def list_marked(last, units):  # type: ignore[no-untyped-def]
    """The units that spiked in this epoch; returns how many."""
    count = i64(0)
    for i in range(last.size):
        units[count] = i
        count += i64(last[i] > 0)
    return count
