"""Runs a fixed-point network, the file graph.h5, with Lava 0.10; needs lava-nc, numpy, scipy and h5py, and not snnsim.

    python run.py --steps 1000 -o out.h5 [--arrivals arrivals.h5]     graph.h5 and arrivals.h5 lie beside the script
    python runner.py serve FOLDER                                     one JSON object per line in, one per line out

The result holds /spikes/{step, unit, payload} (units counted over all groups), /traces/K [rows, units],
/states/GROUP/STATE after the last step, and /weights/K/{weight, tag_1, tag_2} of connections that learn. Steps count
from 1.

All units of one model are one Lava process, and all synapses with the same settings between two such processes are one,
so a network of many layers still is a handful of operating-system processes. Linux and macOS, as Lava itself.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import importlib
import importlib.metadata
import json
import mmap
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import h5py
import numpy as np
from scipy.sparse import csr_matrix


class GraphError(Exception):
    """A file or a request that cannot be run as it is."""


class LavaError(Exception):
    """Lava, or one of its processes, failed."""


class HungUp(Exception):
    """Whoever asked is gone."""


# --- The models, and what Lava calls them -----------------------------------------------------------------------------


class Model(NamedTuple):
    """A process of Lava. params: what may differ between its units; split: what Lava takes once for all of them."""

    process: str
    states: str
    params: str
    split: str = ""
    ports: dict[str, str] = {"in": "a_in"}  # noqa: RUF012


LIF = "du dv bias_mant bias_exp"
ADAPTIVE = "delta_i delta_v delta_theta delta_r theta_0"
CODED = "act residue error"
RESONATOR = ("real imag", "period alpha vth", "state_exp decay_bits", {"real": "a_real_in", "imag": "a_imag_in"})
MODELS = {
    "loihi_lif": Model("LIF", "u v", f"{LIF} vth"),
    "loihi_lif_reset": Model("LIFReset", "u v phase", f"{LIF} vth", "reset_interval reset_offset"),
    "loihi_ternary_lif": Model("TernaryLIF", "u v", f"{LIF} vth_hi vth_lo"),
    "loihi_atrlif": Model("ATRLIF", "i v theta r", f"{ADAPTIVE} bias_mant bias_exp", "theta_step"),
    "loihi_sigma_delta": Model("SigmaDelta", f"sigma {CODED}", "vth bias spike_exp state_exp", "cum_error relu"),
    "loihi_delta": Model("Delta", CODED, "vth spike_exp state_exp", "cum_error"),
    "loihi_sigma": Model("Sigma", "sigma", ""),
    "loihi_rf": Model("RF", *RESONATOR),
    "loihi_rf_iz": Model("RF_IZ", *RESONATOR),
    "loihi_graded": Model("GradedVec", "", "vth"),
    "loihi_graded_relu": Model("GradedReluVec", "", "vth"),
    "loihi_product": Model("ProdNeuron", "", "vth shift", ports={"in1": "a_in1", "in2": "a_in2"}),
}
SOURCES = ("spike_times", "poisson", "relay")  # the host makes their spikes
FRACTIONS = ("delta_i", "delta_v", "delta_theta", "delta_r", "period", "alpha")
SIGN_MODES = ("mixed", "excitatory", "inhibitory")
ANY_NUMBER = ("theta_0", "theta_step")  # Lava cuts them to 1/64

# --- The graph --------------------------------------------------------------------------------------------------------


@dataclass
class Group:
    """params, initial: an array [n] per name. first: the number of the first unit in the whole graph."""

    number: int
    name: str
    n: int
    model: str
    params: dict[str, np.ndarray]
    initial: dict[str, np.ndarray]
    ports: list[str]
    first: int

    def values(self, name: str) -> np.ndarray:
        """The parameter `name` [n] as Lava needs it: whole numbers, or real ones where it takes fractions."""
        if name not in self.params:
            raise GraphError(f"group {self.name}: expected the parameter {name} of {self.model}, found none")
        values = self.params[name]
        if name in FRACTIONS:
            return values.astype(np.float64)
        whole = values.astype(np.int64)
        if np.array_equal(whole, values):
            return whole
        if name in ANY_NUMBER:
            return values
        raise GraphError(f"group {self.name}: {name}: expected whole numbers, found {values[whole != values][0]}")


@dataclass
class Connection:
    """Synapses [S] from units `pre` to units `post`, both counted over the whole graph."""

    number: int
    label: str
    source: Group
    target: Group
    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    settings: dict[str, Any]
    learning: dict[str, Any] | None

    def refuse(self, why: str) -> GraphError:
        return GraphError(f"connection {self.label}: {why}")


@dataclass
class Graph:
    groups: list[Group]
    connections: list[Connection]
    traces: list[dict[str, Any]]
    recorded: dict[int, np.ndarray]

    @property
    def units(self) -> int:
        return sum(group.n for group in self.groups)


def read_graph(path: Path) -> Graph:
    """The graph of a file of snnsim; ``GraphError`` where it is damaged or cannot run in Lava."""
    try:
        with h5py.File(path, "r") as file:
            check_kind(file)
            groups = read_groups(file)
            if not sum(group.n for group in groups):
                raise GraphError(f"{path}: expected a graph with units, found none")
            return Graph(groups, [read_connection(at, k, groups) for k, at in numbered(file, "connections")],
                         [{**at.attrs, "units": at["units"][()]} for _, at in numbered(file, "traces")],
                         {int(k): units[()] for k, units in file.get("recorded", {}).items()})
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise GraphError(f"{path}: {error}") from error


def check_kind(file: Any) -> None:
    if file.attrs.get("format") != "snnsim-graph" or file.attrs.get("version") != 1:
        raise GraphError(f"{file.filename}: expected a graph of version 1, found {file.attrs.get('format')!r}, "
                         f"version {file.attrs.get('version')}")
    if file.attrs["semantics"] != "lava010":
        raise GraphError(f"{file.filename}: Lava has no rules of {file.attrs['semantics']}, only those of lava010")


def numbered(file: Any, part: str) -> list[tuple[int, Any]]:
    return [(k, file[part][str(k)]) for k in range(len(file.get(part, ())))]


def read_groups(file: Any) -> list[Group]:
    groups: list[Group] = []
    for k, at in numbered(file, "groups"):
        name, n, model = str(at.attrs["name"]), int(at.attrs["n"]), str(at.attrs["model"])
        if model not in MODELS and model not in SOURCES:
            raise GraphError(f"group {name}: Lava has no model {model}; it has {', '.join(MODELS)}")
        params, initial = ({key: np.broadcast_to(value[()], n) for key, value in at[kind].items()}
                           for kind in ("params", "initial"))
        first = groups[-1].first + groups[-1].n if groups else 0
        groups.append(Group(k, name, n, model, params, initial, json.loads(at.attrs["ports"]), first))
    return groups


def read_connection(at: Any, number: int, groups: list[Group]) -> Connection:
    names = ("port", "weight_exp", "num_weight_bits", "sign_mode", "num_message_bits")
    settings = {name: at.attrs[name] if isinstance(at.attrs[name], str) else int(at.attrs[name]) for name in names}
    source, target = groups[at.attrs["source"]], groups[at.attrs["target"]]
    pre, post, weight, delay = (at[name][()].astype(np.int64) for name in ("pre", "post", "weight", "delay"))
    learning = json.loads(at.attrs["learning"]) if "learning" in at.attrs else None
    connection = Connection(number, str(at.attrs["label"]), source, target, pre + source.first, post + target.first,
                            weight, delay, settings, learning)
    check_connection(connection)
    return connection


def check_connection(connection: Connection) -> None:
    """Refuse what Lava would take without a word, or what would break one of its processes."""
    target, port = connection.target, connection.settings["port"]
    if target.model in SOURCES:
        raise connection.refuse(f"{target.model} sends what the host gives it, and receives nothing in Lava")
    if port not in MODELS[target.model].ports:
        raise connection.refuse(f"{target.model} has no port {port}; it has {', '.join(MODELS[target.model].ports)}")
    for name, units, group in (("pre", connection.pre, connection.source), ("post", connection.post, target)):
        if units.size and not 0 <= units.min() - group.first <= units.max() - group.first < group.n:
            raise connection.refuse(f"{name}: expected units 0 to {group.n - 1} of {group.name}, found others")
    if connection.settings["sign_mode"] not in SIGN_MODES:
        raise connection.refuse(f"sign_mode: expected one of {', '.join(SIGN_MODES)}, "
                                f"found {connection.settings['sign_mode']}")
    if connection.delay.size and not 1 <= connection.delay.min() <= connection.delay.max() <= 64:
        raise connection.refuse(f"expected delays of 1 to 64 steps, found {connection.delay.min()} to "
                                f"{connection.delay.max()}")


# --- Lava -------------------------------------------------------------------------------------------------------------

PROCESSES = {"lif": "LIF LIFReset TernaryLIF", "atrlif": "ATRLIF", "sdn": "SigmaDelta Delta Sigma", "rf": "RF",
             "rf_iz": "RF_IZ", "graded": "GradedVec GradedReluVec", "prodneuron": "ProdNeuron",
             "sparse": "Sparse DelaySparse", "dense": "LearningDense"}
PARTS = {"magma.core.process.process": "AbstractProcess", "magma.core.process.ports.ports": "InPort OutPort",
         "magma.core.model.py.model": "PyLoihiProcessModel", "magma.core.model.py.type": "LavaPyType",
         "magma.core.model.py.ports": "PyInPort PyOutPort", "magma.core.resources": "CPU",
         "magma.core.sync.protocols.loihi_protocol": "LoihiProtocol", "magma.core.run_configs": "Loihi2SimCfg",
         "magma.core.run_conditions": "RunSteps", "magma.runtime.mgmt_token_enums": "MGMT_RESPONSE",
         "magma.core.learning.learning_rule": "Loihi2FLearningRule",
         "magma.compiler.compiler": "Compiler", "magma.compiler.compiler_graphs": "ProcGroupDiGraphs",
         "utils.weightutils": "SignMode", "proc.sdn.process": "ActivationMode"}


def import_lava() -> SimpleNamespace:
    """What is used of Lava, by name; `models` has the fixed-point process model of each process class."""
    found: dict[str, Any] = {"models": {}}
    try:
        with hashable_dataclasses():
            for module, names in PARTS.items():
                at = importlib.import_module(f"lava.{module}")
                found.update({name: getattr(at, name) for name in names.split()})
            for module, names in PROCESSES.items():
                at, models = (importlib.import_module(f"lava.proc.{module}.{part}") for part in ("process", "models"))
                for name in names.split():
                    found[name] = getattr(at, name)
                    found["models"][found[name]] = fixed_point_model(models, found[name])
    except Exception as error:
        raise LavaError(f"Lava cannot be imported: {last_line(error)}; expected lava-nc 0.10.0") from error
    return SimpleNamespace(**found)


def fixed_point_model(models: Any, process: Any) -> Any:
    return next(model for model in vars(models).values()
                if getattr(model, "implements_process", None) is process and "fixed_pt" in model.tags)


@contextlib.contextmanager
def hashable_dataclasses() -> Iterator[None]:
    """Give Lava's data classes a hash while it is imported: some are defaults of others, refused since Python 3.11."""
    plain: Any = dataclasses.dataclass

    def hashable(cls: Any = None, /, **options: Any) -> Any:
        def wrap(cls: Any) -> Any:
            return plain(cls, **({"unsafe_hash": True} if cls.__module__.startswith("lava.") else {}), **options)

        return wrap if cls is None else wrap(cls)

    dataclasses.dataclass = hashable
    try:
        yield
    finally:
        dataclasses.dataclass = plain


