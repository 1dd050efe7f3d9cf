"""Text of an expression -> tree and dimension: Python's grammar, of which only a fixed list of forms is admitted.

Nothing is ever evaluated: the text is parsed by ``ast`` and every node is looked up in a table.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from snnsim import units
from snnsim.equations.expr import DT, Expr, const, make
from snnsim.equations.functions import FUNCTIONS, WHOLE_ONLY, WHOLE_TOO, power
from snnsim.equations.typed import Typed, same
from snnsim.errors import InputError, unknown
from snnsim.ir.ops import Op, Type
from snnsim.units import DIMENSIONLESS, TIME, Dimension

# Units usable inside an expression, unless a name of the model hides them.
UNITS = (
    "s", "ms", "us", "ns", "V", "mV", "uV", "A", "mA", "uA", "nA", "pA", "F", "uF", "nF", "pF",
    "S", "mS", "uS", "nS", "pS", "ohm", "kohm", "Mohm", "Gohm", "Hz", "kHz",
    "m", "cm", "mm", "um", "K", "mol", "mM", "uM", "fC", "pC",
)
RESERVED = frozenset({"dt", "refractory", "previous", *FUNCTIONS})
_QUANTITY = re.compile(rf"(?<![\w.])((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[ \t]+({'|'.join(UNITS)})\b")
# The one keyword of Python that may be a name (the learning rate of STDP), and what the parser reads in its place.
LAMBDA = "lambda"
_LAMBDA, _STAND_IN = re.compile(rf"(?<![\w.]){LAMBDA}\b"), f"{LAMBDA}\u00b7"
_MAX_TEXT, _MAX_DEPTH = 4000, 60


class Lookup(NamedTuple):
    """What names stand for: `find` gives the value of a name or None, `names` all that exist."""

    find: Callable[[str], Typed | None]
    names: Callable[[], Iterable[str]]


@dataclass
class Parser:
    """Parses the expressions of one model; draws of random numbers are numbered in the order of the text.

    whole: what depends on more than parameters is computed in whole numbers.
    """

    lookup: Lookup
    previous: Callable[[str], Typed | None] = lambda name: None
    following: Callable[[str], Typed | None] = lambda name: None
    draws: list[str] = field(default_factory=list)
    whole: bool = False

    def parse(self, text: str) -> Typed:
        """The tree of `text` and its dimension; ``InputError`` with the reason."""
        return self._visit(self.syntax(text))

    def syntax(self, text: str) -> ast.expr:
        """`text` in Python's grammar, nothing looked up yet; ``InputError`` where it is not an expression."""
        text = self._quantities(text)
        return _tree(_LAMBDA.sub(_STAND_IN, text) if self._has_lambda(text) else text)

    def _has_lambda(self, text: str) -> bool:
        return _LAMBDA.search(text) is not None and self.lookup.find(LAMBDA) is not None

    def _quantities(self, text: str) -> str:
        """``20 ms`` as ``(20*ms)``."""
        return _QUANTITY.sub(lambda m: m[0] if self.lookup.find(m[2]) else f"({m[1]}*{m[2]})", text)

    def _visit(self, node: ast.AST) -> Typed:
        rule = _FORMS.get(type(node))
        if rule is None:
            raise InputError(f"{ast.unparse(node)!r} is not allowed in an expression")
        return rule(self, node)._replace(syntax=node)

    def _constant(self, node: ast.Constant) -> Typed:
        if not isinstance(node.value, (bool, int, float)) or abs(node.value) > 1e300:
            raise InputError(f"expected a number, found {node.value!r}")
        return Typed(const(node.value if isinstance(node.value, bool) else float(node.value)), DIMENSIONLESS)

    def _name(self, node: ast.Name) -> Typed:
        found = self.lookup.find(node.id)
        if found is not None:
            return found
        if node.id == "dt":
            return Typed(DT, TIME)
        if node.id in UNITS:
            unit = units.unit(node.id)
            return Typed(const(float(unit.size)), unit.dimension)
        if node.id in FUNCTIONS or node.id == "previous":
            raise InputError(f"{node.id} is a function: expected {node.id}(...)")
        raise InputError(unknown("name", node.id, self.lookup.names()))

    def _unary(self, node: ast.UnaryOp) -> Typed:
        value = self._visit(node.operand)
        if isinstance(node.op, ast.Not):
            return Typed(make(Op.NOT, value.condition()), DIMENSIONLESS)
        if isinstance(node.op, ast.USub):
            return Typed(make(Op.NEG, value.real()), value.dimension)
        if isinstance(node.op, ast.UAdd):
            return Typed(value.real(), value.dimension)
        raise InputError("the operator ~ is not allowed in an expression")

    def _binary(self, node: ast.BinOp) -> Typed:
        left, right = self._visit(node.left), self._visit(node.right)
        if isinstance(node.op, ast.Pow):
            return power(left, right)
        rule = _ARITHMETIC.get(type(node.op))
        if rule is None:
            raise InputError(f"the operator in {ast.unparse(node)!r} is not allowed; use + - * / **")
        op, dimension = rule
        if op in _SHIFTS:
            left, right = (side._replace(expr=side.bare("a shift")) for side in (left, right))
        return self._admitted(node, op in _SHIFTS, op is Op.DIV,
                              Typed(make(op, left.real(), right.real()), dimension(left, right)))

    def _admitted(self, node: ast.expr, whole_only: bool, real_only: bool, value: Typed) -> Typed:
        """`value`; ``InputError`` where it is computed in a step, in the other kind of numbers."""
        if not value.expr.hoistable and (real_only if self.whole else whole_only):
            kind = "has no place" if self.whole else "needs fixed_point: a model"
            raise InputError(f"{ast.unparse(node)!r} {kind} in whole numbers")
        return value

    def _compare(self, node: ast.Compare) -> Typed:
        values = [self._visit(v) for v in (node.left, *node.comparators)]
        tests = [_comparison(op, a, b) for op, a, b in zip(node.ops, values, values[1:], strict=False)]
        return Typed(_all(Op.AND, tests), DIMENSIONLESS)

    def _logic(self, node: ast.BoolOp) -> Typed:
        op = Op.AND if isinstance(node.op, ast.And) else Op.OR
        return Typed(_all(op, [self._visit(v).condition() for v in node.values]), DIMENSIONLESS)

    def _choice(self, node: ast.IfExp) -> Typed:
        condition = self._visit(node.test).condition()
        yes, no = self._visit(node.body), self._visit(node.orelse)
        dimension = same("choose between", yes, no)
        if yes.expr.type is no.expr.type is Type.BOOL:
            return Typed(make(Op.SELECT, condition, yes.expr, no.expr), dimension)
        return Typed(make(Op.SELECT, condition, yes.real(), no.real()), dimension)

    def _subscript(self, node: ast.Subscript) -> Typed:
        name, index = ast.unparse(node.value), ast.unparse(node.slice)
        found = {"n": self.previous, "n + 1": self.following}.get(index, lambda _: None)(name)
        if found is None:
            raise InputError(f"{name}[{index}] is not known here; x[n] is the value before the step, "
                             "x[n+1] the new value of a map that stands on an earlier line")
        return found

    def _call(self, node: ast.Call) -> Typed:
        name = ast.unparse(node.func)
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise InputError(f"{name}(...) takes plain arguments only")
        if name == "previous":
            return self._previous(node)
        if name not in FUNCTIONS:
            known = FUNCTIONS if self.whole else FUNCTIONS.keys() - WHOLE_ONLY
            raise InputError(unknown("function", name, [*known, "previous"]))
        count, function = FUNCTIONS[name]
        if len(node.args) not in count:
            expected = f"{count[0]} to {count[-1]} arguments" if len(count) > 1 else _arguments(count[0])
            raise InputError(f"{name}(...) takes {expected}, found {len(node.args)}")
        value = function(self.draws, *(self._visit(a) for a in node.args))
        return self._admitted(node, name in WHOLE_ONLY, name not in WHOLE_ONLY | WHOLE_TOO, value)

    def _previous(self, node: ast.Call) -> Typed:
        name = ast.unparse(node.args[0]) if len(node.args) == 1 else ""
        found = self.previous(name)
        if found is None:
            raise InputError(f"previous(...) takes the name of a state, found {ast.unparse(node)}")
        return found


