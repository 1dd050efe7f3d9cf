"""A recording that stays in memory: what a run without ``out`` keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnsim.errors import RunError
from snnsim.memory import available, in_words
from snnsim.recording.layout import RecordingPlan, WeightPlan

_LEAST = 256 << 20   # bytes that are left to the system


class MemoryStore:
    """Collects blocks in lists and joins them when they are read; a source and a store in one."""

    running = False

    def __init__(self, plan: RecordingPlan) -> None:
        self.plan, self.step, self.finished, self._bytes = plan, plan.start, False, 0
        self.summary: dict[str, Any] = {}
        self._spikes = {name: [_no_spikes(name in plan.graded)] for name in plan.populations}
        self._rows: list[list[NDArray[np.floating]]] = [[] for _ in plan.traces]
        self._weights = [[_no_weights(each)] for each in plan.weights]

    def spikes(self, population: str, *columns: NDArray[Any]) -> None:
        """Append a block of spikes: times, ids, and payloads where they carry some."""
        self._spikes[population].append(columns)
        self._bytes += sum(column.nbytes for column in columns)

    def rows(self, index: int, data: NDArray[np.floating]) -> None:
        """Append rows [T, N] of trace number `index`."""
        self._rows[index].append(np.array(data, dtype="f8" if self.plan.traces[index].double else "f4"))
        self._bytes += self._rows[index][-1].nbytes

    def weights(self, index: int, *columns: NDArray[Any]) -> None:
        """Append to weights number `index`: steps, then sources and targets of what is sent, then weights."""
        self._weights[index].append(columns)
        self._bytes += sum(column.nbytes for column in columns)

    def commit(self, step: int) -> None:
        """Note how far the run has come; ``RunError`` where memory will not hold much more."""
        self.step = step
        there = available()
        if there is not None and there < min(self._bytes, _LEAST):
            text = f"memory is full: what was recorded up to step {step} takes {in_words(self._bytes)}"
            raise RunError(f"{text}; record to a file (-o OUT.h5, or out=...)")

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Mark the run as finished."""
        self.summary, self.finished = dict(summary), True

    def close(self) -> None:
        """Nothing is open."""

    drop = close

    def refresh(self) -> None:
        """What is in memory is always up to date."""

    def cut(self, step: int) -> None:
        """Memory is a single source: there is nothing to agree with."""

    def count(self, population: str) -> int:
        """Number of spikes."""
        return sum(len(columns[0]) for columns in self._spikes[population])

    def read_spikes(self, population: str, lo: int = 0, hi: int | None = None) -> tuple[Any, Any]:
        """Spikes number `lo` to `hi`: times in ms and ids."""
        times, ids, *_ = _joined(self._spikes[population])
        return times[lo:hi], ids[lo:hi]

    def read_payloads(self, population: str, lo: int = 0, hi: int | None = None) -> NDArray[np.int64]:
        """What spikes number `lo` to `hi` carry, 1 where that is nothing."""
        _, ids, *payloads = _joined(self._spikes[population])
        return payloads[0][lo:hi] if payloads else np.ones_like(ids[lo:hi])

    def read_rows(self, index: int, lo: int = 0, hi: int | None = None) -> NDArray[np.floating]:
        """Rows number `lo` to `hi` of trace number `index`."""
        if len(self._rows[index]) != 1:
            trace = self.plan.traces[index]
            empty = np.empty((0, len(trace.units)), "f8" if trace.double else "f4")
            self._rows[index] = [np.concatenate([empty, *self._rows[index]])]
        return self._rows[index][0][lo:hi]

    def count_weights(self, index: int) -> int:
        """Number of rows of weights number `index`."""
        return sum(len(columns[0]) for columns in self._weights[index])

    def read_weights(self, index: int, lo: int = 0, hi: int | None = None) -> tuple[NDArray[Any], ...]:
        """Rows number `lo` to `hi` of weights number `index`, column by column."""
        return tuple(column[lo:hi] for column in _joined(self._weights[index]))


def _joined(blocks: list[tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
    """All columns of some blocks, which are one block from then on."""
    if len(blocks) != 1:
        blocks[:] = [tuple(np.concatenate(each) for each in zip(*blocks, strict=True))]
    return blocks[0]


def _no_spikes(graded: bool) -> tuple[NDArray[Any], ...]:
    return (np.empty(0), *np.empty((1 + graded, 0), np.int64))


def _no_weights(plan: WeightPlan) -> tuple[NDArray[Any], ...]:
    ends = 2 if plan.on_pre else 0
    weight = np.empty(0 if plan.on_pre else (0, len(plan.source)), "f8" if plan.double else "f4")
    return (*np.empty((1 + ends, 0), np.int64), weight)
