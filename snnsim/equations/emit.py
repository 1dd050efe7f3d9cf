"""Expressions written as instructions; what depends on parameters alone becomes one bound number."""

from __future__ import annotations

from dataclasses import dataclass, field

from snnsim.equations.expr import Expr, Supplied, postorder
from snnsim.equations.text import text
from snnsim.ir.ops import Builder, Op, Type

_UNARY_LEAVES = (Op.STATE, Op.ARRIVAL, Op.DRIVE, Op.UNIFORM, Op.NORMAL)


def _is_bound(e: Expr) -> bool:
    return (e.hoistable and e.type is Type.REAL) or e.op in (Op.WHOLE, Op.POISSON)


@dataclass
class Emitter:
    """Appends expressions to a builder and notes what a host has to bind.

    hoisted: name -> expression of parameters; wholes: the same, for whole numbers; supplied: the other bound names.
    """

    builder: Builder
    hoisted: dict[str, Expr] = field(default_factory=dict)
    wholes: dict[str, Expr] = field(default_factory=dict)
    supplied: dict[str, Supplied] = field(default_factory=dict)
    _numbers: dict[Expr, int] = field(default_factory=dict)

    def __call__(self, expr: Expr) -> int:
        """The number of the instruction that computes `expr`."""
        for e in postorder([expr], stop=self._is_leaf):
            if e not in self._numbers:
                self._numbers[e] = self._emit(e)
        return self._numbers[expr]

    _is_leaf = staticmethod(_is_bound)

    def output(self, expr: Expr) -> int:
        """The same, for what is recorded."""
        return self(expr)

    def _emit(self, e: Expr) -> int:
        if e.op is Op.CONST:
            return self.builder.const(e.data)
        if e.hoistable and e.type is Type.REAL:
            return self._bound(Op.PARAM, text(e), e, self.hoisted)
        if e.op is Op.WHOLE:
            return self._bound(Op.WHOLE, f"whole({text(e.args[0])})", e.args[0], self.wholes)
        if e.op is Op.PARAM:
            self.supplied[e.data.name] = e.data
            return self.builder(Op.PARAM, data=e.data.name)
        if e.op is Op.POISSON:
            self.hoisted[text(e.args[0])] = e.args[0]
            return self.builder(Op.POISSON, data=(e.data, text(e.args[0])))
        if e.op in _UNARY_LEAVES:
            return self.builder(e.op, data=e.data)
        return self.builder(e.op, *(self._numbers[a] for a in e.args))

    def _bound(self, op: Op, name: str, e: Expr, table: dict[str, Expr]) -> int:
        table[name] = e
        return self.builder(op, data=name)
