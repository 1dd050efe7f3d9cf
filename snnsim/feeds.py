"""What reaches a population from outside the network, as tables that every backend reads the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnsim import graph, plan
from snnsim.errors import InputError, Problem
from snnsim.random import poisson_parts, poisson_thresholds
from snnsim.units import TIME, to_text


def port_of(link: graph.Link) -> str:
    """The port that spikes of an input arrive at."""
    return link.ports[int(link.weight < 0)]


def schedule(train: graph.Train, link: graph.Link, ports: Mapping[str, plan.Port], dt: float) -> plan.Schedule:
    """Given spikes as arrivals: a spike stamped with step k arrives in step k + delay.

    Raises ``InputError`` where one would arrive before the first step.
    """
    name = port_of(link)
    steps = train.steps + int(plan.delay_steps(link.delay, dt))
    if len(steps) and steps[0] < 1:
        place = "params.times" if link.label.endswith("/schedule") else f"inputs.{link.label}"
        text = "a spike at 0 ms would arrive before the first step ends; found one at 0 ms"
        raise InputError(Problem(place, f"expected spikes from {to_text(dt, TIME)} on: {text}"))
    weight = round(link.weight / ports[name].quantum)
    return plan.Schedule(name, steps, train.ids, np.full(len(steps), weight, np.int64))


def current_table(current: graph.Current, values: Sequence[Any], n: int, dt: float) -> plan.Drive:
    """A current in steps: what is set at time T acts from step T/dt + 1 on. values: numbers or arrays [n]."""
    steps = np.floor(current.times / dt + 0.5).astype(np.int64) + 1
    if all(np.ndim(value) == 0 for value in values):
        return plan.Drive(steps, np.array(values)[:, None])
    return plan.Drive(steps, np.stack([np.broadcast_to(value, n) for value in values]))


def summed(tables: Sequence[plan.Drive]) -> plan.Drive:
    """All currents into one input as one table."""
    steps = np.unique(np.concatenate([table.steps for table in tables]))
    total = np.zeros((steps.size, max(table.values.shape[1] for table in tables)))
    for table in tables:
        row = np.searchsorted(table.steps, steps, side="right") - 1
        total += np.where((row >= 0)[:, None], table.values[np.maximum(row, 0)], 0.0)
    return plan.Drive(steps, total)


def most_poisson(mean: float) -> float:
    """The largest count that a draw of this mean can give."""
    parts = poisson_parts(mean)
    return float(parts * len(poisson_thresholds(mean / parts)))


def most_repeats(train: graph.Train) -> float:
    """The most spikes of one id in one step."""
    if not len(train.steps):
        return 0.0
    _, counts = np.unique(np.stack([train.steps, train.ids]), axis=1, return_counts=True)
    return float(counts.max())
