"""A model: names and dimensions for the language, a program for backends, bound numbers for a run."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from snnsim.equations.behaviour import read_rules
from snnsim.equations.emit import Emitter
from snnsim.equations.expr import ZERO, Expr, drive, substitute
from snnsim.equations.host import Table, Values, complete, parameters_of
from snnsim.equations.memo import Memo
from snnsim.equations.propagators import Propagator, Propagators
from snnsim.equations.relative import relative
from snnsim.equations.rules import Parameter, Port, Rules
from snnsim.equations.stability import Stability
from snnsim.equations.step import COUNTER, Outcome, step
from snnsim.equations.text import text
from snnsim.equations.whole import WholeEmitter, bound
from snnsim.errors import InputError, Problem
from snnsim.ir.ops import Builder, Op, Program, Type
from snnsim.units import DIMENSIONLESS, Dimension, to_text

_MOST = (1 << 31) - 1   # whole numbers have 32 bits


@dataclass(frozen=True)
class StateVar:
    """A state: its dimension, and REAL or INT (the refractory counter, named ``refractory``)."""

    dimension: Dimension
    kind: Type = Type.REAL


class Model:
    """Equations of a neuron, read and checked.

    parameters, states, ports, drives (continuous inputs) and outputs map names to what they are; `document` is what
    the model was made from. fixed_point: the chip arithmetic of a model in whole numbers (whole), or empty. Made by
    `model_from_document` and `snnsim.models.builtin`.
    """

    def __init__(self, name: str, document: Mapping[str, Any], rules: Rules) -> None:
        self.name, self.document, self._rules = name, copy.deepcopy(dict(document)), rules
        self.about, self.source = (" ".join(str(document.get(key, "")).split()) for key in ("about", "source"))
        self.parameters: dict[str, Parameter] = rules.parameters
        self.fixed_point, self.whole = rules.fixed_point, bool(rules.fixed_point)
        kind = Type.INT if self.whole else Type.REAL
        self.states = {name: StateVar(dimension, kind) for name, dimension in rules.states.items()}
        if rules.refractory:
            self.states[COUNTER] = StateVar(DIMENSIONLESS, Type.INT)
        self.ports: dict[str, Port] = rules.ports
        self.drives: dict[str, Dimension] = rules.drives
        self.outputs = {name: dimension for name, (_, dimension) in rules.outputs.items()}
        self.integrate, self.spiking = rules.method.name, rules.spike is not None
        self._compiled: dict[frozenset[str], _Compiled] = {}
        self._memo = Memo()

    def __repr__(self) -> str:
        return f"Model({self.name!r})"

    def default_text(self, name: str) -> str:
        """The default of a parameter with its unit."""
        parameter = self.parameters[name]
        assert parameter.default is not None   # those of neurons have one
        return to_text(parameter.default, parameter.dimension)

    def program(self, drives: Collection[str] | None = None) -> Program:
        """One step; independent of dt and of the values of parameters.

        drives: the continuous inputs that are connected (default: all); the others are zero and cost nothing.
        """
        return self._compile(drives).program

    def bind(
        self, values: Mapping[str, float | np.ndarray], dt: float, drives: Collection[str] | None = None
    ) -> Values:
        """Every number that `program(drives)` reads by name, except the weight quanta ``quantum.<port>``.

        values: parameters in the coherent system, defaults where absent; floats, or float64 arrays [units]. dt in ms.
        Returns floats, and arrays [units] where a parameter involved is one; whole numbers as int or int64.
        Raises ``InputError`` naming the parameter and the expression that is not finite, or the variable for which the
        method is unstable with this dt.
        """
        chosen = self._chosen(drives)
        return self._memo(("bind", chosen), values, dt, lambda: self._bind(values, dt, chosen))

    def _bind(self, values: Mapping[str, float | np.ndarray], dt: float, drives: frozenset[str]) -> Values:
        complete = self._complete(values, dt)
        found = self._compile(drives).bind(complete)
        self._stability.check(complete, dt)
        return found

    def initial(self, values: Mapping[str, float | np.ndarray], dt: float) -> Values:
        """The initial value of every state, in the same form as `bind`; a program starts from it less its offset."""
        def evaluate() -> Values:
            found = self._initial.evaluate(self._complete(values, dt))
            return {name: found.get(name, 0) for name in self.states}

        return self._memo("initial", values, dt, evaluate)

    def offsets(self, values: Mapping[str, float | np.ndarray], dt: float) -> Values:
        """What a program's number for a state lies below its value, for the states where that is not zero."""
        return self._memo("offsets", values, dt, lambda: self._offsets.evaluate(self._complete(values, dt)))

    @cached_property
    def _stability(self) -> Stability:
        return Stability(self._rules)

    @cached_property
    def _initial(self) -> Table:
        return Table(self._rules.initial)

    @cached_property
    def _offsets(self) -> Table:
        return Table(self._rules.relative)

    def _complete(self, values: Mapping[str, float | np.ndarray], dt: float) -> Values:
        return complete(self.parameters, values, dt)

    def _chosen(self, drives: Collection[str] | None) -> frozenset[str]:
        return frozenset(self.drives if drives is None else drives)

    def _compile(self, drives: Collection[str] | None) -> _Compiled:
        chosen = self._chosen(drives)
        if chosen not in self._compiled:
            self._compiled[chosen] = _Compiled(self, step(relative(self._rules)), set(self.drives) - chosen)
        return self._compiled[chosen]


