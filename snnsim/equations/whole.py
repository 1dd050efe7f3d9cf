"""Models in whole numbers: their expressions as instructions over 64-bit integers.

Trees are read as those of real numbers, which stand for the same values; only here do they become whole-numbered. What
depends on parameters alone is computed on the host in double precision, where whole numbers below 2^53 are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from snnsim.equations.emit import Emitter
from snnsim.equations.expr import Expr, Supplied, postorder
from snnsim.equations.host import parameters_of
from snnsim.equations.rules import Rules
from snnsim.equations.text import number, text
from snnsim.errors import InputError, Problem
from snnsim.ir.ops import Op, Type

_MOST = 1 << 53


def _is_leaf(e: Expr) -> bool:
    return (e.hoistable and e.type is Type.REAL) or e.op is Op.TRUNC


class WholeEmitter(Emitter):
    """For expressions in whole numbers; the factor of a ``trunc`` alone is a real number."""

    _is_leaf = staticmethod(_is_leaf)

    def output(self, expr: Expr) -> int:
        """The same, as a real number: what is recorded."""
        return self.builder(Op.TO_REAL, self(expr))

    def _emit(self, e: Expr) -> int:
        if e.op is Op.CONST:
            return self.builder.const(int(e.data) if e.type is Type.REAL else e.data)
        if e.hoistable and e.type is Type.REAL:
            return self._bound(Op.WHOLE, text(e), e, self.wholes)
        if e.op is Op.TRUNC:
            return self._truncated(*e.args[0].args)
        if e.op in (Op.STATE, Op.ARRIVAL):
            return self.builder(e.op, data=e.data)
        if e.op in (Op.TO_REAL, Op.TO_INT):
            return self._numbers[e.args[0]]
        if _is_quantum(e):
            return self.builder.const(1)
        if e.op is Op.MUL and _is_quantum(e.args[1]):
            return self._numbers[e.args[0]]
        return self.builder(e.op, *(self._numbers[a] for a in e.args))

    def _truncated(self, x: Expr, factor: Expr) -> int:
        """A product with a real number, toward zero."""
        b = self.builder
        real = b(Op.MUL, b(Op.TO_REAL, self(x)), self._bound(Op.PARAM, text(factor), factor, self.hoisted))
        down, up = b(Op.TO_INT, real), b(Op.NEG, b(Op.TO_INT, b(Op.NEG, real)))
        return b(Op.SELECT, b(Op.LT, real, b.const(0.0)), up, down)


def _is_quantum(e: Expr) -> bool:
    return isinstance(e.data, Supplied)


def faults(rules: Rules) -> Iterator[Problem]:
    """What of a model in whole numbers has no value among them."""
    parts: dict[str, dict[str, Expr]] = {
        "dynamics": rules.maps, "reset": rules.reset,
        "receive": {jump.port: jump.factor for jump in rules.jumps},
        "outputs": {name: expr for name, (expr, _) in rules.outputs.items()},
    }
    for path, named in parts.items():
        for name, expr in named.items():
            yield from _faults_of(f"{path}.{name}", expr)
    for path, single in (("spike", rules.spike), ("send", rules.payload)):
        yield from _faults_of(path, single) if single is not None else ()


def _faults_of(path: str, expr: Expr) -> Iterator[Problem]:
    for e in postorder([expr], stop=_is_leaf):
        if e.op is Op.CONST and e.type is Type.REAL and not float(e.data).is_integer():
            yield Problem(path, f"expected whole numbers, found {number(e.data)}")
        if e.op is Op.TRUNC and not (e.hoistable or (e.args[0].op is Op.MUL and e.args[0].args[1].hoistable)):
            yield Problem(path, f"trunc(...) takes a product with an expression of parameters, found {text(e)}")


def bound(expr: Expr, value: float | np.ndarray) -> Any:
    """A number of the host for a program in whole numbers; ``InputError`` where it is none of them."""
    wrong = (np.rint(value) != value) | (np.abs(value) >= _MOST)
    if np.any(wrong):
        found = float(np.asarray(value).flat[int(np.argmax(wrong))])
        place = (parameters_of(expr) or [""])[0]
        raise InputError(Problem(place, f"{text(expr)} is {found:.17g}, expected a whole number below 2^53"))
    return int(value) if np.ndim(value) == 0 else np.asarray(value).astype(np.int64)
