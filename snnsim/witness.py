"""Watches the processes of one machine that run a network together, and says which of them was killed.

A script of its own: launchers kill the rest of a run at once, so none of its processes could say anything. Arguments:
how many processes there are, what to add to the message, then rank and number of each process of this machine.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time

_LEFT_S = 2.0   # that launchers have to end the others themselves


def alive(process: int) -> bool:
    """Whether a process is there; one that has ended but is not yet waited for may count."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait(processes: list[int]) -> list[int]:
    """The processes that end first."""
    if not hasattr(os, "pidfd_open"):
        while all(map(alive, processes)):
            time.sleep(0.02)
        return [process for process in processes if not alive(process)]
    places = {}
    for process in processes:
        try:
            places[os.pidfd_open(process)] = process
        except ProcessLookupError:
            return [process]
    ended, _, _ = select.select(list(places), [], [])
    return [places[place] for place in ended]


def main(size: str, more: str, *pairs: str) -> None:
    """Say what happened to the first that ends, and end the others."""
    ranks = {int(process): int(rank) for rank, process in zip(pairs[::2], pairs[1::2], strict=True)}
    ended = wait(list(ranks))
    names = " and ".join(f"rank {ranks[process]} of {size} (process {process} on {socket.gethostname()})"
                         for process in ended)
    print(f"{names} ended unexpectedly, so the run ends; {more}", file=sys.stderr, flush=True)
    until = time.monotonic() + _LEFT_S
    while any(map(alive, ranks)) and time.monotonic() < until:
        time.sleep(0.02)
    for process in ranks:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
