"""Imported once by the process that local workers are forked from: everything that the first point would import."""

import signal
from contextlib import suppress
from importlib import import_module
from typing import Any

for _name in ("snnsim.sweeps.job", "snnsim.backends.cpu.engine"):
    with suppress(ImportError):   # what is missing is said where it is needed
        import_module(_name)


def leave_interrupts() -> None:
    """Ctrl-C reaches all processes of a terminal, and is for the one that the user started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def dask_setup(worker: Any) -> None:
    """Dask calls this in each worker of a local cluster as it starts."""
    leave_interrupts()
