"""How worker processes of this machine are made. Imports next to nothing, so that it can begin at once."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WARM = "snnsim.sweeps.warm"


def context() -> Any:
    """Processes are forked from one that has imported everything, where that is possible."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    return multiprocessing.get_context("forkserver")


def warm_up(executor: Any) -> None:
    """Begin to import what workers of this machine need, while a sweep is read and checked."""
    made = context()
    if made.get_start_method() != "forkserver" or executor not in (None, "processes"):
        return
    from multiprocessing import forkserver

    made.set_forkserver_preload([WARM] if executor else ["distributed", WARM])
    with _beside_snnsim():
        forkserver.ensure_running()


@contextmanager
def _beside_snnsim() -> Iterator[None]:
    """That process is a ``python -c``, which finds first what lies where it begins: in a clone, another snnsim.

    What is forked from it goes where its parent is, and looks where that looks.
    """
    here = os.getcwd()
    os.chdir(Path(__file__).parents[2])
    try:
        yield
    finally:
        os.chdir(here)


@contextmanager
def importing() -> Iterator[None]:
    """Inside, Python does not look for objects to free: what is imported stays, and looking takes a fifth longer."""
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looks:
            gc.enable()


@contextmanager
def script_left_out() -> Iterator[None]:
    """Inside, new processes do not import the user's script: they have no use for it, and it would run once more."""
    script = vars(sys.modules["__main__"])
    kept: dict[str, Any] = {name: script.pop(name) for name in ("__file__", "__spec__") if name in script}
    script["__spec__"] = None
    try:
        yield
    finally:
        script.update(kept)


def leave_interrupts() -> None:
    """Ctrl-C reaches all processes of a terminal, and is for the one that the user started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def end_with_parent() -> None:
    """What a process of a pool begins with: nobody else would end it if its parent were killed."""
    leave_interrupts()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: Any) -> None:
    parent.join()
    os._exit(1)
