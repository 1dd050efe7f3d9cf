"""Recorded states and outputs of an engine on a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.source import TRACE
from snnsim.backends.cupy.table import KernelTable
from snnsim.engine import rows_between
from snnsim.plan import Plan
from snnsim.requests import TraceRequest


class Traces:
    """The rows of a chunk, and which units of each part go where in them."""

    def __init__(self, device: Device, plan: Plan, layout: Layout) -> None:
        self.device, self.plan, self.layout = device, plan, layout
        self.places = [self._places(trace) for trace in plan.traces]
        self.rows: list[Any] = []

    def _places(self, trace: TraceRequest) -> list[Any]:
        """Of the recorded units: where those of each part begin, their places in it, and their columns."""
        cuts = self.layout.slices.cuts[trace.population]
        part = np.searchsorted(cuts, trace.units, side="right") - 1
        order = np.argsort(part, kind="stable")
        start = np.searchsorted(part[order], np.arange(self.layout.own.start, self.layout.own.stop + 1))
        units = (trace.units - cuts[part])[order]
        return [self.device.upload(np.ascontiguousarray(x, np.int32)) for x in (start, units, order)]

    def open(self, table: KernelTable, done: int, steps: int) -> bool:
        """Make room for the `steps` steps after `done`; True where something is recorded."""
        self.rows = []
        for k, (trace, places) in enumerate(zip(self.plan.traces, self.places, strict=True)):
            rows, columns = rows_between(done, steps, trace.every), trace.units.size
            self.rows.append(self.device.xp.zeros((max(1, rows), max(1, columns)), self.plan.dtype))
            start, units, place = map(table.address, places)
            values = {"every": trace.every, "first": done // trace.every + 1, "out": table.address(self.rows[k]),
                      "columns": columns, "start": start, "units": units, "place": place}
            for name, value in values.items():
                table.put(f"R{k}", value, TRACE.index(name))
        return bool(self.rows)

    def read(self, done: int, steps: int) -> list[np.ndarray]:
        """The rows of those steps, one array [rows, units] per request."""
        return [self.device.download(rows)[: rows_between(done, steps, trace.every), : trace.units.size]
                for rows, trace in zip(self.rows, self.plan.traces, strict=True)]
