"""Several processes begin and end a run together: none is left waiting for one that failed or was killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from snnsim import witness as script
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
    witness = _Witness(world, out)
    try:
        yield
    except BaseException as error:
        if not all_come(world.ending):
            witness.dismiss()
            abort(world.ending, f"{type(error).__name__}: {error}")
        raise
    finally:
        world.meet()
        witness.dismiss()


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
    stream = sys.__stderr__ or sys.stderr       # the command line lets the first process speak only
    stream.write(f"{where}: {text}\n")          # at once: lines of several processes mix
    stream.flush()
    comm.Abort(1)


class _Witness:
    """What watches the processes of this machine; one of them starts it, each can dismiss it.

    It is no member of their group, or launchers would kill it with them.
    """

    def __init__(self, world: Ranks, out: str | Path | None) -> None:
        host, self.own = socket.gethostname(), None
        # Windows has nothing like signal 0, with which to see whether a process is there.
        if not world.at_home and os.name == "posix":
            here = [(rank, process) for rank, (name, process) in enumerate(world.places) if name == host]
            kept = "nothing was recorded to a file" if out is None else f"{out} holds what was recorded until then"
            words = [str(world.size), kept, *(str(number) for pair in here for number in pair)]
            self.own = subprocess.Popen([sys.executable, "-I", "-S", script.__file__, *words],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        started = world.comm.allgather((host, self.own.pid if self.own else 0))
        self.process = next((process for name, process in started if name == host and process), 0)

    def dismiss(self) -> None:
        """It says nothing from now on."""
        if self.own:
            self.own.kill()
            self.own.wait()
        elif self.process:
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
