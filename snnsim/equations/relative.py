"""States kept as the difference from a value of the parameters, so that single precision resolves small changes.

A document says ``relative: {v: v_rest}`` and writes its equations in absolute terms. Here every rule is rewritten for
the differences: constant parts are carried outwards until they meet other parameters, so that most of them vanish or
become numbers that are computed once, in double precision, on the host (``v >= v_th`` as ``v >= v_th - v_rest``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from snnsim.equations.expr import ZERO, Expr, make, postorder, state
from snnsim.equations.rules import Rules, before, following
from snnsim.ir.ops import Op


class Parts(NamedTuple):
    """An expression as ``rest + constant``, the constant of parameters alone."""

    rest: Expr
    constant: Expr = ZERO

    def whole(self) -> Expr:
        return make(Op.ADD, self.rest, self.constant) if self.constant is not ZERO else self.rest

    def above(self, base: Expr) -> Expr:
        """What the expression exceeds `base` by."""
        over = make(Op.SUB, self.constant, base)
        return self.rest if over is ZERO else make(Op.ADD, self.rest, over)


def relative(rules: Rules) -> Rules:
    """`rules` for the differences; what the initial values say stays absolute."""
    if not rules.relative:
        return rules
    shift = _Shift(rules.relative)
    return replace(
        rules,
        derivatives={name: shift(e).whole() for name, e in rules.derivatives.items()},
        maps={name: shift.of_state(name, e) for name, e in rules.maps.items()},
        jumps=[replace(jump, factor=shift(jump.factor).whole()) for jump in rules.jumps],
        spike=None if rules.spike is None else shift(rules.spike).whole(),
        reset={name: shift.of_state(name, e) for name, e in rules.reset.items()},
        outputs={name: (shift(e).whole(), dimension) for name, (e, dimension) in rules.outputs.items()},
    )


class _Shift:
    """Rewrites expressions of absolute values for those that are stored."""

    def __init__(self, bases: Mapping[str, Expr]) -> None:
        self.bases = bases
        self.known = {form(name): base for name, base in bases.items() for form in (state, before, following)}

    def of_state(self, name: str, value: Expr) -> Expr:
        """The new value of a state as it is stored."""
        return self(value).above(self.bases.get(name, ZERO))

    def __call__(self, expr: Expr) -> Parts:
        parts: dict[Expr, Parts] = {}
        names = {e.data for e in self.known}
        for e in postorder([expr]):
            if e in self.known:
                parts[e] = Parts(e, self.known[e])
            elif e.hoistable:
                parts[e] = Parts(ZERO, e)
            elif e.states & names:
                parts[e] = _RULES.get(e.op, _other)(e, *(parts[a] for a in e.args))
            else:
                parts[e] = Parts(e)
        return parts[expr]


def _other(e: Expr, *args: Parts) -> Parts:
    given = (a if a.hoistable else p.whole() for a, p in zip(e.args, args, strict=True))
    return Parts(make(e.op, *given))


def _sum(e: Expr, *args: Parts) -> Parts:
    return Parts(make(e.op, *(a.rest for a in args)), make(e.op, *(a.constant for a in args)))


def _base(args: tuple[Parts, ...]) -> Expr:
    """The constant that is taken out of several expressions: of the first that is more than a constant."""
    return next((a.constant for a in args if a.rest is not ZERO), ZERO)


def _extreme(e: Expr, *args: Parts) -> Parts:
    base = _base(args)
    return Parts(make(e.op, *(a.above(base) for a in args)), base)


def _comparison(e: Expr, *args: Parts) -> Parts:
    return Parts(_extreme(e, *args).rest)


def _choice(e: Expr, condition: Parts, *args: Parts) -> Parts:
    base = _base(args)
    return Parts(make(Op.SELECT, condition.whole(), *(a.above(base) for a in args)), base)


_RULES: dict[Op, Callable[..., Parts]] = {
    Op.ADD: _sum, Op.SUB: _sum, Op.NEG: _sum, Op.MIN: _extreme, Op.MAX: _extreme,
    Op.LT: _comparison, Op.LE: _comparison, Op.EQ: _comparison, Op.SELECT: _choice,
}
