"""Quantities in the unit of a weight, which the port of the target decides: ``weight``, ``0 weight``, ``weight/ms``."""

from __future__ import annotations

import re
from typing import Any

from snnsim.equations.expr import ONE
from snnsim.equations.parse import Lookup, Parser
from snnsim.equations.quantities import quantity
from snnsim.equations.typed import Typed
from snnsim.errors import InputError
from snnsim.units import Dimension

_OF_WEIGHT = re.compile(r"\s*(?:([-+\d.][-+\d.eE]*)[ *]\s*)?(weight\b.*?)\s*")


def in_weights(value: Any, weight: Dimension) -> tuple[float | None, Dimension] | None:
    """The number (None where there is none) and dimension of ``0 weight/ms``; None where `value` is nothing like it."""
    match = _OF_WEIGHT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    number, unit = match.groups()
    units = Lookup(lambda name: Typed(ONE, weight) if name == "weight" else None, lambda: ["weight"])
    if number is not None and float(number) != 0:
        raise InputError(f"only 0 is the same in all units of a weight, found {value!r}: name the unit, such as pA")
    return None if number is None else 0.0, Parser(units).parse(unit).dimension


def quantity_or_weight(value: Any, weight: Dimension) -> tuple[float | None, Dimension]:
    """The default of a parameter: a quantity, or ``weight``."""
    return in_weights(value, weight) or quantity(value)
