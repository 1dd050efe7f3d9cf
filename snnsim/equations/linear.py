"""Linear expressions taken apart: ``sum of coefficient * atom + constant``, by structure alone."""

from __future__ import annotations

from collections.abc import Callable

from snnsim.equations.expr import ONE, ZERO, Expr, make
from snnsim.ir.ops import Op

# Atom -> coefficient; the key None holds the constant part.
Terms = dict[Expr | None, Expr]
Test = Callable[[Expr], bool]


class NotLinearError(Exception):
    """Holds the sub-expression that is not linear."""

    def __init__(self, expr: Expr) -> None:
        super().__init__(expr)
        self.expr = expr


def collect(expr: Expr, fixed: Test, atom: Test) -> Terms:
    """The terms of `expr`: coefficients satisfy `fixed`, the atoms `atom`.

    Raises ``NotLinearError`` where that is not possible.
    """
    if fixed(expr):
        return {} if expr is ZERO else {None: expr}
    try:
        rule = _RULES.get(expr.op, _refuse)
        return rule(expr, lambda e: collect(e, fixed, atom), fixed)
    except NotLinearError:
        if atom(expr):
            return {expr: ONE}
        raise


def _refuse(expr: Expr, parts: Callable[[Expr], Terms], fixed: Test) -> Terms:
    raise NotLinearError(expr)


def _sum(expr: Expr, parts: Callable[[Expr], Terms], fixed: Test) -> Terms:
    left, right = map(parts, expr.args)
    return {key: make(expr.op, left.get(key, ZERO), right.get(key, ZERO)) for key in [*left, *right]}


def _negative(expr: Expr, parts: Callable[[Expr], Terms], fixed: Test) -> Terms:
    return {key: make(Op.NEG, value) for key, value in parts(expr.args[0]).items()}


def _product(expr: Expr, parts: Callable[[Expr], Terms], fixed: Test) -> Terms:
    left, right = expr.args
    if fixed(right):
        return {key: make(Op.MUL, value, right) for key, value in parts(left).items()}
    if fixed(left):
        return {key: make(Op.MUL, left, value) for key, value in parts(right).items()}
    raise NotLinearError(expr)


def _quotient(expr: Expr, parts: Callable[[Expr], Terms], fixed: Test) -> Terms:
    if not fixed(expr.args[1]):
        raise NotLinearError(expr)
    return {key: make(Op.DIV, value, expr.args[1]) for key, value in parts(expr.args[0]).items()}


_RULES: dict[Op, Callable[..., Terms]] = {
    Op.ADD: _sum, Op.SUB: _sum, Op.NEG: _negative, Op.MUL: _product, Op.DIV: _quotient,
}


def in_states(expr: Expr) -> Terms:
    """Terms with coefficients of parameters alone; atoms are states, and held inputs free of states."""
    return collect(expr, lambda e: e.hoistable, lambda e: e.op is Op.STATE or not e.states)


def in_one(expr: Expr, variable: Expr) -> tuple[Expr, Expr]:
    """(a, b) with ``expr = a + b variable``, both free of it."""
    name = variable.data
    terms = collect(expr, lambda e: name not in e.states, lambda e: e is variable)
    return terms.get(None, ZERO), terms.get(variable, ZERO)


def scale(expr: Expr) -> tuple[Expr, Expr]:
    """(x, c) with ``expr = x c``: the factor c depends on parameters alone."""
    if expr.op is Op.MUL and not expr.hoistable and expr.args[1].hoistable:
        return expr.args[0], expr.args[1]
    return expr, ONE
