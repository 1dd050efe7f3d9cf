"""The functions of an expression: how many arguments, dimension rule and tree, one row each."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from snnsim.equations.expr import ONE, ZERO, const, make, random
from snnsim.equations.typed import Typed, same, show
from snnsim.errors import InputError
from snnsim.ir.ops import Op, Type
from snnsim.units import DIMENSIONLESS, Dimension

Function = Callable[..., Typed]
_MAX_POWER = 64


def _bare(op: Op) -> Function:
    """A function of a number without unit."""
    return lambda draws, x: Typed(make(op, x.bare(f"{op.name.lower()}(...)")), DIMENSIONLESS)


def _abs(draws: list[str], x: Typed) -> Typed:
    return Typed(make(Op.ABS, x.real()), x.dimension)


def _sqrt(draws: list[str], x: Typed) -> Typed:
    return Typed(make(Op.SQRT, x.real()), x.dimension ** Fraction(1, 2))


def _extreme(op: Op) -> Function:
    def extreme(draws: list[str], *values: Typed) -> Typed:
        found = values[0]
        for value in values[1:]:
            dimension = _same_or_zero(f"take the {op.name.lower()} of", found, value)
            found = Typed(make(op, found.real(), value.real()), dimension, found.syntax)
        return found

    return extreme


def _same_or_zero(verb: str, a: Typed, b: Typed) -> Dimension:
    """The common dimension; a plain 0 has any."""
    for zero, other in ((a, b), (b, a)):
        if zero.expr is ZERO and zero.dimension == DIMENSIONLESS:
            return other.dimension
    return same(verb, a, b)


def _clip(draws: list[str], x: Typed, low: Typed, high: Typed) -> Typed:
    return _extreme(Op.MIN)(draws, _extreme(Op.MAX)(draws, x, low), high)


def _sigmoid(draws: list[str], x: Typed) -> Typed:
    growth = make(Op.EXP, make(Op.NEG, x.bare("sigmoid(...)")))
    return Typed(make(Op.DIV, ONE, make(Op.ADD, ONE, growth)), DIMENSIONLESS)


def _shrink(draws: list[str], x: Typed, bits: Typed) -> Typed:
    """x 2^-bits, rounded toward zero."""
    value, k = x.bare("shrink(...)"), bits.bare("shrink(...)")
    most = make(Op.SUB, make(Op.SHL, ONE, k), ONE)
    negative = make(Op.LT, value, ZERO)
    return Typed(make(Op.SHR, make(Op.ADD, value, make(Op.SELECT, negative, most, ZERO)), k), DIMENSIONLESS)


def _wrap(draws: list[str], x: Typed, bits: Typed) -> Typed:
    """The number that the lowest bits stand for, in two's complement."""
    value, k = x.bare("wrap(...)"), bits.bare("wrap(...)")
    half = make(Op.SHL, ONE, make(Op.SUB, k, ONE))
    turns = make(Op.SHR, make(Op.ADD, value, half), k)
    return Typed(make(Op.SUB, value, make(Op.SHL, turns, k)), DIMENSIONLESS)


def _label(draws: list[str], kind: str) -> str:
    draws.append(kind)
    return f"{kind}.{draws.count(kind)}"


def _poisson(draws: list[str], mean: Typed) -> Typed:
    value = mean.bare("poisson(...)")
    if not value.hoistable:
        raise InputError(f"the mean of poisson(...) must depend on parameters and dt alone, found {mean}")
    return Typed(random(Op.POISSON, _label(draws, "poisson"), value), DIMENSIONLESS)


def _draw(op: Op) -> Function:
    return lambda draws: Typed(random(op, _label(draws, op.name.lower())), DIMENSIONLESS)


_ANY = tuple(range(2, 9))
FUNCTIONS: dict[str, tuple[tuple[int, ...], Function]] = {
    "exp": ((1,), _bare(Op.EXP)), "log": ((1,), _bare(Op.LOG)), "exprel": ((1,), _bare(Op.EXPREL)),
    "sin": ((1,), _bare(Op.SIN)), "cos": ((1,), _bare(Op.COS)), "tanh": ((1,), _bare(Op.TANH)),
    "floor": ((1,), _bare(Op.FLOOR)), "sigmoid": ((1,), _sigmoid),
    "sqrt": ((1,), _sqrt), "abs": ((1,), _abs), "min": (_ANY, _extreme(Op.MIN)), "max": (_ANY, _extreme(Op.MAX)),
    "clip": ((3,), _clip), "shrink": ((2,), _shrink), "wrap": ((2,), _wrap), "trunc": ((1,), _bare(Op.TRUNC)),
    "poisson": ((1,), _poisson), "uniform": ((0,), _draw(Op.UNIFORM)), "normal": ((0,), _draw(Op.NORMAL)),
}


# What only models in whole numbers compute in a step, and what they compute besides.
WHOLE_ONLY = frozenset({"shrink", "wrap", "trunc"})
WHOLE_TOO = frozenset({"abs", "min", "max", "clip"})


def power(base: Typed, exponent: Typed) -> Typed:
    """``base ** exponent``: whole constant powers by multiplication, others as exp(exponent log(base))."""
    n = exponent.bare("an exponent")
    if n.op is Op.CONST and n.type is Type.REAL and n.data == int(n.data) and abs(n.data) <= _MAX_POWER:
        return _whole_power(base, int(n.data))
    if base.dimension != DIMENSIONLESS:
        raise InputError(f"only whole powers of a quantity with a unit are possible, found {show(base)} "
                         f"to the power {exponent}; sqrt(...) takes any")
    return Typed(make(Op.EXP, make(Op.MUL, n, make(Op.LOG, base.real()))), DIMENSIONLESS)


def _whole_power(base: Typed, n: int) -> Typed:
    value, square, bits = const(1.0), base.real(), abs(n)
    while bits:
        if bits & 1:
            value = make(Op.MUL, value, square)
        bits >>= 1
        if bits:
            square = make(Op.MUL, square, square)
    return Typed(make(Op.DIV, ONE, value) if n < 0 else value, base.dimension**n)
