"""`Recorder`: takes blocks of spikes, rows of traces and weights from a running program, to HDF5 or to memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnsim.errors import InputError, Problem, RunError
from snnsim.recording import layout, reader
from snnsim.recording.filewriter import FileWriter, running
from snnsim.recording.layout import MANIFEST, NETWORK_FILE, SPIKES_FILE, RecordingPlan, is_folder, place
from snnsim.recording.memory import MemoryStore
from snnsim.recording.reader import FileSource
from snnsim.same import RECORDING, difference
from snnsim.target import check_disk, check_folder, reason

if TYPE_CHECKING:
    from snnsim.result import Result

_OTHERS = (".csv", ".json", ".mat", ".npy", ".npz", ".nwb", ".pdf", ".png", ".svg", ".txt", ".yaml", ".yml")


class Store(Protocol):
    """Where blocks go."""

    def spikes(self, population: str, *columns: NDArray[Any]) -> None: ...
    def rows(self, index: int, data: NDArray[np.floating]) -> None: ...
    def weights(self, index: int, *columns: NDArray[Any]) -> None: ...
    def commit(self, step: int) -> None: ...
    def finish(self, summary: Mapping[str, Any]) -> None: ...
    def close(self) -> None: ...
    def drop(self) -> None: ...


class Recorder:
    """Records a run.

    plan: what is recorded. out: a file (``out.h5``), a folder (``out/``: spikes.h5, a report file per variable,
    weights.h5, manifest.json, network.yaml) or None for memory. overwrite: replace what is there. compress: gzip +
    shuffle, for copies; libsonata cannot read that. Raises ``InputError`` before anything is computed where `out`
    cannot be written, and ``RunError`` when writing fails later.
    """

    def __init__(
        self, plan: RecordingPlan, out: str | Path | None = None, overwrite: bool = False, compress: bool = False
    ) -> None:
        self._anew = True
        if out is None:
            self._start(plan, None, [MemoryStore(plan)], (), plan.start)
            return
        paths = prepare(plan, out, overwrite)
        parts = place(plan, is_folder(out))
        files = [FileWriter.create(path, plan, part, compress) for path, part in zip(paths, parts, strict=True)]
        self._start(plan, Path(out), files, parts, plan.start)

    def _start(
        self, plan: RecordingPlan, out: Path | None, stores: list[Any], parts: Sequence[layout.FilePlan], step: int
    ) -> None:
        self.plan, self.out, self.step = plan, out, step
        self._stores: list[Store] = stores
        routes = list(zip(stores, parts, strict=False))
        self._spikes_to = {name: store for store, part in routes for name in part.spikes}
        self._rows_to = {index: store for store, part in routes for index in part.traces}
        self._weights_to = {index: store for store, part in routes for index in part.weights}
        self._rows = [0 if each.on_pre else step // each.every for each in plan.weights]
        self._chosen = {name: np.zeros(plan.populations[name], dtype=bool) for name in plan.subsets}
        for name, ids in plan.subsets.items():
            self._chosen[name][np.asarray(ids, dtype=np.int64)] = True
        self.counts = dict.fromkeys(plan.populations, 0)

    @classmethod
    def append(cls, out: str | Path, plan: RecordingPlan, from_step: int) -> Recorder:
        """Go on with the recording in `out` after `from_step`; later spikes and rows are dropped.

        Raises ``InputError`` where `out` records something else than `plan` or ends before `from_step`.
        """
        self = cls.__new__(cls)
        self._anew = False   # the file says what it said before, such as who began it
        sources = check_continues(out, plan.network_yaml, from_step)
        _check_layout(Path(out), sources, plan)
        parts = place(plan, is_folder(out))
        lengths = [source.lengths(from_step) for source in sources]
        files = [
            FileWriter.resume(source.path, part, known, from_step)
            for source, part, known in zip(sources, parts, lengths, strict=True)
        ]
        self._start(plan, Path(out), files, parts, from_step)
        self.counts.update(zip(parts[0].spikes, lengths[0], strict=False))
        return self

    def write_spikes(self, population: str, steps: ArrayLike, ids: ArrayLike, *payloads: ArrayLike) -> None:
        """Append a block of spikes, sorted by (step, id); a spike of step k is stamped k dt.

        payloads: what they carry, one array where the plan says that they do. Ids that are not recorded are left out.
        Raises ``RunError`` where the disk is full.
        """
        times = np.asarray(steps).astype(np.float64) * self.plan.dt
        columns = [times, *(np.array(column, dtype=np.int64) for column in (ids, *payloads))]
        if population in self._chosen:
            wanted = self._chosen[population][columns[1]]
            columns = [column[wanted] for column in columns]
        self.write_times(population, *columns)

    def write_times(self, population: str, *columns: NDArray[Any]) -> None:
        """Append a block of spikes: times in ms, ids, perhaps payloads; none is left out (for copies)."""
        if len(columns[0]):
            self._guard(lambda: self._spikes_to.get(population, self._stores[0]).spikes(population, *columns))
            self.counts[population] += len(columns[0])

    def write_trace(self, index: int, data: NDArray[np.floating]) -> None:
        """Append rows [T, N] of trace number `index` of the plan; the first row is the state after step `every`."""
        self._guard(lambda: self._rows_to.get(index, self._stores[0]).rows(index, data))

    def write_weights(self, index: int, block: Any) -> None:
        """Append to weights number `index` of the plan: rows [T, S], the first one after step `every`.

        Or, of what is sent, the arrays (step, position in the plan's synapses, weight), sorted by the first two.
        """
        plan = self.plan.weights[index]
        kind = np.float64 if plan.double else np.float32
        if plan.on_pre:
            step, position, weight = (np.array(column, of) for column, of in zip(block, (int, int, kind), strict=True))
            self.write_columns(index, step, plan.source[position], plan.target[position], weight)
            return
        rows = np.array(block, kind)
        first = self._rows[index] + 1
        self._rows[index] += len(rows)
        self.write_columns(index, np.arange(first, first + len(rows)) * plan.every, rows)

    def write_columns(self, index: int, *columns: NDArray[Any]) -> None:
        """Append to weights number `index` what another recording holds of them (for copies)."""
        if len(columns[0]):
            self._guard(lambda: self._weights_to.get(index, self._stores[0]).weights(index, *columns))

    def commit(self, step: int) -> None:
        """All up to `step` is complete: it reaches the file, and survives a kill from here on."""
        for store in list(self._stores):
            self._guard(lambda store=store: store.commit(step))  # type: ignore[misc]
        self.step = step

    def close(self, summary: Mapping[str, Any] | None = None) -> Result:
        """Mark the run as finished, with its `summary`, and give what was recorded."""
        for store in list(self._stores):
            self._guard(lambda store=store: store.finish(summary or {}))  # type: ignore[misc]
        return self._result(summary or {})

    def abort(self) -> Result:
        """Close an unfinished recording, cut to the last commit; it stays readable and can be resumed.

        Nothing is left to close after a write has failed.
        """
        for store in list(self._stores):
            self._guard(store.close)
        return self._result()

    def _result(self, summary: Mapping[str, Any] | None = None) -> Result:
        from snnsim.result import Result

        if self.out is None:
            return Result(self._stores)  # type: ignore[arg-type]
        if not (self._stores and self._anew):
            return Result(reader.sources(self.out, quiet=True), self.out)
        closed = [FileSource.closed(store, self.plan, summary) for store in self._stores]  # type: ignore[arg-type]
        return Result(closed, self.out)

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (OSError, RuntimeError) as error:
            if self.out is None:
                raise
            while self._stores:
                self._stores.pop().drop()
            saved = f"everything up to step {self.step} ({self.step * self.plan.dt:g} ms) is in the file"
            raise RunError(f"{self.out}: writing failed ({reason(error)}); {saved}") from error


def prepare(plan: RecordingPlan, out: str | Path, overwrite: bool) -> list[Path]:
    """The files of a recording, after every check that can be made before a run. A folder is made and described."""
    path, folder = Path(out), is_folder(out)
    parts = place(plan, folder)
    paths = [path / part.name if folder else path for part in parts]
    existing = [p for p in [*paths, *([path / MANIFEST, path / NETWORK_FILE] if folder else [])] if p.exists()]
    _check_name(out)
    _check_replaceable(existing, overwrite)
    check_folder(path)
    check_disk(path)
    for target in existing:
        target.unlink()
    if folder:
        path.mkdir(exist_ok=True)
        _describe(path, plan, parts)
    return paths


def check_out(out: str | Path, overwrite: bool) -> None:
    """As much of `prepare` as can be asked before the network is built; nothing is changed."""
    path, folder = Path(out), is_folder(out)
    _check_name(out)
    paths = [path / name for name in (SPIKES_FILE, MANIFEST, NETWORK_FILE)] if folder else [path]
    _check_replaceable([p for p in paths if p.exists()], overwrite)
    check_folder(path)
    check_disk(path)


def _check_name(out: str | Path) -> None:
    path = Path(out)
    if not str(out):
        raise InputError(Problem("out", "expected the name of a file or folder, found an empty text"))
    if not is_folder(out) or path.is_dir():
        return
    if path.exists() or path.suffix.lower() in _OTHERS:
        other = "another ending; `snnsim convert` writes other formats"
        what = "a file that is there already" if path.exists() else other
        raise InputError(Problem(str(out), f"expected a name ending in .h5, or a folder, found {what}"))


def _check_replaceable(existing: list[Path], overwrite: bool) -> None:
    for target in existing:
        if not overwrite:
            text = "exists already; choose another name, or overwrite=True to replace it"
            raise InputError(Problem(str(target), text))
        if running(target):
            raise InputError(Problem(str(target), "is being written by a running simulation"))


def _describe(folder: Path, plan: RecordingPlan, parts: list[layout.FilePlan]) -> None:
    placed = [(part.name, group, plan.traces[i]) for part in parts for i, group in part.traces.items()]
    reports = [
        {"file": name, "group": group, "population": trace.population, "variable": trace.variable}
        for name, group, trace in placed
    ]
    weights = [
        {"file": part.name, "group": group, "name": plan.weights[i].name, "projection": plan.weights[i].projection}
        for part in parts for i, group in part.weights.items()
    ]
    manifest = {"snnsim": layout.VERSION, "spikes": layout.SPIKES_FILE, "network": NETWORK_FILE, "reports": reports,
                "weights": weights}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    (folder / NETWORK_FILE).write_text(plan.network_yaml)


def check_continues(out: str | Path, network_yaml: str, from_step: int) -> list[Any]:
    """The files of the recording `out`; ``InputError`` where it cannot be continued by this network from this step."""
    sources = reader.sources(Path(out), quiet=True)
    if any(running(source.path) for source in sources):
        raise InputError(Problem(str(out), "is being written by a running simulation"))
    if differs := difference(sources[0].plan.network_yaml or "{}", network_yaml or "{}", RECORDING):
        raise InputError(Problem(str(out), f"is a recording of another network and cannot be continued: {differs}"))
    first, reached = sources[0].plan.start, min(source.step for source in sources)
    if not first <= from_step <= reached:
        text = f"holds steps {first + 1} to {reached} and cannot be continued from step {from_step} of the checkpoint"
        raise InputError(Problem(str(out), text))
    return sources


def _check_layout(out: Path, sources: list[Any], plan: RecordingPlan) -> None:
    same = [source.names for source in sources] == [part.names for part in place(plan, is_folder(out))]
    if not same or any(source.plan.dt != plan.dt for source in sources):
        raise InputError(Problem(str(out), "records other things than this run: it cannot be continued"))