class _Compiled:
    """The program for one choice of connected inputs, with the recipes of its bound numbers."""

    def __init__(self, model: Model, outcome: Outcome, absent: Collection[str]) -> None:
        gone = {drive(name): ZERO for name in absent}
        kinds = {name: s.kind for name, s in model.states.items()}
        effects = [(Op.STORE, name, outcome.values[name]) for name in kinds]
        effects += [(Op.SEND, "spikes", outcome.payload)] if outcome.payload is not None else []
        if outcome.spikes is not None and outcome.payload is None:
            effects.append((Op.EMIT, "spikes", outcome.spikes))
        effects += [(Op.OUTPUT, name, value) for name, value in outcome.outputs.items()]
        kind = WholeEmitter if model.whole else Emitter
        emit = kind(Builder(kinds, model.whole))
        numbers = [(emit.output if op is Op.OUTPUT else emit)(substitute(value, gone)) for op, _, value in effects]
        for (op, name, _), number in zip(effects, numbers, strict=True):
            emit.builder(op, number, data=name)
        self.program = emit.builder.build()
        self._bound = bound if model.whole else _whole
        self._hoisted, self._wholes = Table(emit.hoisted), Table(emit.wholes)
        self._propagators = Propagators(s.recipe for s in emit.supplied.values() if isinstance(s.recipe, Propagator))

    def bind(self, values: Values) -> Values:
        """The numbers for complete `values`."""
        found = self._hoisted.evaluate(values) | self._propagators.evaluate(values)
        wholes = self._wholes.evaluate(values)
        return found | {name: self._bound(self._wholes.expressions[name], value) for name, value in wholes.items()}


def _whole(expr: Expr, value: float | np.ndarray) -> Any:
    if np.any(np.asarray(value) < 0):
        raise InputError(Problem(parameters_of(expr)[0], f"{text(expr)} must not be negative, found {np.min(value):g}"))
    if np.any(np.asarray(value) > _MOST):
        fault = f"{text(expr)} must be at most {_MOST}, found {np.max(value):g}"
        raise InputError(Problem(parameters_of(expr)[0], fault))
    return int(value) if np.ndim(value) == 0 else np.asarray(value).astype(np.int64)


def model_from_document(name: str, document: Any) -> Model:
    """The model that `document` describes (the form is in docs/models.md).

    Raises ``InputError`` with every fault, each with its path in the document (``reset.v``).
    """
    return Model(name, document, read_rules(document))
