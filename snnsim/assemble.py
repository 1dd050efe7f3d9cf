"""From what a file or a call says to populations and projections."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snnsim.connect import Bound, rule_from_spec
from snnsim.couplings import coupled_weight, make_coupling
from snnsim.distributions import Value, value_from_spec
from snnsim.distributions.expression import UNIT_NAMES, Expression
from snnsim.equations import COUNTER, Model
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.graph import Coupling, Population, Projection, Synapse, Train
from snnsim.loihi_synapse import check_delay_of, is_learning, make_fixed, make_learning
from snnsim.positions import positions_from_spec
from snnsim.random import Stream
from snnsim.schema import PopulationSpec, ProjectionSpec
from snnsim.synapses import STATIC, check_synapse, make_synapse, unsent
from snnsim.synaptic import NAMES, of_synapses
from snnsim.timing import CLOSE, check_delay, cycle, round_steps
from snnsim.trains import KEYS, read_train
from snnsim.units import DIMENSIONLESS, TIME, Dimension, describe, to_text

if TYPE_CHECKING:
    from snnsim.network import Network


def make_population(net: Network, name: str, spec: PopulationSpec, problems: Problems) -> Population | None:
    """The population that `spec` says, with all of its faults in `problems`; None where the model is not known."""
    before, model, schedule = len(problems.found), None, None
    with problems.at("model"):
        model = net.library.neuron(spec.model)
    if model is None:
        return None
    params = dict(spec.params)
    with problems.at("params"):
        schedule = _schedule(net, model, params, spec.n)
    read = _ValueReader(net, model, spec.n, problems)
    dimensions = {key: parameter.dimension for key, parameter in model.parameters.items()}
    plain = {key: text for key, text in params.items() if not _is_expression(text)}
    values = read("params", plain, dimensions)
    readable = {key: dimension for key, dimension in dimensions.items() if key in plain or key not in params}
    values |= read("params", {key: params[key] for key in params if key not in plain}, dimensions, readable, values)
    states = {key: state.dimension for key, state in model.states.items() if key != COUNTER}
    init = read("init", spec.init, states, dimensions, values)
    positions = None
    with problems.at("positions"):
        positions = None if spec.positions is None else positions_from_spec(spec.positions, spec.n, net.base_dir)
    placed = None if positions is None else positions.place(Stream(net.seed, f"{name}/positions"))
    with problems.at("params"):
        if len(problems.found) == before:
            _check_numbers(model, values, net.dt)
    return Population(name, spec.n, model, values, init, positions, placed, schedule)


def _schedule(net: Network, model: Model, params: dict[str, Any], n: int) -> Train | None:
    """The spikes of a model that plays given ones; their keys are taken out of `params`."""
    if "schedule" not in model.document:
        return None
    return read_train({key: params.pop(key) for key in KEYS if key in params}, n, net.dt, net.base_dir)


def _is_expression(text: Any) -> bool:
    return isinstance(text, Mapping) and "expression" in text


@dataclass
class _ValueReader:
    """Reads parameters and initial states of one population."""

    net: Network
    model: Model
    n: int
    problems: Problems

    def __call__(
        self, place: str, texts: Mapping[str, Any], known: Mapping[str, Dimension],
        names: Mapping[str, Dimension] | None = None, values: Mapping[str, Value] | None = None,
    ) -> dict[str, Value]:
        """What `texts` say about the names in `known`; expressions may read `names`, whose values are `values`."""
        made = {}
        readable = None if names is None else {**names, **UNIT_NAMES}
        kind = {"params": "parameter", "init": "state"}[place]
        for key, text in texts.items():
            with self.problems.at(place, key):
                if key not in known:
                    raise InputError(unknown(f"{kind} of {self.model.name}", key, known))
                value = value_from_spec(text, known[key], self.net.base_dir, self.net.dt, readable)
                value.check_size(self.n, "units")
                made[key] = value.given(self._numbers(values or {}), self.n)
        return made

    def _numbers(self, values: Mapping[str, Value]) -> dict[str, float]:
        """Parameters that are the same for all units; a compiler supplies the others when it has drawn them."""
        known = {key: parameter.default for key, parameter in self.model.parameters.items()
                 if key not in values and parameter.default is not None}
        constant = {key: value.constant for key, value in values.items() if value.constant is not None}
        return known | constant | {"dt": self.net.dt}


def _check_numbers(model: Model, values: dict[str, Value], dt: float) -> None:
    """``InputError`` where the equations have no finite coefficients; a distribution is judged by its middle."""
    sample = {}
    for key, value in values.items():
        if isinstance(value, Expression):  # may read what is drawn later; judged by the compiler
            continue
        middle = (value.low + value.high) / 2 if value.constant is None else value.constant
        drawn = value.size or (not math.isfinite(middle) and 1)
        sample[key] = value.draw(Stream(0, ""), (0, drawn)) if drawn else middle
    model.bind(sample, dt)
    model.initial(sample, dt)


def make_projections(net: Network, spec: ProjectionSpec, entry: int) -> list[Projection]:
    """One projection for each pair of populations; ``InputError`` with all faults. `entry`: its number."""
    problems, made = Problems(), []
    sources, targets = (_populations(net, key, spec, problems) for key in ("from", "to"))
    taken = {projection.label for projection in net.projections}
    for source in sources:
        for target in targets:
            label = projection_label(spec.name, source, target, len(sources) * len(targets) > 1, taken)
            with problems.at(""):
                made.append(_projection(net, spec, source, target, label, entry))
    if spec.name is not None and any(projection.name == spec.name for projection in net.projections):
        problems.add("name", f"duplicate projection name {spec.name!r}")
    found = list(dict.fromkeys(problems.found))   # pairs of one entry share their faults
    if found:
        raise InputError(found)
    _check_cycles(net, made)
    return made


def _populations(net: Network, key: str, spec: ProjectionSpec, problems: Problems) -> list[Population]:
    names = spec.source if key == "from" else spec.target
    return net.find_populations(names, key, problems)


def projection_label(
    name: str | None, source: Population, target: Population, several: bool, taken: set[str]
) -> str:
    """``<name>``, ``<name>/<from>-><to>`` for one of several pairs, ``<from>-><to>``, with #2... where it is taken."""
    pair = f"{source.name}->{target.name}"
    base = pair if name is None else f"{name}/{pair}" if several else name
    label, k = base, 1
    while label in taken:
        k += 1
        label = f"{base}#{k}"
    taken.add(label)
    return label


