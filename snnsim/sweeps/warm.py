"""Imported once by the process that local workers are forked from: everything that the first point would import."""

import gc
from contextlib import suppress
from importlib import import_module
from typing import Any

from snnsim.sweeps.forking import importing, leave_interrupts


def _import_all() -> None:
    """What is missing is said where it is needed."""
    for name in ("snnsim.sweeps.job", "snnsim.backends.cpu.engine", "numpy.ma"):
        with suppress(ImportError):
            import_module(name)
    with suppress(ImportError, AttributeError):
        from numba.core.registry import cpu_target

        # Numba imports half of itself when it first loads machine code.
        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()


def dask_setup(worker: Any) -> None:
    """Dask calls this in each worker of a local cluster as it starts."""
    leave_interrupts()


with importing():
    _import_all()
gc.freeze()     # no worker looks through all of that again
