"""What is drawn of recorded weights: the courses of some synapses, or the distribution over many."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from snnsim.recording.layout import WeightPlan
    from snnsim.result import Result

SHOWN = 20  # synapses drawn one by one; of snapshots of more, the distribution
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SORTED = 10_000_000  # weights that are sorted for quantiles

Line = tuple[str, NDArray[Any], NDArray[Any]]


def weight_lines(result: Result, name: str, points: int = 4000) -> list[Line]:
    """Label, times in ms and weights of each line, of at most `points` points.

    A line for each of at most ``SHOWN`` synapses, or for each quantile where snapshots are of more of them.
    """
    plan = result.weight_plan(name)
    if plan.on_pre:
        return _sent(result, name, points)
    if is_distribution(plan):
        few = max(2, min(points, _SORTED // len(plan.source)))
        labels = [f"{100 * q:g} %" for q in QUANTILES]
        return _snapshots(result, name, labels, few, lambda rows: np.quantile(rows, QUANTILES, axis=1).T)
    return _snapshots(result, name, list(map(_label, plan.source, plan.target)), points, lambda rows: rows)


def is_distribution(plan: WeightPlan) -> bool:
    """Whether the lines are quantiles."""
    return not plan.on_pre and len(plan.source) > SHOWN


def _label(source: Any, target: Any) -> str:
    return f"{source} to {target}"


def _snapshots(
    result: Result, name: str, labels: list[str], points: int, lines_of: Callable[[NDArray[Any]], NDArray[Any]]
) -> list[Line]:
    every, row = _every(result.count_weights(name), points), 0
    times, rows = [np.empty(0)], [np.empty((0, len(labels)))]
    for steps, block in result.weight_blocks(name):
        chosen = slice(-row % every, None, every)
        times.append(steps[chosen] * result.dt)
        rows.append(lines_of(block[chosen]))
        row += len(block)
    return [(label, np.concatenate(times), line) for label, line in zip(labels, np.concatenate(rows).T, strict=True)]


def _sent(result: Result, name: str, points: int) -> list[Line]:
    found: dict[tuple[int, int], list[Any]] = {pair: [np.empty((2, 0))] for pair in _pairs(result.weight_plan(name))}
    for steps, source, target, values in result.weight_blocks(name):
        for (i, j), parts in found.items():
            mine = (source == i) & (target == j)
            parts.append(np.array([steps[mine] * result.dt, values[mine]]))
    lines = {_label(*pair): np.concatenate(parts, axis=1) for pair, parts in found.items()}
    return [(label, *line[:, :: _every(line.shape[1], points)]) for label, line in lines.items()]


def _pairs(plan: WeightPlan) -> list[tuple[int, int]]:
    """Source and target of some synapses, chosen evenly."""
    chosen = np.linspace(0, len(plan.source) - 1, SHOWN).round().astype(np.int64)
    return sorted({(int(plan.source[k]), int(plan.target[k])) for k in chosen})


def _every(rows: int, points: int) -> int:
    return max(1, -(-rows // points))