def _projection(
    net: Network, spec: ProjectionSpec, source: Population, target: Population, label: str, entry: int
) -> Projection:
    problems = Problems()
    bound = ports = weight = delay = synapse = coupling = learning = None
    read = spec.synapse is None or spec.coupling is not None
    with problems.at("connect"):
        rule = rule_from_spec(spec.connect)
        places = (source.placed, target.placed)
        bound = rule.bind(source.n, target.n, source is target, net.seed, label, net.base_dir, places)
    texts = {key: _given(spec, bound, key, problems) for key in ("weight", "delay")}
    if spec.coupling is not None:
        with problems.at("coupling"):
            coupling = make_coupling(net, spec, source, target)
    with problems.at(""):
        ports, weight = _reached(net, spec, target, coupling, texts["weight"])
    with problems.at("delay"):
        delay = read_delay(net, texts["delay"], f"projections.{entry}", NAMES)
    if bound and weight:
        with problems.at("weight"):
            weight = of_synapses(weight, bound, f"{label}/weight", 0.0)
    if bound and delay:
        with problems.at("delay"):
            delay = of_synapses(delay, bound, f"{label}/delay", net.dt)
    fixed = None
    if weight and spec.coupling is None:
        with problems.at(""):
            fixed = make_fixed(spec, target, weight)
    if spec.synapse is not None and spec.coupling is None and weight:
        with problems.at("synapse"):
            if is_learning(spec.synapse):
                learning = make_learning(net, spec.synapse, bound, label)
            else:
                synapse = _plastic(net, spec.synapse, target, weight, f"projections.{entry}.synapse")
            read = True
    problems.check()
    if not (bound and ports and weight and delay and read):
        raise InputError([])   # what is missing has faults that are noted elsewhere
    made = Projection(label, spec.name, source, target, bound.rule, bound, weight, delay, spec.port, ports, entry,
                      synapse, coupling, fixed, learning)
    check_synapse(made, net.dt)
    check_delay_of(made, net.dt)
    return made


def _plastic(net: Network, raw: Any, target: Population, weight: Value, place: str) -> Synapse | None:
    """The rule that `raw` says; its weights are real numbers, so it has no place onto whole ones."""
    synapse = make_synapse(net, raw, weight.dimension, place)
    if synapse is not None and target.model.whole:
        raise InputError(f"{synapse.model.name} computes weights in real numbers, and {target.model.name} takes whole "
                         "ones; expected loihi_learning")
    return synapse


