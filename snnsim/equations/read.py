"""A model document -> ``Rules``; every fault that can be found is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from snnsim import units
from snnsim.equations.document import Document, expect, expression_text, on_line
from snnsim.equations.expr import Expr, arrival, drive, make, postorder, state, substitute
from snnsim.equations.lines import Line, Receive, dynamics_line, logical_lines, receive_statement
from snnsim.equations.linear import NotLinearError, collect
from snnsim.equations.quantities import dimension_of
from snnsim.equations.rules import Jump, Port, Rules, before, following
from snnsim.equations.typed import Typed
from snnsim.errors import InputError
from snnsim.ir.ops import Op
from snnsim.units import TIME, Dimension, describe

_WEIGHT = drive("w")


class Reader(Document):
    """Reads names, dynamics and ports: what the rules of a step are made of."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(document)
        self.rules = Rules(self.parameters)
        self._lines: list[Line] = []
        self._statements: dict[str, list[Receive]] = {}

    def read_names(self) -> None:
        """Parameters, inputs, states, sub-expressions and transients get their meaning.

        Raises ``InputError`` where one could not: the faults of what reads it would say nothing new.
        """
        self.each("parameters", "{tau_m: 20 ms}", self.parameter)
        self.each("inputs", "{i_inj: pA}", self._input)
        self._split()
        for line in self._lines:
            self.at_line(line, self._declare)
        self.each("receive", "{exc: i_exc += w}", self._declare_port)
        self.problems.check()

    def at_line(self, line: Line, read: Callable[[Line], Any]) -> None:
        """Read one line of the dynamics; its faults say the line."""
        with self.problems.at("dynamics"):
            try:
                read(line)
            except InputError as error:
                raise InputError(on_line(line.number, error)) from error

    def _input(self, name: str, value: Any) -> None:
        self.scope.claim(name, "an input", None)
        dimension = dimension_of(value)
        self.rules.drives[name] = dimension
        self.scope.define(name, Typed(drive(name), dimension))

    def _split(self) -> None:
        source = self.document.get("dynamics", "")
        with self.problems.at("dynamics"):
            if not isinstance(source, str):
                raise InputError(f"expected lines of text, found {source!r}")
            for at, line in logical_lines(source):
                with self.problems.at():
                    self._lines.append(dynamics_line(at, line))

    def _declare(self, line: Line) -> None:
        if line.kind == "alias":
            self.scope.claim(line.name, "a sub-expression", lambda: self._alias(line))
            return
        self.scope.claim(line.name, "a state", None)
        dimension = dimension_of(line.unit)
        self.rules.states[line.name] = self.scope.states[line.name] = dimension
        self.scope.define(line.name, Typed(state(line.name), dimension))

    def _alias(self, line: Line) -> Typed:
        """The value of a sub-expression; its faults are noted once, at its own line."""
        try:
            value = self.scope.parse(line.right)
            expect(line.name, value.dimension, dimension_of(line.unit))
        except InputError as error:
            self.problems.found += [replace(p, path="dynamics") for p in on_line(line.number, error)]
            raise InputError([]) from error
        return value

    def _declare_port(self, port: str, value: Any) -> None:
        if not port.isidentifier():
            raise InputError(f"expected a name of letters, digits and _, found {port!r}")
        texts = value if isinstance(value, list) else [value]
        self._statements[port] = [receive_statement(expression_text(t)) for t in texts]
        for statement in self._statements[port]:
            if statement.sign == "=":
                self.scope.claim(statement.name, "what a port receives", partial(self._transient, port, statement))

    def _transient(self, port: str, statement: Receive) -> Typed:
        factor, free = self._factor(statement)
        dimension = dimension_of(statement.unit)
        self._port(port, Port(dimension / free))
        return Typed(make(Op.MUL, arrival(port), factor), dimension)

    def read_dynamics(self) -> None:
        """The right-hand sides, then what the ports do."""
        for line in self._lines:
            if line.kind == "alias":
                self.scope.settle(line.name)
            elif line.name in self.rules.states:
                self.at_line(line, self._right_hand_side)
        for port, statements in self._statements.items():
            with self.problems.at("receive", port):
                self._receive(port, statements)

    def _right_hand_side(self, line: Line) -> None:
        value = self.scope.parse(line.right)
        expected = self.rules.states[line.name]
        if line.kind == "ode":
            expect(f"d{line.name}/dt", value.dimension, expected / TIME)
            self.rules.derivatives[line.name] = _now(value.real(), self.rules.states)
            return
        expect(f"{line.name}[n+1]", value.dimension, expected)
        self.rules.maps[line.name] = _now(value.real(), self.rules.states)
        self.scope.mapped[line.name] = Typed(following(line.name), expected)

    def _receive(self, port: str, statements: list[Receive]) -> None:
        for statement in statements:
            if statement.sign == "=":
                self.scope.settle(statement.name)
            else:
                self._jump(port, statement)

    def _jump(self, port: str, statement: Receive) -> None:
        if statement.name not in self.rules.states:
            raise InputError(f"{statement.sign} needs a state on its left, found {statement.name}; "
                             f"states are: {', '.join(self.rules.states) or 'none'}")
        factor, free = self._factor(statement)
        negative = statement.sign == "-="
        self._port(port, Port(self.rules.states[statement.name] / free, negative))
        self.rules.jumps.append(Jump(port, statement.name, make(Op.NEG, factor) if negative else factor))

    def _factor(self, statement: Receive) -> tuple[Expr, Dimension]:
        """What the weight is multiplied with, and its dimension."""
        self.scope.weight = Typed(_WEIGHT, units.DIMENSIONLESS)
        try:
            value = self.scope.parse(statement.right)
        finally:
            self.scope.weight = None
        try:
            terms = collect(value.real(), lambda e: not _reads_weight(e), lambda e: e is _WEIGHT)
        except NotLinearError as error:
            raise InputError(f"expected something linear in the weight w, found {statement.right}") from error
        if set(terms) != {_WEIGHT}:
            raise InputError(f"expected something proportional to the weight w, found {statement.right}")
        return _now(terms[_WEIGHT], self.rules.states), value.dimension

    def _port(self, name: str, port: Port) -> None:
        known = self.rules.ports.setdefault(name, port)
        if known.dimension != port.dimension:
            raise InputError(f"the weight w is {describe(known.dimension)} in one statement and "
                             f"{describe(port.dimension)} in another")
        if known.negative != port.negative:
            raise InputError("a port either adds (+=) or subtracts (-=) its weights, not both")


def _now(expr: Expr, states: Mapping[str, Dimension]) -> Expr:
    """In the dynamics, the previous value of a state is the one it has."""
    return substitute(expr, {before(name): state(name) for name in states})


def _reads_weight(expr: Expr) -> bool:
    return any(e is _WEIGHT for e in postorder([expr]))
