"""Arrays that go from hand to hand in pieces along their first axis, so that nobody has to hold them as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

# Bytes of a piece where nobody says how many rows it shall have.
PIECE = 8 << 20


class Column(Protocol):
    """Numbers or booleans that may be too many to lie in memory. shape, dtype: of all of them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """As of an array."""

    def pieces(self) -> Iterator[NDArray[Any]]:
        """Contiguous arrays that make the whole, in order along the first axis; one array [] where the shape is []."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The whole."""


@dataclass(frozen=True)
class Whole:
    """An array in memory, as a column."""

    values: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """As of the array."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """As of the array."""
        return self.values.dtype

    def pieces(self) -> Iterator[NDArray[Any]]:
        """Parts of the array; copies where they would not be contiguous."""
        for place in places(self.shape, self.dtype):
            yield np.asarray(self.values[place], order="C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype, copy=copy)


def as_column(values: NDArray[Any] | Column) -> Column:
    """A column as it is, an array as one."""
    return Whole(values) if isinstance(values, np.ndarray) else values


def places(shape: tuple[int, ...], dtype: np.dtype[Any], rows: int | None = None) -> Iterator[slice | tuple[()]]:
    """What picks the pieces of an array, one after the other. rows: of each piece; None for some MiB."""
    if not shape:
        yield ()
        return
    rows = rows or max(1, PIECE // max(1, dtype.itemsize * math.prod(shape[1:])))
    for low in range(0, shape[0], rows):
        yield slice(low, min(low + rows, shape[0]))


class InStep:
    """A column whose pieces several processes make together: all of them go through it once, whoever uses it."""

    def __init__(self, of: Column) -> None:
        self.shape, self.dtype = of.shape, of.dtype
        self._left = of.pieces()

    def pieces(self) -> Iterator[NDArray[Any]]:
        """See ``Column``; the second time there is nothing."""
        return self._left

    def finish(self) -> None:
        """Go through what nobody has asked for yet."""
        for _ in self._left:
            pass

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = np.concatenate([np.zeros((0, *self.shape[1:]), self.dtype), *self._left])
        return whole if dtype is None else whole.astype(dtype)