def last_line(error: BaseException) -> str:
    return " ".join("".join(traceback.format_exception_only(type(error), error)).split())


# --- What Lava's processes share with this one ------------------------------------------------------------------------


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


@dataclass
class Feed:
    """What the host adds to ports, all in one row: `spans` of it are ports, `spikes` are units of sources."""

    clock: Clock
    folder: Path
    spans: list[slice]
    spikes: np.ndarray
    rows: np.ndarray = field(default_factory=lambda: np.zeros((3, 0), np.int64))

    @property
    def path(self) -> Path:
        return self.folder / f"arrivals-{self.clock.first}.npy"

    def give(self, rows: np.ndarray) -> None:
        """Put down step, place and weight [3, arrivals] for the coming run."""
        if rows.size:
            np.save(self.path, rows)

    def at(self, step: int) -> np.ndarray:
        if step == self.clock.first:
            self.rows = np.load(self.path, mmap_mode="r") if self.path.exists() else np.zeros((3, 0), np.int64)
        begin, end = np.searchsorted(self.rows[0], [step, step + 1])
        amounts = np.zeros(self.spans[-1].stop, np.int64)
        np.add.at(amounts, self.rows[1, begin:end], self.rows[2, begin:end])
        return np.where(self.spikes, np.maximum(amounts, 0), amounts)


