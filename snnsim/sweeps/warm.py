"""Imported once by the process that local workers are forked from: everything that the first point would import."""

from contextlib import suppress
from importlib import import_module
from typing import Any

from snnsim.sweeps.forking import leave_interrupts

for _name in ("snnsim.sweeps.job", "snnsim.backends.cpu.engine"):
    with suppress(ImportError):   # what is missing is said where it is needed
        import_module(_name)


def dask_setup(worker: Any) -> None:
    """Dask calls this in each worker of a local cluster as it starts."""
    leave_interrupts()
