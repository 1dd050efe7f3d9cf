"""The three calls of most scripts: ``run``, ``compile`` and ``resume``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnsim import registry
from snnsim.config import loads
from snnsim.errors import EngineError, NumericalError, RunError
from snnsim.interrupt import interruptible
from snnsim.lowering import make_plan
from snnsim.network import Network
from snnsim.places import placed
from snnsim.preflight import check_call, check_run
from snnsim.program import Program, Progress
from snnsim.recording import Recorder, RecordingPlan
from snnsim.recording.elsewhere import Elsewhere
from snnsim.result import Result
from snnsim.saved import read_checkpoint
from snnsim.together import together
from snnsim.world import World, world_of

_version = lru_cache(metadata.version)   # read from files, which takes milliseconds


class _Unkept(Recorder):
    """Takes everything and keeps nothing."""

    def write_spikes(self, population: str, steps: ArrayLike, ids: ArrayLike, *payloads: ArrayLike) -> None:
        """Nothing."""

    def write_trace(self, index: int, data: NDArray[np.floating]) -> None:
        """Nothing."""


class Interrupted(RunError):
    """A run that Ctrl-C ended; everything up to there is saved."""


def compile(net: Network, backend: str = "auto", threads: int | None = None, comm: Any = None) -> Program:
    """A program that can be run in pieces, inspected, changed, saved and resumed.

    backend: a name that the command ``snnsim backends`` lists, or ``auto`` for the fastest usable one. threads: None
    takes every core. comm: a communicator of mpi4py, whose ranks run the network together; each of them calls this and
    whatever it does with the program.
    Raises ``InputError`` where the backend cannot run the network, naming each part that it cannot, and where the
    network is too large for memory.
    """
    return _compile(net, backend, threads, world_of(comm))


def _compile(net: Network, backend: str, threads: int | None, world: World) -> Program:
    check_call(net, backend, threads, world.size)
    with placed(net.marks):
        net = registry.adapted(backend, net)
        with world.agreed():
            plan = make_plan(net, world)
        return Program(net, plan, registry.choose(backend, plan, world.size), threads, world)


def resume(path: str | Path, backend: str = "auto", threads: int | None = None, comm: Any = None) -> Program:
    """The program whose state ``Program.save`` wrote to `path`, ready to go on, on any backend and in any processes."""
    saved = read_checkpoint(path)
    program = compile(loads(saved.network, saved.base_dir, file=str(path)), backend, threads, comm)
    program.take(saved)
    return program


def run(
    net: Network, duration: Any = None, backend: str = "auto", threads: int | None = None,
    out: str | Path | None = None, overwrite: bool = False, checkpoint: str | Path | None = None,
    resume_from: str | Path | None = None, progress: Progress | None = None, keep: bool = True, comm: Any = None,
) -> Result:
    """Simulate a network and give what it recorded.

    duration: text such as "1 s"; the network's own where None. out: an HDF5 file or a folder, in memory where None.
    checkpoint: where to save the state at the end, or at Ctrl-C or SIGTERM. resume_from: a checkpoint to go on from, up
    to `duration` in all; `out` is then continued, or begins there where it does not exist. progress: called with (steps
    done, steps in all). keep: False throws away what would be recorded to memory; the summary counts it all the same.
    comm: a communicator of mpi4py, whose ranks all call this with the same arguments: the first one records, and the
    result of the others has the summary only.
    Raises ``InputError`` before anything is computed, ``RunError`` where a run cannot finish, saying what is saved.
    """
    world = world_of(comm)
    with together(world, out):
        return _run(net, duration, backend, threads, out, overwrite, checkpoint, resume_from, progress, keep, world)


def _run(
    net: Network, duration: Any, backend: str, threads: int | None, out: str | Path | None, overwrite: bool,
    checkpoint: str | Path | None, resume_from: str | Path | None, progress: Progress | None, keep: bool, world: World,
) -> Result:
    check_call(net, backend, threads, world.size)
    with world.agreed():   # of the files, only the first one: it may have made them before another looks
        files: dict[str, Any] = {"out": out, "overwrite": overwrite, "checkpoint": checkpoint} if world.leads else {}
        asked = check_run(net, duration, resume_from=resume_from, keep=keep and world.leads, verify=world.leads,
                          **files)
    program = _compile(net, backend, threads, world)
    if asked.saved is not None:
        program.take(asked.saved)
    plan = program.recording_plan(provenance(program))
    with world.agreed():
        recorder = _recorder(program, plan, out, overwrite, asked.saved is not None, keep) if world.leads else None
    if recorder is None:
        return _follow(program, plan, out, asked.steps, checkpoint)
    return _finish(program, recorder, asked.steps, checkpoint, progress)


def _recorder(program: Program, plan: RecordingPlan, out: str | Path | None, overwrite: bool, go_on: bool, keep: bool,
              ) -> Recorder:
    if out is None and not keep:
        return _Unkept(plan)
    if go_on and out is not None and Path(out).exists():
        return Recorder.append(out, plan, program.done)
    return Recorder(plan, out, overwrite)


def _finish(program: Program, recorder: Recorder, steps: int, checkpoint: str | Path | None,
            progress: Progress | None) -> Result:
    with interruptible() as request:
        with _kept(recorder):
            program.run_steps(steps - program.done, recorder, progress, request)
            if program.done < steps:
                _stop(program, recorder, steps, checkpoint, request.by)
            summary = summarise(program, recorder.out)
            with program.world.agreed():
                result = recorder.close(summary)
        if checkpoint is not None:
            program.save(checkpoint)
    result.summary = summary
    return result


def _follow(program: Program, plan: RecordingPlan, out: str | Path | None, steps: int, checkpoint: str | Path | None,
            ) -> Result:
    """What the processes do that do not record, at the same points as ``_finish``."""
    with interruptible() as request:
        program.run_steps(steps - program.done, stop=request)
        stopped = program.done < steps
        if not stopped:
            summary = summarise(program, out)
            with program.world.agreed():
                pass
        if checkpoint is not None:
            program.save(checkpoint)
    if stopped:
        raise Interrupted(f"stopped at {program.time:g} ms of {steps * program.plan.dt:g} ms")
    return Result([Elsewhere(plan, program.done, summary)], None if out is None else Path(out))


def _stop(program: Program, recorder: Recorder, steps: int, checkpoint: str | Path | None, by: str) -> NoReturn:
    if checkpoint is not None:
        program.save(checkpoint)
    by = by or "a signal to another process"
    reached = f"stopped by {by} at {program.time:g} ms of {steps * program.plan.dt:g} ms"
    raise Interrupted(f"{reached}; {_kept_text(recorder)}; {_again(checkpoint)}")


@contextmanager
def _kept(recorder: Recorder) -> Iterator[None]:
    """Where a run does not finish, its recording is closed, so that it can be read; errors of the engine say so."""
    try:
        yield
    except BaseException as error:
        with suppress(Exception):   # what ended the run matters, not what that did to its file
            recorder.abort()
        if isinstance(error, (NumericalError, EngineError)):
            raise type(error)(f"{error}; {_kept_text(recorder)}") from error
        raise


def _kept_text(recorder: Recorder) -> str:
    return "nothing was recorded to a file" if recorder.out is None else f"{recorder.out} holds everything up to there"


def _again(checkpoint: str | Path | None) -> str:
    return "--checkpoint FILE makes a run resumable" if checkpoint is None else f"go on with --resume {checkpoint}"


def summarise(program: Program, out: str | Path | None = None) -> dict[str, Any]:
    """What ``snnsim run --json`` prints."""
    plan, seconds, facts = program.plan, program.time * 1e-3, program.engine.facts()
    rates = {p.name: round(float(c) / p.n / seconds, 6) if p.n and seconds else 0.0
             for p, c in zip(plan.populations, program.counts, strict=True)}
    return {
        "backend": program.backend.name, "threads": program.engine.threads, "neurons": plan.neurons,
        "synapses": program.engine.synapses, "steps": program.done, "dt_ms": plan.dt,
        "spikes": int(program.counts.sum()), "rates_hz": rates, "build_s": program.build_s,
        "compile_s": program.compile_s, "run_s": program.run_s,
        "rtf": program.run_s / (program.ran * plan.dt * 1e-3) if program.ran else 0.0,
        "peak_mb": program.world.most(round(peak_mb() * 1024))[0] / 1024, "out": None if out is None else str(out),
        **({"processes": program.world.size} if program.world.size > 1 else {}),
        **{name: facts[name] for name in ("how", "device_mb") if name in facts},
    }


def peak_mb() -> float:
    """Most memory that this process has held, in MB; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def provenance(program: Program) -> dict[str, Any]:
    """What a file says about how it was made."""
    names = ("numpy", "numba", "h5py")
    return {
        "seed": program.plan.seed, "backend": program.backend.name, "threads": program.engine.threads,
        **({"processes": program.world.size} if program.world.size > 1 else {}),
        "precision": "double" if program.plan.dtype is np.float64 else "single", "argv": sys.argv,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {"snnsim": _version("snnsim"), "python": sys.version.split()[0], **{n: _version(n) for n in names}},
        "conventions": {
            "spike_stamp": "end of the step", "arrival": "step + delay", "refractory": "round(t_ref/dt) steps",
        },
    }
