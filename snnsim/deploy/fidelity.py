"""How far a network in fixed-point numbers does what the float one does on the same input: spikes, rates, states."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnsim import analysis
from snnsim.deploy.matching import aligned, partners
from snnsim.deploy.trace_error import Scale, TraceError, trace_error
from snnsim.result import Result

WINDOWS = (0.0, 2.0)  # ms: how far apart two spikes may be to count as the same
TAU = 10.0  # ms, of the distance of spike trains
QUANTILES = (0, 5, 25, 50, 75, 95, 100)  # per cent of the units, for changes of their rates

Ints = NDArray[np.int64]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Match:
    """Spikes of a population that have a partner within `window` ms, and those of either network that have none."""

    window: float
    kept: int
    lost: int
    gained: int

    def to_dict(self) -> dict[str, float]:
        return {"window_ms": self.window, "kept": self.kept, "lost": self.lost, "gained": self.gained}


@dataclass(frozen=True, order=True)
class Divergence:
    """The first spike that only one network has; lost: the float one."""

    time: float
    unit: int
    lost: bool

    def to_dict(self) -> dict[str, Any]:
        return {"time_ms": self.time, "unit": self.unit, "spike": "lost" if self.lost else "gained"}


@dataclass(frozen=True, eq=False)
class Compared:
    """One population in both networks, float first.

    spikes: their numbers; rates: Hz [units] each; cv: mean CV of the intervals, NaN without intervals; distance: van
    Rossum, `tau` 10 ms, and in parts of the distance of the float network from silence (NaN where it is silent).
    """

    population: str
    spikes: tuple[int, int]
    rates: tuple[Floats, Floats]
    cv: tuple[float, float]
    matches: tuple[Match, ...]
    first: Divergence | None
    distance: float
    relative_distance: float

    @property
    def mean_rates(self) -> tuple[float, float]:
        """Hz, NaN without units."""
        first, second = (float(rates.mean()) if rates.size else float("nan") for rates in self.rates)
        return first, second

    @property
    def changes(self) -> Floats:
        """By how many Hz the rate of each unit is higher in fixed-point numbers, [units]."""
        return self.rates[1] - self.rates[0]

    def to_dict(self) -> dict[str, Any]:
        """NaN stands for a number that there is not."""
        before, after = self.mean_rates
        changes = np.percentile(self.changes, QUANTILES).tolist() if self.changes.size else []
        return {
            "population": self.population, "units": len(self.rates[0]),
            "spikes_float": self.spikes[0], "spikes_fixed": self.spikes[1],
            "matches": [match.to_dict() for match in self.matches],
            "rate_float_hz": before, "rate_fixed_hz": after,
            "rate_change": (after - before) / before if before else float("nan"),
            "unit_rate_changes_hz": {f"{part}%": value for part, value in zip(QUANTILES, changes, strict=False)},
            "units_changed": int(np.count_nonzero(self.changes)),
            "cv_isi_float": self.cv[0], "cv_isi_fixed": self.cv[1],
            "first_divergence": self.first and self.first.to_dict(),
            "van_rossum": self.distance, "van_rossum_relative": self.relative_distance,
        }


@dataclass(frozen=True, eq=False)
class Fidelity:
    """Populations and traces that both networks recorded. inputs: source populations, which should not differ.

    lags: population -> by how many steps it does the same later in fixed-point numbers.
    """

    duration: float
    windows: tuple[float, ...]
    populations: tuple[Compared, ...]
    inputs: tuple[Compared, ...]
    traces: tuple[TraceError, ...]
    lags: Mapping[str, int]

    @property
    def same_input(self) -> bool:
        """Whether the populations that the host makes spike did the same in both."""
        return all(each.first is None for each in self.inputs)

    def total(self, window: float) -> Match:
        """Over all populations but the inputs."""
        found = [match for each in self.populations for match in each.matches if match.window == window]
        return Match(window, *(sum(getattr(match, name) for match in found) for name in ("kept", "lost", "gained")))

    @property
    def first(self) -> tuple[str, Divergence] | None:
        """Population and place of the first spike that only one network has."""
        found = [(each.first, each.population) for each in self.populations if each.first is not None]
        return (min(found)[1], min(found)[0]) if found else None

    def to_dict(self) -> dict[str, Any]:
        """All numbers, as ``report.json`` has them."""
        return {
            "duration_ms": self.duration, "same_input": self.same_input,
            "total": [self.total(window).to_dict() for window in self.windows],
            "first_divergence": self.first and {"population": self.first[0], **self.first[1].to_dict()},
            "populations": [each.to_dict() for each in self.populations],
            "inputs": [each.to_dict() for each in self.inputs],
            "traces": [each.to_dict() for each in self.traces],
        }


def compare(
    before: Result, after: Result, inputs: Collection[str] = (), windows: Sequence[float] = WINDOWS,
    scales: Mapping[tuple[str, str], Scale] | None = None, lags: Mapping[str, int] | None = None,
) -> Fidelity:
    """The recording of the float network against that of the one in fixed-point numbers; both have one dt.

    inputs: populations that the host makes spike. windows: ms. scales: (population, variable) of a trace of the float
    network -> the state of the other that stands for it. lags: population -> by how many steps the other does the same
    later; its spikes and states are taken that much earlier, and what then lacks a counterpart at the end is left out.
    """
    shared, lags = [name for name in before.populations if name in after.populations], lags or {}
    compared = {name: _compared(before, after, name, windows, lags.get(name, 0)) for name in shared}
    return Fidelity(
        before.duration, tuple(windows),
        tuple(each for name, each in compared.items() if name not in inputs),
        tuple(each for name, each in compared.items() if name in inputs),
        tuple(trace_error(before, after, key, scale, lags.get(key[0], 0)) for key, scale in (scales or {}).items()
              if key in before.traces and (key[0], scale.variable) in after.traces),
        lags,
    )


# --- spikes ----------------------------------------------------------------------------------------------------------

def _compared(before: Result, after: Result, name: str, windows: Sequence[float], lag: int) -> Compared:
    units, dt = np.intersect1d(before.units(name), after.units(name)), before.dt
    spikes = [_of(each, units) for each in aligned(before, after, name, lag)]
    trains = [(steps * dt, ids) for steps, ids in spikes]
    span = before.start, before.duration - before.start - lag * dt
    silence = analysis.spike_distance(trains[0], (np.zeros(0), np.zeros(0)), TAU)
    distance = analysis.spike_distance(trains[0], trains[1], TAU)
    return Compared(
        name, (len(spikes[0][0]), len(spikes[1][0])), (_rates(trains[0], units, span), _rates(trains[1], units, span)),
        (_cv(trains[0]), _cv(trains[1])), tuple(_match(spikes[0], spikes[1], window, dt) for window in windows),
        _first(spikes[0], spikes[1], dt), distance, distance / silence if silence else float("nan"),
    )


def _of(spikes: tuple[Ints, Ints], units: Ints) -> tuple[Ints, Ints]:
    """Spikes of the units that both recorded."""
    there = np.isin(spikes[1], units)
    return spikes[0][there], spikes[1][there]


def _match(first: tuple[Ints, Ints], second: tuple[Ints, Ints], window: float, dt: float) -> Match:
    lost, gained = (int(np.count_nonzero(~mask)) for mask in partners(first, second, round(window / dt)))
    return Match(window, len(first[0]) - lost, lost, gained)


def _rates(train: tuple[Floats, Ints], units: Ints, span: tuple[float, float]) -> Floats:
    """Of a span of time: begin and length in ms."""
    return analysis.rates(train[0], np.searchsorted(units, train[1]), len(units), span[1], span[0])


def _cv(train: tuple[Floats, Ints]) -> float:
    cv = np.asarray(analysis.cv_isi(*train))
    known = cv[~np.isnan(cv)]
    return float(known.mean()) if known.size else float("nan")


def _first(first: tuple[Ints, Ints], second: tuple[Ints, Ints], dt: float) -> Divergence | None:
    lost, gained = partners(first, second, 0)
    alone = [(spikes[0][~mask], spikes[1][~mask], was_lost)
             for spikes, mask, was_lost in ((first, lost, True), (second, gained, False))]
    earliest = [(int(steps[k]), int(ids[k]), was_lost) for steps, ids, was_lost in alone if len(steps)
                for k in [np.lexsort((ids, steps))[0]]]
    if not earliest:
        return None
    step, unit, was_lost = min(earliest)
    return Divergence(step * dt, unit, was_lost)
