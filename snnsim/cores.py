"""The cores of this machine that a process may use."""

from __future__ import annotations

import os


def cores() -> list[int]:
    """Numbers of the cores that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def usable_cores() -> int:
    """How many they are."""
    return len(cores())


def move_to_core(number: int) -> None:
    """Put the calling thread on a core of its own, and leave the system free to move it later."""
    if hasattr(os, "sched_setaffinity"):
        usable = cores()
        os.sched_setaffinity(0, {usable[number % len(usable)]})
        os.sched_setaffinity(0, usable)
