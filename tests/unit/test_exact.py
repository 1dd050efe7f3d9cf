"""exp and friends made of exactly rounded operations."""

from __future__ import annotations

import numpy as np
import pytest

from snnsim.ir import exact
from snnsim.ir.interpret import Environment, interpret
from snnsim.ir.ops import TRANSCENDENTAL, Op

RANGES = {
    Op.EXP: (-80, 80, np.exp), Op.LOG: (1e-6, 1e6, np.log), Op.SIN: (-100, 100, np.sin), Op.COS: (-100, 100, np.cos),
    Op.TANH: (-5, 5, np.tanh), Op.EXPREL: (-30, 30, lambda x: np.expm1(x) / x),
    Op.EXPREL_INV: (-30, 30, lambda x: x / np.expm1(x)),
}


def apply(op: Op, x: np.ndarray) -> np.ndarray:
    """The lowered operation on an array, in the array's precision."""
    return interpret(exact.function(op, x.dtype.type), Environment(x.dtype.type, states={"x": x})).stored["x"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", RANGES, ids=lambda op: op.name)
def test_accuracy(op: Op, dtype: type) -> None:
    """Within 3 units in the last place of the true value (exp within 1.2)."""
    low, high, function = RANGES[op]
    x = np.random.default_rng(1).uniform(low, high, 50_000).astype(dtype)
    true = function(x.astype(np.longdouble))
    error = np.abs(apply(op, x) - true) / np.spacing(np.abs(true).astype(dtype))
    assert error.max() < (1.2 if op is Op.EXP else 3.0)


def test_every_transcendental_operation_is_covered() -> None:
    """No operation is left without a check of its accuracy; NORMAL has one of its own."""
    assert set(RANGES) | {Op.NORMAL} == TRANSCENDENTAL


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges(dtype: type) -> None:
    """Zeros, infinities and NaN give what IEEE 754 recommends."""
    x = np.array([0, -np.inf, np.inf, np.nan], dtype)
    assert np.array_equal(apply(Op.EXP, x), np.array([1, 0, np.inf, np.nan], dtype), equal_nan=True)
    x = np.array([0, 1, -1, np.inf, np.nan], dtype)
    assert np.array_equal(apply(Op.LOG, x), np.array([-np.inf, 0, np.nan, np.inf, np.nan], dtype), equal_nan=True)
    assert apply(Op.EXPREL, np.zeros(1, dtype))[0] == 1 == apply(Op.EXPREL_INV, np.zeros(1, dtype))[0]


def test_known_bits() -> None:
    """The bits are the same on every machine: these are fixed for good."""
    assert float(exact.exp(1.0)).hex() == "0x1.5bf0a8b14576ap+1"  # one unit in the last place above e
    assert [float(x).hex() for x in exact.log(np.array([2.0, 10.0]))] == ["0x1.62e42fefa39efp-1", "0x1.26bb1bbb55516p+1"]


def test_normal_numbers() -> None:
    """The inverse normal distribution function, to 7 digits of AS 241's fast form."""
    from statistics import NormalDist

    u = (np.arange(999) + 0.5) / 999
    true = np.array([NormalDist().inv_cdf(p) for p in u])
    assert np.abs(apply(Op.NORMAL, u) - true).max() < 1e-6
