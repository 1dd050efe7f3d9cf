"""Values: constants, distributions, expressions and arrays."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pint
import pytest

from snnsim.distributions import Array, value_from_spec
from snnsim.distributions.expression import UNIT_NAMES
from snnsim.random import Stream
from snnsim.units import CURRENT, DIMENSIONLESS, TIME, VOLTAGE, Quantity

STREAM = Stream(11, "values")
COUNT = 200_000
SPECS: list[Any] = [
    "0.1 mV", {"uniform": ["-70 mV", "-50 mV"]}, {"normal": {"mean": "1.5 mV", "sd": "0.5 mV"}},
    {"normal": {"mean": "1.5 mV", "sd": "0.5 mV", "low": "0.1 mV"}},
    {"normal": {"mean": "0 mV", "sd": "1 mV", "low": "6 mV"}},
    {"normal": {"mean": "0 mV", "sd": "1 mV", "high": "-6 mV"}},
    {"normal": {"mean": "2 mV", "sd": "0 mV"}}, {"lognormal": {"mean": "-2 mV", "sd": "1 mV"}},
    {"lognormal": {"mu": 0.5, "sigma": 0.25, "unit": "mV"}}, {"exponential": {"mean": "2 mV"}},
    {"discrete": {"values": ["1 mV", "2 mV", "5 mV"], "p": [0.5, 0.25, 0.25]}},
    {"discrete": {"values": ["1 mV", "3 mV"]}},
    ["1 mV", "2 mV", "-3 mV"],
]


def draw(spec: Any, index: Any = (0, COUNT), **options: Any) -> np.ndarray:
    return value_from_spec(spec, VOLTAGE, **options).draw(STREAM, index)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_number_depends_on_its_index_only(spec: Any) -> None:
    """Ranges and arrays of indices, in any order, give the same numbers."""
    value = value_from_spec(spec, VOLTAGE)
    count = value.size or 1000
    everything = value.draw(STREAM, (0, count))
    order = np.random.default_rng(2).permutation(count).astype(np.uint64)
    assert np.array_equal(everything[order], value.draw(STREAM, order))
    assert np.array_equal(everything[1:], value.draw(STREAM, (1, count - 1)))


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_bounds_hold(spec: Any) -> None:
    """No number is outside [low, high]."""
    value = value_from_spec(spec, VOLTAGE)
    numbers = value.draw(STREAM, (0, value.size or COUNT))
    assert value.low <= numbers.min()
    assert numbers.max() <= value.high


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_canonical_form_gives_the_same_numbers(spec: Any) -> None:
    """What ``to_spec`` writes is read back as the same value."""
    value = value_from_spec(spec, VOLTAGE)
    again = value_from_spec(value.to_spec(), VOLTAGE)
    assert value == again
    count = value.size or 100
    assert np.array_equal(value.draw(STREAM, (0, count)), again.draw(STREAM, (0, count)))


def test_constants() -> None:
    """A quantity is one number; steps count in dt; a pint quantity and a bare number where there is no unit do too."""
    assert value_from_spec("0.2 V", VOLTAGE).constant == 200.0
    assert value_from_spec("3 step", TIME, dt=0.1).constant == pytest.approx(0.3)
    assert value_from_spec(2, DIMENSIONLESS).constant == 2.0
    assert value_from_spec(pint.UnitRegistry().Quantity(2, "nA"), CURRENT).constant == 2000.0
    assert value_from_spec({"uniform": ["1 mV", "1 mV"]}, VOLTAGE).constant is None


def test_canonical_forms_are_short() -> None:
    """Constants are written with the unit of their dimension, distributions as they are given."""
    assert value_from_spec("0.02 s", TIME).to_spec() == "20 ms"
    assert value_from_spec(2, DIMENSIONLESS).to_spec() == 2.0
    spec = {"normal": {"mean": "1.5 ms", "sd": "0.5 ms", "low": "0.1 ms"}}
    assert value_from_spec(spec, TIME).to_spec() == spec


def test_means_and_spreads() -> None:
    """Each distribution has the mean and standard deviation of its definition."""
    truncated = draw(SPECS[3])
    a = (0.1 - 1.5) / 0.5
    density, rest = NormalDist().pdf(a), 1 - NormalDist().cdf(a)
    for numbers, mean, sd in [
        (draw(SPECS[1]), -60, 20 / math.sqrt(12)), (draw(SPECS[2]), 1.5, 0.5), (draw(SPECS[7]), -2, 1),
        (truncated, 1.5 + 0.5 * density / rest, 0.5 * math.sqrt(1 + a * density / rest - (density / rest) ** 2)),
        (draw(SPECS[8]), math.exp(0.5 + 0.25**2 / 2), math.exp(0.5 + 0.25**2 / 2) * math.sqrt(math.expm1(0.25**2))),
        (draw(SPECS[9]), 2, 2), (draw(SPECS[10]), 2.25, math.sqrt(0.5 + 1 + 6.25 - 2.25**2)), (draw(SPECS[11]), 2, 1),
    ]:
        assert numbers.mean() == pytest.approx(mean, abs=5 * sd / math.sqrt(COUNT))
        assert numbers.std() == pytest.approx(sd, rel=0.02)


def test_far_tails_are_drawn_from_the_right_side() -> None:
    """A truncation six standard deviations out keeps the shape of the tail, above as below."""
    above, below = draw(SPECS[4]), draw(SPECS[5])
    mean = NormalDist().pdf(6) / (0.5 * math.erfc(6 / math.sqrt(2)))
    assert above.min() >= 6
    assert below.max() <= -6
    assert above.mean() == pytest.approx(mean, rel=0.001)
    assert below.mean() == pytest.approx(-mean, rel=0.001)


def test_arrays() -> None:
    """Lists of quantities, NumPy arrays, quantities of arrays: one number for each index."""
    units: Any = pint.UnitRegistry()
    specs: list[Any] = [["1 mV", "2 mV"], Quantity(np.array([1.0, 2.0]), VOLTAGE), units.Quantity([0.001, 0.002], "V")]
    for spec in specs:
        value = value_from_spec(spec, VOLTAGE)
        assert isinstance(value, Array)
        assert value.size == 2
        assert value.constant is None
        np.testing.assert_allclose(value.draw(STREAM, (0, 2)), [1, 2])
    assert value_from_spec(np.arange(3), DIMENSIONLESS).draw(STREAM, np.array([2, 0], np.uint64)).tolist() == [2, 0]
    assert value_from_spec(np.zeros(0), DIMENSIONLESS).draw(STREAM, (0, 0)).size == 0


def test_array_from_a_file(tmp_path: Path) -> None:
    """A file relative to the folder of the config; its unit may be steps."""
    np.savez(tmp_path / "net.npz", weight=[1.0, 2.0], delay=[3, 4])
    spec = {"file": "net.npz", "key": "weight", "unit": "V"}
    value = value_from_spec(spec, VOLTAGE, tmp_path)
    assert value.draw(STREAM, (0, 2)).tolist() == [1000, 2000]
    assert value.to_spec() == spec
    delay = value_from_spec({"file": "net.npz", "key": "delay", "unit": "step"}, TIME, tmp_path, 0.5)
    assert delay.draw(STREAM, (0, 2)).tolist() == [1.5, 2]


def test_expressions() -> None:
    """An expression reads the index, the number of units, dt, parameters, and draws of its own."""
    names = {"v_rest": VOLTAGE, "v_th": VOLTAGE, **UNIT_NAMES}
    ramp = value_from_spec({"expression": "v_rest + (v_th - v_rest)*i/n"}, VOLTAGE, names=names)
    given = ramp.given({"v_rest": -70.0, "v_th": np.array([-50.0, -60.0])}, 2)
    assert given.draw(STREAM, (0, 2)).tolist() == [-70, -65]
    assert given.draw(STREAM, np.array([1], np.uint64)).tolist() == [-65]
    assert ramp.to_spec() == {"expression": "v_rest + (v_th - v_rest)*i/n"}
    assert (ramp.low, ramp.high) == (-math.inf, math.inf)
    noisy = value_from_spec({"expression": "uniform()*mV + 2 mV*normal()"}, VOLTAGE, names={}).given({}, COUNT)
    numbers = noisy.draw(STREAM, (0, COUNT))
    assert numbers.var() == pytest.approx(4 + 1 / 12, rel=0.02)
    assert numbers.mean() == pytest.approx(0.5, abs=0.03)
    assert value_from_spec({"expression": "2*dt"}, TIME, dt=0.5, names={}).draw(STREAM, (0, 1)).tolist() == [1]


def test_sizes() -> None:
    """An array must have a number for each thing; other values have one for any."""
    value_from_spec("1 mV", VOLTAGE).check_size(7, "units")
    value_from_spec(["1 mV"], VOLTAGE).check_size(1, "units")
