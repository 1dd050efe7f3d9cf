"""A command in several processes that a launcher such as mpirun has started: the first one speaks for all."""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import Any

from snnsim.errors import InputError
from snnsim.launch import communicator, launched

_TOGETHER = ("run",)    # commands that several processes do together
_PATIENCE_S = 3.0       # for which a process that has failed waits for the others to do so, too


def refuse_alone(words: list[str]) -> None:
    """``InputError`` where several processes were started for a command that is of one."""
    _, processes = launched()
    command = next((word for word in words if not word.startswith("-")), "")
    if processes > 1 and command and command not in _TOGETHER:
        raise InputError(f"snnsim {command} runs in one process, and {processes} were started together; "
                         f"only {' and '.join(_TOGETHER)} runs over MPI")


def is_first() -> bool:
    """Whether this process speaks for all."""
    return launched()[0] == 0


def end(text: str, code: int) -> int:
    """Say what ended the command and give the exit code.

    What all processes meet, such as a wrong config, the first one says. What only some of them meet, they say
    themselves, and end the others, who would wait for them.
    """
    rank, processes = launched()
    comm = _comm() if processes > 1 else None
    if comm is None or _together(comm):
        if rank == 0:
            print(text, file=sys.stderr, flush=True)
        if comm is not None:
            _together(comm)     # launchers kill the others when the first one ends
        return code
    print(f"rank {rank} of {processes} (process {os.getpid()} on {socket.gethostname()}): {text}", file=sys.stderr,
          flush=True)
    comm.Abort(code)
    return code


def _comm() -> Any:
    """The communicator; None where MPI is what is missing."""
    try:
        return communicator()
    except InputError:
        return None


def _together(comm: Any) -> bool:
    """Whether all processes come here within some seconds."""
    request, until = comm.Ibarrier(), time.monotonic() + _PATIENCE_S
    while not request.Test():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
