"""The network graph, built in Python or read from a file; both ways go through the same checks.

>>> import snnsim as sn
>>> net = sn.Network(dt="0.1 ms", seed=42)
>>> exc = net.population("exc", 100, "lif_psc_delta", tau_m="20 ms")
>>> net.project(exc, exc, sn.fixed_indegree(10), weight="0.1 mV", delay="1.5 ms")
>>> net.record(spikes=[exc])
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.assemble import make_population, make_projections
from snnsim.canonical import dump, to_data
from snnsim.checked import check_name, checked, found, input_kind
from snnsim.equations import Model
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.graph import Input, Population, Projection, Record
from snnsim.library import Library
from snnsim.places import Marks
from snnsim.schema import VERSION, NetworkSpec, PopulationSpec, ProjectionSpec, RecordSpec
from snnsim.selection import make_record
from snnsim.stimuli import make_input
from snnsim.timing import read_dt, read_steps

_DT = 0.1


class Network:
    """Populations, projections between them, inputs to them, and what is recorded.

    dt: ms. duration: ms, or None. precision: "single" or "double". models: the user's own. base_dir: folder that files
    are relative to. notes: what was rounded, for the user to know. origin: the builder that made it and its options, or
    None. marks: where its parts stand in the file, for
    ``snnsim.places.placed``, which adds file and line to faults that show later.
    """

    def __init__(
        self, dt: Any = "0.1 ms", seed: int = 0, name: str = "network", duration: Any = None,
        precision: str = "single", base_dir: str | Path | None = None,
    ) -> None:
        """An empty network; ``InputError`` where an argument is wrong."""
        problems = Problems()
        raw = {"dt": dt, "seed": _plain(seed), "name": name, "duration": duration, "precision": precision}
        spec = checked(NetworkSpec, {"snnsim": VERSION, **raw}, problems)
        assert spec is not None   # every key but the version has a default
        self._start(spec, base_dir, problems)
        problems.check()

    def _start(self, spec: NetworkSpec, base_dir: str | Path | None, problems: Problems) -> None:
        self.name, self._seed, self.precision = spec.name, spec.seed, spec.precision
        self.base_dir = None if base_dir is None else Path(base_dir)
        self.populations: dict[str, Population] = {}
        self.inputs: dict[str, Input] = {}
        self.projections: list[Projection] = []
        self.recording = Record()
        self.library = Library()
        self.notes: list[str] = []
        self.origin = spec.origin
        self.marks: Marks = {}
        self._declared: set[str] = set()   # populations of a file being read, with or without faults
        self.promised: set[str] = set()   # names of its projections, likewise
        self.dt, self.duration = _DT, None
        with problems.at("dt"):
            self.dt = read_dt(spec.dt)
        if spec.duration is not None:
            with problems.at("duration"):
                self.duration = read_steps(spec.duration, self.dt, self.notes, "duration") * self.dt

    @property
    def seed(self) -> int:
        """Everything random comes from it. It stays as it is once positions or connections are drawn."""
        return self._seed

    @seed.setter
    def seed(self, value: Any) -> None:
        if self.projections or any(p.positions is not None for p in self.populations.values()):
            advice = f"make the network with it: sn.Network(seed={value!r}), or sn.load(file, ['seed={value}'])"
            raise InputError(Problem("seed", f"cannot be changed from {self._seed} to {value!r} later; {advice}"))
        problems = Problems()
        spec = checked(NetworkSpec, {"snnsim": VERSION, "seed": _plain(value)}, problems)
        problems.check()
        assert spec is not None
        self._seed = spec.seed

    def model(self, name: str, document: Mapping[str, Any]) -> Model | None:
        """Add equations of your own; `document` has the form of a file's ``models:`` entry.

        Returns the model; None for one of synapses or couplings, which is made anew for each projection.
        """
        problems, made = Problems(), None
        with problems.at("models", name):
            made = self.library.add(name, document)
        problems.check()
        return made

    @property
    def models(self) -> dict[str, Model]:
        """The user's own models of neurons."""
        return self.library.neurons

    def population(
        self, name: str, n: int, model: str | Model, init: Mapping[str, Any] | None = None, positions: Any = None,
        **params: Any,
    ) -> Population:
        """Add `n` units of a model.

        params, init: parameters and initial states that differ from the model's defaults, each a quantity, a
        distribution such as ``{"uniform": ["0 mV", "20 mV"]}``, or one number per unit.
        Raises ``InputError`` naming the place, such as ``populations.exc.params.tau``.
        """
        if isinstance(model, Model):
            self.models[model.name] = model
            model = model.name
        raw = {"n": _plain(n), "model": model, "params": params, "init": dict(init or {}), "positions": positions}
        problems = Problems()
        made = self._population(name, raw, problems)
        problems.check()
        assert made is not None
        self.populations[name] = made
        return made

    def project(
        self, source: Any, target: Any, connect: Any, weight: Any = None, delay: Any = None, port: str | None = None,
        name: str | None = None, synapse: Any = None, coupling: Any = None, **fixed_point: Any,
    ) -> list[Projection]:
        """Connect each of `source` to each of `target` (populations or their names, one or several) by a rule.

        connect: ``sn.fixed_indegree(100)`` and the like. weight: may be left out where the port takes a number without
        unit (then 1). delay: one step unless given. Both may be a quantity, a distribution, an expression of the
        synapse (``snnsim.synaptic``), or one number per synapse. port: chosen by the sign of the weight unless given.
        synapse: the rule of plastic ones, the name of a model or ``{"model": "stdp_pair", "params": {...}, ...}``.
        coupling: a continuous coupling in place of spikes, as ``"gap_junction"`` or ``{"model": "diffusive",
        "variable": "x"}``. fixed_point: of whole-numbered weights, weight_exp, num_weight_bits, sign_mode and
        num_message_bits.
        """
        raw = {**fixed_point, "from": _names(source), "to": _names(target), "connect": connect, "weight": weight,
               "delay": delay, "port": port, "name": name, "synapse": _synapse(synapse), "coupling": coupling}
        problems = Problems()
        made = self._projections(self.projections[-1].entry + 1 if self.projections else 0, raw, problems)
        problems.check()
        self.projections += made
        return made

    def input(self, name: str, type: str, to: Any, **values: Any) -> Input:
        """Add an input: poisson (rate, weight, delay, port), spike_times (times, ids, file, weight, delay, port),
        current (times, values; amplitude; input) or noise (mean, sd, input)."""
        problems = Problems()
        made = self._input(name, {"type": type, "to": _names(to), **values}, problems)
        problems.check()
        assert made is not None
        self.inputs[name] = made
        return made

    def record(
        self, spikes: Any = (), traces: Mapping[Any, Any] | None = None, weights: Mapping[str, Any] | None = None,
    ) -> None:
        """Record spikes of populations (or ``{population: units}``), traces ``{population: {variables, units,
        every}}`` and weights ``{name: {projection, on or every, synapses}}``; calls add up."""
        named = _keyed(spikes) if isinstance(spikes, Mapping) else _names(spikes)
        raw, problems = {"spikes": named, "traces": _keyed(traces or {}), "weights": weights or {}}, Problems()
        recording = self._recorded(raw, problems)
        problems.check()
        self._extend(recording)

    @property
    def steps(self) -> int | None:
        """The duration in steps."""
        return None if self.duration is None else round(self.duration / self.dt)

    def to_yaml(self) -> str:
        """The network as canonical YAML: ``loads`` of it gives an equal network."""
        return dump(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and to_data(self) == to_data(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        units = sum(population.n for population in self.populations.values())
        return f"<Network {self.name!r}: {units} units in {len(self.populations)} populations, " \
               f"{len(self.projections)} projections>"

    def find_population(self, name: Any) -> Population:
        """The population of that name."""
        if not isinstance(name, str):
            raise InputError(f"expected the name of a population, found {found(name)}")
        if name in self.populations:
            return self.populations[name]
        if name in self._declared:
            raise InputError([])
        raise InputError(unknown("population", str(name), self.populations))

    def find_populations(self, names: list[str], key: str, problems: Problems) -> list[Population]:
        """Those of `names` that exist; faults at `key`."""
        made = []
        for k, name in enumerate(names):
            with problems.at(key, *([k] if len(names) > 1 else [])):
                made.append(self.find_population(name))
        return made

    def _population(self, name: str, raw: Any, problems: Problems) -> Population | None:
        made = None
        with problems.at("populations", name):
            check_name("population", name, self.populations)
            if (spec := checked(PopulationSpec, raw, problems)) is not None:
                made = make_population(self, name, spec, problems)
        return made

    def _projections(self, number: int, raw: Any, problems: Problems) -> list[Projection]:
        made = []
        with problems.at("projections", number):
            if (spec := checked(ProjectionSpec, raw, problems)) is not None:
                made = make_projections(self, spec, number)
        return made

    def _input(self, name: str, raw: Any, problems: Problems) -> Input | None:
        made = None
        with problems.at("inputs", name):
            check_name("input", name, self.inputs)
            kind = input_kind(raw, problems)
            if kind is not None and (spec := checked(kind, raw, problems)) is not None:
                made = make_input(self, name, spec)
        return made

    def _recorded(self, raw: Any, problems: Problems) -> Record:
        made = Record()
        with problems.at("record"):
            if (spec := checked(RecordSpec, raw, problems)) is not None:
                made = make_record(self, spec, problems)
        return made

    def _extend(self, record: Record) -> None:
        self.recording.spikes |= record.spikes
        self.recording.traces += record.traces
        self.recording.weights += record.weights


def from_data(data: Any, base_dir: Path | None, problems: Problems) -> Network | None:
    """The network that plain data of a file says; faults go to `problems`. None where too little of it can be read."""
    spec = _header(data, problems)
    if spec is None:
        return None
    net = Network.__new__(Network)
    net._start(spec, base_dir, problems)
    net.library.faulty, net._declared = set(spec.models), set(spec.populations)
    net.promised = {str(raw["name"]) for raw in spec.projections if isinstance(raw, dict) and "name" in raw}
    for name, document in spec.models.items():
        with problems.at("models", name):
            net.library.add(name, document)
    for name, raw in spec.populations.items():
        if (population := net._population(name, raw, problems)) is not None:
            net.populations[name] = population
    for number, raw in enumerate(spec.projections):
        net.projections += net._projections(number, raw, problems)
    for name, raw in spec.inputs.items():
        if (made := net._input(name, raw, problems)) is not None:
            net.inputs[name] = made
    net._extend(net._recorded(spec.record, problems))
    net.library.faulty, net._declared, net.promised = set(), set(), set()
    return net


def _header(data: Any, problems: Problems) -> NetworkSpec | None:
    """The top level; None where it is no mapping, or where keys that others lean on are faulty."""
    before = len(problems.found)
    spec = checked(NetworkSpec, data, problems)
    faulty = {problem.path.split(".")[0] for problem in problems.found[before:]}
    if not isinstance(data, dict) or faulty & {"models", "populations"}:
        return None
    return spec or checked(NetworkSpec, data | {"snnsim": VERSION}, Problems())


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _names(value: Any) -> Any:
    """Populations by their names, as a list."""
    several = value if isinstance(value, (list, tuple)) else [value]
    return [item.name if isinstance(item, Population) else item for item in several]


def _synapse(value: Any) -> Any:
    """What ``synapse=`` says, with a population that modulates by its name."""
    if isinstance(value, Mapping) and isinstance(value.get("modulator"), Population):
        return {**value, "modulator": value["modulator"].name}
    return value


def _keyed(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key.name if isinstance(key, Population) else key: value for key, value in mapping.items()}
