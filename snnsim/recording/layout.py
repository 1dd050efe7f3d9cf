"""What is recorded, and where it lies in an HDF5 file (SONATA spikes and reports, plus the group ``/snnsim``).

Source: SONATA data format (Dai et al. 2020, PLoS Comput. Biol. 16:e1007696) and what libsonata and BMTK demand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from snnsim.errors import InputError, Problem
from snnsim.recording.objects import describe, keep, make_column, make_group, mark_sorted

VERSION = "1"
SPIKE_CHUNK = 8192
ROW_CHUNK, UNIT_CHUNK, SUMMARY_CHUNK = 256, 1024, 4096
WEIGHT_BLOCK = 1 << 16  # numbers in a chunk of snapshots of weights
SPIKES_FILE, WEIGHTS_FILE = "spikes.h5", "weights.h5"
MANIFEST, NETWORK_FILE = "manifest.json", "network.yaml"
FILE_SUFFIXES = (".h5", ".hdf5", ".hdf", ".sonata")


@dataclass(frozen=True)
class TracePlan:
    """One recorded variable of one population: a row of `units` (ids [N]) every `every` steps, in `unit_text`.

    double: rows are kept in float64. libsonata reads float32 reports only, so such a trace lies under
    ``/snnsim/traces`` and not under ``/report``.
    """

    population: str
    variable: str
    units: NDArray[np.int64]
    every: int = 1
    unit_text: str = ""
    double: bool = False


@dataclass(frozen=True)
class WeightPlan:
    """Recorded weights of one projection, in `unit_text`.

    source, target: ids [S] of the units at the ends of each chosen synapse. on_pre: what each presynaptic event sends;
    else a row of all S weights every `every` steps. double: kept in float64, else in float32.
    """

    name: str
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    on_pre: bool
    every: int
    unit_text: str
    double: bool
    projection: str


@dataclass(frozen=True)
class RecordingPlan:
    """What a run records.

    dt: ms. populations: size of each population whose spikes are recorded. subsets: ids, where not all of its units
    are. network_yaml: the canonical network. provenance: seed, backend, versions, ...: anything JSON can say.
    start: the step after which recording begins, above 0 where a run goes on from a checkpoint without its recording.
    graded: populations whose spikes carry payloads.
    """

    dt: float
    populations: Mapping[str, int]
    traces: list[TracePlan] = field(default_factory=list)
    network_yaml: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    subsets: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    start: int = 0
    weights: list[WeightPlan] = field(default_factory=list)
    graded: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._check_traces()
        self._check_weights()

    def _check_traces(self) -> None:
        seen: set[tuple[str, str]] = set()
        for trace in self.traces:
            key = trace.population, trace.variable
            if key in seen:
                raise InputError(Problem("record.traces", f"{key[1]} of {key[0]} is recorded twice"))
            if not len(trace.units) or trace.every < 1:
                raise InputError(Problem("record.traces", f"{key[1]} of {key[0]}: expected units, and every >= 1 step"))
            seen.add(key)

    def _check_weights(self) -> None:
        names = [weights.name for weights in self.weights]
        for k, weights in enumerate(self.weights):
            place = f"record.weights.{weights.name}"
            if weights.name in names[:k]:
                raise InputError(Problem(place, "is there twice"))
            if not weights.on_pre and weights.every < 1:
                raise InputError(Problem(place, f"expected every >= 1 step, found {weights.every}"))

    def rows(self, trace: TracePlan | WeightPlan, step: int) -> int:
        """How many rows a trace, or snapshots of weights, have at the end of `step`."""
        return step // trace.every - self.start // trace.every

    def recorded(self, population: str) -> int:
        """How many units of `population` have their spikes recorded."""
        subset = self.subsets.get(population)
        return self.populations[population] if subset is None else len(subset)


@dataclass(frozen=True)
class FilePlan:
    """The part of a recording that goes to one file: populations, and the group of each trace and weights by index."""

    name: str
    spikes: list[str]
    traces: dict[int, str]
    weights: dict[int, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The groups with a committed length, in the order of ``/snnsim/committed``."""
        return [*(f"/spikes/{population}" for population in self.spikes), *self.traces.values(), *self.weights.values()]


