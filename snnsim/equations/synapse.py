"""A synapse model: names and dimensions for the language, a program per event for backends, bound numbers for a run."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, Literal

from snnsim.equations.emit import Emitter
from snnsim.equations.expr import Expr, state
from snnsim.equations.host import Table, Values, complete, parameters_of
from snnsim.equations.quantities import quantity
from snnsim.equations.rules import Parameter
from snnsim.equations.statements import MODULATOR, SEND, WEIGHT
from snnsim.equations.synapse_read import EVENTS, SynapseRules, Trace, read_synapse
from snnsim.equations.weights import in_weights
from snnsim.errors import InputError, Problem
from snnsim.ir.ops import Builder, Op, Program, Type
from snnsim.units import CURRENT, DIMENSIONLESS, TIME, VOLTAGE, Dimension, to_text

_LARGEST_EXPONENT = 64
# What weights of the built-in ports are, besides numbers without unit.
_USUAL = (CURRENT, CURRENT / VOLTAGE, VOLTAGE, VOLTAGE / TIME)


class SynapseModel:
    """The rule of a synapse, read and checked for weights of one dimension.

    parameters, states (those besides the weight `w`) map names to what they are; `document` is what the model was made
    from. traces: of the spikes of either side. modulator: the dimension of the network variable that the rule reads,
    ``"any"``, or None; uses_modulator_spikes: whether it has traces of the modulator's spikes instead. events: which of
    ``pre, post, step, interval`` have a program; ``pre`` always, since it is what sends. assigns_weight: whether any
    of them changes `w`. Made by `synapse_from_document` and `snnsim.models.builtin_synapse`.
    """

    def __init__(self, name: str, document: Mapping[str, Any], weight: Dimension) -> None:
        rules = read_synapse(document, weight, {})
        self.name, self.document, self.weight, self._rules = name, copy.deepcopy(dict(document)), weight, rules
        self.about, self.source = (" ".join(str(document.get(key, "")).split()) for key in ("about", "source"))
        self.parameters: dict[str, Parameter] = rules.parameters
        self.states: dict[str, Dimension] = rules.states
        self.traces: tuple[Trace, ...] = tuple(rules.traces.values())
        self.modulator: Dimension | Literal["any"] | None = rules.modulator
        self.uses_modulator_spikes = any(trace.on == MODULATOR for trace in self.traces)
        self.events = {"pre", *(event for event, values in rules.values.items() if values)}
        self.assigns_weight = any(WEIGHT in values for values in rules.values.values())
        self._compiled: dict[tuple[tuple[str, float], ...], _Compiled] = {}

    def __repr__(self) -> str:
        return f"SynapseModel({self.name!r})"

    def default_text(self, name: str) -> str:
        """The default of a parameter with its unit, ``weight`` where that is the unit of the projection's weights."""
        parameter, entry = self.parameters[name], self.document["parameters"][name]
        text = entry["default"] if isinstance(entry, Mapping) else entry
        if in_weights(text, self.weight) is not None:
            return text if parameter.default is not None else f"to be given ({text})"
        assert parameter.default is not None
        return to_text(parameter.default, parameter.dimension)

    def program(self, event: str, values: Mapping[str, float]) -> Program:
        """What happens in an event, for one synapse; it reads and stores `w` and the states.

        Its DRIVEs are traces, ``since_pre``, ``modulator`` and ``sum_w``; that of ``pre`` has the OUTPUT ``send``.
        values: as for `bind`; the program depends on them only where a parameter is a whole-numbered exponent, which
        it has in itself as multiplications.
        """
        return self._compile(self._complete(values)).programs[event]

    def bind(self, values: Mapping[str, float], dt: float) -> dict[str, float]:
        """Every number that the programs for `values` read by name.

        values: parameters in the coherent system, defaults where absent. dt in ms. Raises ``InputError`` naming the
        parameter, for a missing one too, and the expression that is not finite.
        """
        given = self._complete(values, dt)
        return _floats(self._compile(given).hoisted.evaluate(given))

    def trace_numbers(self, values: Mapping[str, float], dt: float) -> dict[str, tuple[float, float]]:
        """(what a trace is multiplied with in a step, what a spike adds to it), for each trace."""
        given = self._complete(values, dt)
        for name, tau in self._taus.evaluate(given).items():
            if not tau > 0:
                place = (parameters_of(self._taus.expressions[name]) or [""])[0]
                raise InputError(Problem(place, f"the time constant of trace {name} must be above 0 ms, found "
                                                f"{to_text(float(tau), TIME)}"))
        decays, adds = (_floats(table.evaluate(given)) for table in (self._decays, self._adds))
        return {name: (decays[name], adds[name]) for name in decays}

    def initial(self, values: Mapping[str, float], dt: float) -> dict[str, float]:
        """The initial value of every state."""
        return _floats(self._initial.evaluate(self._complete(values, dt)))

    def interval(self, values: Mapping[str, float], dt: float) -> float:
        """The time in ms between two runs of ``interval``; 0 where there is none."""
        if self._rules.interval is None:
            return 0.0
        found = self._interval.evaluate(self._complete(values, dt))["every"]
        if not found > 0:
            place = (parameters_of(self._rules.interval) or [""])[0]
            raise InputError(Problem(place, f"the interval must be above 0 ms, found {to_text(float(found), TIME)}"))
        return float(found)

    def weight_bounds(self, values: Mapping[str, float]) -> tuple[float | None, float | None]:
        """Lowest and highest `w` that the rule leaves, as stated or as its expressions say; None: no bound."""
        found = _floats(self._bounds.evaluate(self._complete(values)))
        low, high = found.get("low"), found.get("high")
        if low is not None and high is not None and low > high:
            place = (parameters_of(self._bounds.expressions["high"]) or [""])[0]
            texts = (to_text(bound, self.weight) for bound in (low, high))
            raise InputError(Problem(place, "the bounds of w must ascend, found {} and {}".format(*texts)))
        return low, high

    # --- what is made when it is needed ------------------------------------------------------------------------------

    @cached_property
    def _taus(self) -> Table:
        return Table({trace.name: trace.tau for trace in self.traces})

    @cached_property
    def _decays(self) -> Table:
        return Table({trace.name: trace.decay for trace in self.traces})

    @cached_property
    def _adds(self) -> Table:
        return Table({trace.name: trace.add for trace in self.traces})

    @cached_property
    def _initial(self) -> Table:
        return Table(self._rules.initial)

    @cached_property
    def _interval(self) -> Table:
        return Table({} if self._rules.interval is None else {"every": self._rules.interval})

    @cached_property
    def _bounds(self) -> Table:
        return Table({name: e for name, e in self._rules.bounds._asdict().items() if e is not None})

    def _complete(self, values: Mapping[str, float], dt: float = 1.0) -> Values:
        return complete(self.parameters, values, dt)

    def _compile(self, given: Values) -> _Compiled:
        whole = {name: float(given[name]) for name in sorted(self._rules.exponents) if _is_whole(float(given[name]))}
        key = tuple(whole.items())
        if key not in self._compiled:
            self._compiled[key] = _Compiled(read_synapse(self.document, self.weight, whole) if whole else self._rules)
        return self._compiled[key]


