"""A command in several processes that a launcher such as mpirun has started: the first one speaks for all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from snnsim.cli.output import note
from snnsim.errors import InputError
from snnsim.launch import communicator, launched

_TOGETHER = ("run",)    # commands that several processes do together


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


@contextmanager
def first_speaks() -> Iterator[None]:
    """Inside, only the first process prints."""
    if is_first():
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def end(text: str, code: int) -> int:
    """Say what ended the command and give the exit code.

    What all processes meet, such as a wrong config, the first one says. What only some of them meet, they say
    themselves, and end the others, who would wait for them.
    """
    comm = _comm()
    if comm is None:
        if is_first():
            note(text)
        return code
    from snnsim.together import abort, all_come

    if not all_come(comm):
        abort(comm, text)
    if is_first():
        note(text)
    all_come(comm)      # launchers kill the others when the first one ends
    return code


def _comm() -> Any:
    """The communicator; None where there is one process, or MPI is what is missing."""
    try:
        return communicator()
    except InputError:
        return None
