"""Arrays as strict as those of CuPy, over memory of NumPy, for a device without a GPU.

What CuPy refuses, does by a hidden way over the host, or does with other bits than NumPy, ends in a ``TypeError`` here:
arrays of the host and of the device in one operation, functions and options that CuPy does not have, sums of real numbers,
elements that are written twice at once. What CuPy computes in single precision has no denormal numbers (``-ftz=true``).
Facts are from the sources of CuPy 14.2; ``test_device_arrays`` compares the tables with the CuPy that is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gpu.device_functions import Namespace

GIVEN = "a NumPy array where one of the device is expected: device.upload it"
WANTED = "implicit conversion of an array of the device: device.download it"
# Methods that are functions of the namespace, too, and those that only arrays have.
METHODS = frozenset({"argsort", "nonzero", "sum", "cumsum", "max", "min", "any", "all", "repeat", "take", "ravel"})
ONLY_METHODS = frozenset({"astype", "copy", "fill", "item", "reshape", "view"})
_TYPES = frozenset("?bhilqBHILQefdFD")


class DeviceArray:
    """An array of the device. host: its memory; xp: the namespace of its device."""

    __slots__ = ("host", "xp")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray, xp: Namespace) -> None:
        if host.dtype.char not in _TYPES:
            raise TypeError(f"CuPy has no arrays of {host.dtype}")
        self.host, self.xp = host, xp

    shape = property(lambda self: self.host.shape)
    size = property(lambda self: self.host.size)
    ndim = property(lambda self: self.host.ndim)
    dtype = property(lambda self: self.host.dtype)
    nbytes = property(lambda self: self.host.nbytes)
    itemsize = property(lambda self: self.host.itemsize)
    strides = property(lambda self: self.host.strides)
    flags = property(lambda self: self.host.flags)
    T = property(lambda self: DeviceArray(self.host.T, self.xp))

    def __len__(self) -> int:
        return len(self.host)

    def __repr__(self) -> str:
        return f"DeviceArray({self.host!r})"

    # --- elements ----------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> DeviceArray:
        """One element is an array, too, and a view."""
        place = self._place(key)
        return self.xp.call(lambda host: host[place], self)

    def __setitem__(self, key: Any, value: Any) -> None:
        place, given = self._place(key), self.xp.given(value)
        self.xp.refuse_capture()
        if isinstance(value, DeviceArray):
            _refuse_order(self.host, place, given)
            given = given if given.dtype == self.dtype else flushed(given.astype(self.dtype))
        self.host[place] = given

    def _place(self, key: Any) -> tuple[Any, ...]:
        """A key of NumPy with which one element is a view."""
        parts = key if isinstance(key, tuple) else (key,)
        return (*map(self._part, parts), *([] if any(p is ... for p in parts) else [...]))

    def _part(self, part: Any) -> Any:
        if isinstance(part, list):
            raise TypeError(GIVEN)
        if isinstance(part, DeviceArray) and part.dtype == bool:
            self.xp.waits["mask"] += 1
        return self.xp.given(part)

    def __iter__(self) -> Any:
        raise TypeError("a loop over the elements of an array of the device: device.download it")

    # --- to the host -------------------------------------------------------------------------------------------------

    def _one(self, kind: Any) -> Any:
        """The number of an array of one element; the host waits for it."""
        self.xp.refuse_capture()
        self.xp.waits[kind.__name__] += 1
        return kind(self.host)

    def __int__(self) -> int:
        return self._one(int)

    def __float__(self) -> float:
        return self._one(float)

    def __bool__(self) -> bool:
        return self._one(bool)

    def item(self) -> Any:
        return self._one(np.ndarray.item)

    def __array__(self, *args: Any, **options: Any) -> np.ndarray:
        raise TypeError(WANTED)

    def __array_function__(self, function: Any, *args: Any) -> Any:
        """CuPy would call its own function of that name; who wants that says ``xp``."""
        raise TypeError(f"numpy.{function.__name__}: {WANTED}")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> DeviceArray:
        """Operators with a number of NumPy on the left."""
        if method != "__call__" or options:
            raise TypeError(f"numpy.{ufunc.__name__}: {WANTED}")
        return getattr(self.xp, ufunc.__name__)(*inputs)

    # --- methods -----------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(f"{name} is not in METHODS of tests/gpu/device_arrays.py; if arrays of CuPy have it, add it")
        return lambda *args, **options: getattr(self.xp, name)(self, *args, **options)

    def astype(self, dtype: Any, copy: bool = True) -> DeviceArray:
        found = self.xp.call(np.ndarray.astype, self, dtype, copy=copy)
        return found if self.dtype == found.dtype else DeviceArray(flushed(found.host), self.xp)

    def copy(self) -> DeviceArray:
        return self.xp.call(np.ndarray.copy, self)

    def view(self, dtype: Any) -> DeviceArray:
        return self.xp.call(np.ndarray.view, self, dtype)

    def reshape(self, *shape: Any) -> DeviceArray:
        return self.xp.wrapped(self.host.reshape(*shape))

    def fill(self, value: Any) -> None:
        self[...] = value


def _refuse_order(written: np.ndarray, place: tuple[Any, ...], values: np.ndarray) -> None:
    """A device copies elements in any order."""
    indices = [part for part in place if isinstance(part, np.ndarray)]
    target = written if indices else written[place]
    same = target.ctypes.data == values.ctypes.data and target.strides == values.strides
    if (indices or not same) and np.shares_memory(target, values):
        raise TypeError("an array of the device is copied onto another part of itself: copy it first")
    if values.size > 1 and any(part.dtype != bool for part in indices):
        rows = np.stack(np.broadcast_arrays(*indices)).reshape(len(indices), -1)
        if np.unique(rows, axis=1).shape[1] < rows.shape[1]:
            raise TypeError("several values for one element of an array of the device: any of them may stay")


def flushed(values: Any) -> Any:
    """Single precision without denormal numbers, their sign kept."""
    if getattr(values, "dtype", None) != np.float32:
        return values
    small = np.abs(values) < np.finfo(np.float32).tiny
    return np.where(small, np.copysign(np.float32(0), values), values) if small.any() else values


# --- operators ---------------------------------------------------------------------------------------------------------

_INPLACE = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "lshift": np.left_shift,
    "rshift": np.right_shift,
}
_COMPARE = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
_UNARY = {"neg": np.negative, "invert": np.invert, "abs": np.absolute}


def _operator(ufunc: np.ufunc) -> Callable[..., DeviceArray]:
    return lambda self, *other: self.xp.compute(ufunc, self, *other)


def _reflected(ufunc: np.ufunc) -> Callable[..., DeviceArray]:
    return lambda self, other: self.xp.compute(ufunc, other, self)


def _inplace(ufunc: np.ufunc) -> Callable[..., DeviceArray]:
    def change(self: DeviceArray, other: Any) -> DeviceArray:
        found = self.xp.compute(ufunc, self, other)
        if not np.can_cast(found.dtype, self.dtype, "same_kind"):
            raise TypeError(f"{ufunc.__name__} in place: {found.dtype} does not become {self.dtype}")
        if isinstance(other, DeviceArray):
            _refuse_order(self.host, (...,), other.host)
        self[...] = found
        return self

    return change


for _names, _make, _prefix in ((_INPLACE | _COMPARE | _UNARY, _operator, ""), (_INPLACE, _reflected, "r"), (_INPLACE, _inplace, "i")):
    for _name, _ufunc in _names.items():
        setattr(DeviceArray, f"__{_prefix}{_name}__", _make(_ufunc))
