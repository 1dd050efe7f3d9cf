"""Spikes of two recordings that stand for each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnsim.result import Result

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


def aligned(before: Result, after: Result, name: str, lag: int) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Steps and ids of the spikes of a population in both, where the second does all `lag` steps later."""
    first, second = before.steps_of(name), after.steps_of(name)
    second = second[0] - lag, second[1]
    kept = [(steps > round(before.start / before.dt)) & (steps <= before.steps - lag) for steps, _ in (first, second)]
    return (first[0][kept[0]], first[1][kept[0]]), (second[0][kept[1]], second[1][kept[1]])


def partners(before: tuple[Ints, Ints], after: tuple[Ints, Ints], window: int) -> tuple[Mask, Mask]:
    """Which spikes of two recordings, (steps, ids) each, pair with one of the same unit at most `window` steps away.

    Each spike is in one pair at most, and there are as many pairs as can be: spikes of a unit are paired in their
    order, each with the first that is near enough and free.
    """
    stride = max((int(steps.max(initial=0)) for steps, _ in (before, after)), default=0) + window + 1
    keys = [ids * stride + steps for steps, ids in (before, after)]
    orders = [np.argsort(key, kind="stable") for key in keys]
    first, second = (key[order].tolist() for key, order in zip(keys, orders, strict=True))
    pairs = _pairs(first, second, window)
    masks = [np.zeros(len(key), bool) for key in keys]
    for mask, order, chosen in zip(masks, orders, pairs, strict=True):
        mask[order[chosen]] = True
    return masks[0], masks[1]


def _pairs(first: list[int], second: list[int], window: int) -> tuple[list[int], list[int]]:
    """Positions of the pairs in two sorted lists."""
    pairs: tuple[list[int], list[int]] = ([], [])
    i = j = 0
    while i < len(first) and j < len(second):
        if abs(first[i] - second[j]) <= window:
            pairs[0].append(i)
            pairs[1].append(j)
            i, j = i + 1, j + 1
        elif first[i] < second[j]:
            i += 1
        else:
            j += 1
    return pairs