# --- What runs in Lava's processes: mixed into process models of Lava -------------------------------------------------


class Watched:
    """A neuron model that writes down its states."""

    time_step: int
    proc_params: Any

    def run_spk(self) -> None:
        super().run_spk()  # type: ignore[misc]
        self.proc_params["log"].step(self)


class Resets(Watched):
    """LIFReset, which looks at the step and keeps no count; `phase` is the step modulo its interval."""

    @property
    def phase(self) -> np.ndarray:
        return np.full(self.v.size, self.time_step % self.reset_interval)  # type: ignore[attr-defined]


class Learns(Watched):
    """A connection that learns where it has synapses; Lava's own would make one of every pair of units."""

    def run_spk(self) -> None:
        super(Watched, self).run_spk()  # type: ignore[misc]
        if not self.lrn_guard():  # type: ignore[attr-defined]
            self.proc_params["log"].step(self)

    def run_lrn(self) -> None:
        super().run_lrn()  # type: ignore[misc]
        for name in ("weights", "tag_1", "tag_2"):
            setattr(self, name, getattr(self, name) * self.proc_params["synapses"])
        self.proc_params["log"].step(self)


class Keeps:
    """Delayed synapses, whose matrix Lava would build anew in each step."""

    kept: Any = None

    def get_delay_wgts_mat(self, *matrices: Any) -> Any:
        if self.kept is None:
            self.kept = super().get_delay_wgts_mat(*matrices).tocsr()  # type: ignore[misc]
        return self.kept


class Gives:
    """The host's side: spikes of sources, and what is added to ports."""

    time_step: int
    proc_params: Any

    def run_spk(self) -> None:
        feed = self.proc_params["feed"]
        amounts = feed.at(self.time_step)
        for k, span in enumerate(feed.spans):
            getattr(self, f"port_{k}").send(amounts[span])


