"""States of a network in fixed-point numbers against those of the float one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnsim.deploy.matching import aligned, partners
from snnsim.result import Result

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """What a fixed-point state stands for: f of `variable` is f * size + offset in the unit of the float one.

    size, offset: numbers, or arrays over the units of the population. late: steps that it comes after the population's
    other states.
    """

    variable: str
    size: Any
    offset: Any = 0.0
    late: int = 0


@dataclass(frozen=True)
class TraceError:
    """A recorded state of both networks, in the unit of the float one.

    largest, rms: of the difference over all rows; largest_before: over those before the first spike of the unit that
    only one network has. swing: largest less smallest value of the float network.
    """

    population: str
    variable: str
    fixed_variable: str
    unit: str
    largest: float
    rms: float
    largest_before: float
    swing: float

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def trace_error(before: Result, after: Result, key: tuple[str, str], scale: Scale, lag: int = 0) -> TraceError:
    """How far a trace of the float network, (population, variable), and the state that stands for it differ.

    lag: by how many steps the state comes later.
    """
    population, variable = key
    expected, found = before.trace(population, variable), after.trace(population, scale.variable)
    rows, columns, others = _shared(expected, found, (lag + scale.late) * before.dt)
    values = expected.data[rows[0]][:, columns].astype(np.float64)
    units = expected.units[columns]
    stood = found.data[rows[1]][:, others] * _chosen(scale.size, units) + _chosen(scale.offset, units)
    error = np.abs(values - stood)
    still = expected.times[rows[0], None] < _until(before, after, population, units, lag)[None, :]
    return TraceError(
        population, variable, scale.variable, expected.unit, float(error.max(initial=0.0)),
        float(np.sqrt(np.mean(error**2))) if error.size else 0.0, float(error[still].max(initial=0.0)),
        float(np.ptp(values)) if values.size else 0.0,
    )


def _shared(expected: Any, found: Any, late: float) -> tuple[tuple[Ints, Ints], Ints, Ints]:
    """Rows and columns of two traces that both have."""
    times = np.rint(expected.times * 1e6), np.rint((found.times - late) * 1e6)
    _, first, second = np.intersect1d(*times, return_indices=True)
    _, columns, others = np.intersect1d(expected.units, found.units, return_indices=True)
    return (first, second), columns, others


def _chosen(values: Any, units: Ints) -> Any:
    return np.asarray(values)[units] if np.ndim(values) else values


def _until(before: Result, after: Result, population: str, units: Ints, lag: int) -> Floats:
    """When each unit first has a spike in one network only, in ms [units]; infinite where it has none."""
    if population not in before.populations or population not in after.populations:
        return np.full(len(units), np.inf)
    spikes = aligned(before, after, population, lag)
    times = np.full(max(before.size(population), 1), np.inf)
    for (steps, ids), mask in zip(spikes, partners(*spikes, 0), strict=True):
        np.minimum.at(times, ids[~mask], steps[~mask] * before.dt)
    return times[units]
