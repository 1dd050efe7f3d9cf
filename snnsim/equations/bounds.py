"""Between what a rule keeps the weight: read off its expressions, where they say it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from snnsim.equations.expr import Expr, make, state
from snnsim.ir.ops import Op

_W = state("w")


class Bounds(NamedTuple):
    """Lowest and highest weight as expressions of parameters, None where there is none."""

    low: Expr | None = None
    high: Expr | None = None


NO_BOUNDS = Bounds()


def inferred(weights: Iterable[Expr | None]) -> Bounds:
    """The bounds that hold after every rule. weights: what each gives `w`, None where it leaves it as it is."""
    changed = [expr for expr in weights if expr is not None]
    return Bounds(_widest(changed, Op.MIN), _widest(changed, Op.MAX))


def _widest(weights: list[Expr], op: Op) -> Expr | None:
    """op: MIN for the lower bound, MAX for the upper one."""
    found: Expr | None = None
    for expr in weights:
        bound = _bound(expr, op)
        if bound is None or bound is _W:
            return None
        found = bound if found is None or found is bound else make(op, found, bound)
    return found


def _bound(expr: Expr, op: Op) -> Expr | None:
    """What `expr` does not go beyond: an expression of parameters, `w` itself for what leaves it as it is, or None."""
    if expr.hoistable or expr is _W:
        return expr
    if expr.op is Op.SELECT:
        yes, no = (_bound(e, op) for e in expr.args[1:])
        return _of_both(yes, no, op)
    if expr.op not in (Op.MIN, Op.MAX):
        return None
    known = [bound for bound in (_bound(e, op) for e in expr.args) if bound is not None]
    if expr.op is op:   # min() may be as low as either, so both must be known, and to stay where w was says nothing
        return make(op, *known) if len(known) == 2 and _W not in known else None
    stated = [bound for bound in known if bound is not _W]
    if len(stated) == 2:
        return make(expr.op, *stated)
    return (stated or known)[0] if known else None


def _of_both(yes: Expr | None, no: Expr | None, op: Op) -> Expr | None:
    """The bound of either: where one leaves `w` as it is, that of the other."""
    if yes is None or no is None:
        return None
    if yes is no or _W in (yes, no):
        return no if yes is _W else yes
    return make(op, yes, no)