class Takes:
    """The host's side: the spikes that are recorded."""

    time_step: int
    proc_params: Any

    def run_spk(self) -> None:
        found = []
        for k, units in enumerate(self.proc_params["units"]):
            payload = getattr(self, f"port_{k}").recv()
            slots = np.flatnonzero(payload * (units >= 0))
            found.append(np.stack([np.full(slots.size, self.time_step), units[slots], payload[slots]], axis=1))
        self.proc_params["rows"].add(self.time_step, np.concatenate(found))


# --- From the graph to Lava's processes -------------------------------------------------------------------------------


@dataclass
class Pool:
    """Units that are one process of Lava, or one port of the host. parts: groups, and which of their units."""

    model: Model | None
    fixed: dict[str, int]
    parts: list[tuple[Group, np.ndarray]] = field(default_factory=list)
    out: Any = None
    log: Any = None

    @property
    def units(self) -> np.ndarray:
        return np.concatenate([group.first + units for group, units in self.parts])

    def values(self, name: str) -> Any:
        """A parameter: one number where all units have the same, else an array."""
        values = np.concatenate([group.values(name)[units] for group, units in self.parts])
        return values[0].item() if (values == values[0]).all() else values

    def initial(self, name: str) -> np.ndarray:
        return np.concatenate([group.initial.get(name, np.zeros(group.n, int))[units] for group, units in self.parts])


def make_pools(graph: Graph) -> list[Pool]:
    """Units of one model in one pool; groups that learn apart: Lava's learning synapses join whole processes."""
    learning = {id(group) for each in graph.connections if each.learning for group in (each.source, each.target)}
    pools: dict[Any, Pool] = {}
    for group in graph.groups:
        model = MODELS.get(group.model)
        names = model.split.split() if model else []
        rows, kind = np.unique(np.array([np.zeros(group.n, np.int64), *(group.values(name) for name in names)]), axis=1,
                               return_inverse=True)
        for k, row in enumerate(rows.T.tolist()):
            key = (group.model if model else "host", *row, group.number if id(group) in learning else -1)
            pool = pools.setdefault(key, Pool(model, dict(zip(names, row[1:], strict=True))))
            pool.parts.append((group, np.flatnonzero(kind.ravel() == k)))
    return list(pools.values())


