"""What is read from a recording: arrays that know their axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Trace(NDArrayOperatorsMixin):
    """A recorded variable: an array [steps, units] that knows its axes.

    data: [T, N]. times: [T] in ms. units: ids [N] in the population. unit: text of the unit of `data` ("mV").
    Indexing and arithmetic give plain arrays.
    """

    data: NDArray[np.floating]
    times: NDArray[np.float64]
    units: NDArray[np.int64]
    unit: str

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.data, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [x.data if isinstance(x, Trace) else x for x in inputs]
        return getattr(ufunc, method)(*plain, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        return self.data[key]

    def __len__(self) -> int:
        return len(self.data)

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, N)."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32, or float64 where the run was in double precision."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """2."""
        return self.data.ndim


@dataclass(frozen=True, eq=False)
class Weights:
    """Recorded weights of a projection.

    Snapshots: values [T, S] at times [T] in ms, of synapses from source [S] to target [S]. What presynaptic
    events sent: values [K], each with its time, source and target [K]. unit: text of the unit of `values` ("pA").
    """

    values: NDArray[np.floating]
    times: NDArray[np.float64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    unit: str
