"""The full text of every message about a value."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnsim.distributions import value_from_spec
from snnsim.distributions.expression import UNIT_NAMES
from snnsim.errors import InputError
from snnsim.random import Stream
from snnsim.units import DIMENSIONLESS, TIME, VOLTAGE

CASES: list[tuple[Any, str]] = [
    ("20 ms", "wrong unit: expected a voltage (mV), found 20 ms (a time (ms))"),
    (20, "missing unit: expected a voltage (mV), found the bare number 20"),
    (math.inf, "expected a finite number, found inf"),
    (None, "expected a quantity such as '20 ms', found None"),
    ({}, "expected one distribution such as {uniform: [a, b]}, found an empty mapping"),
    ({"uniform": [], "normal": {}}, "expected one distribution such as {uniform: [a, b]}, found uniform, normal"),
    ({"gauss": {}}, "unknown distribution 'gauss'; expected one of: discrete, exponential, expression, file, "
                    "lognormal, normal, uniform"),
    ({"unifrom": []}, "unknown distribution 'unifrom'; expected one of: discrete, exponential, expression, file, "
                      "lognormal, normal, uniform (did you mean uniform?)"),
    ({"uniform": "1 mV"}, "uniform: expected two bounds [a, b], found '1 mV'"),
    ({"uniform": ["1 mV", "1 ms"]},
     "uniform.1: wrong unit: expected a voltage (mV), found 1 ms (a time (ms))"),
    ({"uniform": ["2 mV", "1 mV"]}, "uniform: the bounds are in the wrong order: 2 mV is above 1 mV"),
    ({"normal": 3}, "normal: expected a mapping with mean, sd, found 3"),
    ({"normal": {"mean": "1 mV", "std": "1 mV"}},
     "normal: unknown key 'std'; expected one of: high, low, mean, sd (did you mean sd?)\nnormal.sd: missing"),
    ({"normal": {"mean": "1 ms", "sd": 1}},
     "normal.mean: wrong unit: expected a voltage (mV), found 1 ms (a time (ms))\n"
     "normal.sd: missing unit: expected a voltage (mV), found the bare number 1"),
    ({"normal": {"mean": "1 mV", "sd": "-1 mV"}}, "normal.sd: expected a quantity >= 0, found -1 mV"),
    ({"normal": {"mean": "1 mV", "sd": "1 mV", "low": "3 mV", "high": "2 mV"}},
     "normal: no number lies between low 3 mV and high 2 mV"),
    ({"normal": {"mean": "1 mV", "sd": "1 mV", "low": "99 mV"}},
     "normal: no number lies between low 99 mV and high inf"),
    ({"normal": {"mean": "1 mV", "sd": "0 mV", "high": "0 mV"}},
     "normal: no number lies between low -inf and high 0 mV"),
    ({"lognormal": {"mean": "0 mV", "sd": "1 mV"}}, "lognormal.mean: expected a quantity other than 0, found 0 mV"),
    ({"lognormal": {"mean": "1 mV", "sd": "-1 mV"}}, "lognormal.sd: expected a quantity >= 0, found -1 mV"),
    ({"lognormal": {"mu": 0, "sigma": -1, "unit": "mV"}}, "lognormal.sigma: expected a number >= 0, found -1"),
    ({"lognormal": {"mu": 0, "sigma": 1}},
     "lognormal: missing unit: expected a voltage (mV), found the bare number 1"),
    ({"lognormal": {"mu": 0, "sigma": 1, "unit": "pA"}},
     "lognormal: wrong unit: expected a voltage (mV), found 1 pA (a current (pA))"),
    ({"exponential": {}}, "exponential.mean: missing"),
    ({"discrete": {"values": []}}, "discrete.values: expected at least one value, found none"),
    ({"discrete": {"values": "1 mV"}}, "discrete.values: expected a list of quantities, found '1 mV'"),
    ({"discrete": {"values": ["1 mV"], "p": [0.5, 0.5]}},
     "discrete.p: expected 1 probabilities, one for each value, found 2"),
    ({"discrete": {"values": ["1 mV", "2 mV"], "p": [0.5, 0.4]}},
     "discrete.p: expected probabilities >= 0 with sum 1, found sum 0.9"),
    ({"expression": "i*mV"},
     "an expression is not possible here, only for parameters and initial values of a population and for weights and "
     "delays of a projection"),
    (["1 mV", "2 ms", 3],
     "1: wrong unit: expected a voltage (mV), found 2 ms (a time (ms))\n"
     "2: missing unit: expected a voltage (mV), found the bare number 3"),
    (np.arange(3), "missing unit: expected a voltage (mV), found the bare number 0.0"),
    ({"file": "values.npy"}, "missing unit: expected a voltage (mV), found the bare number 1"),
    ({"file": "square.npy", "unit": "mV"}, "expected a list of numbers, found an array of 2 dimensions"),
]


@pytest.mark.parametrize(("spec", "message"), CASES, ids=[str(spec) for spec, _ in CASES])
def test_wrong_values(spec: Any, message: str, tmp_path: Path) -> None:
    """Every fault is named with its place, what was expected and what was found."""
    np.save(tmp_path / "values.npy", np.arange(3))
    np.save(tmp_path / "square.npy", np.ones((2, 2)))
    with pytest.raises(InputError) as caught:
        value_from_spec(spec, VOLTAGE, tmp_path, 0.1)
    assert str(caught.value) == message


EXPRESSIONS = [
    ("v_r +", "expression: not an expression: 'v_r +'"),
    ("1 ms", "expression: expected a voltage (mV), found a time (ms): 1 ms"),
    ("v_r", "expression: unknown name 'v_r'; expected one of: dt, i, n, v_rest (did you mean v_rest?)"),
    ("poisson(2)*mV", "expression: poisson(...) is not possible here; uniform() and normal() are"),
    (["i"], "expected an expression, found ['i']"),
]


@pytest.mark.parametrize(("text", "message"), EXPRESSIONS, ids=[str(text) for text, _ in EXPRESSIONS])
def test_wrong_expressions(text: Any, message: str) -> None:
    """An expression is parsed at once, and must have the dimension of the value."""
    with pytest.raises(InputError) as caught:
        value_from_spec({"expression": text}, VOLTAGE, names={"v_rest": VOLTAGE, **UNIT_NAMES})
    assert str(caught.value) == message


def test_expressions_that_cannot_be_computed() -> None:
    """What is not finite, or reads what was not given, is refused with its text."""
    with pytest.raises(InputError) as caught:
        value_from_spec({"expression": "1 mV/(i - 1)"}, VOLTAGE, names=UNIT_NAMES).draw(Stream(1, "x"), (0, 3))
    assert str(caught.value) == "expression: is inf for number 1: 1 mV/(i - 1)"
    with pytest.raises(InputError) as caught:
        value_from_spec({"expression": "n*mV"}, VOLTAGE, names=UNIT_NAMES).draw(Stream(1, "x"), (0, 3))
    assert str(caught.value) == "expression: n cannot be read here: n*mV"


def test_steps_are_times_only() -> None:
    """The unit `step` needs a time and a known dt."""
    with pytest.raises(InputError) as caught:
        value_from_spec("3 step", VOLTAGE, None, 0.1)
    assert str(caught.value) == "unknown unit 'step'"
    with pytest.raises(InputError) as caught:
        value_from_spec("3 step", TIME)
    assert str(caught.value) == "unknown unit 'step'"


def test_wrong_sizes() -> None:
    """An array with too few numbers is refused, before and while it is used."""
    value = value_from_spec([1, 2], DIMENSIONLESS)
    with pytest.raises(InputError) as caught:
        value.check_size(3, "units")
    assert str(caught.value) == "expected 3 values, one for each of the units, found 2"
    for index in ((1, 2), np.array([2], np.uint64)):
        with pytest.raises(InputError) as caught:
            value.draw(Stream(1, "x"), index)
        assert str(caught.value) == "value number 2 was asked for, but there are 2"


def test_numbers_that_are_not_finite() -> None:
    """NaN in an array is refused."""
    with pytest.raises(InputError) as caught:
        value_from_spec(np.array([1, np.nan]), DIMENSIONLESS)
    assert str(caught.value) == "expected finite numbers, found nan"
