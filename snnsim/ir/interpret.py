"""The meaning of the operation list: a slow interpreter over NumPy arrays, one entry per unit.

Every backend is compared with it, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snnsim.ir.ops import Op, Program, Type


@dataclass
class Environment:
    """What the leaves of a program stand for, each a scalar or an array over the units.

    dtype: float32 or float64, the precision of reals.
    params: bound parameters, cast to `dtype` (PARAM) or to int64 (WHOLE) when read.
    arrivals: port -> sum of weights in quanta, int64.
    random: (op, data) -> array of draws for this step.
    """

    dtype: Any
    params: Mapping[str, Any] = field(default_factory=dict)
    states: Mapping[str, np.ndarray] = field(default_factory=dict)
    arrivals: Mapping[str, np.ndarray] = field(default_factory=dict)
    drives: Mapping[str, Any] = field(default_factory=dict)
    random: Callable[[Op, Any], np.ndarray] | None = None


@dataclass
class Effects:
    """What a program did: states after the step, spike counts, payloads of spikes, graded outputs."""

    stored: dict[str, np.ndarray] = field(default_factory=dict)
    emitted: dict[str, np.ndarray] = field(default_factory=dict)
    sent: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)


def _layout(x: Any) -> tuple[Any, Any, Any]:
    """Bits of the fraction, bias of the exponent, and the type of whole numbers of that width."""
    if x.dtype == np.float32:
        return np.int32(23), np.int32(127), np.int32
    return np.int64(52), np.int64(1023), np.int64


def _scale2(x: Any, k: Any) -> Any:
    """x 2^k through the exponent bits: exact while 2^k is a normal number."""
    bits, bias, whole = _layout(x)
    return x * ((np.asarray(k).astype(whole) + bias) << bits).view(x.dtype)


def _exponent(x: Any) -> Any:
    bits, bias, whole = _layout(x)
    return ((np.asarray(x).view(whole) >> bits) - bias).astype(x.dtype)


def _mantissa(x: Any) -> Any:
    bits, bias, whole = _layout(x)
    fraction = np.asarray(x).view(whole) & ((whole(1) << bits) - whole(1))
    return (fraction | (bias << bits)).view(x.dtype)


def _shl(x: Any, k: Any) -> Any:
    return np.left_shift(x, k) if x.dtype.kind == "i" else np.ldexp(x, np.asarray(k).astype(np.int32))


def _shr(x: Any, k: Any) -> Any:
    return np.right_shift(x, k) if x.dtype.kind == "i" else np.floor(np.ldexp(x, -np.asarray(k).astype(np.int32)))


MEANING: dict[Op, Callable[..., Any]] = {
    Op.ADD: np.add, Op.SUB: np.subtract, Op.MUL: np.multiply, Op.DIV: np.divide, Op.NEG: np.negative, Op.ABS: np.abs,
    Op.MIN: lambda a, b: np.where(a < b, a, b), Op.MAX: lambda a, b: np.where(a > b, a, b),
    Op.SQRT: np.sqrt, Op.FLOOR: np.floor, Op.TRUNC: np.trunc,
    Op.SHL: _shl, Op.SHR: _shr, Op.LT: np.less, Op.LE: np.less_equal, Op.EQ: np.equal,
    Op.AND: np.logical_and, Op.OR: np.logical_or, Op.NOT: np.logical_not, Op.SELECT: np.where,
    Op.SCALE2: _scale2, Op.EXPONENT: _exponent, Op.MANTISSA: _mantissa,
    Op.EXP: np.exp, Op.LOG: np.log, Op.SIN: np.sin, Op.COS: np.cos, Op.TANH: np.tanh,
    Op.EXPREL: lambda x: np.where(x == 0, x.dtype.type(1), np.expm1(x) / x),
    Op.EXPREL_INV: lambda x: np.where(x == 0, x.dtype.type(1), x / np.expm1(x)),
}


def interpret(program: Program, env: Environment) -> Effects:
    """Run one step for all units at once; the arrays of `env` are not changed.

    Transcendental operations have NumPy's meaning here: ``exact.lower`` the program first for portable bits.
    """
    values: list[Any] = []
    done = Effects()
    with np.errstate(all="ignore"):
        for _, instr in program:
            values.append(_evaluate(instr.op, [values[a] for a in instr.args], instr.data, program, env, done))
    return done


def _evaluate(op: Op, args: list[Any], data: Any, program: Program, env: Environment, done: Effects) -> Any:
    if op in MEANING:
        return MEANING[op](*args)
    if op in _CONVERSIONS:
        return _CONVERSIONS[op](args[0], env)
    if op in _LEAVES:
        return _LEAVES[op](data, program, env)
    effects = {Op.STORE: done.stored, Op.EMIT: done.emitted, Op.SEND: done.sent, Op.OUTPUT: done.outputs}[op]
    effects[data] = args[0]
    return None


def _constant(data: Any, program: Program, env: Environment) -> Any:
    return np.asarray(data, dtype={bool: np.bool_, int: np.int64, float: env.dtype}[type(data)])[()]


def _state(data: str, program: Program, env: Environment) -> Any:
    return np.asarray(env.states[data], dtype=env.dtype if program.states[data] is Type.REAL else np.int64)


def _draw(op: Op) -> Callable[..., Any]:
    def draw(data: Any, program: Program, env: Environment) -> Any:
        if env.random is None:
            raise ValueError("the program draws random numbers, but the environment has none")
        drawn = env.random(op, data)
        return drawn if op is Op.POISSON else drawn.astype(env.dtype)

    return draw


_LEAVES: dict[Op, Callable[..., Any]] = {
    Op.CONST: _constant,
    Op.PARAM: lambda data, program, env: np.asarray(env.params[data], dtype=env.dtype)[()],
    Op.WHOLE: lambda data, program, env: np.asarray(env.params[data], dtype=np.int64)[()],
    Op.STATE: _state,
    Op.ARRIVAL: lambda data, program, env: np.asarray(env.arrivals[data], dtype=np.int64),
    Op.DRIVE: lambda data, program, env: np.asarray(env.drives[data], dtype=env.dtype)[()],
    Op.POISSON: _draw(Op.POISSON), Op.UNIFORM: _draw(Op.UNIFORM), Op.NORMAL: _draw(Op.NORMAL),
}
_CONVERSIONS: dict[Op, Callable[..., Any]] = {
    Op.TO_REAL: lambda x, env: np.asarray(x).astype(env.dtype),
    Op.TO_INT: lambda x, env: np.floor(x, dtype=np.float64).astype(np.int64),
}
