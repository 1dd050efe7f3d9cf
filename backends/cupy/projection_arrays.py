"""What the arrays of all projections have in common whose synapses change: plastic ones and learning ones."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.layout import LANES, Layout
from snnsim.backends.cupy.plastic_event import FIXED
from snnsim.plan import Plan


class ProjectionArrays(ABC):
    """Everything of one projection. values: by the lower-case names of the table's entries; arrays, numbers.

    kept: how the names begin of what changes in a step. depth: rows of the ring of what is sent.
    """

    kept: ClassVar[tuple[str, ...]]
    values: dict[str, Any]
    depth: int

    def __init__(self, device: Device, plan: Plan, layout: Layout, number: int) -> None:
        self.device, self.plan, self.layout, self.number = device, plan, layout, number
        self.it = plan.projections[number]
        self.low, self.high = layout.bounds(self.it.target)
        self.n_source = plan.populations[self.it.source].n

    @property
    def n_target(self) -> int:
        return self.high - self.low

    @property
    def place(self) -> int:
        """Where arrivals at its targets begin, or -1 where nothing arrives."""
        return self.layout.place[self.it.target, self.it.ports[0]] if self.it.ports[0] else -1

    def lanes(self, synapses: int) -> int:
        """Threads that go through a row: a power of two, about as many as there are synapses in it."""
        length = synapses / max(1, len(self.layout.own) * self.n_source)
        return min(LANES, 1 << max(0, math.ceil(math.log2(max(1.0, length)))))

    @abstractmethod
    def open(self, done: int, steps: int) -> None:
        """Before the `steps` steps after `done` are launched."""

    @abstractmethod
    def shown_in(self, step: int) -> list[tuple[Any, int]]:
        """What units show other parts in a step, [units], and their population."""

    def ahead(self, done: int) -> np.ndarray:
        """Rows of the ring of what is sent, for the steps in which something may arrive."""
        return (done + 1 + np.arange(self.depth - 1)) % self.values["ring"].shape[0]

    def changing(self) -> list[Any]:
        """All arrays that change in a step."""
        return [value for name, value in sorted(self.values.items())
                if name.startswith(self.kept) and name != "variable_stored" and not isinstance(value, int)]

    def entries(self, names: Sequence[str], more: Mapping[str, Any]) -> list[int]:
        """The section of the table. names: of the entries, in order; more: values besides the own ones."""
        values = {**self.values, **more}
        return [self._entry(values.get(name.lower() if name in FIXED else name, 0)) for name in names]

    def _entry(self, value: Any) -> int:
        if isinstance(value, float):
            return int(np.float64(value).view(np.int64))
        if isinstance(value, int):
            return value
        return self.device.address(value) if value.size else 0
