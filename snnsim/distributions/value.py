"""What every value has in common, and values that are not random. All numbers are in the coherent system."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snnsim import arrays
from snnsim.errors import InputError
from snnsim.random import Floats, Index, Indices, Stream, numbers_of
from snnsim.units import DIMENSIONLESS, Dimension, to_text

if TYPE_CHECKING:
    from snnsim.connect.base import Block


_HELD = 1 << 22   # numbers of a file that are in memory from the beginning
_NO_PLACE = np.zeros(0, np.uint64)


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

    def keep(self, blocks: Iterable[Index] | None) -> None:
        """Take numbers that are in a file into memory: all (None), or those that will be drawn, block by block."""

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
    """One given number for each index: an array, or a file, of which only what is asked for is taken into memory.

    spec: where they come from, or None where they were given as such. Numbers of files are had in pieces, which `read`
    gives as often as it is called: those of short ones (``_HELD``) at once, others where they are first used.
    """

    spec: dict[str, Any] | None
    _read: Callable[[], Iterator[Floats]] | None
    _facts: tuple[int, float, float]
    _held: Floats | None                        # all of them
    _kept: dict[int, tuple[Indices, Floats]]    # blocks of some with their places, by the first place

    def __init__(self, dimension: Dimension, values: Floats) -> None:
        super().__init__(dimension)
        self._set(spec=None, _read=None, _facts=_facts([values]), _held=values, _kept={})

    @classmethod
    def stored(cls, dimension: Dimension, spec: dict[str, Any], read: Callable[[], Iterator[Floats]]) -> Array:
        """The numbers of a file."""
        pieces: list[Floats] = []
        facts = _facts(_noted(read(), pieces))
        array = cls(dimension, np.zeros(0))
        array._set(spec=spec, _read=read, _facts=facts, _held=_joined(pieces) if facts[0] <= _HELD else None)
        return array

    def _set(self, **attributes: Any) -> None:
        """A value does not change: only whether its numbers are in memory."""
        self.__dict__.update(attributes)

    @property
    def values(self) -> Floats:
        """All of them, read where they are not in memory."""
        if self._held is None:
            self._set(_held=_joined(list(self._pieces())))
        assert self._held is not None
        return self._held

    def _pieces(self) -> Iterator[Floats]:
        assert self._read is not None
        found = 0
        for piece in self._read():
            found += piece.size
            if found <= self.size:
                yield piece
        if found != self.size:
            raise InputError(f"the file has changed: expected {self.size} numbers as before, found {found}")

    def keep(self, blocks: Iterable[Index] | None) -> None:
        if self._read is None:
            return
        if blocks is None:
            self.values  # noqa: B018 - now, and not in several threads at once
            return
        places = [numbers_of(block) for block in blocks if length(block)]
        values = np.split(self._picked(np.concatenate([_NO_PLACE, *places])), np.cumsum([len(p) for p in places]))
        kept = {int(place[0]): (place, numbers) for place, numbers in zip(places, values, strict=False)}
        self._set(_kept=kept, _held=None)

    def _picked(self, places: Indices) -> Floats:
        """The numbers at some places."""
        pieces = -(-self.size // arrays.PIECE)
        number = (places // np.uint64(arrays.PIECE)).astype(np.min_scalar_type(pieces))
        order, ends = np.argsort(number, kind="stable"), np.cumsum(np.bincount(number, minlength=pieces))
        values = np.empty(places.size)
        for k, piece in enumerate(self._pieces()):
            own = order[ends[k - 1] if k else 0 : ends[k]]
            values[own] = piece[places[own] - np.uint64(k * arrays.PIECE)]
        return values

    def forget(self) -> None:
        """Let go of numbers that can be read again."""
        if self._read is not None:
            self._set(_held=None, _kept={})

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
        if self._held is None and (found := self._among(index)) is not None:
            return found
        return self.values[index[0] : last + 1] if isinstance(index, tuple) else self.values[index]

    def _among(self, index: Index) -> Floats | None:
        """What is asked for, where it is a block that is kept."""
        places, values = self._kept.get(int(index[0]) if length(index) else -1, (_NO_PLACE, np.zeros(0)))
        return values if np.array_equal(places, numbers_of(index)) else None

    def sample(self, stream: Stream, most: int) -> Floats:
        return (next(self._pieces()) if self._held is None else self._held)[:most]

    def to_spec(self) -> Any:
        return dict(self.spec) if self.spec else [self._text(v) for v in self.values]

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Array) and self.dimension == other.dimension
        return same and np.array_equal(self.values, other.values)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((self.dimension, self.values.tobytes()))


def _facts(pieces: Iterable[Floats]) -> tuple[int, float, float]:
    """How many there are, the smallest and the largest."""
    size, low, high = 0, math.inf, -math.inf
    for piece in pieces:
        size += piece.size
        low, high = float(piece.min(initial=low)), float(piece.max(initial=high))
    return size, low, high


def _joined(pieces: list[Floats]) -> Floats:
    values = np.concatenate(pieces)
    values.setflags(write=False)
    return values


def _noted(pieces: Iterable[Floats], noted: list[Floats]) -> Iterator[Floats]:
    """The pieces of a list; they are noted as long as they are few."""
    size = 0
    for piece in pieces:
        if piece.ndim != 1:
            raise InputError(f"expected a list of numbers, found an array of {piece.ndim} dimensions")
        size += piece.size
        noted.append(piece)
        if size > _HELD:
            noted.clear()
        yield piece
