"""The text of a network's loop: its lines, and the values and functions that it has used so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numba import typeof, types
from numba.np.numpy_support import from_dtype

from snnsim.backends.cpu.functions import NOTHING, NUMBER, Function, Typed
from snnsim.backends.cpu.intrinsics import TABLE_WIDTH

FIXED = ("me", "threads", "lists", "first", "steps", "base", "epoch", "room", "k0", "k1", "sync", "ids", "start",
         "calls", "table")


@lru_cache
def _array_type(dtype: np.dtype[Any], ndim: int, contiguous: bool) -> types.Array:
    """Numba takes long to make types."""
    return types.Array(from_dtype(dtype), ndim, "C" if contiguous else "A")


def value_kind(value: Any) -> Any:
    """What the text of a loop has to know of a value: type of the numbers, axes and order of an array, or its type.

    Arrays are not told from those that may not be written.
    """
    return (value.dtype, value.ndim, value.flags.c_contiguous) if isinstance(value, np.ndarray) else typeof(value)


@dataclass
class Source:
    """The text of a loop as it grows. of: the ``value_kind`` of all that a thread has, by name.

    Arrays and whole numbers come in a table: some populations would else make hundreds of arguments, which take long to
    compile.
    """

    of: Mapping[str, Any]
    names: dict[str, None] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)
    kinds: dict[tuple[str, int], int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    functions: dict[Function, int] = field(default_factory=dict)

    def use(self, name: str) -> str:
        """The text of a value."""
        if name in FIXED:
            return name
        kind = self.type_of(name)
        if isinstance(kind, types.Array) and kind.layout == "C" and kind.ndim < TABLE_WIDTH:
            self.rows[name] = self.of[name][0]
            number = self.kinds.setdefault((str(kind.dtype), kind.ndim), len(self.kinds))
            return f"array{number}(table, {name})"
        if kind == NUMBER:
            self.rows[name] = None
            return f"table[{name} * {TABLE_WIDTH}]"
        self.names[name] = None
        return name

    def add(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def type_of(self, name: str) -> types.Type:
        """The type of a value."""
        kind = self.of[name]
        return _array_type(*kind) if isinstance(kind, tuple) else kind

    def given(self, *names: str) -> list[Typed]:
        """Arguments as they are."""
        return [(self.use(name), self.type_of(name)) for name in names]

    def call(
        self, name: str, arguments: Sequence[Typed], result: types.Type = NOTHING, texts: Iterable[str] = (),
    ) -> str:
        """A call by address of a function that all networks share, or of the last one of `texts`."""
        function = Function(name, "\n\n".join(dict.fromkeys(texts)), tuple(kind for _, kind in arguments), result)
        number = self.functions.setdefault(function, len(self.functions))
        return f"call{number}(calls[{number}], {', '.join(text for text, _ in arguments)})"

    def header(self) -> list[str]:
        """The functions that the loop calls, those that find arrays, and the rows of the table by name."""
        calls = [function.caller(f"call{number}") for function, number in self.functions.items()]
        arrays = [f"array{number} = array_at({dtype!r}, {ndim})" for (dtype, ndim), number in self.kinds.items()]
        return [*calls, "\n".join(arrays), "\n".join(f"{name} = {row}" for row, name in enumerate(self.rows))]
