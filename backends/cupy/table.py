"""The table in which kernels find every size and address, and how it is filled for a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snnsim.backends.cupy.arrays import PopulationArrays
from snnsim.backends.cupy.build import Table
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.shapes import POPULATION
from snnsim.backends.cupy.shared import SharedMemory
from snnsim.backends.cupy.source import BUNDLE, KernelSource


class KernelTable:
    """Whole numbers by the names of ``KernelSource.entries``; on the device after ``upload``."""

    def __init__(self, device: Device, source: KernelSource) -> None:
        self.device, self.source, self.at = device, source, source.entries
        self.values = np.zeros(self.at["END"], np.int64)
        self.array = device.xp.zeros(self.values.size, np.int64)

    def put(self, name: str, value: int, offset: int = 0) -> None:
        """One entry of a section."""
        self.values[self.at[name] + offset] = value

    def put_all(self, sections: Mapping[str, Sequence[int] | np.ndarray]) -> None:
        """Whole sections."""
        for name, values in sections.items():
            self.values[self.at[name] : self.at[name] + len(values)] = values

    def upload(self) -> None:
        """Show kernels what was put."""
        self.array[...] = self.device.upload(self.values)

    def address(self, array: Any) -> int:
        """Of an array of the device; 0 where there is nothing in it."""
        return self.device.address(array) if array is not None and array.size else 0

    # --- what a network consists of ----------------------------------------------------------------------------------

    def put_arrays(self, arrays: Mapping[str, Any]) -> None:
        """Addresses of arrays, by the names of entries."""
        for name, array in arrays.items():
            self.put(name, self.address(array))

    def put_numbers(self, numbers: Mapping[str, int]) -> None:
        """Single entries."""
        for name, value in numbers.items():
            self.put(name, value)

    def put_populations(self, populations: Sequence[PopulationArrays], layout: Layout, shared: SharedMemory) -> None:
        """All populations, with their continuous inputs numbered from 0 on."""
        slot = 0
        for k, arrays in enumerate(populations):
            self.put("ENTRY", self.at[f"P{k}"], k)
            own = {"WORD": layout.first_word[k], "LEVEL": arrays.population.level,
                   "SHAPE": self.source.shape_number[k], "N": arrays.population.n, "OWN_LOW": arrays.low}
            for name, value in own.items():
                self.put(f"P{k}", value, POPULATION.index(name))
            homes = {(kind, data, "home"): at for (number, kind, data), at in shared.homes.items() if number == k}
            for key, entry in (arrays.entries | homes).items():
                self._put_field(k, arrays, key, entry + slot if key[2] == "slot" else entry)
            for steps in arrays.steps:
                self.put("INPUTS", self.address(steps), 2 * slot)
                self.put("INPUTS", steps.size, 2 * slot + 1)
                slot += 1

    def _put_field(self, k: int, arrays: PopulationArrays, key: tuple[str, Any, str], value: Any) -> None:
        """A number, or an array of parameters that stands in the table itself."""
        if key not in arrays.shape.fields:
            return
        at = self.at[f"P{k}"] + arrays.shape.fields[key]
        if isinstance(value, np.ndarray):
            self.values[at : at + -(-value.nbytes // 8)].view(np.uint8)[: value.nbytes] = value.view(np.uint8)
        else:
            self.values[at] = value

    def put_bundles(self, tables: Sequence[Table], layout: Layout, rows: Sequence[Any], shared: SharedMemory) -> None:
        """All bundles. rows: where the rows of each word begin, for each set of sources."""
        homes = shared.rows or [0] * len(rows)
        for k, (array, home) in enumerate(zip(rows, homes, strict=True)):
            self.put("ROW_TABLES", self.address(array), 2 * k)
            self.put("ROW_TABLES", home, 2 * k + 1)
        for k, (table, bundle) in enumerate(zip(tables, layout.bundles, strict=True)):
            number = self.source.row_tables.index(bundle.row_table)
            arrays = {"base": table.base, "at": table.at, "words": table.words, "weights": table.weights,
                      "row_weights": table.row_weights, "row_of_word": rows[number]}
            values = {name: self.address(array) for name, array in arrays.items()}
            values |= {"target_bits": bundle.word.target, "delay_bits": bundle.word.delay, "delay": bundle.delay,
                       "home": homes[number], "lanes": bundle.lanes(len(layout.own), table.words.size)}
            for name, value in values.items():
                self.put(f"B{k}", value, BUNDLE.index(name))
