"""What a plan asks a backend to record besides spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TraceRequest:
    """Record `variable` of `units` of population number `population` every `every` steps."""

    population: int
    variable: str
    units: np.ndarray
    every: int


@dataclass(frozen=True)
class WeightRequest:
    """Record weights of the plastic projection number `projection`.

    synapses: their numbers, ascending, counted in the order of (source, target, delay, drawing); for all a range, which
    takes no memory. on_pre: what is sent at each presynaptic event; else all of them every `every` steps.
    """

    projection: int
    synapses: np.ndarray | range
    on_pre: bool
    every: int

    @property
    def numbers(self) -> np.ndarray:
        """The same as an array."""
        return np.arange(len(self.synapses)) if isinstance(self.synapses, range) else self.synapses