class _Compiled:
    """The programs for one choice of whole-numbered exponents, and the recipes of the numbers that they read."""

    def __init__(self, rules: SynapseRules) -> None:
        self.programs: dict[str, Program] = {}
        hoisted: dict[str, Expr] = {}
        kinds = dict.fromkeys([WEIGHT, *rules.states], Type.REAL)
        for event in EVENTS:
            values = dict(rules.values.get(event, {}))
            if event == "pre":
                values.setdefault(SEND, values.get(WEIGHT, state(WEIGHT)))
            emit = Emitter(Builder(kinds))
            numbers = {name: emit(expr) for name, expr in values.items()}
            for name, number in numbers.items():
                emit.builder(Op.OUTPUT if name == SEND else Op.STORE, number, data=name)
            self.programs[event] = emit.builder.build()
            hoisted |= emit.hoisted
        self.hoisted = Table(hoisted)


def _is_whole(value: float) -> bool:
    return value.is_integer() and abs(value) <= _LARGEST_EXPONENT


def _floats(values: Values) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def is_synapse_document(document: Any) -> bool:
    """Whether a model document describes synapses (``kind: synapse``), not neurons."""
    return isinstance(document, Mapping) and document.get("kind") == "synapse"


def synapse_from_document(name: str, document: Any, weight: Dimension) -> SynapseModel:
    """The synapse model that `document` describes (docs/models.md has the form), for weights of this dimension.

    Raises ``InputError`` with every fault, each with its path in the document (``on_pre``).
    """
    return SynapseModel(name, document, weight)


def check_synapse_document(name: str, document: Any) -> None:
    """``InputError`` where `document` is right for no dimension of weights: the faults for the one that suits it best.

    Which one is meant only shows at a projection; parameters such as a largest weight in pA suggest it.
    """
    faults: list[InputError] = []
    for weight in dict.fromkeys([DIMENSIONLESS, *_suggested(document), *_USUAL]):
        try:
            synapse_from_document(name, document, weight)
            return
        except InputError as error:
            faults.append(error)
    raise min(faults, key=lambda error: len(error.problems))


def _suggested(document: Any) -> Iterator[Dimension]:
    """The dimensions of the parameters, where they can be read."""
    parameters = document.get("parameters") if isinstance(document, Mapping) else None
    for entry in parameters.values() if isinstance(parameters, Mapping) else ():
        with suppress(InputError):
            yield quantity(entry.get("default") if isinstance(entry, Mapping) else entry).dimension
