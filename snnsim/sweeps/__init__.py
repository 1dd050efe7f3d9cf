"""Sweeps: one network many times, with other values, on the cores of this machine or on a cluster."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnsim.sweeps.driver import Progress as Progress
    from snnsim.sweeps.result import Sweep as Sweep
    from snnsim.sweeps.sitting import sweep as sweep

# Imported when they are first used, so that workers can begin to import before.
_WHERE = {"Progress": "driver", "Sweep": "result", "sweep": "sitting"}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"snnsim.sweeps.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'snnsim.sweeps' has no attribute {name!r}")
