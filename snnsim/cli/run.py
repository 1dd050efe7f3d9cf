"""``snnsim run``: simulate, and print a summary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnsim.cli.output import (
    Backend, Duration, Json, Overwrite, Quiet, Settings, Threads, as_options, assignments, check_duration, note,
    print_json, print_table, whole,
)
from snnsim.cli.progress import Progress
from snnsim.errors import InputError
from snnsim.launch import communicator

if TYPE_CHECKING:
    from snnsim.network import Network
    from snnsim.result import Result

ConfigOrNone = Annotated[
    Path | None, typer.Argument(metavar="CONFIG", help="The network, a YAML file.", show_default=False)
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="OUT.h5", help="Record to this file.", show_default=False)
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", "-s", metavar="N", parser=whole(0), help="Instead of the config's.", show_default=False),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option("--checkpoint", metavar="FILE", help="Save the state here at the end or Ctrl-C.", show_default=False),
]
Resume = Annotated[
    Path | None, typer.Option("--resume", metavar="FILE", help="Go on from this checkpoint.", show_default=False)
]
Repeat = Annotated[
    int,
    typer.Option(
        "--repeat", metavar="N", parser=whole(1), help="Run with N seeds: SEED, SEED+1, ...; files OUT-1.h5, ...",
    ),
]


def run(
    config: ConfigOrNone = None,
    out: Out = None,
    backend: Backend = "auto",
    duration: Duration = None,
    seed: Seed = None,
    threads: Threads = None,
    settings: Settings = None,
    checkpoint: Checkpoint = None,
    resume: Resume = None,
    repeat: Repeat = 1,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a config and print a summary."""
    from snnsim.world import world_of

    comm = communicator()
    world = world_of(comm)
    check_duration(duration)
    if resume is not None and repeat > 1:
        raise InputError("--repeat: a checkpoint belongs to one seed, so --resume cannot be repeated")
    options: dict[str, Any] = {
        "duration": duration, "backend": backend, "threads": threads, "resume_from": resume, "overwrite": overwrite,
        "keep": out is not None,   # nobody would see it, and it grows with the duration
        "comm": comm,
    }
    files = [{"out": _numbered(out, k, repeat), "checkpoint": _numbered(checkpoint, k, repeat)} for k in range(repeat)]
    for number in range(repeat):
        network = _network(config, resume, settings or [], seed, number)
        with as_options():
            with world.agreed():
                if not number and world.leads:
                    _check_files(network, duration, resume, overwrite, files)
            result = simulate(network, quiet, **files[number], **options)
        if as_json:
            print_json(result.summary)
        else:
            print_summary(result.summary, chosen=backend == "auto")


def _network(config: Path | None, resume: Path | None, settings: list[str], seed: int | None, number: int) -> Network:
    """The network of the config, or of the checkpoint without one; repetition `number` adds to the seed."""
    import snnsim

    overrides = [*settings, *assignments(seed=seed)]
    if config is None:
        return _network_of(resume, overrides)
    network = snnsim.load(config, overrides)
    return snnsim.load(config, [*overrides, f"seed={network.seed + number}"]) if number else network


def _network_of(checkpoint: Path | None, overrides: list[str]) -> Network:
    import snnsim
    from snnsim.saved import read_checkpoint

    if checkpoint is None:
        raise InputError("CONFIG: expected a file, or --resume with a checkpoint; found neither")
    saved = read_checkpoint(checkpoint)
    return snnsim.loads(saved.network, saved.base_dir, overrides, str(checkpoint))


def _check_files(network: Network, duration: str | None, resume: Path | None, overwrite: bool,
                 files: list[dict[str, Path | None]]) -> None:
    """The files of all repetitions, before the first one takes its time."""
    from snnsim.preflight import check_run

    for each in files if len(files) > 1 else ():
        check_run(network, duration, each["out"], overwrite, each["checkpoint"], resume)


def _numbered(out: Path | None, number: int, repeat: int) -> Path | None:
    return out.with_stem(f"{out.stem}-{number + 1}") if out is not None and repeat > 1 else out


def simulate(network: Network, quiet: bool, **options: Any) -> Result:
    """Run `network` with a progress bar; `options` as for ``snnsim.run``."""
    import snnsim
    from snnsim.registry import adapted

    network = adapted(options.get("backend", "auto"), network)
    for text in () if quiet else network.notes:
        note(f"note: {text}")
    with Progress(network.dt, shown=not quiet) as progress:
        return snnsim.run(network, progress=progress, **options)


def print_summary(summary: dict[str, Any], chosen: bool = False) -> None:
    """The summary of a run as text; `chosen`: the backend was left to us."""
    seconds = summary["steps"] * summary["dt_ms"] * 1e-3
    threads = f", {summary['threads']} threads" if summary["threads"] != 1 else ""
    if "processes" in summary:
        threads = f", {summary['processes']} processes{threads and threads.replace(',', ' of', 1)}"
    why = " (the fastest that can run this network here)" if chosen else ""
    print(f"backend      {summary['backend']}{threads if 'how' not in summary else ''}{why}")
    if "how" in summary:
        print(f"device       {summary['how']}")
    print(f"network      {summary['neurons']:,} neurons, {summary['synapses']:,} synapses")
    print(f"simulated    {seconds:g} s in {summary['steps']:,} steps, {summary['spikes']:,} spikes")
    print(f"took         {summary['build_s']:.2f} s to build, {summary['compile_s']:.2f} s to compile, "
          f"{summary['run_s']:.2f} s to run (real-time factor {summary['rtf']:.3g})")
    device = f", {summary['device_mb']:.0f} MB on the device" if "device_mb" in summary else ""
    print(f"peak memory  {summary['peak_mb']:.0f} MB{device}")
    if summary["out"]:
        print(f"recorded to  {summary['out']}")
    if summary["rates_hz"]:
        print()
        print_table(("population", "mean rate [Hz]"), list(summary["rates_hz"].items()))
