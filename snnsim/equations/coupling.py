"""The model of a continuous coupling (``kind: coupling``): what one unit adds to an input of another in every step."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from snnsim.equations.document import Document, expression_text, mapping
from snnsim.equations.emit import Emitter
from snnsim.equations.expr import ZERO, Expr, drive
from snnsim.equations.host import Table, complete
from snnsim.equations.parse import Lookup, Parser
from snnsim.equations.typed import Typed
from snnsim.errors import InputError, Problems
from snnsim.ir.ops import Builder, Op, Program
from snnsim.units import DIMENSIONLESS, VOLTAGE, Dimension, to_text

KEYS = ("kind", "about", "source", "parameters", "variable", "adds")
PRE, POST, WEIGHT, ADDS = "pre", "post", "w", "adds"
_EXAMPLE = "{kind: coupling, variable: v, adds: w*(pre - post)}"
_W = drive(WEIGHT)


class CouplingModel:
    """What a synapse adds, from its weight `w` and a variable of both sides, `pre` and `post`.

    variable: the one that is meant unless a projection names another, or None. program: DRIVEs w, pre and post, OUTPUT
    ``adds``. factor: the dimension of what is added for a weight without unit. Made by `coupling_from_document`.
    """

    def __init__(self, name: str, document: Mapping[str, Any], dimension: Dimension) -> None:
        problems = Problems()
        with problems.at():
            document = mapping(document, _EXAMPLE)
        problems.check()
        reader = _Reader(document, dimension)
        adds = reader.read()
        self.name, self.document = name, copy.deepcopy(dict(document))
        self.about, self.source = (" ".join(str(document.get(key, "")).split()) for key in ("about", "source"))
        self.parameters, self.variable = reader.parameters, document.get("variable")
        self.factor = adds.dimension
        emit = Emitter(Builder({}))
        emit.builder(Op.OUTPUT, emit(adds.real()), data=ADDS)
        self.program: Program = emit.builder.build()
        self._hoisted = Table(emit.hoisted)

    def __repr__(self) -> str:
        return f"CouplingModel({self.name!r})"

    def default_text(self, name: str) -> str:
        """The default of a parameter with its unit."""
        parameter = self.parameters[name]
        assert parameter.default is not None
        return to_text(parameter.default, parameter.dimension)

    def weight(self, added: Dimension) -> Dimension:
        """The dimension of weights, where what is added has this one."""
        return added / self.factor

    def bind(self, values: Mapping[str, float], dt: float) -> dict[str, float]:
        """Every number that the program reads by name; ``InputError`` naming the parameter where one is not finite."""
        found = self._hoisted.evaluate(complete(self.parameters, values, dt))
        return {name: float(value) for name, value in found.items()}


class _Reader(Document):
    """Reads a document for variables of one dimension."""

    def __init__(self, document: Mapping[str, Any], dimension: Dimension) -> None:
        super().__init__(document)
        self.dimension = dimension

    def read(self) -> Typed:
        self.check_keys("coupling model", KEYS)
        self._claim(WEIGHT, "the weight", DIMENSIONLESS)
        for name, side in ((PRE, "source"), (POST, "target")):
            self._claim(name, f"the variable of the {side}", self.dimension)
        self.each("parameters", "{gain: 1}", self.parameter)
        with self.problems.at("variable"):
            if not isinstance(self.document.get("variable"), (str, type(None))):
                raise InputError(f"expected the name of a variable, found {self.document['variable']!r}")
        adds = None
        with self.problems.at("adds"):
            adds = self._adds()
        self.problems.check()
        assert adds is not None
        return adds

    def _claim(self, name: str, kind: str, dimension: Dimension) -> None:
        self.scope.claim(name, kind, Typed(drive(name), dimension))

    def _adds(self) -> Typed:
        if "adds" not in self.document:
            raise InputError("missing: what a synapse adds in each step, such as w*(pre - post)")
        parser = Parser(Lookup(self.scope.find, self.scope.names), _no_previous)
        found = parser.parse(expression_text(self.document["adds"]))
        if parser.draws:
            raise InputError(f"{parser.draws[0]}(...) is not available in a coupling")
        if not _proportional(found.real()):
            raise InputError(f"expected something proportional to the weight {WEIGHT}, found {found}")
        return found


def _no_previous(name: str) -> Typed | None:
    raise InputError(f"previous(...) is not available in a coupling: {PRE} and {POST} are as the step before left them")


def _proportional(expr: Expr) -> bool:
    """Whether an expression is a multiple of the weight, by its structure."""
    match expr.op:
        case Op.MUL:
            return any(_proportional(one) and _free(other) for one, other in (expr.args, expr.args[::-1]))
        case Op.DIV | Op.NEG:
            return _proportional(expr.args[0]) and all(map(_free, expr.args[1:]))
        case Op.ADD | Op.SUB:
            return all(map(_proportional, expr.args))
        case Op.SELECT:
            return _free(expr.args[0]) and all(map(_proportional, expr.args[1:]))
    return expr is _W or expr is ZERO


def _free(expr: Expr) -> bool:
    return expr is not _W and all(map(_free, expr.args))


def is_coupling_document(document: Any) -> bool:
    """Whether a model document describes a continuous coupling."""
    return isinstance(document, Mapping) and document.get("kind") == "coupling"


def coupling_from_document(name: str, document: Any, dimension: Dimension) -> CouplingModel:
    """The coupling that `document` describes (docs/models.md has the form), of variables of this dimension.

    Raises ``InputError`` with every fault, each with its path in the document (``adds``).
    """
    return CouplingModel(name, document, dimension)


def check_coupling_document(name: str, document: Any) -> None:
    """``InputError`` where `document` is right neither for potentials nor for numbers: the faults for the former."""
    try:
        coupling_from_document(name, document, VOLTAGE)
    except InputError as error:
        try:
            coupling_from_document(name, document, DIMENSIONLESS)
        except InputError:
            raise error from None