class Network:
    """The processes of Lava for a graph, connected, and everything that is shared with them."""

    def __init__(self, lava: SimpleNamespace, graph: Graph, folder: Path) -> None:
        self.lava, self.graph, self.folder, self.clock = lava, graph, folder, Clock()
        self.pools = make_pools(graph)
        self.pool_of, self.slot_of = np.zeros((2, graph.units), np.int64)
        for k, pool in enumerate(self.pools):
            self.pool_of[pool.units], self.slot_of[pool.units] = k, np.arange(pool.units.size)
        self.inputs: dict[tuple[int, str], Any] = {}  # port of a pool -> port in Lava
        self.models: dict[Any, Any] = {}
        self.learned: dict[int, Log] = {}
        for k, pool in enumerate(self.pools):
            self.add_neurons(k, pool)
        self.add_host()
        self.add_connections()
        self.add_recording()

    def mixed(self, mixin: type, process: Any) -> None:
        """Let `process` run its fixed-point model with `mixin` in front."""
        base = self.lava.models[type(process)]
        self.models[type(process)] = type(mixin.__name__ + base.__name__, (mixin, base), {})

    def add_neurons(self, number: int, pool: Pool) -> None:
        if pool.model is None:
            self.inputs[number, ""] = None
            return
        process = make_neurons(self.lava, pool)
        names = pool.model.states.split()
        pool.log = Log(self.clock, names, slice(None), shared(len(names), pool.units.size))
        pool.out = process.s_out
        process.proc_params["log"] = pool.log
        self.mixed(Resets if "phase" in names else Watched, process)
        self.inputs.update({(number, name): getattr(process, port) for name, port in pool.model.ports.items()})

    def add_host(self) -> None:
        """One process that sends to every port, and from every source."""
        sizes = [self.pools[number].units.size for number, _ in self.inputs]
        ends = np.cumsum([0, *sizes]).tolist()
        spikes = np.repeat([not name for _, name in self.inputs], sizes)
        spans = [slice(*span) for span in pairwise(ends)]
        self.feed = Feed(self.clock, self.folder, spans, spikes)
        self.host = self.host_process("Host", Gives, self.lava.OutPort, self.lava.PyOutPort, sizes, feed=self.feed)
        for k, ((number, name), port) in enumerate(self.inputs.items()):
            if name:
                getattr(self.host, f"port_{k}").connect(port)
            else:
                self.pools[number].out = getattr(self.host, f"port_{k}")

    def host_process(self, name: str, mixin: type, port: Any, kind: Any, sizes: list[int], **params: Any) -> Any:
        """A process of our own with the ports port_0, port_1, ... of the given sizes."""
        lava = self.lava

        def build(self: Any, **params: Any) -> None:
            lava.AbstractProcess.__init__(self, **params)
            for k, n in enumerate(sizes):
                setattr(self, f"port_{k}", port(shape=(n,)))

        process = type(name, (lava.AbstractProcess,), {"__init__": build})
        body = {"implements_process": process, "implements_protocol": lava.LoihiProtocol,
                "required_resources": [lava.CPU], "tags": ["fixed_pt"]}
        ports = {f"port_{k}": lava.LavaPyType(kind.VEC_DENSE, np.int32) for k in range(len(sizes))}
        self.models[process] = type(f"{name}Model", (mixin, lava.PyLoihiProcessModel), {**body, **ports})
        return process(**params)

    def add_connections(self) -> None:
        """Synapses that may share a sum share a process: one that shifts it to the right must not hold others'."""
        wires: dict[Any, list[np.ndarray]] = {}
        for each in self.graph.connections:
            if each.learning:
                self.add_learning(each)
                continue
            shifts, sources = each.settings["weight_exp"] < 0, self.pool_of[each.pre]
            if shifts and (sources != sources[:1]).any():
                raise each.refuse("with weight_exp below 0 its source must be one process in Lava, and is several")
            settings = (*each.settings.items(), ("delayed", bool((each.delay > 1).any())))
            pairs = sources * len(self.pools) + self.pool_of[each.post]
            columns = np.stack([self.slot_of[each.pre], self.slot_of[each.post], each.weight, each.delay])
            for pair in np.unique(pairs):
                key = (*divmod(int(pair), len(self.pools)), settings, each.number if shifts else -1)
                wires.setdefault(key, []).append(chosen(columns, pairs == pair))
        for (source, target, settings, owner), parts in wires.items():
            self.add_synapses(source, target, dict(settings), owner, np.concatenate(parts, axis=1))

    def add_synapses(self, source: int, target: int, settings: dict[str, Any], owner: int, columns: np.ndarray) -> None:
        """One process, or more where a pair of units has several synapses: Lava would cut their sum, not each."""
        copies = repeats(columns[1] * self.pools[source].units.size + columns[0])
        if owner >= 0 and copies.any():
            why = "with weight_exp below 0 Lava takes one synapse per pair of units"
            raise self.graph.connections[owner].refuse(why)
        for copy in range(int(copies.max()) + 1):
            pre, post, weight, delay = chosen(columns, copies == copy)
            shape = (self.pools[target].units.size, self.pools[source].units.size)
            options = weight_options(self.lava, settings)
            if delay.max() > 1:
                options["delays"] = csr_matrix((delay - 1, (post, pre)), shape)
            process = (self.lava.DelaySparse if "delays" in options else self.lava.Sparse)(
                weights=csr_matrix((weight, (post, pre)), shape), **options)
            if "delays" in options:
                self.mixed(Keeps, process)
            self.pools[source].out.connect(process.s_in)
            process.a_out.connect(self.inputs[target, settings["port"]])

    def add_learning(self, each: Connection) -> None:
        """All pairs of units in one LearningDense, which holds to the synapses that there are."""
        places = self.pool_of[each.source.first], self.pool_of[each.target.first]
        source, target = (self.pools[place] for place in places)
        if (source.units.size, target.units.size) != (each.source.n, each.target.n):
            raise each.refuse("it learns, so each of its groups must be one process in Lava, and is several")
        index = self.slot_of[each.post], self.slot_of[each.pre]
        weights, synapses = np.zeros((2, target.units.size, source.units.size), np.int64)
        np.add.at(synapses, index, 1)
        if (each.delay > 1).any() or (synapses > 1).any():
            raise each.refuse("Lava learns only with delays of 1 step and one synapse per pair of units")
        weights[index] = each.weight
        log = Log(self.clock, ["weights", "tag_1", "tag_2"], index, shared(3, each.weight.size))
        self.learned[each.number] = log
        process = self.lava.LearningDense(weights=weights, learning_rule=learning_rule(self.lava, each),
                                          synapses=synapses, log=log, **weight_options(self.lava, each.settings))
        self.mixed(Learns, process)
        source.out.connect(process.s_in)
        target.out.connect(process.s_in_bap)
        process.a_out.connect(self.inputs[int(places[1]), each.settings["port"]])

    def add_recording(self) -> None:
        self.spikes = Rows(self.folder / "spikes.bin", self.clock, 3)
        wanted = np.full(self.graph.units, -1)
        for k, units in self.graph.recorded.items():
            wanted[self.graph.groups[k].first + units] = self.graph.groups[k].first + units
        pools = [pool for pool in self.pools if (wanted[pool.units] >= 0).any()]
        if pools:
            ids = [wanted[pool.units] for pool in pools]
            sink = self.host_process("Sink", Takes, self.lava.InPort, self.lava.PyInPort, [each.size for each in ids],
                                     units=ids, rows=self.spikes)
            for k, pool in enumerate(pools):
                pool.out.connect(getattr(sink, f"port_{k}"))
        self.traces = [self.add_trace(k, trace) for k, trace in enumerate(self.graph.traces)]

    def add_trace(self, number: int, trace: dict[str, Any]) -> list[Sampled]:
        """A trace, in as many parts as its units have processes."""
        group, variable, parts = self.graph.groups[trace["group"]], str(trace["variable"]), []
        units = group.first + trace["units"]
        for k in np.unique(self.pool_of[units]):
            columns, pool = np.flatnonzero(self.pool_of[units] == k), self.pools[k]
            if pool.log is None or variable not in pool.log.names:
                raise GraphError(f"trace of {group.name}: Lava's {group.model} has no state {variable}")
            rows = Rows(self.folder / f"trace-{number}-{k}.bin", self.clock, columns.size)
            parts.append(Sampled(variable, self.slot_of[units[columns]], int(trace["every"]), columns, rows))
            pool.log.traces.append(parts[-1])
        return parts

    def place(self, arrivals: dict[str, np.ndarray]) -> np.ndarray:
        """Step, place in the row of the feed, and weight of arrivals; ``GraphError`` for a unit that is not there."""
        places = np.full(arrivals["step"].size, -1)
        for number, port in set(zip(arrivals["group"].tolist(), arrivals["port"].tolist(), strict=True)):
            rows = np.flatnonzero((arrivals["group"] == number) & (arrivals["port"] == port))
            places[rows] = self.places_of(number, port, arrivals["unit"][rows])
        return np.stack([arrivals["step"], places, arrivals["weight"]])

    def places_of(self, number: int, port: int, units: np.ndarray) -> np.ndarray:
        if number not in range(len(self.graph.groups)):
            raise GraphError(f"arrivals: expected groups 0 to {len(self.graph.groups) - 1}, found {number}")
        group = self.graph.groups[number]
        ports = [""] if group.model in SOURCES else group.ports
        if port not in range(len(ports)):
            raise GraphError(f"arrivals at {group.name}: expected ports 0 to {len(ports) - 1}, found {port}")
        if units.min() < 0 or units.max() >= group.n:
            raise GraphError(f"arrivals at {group.name}: expected units 0 to {group.n - 1}, found others")
        spans = dict(zip(self.inputs, self.feed.spans, strict=True))
        pools, starts = self.pool_of[group.first + units], np.zeros(len(self.pools), np.int64)
        for k in np.unique(pools).tolist():
            starts[k] = spans[k, ports[port]].start
        return starts[pools] + self.slot_of[group.first + units]


