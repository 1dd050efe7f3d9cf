"""The plastic and learning projections of an engine on a device, between its calls.

``plastic_state`` reads them as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnsim.backends.cupy.arrays import PopulationArrays, row_of_word
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.learning import LearningArrays
from snnsim.backends.cupy.plastic_arrays import PlasticArrays
from snnsim.backends.cupy.plastic_records import WeightRecords
from snnsim.backends.cupy.plastic_source import PlasticSource, modulating_variable
from snnsim.errors import NumericalError
from snnsim.plan import Plan
from snnsim.plastic import out_of_bounds

Fault = tuple[int, int, int, int, int, int]


class Plastic:
    """All plastic and learning projections of a network.

    populations: their arrays; counted: whether units spike several times in a step.
    """

    records: WeightRecords      # what is recorded of weights, from ``watch`` on

    def __init__(self, device: Device, plan: Plan, layout: Layout, source: PlasticSource,
                 populations: Sequence[PopulationArrays], counted: list[bool]) -> None:
        self.device, self.plan, self.layout, self.source, self.populations = device, plan, layout, source, populations
        # What is listed for one projection can be used for another of the same source.
        rows = {k: device.upload(row_of_word(plan, layout, {k: 0}, counted))
                for k in dict.fromkeys(plan.projections[k].source for k in source.numbers)}
        self.arrays: dict[int, PlasticArrays | LearningArrays] = {}
        for k in source.numbers:
            given = rows[plan.projections[k].source]
            self.arrays[k] = (LearningArrays(device, plan, layout, k, given) if k in source.learning
                              else PlasticArrays(device, plan, layout, k, populations, given))

    def watch(self, ranks: dict[int, list[np.ndarray]]) -> None:
        """Prepare what is recorded of weights. ranks: as of ``WeightRecords``, of all devices of the network."""
        self.records = WeightRecords(self.device, self.plan, ranks)

    # --- sizes -------------------------------------------------------------------------------------------------------

    @property
    def synapses(self) -> int:
        """How many there are."""
        return sum(int(arrays.values["state_w"].size) for arrays in self.arrays.values())

    def memory(self) -> int:
        """Bytes of synapses."""
        names = ("rows", "targets", "delays", "columns", "positions", "sources")
        return sum(int(value.nbytes) for arrays in self.arrays.values() for name, value in arrays.values.items()
                   if name in names or name.startswith("state_"))

    def labels(self) -> list[str]:
        """What is stored in this way, for ``facts``."""
        return [f"{'learning' if k in self.source.learning else 'plastic'}: {self.plan.projections[k].label}"
                for k in self.arrays]

    # --- state -------------------------------------------------------------------------------------------------------

    def changing(self) -> list[Any]:
        """All arrays that change."""
        return [array for arrays in self.arrays.values() for array in arrays.changing()]

    def downloaded_output(self, number: int) -> np.ndarray | None:
        """The output of own units that modulates, where one does."""
        output = self._output(number)
        return None if output is None else self.device.download(output)

    def _output(self, number: int) -> Any:
        """On the device; no state has it."""
        variable = modulating_variable(self.plan, number)
        return None if variable is None else self.populations[variable[0]].outputs.get(variable[1])

    def download(self, number: int, name: str) -> np.ndarray:
        """An array of a projection."""
        return self.device.download(self.arrays[number].values[name])

    def set(self, number: int, rank: np.ndarray, done: int, values: Mapping[str, np.ndarray]) -> None:
        """See ``Engine.set_plasticity``. rank: the numbers of the synapses as they lie here."""
        arrays = self.arrays[number]
        if isinstance(arrays, LearningArrays):
            arrays.set(rank, done, values)
        else:
            self._set_plastic(arrays, rank, done, values)

    def _set_plastic(
        self, arrays: PlasticArrays, rank: np.ndarray, done: int, values: Mapping[str, np.ndarray]
    ) -> None:
        own = slice(arrays.low, arrays.high)
        for name in ("w", *arrays.rule.states):
            arrays.values[f"state_{name}"][...] = self.device.upload(values[name][rank])
        self._set_shown(arrays, "last", done, values["last"])
        self._set_rows(arrays, "ring", arrays.ahead(done), values["arrivals"][:, own])
        for trace in arrays.rule.traces:
            if trace.on == "post":
                for side in ("before", "after"):
                    rows = values[f"trace.{trace.name}.{side}"][:, own]
                    self._set_rows(arrays, f"{side}_{trace.name}", arrays.behind(done), rows)
            elif trace.on == "pre":
                self._set_shown(arrays, f"trace_{trace.name}", done, values[f"trace.{trace.name}"])
            else:
                arrays.values[f"trace_{trace.name}"][...] = float(values[f"trace.{trace.name}"][0])
        if (output := self._output(arrays.number)) is not None:
            mine = slice(*self.layout.bounds(int(arrays.values["modulator"])))
            output[...] = self.device.upload(values["modulator"][mine].astype(output.dtype))

    def _set_shown(self, arrays: PlasticArrays, name: str, done: int, values: np.ndarray) -> None:
        self._set_rows(arrays, name, np.array([done % arrays.values[name].shape[0]]), values[None])

    def _set_rows(self, arrays: PlasticArrays, name: str, rows: np.ndarray, values: np.ndarray) -> None:
        host = self.device.download(arrays.values[name])
        host[rows] = values
        arrays.values[name][...] = self.device.upload(host)

    # --- a call ------------------------------------------------------------------------------------------------------

    def open(self, done: int, steps: int) -> dict[str, list[int]]:
        """Make room for records of the steps ahead, note the modulating variables; the sections of the table."""
        for arrays in self.arrays.values():
            arrays.open(done, steps)
            if isinstance(arrays, PlasticArrays):
                self._note_variable(arrays, done)
        if not self.plan.weights:
            return self._sections({})
        courses = self.records.open(done, steps)
        return self._sections({k: self.records.entries(k) for k in self.arrays}) | courses

    def _sections(self, more: dict[int, dict[str, Any]]) -> dict[str, list[int]]:
        return {f"X{k}": arrays.entries(self.source.rules[k].entries, more.get(k, {}))
                for k, arrays in self.arrays.items()}

    def _note_variable(self, arrays: PlasticArrays, done: int) -> None:
        if "variable" in arrays.values:
            low, high = self.layout.bounds(int(arrays.values["modulator"]))
            stored = arrays.stored(self.populations).astype(np.float64) + arrays.values["offset"]
            arrays.values["variable"][done % arrays.shown, low:high] = stored.astype(self.plan.dtype)

    @property
    def logs(self) -> bool:
        """Whether anything is logged whose length nobody knows beforehand."""
        return any(request.on_pre for request in self.plan.weights)

    def grow_logs(self) -> bool:
        """Make room where a log was too short; True where one was."""
        return self.logs and self.records.grow()

    def chunk(self, done: int, steps: int) -> list[Any]:
        """What the requests of the plan ask for of the `steps` after `done`."""
        return self.records.chunk(done, steps) if self.plan.weights else []

    # --- faults ------------------------------------------------------------------------------------------------------

    def faults(self) -> list[Fault]:
        """Step, projection, which of several spikes of the step, source, target and part: the smallest is the first."""
        found = []
        for k, arrays in self.arrays.items():
            if isinstance(arrays, LearningArrays):
                continue
            for part, (step, key) in enumerate(self.download(k, "fault").tolist()):
                if step:
                    found.append((step, k, key >> 32, *self._ends(arrays, part, key & 0xFFFFFFFF), part))
        return found

    def _ends(self, arrays: PlasticArrays, part: int, place: int) -> tuple[int, int]:
        """Source and target of a synapse."""
        rows = self.device.download(arrays.packed.rows[part])
        target = self.device.download(arrays.packed.targets[int(arrays.packed.base[part]) + place :][:1])
        return int(np.searchsorted(rows, place, side="right")) - 1, int(target[0]) + arrays.low

    def error(self, step: int, number: int, time: int, source: int, target: int, part: int) -> NumericalError:
        """For one of them."""
        sent = float(self.download(number, "found")[part])
        return out_of_bounds(self.plan, self.plan.projections[number], source, target, step, sent)


def first_fault(members: Sequence[Plastic]) -> tuple[Fault, Plastic] | None:
    """Of a network on one or more devices: the first synapse that sent too much, and whose it is."""
    found = [(fault, member) for member in members for fault in member.faults()]
    return min(found, key=lambda one: one[0], default=None)