def _arguments(count: int) -> str:
    return f"{count} argument{'' if count == 1 else 's'}"


def _tree(text: str) -> ast.expr:
    if len(text) > _MAX_TEXT:
        raise InputError(f"expression longer than {_MAX_TEXT} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"not an expression: {text.strip()!r}") from error
    if _depth(tree) > _MAX_DEPTH:
        raise InputError(f"expression nested deeper than {_MAX_DEPTH} levels: name its parts on lines of their own")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == _STAND_IN:
            node.id = LAMBDA
    return tree


def _depth(tree: ast.AST) -> int:
    level, nodes = 0, [tree]
    while nodes:
        level, nodes = level + 1, [child for node in nodes for child in ast.iter_child_nodes(node)]
    return level


def _all(op: Op, tests: list[Expr]) -> Expr:
    value = tests[0]
    for test in tests[1:]:
        value = make(op, value, test)
    return value


def _comparison(op: ast.cmpop, a: Typed, b: Typed) -> Expr:
    same("compare", a, b)
    if isinstance(op, (ast.Gt, ast.GtE)):
        a, b = b, a
    if isinstance(op, (ast.Lt, ast.Gt)):
        return make(Op.LT, a.real(), b.real())
    if isinstance(op, (ast.LtE, ast.GtE)):
        return make(Op.LE, a.real(), b.real())
    equal = make(Op.EQ, a.real(), b.real())
    if isinstance(op, ast.Eq):
        return equal
    if isinstance(op, ast.NotEq):
        return make(Op.NOT, equal)
    raise InputError("only < <= > >= == != compare values")


_ARITHMETIC: dict[type[ast.operator], tuple[Op, Callable[[Typed, Typed], Dimension]]] = {
    ast.Add: (Op.ADD, lambda a, b: same("add", a, b)),
    ast.Sub: (Op.SUB, lambda a, b: same("subtract", a, b)),
    ast.Mult: (Op.MUL, lambda a, b: a.dimension * b.dimension),
    ast.Div: (Op.DIV, lambda a, b: a.dimension / b.dimension),
    ast.LShift: (Op.SHL, lambda a, b: DIMENSIONLESS), ast.RShift: (Op.SHR, lambda a, b: DIMENSIONLESS),
}
_SHIFTS = (Op.SHL, Op.SHR)
_FORMS: dict[type[ast.AST], Callable[..., Typed]] = {
    ast.Constant: Parser._constant, ast.Name: Parser._name, ast.UnaryOp: Parser._unary, ast.BinOp: Parser._binary,
    ast.Compare: Parser._compare, ast.BoolOp: Parser._logic, ast.IfExp: Parser._choice,
    ast.Subscript: Parser._subscript, ast.Call: Parser._call,
}
