"""``snnsim report``: what a recording shows, as a page and as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snnsim.cli.files import Recording
from snnsim.cli.output import Json, as_options, print_json, print_table

if TYPE_CHECKING:
    from snnsim.report import Report

Page = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE.html", help="The page; default: OUT.report.html.", show_default=False),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="T", show_default=False,
                 help="Leave out what is before; default: as published statistics of the network do, or 0 ms."),
]


def report(recording: Recording, out: Page = None, start: From = None, as_json: Json = False) -> None:
    """Rates, CV of intervals and synchrony, as a page.

    The page has a raster, the rates, distributions over the units, and, for a network of a builder that knows
    published statistics, a comparison with them. With --json a page is written only where -o says so.
    """
    import snnsim
    from snnsim.report import make_report

    target = None if as_json and out is None else out or recording.with_suffix(".report.html")
    _check_page(target)
    after = _time(start)
    with as_options():
        made = make_report(snnsim.open(recording), after)
    if target is not None:
        from snnsim.report.page import page

        target.write_text(page(made), encoding="utf-8")
    print_json(made.to_json()) if as_json else _show(made, target)


def _check_page(target: Path | None) -> None:
    from snnsim.errors import InputError, Problem
    from snnsim.target import check_folder

    if target is None:
        return
    if target.suffix.lower() != ".html":
        raise InputError(Problem(str(target), "expected a name ending in .html"))
    check_folder(target)


def _time(text: str | None) -> float | None:
    from snnsim.errors import Problem, Problems
    from snnsim.units import TIME, expect

    if text is None:
        return None
    problems, value = Problems(), 0.0
    with problems.at("--from"):
        value = float(expect(text, TIME))
    if value < 0 or value != value:
        problems.found.append(Problem("--from", f"expected a time from 0 ms on, found {text}"))
    problems.check()
    return value


def _show(made: Report, target: Path | None) -> None:
    from snnsim.report.contents import STATISTICS
    from snnsim.report.page import comparison_table, population_table

    print_table(*population_table(made))
    for statistic, label in STATISTICS.items():
        rows = [each for each in made.comparisons if each.statistic == statistic]
        if rows:
            print(f"\n{label}, against published:")
            print_table(*comparison_table(rows))
    if made.changed:
        print(f"\nnot quite the published network: {made.changed}")
    print(f"\n{target}")
