"""Expressions as interned trees over the operations of ``snnsim.ir``: equal trees are one object.

Rewritings that keep every rounded result are made on the way (signs, zeros, ones, constants), and two that save
operations: division by what depends on parameters alone becomes multiplication by its reciprocal, and two factors or
two addends of that kind in a row become one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from snnsim.ir.ops import RANDOM, SIGNATURES, Op, Type


@dataclass(frozen=True)
class Supplied:
    """Data of a PARAM that is no expression of parameters: a weight quantum, or a propagator with its recipe."""

    name: str
    recipe: Any = None


class Expr:
    """An operation on expressions; make them with `make` and the leaf functions.

    hoistable: depends on parameters and dt alone, so it is computed once, on the host.
    states: names of the states that it reads.
    """

    __slots__ = ("__weakref__", "args", "data", "hoistable", "op", "states", "type")

    op: Op
    args: tuple[Expr, ...]
    data: Any
    type: Type
    hoistable: bool
    states: frozenset[str]

    def __repr__(self) -> str:
        from snnsim.equations.text import text

        return f"<{text(self)}>"


_interned: WeakValueDictionary[Any, Expr] = WeakValueDictionary()
_NO_STATES: frozenset[str] = frozenset()


def _intern(op: Op, args: tuple[Expr, ...], data: Any, kind: Type) -> Expr:
    key = (op, args, type(data), data, kind)
    found = _interned.get(key)
    if found is not None:
        return found
    new = object.__new__(Expr)
    new.op, new.args, new.data, new.type = op, args, data, kind
    new.hoistable = _is_hoistable(op, args, data)
    new.states = frozenset({data}) if op is Op.STATE else _NO_STATES.union(*(a.states for a in args))
    _interned[key] = new
    return new


def _is_hoistable(op: Op, args: tuple[Expr, ...], data: Any) -> bool:
    if op is Op.PARAM:
        return isinstance(data, str)
    if op in (Op.STATE, Op.ARRIVAL, Op.DRIVE, Op.WHOLE) or op in RANDOM:
        return False
    return all(a.hoistable for a in args)


def const(value: bool | int | float) -> Expr:
    """A number or truth value."""
    kind = {bool: Type.BOOL, int: Type.INT, float: Type.REAL}[type(value)]
    return _intern(Op.CONST, (), value, kind)


def param(name: str) -> Expr:
    """A parameter of the model, or ``dt``."""
    return _intern(Op.PARAM, (), name, Type.REAL)


def supplied(name: str, recipe: Any = None) -> Expr:
    """A bound number that is not computed from an expression."""
    return _intern(Op.PARAM, (), Supplied(name, recipe), Type.REAL)


def state(name: str, kind: Type = Type.REAL) -> Expr:
    """A state before the step."""
    return _intern(Op.STATE, (), name, kind)


def drive(name: str) -> Expr:
    """A continuous input."""
    return _intern(Op.DRIVE, (), name, Type.REAL)


def arrival(port: str) -> Expr:
    """The summed weights that arrive at a port in this step, in the unit of the weight."""
    quanta = _intern(Op.ARRIVAL, (), port, Type.INT)
    return make(Op.MUL, make(Op.TO_REAL, quanta), supplied(f"quantum.{port}"))


def random(op: Op, label: str, *mean: Expr) -> Expr:
    """A draw of this step: POISSON with its mean, UNIFORM or NORMAL."""
    return _intern(op, mean, label, Type.INT if op is Op.POISSON else Type.REAL)


def whole(value: Expr) -> Expr:
    """A hoistable, whole-numbered expression as an integer that is bound on the host."""
    return _intern(Op.WHOLE, (value,), None, Type.INT)


ZERO, ONE, MINUS, DT = const(0.0), const(1.0), const(-1.0), param("dt")


def make(op: Op, *args: Expr) -> Expr:
    """``op(args)``, simplified."""
    rule = _RULES.get(op)
    simpler = rule(*args) if rule is not None and args[0].type is Type.REAL else None
    if simpler is not None:
        return simpler
    kinds = tuple(a.type for a in args)
    for expected, result in SIGNATURES[op]:
        if kinds == expected:
            return _intern(op, args, None, result)
    raise TypeError(f"{op.name} takes no {kinds}")


def _numbers(*args: Expr) -> list[float] | None:
    return [a.data for a in args] if all(a.op is Op.CONST for a in args) else None


def _fold(value: float) -> Expr | None:
    return const(float(value)) if math.isfinite(value) else None


def _neg(a: Expr) -> Expr | None:
    if a.op is Op.CONST:
        return const(-a.data)
    if a.op is Op.NEG:
        return a.args[0]
    if a.op is Op.SUB:
        return make(Op.SUB, a.args[1], a.args[0])
    if a.op is Op.ADD and a.args[1].hoistable and not a.hoistable:
        return make(Op.SUB, make(Op.NEG, a.args[1]), a.args[0])
    return None


def _affine(e: Expr) -> tuple[bool, Expr, Expr] | None:
    """(negative, x, c) with ``e = x + c`` or ``c - x``: x depends on more than parameters, c does not."""
    if e.op is Op.ADD and e.args[1].hoistable:
        return False, e.args[0], e.args[1]
    if e.op is Op.SUB and e.args[1].hoistable:
        return False, e.args[0], make(Op.NEG, e.args[1])
    if e.op is Op.SUB and e.args[0].hoistable:
        return True, e.args[1], e.args[0]
    return None


def _shifted(e: Expr, by: Expr) -> Expr | None:
    """``e + by`` with the parts of both that depend on parameters alone in one number."""
    if e.hoistable or not by.hoistable or (parts := _affine(e)) is None:
        return None
    negative, x, c = parts
    c = make(Op.ADD, c, by)
    return make(Op.SUB, c, x) if negative else make(Op.ADD, x, c)


def _add(a: Expr, b: Expr) -> Expr | None:
    if numbers := _numbers(a, b):
        return _fold(numbers[0] + numbers[1])
    if a is ZERO or b is ZERO:
        return b if a is ZERO else a
    if a.hoistable and not b.hoistable:
        return make(Op.ADD, b, a)
    if b.op is Op.NEG:
        return make(Op.SUB, a, b.args[0])
    return make(Op.SUB, b, a.args[0]) if a.op is Op.NEG else _shifted(a, b)


def _sub(a: Expr, b: Expr) -> Expr | None:
    if numbers := _numbers(a, b):
        return _fold(numbers[0] - numbers[1])
    if a is ZERO or b is ZERO:
        return make(Op.NEG, b) if a is ZERO else a
    if a is b and a.hoistable:
        return ZERO
    if b.op is Op.NEG:
        return make(Op.ADD, a, b.args[0])
    if a.op is Op.NEG and not a.hoistable:
        return make(Op.SUB, make(Op.NEG, b), a.args[0]) if b.hoistable else make(Op.NEG, make(Op.ADD, a.args[0], b))
    if b.hoistable:
        return _shifted(a, make(Op.NEG, b))
    return _shifted(make(Op.NEG, b), a) if _affine(b) else None


def _mul(a: Expr, b: Expr) -> Expr | None:
    if numbers := _numbers(a, b):
        return _fold(numbers[0] * numbers[1])
    if ZERO in (a, b):
        return ZERO
    if ONE in (a, b):
        return b if a is ONE else a
    if MINUS in (a, b):
        return make(Op.NEG, b if a is MINUS else a)
    if a.hoistable and not b.hoistable:
        return make(Op.MUL, b, a)
    if a.op is Op.NEG and not a.hoistable:
        return make(Op.MUL, a.args[0], make(Op.NEG, b)) if b.hoistable else make(Op.NEG, make(Op.MUL, a.args[0], b))
    if b.op is Op.NEG and not b.hoistable:
        return make(Op.NEG, make(Op.MUL, a, b.args[0]))
    if b.hoistable and not a.hoistable and a.op is Op.MUL and a.args[1].hoistable:
        return make(Op.MUL, a.args[0], make(Op.MUL, a.args[1], b))
    return None


def _div(a: Expr, b: Expr) -> Expr | None:
    if b.op is Op.CONST and a.op is Op.CONST and b.data != 0:
        return _fold(a.data / b.data)
    if b is ONE:
        return a
    if a is ZERO:
        return ZERO
    return make(Op.MUL, a, make(Op.DIV, ONE, b)) if b.hoistable and not a.hoistable else None


def _shl(a: Expr, b: Expr) -> Expr | None:
    numbers = _numbers(a, b)
    return _fold(math.ldexp(numbers[0], int(numbers[1]))) if numbers and 0 <= numbers[1] < 64 else None


_RULES: dict[Op, Callable[..., Expr | None]] = {
    Op.NEG: _neg, Op.ADD: _add, Op.SUB: _sub, Op.MUL: _mul, Op.DIV: _div, Op.SHL: _shl,
}


def total(terms: Iterable[Expr]) -> Expr:
    """The sum, from left to right."""
    value = ZERO
    for term in terms:
        value = make(Op.ADD, value, term)
    return value


def select(condition: Expr | None, yes: Expr, no: Expr) -> Expr:
    """``yes if condition else no``; `no` where there is no condition."""
    return no if condition is None or yes is no else make(Op.SELECT, condition, yes, no)


def _never(expr: Expr) -> bool:
    return False


def postorder(roots: Iterable[Expr], stop: Callable[[Expr], bool] = _never) -> list[Expr]:
    """Every sub-expression once, arguments first; those that satisfy `stop` are not entered."""
    done: dict[Expr, None] = {}
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        expr, ready = stack.pop()
        if expr in done:
            continue
        if ready or not expr.args or stop(expr):
            done[expr] = None
        else:
            stack.append((expr, True))
            stack += [(a, False) for a in reversed(expr.args)]
    return list(done)


def substitute(expr: Expr, mapping: Mapping[Expr, Expr]) -> Expr:
    """`expr` with every occurrence of the keys of `mapping` replaced, simplified again."""
    new: dict[Expr, Expr] = {}
    for e in postorder([expr]):
        if e in mapping:
            new[e] = mapping[e]
        elif e.hoistable or not e.args or e.op is Op.WHOLE or e.op in RANDOM:
            new[e] = e
        else:
            new[e] = make(e.op, *(new[a] for a in e.args))
    return new[expr]
