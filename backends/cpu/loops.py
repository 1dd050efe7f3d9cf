"""The compiled loop of each thread: what it calls, and the table that says where its arrays are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from snnsim.backends.cpu import cache
from snnsim.backends.cpu.driver import FIXED, Driver
from snnsim.backends.cpu.intrinsics import TABLE_WIDTH
from snnsim.backends.cpu.parts import Part


class Loops:
    """One text for all threads, unless their places take types of different widths.

    make: the driver for what a thread has, by name; shared: what all threads have.
    """

    def __init__(
        self, make: Callable[[Mapping[str, Any]], Driver], parts: list[Part], shared: Mapping[str, Any],
    ) -> None:
        self.parts, self.drivers = parts, [make({**part, **shared}) for part in parts]
        self.functions = {function for driver in self.drivers for function in driver.functions}

    def load(self) -> None:
        """Compile the loops, or find their machine code; what they call comes first."""
        places = {function: function.address() for function in self.functions}
        for part, driver in zip(self.parts, self.drivers, strict=True):
            part["calls"] = np.array([places[function] for function in driver.functions], np.int64)
            part["table"] = np.zeros(TABLE_WIDTH * len(driver.rows), np.int64)
        self.runs = [cache.load(driver.source) for driver in self.drivers]

    def arguments(self, shared: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
        """Of the loop of each thread; its table is filled."""
        for part, driver in zip(self.parts, self.drivers, strict=True):
            values = {**part, **shared}
            for row, (name, kind) in zip(part["table"].reshape(-1, TABLE_WIDTH), driver.rows.items(), strict=True):
                _fill(row, values[name], kind)
            yield tuple(values[name] for name in (*FIXED, *driver.names))


def _fill(row: np.ndarray, value: Any, kind: Any) -> None:
    """Say where an array is, which has what the loop was made for, or what a number is."""
    if kind is None:
        row[0] = value
    else:
        assert value.dtype == kind and value.flags.c_contiguous
        row[: 1 + value.ndim] = value.ctypes.data, *value.shape
