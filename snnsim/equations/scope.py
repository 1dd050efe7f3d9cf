"""What names mean inside one model."""

from __future__ import annotations

import keyword
from collections.abc import Callable
from contextlib import suppress

from snnsim.equations.parse import LAMBDA, RESERVED, Lookup, Parser
from snnsim.equations.rules import before
from snnsim.equations.typed import Typed
from snnsim.errors import InputError
from snnsim.units import Dimension

Lazy = Callable[[], Typed]


class Scope:
    """Names of one model with their values; sub-expressions are parsed when they are first used."""

    def __init__(self, whole: bool = False) -> None:
        self.states: dict[str, Dimension] = {}
        self.mapped: dict[str, Typed] = {}
        self.weight: Typed | None = None
        self._values: dict[str, Typed] = {}
        self._lazy: dict[str, Lazy] = {}
        self._kinds: dict[str, str] = {}
        self._open: list[str] = []
        self._parser = Parser(Lookup(self.find, self.names), self._previous, self.mapped.get, whole=whole)

    def claim(self, name: str, kind: str, value: Typed | Lazy | None) -> None:
        """Give `name` a meaning; ``InputError`` where it cannot have one. None: its own fault is noted elsewhere."""
        if not name.isidentifier() or (keyword.iskeyword(name) and name != LAMBDA):
            raise InputError(f"expected a name of letters, digits and _, found {name!r}")
        if name in RESERVED:
            raise InputError(f"{name} has a meaning of its own in equations: choose another name")
        if name in self._kinds:
            raise InputError(f"{name} is already {self._kinds[name]}")
        self._kinds[name] = kind
        if isinstance(value, Typed):
            self._values[name] = value
        elif value is not None:
            self._lazy[name] = value

    def define(self, name: str, value: Typed) -> None:
        """The meaning of a claimed name that has turned out to be without fault."""
        self._values[name] = value

    def settle(self, name: str) -> None:
        """Resolve a lazy name now; its faults are noted where it is defined."""
        with suppress(InputError):
            self.find(name)

    def parse(self, text: str) -> Typed:
        """An expression in these names; ``InputError`` without problems where a fault was noted before."""
        return self._parser.parse(text)

    def find(self, name: str) -> Typed | None:
        """The value of a name, or None where there is none."""
        if name == "w" and self.weight is not None:
            return self.weight
        if name in self._lazy:
            self._values[name] = self._resolve(name)
        if name in self._kinds and name not in self._values:
            raise InputError([])
        return self._values.get(name)

    def kind(self, name: str) -> str | None:
        """What a claimed name is (``"a state"``), None where it is free."""
        return self._kinds.get(name)

    def names(self) -> list[str]:
        """All names, for messages."""
        return ["dt", *self._kinds]

    def _resolve(self, name: str) -> Typed:
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name):], name])
            raise InputError(f"{name} depends on itself: {circle}")
        self._open.append(name)
        weight, self.weight = self.weight, None
        try:
            return self._lazy[name]()
        finally:
            self.weight = weight
            self._open.pop()
            self._lazy.pop(name, None)

    def _previous(self, name: str) -> Typed | None:
        return Typed(before(name), self.states[name]) if name in self.states else None
