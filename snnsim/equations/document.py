"""What the readers of model documents share: parts under their own path, parameters, expressions, lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from snnsim.equations.expr import param
from snnsim.equations.parse import Lookup, Parser
from snnsim.equations.quantities import quantity
from snnsim.equations.rules import SIGNS, Parameter
from snnsim.equations.scope import Scope
from snnsim.equations.text import number, text
from snnsim.equations.typed import Typed
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.units import Dimension, describe

# A quantity of a document -> its value (None: to be given where the model is used) and dimension.
Read = Callable[[Any], "tuple[float | None, Dimension]"]
_PARAMETER = "a parameter"


class Document:
    """A model document while it is read: its names, and its faults."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document, self.scope, self.problems = document, Scope("fixed_point" in document), Problems()
        self.parameters: dict[str, Parameter] = {}

    def check_keys(self, kind: str, keys: Collection[str]) -> None:
        """Note the keys that a document of this kind does not have."""
        for key in self.document:
            if key not in keys:
                self.problems.add(key, unknown(f"key of a {kind}", key, keys))

    def each(self, key: str, example: str, read: Callable[[str, Any], None]) -> None:
        """Read every entry of one part of the document under its own path."""
        with self.problems.at(key):
            for name, value in mapping(self.document.get(key), example).items():
                with self.problems.at(name):
                    read(name, value)

    def parameter(self, name: str, value: Any, read: Read = quantity) -> None:
        """Read one parameter and define its name."""
        self.scope.claim(name, _PARAMETER, None)
        entry = value if isinstance(value, Mapping) else {"default": value}
        if "default" not in entry or set(entry) - {"default", "about", "must_be", "range"}:
            raise InputError("expected a quantity or {default: ..., about: ..., must_be: ..., range: ...}, "
                             f"found {value!r}")
        (default, dimension), must_be = read(entry["default"]), entry.get("must_be", "")
        if must_be and must_be not in SIGNS:
            raise InputError(unknown("must_be", str(must_be), SIGNS))
        low, high = self._range(entry.get("range"), dimension, read)
        self.parameters[name] = Parameter(default, dimension, str(entry.get("about", "")), must_be, low, high)
        self.scope.define(name, Typed(param(name), dimension))

    @staticmethod
    def _range(value: Any, dimension: Dimension, read: Read) -> tuple[float, float]:
        if value is None:
            return -math.inf, math.inf
        if not isinstance(value, list) or len(value) != 2:
            raise InputError(f"range: expected [lowest, highest], found {value!r}")
        (low, _), (high, _) = ends = [read(end) for end in value]
        if low is None or high is None or any(d != dimension for _, d in ends) or not low <= high:
            raise InputError(f"range: expected two ascending values of {describe(dimension)}, found {value!r}")
        return low, high

    def of_parameters(self, value: Any, dimension: Dimension | None = None) -> Typed:
        """An expression of parameters alone, with this dimension where one is given."""
        found = Parser(Lookup(self._known_parameter, lambda: ["dt", *self.parameters])).parse(expression_text(value))
        if dimension is not None and found.dimension != dimension:
            raise InputError(f"expected {describe(dimension)}, found {describe(found.dimension)}")
        if not found.real().hoistable:
            raise InputError(f"expected an expression of parameters, found {text(found.expr)}")
        return found

    def _known_parameter(self, name: str) -> Typed | None:
        return self.scope.find(name) if self.scope.kind(name) == _PARAMETER else None


def mapping(value: Any, example: str) -> Mapping[str, Any]:
    """`value` as a mapping with text keys; an absent part of the document is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InputError(f"expected a mapping such as {example}, found {value!r}")
    return value


def expression_text(value: Any) -> str:
    """An expression as text; YAML reads `0` as a number and `true` as a truth value."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        return number(value)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"expected an expression, found {value!r}")
    return value


def on_line(line: int, error: InputError) -> list[Problem]:
    """The faults of a line that is one of several in a text."""
    return [replace(p, message=f"line {line}: {p.message}") for p in error.problems]


def expect(what: str, found: Dimension, expected: Dimension) -> None:
    """``InputError`` where the left side of an equation has another dimension than the right one."""
    if found != expected:
        raise InputError(f"{what} must be {describe(expected)}, found {describe(found)}")
