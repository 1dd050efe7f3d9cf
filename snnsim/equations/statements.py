"""The rule of one event: statements that are carried out one after the other, as one set of trees."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from snnsim.equations.document import Document, expect, on_line
from snnsim.equations.expr import Expr, drive, make, state
from snnsim.equations.lines import Assignment, assignment, logical_lines
from snnsim.equations.parse import RESERVED, Lookup, Parser
from snnsim.equations.typed import Typed, same
from snnsim.errors import InputError, did_you_mean
from snnsim.ir.ops import Op
from snnsim.units import TIME, Dimension

WEIGHT, SEND, UNIT = "w", "send", "weight"
SINCE, SUM, MODULATOR = "since_pre", "sum_w", "modulator"
# Where the names that not every rule knows are known.
PLACES = {SEND: "pre", SINCE: "pre", SUM: "interval"}
_SEES = "a line sees what the lines above it changed"
_VERBS = {"+=": (Op.ADD, "add"), "-=": (Op.SUB, "subtract")}


class Statements:
    """Reads the rule of one event; ``values`` are the expressions after its statements of what is there before them.

    document: knows the names of the model. own: `w` and the states, with their dimensions.
    """

    def __init__(self, document: Document, event: str, own: Mapping[str, Dimension]) -> None:
        self.scope, self.problems, self.event, self.own = document.scope, document.problems, event, own
        self.values = {name: Typed(state(name), dimension, ast.Name(name)) for name, dimension in own.items()}
        self.exponents: set[str] = set()
        self._unread: dict[str, int] = {}   # names of its own -> line
        self._lost: list[tuple[int, str]] = []
        self._faulty: set[str] = set()
        self._parser = Parser(Lookup(self._find, self._names), _no_previous)

    def changed(self) -> dict[str, Expr]:
        """What the statements give `w`, the states and, before a spike is sent, `send`."""
        known = {name: self.values[name].expr for name in [*self.own, SEND] if name in self.values}
        return {name: expr for name, expr in known.items() if expr is not state(name)}

    def read(self, source: object) -> None:
        """Carry out the statements of `source`; every fault is noted with its line."""
        if not isinstance(source, str) or not (lines := logical_lines(source)):
            raise InputError(f"expected lines such as 'w = ...', found {source!r}")
        before = len(self.problems.found)
        for number, line in lines:
            with self.problems.at():
                try:
                    self._carry_out(number, assignment(line))
                except InputError as error:
                    raise InputError(on_line(number, error)) from error
        if len(self.problems.found) == before:   # a faulty line may be the one that reads a name
            self._check_all_read()

    def _check_all_read(self) -> None:
        lost = [*self._lost, *((number, name) for name, number in self._unread.items())]
        for number, name in sorted(lost):
            near = did_you_mean(name, self._targets())
            self.problems.add("", f"line {number}: {name} is never read; {self._can_change()}{near}")

    def _can_change(self) -> str:
        return f"a rule can change: {', '.join(self._targets())}"

    def _targets(self) -> list[str]:
        return [*self.own, *([SEND] if self.event == PLACES[SEND] else [])]

    def _carry_out(self, number: int, line: Assignment) -> None:
        name = line.name
        try:
            self._check_left(name)
            value = self._parse(line.right)
            if line.sign != "=":
                value = self._increased(name, line.sign, value)
            elif name in self._targets():
                expect(name, value.dimension, self.own.get(name, self.own[WEIGHT]))
            if name in self._targets():
                value = value._replace(expr=value.real())
        except InputError:
            self._faulty |= {name} - self.own.keys()
            raise
        self.values[name] = value._replace(syntax=ast.Name(name))
        if name not in self._targets():
            if line.sign == "=" and name in self._unread:
                self._lost.append((self._unread[name], name))
            self._unread[name] = number

    def _check_left(self, name: str) -> None:
        if name == SEND and self.event != PLACES[SEND]:
            raise InputError(f"{SEND} is what a presynaptic spike transmits: it can be set in on_pre alone")
        if name in RESERVED:
            raise InputError(f"{name} has a meaning of its own in equations: choose another name")
        kind = self.scope.kind(name)
        if kind and name not in self._targets():
            raise InputError(f"{name} is {kind}; {self._can_change()}")

    def _parse(self, text: str) -> Typed:
        if "[" in text:
            raise InputError(f"x[n] is not available in a synapse model: {_SEES}")
        value = self._parser.parse(text)
        if self._parser.draws:
            kind, *_ = self._parser.draws
            self._parser.draws.clear()
            raise InputError(f"{kind}(...) is not available in a synapse model")
        for node in ast.walk(value.syntax) if value.syntax else ():
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Name):
                self.exponents.add(node.right.id)
        return value

    def _increased(self, name: str, sign: str, value: Typed) -> Typed:
        if name not in self.values:
            raise InputError([] if name in self._faulty else f"{name} has no value yet: expected {name} = ...")
        now, (op, verb) = self.values[name], _VERBS[sign]
        return Typed(make(op, now.real(), value.real()), same(verb, now, value))

    # --- names -------------------------------------------------------------------------------------------------------

    def _find(self, name: str) -> Typed | None:
        if name in self._faulty:
            raise InputError([])
        if name in self.values:
            self._unread.pop(name, None)
            return self.values[name]
        if PLACES.get(name, self.event) != self.event:
            raise InputError(f"{name} is known in on_{PLACES[name]} alone")
        if name == SEND:
            raise InputError(f"{SEND} has no value yet: expected {SEND} = ... on a line above")
        if name == UNIT:
            raise InputError(f"{UNIT} is a unit, known in parameters and states; the weight itself is {WEIGHT}")
        if name == MODULATOR and self.scope.kind(name) is None:
            raise InputError(f"{MODULATOR} is not declared: add '{MODULATOR}: any' to the model, or its unit")
        return self.scope.find(name)

    def _names(self) -> list[str]:
        known = [name for name in self.scope.names()
                 if PLACES.get(name, self.event) == self.event and name not in (SEND, UNIT)]
        return list(dict.fromkeys([*known, *self.values]))


def _no_previous(name: str) -> Typed | None:
    raise InputError(f"previous(...) is not available in a synapse model: {_SEES}")


def claim_names(document: Document, weight: Dimension) -> None:
    """Give the names that every synapse model knows their meaning."""
    document.scope.claim(WEIGHT, "the weight", Typed(state(WEIGHT), weight))
    document.scope.claim(SEND, "what a presynaptic spike transmits", None)
    document.scope.claim(SINCE, "the time since the previous presynaptic spike", Typed(drive(SINCE), TIME))
    document.scope.claim(SUM, "the sum of the weights onto the target", Typed(drive(SUM), weight))
    document.scope.claim(UNIT, "the unit of weights", None)
