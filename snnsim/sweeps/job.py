"""What a worker does: one point, from plain data to its recording and a row of the table.

A worker may be a thread, a process, or another machine that sees the same folder; what it was given to read stays in
its memory from point to point.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import snnsim
from snnsim import cachefolder
from snnsim.config import paths_of
from snnsim.errors import InputError, SnnsimError
from snnsim.network import Network
from snnsim.registry import adapted
from snnsim.result import Result
from snnsim.runner import Interrupted
from snnsim.sweeps.check import Source
from snnsim.sweeps.folder import read_asked
from snnsim.sweeps.index import DONE, FAILED, LOST, RATE
from snnsim.yamlfile import Document, Mark

STOPPED = "stopped"
TRIES = 2
_LOCKS = 64
_compiled: set[str] = set()   # shapes that this process has machine code of

Task = Mapping[str, Any]


class Stopped(Exception):
    """The sweep does not go on."""


def run_point(task: Task) -> dict[str, Any]:
    """Simulate a point; its row of the table.

    task: folder, session, number, file, overrides, shape, threads. Nothing is raised: a fault is in the row.
    """
    began = time.perf_counter()
    row = {"number": task["number"], "status": FAILED, "file": task["file"], "message": "",
           "worker": f"{socket.gethostname()}:{os.getpid()}"}
    with _noted(Path(task["folder"]) / task["session"], task["number"]) as tries:
        row |= _outcome(task, tries)
    return row | {"tries": min(tries, TRIES), "total_s": round(time.perf_counter() - began, 6)}


def _outcome(task: Task, tries: int) -> dict[str, Any]:
    if not tries:
        return {"status": STOPPED}
    if tries > TRIES:
        return lost()
    try:
        return {"status": DONE, **_simulated(task)}
    except (Stopped, Interrupted):
        return {"status": STOPPED}
    except SnnsimError as error:
        return {"message": "; ".join(str(error).splitlines())}
    except Exception as error:   # the other points go on
        return {"message": "; ".join(f"{type(error).__name__}: {error}".splitlines())}


def lost() -> dict[str, Any]:
    """What is said of a point that has ended its workers."""
    return {"status": LOST, "message": f"its worker died each of {TRIES} times: it was killed, or out of memory"}


@contextmanager
def _noted(session: Path, number: int) -> Iterator[int]:
    """Notes in the folder that a point has begun, so that it is known when its worker dies; gives which try it is.

    0 where the sweep has ended.
    """
    try:
        tries = _begin(session, number)
    except FileNotFoundError:   # it has ended just now
        tries = 0
    try:
        yield tries
    finally:
        for k in range(1, tries + 1):
            _mark(session, number, k).unlink(missing_ok=True)


def _begin(session: Path, number: int) -> int:
    if not _goes_on(session):
        return 0
    for k in range(1, TRIES + 1):
        with suppress(FileExistsError):
            _mark(session, number, k).touch(exist_ok=False)
            return k
    return TRIES + 1


def _goes_on(session: Path) -> bool:
    return (session / "go").exists()


def _mark(session: Path, number: int, k: int) -> Path:
    return session / f"{number}-{k}"


def begun(session: Path, number: int) -> int:
    """How often a point has begun and not ended."""
    return sum(_mark(session, number, k).exists() for k in range(1, TRIES + 1))


def _simulated(task: Task) -> dict[str, Any]:
    folder = Path(task["folder"])
    backend, source = _common(task["folder"], task["session"])
    net, out = source.network(task["overrides"]), folder / task["file"]
    result = _kept(out, adapted(backend, net)) or _run(net, backend, out, task)
    summary = result.summary
    numbers = {name: round(summary[name], 6) for name in ("build_s", "compile_s", "run_s", "rtf")}
    rates = {f"{RATE}{name}": rate for name, rate in summary["rates_hz"].items()}
    return {"seed": net.seed, "spikes": summary["spikes"], **rates, **numbers, "network": digest(result.network_yaml)}


@lru_cache(maxsize=4)
def _common(folder: str, session: str) -> tuple[str, Source]:
    """Backend, and what all points of a sweep are made from. It changes with the session only."""
    asked = read_asked(Path(folder))
    marks = dict.fromkeys(paths_of(asked.document), Mark(asked.config, None))
    base = None if asked.base_dir is None else Path(asked.base_dir)
    return asked.backend, Source(Document(asked.document, marks), base, asked.settings)


def hello(session: str) -> dict[str, Any]:
    """What a worker on another machine must be able to say before it gets work."""
    return {"version": snnsim.__version__, "sees": Path(session).is_dir()}


def digest(network: str) -> str:
    """By which the table tells a network from others."""
    return hashlib.sha256(network.encode()).hexdigest()[:16]


def _kept(out: Path, net: Network) -> Result | None:
    """The recording of this network that was finished before its row could be written."""
    if not out.exists():
        return None
    with suppress(InputError, OSError):
        result = snnsim.open(out)
        if result.finished and result.summary and result.network_yaml == net.to_yaml():
            return result
    return None


def _run(net: Network, backend: str, out: Path, task: Task) -> Result:
    session = Path(task["folder"]) / task["session"]
    with _turn(task["shape"]) as compiled, _removed_if_stopped(out):

        def ask(done: int, steps: int) -> None:
            compiled()
            if not _goes_on(session):
                raise Stopped

        return snnsim.run(net, backend=backend, threads=task["threads"], out=out, overwrite=True, progress=ask)


@contextmanager
def _removed_if_stopped(out: Path) -> Iterator[None]:
    """Half a recording is of no use to a sweep, which begins the point anew. One that failed says where and how."""
    try:
        yield
    except (Stopped, Interrupted):
        out.unlink(missing_ok=True)
        raise


@contextmanager
def _turn(shape: str) -> Iterator[Any]:
    """Lets one process of a machine compile first, so that the others of the same shape find its machine code.

    Gives what is called when it is compiled. Whoever has waited once goes on at once.
    """
    if shape in _compiled:
        yield lambda: None
        return
    lock = _first(shape)

    def compiled() -> None:
        nonlocal lock
        _compiled.add(shape)
        if lock is not None:
            os.close(lock)
        lock = None

    try:
        yield compiled
    finally:
        compiled()


def _first(shape: str) -> int | None:
    """A lock to hold while compiling; None after waiting for another process that held it."""
    try:
        import fcntl

        path = cachefolder.folder("sweeps") / f"{int(shape[:8], 16) % _LOCKS}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except (ImportError, OSError):   # no locks here: at worst two compile the same
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return handle
    except BlockingIOError:
        fcntl.flock(handle, fcntl.LOCK_SH)
    except OSError:
        pass
    os.close(handle)
    return None