def is_folder(out: str | Path) -> bool:
    """``folder/`` and existing folders are folders, and so is a name without an HDF5 suffix."""
    return str(out).endswith("/") or Path(out).is_dir() or Path(out).suffix.lower() not in FILE_SUFFIXES


def place(plan: RecordingPlan, folder: bool) -> list[FilePlan]:
    """How `plan` is laid out: one file, or ``spikes.h5``, one report file per variable, and ``weights.h5``."""
    weights = {index: f"/snnsim/weights/{each.name}" for index, each in enumerate(plan.weights)}
    if not folder:
        return [FilePlan("", list(plan.populations), _groups(plan, range(len(plan.traces))), weights)]
    variables = dict.fromkeys(trace.variable for trace in plan.traces)
    files = [FilePlan(SPIKES_FILE, list(plan.populations), {})]
    for variable in variables:
        name = f"{variable}.h5"
        name = f"{variable}_report.h5" if name in (SPIKES_FILE, WEIGHTS_FILE) else name
        chosen = [i for i, trace in enumerate(plan.traces) if trace.variable == variable]
        files.append(FilePlan(name, [], _groups(plan, chosen)))
    return [*files, FilePlan(WEIGHTS_FILE, [], {}, weights)] if weights else files


def as_stored(plan: RecordingPlan, part: FilePlan) -> RecordingPlan:
    """What the file of a part says of itself, which is what can be read from it."""
    ids = {name: np.asarray(plan.subsets[name], np.int64) for name in part.spikes if name in plan.subsets}
    return RecordingPlan(
        float(plan.dt), {name: int(plan.populations[name]) for name in part.spikes},
        [plan.traces[index] for index in part.traces], plan.network_yaml, json.loads(json.dumps(dict(plan.provenance))),
        ids, plan.start, [plan.weights[index] for index in part.weights], plan.graded.intersection(part.spikes),
    )


def _groups(plan: RecordingPlan, chosen: Iterable[int]) -> dict[int, str]:
    """libsonata reads one report per population and file: the first one lies there, the others are ours."""
    groups: dict[int, str] = {}
    for index in chosen:
        trace = plan.traces[index]
        report = f"/report/{trace.population}"
        ours = trace.double or report in groups.values()
        groups[index] = f"/snnsim/traces/{trace.population}/{trace.variable}" if ours else report
    return groups


def create(file: h5py.File, plan: RecordingPlan, part: FilePlan, compress: bool = False) -> list[list[h5py.Dataset]]:
    """Make every group, data set and attribute of `part`; nothing can be added once SWMR mode is on.

    Returns the data sets that grow, as ``columns``, of each group with a committed length.
    """
    describe(file, magic=np.uint32(0x0A7A), version=np.array([0, 1], dtype=np.uint32))
    _create_snnsim(file, plan, part)
    return [
        *(_create_spikes(file, plan, population, compress) for population in part.spikes),
        *(_create_trace(make_group(file, group), plan.traces[k], plan, compress) for k, group in part.traces.items()),
        *(_create_weights(make_group(file, group), plan.weights[k], compress) for k, group in part.weights.items()),
    ]


def _create_snnsim(file: h5py.File, plan: RecordingPlan, part: FilePlan) -> None:
    ours = make_group(file, "snnsim")
    describe(ours, spec_version=VERSION, dt_ms=np.float64(plan.dt), network_yaml=plan.network_yaml,
             provenance=json.dumps(dict(plan.provenance)), start_step=np.int64(plan.start), finished=np.uint8(0))
    committed = keep(ours, "committed", np.array([*[0] * len(part.names), plan.start], np.int64))
    describe(committed, names=json.dumps([*part.names, "step"]))
    make_column(ours, "summary", "u1", (SUMMARY_CHUNK,), (), False)


