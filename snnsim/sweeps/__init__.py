"""Sweeps: one network many times, with other values, on the cores of this machine or on a cluster."""

from __future__ import annotations

from snnsim.sweeps.driver import Progress
from snnsim.sweeps.result import Sweep
from snnsim.sweeps.sweep import sweep

__all__ = ["Progress", "Sweep", "sweep"]
