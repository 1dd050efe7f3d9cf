"""The loops that all couplings share: what the threads tell each other after a step, and sums as inputs."""

from __future__ import annotations

import numpy as np

from snnsim.backends.cpu.cache import compiled
from snnsim.backends.cpu.intrinsics import prefetch  # noqa: F401  registers the option noalias, too

_OPTIONS = {"noalias": True, "error_model": "numpy"}


@compiled(**_OPTIONS)
def publish(stored, offset, out):  # type: ignore[no-untyped-def]
    """The values of a variable from stored numbers. offset: float64 [1] or one for each; -0.0 changes no number."""
    if offset.size == 1:
        for i in range(out.size):
            out[i] = np.float64(stored[i]) + offset[0]
    else:
        for i in range(out.size):
            out[i] = np.float64(stored[i]) + offset[i]


@compiled(**_OPTIONS)
def take_sums(sums, quantum, out):  # type: ignore[no-untyped-def]
    """Move sums of whole quanta into an input."""
    for i in range(out.size):
        out[i] = np.float64(sums[i]) * quantum
        sums[i] = 0
