"""The arrays of a network on a device, by what the kernel calls them."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.layout import LANES, Layout
from snnsim.backends.cupy.shapes import Shape
from snnsim.plan import Plan
from snnsim.random import poisson_parts, poisson_thresholds, stream_id

COUNTED_ROW = 1 << 30     # in ``row_of_word``, as step.cuh has it

Fields = dict[tuple[str, Any, str], int]


class PopulationArrays:
    """The arrays of one population, those units that the device owns, and the entries of its table.

    states, outputs: by name, [units]. entries: as ``Shape.fields`` says; places in shared memory come later.
    """

    def __init__(self, device: Device, plan: Plan, layout: Layout, number: int, shape: Shape) -> None:
        self.device, self.plan, self.layout, self.number, self.shape = device, plan, layout, number, shape
        self.population = plan.populations[number]
        self.low, self.high = layout.bounds(number)
        self.states: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.steps: list[Any] = []      # of continuous inputs, by their slot
        self.kept: list[Any] = []       # arrays that only the kernel knows
        self.entries: Fields = {}
        for kind, data in shape.update.arguments:
            self._fill(kind, data)
        self._fill_rest()

    @property
    def n(self) -> int:
        return self.high - self.low

    def _own(self, values: Any, dtype: Any) -> Any:
        """The device's part of a number for each unit."""
        return self.device.upload(np.ascontiguousarray(
            np.broadcast_to(values, (self.population.n,))[self.low : self.high], dtype))

    def _address(self, array: Any) -> int:
        self.kept.append(array)
        return self.device.address(array) if array.size else 0

    def _fill(self, kind: str, data: Any) -> None:
        fill = {"scalars": self._packed, "wholes": self._packed, "param": self._param, "state": self._state,
                "arrival": self._arrival, "drive": self._drive, "poisson": self._poisson, "words": self._words,
                "output": self._output}[kind]
        for part, value in fill(kind, data).items():
            self.entries[kind, data, part] = value

    def _fill_rest(self) -> None:
        """States that the update neither reads nor writes are still part of the network."""
        for state in self.population.program.states:
            if state not in self.states:
                self._state("state", state)

    def _packed(self, kind: str, data: Any) -> dict[str, Any]:
        names = self.shape.update.scalars if kind == "scalars" else self.shape.update.wholes
        sums = np.int64 if self.shape.wide else np.int32
        return {"array": np.array([self.population.params[name] for name in names],
                                  self.plan.dtype if kind == "scalars" else sums)}

    def _param(self, kind: str, data: Any) -> dict[str, int]:
        dtype = self.shape.type_of(data, self.plan.dtype)
        return {"array": self._address(self._own(self.population.params[data], dtype))}

    def _state(self, kind: str, data: Any) -> dict[str, int]:
        self.states[data] = self._own(self.population.initial[data], self.shape.type_of(data, self.plan.dtype))
        return {"array": self._address(self.states[data])}

    def _output(self, kind: str, data: Any) -> dict[str, int]:
        self.outputs[data] = self.device.xp.zeros(self.n, self.plan.dtype)
        return {"array": self._address(self.outputs[data])}

    def _arrival(self, kind: str, data: Any) -> dict[str, int]:
        return {"place": self.layout.place[self.number, data]}

    def _drive(self, kind: str, data: Any) -> dict[str, int]:
        if data not in self.population.drives:
            return {}
        drive = self.population.drives[data]
        values = drive.values if drive.values.shape[1] == 1 else drive.values[:, self.low : self.high]
        self.steps.append(self.device.upload(np.asarray(drive.steps, np.int64)))
        rows = self.device.upload(np.ascontiguousarray(values, self.plan.dtype))
        return {"values": self._address(rows), "width": values.shape[1], "slot": len(self.steps) - 1}

    def _poisson(self, kind: str, data: Any) -> dict[str, int]:
        label, name = data
        means = np.asarray(self.population.params[name], float)
        parts = poisson_parts(float(means.max(initial=0.0)))
        rows, table = np.unique(means, return_inverse=True)
        limits = [poisson_thresholds(float(mean) / parts) for mean in rows]
        ends = np.cumsum([0, *(row.size for row in limits)])
        thresholds = np.concatenate([*limits, np.zeros(1, np.uint32)])
        number = self._address(self._own(table.reshape(means.shape), np.int32)) if means.ndim else 0
        return {"drawn": self._address(self.device.xp.zeros(self.n, np.uint64)),
                "thresholds": self._address(self.device.upload(thresholds.astype(np.uint32))),
                "ends": self._address(self.device.upload(ends.astype(np.int32))), "table": number,
                "parts": parts, "stream": stream_id(label), "onset": self.population.onsets.get(label, 0)}

    def _words(self, kind: str, data: Any) -> dict[str, int]:
        return {"drawn": self._address(self.device.xp.zeros((self.n, 4), np.uint32)), "stream": stream_id(data)}


def schedule_arrays(plan: Plan, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Arrivals known beforehand onto own parts, by part and step: steps, places, weights, where each part's begin."""
    columns: list[list[np.ndarray]] = [[np.zeros(0, np.int64)] for _ in range(4)]
    for k, population in enumerate(plan.populations):
        cuts = layout.slices.cuts[k]
        for schedule in population.schedules:
            part = np.searchsorted(cuts, schedule.unit, side="right") - 1
            mine = (part >= layout.own.start) & (part < layout.own.stop)
            place = layout.place[k, schedule.port] + schedule.unit - cuts[part]
            for column, values in zip(columns, (part, schedule.step, place, schedule.weight), strict=True):
                column.append(values[mine])
    part, step, place, weight = (np.concatenate(column) for column in columns)
    order = np.lexsort((step, part))
    start = np.searchsorted(part[order], np.arange(layout.own.start, layout.own.stop + 1))
    return step[order], place[order], weight[order], start


def owners(plan: Plan, layout: Layout) -> np.ndarray:
    """The population of each word of a part, uint16 [words]."""
    found = np.zeros(max(1, layout.words), np.uint16)
    for k in range(len(plan.populations)):
        found[layout.first_word[k] : layout.end_word(k)] = k
    return found


def row_of_word(plan: Plan, layout: Layout, first_row: dict[int, int], flagged: list[bool]) -> np.ndarray:
    """For each word of all parts: the row of its first unit in a bundle, or -1.

    flagged: populations of which the numbers beside their spikes multiply what they add: counts, or payloads.
    """
    found = np.full((layout.slices.parts, layout.words), -1, np.int64)
    padded = np.full(layout.all_words, -1, np.int32)
    for k, row in first_row.items():
        first = layout.first_word[k]
        for w in range(first, layout.end_word(k)):
            found[:, w] = row + layout.slices.cuts[k][:-1] + (w - first) * LANES
            found[:, w] |= COUNTED_ROW * flagged[k]
    padded[: found.size] = found.reshape(-1)
    return padded