def make_neurons(lava: SimpleNamespace, pool: Pool) -> Any:
    """The process of a pool; Lava makes some variables for one number, they are widened to one per unit."""
    assert pool.model is not None
    options = {**pool.fixed, **{name: pool.values(name) for name in pool.model.params.split()}}
    if "relu" in options:
        options["act_mode"] = lava.ActivationMode(options.pop("relu"))
    if "cum_error" in options:
        options["cum_error"] = bool(options["cum_error"])
    if "shift" in options:
        options["exp"] = options.pop("shift")
    vth = options.pop("vth") if "decay_bits" in options else None  # RF would take one threshold only
    process = getattr(lava, pool.model.process)(shape=(pool.units.size,), **options)
    if vth is not None:
        process.vth.init = np.left_shift(vth, options["state_exp"])
    set_initial(process, pool)
    for var in process.vars:
        if var.shape == (1,) and np.ndim(var.init) == 1:
            var.shape = np.shape(var.init)
    return process


def set_initial(process: Any, pool: Pool) -> None:
    """States of the first step, as Lava keeps them: nothing is scaled."""
    names = {name for group, _ in pool.parts for name in group.initial}
    for group, _ in pool.parts:
        for name, values in group.initial.items():
            if name == "theta" and (values != np.int32(group.values("theta_0") * 64)).any():
                raise GraphError(f"group {group.name}: theta begins with theta_0*64 in Lava, found {values[0]}")
            if not hasattr(process, name):
                raise GraphError(f"group {group.name}: Lava's {group.model} has no state {name} that can be set")
    for name in names:
        getattr(process, name).init = pool.initial(name)


def weight_options(lava: SimpleNamespace, settings: dict[str, Any]) -> dict[str, Any]:
    options = {name: settings[name] for name in ("weight_exp", "num_weight_bits", "num_message_bits")}
    return {**options, "sign_mode": lava.SignMode[settings["sign_mode"].upper()]}


def learning_rule(lava: SimpleNamespace, each: Connection) -> Any:
    rule = each.learning or {}
    texts = {name: rule[name] for name in ("dw", "dd", "dt") if rule[name]} or {"dw": "0 * x0"}
    numbers = {f"{trace}_{kind}": value for kind, part in (("impulse", "impulses"), ("tau", "taus"))
               for trace, value in rule[part].items()}
    try:
        return lava.Loihi2FLearningRule(**texts, **numbers, t_epoch=rule["t_epoch"], rng_seed=rule["rng_seed"])
    except Exception as error:
        raise LavaError(f"connection {each.label}: Lava does not take its learning rule: {last_line(error)}") from error


