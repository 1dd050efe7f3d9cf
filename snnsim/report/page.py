"""A report as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from snnsim.report.contents import STATISTICS, Comparison, Report
from snnsim.report.figures import figures

EXPLAINED = (
    "Rates are means over the recorded units. The CV (standard deviation over mean) of the intervals is 1 for a "
    "Poisson process and 0 for a clock; the mean is over units with two intervals or more. The synchrony is the "
    "variance over the mean of the number of spikes in windows of {window:g} ms, of {pooled} units of each population "
    "at most; it is 1 for independent Poisson trains."
)
SHORT = "From short recordings the CV comes out low, because long intervals do not fit; its bands reach lower for that."


def page(report: Report) -> str:
    """The page as text."""
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return template.replace("@TITLE@", html.escape(_title(report))).replace("@BODY@", "\n".join(_body(report)))


def _title(report: Report) -> str:
    name = report.result.path.name if report.result.path else "snnsim"
    return f"{name}: activity from {report.start:g} to {report.result.duration:g} ms"


def _body(report: Report) -> Iterable[str]:
    yield _paragraph(_origin(report))
    if report.comparisons:
        yield from _compared(report)
    yield _heading("Populations")
    yield _table(*population_table(report))
    yield _paragraph(EXPLAINED.format(window=report.window, pooled=max(a.pooled for a in report.activities)))
    for caption, svg in figures(report):
        yield _heading(caption)
        data = base64.b64encode(svg.encode()).decode("ascii")
        yield f'<img alt="{html.escape(caption)}" src="data:image/svg+xml;base64,{data}">'


def _origin(report: Report) -> str:
    """How the recording came about, as far as it says so."""
    known = report.result.provenance
    parts = [f"{key} {known[key]}" for key in ("seed", "backend", "precision", "created") if key in known]
    state = "" if report.result.finished else " The run has not come to its end."
    return f"Recorded with {', '.join(parts)}.{state}" if parts else f"Nothing is said of how it came about.{state}"


def _compared(report: Report) -> Iterable[str]:
    assert report.reference is not None   # there are comparisons
    yield _heading("Published statistics of this network")
    inside = sum(each.within for each in report.comparisons)
    yield _paragraph(f"{inside} of {len(report.comparisons)} numbers lie within their bands.")
    if report.changed:
        yield _paragraph(f"This is not quite the published network: {report.changed}.")
    for statistic, label in STATISTICS.items():
        rows = [each for each in report.comparisons if each.statistic == statistic]
        if rows:
            yield f"<h3>{html.escape(label)}</h3>"
            yield _table(*comparison_table(rows))
    yield _paragraph(f"Source: {report.reference.source}.")
    yield _paragraph(f"{report.reference.tolerance} {SHORT}")


Table = tuple[Sequence[str], list[Sequence[str]]]


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


def _heading(text: str) -> str:
    return f"<h2>{html.escape(text)}</h2>"


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in header)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{lines}</table>"


def _cell(text: str) -> str:
    return f"<td{' class=outside' if text == 'no' else ''}>{html.escape(text)}</td>"
