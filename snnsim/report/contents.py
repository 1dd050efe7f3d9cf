"""What a report says: the activity of a recording, and how it compares with what was published of its network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from snnsim.builders import Band, Reference, reference
from snnsim.report.activity import POOLED, WINDOW, Activity, measure
from snnsim.result import Result

STATISTICS = {"rate_hz": "rate (Hz)", "cv_isi": "CV of intervals", "synchrony": "synchrony"}
MOST_LOSS = 0.25   # of the CV of short trains


@dataclass(frozen=True)
class Comparison:
    """A measured number beside a published one; low, high: where it is expected."""

    population: str
    statistic: str
    measured: float
    published: float
    low: float
    high: float

    @property
    def within(self) -> bool:
        return self.low <= self.measured <= self.high


@dataclass(frozen=True, eq=False)
class Report:
    """start: ms that are left out; changed: how the network differs from the published one, or None."""

    result: Result
    start: float
    window: float
    activities: list[Activity]
    reference: Reference | None
    comparisons: list[Comparison]
    changed: str | None

    def to_json(self) -> dict[str, Any]:
        """All numbers, as ``snnsim report --json`` prints them; None stands for a number that there is not."""
        return {
            "file": None if self.result.path is None else str(self.result.path),
            "from_ms": self.start, "to_ms": self.result.duration, "window_ms": self.window,
            "populations": [
                _known({"name": a.population, "units": a.units, "pooled": a.pooled, "spikes": a.spikes,
                        **a.statistics()})
                for a in self.activities
            ],
            "source": None if self.reference is None else self.reference.source,
            "tolerance": None if self.reference is None else self.reference.tolerance,
            "changed": self.changed,
            "comparisons": [
                _known({"population": c.population, "statistic": c.statistic, "measured": c.measured,
                        "published": c.published, "low": c.low, "high": c.high, "within": c.within})
                for c in self.comparisons
            ],
        }


def make_report(result: Result, start: float | None = None) -> Report:
    """The report of a recording.

    start: ms that are left out at its beginning; None takes what the published statistics left out, or 0.
    Raises ``InputError`` where no spikes were recorded, or none of the recording is left.
    """
    known, changed = reference(result.network_yaml)
    start = start if start is not None else known.start if known else 0.0
    window, pooled = (known.window, known.units) if known else (WINDOW, POOLED)
    activities = measure(result, start, window, pooled)
    start = max(start, result.start)
    comparisons = [] if known is None else _compare(known, activities, (result.duration - start) / 1000)
    return Report(result, start, window, activities, known, comparisons, changed)


def _compare(known: Reference, activities: list[Activity], seconds: float) -> list[Comparison]:
    return [
        _comparison(activity, statistic, known.bands[statistic][activity.population], seconds)
        for statistic in STATISTICS for activity in activities if activity.population in known.bands[statistic]
    ]


def _comparison(activity: Activity, statistic: str, band: Band, seconds: float) -> Comparison:
    measured = activity.statistics()[statistic]
    loss = cv_loss(activity.rate * seconds) if statistic == "cv_isi" else 0.0
    return Comparison(activity.population, statistic, measured, band.value, band.low * (1 - loss), band.high)


def cv_loss(intervals: float) -> float:
    """By which share the CV of short trains may be too low: a recording as long as few mean intervals cuts off the long
    ones. 2/n is what windows of 5 to 60 s of the cortical microcircuit show, up to a quarter at the lowest rates."""
    return min(MOST_LOSS, 2 / intervals) if intervals > 0 else MOST_LOSS


def _known(numbers: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in numbers.items()}
