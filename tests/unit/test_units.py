"""Units: read without loading anything large, and written so that they read back."""

from __future__ import annotations

import itertools
import subprocess
import sys
from fractions import Fraction

import pytest

from snnsim import units
from snnsim.units import CURRENT, DIMENSIONLESS, RATE, TIME, VOLTAGE, Dimension, parse, to_text, unit

READ = {
    "mV/ms": (VOLTAGE / TIME, 1.0), "1/ms": (RATE, 1.0), "/s": (RATE, 0.001), "nS/ms": (CURRENT / VOLTAGE / TIME, 1.0),
    "pA/ms": (CURRENT / TIME, 1.0), "1/ms/mV": (RATE / VOLTAGE, 1.0), "mV ms^-1": (VOLTAGE / TIME, 1.0),
    "uS/s**2": (CURRENT / VOLTAGE / TIME**2, 1e-3), "V * nA / kHz": (VOLTAGE * CURRENT * TIME, 1e6),
    "mV/ms*pA": (VOLTAGE * CURRENT / TIME, 1.0), "ms^(1/2)": (TIME ** Fraction(1, 2), 1.0), "Mohm*nF": (TIME, 1.0),
}


@pytest.mark.parametrize("text", READ)
def test_products_quotients_and_powers(text: str) -> None:
    """Factors are read from left to right, as pint reads them."""
    dimension, size = READ[text]
    assert (dimension, size) == (unit(text).dimension, float(unit(text).size))


def test_common_units_are_those_of_pint() -> None:
    """Every prefix with every unit has the size and dimension that pint gives it."""
    registry = units._registry()
    for name, known in units._COMMON.items():
        if name:
            expected = units._from_pint(registry.Quantity(1, registry.parse_units(name)))
            assert expected.dimension == known.dimension
            assert float(known.size) == pytest.approx(float(expected.size), rel=1e-12)


@pytest.mark.parametrize(("text", "dimension", "size"), [
    ("1/minute/mV", RATE / VOLTAGE, 1 / 60000), ("1/(ms*mV)", RATE / VOLTAGE, 1.0), ("\u00b5V", VOLTAGE, 1e-3),
])
def test_the_rest_is_left_to_pint(text: str, dimension: Dimension, size: float) -> None:
    """Other names, brackets and signs are read, too; a leading 1/ divides by the next factor alone."""
    assert dimension == unit(text).dimension
    assert float(unit(text).size) == pytest.approx(size, rel=1e-12)


def test_every_dimension_is_written_so_that_it_reads_back() -> None:
    """``parse(to_text(x, d))`` is x with dimension d, fractional powers included."""
    powers = [Fraction(p) for p in (-2, -1, "-1/2", 0, "1/2", 1)]
    for exponents in itertools.product(powers, repeat=4):
        for rest in ((0, 0), (1, -1)):
            dimension = Dimension(*exponents, *(Fraction(p) for p in rest))
            read = parse(to_text(0.3, dimension))
            assert dimension == read.dimension
            assert read.value == pytest.approx(0.3, rel=1e-15)
    assert to_text(1.0, RATE / TIME) == "1 1/ms^2"
    assert parse(to_text(2.0, DIMENSIONLESS)) == (2.0, DIMENSIONLESS)


def test_pint_is_loaded_for_unusual_units_alone() -> None:
    """Reading the built-in models and common units does not load pint."""
    code = ("import sys; from snnsim.models import builtin, builtin_names; from snnsim.units import unit\n"
            "[builtin(n).program() for n in builtin_names()]; [unit(u) for u in ('mV/ms', '1/ms', 'nS/ms', 'pA/ms')]\n"
            "assert 'pint' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)
