"""exp, log and friends from exactly rounded operations only, so that every target computes the same bits.

``lower`` replaces the transcendental operations of a program; ``exp``, ``log``, ... here do the same for float64 arrays
on the host. Range reduction after Cody and Waite (Software Manual for the Elementary Functions, 1980); the series
are plain Taylor and atanh series, long enough that rounding dominates (within 2 units in the last place, tested).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from snnsim.ir.ops import TRANSCENDENTAL, Builder, Op, Program, Type


@dataclass(frozen=True)
class Precision:
    """Constants of one floating-point width: range of exp, parts of ln 2 and pi/2, lengths of the series."""

    exp_low: float
    exp_high: float
    tiny: float
    ln2: tuple[float, float]
    half_pi: tuple[float, float, float]
    exp_terms: int
    log_terms: int
    trig_terms: int


SINGLE = Precision(
    -87.0, 88.3, float(np.finfo(np.float32).tiny), (0.693359375, -2.12194440e-4),
    (1.5703125, 4.837512969970703e-4, 7.549789948768648e-8), 7, 5, 6,
)
DOUBLE = Precision(
    -708.0, 709.4, float(np.finfo(np.float64).tiny), (0.6931471803691238, 1.9082149292705877e-10),
    (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21), 13, 11, 9,
)


def precision_of(dtype: np.dtype | type) -> Precision:
    """The constants for float32 or float64."""
    return SINGLE if np.dtype(dtype) == np.float32 else DOUBLE


def lower(program: Program, dtype: np.dtype | type) -> Program:
    """The same program without transcendental operations, for state of `dtype`."""
    if not any(instr.op in TRANSCENDENTAL for instr in program.instrs):
        return program
    builder, where = Builder(program.states, program.whole), dict[int, int]()
    table = _Math(builder, precision_of(dtype)).table
    for k, instr in program:
        args = tuple(where[a] for a in instr.args)
        if instr.op is Op.NORMAL:
            where[k] = table[Op.NORMAL](builder(Op.UNIFORM, data=instr.data))
        elif instr.op in TRANSCENDENTAL:
            where[k] = table[instr.op](*args)
        else:
            where[k] = builder(instr.op, *args, data=instr.data)
    return builder.build()


# Coefficients of AS 241's PPND7, highest power first; its third region lies beyond what 32-bit uniforms reach.
_CENTRE = ([59.10937472, 159.29113202, 50.434271938, 3.3871327179], [67.1875636, 78.757757664, 17.895169469, 1.0])
_TAIL = ([0.17023821103, 1.3067284816, 2.75681539, 1.4234372777], [0.12021132975, 0.7370016425, 1.0])


class _Math:
    """Writes each function as instructions of a builder; NaN passes through."""

    def __init__(self, builder: Builder, precision: Precision) -> None:
        self.b, self.p = builder, precision
        self.table: dict[Op, Callable[[int], int]] = {
            Op.EXP: self.exp, Op.LOG: self.log, Op.EXPREL: self.exprel, Op.EXPREL_INV: self.exprel_inv,
            Op.SIN: self.sin, Op.COS: self.cos, Op.TANH: self.tanh, Op.NORMAL: self.normal_quantile,
        }

    def _const(self, value: float) -> int:
        return self.b.const(float(value))

    def _poly(self, x: int, coefficients: list[float]) -> int:
        """Horner's scheme, highest power first."""
        value = self._const(coefficients[0])
        for c in coefficients[1:]:
            value = self.b(Op.ADD, self.b(Op.MUL, value, x), self._const(c))
        return value

    def _reduce(self, x: int, scale: float, parts: tuple[float, ...]) -> tuple[int, int]:
        """k = nearest whole number to x scale, and x - k (sum of parts) with the parts taken one by one."""
        b = self.b
        k = b(Op.FLOOR, b(Op.ADD, b(Op.MUL, x, self._const(scale)), self._const(0.5)))
        rest = x
        for part in parts:
            rest = b(Op.SUB, rest, b(Op.MUL, k, self._const(part)))
        return k, rest

    def _clamped(self, x: int) -> int:
        b = self.b
        return b(Op.MIN, self._const(self.p.exp_high), b(Op.MAX, self._const(self.p.exp_low), x))

    def _exp_parts(self, x: int) -> tuple[int, int]:
        """2^k and exp(r) - 1 with exp(x) = 2^k exp(r), |r| <= ln(2)/2."""
        k, r = self._reduce(self._clamped(x), 1 / math.log(2), self.p.ln2)
        series = self._poly(r, [1 / math.factorial(n) for n in range(self.p.exp_terms, 0, -1)])
        return self.b(Op.SCALE2, self._const(1.0), k), self.b(Op.MUL, series, r)

    def exp(self, x: int) -> int:
        """0 below the range of normal numbers, infinity above it."""
        b = self.b
        power, q = self._exp_parts(x)
        value = b(Op.ADD, b(Op.MUL, power, q), power)
        value = b(Op.SELECT, b(Op.LT, x, self._const(self.p.exp_low)), self._const(0.0), value)
        return b(Op.SELECT, b(Op.LT, self._const(self.p.exp_high), x), self._const(math.inf), value)

    def _expm1(self, x: int) -> int:
        b = self.b
        power, q = self._exp_parts(x)
        return b(Op.ADD, b(Op.MUL, power, q), b(Op.SUB, power, self._const(1.0)))

    def exprel(self, x: int) -> int:
        b, one = self.b, self._const(1.0)
        return b(Op.SELECT, b(Op.EQ, x, self._const(0.0)), one, b(Op.DIV, self._expm1(x), x))

    def exprel_inv(self, x: int) -> int:
        """A single division where ``1/exprel(x)`` would take two."""
        b, one = self.b, self._const(1.0)
        return b(Op.SELECT, b(Op.EQ, x, self._const(0.0)), one, b(Op.DIV, x, self._expm1(x)))

    def tanh(self, x: int) -> int:
        b = self.b
        t = self._expm1(b(Op.MUL, b(Op.ABS, x), self._const(-2.0)))
        size = b(Op.NEG, b(Op.DIV, t, b(Op.ADD, t, self._const(2.0))))
        return b(Op.SELECT, b(Op.LT, x, self._const(0.0)), b(Op.NEG, size), size)

    def log(self, x: int) -> int:
        """-infinity at 0 and below the normal numbers, NaN for negative x."""
        b = self.b
        m, e = b(Op.MANTISSA, x), b(Op.EXPONENT, x)
        big = b(Op.LT, self._const(math.sqrt(2)), m)
        m = b(Op.SELECT, big, b(Op.MUL, m, self._const(0.5)), m)
        e = b(Op.SELECT, big, b(Op.ADD, e, self._const(1.0)), e)
        f = b(Op.SUB, m, self._const(1.0))
        s = b(Op.DIV, f, b(Op.ADD, f, self._const(2.0)))
        s2 = b(Op.MUL, s, s)
        tail = self._poly(s2, [2 / (2 * n + 1) for n in range(self.p.log_terms, 0, -1)])
        value = b(Op.ADD, b(Op.MUL, b(Op.MUL, tail, s2), s), b(Op.MUL, e, self._const(self.p.ln2[1])))
        value = b(Op.ADD, b(Op.ADD, value, b(Op.MUL, s, self._const(2.0))), b(Op.MUL, e, self._const(self.p.ln2[0])))
        value = b(Op.SELECT, b(Op.LT, x, self._const(self.p.tiny)), self._const(-math.inf), value)
        value = b(Op.SELECT, b(Op.LT, x, self._const(0.0)), self._const(math.nan), value)
        return b(Op.SELECT, b(Op.EQ, x, self._const(math.inf)), x, b(Op.SELECT, b(Op.EQ, x, x), value, x))

    def normal_quantile(self, u: int) -> int:
        """Inverse of the normal distribution function for 32-bit uniforms: PPND7 of Wichura (1988), AS 241."""
        b = self.b
        q = b(Op.SUB, u, self._const(0.5))
        middle = b(Op.SUB, self._const(0.180625), b(Op.MUL, q, q))
        centre = b(Op.MUL, q, self._ratio(middle, _CENTRE))
        edge = b(Op.MIN, u, b(Op.SUB, self._const(1.0), u))
        r = b(Op.SUB, b(Op.SQRT, b(Op.NEG, self.log(edge))), self._const(1.6))
        size = self._ratio(r, _TAIL)
        tail = b(Op.SELECT, b(Op.LT, q, self._const(0.0)), b(Op.NEG, size), size)
        return b(Op.SELECT, b(Op.LE, b(Op.ABS, q), self._const(0.425)), centre, tail)

    def _ratio(self, x: int, tables: tuple[list[float], list[float]]) -> int:
        return self.b(Op.DIV, self._poly(x, tables[0]), self._poly(x, tables[1]))

    def sin(self, x: int) -> int:
        return self._trig(x, 0.0)

    def cos(self, x: int) -> int:
        return self._trig(x, 1.0)

    def _trig(self, x: int, quarter: float) -> int:
        """sin(x + quarter pi/2); accurate while k pi/2 is: |x| up to about 1e4 in single, 1e8 in double precision."""
        b = self.b
        k, r = self._reduce(x, 2 / math.pi, self.p.half_pi)
        k = b(Op.ADD, k, self._const(quarter))
        r2 = b(Op.MUL, r, r)
        terms = range(self.p.trig_terms - 1, 0, -1)
        sine = self._poly(r2, [(-1) ** n / math.factorial(2 * n + 1) for n in terms])
        sine = b(Op.ADD, b(Op.MUL, b(Op.MUL, sine, r2), r), r)
        cosine = self._poly(r2, [(-1) ** n / math.factorial(2 * n) for n in range(self.p.trig_terms, -1, -1)])
        half = b(Op.MUL, k, self._const(0.5))
        odd = b(Op.LT, b(Op.FLOOR, half), half)
        value = b(Op.SELECT, odd, cosine, sine)
        fourth = b(Op.MUL, k, self._const(0.25))
        upper = b(Op.LE, self._const(0.5), b(Op.SUB, fourth, b(Op.FLOOR, fourth)))
        return b(Op.SELECT, upper, b(Op.NEG, value), value)


@cache
def function(op: Op, dtype: np.dtype | type) -> Program:
    """What `op` is made of, as a program from state ``x`` to state ``x``; of NORMAL the part after the uniform draw."""
    builder = Builder({"x": Type.REAL})
    x = builder(Op.STATE, data="x")
    builder(Op.STORE, _Math(builder, precision_of(dtype)).table[op](x), data="x")
    return builder.build()


def _apply(op: Op, x: np.ndarray | float) -> np.ndarray:
    from snnsim.ir.interpret import Environment, interpret

    env = Environment(np.float64, states={"x": np.asarray(x, dtype=np.float64)})
    return interpret(function(op, np.float64), env).stored["x"]


def exp(x: np.ndarray | float) -> np.ndarray:
    """exp of a float64 array, the same bits on every machine."""
    return _apply(Op.EXP, x)


def log(x: np.ndarray | float) -> np.ndarray:
    """Natural logarithm of a float64 array, the same bits on every machine."""
    return _apply(Op.LOG, x)
