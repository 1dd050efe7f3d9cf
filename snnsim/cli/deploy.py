"""``snnsim deploy``: whole numbers, a place on a chip, and a bundle that runs elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnsim.cli.output import (
    Config, Duration, Json, Quiet, Settings, Threads, as_options, assignments, check_duration, note, print_json,
    print_table, whole,
)
from snnsim.cli.progress import Progress
from snnsim.errors import InputError, Problem, unknown

if TYPE_CHECKING:
    from snnsim.deploy.deployment import Deployed

Folder = Annotated[
    Path, typer.Option("--out", "-o", metavar="BUNDLE", help="Write the bundle into this folder.", show_default=False)
]
Target = Annotated[str, typer.Option("--target", metavar="NAME", help="loihi2, loihi1, or a YAML file.")]
Semantics = Annotated[
    str | None,
    typer.Option("--semantics", metavar="NAME", help="lava010 (default) or loihi1.", show_default=False),
]
Runs = Annotated[
    str | None,
    typer.Option("--run", metavar="NAME", help="Run the bundle, too, on lava or loihi.", show_default=False),
]
Choices = Annotated[
    list[str] | None,
    typer.Option("--quantise", metavar="KEY=VALUE", show_default=False,
                 help="How to quantise, such as refractory=drop; may be repeated."),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", "-s", metavar="N", parser=whole(0), help="Instead of the config's.", show_default=False),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", "--force", help="Replace the bundle if it exists.")]
RUNS = ("lava", "loihi")
OWN = ("target", "semantics", "arrays")   # of the options of quantisation; the others are given by --quantise


def deploy(
    config: Config,
    out: Folder,
    target: Target = "loihi2",
    semantics: Semantics = None,
    runs: Runs = None,
    duration: Duration = None,
    seed: Seed = None,
    threads: Threads = None,
    choices: Choices = None,
    settings: Settings = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Bring a config to a chip of the Loihi family.

    Quantises it, checks what the chip can hold, maps it to cores, compares it with the float network on the same input,
    and writes a bundle that Lava runs, with a report. What a chip cannot do is named with its place.
    """
    import snnsim
    from snnsim.deploy import deployment

    check_duration(duration)
    options = _options(choices or [])
    _check_runs(runs)
    network = snnsim.load(config, [*(settings or []), *assignments(seed=seed)])
    names = {"quantise": "--quantise", **{name: f"--quantise {name}" for name in choices_of()}}
    with as_options(**names), Progress(network.dt, shown=not quiet) as progress:
        made = deployment.deploy(network, out, target, semantics, duration, overwrite, threads, progress, **options)
    for text in () if quiet else made.network.notes:
        note(f"note: {text}")
    again = None if runs is None else _again(made, runs, threads, quiet)
    data = made.report.to_dict() | {"bundle": str(out), "run": again}
    print_json(data) if as_json else _show(data)
    _end(data, quiet)


def _options(choices: list[str]) -> dict[str, Any]:
    """What --quantise says, by name."""
    from snnsim.yamlfile import parse_value

    found = {}
    for text in choices:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(Problem("--quantise", f"expected key=value, such as refractory=drop, found {text!r}"))
        if key not in choices_of():
            raise InputError(Problem("--quantise", unknown("choice", key, choices_of())))
        found[key] = parse_value(value, f"--quantise {text}")
    return found


def choices_of() -> list[str]:
    """What --quantise may choose."""
    from dataclasses import fields

    from snnsim.deploy.quantise.options import Options

    return [field.name for field in fields(Options) if field.name not in OWN]


def _check_runs(runs: str | None) -> None:
    """Asked before the work begins."""
    from snnsim.registry import check_name

    if runs is None:
        return
    if runs not in RUNS:
        raise InputError(Problem("--run", unknown("backend", runs, RUNS)))
    with as_options(backend="--run"):
        check_name(runs)


def _again(made: Deployed, backend: str, threads: int | None, quiet: bool) -> dict[str, Any]:
    """Run the bundle, and say where it differs from the emulator."""
    from snnsim.cli.compare import first_difference, first_weight, trace_error

    with Progress(made.network.dt, shown=not quiet) as progress:
        found = made.again(backend, threads, progress)
    return {
        "backend": backend, "spikes": sum(map(found.count, found.populations)),
        "first_difference": first_difference(made.report.after, found),
        "trace_error": trace_error(made.report.after, found),
        "first_weight": first_weight(made.report.after, found), "run_s": found.summary["run_s"],
    }


# --- what is printed -------------------------------------------------------------------------------------------------

def _show(data: dict[str, Any]) -> None:
    from snnsim.deploy.report import tables

    for name, text in tables.summary(data):
        print(f"{name:<12} {text}")
    if data["run"] is not None:
        print(f"{'on ' + data['run']['backend']:<12} {_agreement(data['run'])}")
    print(f"{'bundle':<12} {data['bundle']}")
    print()
    print_table(*_populations(data))


def _agreement(run: dict[str, Any]) -> str:
    from snnsim.deploy.report.tables import many

    spikes = many(run["spikes"], "spike")
    if run["first_difference"] is not None:
        return f"{spikes}, not those of the emulator: the first that differs is {run['first_difference']}"
    if run["trace_error"]:
        return f"{spikes} as in the emulator, but recorded states differ by up to {run['trace_error']:g}"
    if run["first_weight"]:
        return f"{spikes} as in the emulator, but a recorded weight differs: {run['first_weight']}"
    return f"{spikes}, each as in the emulator"


def _populations(data: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Rates on the chip, and of the float network where there is one."""
    if data["fidelity"] is None:
        return ("population", "mean rate [Hz]"), list(data["rates_hz"].items())
    header = ("population", "float [Hz]", "chip [Hz]", "kept", "lost", "gained")
    shown = [(p, p["matches"][-1]) for p in data["fidelity"]["populations"]]
    return header, [(p["population"], p["rate_float_hz"], p["rate_fixed_hz"], m["kept"], m["lost"], m["gained"])
                    for p, m in shown]


def _end(data: dict[str, Any], quiet: bool) -> None:
    """Say what does not fit; exit code 1 where the chip does not hold it, or another backend has other spikes."""
    for each in data["placement"]["violations"]:
        if each["level"] == "error" or not quiet:
            note(f"{each['level']}: {each['where']}: {each['message']}; {each['remedy']}")
    again = data["run"] or {}
    if any(again.get(key) for key in ("first_difference", "trace_error", "first_weight")) or not data["fits"]:
        raise typer.Exit(1)
