"""The rules of plastic projections: what ``synapse:`` says, read and checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from snnsim.checked import checked, found
from snnsim.distributions import Value, value_from_spec
from snnsim.distributions.spec import quantity
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.graph import Population, Projection, Synapse
from snnsim.plan import delay_steps
from snnsim.schema import SynapseSpec
from snnsim.synaptic import Synaptic
from snnsim.timing import check_range, round_steps
from snnsim.units import TIME, Dimension, describe, parse, to_text

if TYPE_CHECKING:
    from snnsim.equations.synapse import SynapseModel
    from snnsim.network import Network

STATIC = "static"


def make_synapse(net: Network, raw: Any, weight: Dimension, place: str) -> Synapse | None:
    """The rule that a projection's ``synapse:`` says; None where weights stay as they are.

    weight: the dimension of the projection's weights. place: of the rule, for notes. Raises ``InputError`` with every
    fault.
    """
    if isinstance(raw, str):
        raw = {"model": raw}
    if not isinstance(raw, Mapping):
        raise InputError(f"expected the name of a synapse model, or a mapping such as {{model: stdp_pair}}, "
                         f"found {found(raw)}")
    if raw.get("model") == STATIC and len(raw) == 1:
        return None
    problems, model = Problems(), None
    spec = checked(SynapseSpec, dict(raw), problems)
    if spec is not None:
        with problems.at("model"):
            model = net.library.synapse(spec.model, weight)
    problems.check()
    if spec is None or model is None:
        raise InputError([])   # the faults of the model are noted where it is defined
    return _Reader(net, spec, model, place).read()


class _Reader:
    """Reads what a rule is given."""

    def __init__(self, net: Network, spec: SynapseSpec, model: SynapseModel, place: str) -> None:
        self.net, self.spec, self.model, self.place, self.problems = net, spec, model, place, Problems()

    def read(self) -> Synapse:
        params, init = self._params(), self._init()
        axonal = self._time("axonal", 0.0)
        modulator, late = None, self.net.dt
        with self.problems.at("modulator"):
            modulator = self._modulator()
        if self.spec.modulator_delay is not None and (modulator is None or modulator[1] is not None):
            self.problems.add("modulator_delay", "expected a modulator that spikes; a variable acts one step late")
        else:
            late = self._time("modulator_delay", self.net.dt)
        self.problems.check()
        spec = self.spec
        return Synapse(self.model, params, init, spec.pairing, spec.tie, axonal, modulator, late)

    def _params(self) -> dict[str, float]:
        known = {name: parameter.dimension for name, parameter in self.model.parameters.items()}
        values = self._numbers("params", "parameter", self.spec.params, known)
        for name, value in values.items():
            with self.problems.at("params", name):
                self.model.parameters[name].check(value)
        for name, parameter in self.model.parameters.items():
            if parameter.default is None and name not in self.spec.params:
                why = f"{self.model.name} has no default for what is in the unit of the weight"
                self.problems.add(f"params.{name}", f"missing: expected {describe(parameter.dimension)}; {why}")
        return values

    def _init(self) -> dict[str, float]:
        return self._numbers("init", "state", self.spec.init, self.model.states)

    def _numbers(self, place: str, kind: str, texts: Mapping[str, Any], known: Mapping[str, Dimension]
                 ) -> dict[str, float]:
        made = {}
        for key, text in texts.items():
            with self.problems.at(place, key):
                if key not in known:
                    raise InputError(unknown(f"{kind} of {self.model.name}", key, known))
                if isinstance(text, (Mapping, list, tuple)):
                    raise InputError(f"expected one value for the whole projection, found {found(text)}")
                made[key] = quantity(text, known[key], self.net.dt)
        return made

    def _time(self, key: str, default: float) -> float:
        text, value = getattr(self.spec, key), default
        if text is not None:
            with self.problems.at(key):
                value = quantity(text, TIME, self.net.dt)
                if value < 0:
                    raise InputError(f"expected a time of at least 0 ms, found {text}")
                check_range(value, self.net.dt)
                if value > 0:
                    round_steps(value, self.net.dt, self.net.notes, f"{self.place}.{key}")
        return value

    def _modulator(self) -> tuple[Population, str | None] | None:
        wanted = "population" if self.model.uses_modulator_spikes else "variable" if self.model.modulator else None
        text = self.spec.modulator
        if text is None and wanted is None:
            return None
        if wanted is None:
            raise InputError(f"{self.model.name} has no modulator")
        if text is None:
            example = "a population, such as dopamine" if wanted == "population" else "a variable, such as reward.v"
            raise InputError(f"missing: {self.model.name} needs {example}")
        name, dot, variable = text.partition(".")
        population = self.net.find_population(name)
        if wanted == "population":
            if dot:
                raise InputError(f"expected a population, whose spikes modulate {self.model.name}, found {text!r}")
            if not population.model.spiking:
                raise InputError(f"{population.model.name}, the model of {name}, does not spike")
            return population, None
        if not dot:
            raise InputError(f"expected a variable of {name}, such as {name}.v, to modulate {self.model.name}, found "
                             f"{text!r}")
        return population, self._variable(population, variable)

    def _variable(self, population: Population, variable: str) -> str:
        states = population.model.states.items()
        dimensions = {name: state.dimension for name, state in states if state.kind.name == "REAL"}
        dimensions |= population.model.outputs
        if variable not in dimensions:
            known = [f"{population.name}.{name}" for name in dimensions]
            raise InputError(unknown("variable", f"{population.name}.{variable}", known))
        wanted = self.model.modulator
        if isinstance(wanted, Dimension) and wanted != dimensions[variable]:
            raise InputError(f"{self.model.name} expects {describe(wanted)} as modulator, found "
                             f"{describe(dimensions[variable])}: {population.name}.{variable}")
        return variable


def unsent(net: Network, spec: Any) -> Value:
    """The weight of plastic synapses onto given spikes: nothing is sent, so it may have any unit."""
    if spec is None:
        raise InputError(Problem("", "missing key 'weight': the initial weight of the synapses, in any unit"))
    problems, value = Problems(), None
    with problems.at("weight"):
        value = value_from_spec(spec, _dimension(spec), net.base_dir, net.dt)
    problems.check()
    assert value is not None
    return value


def _dimension(spec: Any) -> Dimension:
    """That of the first quantity in a value's text."""
    if isinstance(spec, Mapping):
        spec = [text for key, text in spec.items() if key not in ("file", "key", "sigma", "p")]
    if isinstance(spec, Collection) and not isinstance(spec, str):
        return _dimension(next(iter(spec), 0))
    return parse(spec).dimension


