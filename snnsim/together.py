"""Several processes begin and end a run together: none is left waiting for one that failed or was killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snnsim import witness
from snnsim.world import Ranks, World

_PATIENCE_S = 3.0       # for which a process that has failed waits for the others to do so, too


@contextmanager
def together(world: World, out: str | Path | None) -> Iterator[None]:
    """Where one process fails inside alone, or is killed, all end within seconds, and it is said which one it was.

    out: the file that the run records to.
    """
    if not isinstance(world, Ranks):
        yield
        return
    watching = _watch(world, out)
    try:
        yield
    except BaseException as error:
        if not all_come(world.comm):
            _say_nothing(watching)
            abort(world.comm, f"{type(error).__name__}: {error}")
        raise
    finally:
        world.meet()
        _say_nothing(watching)


def all_come(comm: Any) -> bool:
    """Whether all processes come here within some seconds."""
    request, until = comm.Ibarrier(), time.monotonic() + _PATIENCE_S
    while not request.Test():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def abort(comm: Any, text: str) -> None:
    """Say what happened to this process, and end all."""
    where = f"rank {comm.Get_rank()} of {comm.Get_size()} (process {os.getpid()} on {socket.gethostname()})"
    print(f"{where}: {text}", file=sys.stderr, flush=True)
    comm.Abort(1)


def _watch(world: Ranks, out: str | Path | None) -> subprocess.Popen[bytes] | None:
    """The witness of this machine, which one of its processes starts. Its group is its own, or it would be killed."""
    host = socket.gethostname()
    here = [(rank, process) for rank, (name, process) in enumerate(world.places) if name == host]
    if world.at_home:
        return None
    kept = "nothing was recorded to a file" if out is None else f"{out} holds what was recorded until then"
    pairs = [str(number) for pair in here for number in pair]
    command = [sys.executable, "-I", "-S", witness.__file__, str(world.size), kept, *pairs]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)


def _say_nothing(watching: subprocess.Popen[bytes] | None) -> None:
    if watching is not None:
        watching.kill()
        watching.wait()
