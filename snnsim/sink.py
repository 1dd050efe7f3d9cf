"""From chunks to a recorder: spikes by population, values of traces, weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from snnsim.drain import Action
from snnsim.engine import Chunk
from snnsim.plan import Plan
from snnsim.recording import Recorder


class Sink:
    """Where the chunks of a run go.

    put: runs what is to be done with them, in order, at once or beside the engine; see ``snnsim.drain``. Without a
    recorder there is nothing to do.
    """

    def __init__(self, plan: Plan, recorder: Recorder | None, put: Callable[[Action], None]) -> None:
        self._plan, self._recorder, self._put = plan, recorder, put

    def write(self, chunk: Chunk, population: np.ndarray, counts: np.ndarray) -> None:
        """Record a chunk. population: the number of that of each spike; counts: spikes of each, [populations]."""
        if self._recorder is not None:
            self._put(partial(self._write, self._recorder, chunk, population, counts))

    def commit(self, done: int) -> None:
        """All up to step `done` has been written."""
        if self._recorder is not None:
            self._put(partial(self._recorder.commit, done))

    def _write(self, recorder: Recorder, chunk: Chunk, population: np.ndarray, counts: np.ndarray) -> None:
        self._write_spikes(recorder, chunk, population, counts)
        self._write_traces(recorder, chunk)
        for index, weights in enumerate(chunk.weights):
            recorder.write_weights(index, weights)

    def _write_spikes(self, recorder: Recorder, chunk: Chunk, population: np.ndarray, counts: np.ndarray) -> None:
        """One stable sort: to compare with each population would go through all spikes as often as there are any."""
        if not self._plan.recorded:
            return
        order = np.argsort(population, kind="stable")
        step, unit, ends = chunk.step[order], chunk.unit[order], np.cumsum(counts)
        for k in self._plan.recorded:
            mine, it = slice(ends[k] - counts[k], ends[k]), self._plan.populations[k]
            sent = [chunk.payload[order[mine]]] if it.graded and chunk.payload is not None else []
            recorder.write_spikes(it.name, step[mine], unit[mine] - it.first, *sent)

    def _write_traces(self, recorder: Recorder, chunk: Chunk) -> None:
        for index, (rows, trace) in enumerate(zip(chunk.traces, self._plan.traces, strict=True)):
            if len(rows):
                values = self._plan.populations[trace.population].value(trace.variable, rows, trace.units)
                recorder.write_trace(index, values.astype(rows.dtype, copy=False))