def check_synapse(projection: Projection, dt: float) -> None:
    """``InputError`` where a projection cannot have its rule: its delay, who modulates whom."""
    if projection.synapse is None:
        return
    problems = Problems()
    with problems.at(""):
        if not isinstance(projection.delay, Synaptic):   # all of those are computed later
            check_axonal(projection, projection.synapse, dt)
    with problems.at("synapse"):
        _check_modulator(projection, projection.synapse)
    problems.check()


def check_axonal(projection: Projection, synapse: Synapse, dt: float) -> None:
    """``InputError`` where less than one step of a delay would be left behind the synapse."""
    delay = projection.delay
    if delay.constant == 0:
        raise InputError(Problem("delay", "expected a delay above 0 ms for plastic synapses, found 0 ms"))
    shortest = max(1, delay_steps(delay.low, dt))
    if delay_steps(synapse.axonal, dt) >= shortest:
        most, found = to_text(round(shortest * dt, 9), TIME), to_text(synapse.axonal, TIME)
        text = f"expected at least one step less than the shortest delay, {most}, found {found}"
        raise InputError(Problem("synapse.axonal", text))


def _check_modulator(projection: Projection, synapse: Synapse) -> None:
    if synapse.modulator is None or synapse.modulator[1] is None:
        return
    population, n = synapse.modulator[0], projection.target.n
    if population.n not in (1, n):
        text = (f"expected a population of 1 unit, or of {n} as {projection.target.name} has, found "
                f"{population.n} units of {population.name}")
        raise InputError(Problem("modulator", text))
