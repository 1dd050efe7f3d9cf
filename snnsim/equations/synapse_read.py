"""The document of a synapse model (``kind: synapse``) -> ``SynapseRules``; every fault that can be found is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from snnsim.equations.bounds import NO_BOUNDS, Bounds, inferred
from snnsim.equations.document import Document, mapping
from snnsim.equations.expr import DT, ZERO, Expr, const, drive, make, state
from snnsim.equations.quantities import dimension_of
from snnsim.equations.rules import Parameter
from snnsim.equations.statements import MODULATOR, WEIGHT, Statements, claim_names
from snnsim.equations.typed import Typed
from snnsim.equations.weights import in_weights, quantity_or_weight
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.ir.ops import Op
from snnsim.units import DIMENSIONLESS, TIME, Dimension

KEYS = ("kind", "about", "source", "parameters", "states", "traces", "modulator", "on_pre", "on_post", "on_step",
        "on_interval", "bounds")
EVENTS = ("pre", "post", "step", "interval")
SIDES = ("pre", "post", "modulator")
PAIRINGS = ("all", "nearest")
ANY: Literal["any"] = "any"
_EXAMPLE = "{kind: synapse, on_pre: ..., on_post: ...}"


@dataclass(frozen=True)
class Trace:
    """A trace of the spikes of one side. pairing: ``all``, ``nearest``, or None for what the projection says."""

    name: str
    on: str
    pairing: str | None
    dimension: Dimension
    tau: Expr
    add: Expr

    @property
    def decay(self) -> Expr:
        """What the trace is multiplied with in a step."""
        return make(Op.EXP, make(Op.DIV, make(Op.NEG, DT), self.tau))


@dataclass
class SynapseRules:
    """One synapse model. values: event -> what it changes, as trees of what is there before it."""

    parameters: dict[str, Parameter]
    states: dict[str, Dimension] = field(default_factory=dict)
    initial: dict[str, Expr] = field(default_factory=dict)
    traces: dict[str, Trace] = field(default_factory=dict)
    modulator: Dimension | Literal["any"] | None = None
    values: dict[str, dict[str, Expr]] = field(default_factory=dict)
    interval: Expr | None = None
    bounds: Bounds = NO_BOUNDS
    exponents: set[str] = field(default_factory=set)


def read_synapse(document: Any, weight: Dimension, constants: Mapping[str, float]) -> SynapseRules:
    """The rules of a document for weights of this dimension; ``InputError`` with all faults.

    constants: values of parameters that are part of the rules, as whole exponents are.
    """
    problems = Problems()
    with problems.at():
        document = mapping(document, _EXAMPLE)
    problems.check()
    return _Reader(document, weight, constants).read()


class _Reader(Document):
    """Reads a document, in the order in which names are needed."""

    def __init__(self, document: Mapping[str, Any], weight: Dimension, constants: Mapping[str, float]) -> None:
        super().__init__(document)
        self.weight, self.constants, self.rules = weight, constants, SynapseRules(self.parameters)

    def read(self) -> SynapseRules:
        self.check_keys("synapse model", KEYS)
        claim_names(self, self.weight)
        self.each("parameters", "{tau: 20 ms}", self._parameter)
        self.each("states", "{u: u_0}", self._state)
        self.each("traces", "{x: {on: pre, tau: tau}}", self._trace)
        with self.problems.at("modulator"):
            self._modulator(self.document.get("modulator"))
        self.problems.check()
        self._rules()
        with self.problems.at("bounds"):
            self._bounds(self.document.get("bounds"))
        self.problems.check()
        return self.rules

    def _parameter(self, name: str, value: Any) -> None:
        self.parameter(name, value, lambda text: quantity_or_weight(text, self.weight))
        if name in self.constants:
            self.scope.define(name, Typed(const(self.constants[name]), self.parameters[name].dimension))

    def _state(self, name: str, value: Any) -> None:
        self.scope.claim(name, "a state", None)
        initial, dimension = self._initial(value)
        self.rules.initial[name], self.rules.states[name] = initial, dimension
        self.scope.define(name, Typed(state(name), dimension))

    def _initial(self, value: Any) -> tuple[Expr, Dimension]:
        in_unit = in_weights(value, self.weight)
        if in_unit is None:
            found = self.of_parameters(value)
            return found.real(), found.dimension
        if in_unit[0] is None:
            raise InputError(f"expected an initial value such as '0 weight', found {value!r}")
        return const(in_unit[0]), in_unit[1]

    def _trace(self, name: str, value: Any) -> None:
        self.scope.claim(name, "a trace", None)
        entry = mapping(value, "{on: pre, tau: tau}")
        for key in entry:
            if key not in ("on", "tau", "add", "pairing"):
                raise InputError(unknown("key", key, ("on", "tau", "add", "pairing")))
        for key in ("on", "tau"):
            if key not in entry:
                raise InputError(f"missing key {key!r}: expected a mapping such as {{on: pre, tau: tau}}")
        on, pairing = _one_of("on", "side", entry["on"], SIDES), entry.get("pairing")
        if pairing is not None:
            _one_of("pairing", "pairing", pairing, PAIRINGS)
        tau, add = self._part("tau", entry["tau"], TIME), self._part("add", entry.get("add", 1))
        self.rules.traces[name] = Trace(name, on, pairing, add.dimension, tau.real(), add.real())
        self.scope.define(name, Typed(drive(name), add.dimension))

    def _part(self, key: str, value: Any, dimension: Dimension | None = None) -> Typed:
        problems = Problems()
        with problems.at(key):
            return self.of_parameters(value, dimension)
        raise InputError(problems.found)

    def _modulator(self, value: Any) -> None:
        if value is None:
            return
        if any(trace.on == MODULATOR for trace in self.rules.traces.values()):
            raise InputError("a model has either traces of the modulator's spikes or its variable, not both")
        self.rules.modulator = ANY if value == ANY else dimension_of(value)
        dimension = DIMENSIONLESS if value == ANY else dimension_of(value)
        self.scope.claim(MODULATOR, "the modulator", Typed(drive(MODULATOR), dimension))

    # --- rules -------------------------------------------------------------------------------------------------------

    def _rules(self) -> None:
        given = [event for event in EVENTS if f"on_{event}" in self.document]
        if not given:
            self.problems.add("", "expected at least one of: on_pre, on_post, on_step, on_interval")
        for event in given:
            with self.problems.at(f"on_{event}"):
                self._rule(event, self.document[f"on_{event}"])

    def _rule(self, event: str, source: Any) -> None:
        statements = Statements(self, event, {WEIGHT: self.weight, **self.rules.states})
        if event == "interval":
            source = self._interval(source)
            with self.problems.at("do"):
                statements.read(source)
        else:
            statements.read(source)
        self.rules.values[event] = statements.changed()
        self.rules.exponents |= statements.exponents & self.parameters.keys()

    def _interval(self, value: Any) -> Any:
        entry = mapping(value, "{every: 1 s, do: w = ...}")
        if set(entry) != {"every", "do"}:
            raise InputError(f"expected a mapping such as {{every: 1 s, do: w = ...}}, found {value!r}")
        with self.problems.at("every"):
            self.rules.interval = self.of_parameters(entry["every"], TIME).real()
        return entry["do"]

    def _bounds(self, value: Any) -> None:
        if value is None:
            self.rules.bounds = inferred(values.get(WEIGHT) for values in self.rules.values.values())
            return
        entry = mapping(value, "{w: [0, w_max]}")
        if set(entry) != {WEIGHT} or not isinstance(entry[WEIGHT], list) or len(entry[WEIGHT]) != 2:
            raise InputError(f"expected a mapping such as {{w: [0, w_max]}}, found {value!r}")
        with self.problems.at(WEIGHT):
            self.rules.bounds = Bounds(*(self._bound(side) for side in entry[WEIGHT]))

    def _bound(self, value: Any) -> Expr | None:
        if value is None or value == 0:
            return None if value is None else ZERO
        return self.of_parameters(value, self.weight).real()


def _one_of(key: str, kind: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InputError(Problem(key, unknown(kind, str(value), choices)))
    return value
