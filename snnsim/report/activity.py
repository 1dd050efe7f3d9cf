"""The activity of each recorded population: rates, irregularity and synchrony."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnsim import analysis
from snnsim.errors import InputError, Problem
from snnsim.result import Result
from snnsim.units import TIME, to_text

WINDOW, POOLED = 3.0, 1000   # of the synchrony: ms, and units of a population that are counted


@dataclass(frozen=True, eq=False)
class Activity:
    """What the recorded units of a population did.

    spikes: their number; rates: Hz [units]; cv: of the intervals of each unit [units], NaN below two intervals;
    synchrony: variance over mean of the spikes that the first `pooled` of the units fire in a window.
    """

    population: str
    spikes: int
    rates: NDArray[np.float64]
    cv: NDArray[np.float64]
    synchrony: float
    pooled: int

    @property
    def units(self) -> int:
        return len(self.rates)

    @property
    def rate(self) -> float:
        """Mean rate in Hz."""
        return float(self.rates.mean()) if self.units else float("nan")

    @property
    def mean_cv(self) -> float:
        """Mean over the units that have a CV."""
        known = self.cv[~np.isnan(self.cv)]
        return float(known.mean()) if known.size else float("nan")

    def statistics(self) -> dict[str, float]:
        """The numbers that may be compared with published ones."""
        return {"rate_hz": self.rate, "cv_isi": self.mean_cv, "synchrony": self.synchrony}


def measure(result: Result, start: float = 0.0, window: float = WINDOW, pooled: int = POOLED) -> list[Activity]:
    """The activity of each population from `start` ms to the end of a recording.

    window: ms of the histogram for the synchrony; pooled: units that are counted in it, at most.
    Raises ``InputError`` where nothing is left after `start`.
    """
    start = max(start, result.start)
    if not result.populations:
        raise InputError("no spikes were recorded: there is nothing to report")
    if result.duration - start < window:
        raise InputError(Problem("start", f"expected a time at least {window:g} ms before the end of the recording at "
                                          f"{to_text(result.duration, TIME)}, found {to_text(start, TIME)}"))
    return [_measure(result, name, start, window, pooled) for name in result.populations]


def _measure(result: Result, population: str, start: float, window: float, pooled: int) -> Activity:
    units = result.units(population)
    times, ids = result.spikes(population)
    late = times > start
    times, places = times[late], np.searchsorted(units, ids[late])
    duration, counted = result.duration - start, min(pooled, len(units))
    return Activity(
        population, len(times),
        analysis.rates(times, places, len(units), duration, start),
        np.asarray(analysis.cv_isi(times, places, len(units))),
        analysis.dispersion(times[places < counted], duration, window, start), counted,
    )
