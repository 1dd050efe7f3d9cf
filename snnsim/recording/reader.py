"""Recordings on disk, finished, running or killed, read up to their last commit without changing them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from snnsim.errors import InputError, Problem
from snnsim.recording import layout, superblock
from snnsim.recording.filewriter import FileWriter, running
from snnsim.recording.layout import MANIFEST, SPIKES_FILE, RecordingPlan, TracePlan, WeightPlan


class UnfinishedWarning(UserWarning):
    """A file was read that its run did not finish."""


def sources(path: Path, quiet: bool = False) -> list[FileSource]:
    """The files of a recording: one, or those that the manifest of a folder names.

    Warns (``UnfinishedWarning``) about a killed run unless `quiet`. Raises ``InputError`` where it cannot be read.
    """
    files = [path]
    if path.is_dir():
        if not (path / MANIFEST).is_file():
            raise InputError(Problem(str(path), f"expected a recording, found a folder without {MANIFEST}"))
        manifest = json.loads((path / MANIFEST).read_text())
        others = [each["file"] for key in ("reports", "weights") for each in manifest.get(key, ())]
        files = [path / name for name in dict.fromkeys([SPIKES_FILE, *others])]
    found = [FileSource(file) for file in files]
    killed = any(source.killed for source in found)
    if killed and not quiet:
        step = min(source.step for source in found)
        warnings.warn(_killed_text(path, step, found[0].plan.dt), UnfinishedWarning, stacklevel=3)
    return found


def _killed_text(path: Path, step: int, dt: float) -> str:
    return (
        f"{path}: the run that wrote this did not finish; read up to its last commit, step {step} ({step * dt:g} ms), "
        f"recovered in memory (`snnsim recover {path}` makes the file whole)"
    )


class FileSource:
    """One HDF5 file. It is opened for each access only, so that nothing stays locked and a running file can grow.

    path: the file. plan: what it records. names: its groups in the order of the committed lengths. step: the last
    committed step. finished, running, killed: in which state the run left it.
    """

    def __init__(self, path: Path) -> None:
        self._begin(path)
        with self._file() as file:
            if "spikes" not in file and "snnsim" not in file:
                text = "expected a recording of spikes, found an HDF5 file without /spikes"
                raise InputError(Problem(str(path), text))
            self._foreign = "snnsim" not in file
            if self._foreign:
                _check_foreign(file, path)
            names = [f"/spikes/{name}" for name in file["spikes"]] if self._foreign else layout.names(file)
            self._name(names)
            self.plan = _foreign_plan(file) if self._foreign else _plan(file, self.names)
            self._read_state(file)

    @classmethod
    def closed(cls, writer: FileWriter, plan: RecordingPlan, summary: Mapping[str, Any] | None) -> FileSource:
        """The same of what `writer` has just closed, without a look at it. plan: of the recording; summary: if any."""
        self = cls.__new__(cls)
        self._begin(writer.path)
        self._name(writer.part.names)
        self.plan = layout.as_stored(plan, writer.part)
        self._lengths, self.step = list(writer.committed), writer.step
        if summary is not None:
            self.finished, self.summary = True, json.loads(json.dumps(dict(summary)))
        return self

    def _begin(self, path: Path) -> None:
        self.path, self.running, self.killed, self._foreign = path, False, False, False
        self.step, self.finished = 0, False
        self.summary: dict[str, Any] = {}

    def _name(self, names: list[str]) -> None:
        self.names = names
        self._traces, self._weights = (list(filter(f, names)) for f in (layout.is_trace, layout.is_weights))

    @contextmanager
    def _file(self) -> Iterator[h5py.File]:
        flags = superblock.flags(self.path)
        self.running = running(self.path)
        view = superblock.CleanView(self.path) if flags and not flags & superblock.SWMR else None
        try:
            with h5py.File(view or self.path, "r", swmr=bool(flags & superblock.SWMR)) as file:
                yield file
        except (OSError, KeyError, RuntimeError) as error:
            hint = "the run was killed before its first commit" if flags else "the file is damaged"
            raise InputError(Problem(str(self.path), f"cannot be read: {hint} ({error})")) from error
        finally:
            if view:
                view.close()

    def refresh(self) -> None:
        """See what a running simulation has committed since."""
        with self._file() as file:
            self._read_state(file)

    def _read_state(self, file: h5py.File) -> None:
        if self._foreign:
            self._lengths, self.finished = [len(file[f"{name}/timestamps"]) for name in self.names], True
            return
        self._lengths, self.step = _committed(file["snnsim/committed"])
        self.finished = bool(file["snnsim"].attrs["finished"])
        self.killed = bool(superblock.flags(self.path)) and not self.running and not self.finished
        text = bytes(file["snnsim/summary"][:]) if self.finished else b""
        self.summary = json.loads(text) if text else {}

    def lengths(self, step: int) -> list[int]:
        """How long each group is at the end of `step`."""
        with self._file() as file:
            return [self._length(file, slot, step) for slot in range(len(self.names))]

    def _length(self, file: h5py.File, slot: int, step: int) -> int:
        name, length = self.names[slot], self._lengths[slot]
        if layout.is_trace(name):
            return min(length, self.plan.rows(self.plan.traces[self._traces.index(name)], step))
        times = layout.columns(file[name])[0]
        limit = step if layout.is_weights(name) else (step + 0.5) * self.plan.dt
        if self._foreign or not length or times[length - 1] <= limit:
            return length
        return _bisect(times, length, limit)

    def cut(self, step: int) -> None:
        """Read no further than `step`, where another file of the same recording ends."""
        if step < self.step:
            self._lengths, self.step = self.lengths(step), step

    def count(self, population: str) -> int:
        """Number of spikes."""
        return self._lengths[self.names.index(f"/spikes/{population}")]

    def read_spikes(self, population: str, lo: int = 0, hi: int | None = None) -> tuple[Any, Any]:
        """Spikes number `lo` to `hi`: times in ms (float64) and ids (int64)."""
        lo, hi, _ = slice(lo, hi).indices(self.count(population))
        with self._file() as file:
            times, ids, *_ = layout.columns(file[f"/spikes/{population}"])
            return times[lo:hi].astype(np.float64, copy=False), ids[lo:hi].astype(np.uint64, copy=False).view(np.int64)

    def read_payloads(self, population: str, lo: int = 0, hi: int | None = None) -> NDArray[np.int64]:
        """What spikes number `lo` to `hi` carry, 1 where that is nothing."""
        lo, hi, _ = slice(lo, hi).indices(self.count(population))
        if population not in self.plan.graded:
            return np.ones(max(0, hi - lo), np.int64)
        with self._file() as file:
            return file[f"/spikes/{population}/payloads"][lo:hi].astype(np.int64)

    def read_rows(self, index: int, lo: int = 0, hi: int | None = None) -> NDArray[np.floating]:
        """Rows number `lo` to `hi` of trace number `index`."""
        name = self._traces[index]
        lo, hi, _ = slice(lo, hi).indices(self._lengths[self.names.index(name)])
        with self._file() as file:
            return file[name]["data"][lo:hi]

    def count_weights(self, index: int) -> int:
        """Number of rows of weights number `index`."""
        return self._lengths[self.names.index(self._weights[index])]

    def read_weights(self, index: int, lo: int = 0, hi: int | None = None) -> tuple[NDArray[Any], ...]:
        """Rows number `lo` to `hi` of weights number `index`, column by column; steps and ids are int64."""
        lo, hi, _ = slice(lo, hi).indices(self.count_weights(index))
        with self._file() as file:
            *whole, weight = (column[lo:hi] for column in layout.columns(file[self._weights[index]]))
        return (*(column.astype(np.int64, copy=False) for column in whole), weight)


def _committed(data: h5py.Dataset) -> tuple[list[int], int]:
    """Read until two readings agree: a running simulation may be writing just now."""
    last = data[:]
    while True:
        data.id.refresh()
        if np.array_equal(now := data[:], last):
            return [int(n) for n in now[:-1]], int(now[-1])
        last = now


def _bisect(times: h5py.Dataset, length: int, limit: float) -> int:
    lo, hi = 0, length
    while lo < hi:
        middle = (lo + hi) // 2
        lo, hi = (middle + 1, hi) if times[middle] <= limit else (lo, middle)
    return lo


def _plan(file: h5py.File, names: list[str]) -> RecordingPlan:
    ours = file["snnsim"]
    populations = [name.removeprefix("/spikes/") for name in names if layout.is_spikes(name)]
    return RecordingPlan(
        dt=float(ours.attrs["dt_ms"]),
        populations={name: int(file[f"spikes/{name}"].attrs["n_nodes"]) for name in populations},
        traces=[_trace(file[name]) for name in names if layout.is_trace(name)],
        network_yaml=ours.attrs["network_yaml"],
        provenance=json.loads(ours.attrs["provenance"]),
        subsets={name: data[:].astype(np.int64) for name, data in ours.get("recorded", {}).items()},
        start=int(ours.attrs.get("start_step", 0)),
        weights=[_weights(file[name]) for name in names if layout.is_weights(name)],
        graded=frozenset(name for name in populations if "payloads" in file[f"spikes/{name}"]),
    )


def _trace(group: h5py.Group) -> TracePlan:
    data = group["data"]
    units = group["mapping/node_ids"][:].astype(np.int64)
    every, double = int(group.attrs["every"]), data.dtype == np.float64
    return TracePlan(group.attrs["population"], data.attrs["variable"], units, every, data.attrs["units"], double)


def _weights(group: h5py.Group) -> WeightPlan:
    every, weight = int(group.attrs["every"]), group["weight"]
    synapses = group if every else group["synapses"]
    source, target = (synapses[name][:].astype(np.int64) for name in ("source", "target"))
    name, double = group.name.rsplit("/", 1)[1], weight.dtype == np.float64
    return WeightPlan(name, source, target, not every, every, group.attrs["unit"], double, group.attrs["projection"])


def _check_foreign(file: h5py.File, path: Path) -> None:
    """``InputError`` for a file of another program whose spikes are not in the SONATA layout."""
    text, spikes = "", file["spikes"]
    if file.attrs.get("format") == "snnsim-lava-run":
        text = ("expected a recording, found what run.py of a bundle wrote: /spikes/{step, unit, payload} over all "
                "groups; read it with h5py, or record with `snnsim run CONFIG --backend lava -o FILE`")
    elif not isinstance(spikes, h5py.Group):
        text = "expected a group for each population in /spikes, as SONATA has them, found a dataset"
    else:
        others = [name for name, group in spikes.items()
                  if not (isinstance(group, h5py.Group) and {"node_ids", "timestamps"} <= group.keys())]
        if others:
            text = f"expected node_ids and timestamps in /spikes/{others[0]}, as SONATA has them, found something else"
    if text:
        raise InputError(Problem(str(path), text))


def _foreign_plan(file: h5py.File) -> RecordingPlan:
    """What the spikes of another program's SONATA file say of themselves: no time step, perhaps no sizes."""
    sizes = {name: _size(group) for name, group in file["spikes"].items()}
    return RecordingPlan(dt=float("nan"), populations=sizes)


def _size(group: h5py.Group) -> int:
    if "n_nodes" in group.attrs:
        return int(group.attrs["n_nodes"])
    return int(group["node_ids"][:].max()) + 1 if len(group["node_ids"]) else 0
