"""Units and quantities of a model document, without loading pint where products of plain units do."""

from __future__ import annotations

import re
from typing import Any

from snnsim import units
from snnsim.equations.parse import UNITS, Lookup, Parser
from snnsim.errors import InputError
from snnsim.ir.ops import Op
from snnsim.units import DIMENSIONLESS, Dimension, Quantity

_IN_UNITS = Parser(Lookup(lambda name: None, lambda: ()))
_PLAIN = re.compile(rf"\s*[-+\d._]+(?:[eE][+-]?\d+)?\s*(?:{'|'.join(UNITS)})?\s*")


def dimension_of(text: Any) -> Dimension:
    """The dimension of a unit such as ``pA/ms``; 1 or an empty text is none."""
    if text in (1, "1", ""):
        return DIMENSIONLESS
    if not isinstance(text, str):
        raise InputError(f"expected a unit such as pA, found {text!r}")
    try:
        return _IN_UNITS.parse(text).dimension
    except InputError:
        return units.unit(text).dimension


def quantity(value: Any) -> Quantity:
    """``20 ms``, ``0.02/ms``, ``8 mV/ms`` or a bare number."""
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        try:
            found = _IN_UNITS.parse(value)
        except InputError:
            return units.parse(value)
        if found.expr.op is Op.CONST:
            return Quantity(float(found.real().data), found.dimension)
    return units.parse(value)
