"""A report as one HTML page that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable

from snnsim.report.contents import STATISTICS, Comparison, Report
from snnsim.report.figures import figures
from snnsim.report.pieces import Table, heading, paragraph, picture, table, whole

EXPLAINED = (
    "Rates are means over the recorded units. The CV (standard deviation over mean) of the intervals is 1 for a "
    "Poisson process and 0 for a clock; the mean is over units with two intervals or more. The synchrony is the "
    "variance over the mean of the number of spikes in windows of {window:g} ms, of {pooled} units of each population "
    "at most; it is 1 for independent Poisson trains."
)
SHORT = "From short recordings the CV comes out low, because long intervals do not fit; its bands reach lower for that."


def page(report: Report) -> str:
    """The page as text."""
    return whole(_title(report), _body(report))


def _title(report: Report) -> str:
    name = report.result.path.name if report.result.path else "snnsim"
    return f"{name}: activity from {report.start:g} to {report.result.duration:g} ms"


def _body(report: Report) -> Iterable[str]:
    yield paragraph(_origin(report))
    if report.comparisons:
        yield from _compared(report)
    yield heading("Populations")
    yield table(*population_table(report))
    yield paragraph(EXPLAINED.format(window=report.window, pooled=max(a.pooled for a in report.activities)))
    for caption, svg in figures(report):
        yield heading(caption)
        yield picture(caption, svg)


def _origin(report: Report) -> str:
    """How the recording came about, as far as it says so."""
    known = report.result.provenance
    parts = [f"{key} {known[key]}" for key in ("seed", "backend", "precision", "created") if key in known]
    state = "" if report.result.finished else " The run has not come to its end."
    return f"Recorded with {', '.join(parts)}.{state}" if parts else f"Nothing is said of how it came about.{state}"


def _compared(report: Report) -> Iterable[str]:
    assert report.reference is not None   # there are comparisons
    yield heading("Published statistics of this network")
    inside = sum(each.within for each in report.comparisons)
    yield paragraph(f"{inside} of {len(report.comparisons)} numbers lie within their bands.")
    if report.changed:
        yield paragraph(f"This is not quite the published network: {report.changed}.")
    for statistic, label in STATISTICS.items():
        rows = [each for each in report.comparisons if each.statistic == statistic]
        if rows:
            yield heading(label, 3)
            yield table(*comparison_table(rows))
    yield paragraph(f"Source: {report.reference.source}.")
    yield paragraph(f"{report.reference.tolerance} {SHORT}")


def population_table(report: Report) -> Table:
    """Header and rows: what was measured in each population."""
    header = ("population", "units", "spikes", *STATISTICS.values())
    return header, [(a.population, f"{a.units}", f"{a.spikes}", *map(_number, a.statistics().values()))
                    for a in report.activities]


def comparison_table(comparisons: Iterable[Comparison]) -> Table:
    """Header and rows: measured beside published."""
    header = ("population", "measured", "published", "expected", "within")
    return header, [(c.population, _number(c.measured), _number(c.published), f"{_number(c.low)} to {_number(c.high)}",
                     "yes" if c.within else "no") for c in comparisons]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"
