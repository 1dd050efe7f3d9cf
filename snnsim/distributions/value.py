"""What every value has in common, and values that are not random. All numbers are in the coherent system."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snnsim.errors import InputError
from snnsim.random import Floats, Index, Stream
from snnsim.units import DIMENSIONLESS, Dimension, to_text

if TYPE_CHECKING:
    from snnsim.connect.base import Block


def length(index: Index) -> int:
    """How many numbers an index asks for."""
    return index[1] if isinstance(index, tuple) else len(index)


@dataclass(frozen=True)
class Value:
    """A number for every index; low and high bound all of them, and constant is the one number if there is but one."""

    dimension: Dimension

    @property
    def constant(self) -> float | None:
        return None

    @property
    def size(self) -> int | None:
        """How many numbers there are; None where there is one for every index."""
        return None

    @property
    def low(self) -> float:
        raise NotImplementedError

    @property
    def high(self) -> float:
        raise NotImplementedError

    def given(self, values: Mapping[str, Any], n: int) -> Value:
        """The value for `n` units whose parameters are `values` (numbers, or arrays [n]); for expressions."""
        return self

    def draw(self, stream: Stream, index: Index) -> Floats:
        """float64 numbers of a range (start, count) or of an array of indices; they depend on stream and index only."""
        raise NotImplementedError

    def draw_for(self, stream: Stream, block: Block) -> Floats:
        """float64, one for each synapse of a block: by their numbers, unless an expression reads more of them."""
        return self.draw(stream, block.index)

    def forget(self) -> None:
        """Let go of what is held in memory and can be had again."""

    def sample(self, stream: Stream, most: int) -> Floats:
        """Some of the numbers, `most` at most, that tell what an ordinary one is."""
        return self.draw(stream, (0, most if self.size is None else min(most, self.size)))

    def to_spec(self) -> Any:
        """The canonical form that ``value_from_spec`` reads."""
        raise NotImplementedError

    def check_size(self, n: int, what: str) -> None:
        """``InputError`` unless there is a number for each of `n` things (`what`: "units", "synapses")."""
        if self.size is not None and self.size != n:
            raise InputError(f"expected {n} values, one for each of the {what}, found {self.size}")

    def _text(self, value: float) -> Any:
        return float(value) if self.dimension == DIMENSIONLESS else to_text(value, self.dimension)


@dataclass(frozen=True)
class Constant(Value):
    """The same number everywhere."""

    value: float

    @property
    def constant(self) -> float:
        return self.value

    @property
    def low(self) -> float:
        return self.value

    @property
    def high(self) -> float:
        return self.value

    def draw(self, stream: Stream, index: Index) -> Floats:
        return np.full(length(index), self.value)

    def to_spec(self) -> Any:
        return self._text(self.value)


class Array(Value):
    """One given number for each index.

    values: float64 [size]; spec: where they come from, or None where they were given as such; read: reads them again.
    """

    spec: dict[str, Any] | None
    _held: Floats | None
    _read: Callable[[], Floats] | None
    _facts: tuple[int, float, float]

    def __init__(
        self, dimension: Dimension, values: Floats, spec: dict[str, Any] | None = None,
        read: Callable[[], Floats] | None = None,
    ) -> None:
        super().__init__(dimension)
        facts = len(values), float(values.min(initial=math.inf)), float(values.max(initial=-math.inf))
        self._set(spec=spec, _held=values, _read=read, _facts=facts)

    def _set(self, **attributes: Any) -> None:
        """A value does not change: only whether its numbers are in memory."""
        self.__dict__.update(attributes)

    @property
    def values(self) -> Floats:
        """All of them, read again where they were forgotten."""
        if self._held is None:
            assert self._read is not None
            values = self._read()
            if len(values) != self.size:
                raise InputError(f"the file has changed: expected {self.size} numbers as before, found {len(values)}")
            self._set(_held=values)
        assert self._held is not None
        return self._held

    def forget(self) -> None:
        """Let go of numbers that can be read again."""
        if self._read is not None:
            self._set(_held=None)

    @property
    def size(self) -> int:
        return self._facts[0]

    @property
    def low(self) -> float:
        return self._facts[1]

    @property
    def high(self) -> float:
        return self._facts[2]

    def draw(self, stream: Stream, index: Index) -> Floats:
        last = index[0] + index[1] - 1 if isinstance(index, tuple) else int(index.max(initial=0))
        if last >= self.size and length(index):
            raise InputError(f"value number {last} was asked for, but there are {self.size}")
        return self.values[index[0] : last + 1] if isinstance(index, tuple) else self.values[index]

    def to_spec(self) -> Any:
        return dict(self.spec) if self.spec else [self._text(v) for v in self.values]

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Array) and self.dimension == other.dimension
        return same and np.array_equal(self.values, other.values)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((self.dimension, self.values.tobytes()))
