"""What a run is asked before anything is built: every fault of its arguments at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnsim import registry
from snnsim.checked import found
from snnsim.checkpoint import check_target
from snnsim.errors import InputError, Problem, Problems
from snnsim.memory import refuse_array
from snnsim.network import Network
from snnsim.recording.writer import check_continues, check_out
from snnsim.saved import Checkpoint, read_checkpoint
from snnsim.target import check_disk
from snnsim.timing import read_steps
from snnsim.units import TIME, to_text

MOST_THREADS = 1024
_ENDS = 16  # bytes: source and target of a synapse whose weight is recorded

Name = str | Path | None


@dataclass(frozen=True)
class Run:
    """What ``check_run`` read. steps: in all; saved: what to go on from."""

    steps: int
    saved: Checkpoint | None


def check_call(net: Any, backend: Any, threads: Any, processes: int = 1) -> None:
    """``InputError`` where the arguments of ``compile`` are of the wrong kind or out of range."""
    problems = Problems()
    if not isinstance(net, Network):
        advice = "; snnsim.load reads one from a file" if isinstance(net, (str, Path)) else ""
        problems.add("net", f"expected a Network, found {found(net)}{advice}")
    with problems.at("threads"):
        check_threads(threads)
    problems.check()
    registry.check_name(backend, processes)
    units = sum(population.n for population in net.populations.values())
    if processes > max(1, units):
        text = f"{processes} processes were started for a network of {units} units; expected at most {units}"
        raise InputError(Problem("comm", text))


def check_threads(threads: Any) -> None:
    """``InputError`` unless it is a number of threads, or None."""
    if threads is None:
        return
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or not 1 <= threads <= MOST_THREADS:
        raise InputError(f"expected a whole number from 1 to {MOST_THREADS}, found {found(threads)}")


def check_run(
    net: Network, duration: Any = None, out: Name = None, overwrite: bool = False, checkpoint: Name = None,
    resume_from: Name = None, keep: bool = True, verify: bool = True,
) -> Run:
    """The arguments of ``run``; ``InputError`` with everything that is wrong about its duration and files.

    verify: whether this process looks through all of the checkpoint.
    """
    problems, steps, saved = Problems(), 0, None
    with problems.at("duration"):
        steps = _steps(net, duration)
    for name, value in (("out", out), ("checkpoint", checkpoint), ("resume_from", resume_from)):
        if value is not None and (not isinstance(value, (str, Path)) or not str(value)):
            problems.add(name, f"expected the name of a file, found {found(value)}")
    problems.check()
    with problems.at(""):
        saved = None if resume_from is None else _saved(net, resume_from, steps, verify)
    with problems.at(""):
        if checkpoint is not None:
            _check_checkpoint(Path(checkpoint), out)
    with problems.at(""):
        if out is not None:
            _check_out(net, out, overwrite, saved)
    problems.check()
    if keep or out is not None:
        _check_rows(net, steps - (saved.done if saved else 0), out)
    return Run(steps, saved)


def _steps(net: Network, duration: Any) -> int:
    if duration is not None:
        return read_steps(duration, net.dt, net.notes, "duration")
    if net.steps is None:
        raise InputError("missing: give the network a duration, or say how long to run")
    return net.steps


def _saved(net: Network, path: str | Path, steps: int, verify: bool) -> Checkpoint:
    saved = read_checkpoint(path, net, verify)
    if saved.done > steps:
        reached, wanted = (to_text(round(k * net.dt, 9), TIME) for k in (saved.done, steps))
        text = f"is a checkpoint at {reached}, later than the duration of {wanted}; give a longer duration"
        raise InputError(Problem(str(path), text))
    return saved


def _check_checkpoint(path: Path, out: Name) -> None:
    check_target(path)
    check_disk(path)
    if out is not None and Path(out).resolve() == path.resolve():
        raise InputError(Problem(str(path), "is given for both the recording and the checkpoint; choose two names"))


def _check_out(net: Network, out: str | Path, overwrite: bool, saved: Checkpoint | None) -> None:
    if saved is None or not Path(out).exists():
        check_out(out, overwrite)
        return
    if overwrite:
        text = "a resumed run continues its recording; leave overwrite=True out, or choose another name"
        raise InputError(Problem(str(out), text))
    check_continues(out, net.to_yaml(), saved.done)


def _check_rows(net: Network, steps: int, out: Name) -> None:
    """``InputError`` where traces and snapshots, whose size is known, will not fit into memory, or on the disk."""
    size, record = 8 if net.precision == "double" else 4, net.recording
    needed = {
        "traces": sum(steps // trace.every * size * _count(trace.units, trace.population.n) for trace in record.traces),
        "weights": sum((steps // each.every * size + _ENDS) * _count(each.synapses, each.projection.bound.synapses)
                       for each in record.weights if each.every is not None),
    }
    large = [name for name, count in needed.items() if count]
    if out is not None:
        check_disk(Path(out), sum(needed.values()), f"for the {' and '.join(large)}")
        return
    problems = Problems()
    with problems.at(".".join(["record", *large]) if len(large) == 1 else "record"):
        refuse_array(sum(needed.values()), f"{' and '.join(large)} that are not recorded to a file")
    problems.check()


def _count(chosen: Any, all_of_them: int) -> int:
    return all_of_them if chosen is None else len(chosen)
