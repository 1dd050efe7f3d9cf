"""The rest of a model document: spike, reset, refractoriness, method, outputs, initial values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snnsim.equations.document import expression_text, mapping
from snnsim.equations.expr import DT, Expr, const, make, state, substitute, whole
from snnsim.equations.linear import NotLinearError, in_states
from snnsim.equations.read import Reader
from snnsim.equations.rules import FIXED_POINT, METHODS, MOST_SUBSTEPS, Method, Refractory, Rules
from snnsim.equations.text import text
from snnsim.equations.typed import Typed
from snnsim.equations.whole import faults
from snnsim.errors import InputError, Problems, unknown
from snnsim.ir.ops import Op
from snnsim.units import DIMENSIONLESS, TIME, describe

KINDS = ("coupling", "neuron", "synapse")
KEYS = ("kind", "about", "source", "parameters", "inputs", "dynamics", "receive", "spike", "reset", "refractory",
        "integrate", "outputs", "initial", "relative", "schedule", "fixed_point", "send")


def read_rules(document: Any) -> Rules:
    """The rules of a model document; ``InputError`` with all faults."""
    problems = Problems()
    with problems.at():
        document = mapping(document, "{parameters: ..., dynamics: ...}")
    problems.check()
    reader = Reader(document)
    reader.check_keys("model", KEYS)
    if document.get("kind", "neuron") != "neuron":
        reader.problems.add("kind", unknown("kind of model", str(document["kind"]), KINDS))
    reader.read_names()
    reader.read_dynamics()
    _Behaviour(reader).read()
    reader.problems.check()
    return reader.rules


class _Behaviour:
    """Reads what needs all names of the model."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.rules, self.problems = reader, reader.rules, reader.problems
        self.document = reader.document

    def read(self) -> None:
        for key, part in (("spike", self._spike), ("refractory", self._refractory), ("integrate", self._method),
                          ("send", self._send), ("fixed_point", self._fixed_point)):
            with self.problems.at(key):
                part(self.document.get(key))
        self.reader.each("reset", "{v: v_reset}", self._reset)
        self.reader.each("outputs", "{out: v}", self._output)
        self.reader.each("initial", "{v: v_rest}", self._initial)
        with self.problems.at("initial"):
            self._order_initial()
        self.reader.each("relative", "{v: v_rest}", self._relative)
        with self.problems.at("schedule"):
            self._schedule(self.document.get("schedule"))
        if self.rules.fixed_point and not self.problems.found:
            self.problems.found += faults(self.rules)
        if not (self.rules.states or self.document.get("spike") or self.problems.found):
            self.problems.add("", "expected dynamics, a spike rule or both")

    def _schedule(self, value: Any) -> None:
        """The port at which the listed spikes of such a model arrive."""
        if value is not None and value not in self.rules.ports:
            raise InputError(unknown("port", str(value), self.rules.ports))

    def _typed(self, value: Any) -> Typed:
        return self.reader.scope.parse(expression_text(value))

    def _spike(self, value: Any) -> None:
        if value is None:
            return
        found = self._typed(value)
        if found.dimension != DIMENSIONLESS:
            raise InputError(f"expected a condition such as v >= v_th or a count, found {describe(found.dimension)}")
        self.rules.spike = found.expr

    def _send(self, value: Any) -> None:
        """What a spike carries, where it is more than that there is one."""
        if value is None:
            return
        if self.document.get("spike") is None or not self.document.get("fixed_point"):
            raise InputError("a payload needs spike: ... and fixed_point: ...")
        self.rules.payload = self._typed(value).bare("send")

    def _fixed_point(self, value: Any) -> None:
        if value is None:
            return
        if value not in FIXED_POINT:
            raise InputError(unknown("fixed_point", str(value), FIXED_POINT))
        self.rules.fixed_point = value
        if self.rules.derivatives:
            raise InputError("expected maps such as v[n+1] = v + 1 : 1, found differential equations")
        for key in ("refractory", "relative", "schedule"):
            if self.document.get(key) is not None:
                raise InputError(f"{key} has no place in a model in whole numbers")
        named = {**self.rules.states, **self.rules.drives, **{k: p.dimension for k, p in self.rules.ports.items()}}
        for name, dimension in named.items():
            if dimension != DIMENSIONLESS:
                raise InputError(f"{name}: expected a number without unit, found {describe(dimension)}")
        if self.rules.drives:
            raise InputError("continuous inputs have no place in a model in whole numbers")

    def _reset(self, name: str, value: Any) -> None:
        found = self._of_state(name, value)
        if self.document.get("spike") is None:
            raise InputError("a reset needs a spike condition: add spike: ...")
        self.rules.reset[name] = found

    def _of_state(self, name: str, value: Any) -> Expr:
        if name not in self.rules.states:
            raise InputError(unknown("state", name, self.rules.states))
        found = self._typed(value)
        if found.dimension != self.rules.states[name]:
            raise InputError(f"expected {describe(self.rules.states[name])}, found {describe(found.dimension)}")
        return found.real()

    def _refractory(self, value: Any) -> None:
        if value is None:
            return
        entry = mapping(value, "{for: t_ref, hold: v}")
        for key in entry:
            if key not in ("for", "hold", "mute", "freeze"):
                raise InputError(unknown("key", key, ("for", "hold", "mute", "freeze")))
        if "for" not in entry or len(entry) != 2:
            raise InputError("expected for: and one of hold: v, mute: true, freeze: all")
        if self.document.get("spike") is None:
            raise InputError("a refractory time needs a spike condition: add spike: ...")
        self.rules.refractory = Refractory(self._steps(entry["for"]), self._held(entry))

    def _steps(self, value: Any) -> Expr:
        found = self._typed(value)
        if found.dimension != TIME:
            raise InputError(f"for: expected {describe(TIME)}, found {describe(found.dimension)}")
        if not found.expr.hoistable:
            raise InputError(f"for: expected a time from parameters alone, found {text(found.expr)}")
        steps = make(Op.ADD, make(Op.DIV, found.real(), DT), const(0.5))
        return whole(make(Op.FLOOR, steps))

    def _held(self, entry: Mapping[str, Any]) -> tuple[str, ...]:
        if "hold" in entry:
            names = entry["hold"] if isinstance(entry["hold"], list) else [entry["hold"]]
            for name in names:
                if name not in self.rules.states:
                    raise InputError(f"hold: {unknown('state', str(name), self.rules.states)}")
            return tuple(names)
        if entry.get("freeze") == "all":
            return tuple(self.rules.states)
        if entry.get("mute") is True:
            return ()
        raise InputError("expected one of hold: v, mute: true, freeze: all")

    def _method(self, value: Any) -> None:
        self.rules.method = method(value)
        if not self.rules.derivatives and value is not None:
            raise InputError("there is no differential equation to integrate")
        if self.rules.method.spike_test and self.document.get("spike") is None:
            raise InputError("spike_test needs a spike condition: add spike: ...")
        if self.rules.method.name == "exact":
            self._check_linear(chosen=value is not None)

    def _check_linear(self, chosen: bool) -> None:
        for name, right in self.rules.derivatives.items():
            try:
                in_states(right)
            except NotLinearError as error:
                why = "" if chosen else " (the default)"
                raise InputError(
                    f"exact{why} needs linear equations with constant coefficients, but d{name}/dt holds "
                    f"{text(error.expr)}; choose one of: {', '.join(METHODS[1:])}") from error

    def _output(self, name: str, value: Any) -> None:
        found = self._typed(value)
        self.rules.outputs[name] = (found.real(), found.dimension)

    def _initial(self, name: str, value: Any) -> None:
        self.rules.initial[name] = self._of_state(name, value)

    def _relative(self, name: str, value: Any) -> None:
        found = self._of_state(name, value)
        if not found.hoistable:
            raise InputError(f"expected an expression of parameters, found {text(found)}")
        self.rules.relative[name] = found

    def _order_initial(self) -> None:
        """A state in an initial value stands for the initial value of that state."""
        given, known = self.rules.initial, dict[str, Expr]()
        waiting = {name: given.get(name, const(0.0)) for name in self.rules.states}
        while ready := [name for name, e in waiting.items() if e.states <= known.keys()]:
            for name in ready:
                values = {state(other): e for other, e in known.items()}
                known[name] = substitute(waiting.pop(name), values)
        if waiting:
            raise InputError(f"the initial values of {', '.join(waiting)} depend on each other")
        for name, expr in known.items():
            if not expr.hoistable:
                raise InputError(f"{name}: expected an expression of parameters, found {text(expr)}")
        self.rules.initial = {name: known[name] for name in self.rules.states}


def method(value: Any) -> Method:
    """``exact``, ``rk4``, ``{rk4: 4}`` or ``{rk4: 4, spike_test: substep}``."""
    if value is None:
        return Method()
    if isinstance(value, str):
        if value not in METHODS:
            raise InputError(unknown("method", value, METHODS))
        return Method(value)
    entry = dict(mapping(value, "{rk4: 4}"))
    test = entry.pop("spike_test", None)
    names = list(entry)
    if len(names) != 1 or names[0] not in METHODS[1:] or test not in (None, "substep"):
        raise InputError(f"expected a method or {{rk4: 4, spike_test: substep}}, found {value!r}")
    count = entry[names[0]]
    if type(count) is not int or not 1 <= count <= MOST_SUBSTEPS:
        raise InputError(f"expected a number of sub-steps from 1 to {MOST_SUBSTEPS}, found {count!r}")
    return Method(names[0], count, test == "substep")

