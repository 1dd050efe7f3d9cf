"""Traces by unit, as checkpoints have them: those of targets before the dendritic delay, which differs by synapse."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from snnsim.engine import NEVER
from snnsim.plan_rules import SpikeTrace


class UnitTraces:
    """Traces of all units on both sides of a projection, and of its modulator.

    rows: how many steps those of targets are kept. last: [source units], the step of the latest presynaptic event.
    """

    def __init__(self, traces: tuple[SpikeTrace, ...], n_source: int, n_target: int, rows: int) -> None:
        sizes = {"pre": n_source, "post": n_target, "modulator": 1}
        self.traces, self.last = traces, np.full(n_source, NEVER, np.int64)
        self.kept: dict[str, deque[tuple[np.ndarray, np.ndarray]]] = {}
        for trace in traces:
            nothing = np.zeros(sizes[trace.on])
            self.kept[trace.name] = deque([(nothing, nothing)] * rows, rows)

    def step(self, step: int, spikes: Mapping[str, np.ndarray]) -> None:
        """Go on by a step. spikes: side -> how many of each unit."""
        for trace in self.traces:
            kept, count = self.kept[trace.name], spikes[trace.on]
            before = kept[0][1] * trace.decay
            after = np.where(count > 0, trace.add, before) if trace.nearest else before + count * trace.add
            kept.appendleft((before, after))
        self.last[spikes["pre"] > 0] = step

    def state(self) -> dict[str, np.ndarray]:
        """As ``Engine.plasticity`` says."""
        found = {"last": self.last.copy()}
        for trace in self.traces:
            kept = self.kept[trace.name]
            if trace.on == "post":
                for name, rows in zip(("before", "after"), zip(*kept, strict=True), strict=True):
                    found[f"trace.{trace.name}.{name}"] = np.array(rows)
            else:
                found[f"trace.{trace.name}"] = kept[0][1].copy()
        return found

    def set_state(self, values: Mapping[str, Any]) -> None:
        """Take over what ``state`` gave."""
        self.last[...] = values["last"]
        for trace in self.traces:
            kept, names = self.kept[trace.name], [f"trace.{trace.name}{part}" for part in (".before", ".after")]
            if trace.on == "post":
                kept.extend(zip(*(np.array(values[name], float) for name in names), strict=True))
            else:
                value = np.array(values[f"trace.{trace.name}"], float)
                kept.appendleft((value, value))
