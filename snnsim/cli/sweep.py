"""``snnsim sweep``: one network with many values, into a folder with a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnsim.cli.output import (
    Backend, Config, Duration, Json, Overwrite, Quiet, Settings, as_options, assignments, check_duration, note,
    print_json, print_table, whole,
)
from snnsim.cli.progress import Shown, bar

if TYPE_CHECKING:
    from snnsim.sweeps import Progress, Sweep

Over = Annotated[
    list[str],
    typer.Option(
        "--over", metavar="PATH=VALUES", show_default=False,
        help="What differs, as in --over seed=1..10 or --over populations.exc.params.tau_m='10 ms,20 ms'; may be "
             "repeated for all combinations.",
    ),
]
Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="FOLDER", help="For the table and the recordings.", show_default=False)
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler", metavar="ADDRESS", show_default=False,
        help="Of a Dask scheduler, or 'processes' to do without Dask; default: a Dask cluster of this machine.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", "-w", metavar="N", parser=whole(1), help="Default: one per core.", show_default=False),
]
Threads = Annotated[int, typer.Option("--threads", "-t", metavar="N", parser=whole(1), help="Of each point.")]

_NAMES = {"executor": "--scheduler", "workers": "--workers", "over": "--over"}
_SHOWN, _LISTED = 20, 10


def sweep(
    config: Config,
    over: Over,
    out: Out,
    scheduler: Scheduler = None,
    workers: Workers = None,
    backend: Backend = "auto",
    duration: Duration = None,
    threads: Threads = 1,
    settings: Settings = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a config with many values, on Dask."""
    from snnsim.sweeps.forking import importing

    with importing():
        from snnsim.sweeps import sweep as run

    check_duration(duration)

    with as_options(**_NAMES), Points(shown=not quiet) as progress:
        result = run(config, over, out, scheduler, workers, backend, threads,
                     [*(settings or []), *assignments(duration=duration)], overwrite, progress)
    if as_json:
        print_json(result.summary | {"rows": result.rows})
    else:
        print_summary(result)
    if failed := result.failed:
        note(_failures(result, failed))
        raise typer.Exit(1)


def begin(words: Sequence[str]) -> None:
    """Where a sweep is asked for, its workers begin to import before the command line has been understood."""
    if next((word for word in words if not word.startswith("-")), "") != "sweep" or {"-h", "--help"} & set(words):
        return
    given = [value for name, value in pairwise([*words, ""]) if name == "--scheduler"]
    given += [word.partition("=")[2] for word in words if word.startswith("--scheduler=")]
    from snnsim.sweeps.forking import warm_up

    warm_up(given[0] if given else None)


class Points(Shown):
    """The progress bar of a sweep; nothing is drawn where stderr is no terminal."""

    def __init__(self, shown: bool = True) -> None:
        super().__init__(bar("points", "failed", "running") if shown and sys.stderr.isatty() else None)
        texts = {"points": "starting workers", "failed": "", "running": "", "left": ""}
        self._task = self._bar.add_task("", total=None, **texts) if self._bar else None

    def __call__(self, now: Progress) -> None:
        """Show how far it is."""
        if self._bar:
            texts = {"points": f"{now.done} of {now.points} done", "failed": f"{now.failed} failed",
                     "running": f"{now.running} running", "left": "left"}
            self._bar.update(self._task, completed=now.done + now.failed, total=now.points, **texts)


def print_summary(result: Sweep) -> None:
    """What became of the points, and the first rows of the table."""
    about = result.summary
    counts = [f"{about[kind]} {kind}" for kind in ("done", "failed", "lost") if about[kind] or kind == "done"]
    print(f"sweep        {about['points']} points: {', '.join(counts)}"
          + (f"; {about['kept']} of them before" if about["kept"] else ""))
    if about["workers"]:
        print(f"took         {about['wall_s']:.2f} s on {about['workers']} workers, {100 * about['share']:.0f} % of it "
              f"simulating")
    print(f"table        {about['index']}")
    print()
    rows = result.rows
    rates = list(dict.fromkeys(name for row in rows for name in row if name.startswith("rate_hz.")))
    names = ["number", *result.axes, "status", "spikes", *rates]
    print_table(names, [[row.get(name, "-") for name in names] for row in rows[:_SHOWN]])
    if len(rows) > _SHOWN:
        print(f"... and {len(rows) - _SHOWN} more in {about['index']}")


def _failures(result: Sweep, failed: list[dict[str, Any]]) -> str:
    lines = [f"point {row['number']} ({_values(result, row)}) {row['status']}: {row['message']}"
             for row in failed[:_LISTED]]
    if len(failed) > _LISTED:
        lines.append(f"... and {len(failed) - _LISTED} more in {result.summary['index']}")
    return "\n".join(lines)


def _values(result: Sweep, row: dict[str, Any]) -> str:
    return ", ".join(f"{path}={row[path]}" for path in result.axes)