def _create_spikes(file: h5py.File, plan: RecordingPlan, population: str, compress: bool) -> list[h5py.Dataset]:
    group = make_group(file, f"spikes/{population}")
    mark_sorted(group)
    describe(group, n_nodes=np.uint64(plan.populations[population]))
    kinds = {"timestamps": "f8", "node_ids": "u8"} | ({"payloads": "i4"} if population in plan.graded else {})
    made = [make_column(group, name, kind, (SPIKE_CHUNK,), (), compress) for name, kind in kinds.items()]
    describe(made[0], units="ms")
    if population in plan.subsets:
        keep(file, f"snnsim/recorded/{population}", np.asarray(plan.subsets[population], dtype="u8"))
    return made


def _create_trace(group: h5py.Group, trace: TracePlan, plan: RecordingPlan, compress: bool) -> list[h5py.Dataset]:
    n, step = len(trace.units), trace.every * plan.dt
    first = (plan.start // trace.every + 1) * step
    describe(group, every=np.uint64(trace.every), population=trace.population)
    chunks = ROW_CHUNK, min(n, UNIT_CHUNK)
    data = make_column(group, "data", "f8" if trace.double else "f4", chunks, (n,), compress)
    describe(data, units=trace.unit_text, variable=trace.variable)
    mapping = make_group(group, "mapping")
    ids = keep(mapping, "node_ids", np.asarray(trace.units, dtype="u8"))
    describe(ids, sorted=np.uint8(np.all(np.diff(trace.units) > 0)))
    mapping["index_pointer"] = keep(mapping, "index_pointers", np.arange(n + 1, dtype="u8"))
    keep(mapping, "element_ids", np.zeros(n, dtype="u4"))
    keep(mapping, "element_pos", np.zeros(n, dtype="f4"))
    describe(keep(mapping, "time", np.array([first, first, step])), units="ms")
    return [data]


def _create_weights(group: h5py.Group, plan: WeightPlan, compress: bool) -> list[h5py.Dataset]:
    """Each row of what is sent says its ends; the chosen synapses stand beside, since some may send nothing."""
    describe(group, unit=plan.unit_text, projection=plan.projection, every=np.uint64(0 if plan.on_pre else plan.every))
    growing = {"step": "i8"} | ({"source": "u8", "target": "u8"} if plan.on_pre else {})
    made = [make_column(group, name, kind, (SPIKE_CHUNK,), (), compress) for name, kind in growing.items()]
    n, kind = len(plan.source), "f8" if plan.double else "f4"
    wide = -(-n // -(-n // WEIGHT_BLOCK))
    chunks, rest = ((SPIKE_CHUNK,), ()) if plan.on_pre else ((min(ROW_CHUNK, WEIGHT_BLOCK // wide), wide), (n,))
    made.append(make_column(group, "weight", kind, chunks, rest, compress))
    synapses = make_group(group, "synapses") if plan.on_pre else group
    keep(synapses, "source", np.asarray(plan.source, dtype="u8"))
    keep(synapses, "target", np.asarray(plan.target, dtype="u8"))
    return made


def stop_time(group: h5py.Group, rows: int) -> None:
    """Write where a trace of `rows` rows ends."""
    start, _, step = group["mapping/time"][:]
    group["mapping/time"][1] = start + rows * step


def names(file: h5py.File) -> list[str]:
    """The groups with a committed length, in order."""
    return json.loads(file["snnsim/committed"].attrs["names"])[:-1]


def is_spikes(name: str) -> bool:
    """Whether a group with a committed length holds spikes."""
    return name.startswith("/spikes/")


def is_weights(name: str) -> bool:
    """Whether it holds weights."""
    return name.startswith("/snnsim/weights/")


def is_trace(name: str) -> bool:
    """Whether it holds rows of a trace."""
    return not is_spikes(name) and not is_weights(name)


def columns(group: h5py.Group) -> list[h5py.Dataset]:
    """The data sets of a group that grow; the first one says when, but for a trace."""
    if "timestamps" in group:
        return [group[name] for name in ("timestamps", "node_ids", "payloads") if name in group]
    if "step" in group:
        ends = [] if group.attrs["every"] else [group["source"], group["target"]]
        return [group["step"], *ends, group["weight"]]
    return [group["data"]]