def chosen(columns: np.ndarray, here: np.ndarray) -> np.ndarray:
    """The columns that are `here`, not copied where all are."""
    return columns if here.all() else columns[:, here]


def repeats(keys: np.ndarray) -> np.ndarray:
    """For each key how many equal ones come before it."""
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], keys[order])
    counts = np.empty(keys.size, np.int64)
    counts[order] = np.arange(keys.size) - starts
    return counts


# --- Running ----------------------------------------------------------------------------------------------------------


class Session:
    """A network running in Lava. `listening`: whether it must end when standard input does."""

    def __init__(self, graph: Graph, listening: bool = False) -> None:
        self.lava, self.graph, self.listening = import_lava(), graph, listening
        self.folder = Path(tempfile.mkdtemp(prefix="snnsim-lava-"))
        self.runtime: Any = None
        try:
            self.network = Network(self.lava, graph, self.folder)
            self.start()
        except BaseException:
            self.kill()
            raise

    def start(self) -> None:
        die_with_this_process()
        host, models = self.network.host, {**self.lava.models, **self.network.models}
        # Lava looks for models by running every file beside the one that a process is defined in; these are known.
        self.lava.ProcGroupDiGraphs._find_proc_models = staticmethod(lambda proc: [models[type(proc)]])
        try:
            host.create_runtime(run_cfg=self.lava.Loihi2SimCfg(select_tag="fixed_pt"))
        finally:
            self.runtime = host.runtime

    @property
    def children(self) -> list[Any]:
        infrastructure = getattr(self.runtime, "_messaging_infrastructure", None)
        return list(infrastructure.actors) if infrastructure else []

    def run(self, steps: int, arrivals: dict[str, np.ndarray] | None) -> None:
        """`steps` steps more; ``GraphError`` before anything has been run, ``LavaError`` if Lava fails."""
        if steps < 1:
            raise GraphError(f"expected 1 step or more to run, found {steps}")
        network, end = self.network, self.network.clock.last
        rows = network.place(arrivals) if arrivals else np.zeros((3, 0), np.int64)
        if rows.size and not end < rows[0].min() <= rows[0].max() <= end + steps:
            raise GraphError(f"expected arrivals in steps {end + 1} to {end + steps}, found some in "
                             f"{rows[0].min()} to {rows[0].max()}")
        network.clock.advance(steps)
        network.feed.give(rows[:, np.argsort(rows[0], kind="stable")])
        self.runtime.start(self.lava.RunSteps(num_steps=steps, blocking=False))
        self.wait()
        network.feed.path.unlink(missing_ok=True)

    def wait(self) -> None:
        """Until Lava has answered. It would wait for ever for a process that failed, so the processes are watched."""
        port, answered = self.runtime.service_to_runtime[0], threading.Event()
        port.observer = answered.set
        while not port.probe():
            answered.wait(0.1)
            if not port.probe():
                self.check()
        port.observer = None
        if port.recv()[0] != self.lava.MGMT_RESPONSE.DONE[0]:
            for _ in range(100):  # the process that failed is about to say why
                self.check()
                time.sleep(0.02)
            raise LavaError("Lava stopped the run and did not say why")

    def check(self) -> None:
        """Raise what has gone wrong in a process, or if nobody listens any more."""
        for child in self.children:
            if child._pconn.poll():
                raise LavaError(last_line(child._pconn.recv()[0]))
            if not child.is_alive():
                raise LavaError(f"a process of Lava ended with exit code {child.exitcode}")
        if self.listening and hung_up():
            raise HungUp

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None:
            self.stop()
        else:
            self.kill()

    def stop(self) -> None:
        """End Lava's processes as Lava does; kill them if that takes more than ten seconds."""
        if not self.runtime._is_started:  # Lava stops only what has run
            self.kill()
            return
        timer = threading.Timer(10, self.leave)
        timer.daemon = True
        timer.start()
        self.runtime.stop()
        timer.cancel()
        shutil.rmtree(self.folder, ignore_errors=True)

    def leave(self) -> None:
        self.kill()
        os._exit(1)

    def kill(self) -> None:
        """End Lava's processes whatever they do."""
        for child in self.children:
            with contextlib.suppress(Exception):
                child.kill()
        with contextlib.suppress(Exception):
            self.runtime._messaging_infrastructure.smm.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self, path: Path) -> None:
        """What the last run gave; ``GraphError`` where the file cannot be written."""
        try:
            with h5py.File(path, "w") as file:
                self.save_spikes(file.create_group("spikes"))
                self.save_traces(file.create_group("traces"))
                self.save_states(file.create_group("states"))
                for k, log in self.network.learned.items():
                    file[f"weights/{k}/weight"], file[f"weights/{k}/tag_1"], file[f"weights/{k}/tag_2"] = log.values
        except OSError as error:
            raise GraphError(f"{path}: {error}") from error

    def save_spikes(self, at: Any) -> None:
        rows = self.network.spikes.read() if self.network.spikes.path.exists() else np.zeros((0, 3), np.int64)
        at["step"], at["unit"], at["payload"] = rows[np.lexsort((rows[:, 1], rows[:, 0]))].T

    def save_traces(self, at: Any) -> None:
        clock = self.network.clock
        for k, (trace, parts) in enumerate(zip(self.graph.traces, self.network.traces, strict=True)):
            every = int(trace["every"])
            values = np.zeros((clock.last // every - (clock.first - 1) // every, len(trace["units"])), np.int64)
            for part in parts:
                values[:, part.columns] = part.rows.read()
            at[str(k)] = values

    def save_states(self, at: Any) -> None:
        for group in self.graph.groups:
            model, units = MODELS.get(group.model), group.first + np.arange(group.n)
            for j, name in enumerate(model.states.split() if model else ()):
                values = np.zeros(group.n, np.int64)
                for k in np.unique(self.network.pool_of[units]):
                    here = self.network.pool_of[units] == k
                    values[here] = self.network.pools[k].log.values[j, self.network.slot_of[units[here]]]
                at[f"{group.name}/{name}"] = values


def die_with_this_process() -> None:
    """Let every process forked from now on end when this one does, however it ends (Linux)."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        os.register_at_fork(after_in_child=lambda: prctl(1, signal.SIGKILL))  # PR_SET_PDEATHSIG


def hung_up() -> bool:
    poll = select.poll()
    poll.register(0, 0)  # an end that is gone is always told
    return bool(poll.poll(0))


def read_arrivals(path: Path) -> dict[str, np.ndarray]:
    """The columns step, group, port, unit, weight [arrivals]."""
    try:
        with h5py.File(path, "r") as file:
            return {name: file[name][()].astype(np.int64) for name in ("step", "group", "port", "unit", "weight")}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise GraphError(f"{path}: {error}") from error


# --- Who asks ---------------------------------------------------------------------------------------------------------


def serve(folder: Path) -> int:
    """Answer requests on standard input until it ends, or until asked to stop."""
    answer = answers()
    try:
        with Session(read_graph(folder / "graph.h5"), listening=True) as session:
            answer({"ready": True, "lava": importlib.metadata.version("lava-nc"), "processes": len(session.children)})
            stopped = follow(session, folder, answer)
        if stopped:
            answer({"stopped": True})
        return 0
    except HungUp:
        return 1
    except Exception as error:
        traceback.print_exc()
        text = str(error) if isinstance(error, (GraphError, LavaError)) else last_line(error)
        answer({"error": text, "kind": "graph" if isinstance(error, GraphError) else "lava"})
        return 1


def follow(session: Session, folder: Path, answer: Callable[[dict[str, Any]], None]) -> bool:
    """Do what each line asks; true where the last one asked to stop."""
    for line in sys.stdin:
        request = json.loads(line)
        if "stop" in request:
            return True
        answer(obey(session, folder, request))
    return False


def answers() -> Callable[[dict[str, Any]], None]:
    """Write to what standard output is now; from here on it is standard error, because Lava and its processes print."""
    file = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(content), file=file, flush=True)

    return answer


def obey(session: Session, folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Run, and write the result. What is wrong with a request is answered, and the network stays as it is."""
    try:
        arrivals = read_arrivals(folder / request["arrivals"]) if request.get("arrivals") else None
        session.run(int(request["run"]), arrivals)
        session.save(folder / request["out"])
        return {"done": int(request["run"])}
    except GraphError as error:
        return {"error": str(error), "kind": "graph"}


def run_once(args: argparse.Namespace) -> int:
    """Run the graph beside this script, from its beginning."""
    folder = Path(__file__).resolve().parent
    path = args.arrivals or folder / "arrivals.h5"
    try:
        graph = read_graph(args.graph or folder / "graph.h5")
        arrivals = read_arrivals(path) if args.arrivals or path.exists() else None
        if arrivals:
            arrivals = {name: values[arrivals["step"] <= args.steps] for name, values in arrivals.items()}
        with Session(graph) as session:
            session.run(args.steps, arrivals)
            session.save(args.output)
        return 0
    except (GraphError, LavaError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def main(argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if argv[:1] == ["serve"]:
        return serve(Path(argv[1]))
    parser = argparse.ArgumentParser(description="Run the network in graph.h5 with Lava.")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="HDF5 file with spikes, traces and states")
    parser.add_argument("--arrivals", type=Path, help="what the host adds; else arrivals.h5 beside this script")
    parser.add_argument("--graph", type=Path, help="else graph.h5 beside this script")
    return run_once(parser.parse_args(argv))


if __name__ == "__main__":
    code = 1
    try:
        code = main(sys.argv[1:])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # without the destructors of Lava, which would wait for processes that are gone
