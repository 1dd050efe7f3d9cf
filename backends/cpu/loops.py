"""The compiled loop of each thread: what it calls, and the table that says where its arrays are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from snnsim.backends.cpu import cache
from snnsim.backends.cpu.driver import Shape, make_driver
from snnsim.backends.cpu.functions import Function
from snnsim.backends.cpu.intrinsics import TABLE_WIDTH
from snnsim.backends.cpu.parts import Part
from snnsim.backends.cpu.source import FIXED, value_kind


class Loops:
    """One text for all threads, unless their places take types of different widths.

    shape: of the network; parts: what a thread has, by name; shared: what all threads have.
    """

    def __init__(self, shape: Shape, parts: list[Part], shared: Mapping[str, Any]) -> None:
        self.parts, self.drivers = parts, [make_driver(shape, _kinds({**part, **shared})) for part in parts]
        self._different = {id(driver): driver for driver in self.drivers}

    @property
    def functions(self) -> list[Function]:
        """All that they call."""
        return [function for driver in self._different.values() for function in driver.functions]

    def load(self) -> None:
        """Compile the loops, or find their machine code; what they call comes first."""
        calls = {key: np.array([function.address() for function in driver.functions], np.int64)
                 for key, driver in self._different.items()}
        runs = {key: cache.load(driver.source) for key, driver in self._different.items()}
        for part, driver in zip(self.parts, self.drivers, strict=True):
            part["calls"], part["table"] = calls[id(driver)], np.zeros(TABLE_WIDTH * len(driver.rows), np.int64)
        self.runs = [runs[id(driver)] for driver in self.drivers]

    def arguments(self, shared: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
        """Of the loop of each thread; its table is filled."""
        for part, driver in zip(self.parts, self.drivers, strict=True):
            values = {**part, **shared}
            for row, (name, kind) in zip(part["table"].reshape(-1, TABLE_WIDTH), driver.rows.items(), strict=True):
                _fill(row, values[name], kind)
            yield tuple(values[name] for name in (*FIXED, *driver.names))


def _kinds(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, value_kind(value)) for name, value in values.items())


def _fill(row: np.ndarray, value: Any, kind: Any) -> None:
    """Say where an array is, which has what the loop was made for, or what a number is."""
    if kind is None:
        row[0] = value
    else:
        assert value.dtype == kind and value.flags.c_contiguous
        row[: 1 + value.ndim] = value.ctypes.data, *value.shape
