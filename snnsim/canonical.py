"""A network as plain data and as YAML, in one canonical form: defaults are left out, quantities in the usual units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from snnsim.graph import Coupling, Current, Ids, Input, Noise, Poisson, Population, Projection, Synapse, Trace, Weights
from snnsim.schema import VERSION
from snnsim.units import DIMENSIONLESS, TIME, Dimension, to_text
from snnsim.yamlfile import scalar

if TYPE_CHECKING:
    from snnsim.network import Network

Data = dict[str, Any]


def to_data(net: Network) -> Data:
    """The network as a file would say it."""
    head = {
        "snnsim": VERSION, "name": net.name, "seed": net.seed, "dt": _time(net.dt),
        "duration": None if net.duration is None else _time(net.duration), "precision": net.precision,
        "origin": net.origin,
    }
    parts = {
        "populations": {name: _population(one) for name, one in net.populations.items()},
        "inputs": {name: _input(one) for name, one in net.inputs.items()},
        "projections": _projections(net.projections),
        "record": _given(spikes=_spikes(net.recording.spikes), traces=_traces(net.recording.traces),
                         weights={weights.name: _weights(weights) for weights in net.recording.weights}),
        "models": {name: plain(document) for name, document in net.library.documents().items()},
    }
    return _given(**head, **parts)


def dump(net: Network) -> str:
    """The network as YAML text."""
    return as_yaml(to_data(net))


def as_yaml(data: Data) -> str:
    """What a file says, as YAML text."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def plain(value: Any) -> Any:
    """`value` in types that YAML has."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _given(**values: Any) -> Data:
    """Without what is None or empty."""
    return {key: value for key, value in values.items() if value not in (None, {}, [])}


def _time(value: float) -> str:
    return to_text(value, TIME)


def _population(population: Population) -> Data:
    params = {key: value.to_spec() for key, value in population.params.items()}
    if population.schedule is not None:
        params |= plain(population.schedule.spec)
    init = {key: value.to_spec() for key, value in population.init.items()}
    return _given(n=population.n, model=population.model.name, params=params, init=init,
                  positions=population.positions and plain(population.positions.spec))


def _projections(projections: Iterable[Projection]) -> list[Data]:
    """One entry for all pairs that were given by one entry."""
    entries: dict[int, list[Projection]] = {}
    for projection in projections:
        entries.setdefault(projection.entry, []).append(projection)
    return [_projection(pairs) for pairs in entries.values()]


def _projection(pairs: list[Projection]) -> Data:
    first = pairs[0]
    connect = first.rule.to_spec()
    ends = {"from": _one_or_more(p.source.name for p in pairs), "to": _one_or_more(p.target.name for p in pairs)}
    own = {key: getattr(first, key).to_spec() for key in ("weight", "delay") if connect.get(key) is None}
    if first.coupling is not None:
        own.pop("delay", None)   # it has none
    return _given(
        name=first.name, **ends, connect=connect, **own, port=first.port,
        synapse=_rule(first), coupling=first.coupling and _coupling(first.coupling),
        **dict(first.fixed.given if first.fixed else ()),
    )


def _rule(projection: Projection) -> Data | None:
    if projection.learning is not None:
        return plain(projection.learning.to_spec())
    return None if projection.synapse is None else _synapse(projection.synapse)


def _coupling(coupling: Coupling) -> Data:
    model = coupling.model
    params = {key: _text_of(value, model.parameters[key].dimension) for key, value in coupling.params.items()}
    variable = None if coupling.variable == model.variable else coupling.variable
    return _given(model=model.name, variable=variable, input=coupling.input, params=params)


def _synapse(synapse: Synapse) -> Data:
    model = synapse.model
    params = {key: _text_of(value, model.parameters[key].dimension) for key, value in synapse.params.items()}
    init = {key: _text_of(value, model.states[key]) for key, value in synapse.init.items()}
    modulator = None if synapse.modulator is None else ".".join(
        [synapse.modulator[0].name, *([synapse.modulator[1]] if synapse.modulator[1] else [])])
    late = synapse.modulator is not None and synapse.modulator[1] is None
    return _given(
        model=model.name, params=params, init=init, modulator=modulator,
        pairing=None if synapse.pairing == "all" else synapse.pairing,
        tie=None if synapse.tie == "none" else synapse.tie,
        axonal=_time(synapse.axonal) if synapse.axonal else None,
        modulator_delay=_time(synapse.modulator_delay) if late else None,
    )


def _text_of(value: float, dimension: Dimension) -> Any:
    return value if dimension == DIMENSIONLESS else to_text(value, dimension)


def _one_or_more(names: Iterable[str]) -> Any:
    different = list(dict.fromkeys(names))
    return different[0] if len(different) == 1 else different


def _input(one: Input) -> Data:
    if isinstance(one, (Current, Noise)):
        head = {"type": one.kind, "to": _one_or_more(injection.target.name for injection in one.injections)}
        return _given(**head, **_currents(one), input=one.input)
    link = one.links[0]
    dimension = link.target.model.ports[link.ports[0]].dimension
    what = {"rate": one.rate.to_spec()} if isinstance(one, Poisson) else plain(one.train.spec)
    head = {"type": one.kind, "to": _one_or_more(link.target.name for link in one.links), **what}
    return head | _given(weight=to_text(link.weight, dimension), delay=_time(link.delay), port=one.port)


def _currents(one: Current | Noise) -> Data:
    if isinstance(one, Noise):
        return {"mean": one.mean.to_spec(), "sd": one.sd.to_spec()}
    if one.amplitude:
        return {"amplitude": one.values[0].to_spec()}
    return {"times": [_time(t) for t in one.times], "values": [value.to_spec() for value in one.values]}


def _units(ids: Ids | None) -> Any:
    if ids is None:
        return "all"
    steps = set(np.diff(ids).tolist())
    if len(steps) > 1:
        return ids.tolist()
    step = steps.pop() if steps else 1
    return f"{ids[0]}:{ids[-1] + 1}" + (f":{step}" if step > 1 else "")


def _spikes(spikes: Mapping[str, Ids | None]) -> Any:
    if all(ids is None for ids in spikes.values()):
        return list(spikes)
    return {name: _units(ids) for name, ids in spikes.items()}


def _traces(traces: Iterable[Trace]) -> Data:
    """Traces of a population with the same units and interval share an entry."""
    entries: dict[str, dict[Any, Data]] = {}
    for trace in traces:
        units, every = _units(trace.units), _given(every=f"{trace.every} step" if trace.every > 1 else None)
        same = entries.setdefault(trace.population.name, {})
        entry = same.setdefault((str(units), trace.every), {"variables": [], "units": units, **every})
        entry["variables"].append(trace.variable)
    listed = {name: list(same.values()) for name, same in entries.items()}
    return {name: several[0] if len(several) == 1 else several for name, several in listed.items()}


def _weights(weights: Weights) -> Data:
    when = {"on": "pre"} if weights.every is None else {"every": f"{weights.every} step"}
    return {"projection": weights.projection.label, **when, "synapses": _units(weights.synapses)}


class _Dumper(yaml.CSafeDumper):
    """Writes what ``yamlfile`` reads back as the same: YAML 1.2 scalars, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None if isinstance(scalar(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
