"""What Lava's processes share with this one, and the files that they write."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


def shared(*shape: int) -> np.ndarray:
    """Whole numbers in memory that processes forked from now on share."""
    return np.frombuffer(mmap.mmap(-1, max(8, 8 * int(np.prod(shape)))), np.int64)[:int(np.prod(shape))].reshape(shape)


@dataclass
class Clock:
    """The first and the last step of the current run."""

    steps: np.ndarray = field(default_factory=lambda: shared(2))

    @property
    def first(self) -> int:
        return int(self.steps[0])

    @property
    def last(self) -> int:
        return int(self.steps[1])

    def advance(self, steps: int) -> None:
        self.steps[:] = self.last + 1, self.last + steps


@dataclass
class Rows:
    """A file to which a process of Lava appends rows of whole numbers [columns], read here after a run."""

    path: Path
    clock: Clock
    columns: int
    file: Any = None

    def add(self, step: int, rows: np.ndarray | None) -> None:
        if self.file is None:
            self.file = open(self.path, "wb", buffering=1 << 20)  # noqa: SIM115  it stays open for all runs
        if step == self.clock.first:
            self.file.seek(0)
            self.file.truncate()
        if rows is not None:
            self.file.write(np.ascontiguousarray(rows, np.int64))
        if step == self.clock.last:
            self.file.flush()

    def read(self) -> np.ndarray:
        return np.fromfile(self.path, np.int64).reshape(-1, self.columns)


@dataclass
class Sampled:
    """Values of `variable` at `slots` of a process, every `every` steps; they are `columns` of a trace."""

    variable: str
    slots: np.ndarray
    every: int
    columns: np.ndarray
    rows: Rows

    def step(self, model: Any) -> None:
        due = model.time_step % self.every == 0
        self.rows.add(model.time_step, getattr(model, self.variable)[self.slots] if due else None)


@dataclass
class Log:
    """What a process writes after a step: traces, and after the last one the values at `index` of all `names`."""

    clock: Clock
    names: list[str]
    index: Any
    values: np.ndarray
    traces: list[Sampled] = field(default_factory=list)

    def step(self, model: Any) -> None:
        for trace in self.traces:
            trace.step(model)
        if model.time_step == self.clock.last:
            for row, name in zip(self.values, self.names, strict=True):
                row[:] = getattr(model, name)[self.index]