def _reached(
    net: Network, spec: ProjectionSpec, target: Population, coupling: Coupling | None, text: Any
) -> tuple[tuple[str, str], Value | None]:
    """Ports and weight; no port where no spike arrives, and no weight of a coupling that has faults."""
    if spec.coupling is not None:
        return ("", ""), None if coupling is None else coupled_weight(net, coupling, target, text)
    if spec.synapse not in (None, STATIC) and target.schedule is not None:
        return ("", ""), unsent(net, text)
    return weighted(net, target.model, spec.port, text, NAMES)


def _given(spec: ProjectionSpec, bound: Bound | None, key: str, problems: Problems) -> Any:
    """A weight or delay as the projection says it, or as its list of pairs does."""
    own, listed = getattr(spec, key), getattr(bound and bound.rule, key, None)
    if own is not None and listed is not None:
        problems.add(key, f"is given here and in connect.{key}; leave one of them out")
    return listed if own is None else own


def weighted(
    net: Network, model: Model, port: str | None, text: Any, names: Mapping[str, Dimension] | None = None
) -> tuple[tuple[str, str], Value]:
    """Ports for weights >= 0 and < 0, and the weight, for spikes that arrive at `model`.

    names: what an expression may read; its range, and with it its sign, is known when it is computed.
    """
    pair = _ports(model, port)
    dimension = model.ports[pair[0]].dimension
    if text is None and dimension != DIMENSIONLESS:
        raise InputError(f"missing key 'weight': {describe(dimension)} for port {pair[0]!r} of {model.name}")
    problems, weight = Problems(), None
    with problems.at("weight"):
        weight = value_from_spec(1.0 if text is None else text, dimension, net.base_dir, net.dt, names)
        if isinstance(weight, Expression):
            return pair, weight
        if pair[0] == pair[1] and model.ports[pair[0]].negative and weight.high > 0:
            raise InputError(f"expected weights of at most 0 for port {pair[0]!r} of {model.name}, "
                             f"found {to_text(weight.high, dimension)}")
    problems.check()
    assert weight is not None
    return (pair[0], pair[0]) if weight.low >= 0 else (pair[1], pair[1]) if weight.high <= 0 else pair, weight


def _ports(model: Model, port: str | None) -> tuple[str, str]:
    names = list(model.ports)
    if not names:
        raise InputError(Problem("to", f"{model.name} receives no spikes"))
    if port is not None and port not in model.ports:
        raise InputError(Problem("port", unknown(f"port of {model.name}", port, names)))
    if port is not None or len(names) == 1:
        return (port or names[0],) * 2
    if {"exc", "inh"} <= set(names) and model.ports["exc"].dimension == model.ports["inh"].dimension:
        return "exc", "inh"
    raise InputError(f"missing key 'port': {model.name} has several; expected one of: {', '.join(sorted(names))}")


def read_delay(net: Network, text: Any, place: str, names: Mapping[str, Dimension] | None = None) -> Value:
    """A delay, one step unless given; rounding of a constant one, or of drawn ones up to a step, is noted.

    names: what an expression may read; its range is judged when it is computed.
    """
    delay = value_from_spec("1 step" if text is None else text, TIME, net.base_dir, net.dt, names)
    if isinstance(delay, Expression):
        return delay
    check_delay(delay, net.dt)
    if delay.constant:
        round_steps(delay.constant, net.dt, net.notes, f"{place}.delay")
    elif delay.constant is None and 0 < delay.low < net.dt * (1 - CLOSE):
        note = f"{place}.delay: delays below {to_text(net.dt, TIME)} are rounded to 1 step"
        net.notes += [note] if note not in net.notes else []
    return delay


def _check_cycles(net: Network, made: list[Projection]) -> None:
    edges = [(p.source.name, p.target.name) for p in net.projections if p.delay.constant == 0]
    for projection in made:
        if projection.delay.constant == 0:
            source, target = projection.source.name, projection.target.name
            if closed := cycle(edges, source, target):
                raise InputError(Problem("delay", f"expected a delay above 0 ms somewhere in the cycle "
                                                  f"{' -> '.join(closed)}, found 0 ms in all of it"))
            edges.append((source, target))
