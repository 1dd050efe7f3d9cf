"""An expression with its dimension, and the messages where dimensions or kinds disagree."""

from __future__ import annotations

import ast
from typing import NamedTuple

from snnsim.equations.expr import Expr, make
from snnsim.equations.text import text
from snnsim.errors import InputError
from snnsim.ir.ops import Op, Type
from snnsim.units import DIMENSIONLESS, Dimension, describe


class Typed(NamedTuple):
    """A tree, the dimension of what it computes, and the syntax that it was read from."""

    expr: Expr
    dimension: Dimension
    syntax: ast.AST | None = None

    def __str__(self) -> str:
        """As the user wrote it."""
        return text(self.expr) if self.syntax is None else ast.unparse(self.syntax)

    def real(self) -> Expr:
        """The tree as a number; ``InputError`` for a condition."""
        if self.expr.type is Type.BOOL:
            raise InputError(f"expected a number, found the condition {self}")
        return make(Op.TO_REAL, self.expr) if self.expr.type is Type.INT else self.expr

    def condition(self) -> Expr:
        """The tree as a condition; ``InputError`` for a number."""
        if self.expr.type is not Type.BOOL:
            raise InputError(f"expected a condition such as v >= v_th, found the number {self}")
        return self.expr

    def bare(self, where: str) -> Expr:
        """The tree as a number without unit; ``InputError`` otherwise."""
        if self.dimension != DIMENSIONLESS:
            raise InputError(f"{where} takes a number without unit, found {show(self)}")
        return self.real()


def show(value: Typed) -> str:
    """``a voltage (mV): v - v_rest``."""
    return f"{describe(value.dimension)}: {value}"


def same(verb: str, a: Typed, b: Typed) -> Dimension:
    """The common dimension; ``InputError`` naming both sides otherwise."""
    if a.dimension != b.dimension:
        raise InputError(f"cannot {verb} {describe(a.dimension)} and {describe(b.dimension)}: "
                         f"{a} and {b}")
    return a.dimension
