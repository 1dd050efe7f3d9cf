"""Quantities with units, in one coherent system: ms, mV, pA, um, K, mol.

In that system pF = pA ms/mV and nS = pA/mV, so equations hold for the bare numbers without any factor. Numbers are
converted in decimal arithmetic: ``0.3 s`` is exactly ``300.0``. Powers, products and quotients of common units are read
here; pint is loaded for the others.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from snnsim.errors import InputError, did_you_mean


class Dimension(NamedTuple):
    """Exponents of time, voltage, current, length, temperature and substance."""

    time: Fraction = Fraction(0)
    voltage: Fraction = Fraction(0)
    current: Fraction = Fraction(0)
    length: Fraction = Fraction(0)
    temperature: Fraction = Fraction(0)
    substance: Fraction = Fraction(0)

    def __mul__(self, other: Dimension) -> Dimension:  # type: ignore[override]
        return Dimension(*(a + b for a, b in zip(self, other, strict=True)))

    def __truediv__(self, other: Dimension) -> Dimension:
        return Dimension(*(a - b for a, b in zip(self, other, strict=True)))

    def __pow__(self, power: int | Fraction) -> Dimension:
        return Dimension(*(a * Fraction(power) for a in self))

    def __str__(self) -> str:
        return unit_name(self) or "1"


DIMENSIONLESS = Dimension()
TIME = Dimension(time=Fraction(1))
VOLTAGE = Dimension(voltage=Fraction(1))
CURRENT = Dimension(current=Fraction(1))
LENGTH = Dimension(length=Fraction(1))
RATE = DIMENSIONLESS / TIME

# The unit each dimension is written in, and its size in the coherent system.
_WRITTEN = {
    TIME: ("ms", "1"), VOLTAGE: ("mV", "1"), CURRENT: ("pA", "1"), LENGTH: ("um", "1"), RATE: ("Hz", "0.001"),
    CURRENT * TIME / VOLTAGE: ("pF", "1"), CURRENT / VOLTAGE: ("nS", "1"), VOLTAGE / CURRENT: ("Gohm", "1"),
    CURRENT * TIME: ("fC", "1"), VOLTAGE / TIME: ("mV/ms", "1"), DIMENSIONLESS: ("", "1"),
}
_BASES = ("ms", "mV", "pA", "um", "K", "mol")
_NUMBER = r"[+-]?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER}|[+-]?inf)\s*(.*?)\s*", re.DOTALL)
_UNIT_TEXT = re.compile(r"[A-Za-zµμΩ%°][\w µμΩ%°*/^().+-]*|1?\s*/[\w µμΩ*/^().+-]+")


class Quantity(NamedTuple):
    """A number or array in the coherent system, with its dimension."""

    value: Any
    dimension: Dimension

    def __str__(self) -> str:
        return to_text(self.value, self.dimension)


class Unit(NamedTuple):
    """A unit: its dimension, and its size in the coherent system as an exact decimal."""

    dimension: Dimension
    size: Decimal


@lru_cache(maxsize=1)
def _registry() -> Any:
    import pint

    return pint.UnitRegistry()


# Powers of ten of the prefixes, and of the units without one in the coherent system.
_PREFIXES = {"f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9}
_SI = {
    "s": (TIME, 3), "V": (VOLTAGE, 3), "A": (CURRENT, 12), "m": (LENGTH, 6), "Hz": (RATE, -3),
    "S": (CURRENT / VOLTAGE, 9), "ohm": (VOLTAGE / CURRENT, -9), "F": (CURRENT * TIME / VOLTAGE, 12),
    "C": (CURRENT * TIME, 15),
}
# Units that are known without loading pint, with their products, quotients and powers.
_COMMON = {
    prefix + name: Unit(dimension, Decimal(1).scaleb(own + power))
    for prefix, own in _PREFIXES.items() for name, (dimension, power) in _SI.items()
} | {
    "": Unit(DIMENSIONLESS, Decimal(1)), "cm": Unit(LENGTH, Decimal(10000)),
    "K": Unit(Dimension(temperature=Fraction(1)), Decimal(1)),
    "mol": Unit(Dimension(substance=Fraction(1)), Decimal(1)),
}
_USUAL = ("s", "ms", "us", "ns", "V", "mV", "uV", "A", "nA", "pA", "uA", "pF", "nF", "nS", "uS", "Hz", "kHz", "um",
          "mm")
_POWER = r"-?\d{1,2}|\(-?\d{1,2}/\d\)"
_FACTOR = re.compile(rf"(^1?\s*/\s*|\s*[/*]\s*|\s+|^)([A-Za-z]+)(?:\s*(?:\^|\*\*)\s*({_POWER}))?")


@lru_cache(maxsize=4096)
def unit(text: str) -> Unit:
    """The unit written as `text` (``"mV"``, ``"nS/ms"``, ``"1/ms"``); "" is dimensionless.

    Raises ``InputError`` where pint does not know it.
    """
    if text in _COMMON:
        return _COMMON[text]
    if len(text) > 60 or not _UNIT_TEXT.fullmatch(text):
        raise InputError(f"expected a unit, found {text!r}")
    if (known := _product(text)) is not None:
        return known
    try:
        return _from_pint(_registry().Quantity(1, _registry().parse_units(_one_over(text))))
    except InputError:
        raise
    except Exception as error:  # pint raises many kinds for bad unit text
        raise InputError(f"unknown unit {text!r}{did_you_mean(text, _USUAL)}") from error


def _product(text: str) -> Unit | None:
    """A product of powers of common units, read from left to right; None for anything else."""
    found, at = Unit(DIMENSIONLESS, Decimal(1)), 0
    while at < len(text):
        match = _FACTOR.match(text, at)
        if match is None or match[2] not in _COMMON:
            return None
        base, power = _COMMON[match[2]], Fraction((match[3] or "1").strip("()"))
        if power.denominator > 1 and base.size != 1:
            return None
        power = -power if "/" in match[1] else power
        found, at = Unit(found.dimension * base.dimension**power, found.size * base.size ** int(power)), match.end()
    return found


def _one_over(text: str) -> str:
    return re.sub(r"^1?\s*/", "dimensionless/", text)


def _from_pint(quantity: Any) -> Unit:
    """A pint quantity in our terms: kg = pA mV ms um^-2 ms^2 1e12, the SI dimensions counted out."""
    dims = {str(name): Fraction(power).limit_denominator(1000) for name, power in quantity.dimensionality.items()}
    mass, ampere = dims.pop("[mass]", Fraction(0)), dims.pop("[current]", Fraction(0))
    metre, second = dims.pop("[length]", Fraction(0)), dims.pop("[time]", Fraction(0))
    kelvin, mole = dims.pop("[temperature]", Fraction(0)), dims.pop("[substance]", Fraction(0))
    if dims:
        raise InputError(f"unit {quantity.units} is of a kind that equations of neurons do not use")
    if type(quantity)(0, quantity.units).to_base_units().magnitude != 0:
        raise InputError(f"unit {quantity.units} does not begin at zero; write a temperature in K")
    # kg = V A s^3 m^-2
    dimension = Dimension(second + 3 * mass, mass, ampere + mass, metre - 2 * mass, kelvin, mole)
    si = Decimal(f"{quantity.to_base_units().magnitude:.15g}")
    size = si * Decimal(10) ** int_or_fail(
        3 * dimension.time + 3 * dimension.voltage + 12 * dimension.current + 6 * dimension.length
    )
    return Unit(dimension, size)


def int_or_fail(exponent: Fraction) -> int:
    """A power of ten that must be whole."""
    if exponent.denominator != 1:
        raise InputError("fractional powers of prefixed units are not supported")
    return int(exponent)


def parse(text: Any) -> Quantity:
    """A quantity from text (``"20 ms"``), a bare number, or a pint quantity.

    Raises ``InputError`` for anything else.
    """
    if isinstance(text, Quantity):
        return text
    if isinstance(text, bool):
        raise InputError(f"expected a quantity, found {str(text).lower()}")
    if isinstance(text, (int, float, np.integer, np.floating)):
        return Quantity(float(text), DIMENSIONLESS)
    if hasattr(text, "dimensionality") and hasattr(text, "to_base_units"):
        found = _from_pint(1 * text.units)
        return Quantity(np.asarray(text.magnitude, dtype=float)[()] * float(found.size), found.dimension)
    if not isinstance(text, str):
        raise InputError(f"expected a quantity such as '20 ms', found {text!r}")
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise InputError(f"expected a number with a unit such as '20 ms', found {text!r}")
    number, name = match.groups()
    found = unit(name)
    return Quantity(float(Decimal(number.replace("_", "")) * found.size), found.dimension)


def expect(text: Any, dimension: Dimension) -> float:
    """The value of `text` in the coherent system; ``InputError`` unless it has `dimension`.

    A bare number is accepted only where the dimension is 1 (or the number is infinite).
    """
    quantity = parse(text)
    if quantity.dimension == dimension:
        return quantity.value
    if quantity.dimension == DIMENSIONLESS and not isinstance(text, Quantity):
        if isinstance(quantity.value, float) and np.isinf(quantity.value):
            return quantity.value
        raise InputError(f"missing unit: expected {describe(dimension)}, found the bare number {text}")
    raise InputError(f"wrong unit: expected {describe(dimension)}, found {text} ({describe(quantity.dimension)})")


def unit_name(dimension: Dimension) -> str:
    """The unit a dimension is written in (``"mV"``, ``"nS/ms"``); "" for dimension 1."""
    if dimension in _WRITTEN:
        return _WRITTEN[dimension][0]
    for rate, ending in ((RATE, "/ms"), (RATE * RATE, "/ms^2")):  # a known unit per time: nS/ms
        for known, (name, size) in _WRITTEN.items():
            if name and size == "1" and dimension / known == rate:
                return name + ending
    over = [_power(base, e) for base, e in zip(_BASES, dimension, strict=True) if e > 0]
    under = [_power(base, -e) for base, e in zip(_BASES, dimension, strict=True) if e < 0]
    return " ".join(["*".join(over) or "1", *under]).replace(" ", "/") if under else "*".join(over)


def _power(base: str, exponent: Fraction) -> str:
    if exponent == 1:
        return base
    return f"{base}^{exponent}" if exponent.denominator == 1 else f"{base}^({exponent})"


_KINDS = {TIME: "a time", VOLTAGE: "a voltage", CURRENT: "a current", LENGTH: "a length", RATE: "a rate",
          CURRENT * TIME / VOLTAGE: "a capacitance", CURRENT / VOLTAGE: "a conductance"}


def describe(dimension: Dimension) -> str:
    """``"a voltage (mV)"``, ``"a number without unit"``: for messages."""
    if dimension == DIMENSIONLESS:
        return "a number without unit"
    kind = _KINDS.get(dimension)
    return f"{kind} ({unit_name(dimension)})" if kind else f"a quantity in {unit_name(dimension)}"


def to_text(value: float, dimension: Dimension) -> str:
    """Canonical text of a quantity: ``to_text(0.02, RATE) == "20 Hz"``."""
    name, size = _WRITTEN.get(dimension) or (unit_name(dimension), "1")
    if np.isinf(value):
        return f"{value} {name}".strip()
    number = repr(float(Decimal(repr(float(value))) / Decimal(size)))
    return f"{number.removesuffix('.0')} {name}".strip()
