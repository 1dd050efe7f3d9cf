"""`Result`: what a run recorded, in memory or on disk, with one interface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from snnsim.errors import InputError, unknown
from snnsim.recording.layout import RecordingPlan, TracePlan, WeightPlan
from snnsim.recording.recorded import Trace, Weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLOCK = 1 << 20


class Source(Protocol):
    """Something recorded: a file, or memory."""

    plan: RecordingPlan
    step: int
    finished: bool
    running: bool
    summary: dict[str, Any]

    def refresh(self) -> None: ...
    def cut(self, step: int) -> None: ...
    def count(self, population: str) -> int: ...
    def read_spikes(self, population: str, lo: int = 0, hi: int | None = None) -> tuple[Any, Any]: ...
    def read_payloads(self, population: str, lo: int = 0, hi: int | None = None) -> NDArray[np.int64]: ...
    def read_rows(self, index: int, lo: int = 0, hi: int | None = None) -> NDArray[np.floating]: ...
    def count_weights(self, index: int) -> int: ...
    def read_weights(self, index: int, lo: int = 0, hi: int | None = None) -> tuple[NDArray[Any], ...]: ...


class Result:
    """What a run recorded.

    summary: backend, threads, neurons, synapses, steps, dt_ms, spikes, rates_hz, build_s, compile_s, run_s, rtf,
    peak_mb, out: as far as the run told. path: the file or folder, None in memory.
    """

    def __init__(self, sources: Sequence[Source], path: Path | None = None) -> None:
        self._sources, self.path = list(sources), path
        self._of_population = {name: s for s in self._sources for name in s.plan.populations}
        numbered = [(source, index, trace) for source in sources for index, trace in enumerate(source.plan.traces)]
        self._of_trace = {(trace.population, trace.variable): (source, index) for source, index, trace in numbered}
        listed = [(source, index, weights) for source in sources for index, weights in enumerate(source.plan.weights)]
        self._of_weights = {weights.name: (source, index) for source, index, weights in listed}
        self.summary: dict[str, Any] = dict(self._sources[0].summary)
        self._agree()

    def _agree(self) -> None:
        """The files of a folder are committed one after the other: a kill may leave one behind."""
        for source in self._sources:
            source.cut(self.steps)

    def refresh(self) -> Result:
        """See what a running simulation has committed since; returns itself."""
        for source in self._sources:
            source.refresh()
        self.summary = self.summary or dict(self._sources[0].summary)
        self._agree()
        return self

    @property
    def dt(self) -> float:
        """Time step in ms; NaN for a file of another program."""
        return self._sources[0].plan.dt

    @property
    def steps(self) -> int:
        """Last step that is complete in the recording."""
        return min(source.step for source in self._sources)

    @property
    def start(self) -> float:
        """Time in ms after which recording begins: 0, but for a run that went on from a checkpoint alone."""
        return self._sources[0].plan.start * self.dt if self._sources[0].plan.start else 0.0

    @property
    def duration(self) -> float:
        """Simulated time in ms that the recording ends at; in a file of another program the time of the last spike."""
        if not np.isnan(self.dt):
            return self.steps * self.dt
        return max((float(self._last(name)) for name in self.populations), default=0.0)

    def _last(self, population: str) -> float:
        count = self.count(population)
        return self._of_population[population].read_spikes(population, count - 1)[0][0] if count else 0.0

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return all(source.finished for source in self._sources)

    @property
    def running(self) -> bool:
        """Whether a simulation is writing the file now; `refresh` shows its progress."""
        return any(source.running for source in self._sources)

    @property
    def populations(self) -> list[str]:
        """Populations whose spikes were recorded."""
        return list(self._of_population)

    @property
    def graded(self) -> list[str]:
        """Those of them whose spikes carry payloads."""
        return [name for name, source in self._of_population.items() if name in source.plan.graded]

    @property
    def traces(self) -> list[tuple[str, str]]:
        """(population, variable) of each trace."""
        return list(self._of_trace)

    @property
    def weight_names(self) -> list[str]:
        """What ``record: weights:`` calls them."""
        return list(self._of_weights)

    @property
    def provenance(self) -> dict[str, Any]:
        """Seed, backend, versions, ...: how the result came about."""
        return dict(self._sources[0].plan.provenance)

    @property
    def network_yaml(self) -> str:
        """The network as canonical YAML."""
        return self._sources[0].plan.network_yaml

    def size(self, population: str) -> int:
        """Number of units in `population`."""
        return self._source(population).plan.populations[population]

    def units(self, population: str) -> NDArray[np.int64]:
        """Ids of the units of `population` whose spikes were recorded."""
        plan = self._source(population).plan
        subset = plan.subsets.get(population)
        return np.arange(plan.populations[population]) if subset is None else np.asarray(subset, dtype=np.int64)

    def count(self, population: str) -> int:
        """Number of spikes recorded from `population`."""
        return self._source(population).count(population)

    def spikes(self, population: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Spike times in ms [K] and ids [K], sorted by time then id. Raises ``InputError`` for an unknown name."""
        return self._source(population).read_spikes(population)

    def payloads(self, population: str) -> NDArray[np.int64]:
        """What the spikes carry, in the order of ``spikes`` [K]; 1 for those of a population that sends no payloads."""
        return self._source(population).read_payloads(population)

    def blocks(self, population: str, size: int = BLOCK) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        """The same in blocks of at most `size` spikes, for recordings larger than memory."""
        source = self._source(population)
        for lo in range(0, source.count(population), size):
            yield source.read_spikes(population, lo, lo + size)

    def message_blocks(self, population: str, size: int = BLOCK) -> Iterator[tuple[NDArray[Any], ...]]:
        """The same, with payloads as a third array where `population` sends some."""
        source = self._source(population)
        for number, block in enumerate(self.blocks(population, size)):
            lo = number * size
            sent = [source.read_payloads(population, lo, lo + size)] if population in source.plan.graded else []
            yield (*block, *sent)

    def steps_of(self, population: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Spikes as steps [K] and ids [K]."""
        times, ids = self.spikes(population)
        return np.rint(times / self.dt).astype(np.int64), ids

    def trace(self, population: str, variable: str) -> Trace:
        """The recorded `variable` [steps, units]; the first row is the state after step `every`."""
        source, index = self._find_trace(population, variable)
        plan = source.plan.traces[index]
        rows = source.read_rows(index)
        first = source.plan.start // plan.every + 1
        times: NDArray[np.float64] = np.arange(float(first), first + len(rows)) * plan.every * source.plan.dt
        return Trace(rows, times, plan.units, plan.unit_text)

    def trace_plan(self, population: str, variable: str) -> TracePlan:
        """Which units of a trace were recorded, how often and in which unit, without reading it."""
        source, index = self._find_trace(population, variable)
        return source.plan.traces[index]

    def weights(self, name: str) -> Weights:
        """Recorded weights: snapshots [steps, synapses], or what each presynaptic event sent, in order of time.

        Raises ``InputError`` for an unknown name.
        """
        source, index = self._find_weights(name)
        plan = source.plan.weights[index]
        steps, *ends, values = source.read_weights(index)
        sources, targets = ends or (plan.source, plan.target)
        return Weights(values, steps * self.dt, sources, targets, plan.unit_text)

    def weight_plan(self, name: str) -> WeightPlan:
        """Which synapses' weights were recorded, when and in which unit, without reading them."""
        source, index = self._find_weights(name)
        return source.plan.weights[index]

    def count_weights(self, name: str) -> int:
        """Number of snapshots, or of weights sent."""
        source, index = self._find_weights(name)
        return source.count_weights(index)

    def weight_blocks(self, name: str, size: int = BLOCK) -> Iterator[tuple[NDArray[Any], ...]]:
        """Steps, then sources and targets of what was sent, then weights, in blocks of at most about `size` weights."""
        source, index = self._find_weights(name)
        plan = source.plan.weights[index]
        rows = size if plan.on_pre else max(1, size // len(plan.source))
        for lo in range(0, source.count_weights(index), rows):
            yield source.read_weights(index, lo, lo + rows)

    def rates(self) -> dict[str, float]:
        """Mean rate of each population in Hz: spikes per recorded unit and second of the recorded time."""
        seconds = (self.duration - self.start) / 1000
        return {name: self.count(name) / (len(self.units(name)) * seconds or np.inf) for name in self.populations}

    def save(self, path: str | Path, overwrite: bool = False, compress: bool = False) -> Result:
        """Write all of it to an HDF5 file or a folder. Raises ``InputError`` as a run does."""
        from snnsim.recording.copy import copy

        return copy(self, path, overwrite, compress)

    def plot(self, path: str | Path | None = None) -> Figure | None:
        """Raster, rates, traces and weights: to a file (png, svg, pdf, html), or as a figure without `path`."""
        from snnsim.plot import plot

        return plot(self, path)

    def plan(self) -> RecordingPlan:
        """What is recorded here, as a plan for another recording."""
        first = self._sources[0].plan
        traces: list[TracePlan] = [source.plan.traces[index] for source, index in self._of_trace.values()]
        weights = [source.plan.weights[index] for source, index in self._of_weights.values()]
        subsets = {name: ids for source in self._sources for name, ids in source.plan.subsets.items()}
        sizes = {name: self.size(name) for name in self.populations}
        return RecordingPlan(
            first.dt, sizes, traces, first.network_yaml, first.provenance, subsets, first.start, weights,
            frozenset(self.graded),
        )

    def trace_blocks(self, population: str, variable: str, size: int = 4096) -> Iterator[NDArray[np.floating]]:
        """Rows of a trace in blocks of at most `size`."""
        source, index = self._find_trace(population, variable)
        lo = 0
        while len(rows := source.read_rows(index, lo, lo + size)):
            yield rows
            lo += size

    def _source(self, population: str) -> Source:
        if population not in self._of_population:
            raise InputError(unknown("recorded population", population, self.populations))
        return self._of_population[population]

    def _find_trace(self, population: str, variable: str) -> tuple[Source, int]:
        if (population, variable) not in self._of_trace:
            raise InputError(unknown("trace", f"{population}.{variable}", [".".join(key) for key in self._of_trace]))
        return self._of_trace[population, variable]

    def _find_weights(self, name: str) -> tuple[Source, int]:
        if name not in self._of_weights:
            raise InputError(unknown("recorded weights", name, self._of_weights))
        return self._of_weights[name]

    def __repr__(self) -> str:
        rates = ", ".join(f"{name} {rate:.3g} Hz" for name, rate in self.rates().items())
        return f"<Result {self.duration:g} ms: {rates}>"


def open(path: str | Path) -> Result:
    """Read a recording: finished, running (see `Result.refresh`) or killed (then it says so in a warning).

    Raises ``InputError`` where `path` is not one.
    """
    from snnsim.recording import reader

    return Result(reader.sources(Path(path)), Path(path))
