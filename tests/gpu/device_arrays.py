"""Arrays as strict as those of CuPy, over memory of NumPy, for a device without a GPU.

What CuPy refuses, or does by a hidden way over the host, or with other bits than NumPy, ends in an error here: arrays of
the host and of the device in one operation, functions and options that CuPy does not have, sums of real numbers, places
that are written twice at once. Numbers in single precision lose what is denormal, because CuPy compiles with -ftz=true.
Facts are from the sources of CuPy 14.2; ``test_device_arrays`` compares the tables with the installed one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

GIVEN = "a NumPy array where one of the device is expected: device.upload it"
WANTED = "implicit conversion of an array of the device: device.download it"
REAL_SUM = "a sum of real numbers, whose last bits depend on how a device adds: use a kernel or the host"

# Functions of the array namespace with parameters in their order; those that the table does not have cannot be used.
FUNCTIONS = {
    "zeros": "shape dtype", "ones": "shape dtype", "empty": "shape dtype", "full": "shape fill_value dtype",
    "arange": "start stop step dtype", "zeros_like": "a dtype", "empty_like": "prototype dtype",
    "argsort": "a axis kind", "sort": "a axis kind", "lexsort": "keys", "searchsorted": "a v side sorter",
    "unique": "ar return_index return_inverse return_counts", "nonzero": "a", "flatnonzero": "a", "where": "condition x y",
    "sum": "a axis dtype", "cumsum": "a axis dtype", "max": "a axis", "min": "a axis", "any": "a axis", "all": "a axis",
    "bincount": "x weights minlength", "diff": "a n axis", "count_nonzero": "a axis",
    "concatenate": "tup axis", "stack": "tup axis", "repeat": "a repeats axis", "broadcast_to": "array shape",
    "ascontiguousarray": "a dtype", "take": "a indices axis", "reshape": "a newshape", "ravel": "a",
}
METHODS = {
    "copy": "", "ravel": "", "nonzero": "", "view": "dtype", "argsort": "axis kind", "sum": "axis dtype",
    "cumsum": "axis dtype", "max": "axis", "min": "axis", "any": "axis", "all": "axis", "repeat": "repeats axis",
    "take": "indices axis",
}
UFUNCS = frozenset(
    "add subtract multiply divide true_divide floor_divide remainder bitwise_and bitwise_or bitwise_xor left_shift "
    "right_shift invert equal not_equal less less_equal greater greater_equal logical_and logical_or logical_not "
    "maximum minimum absolute negative positive sign floor ceil rint sqrt isfinite isnan".split())
# The host waits for what they find, because it decides about the size of something.
WAITING = frozenset({"unique", "nonzero", "flatnonzero", "bincount"})
SUMS = frozenset({"sum", "cumsum"})
_DTYPES = frozenset("?bhilqBHILQefdFD")
_JUNK = 0xCB    # in memory that nothing was written to


class DeviceArray:
    """An array of the device. host: its memory; xp: the namespace of its device."""

    __slots__ = ("host", "xp")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray, xp: Namespace) -> None:
        self.host, self.xp = host, xp

    shape = property(lambda self: self.host.shape)
    size = property(lambda self: self.host.size)
    ndim = property(lambda self: self.host.ndim)
    dtype = property(lambda self: self.host.dtype)
    nbytes = property(lambda self: self.host.nbytes)
    itemsize = property(lambda self: self.host.itemsize)
    strides = property(lambda self: self.host.strides)
    flags = property(lambda self: self.host.flags)

    @property
    def T(self) -> DeviceArray:  # noqa: N802
        return self.xp.wrapped(self.host.T)

    def __len__(self) -> int:
        return len(self.host)

    # --- elements ----------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> DeviceArray:
        """One element is an array of the device, too, and a view."""
        return self.xp.call(lambda host: host[self._key(key)], self)

    def __setitem__(self, key: Any, value: Any) -> None:
        place = self._key(key)
        if isinstance(value, DeviceArray):
            _refuse_overlap(self.host[place], value.host)
            _refuse_repeats(place, value.host)
        self.xp.call(_put, self, place=place, value=self.xp.given(value))

    def _key(self, key: Any) -> tuple[Any, ...]:
        parts = key if isinstance(key, tuple) else (key,)
        return (*map(self._part, parts), *[...] * (Ellipsis not in [p for p in parts if p is ...]))

    def _part(self, part: Any) -> Any:
        if isinstance(part, list):
            raise TypeError(GIVEN)
        if isinstance(part, DeviceArray) and part.dtype == bool:
            self.xp.waits["mask"] += 1
        return self.xp.given(part)

    def __iter__(self) -> Any:
        raise TypeError("a loop over the elements of an array of the device: device.download it")

    # --- to the host -------------------------------------------------------------------------------------------------

    def _one(self, kind: Callable[[Any], Any]) -> Any:
        """The host waits."""
        self.xp.waits[kind.__name__] += 1
        return self.xp.call(lambda host: [kind(host)], self, wrap=False)[0]

    def __int__(self) -> int:
        return self._one(int)

    def __float__(self) -> float:
        return self._one(float)

    def __bool__(self) -> bool:
        return self._one(bool)

    def item(self) -> Any:
        return self._one(np.ndarray.item)

    def __repr__(self) -> str:
        return f"DeviceArray({self.host!r})"

    def __array__(self, *args: Any, **options: Any) -> np.ndarray:
        raise TypeError(WANTED)

    def __array_function__(self, function: Any, *args: Any) -> Any:
        """CuPy would call its own function of that name; who means that says ``xp``."""
        raise TypeError(f"numpy.{function.__name__}: {WANTED}")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> DeviceArray:
        """Operators between scalars of NumPy and arrays of the device."""
        if method != "__call__" or options or ufunc.__name__ not in UFUNCS:
            raise TypeError(f"numpy.{ufunc.__name__}: {WANTED}")
        return self.xp.call(ufunc, *inputs)

    # --- methods -----------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in METHODS:
            raise AttributeError(f"no {name} among METHODS in tests/gpu/device_arrays.py: add it if CuPy's arrays have it")
        return lambda *args, **options: _function(self.xp, getattr(np.ndarray, name), METHODS[name], (self, *args), options)

    def astype(self, dtype: Any, copy: bool = True) -> DeviceArray:
        return self.xp.call(np.ndarray.astype, self, dtype=dtype, copy=copy)

    def reshape(self, *shape: Any) -> DeviceArray:
        return self.xp.wrapped(self.host.reshape(*shape))

    def fill(self, value: Any) -> None:
        self[...] = value


def _put(host: np.ndarray, place: tuple[Any, ...], value: Any) -> np.ndarray:
    host[place] = _flushed(value) if isinstance(value, np.ndarray) and value.dtype != host.dtype else value
    return host


def _refuse_overlap(written: np.ndarray, read: np.ndarray) -> None:
    """A device copies element by element in any order."""
    same = written.ctypes.data == read.ctypes.data and written.strides == read.strides
    if not same and np.may_share_memory(written, read):
        raise TypeError("an array of the device is copied onto a part of itself: copy it first")


def _refuse_repeats(place: tuple[Any, ...], values: np.ndarray) -> None:
    """Which of several values stays is undefined."""
    indices = [part for part in place if isinstance(part, np.ndarray) and part.dtype != bool]
    if indices and values.size > 1:
        rows = np.stack(np.broadcast_arrays(*indices)).reshape(len(indices), -1)
        if np.unique(rows, axis=1).shape[1] < rows.shape[1]:
            raise TypeError("several values for one element of an array of the device: any of them may stay")


def _binary(ufunc: np.ufunc) -> tuple[Callable[..., Any], ...]:
    """An operator, with the array on the left, on the right, and in place."""
    def left(self: DeviceArray, other: Any) -> Any:
        return self.xp.call(ufunc, self, other)

    def right(self: DeviceArray, other: Any) -> Any:
        return self.xp.call(ufunc, other, self)

    def inplace(self: DeviceArray, other: Any) -> DeviceArray:
        if isinstance(other, DeviceArray):
            _refuse_overlap(self.host, other.host)
        self.xp.call(lambda host, given: np.copyto(host, _flushed(ufunc(host, given)), "same_kind"), self, other, wrap=False)
        return self

    return left, right, inplace


for _name, _ufunc in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
                      "floordiv": np.floor_divide, "mod": np.remainder, "and": np.bitwise_and, "or": np.bitwise_or,
                      "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift}.items():
    for _kind, _operator in zip(("", "r", "i"), _binary(_ufunc), strict=True):
        setattr(DeviceArray, f"__{_kind}{_name}__", _operator)
for _name, _ufunc in {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
                      "ge": np.greater_equal}.items():
    setattr(DeviceArray, f"__{_name}__", _binary(_ufunc)[0])
for _name, _ufunc in {"neg": np.negative, "invert": np.invert, "abs": np.absolute}.items():
    setattr(DeviceArray, f"__{_name}__", lambda self, ufunc=_ufunc: self.xp.call(ufunc, self))


class Namespace:
    """What stands for the module ``cupy``. waits: how often the host waited for the device, by the reason.

    capturing: launches are being captured, so that nothing else may be asked of the device.
    """

    def __init__(self) -> None:
        self.waits: Counter[str] = Counter()
        self.capturing = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in UFUNCS:
            return lambda *args: self.call(getattr(np, name), *args)
        if name not in FUNCTIONS:
            raise AttributeError(f"no {name} among FUNCTIONS in tests/gpu/device_arrays.py: add it if CuPy has it")
        function = _OWN.get(name, getattr(np, name))
        return lambda *args, **options: _function(self, function, FUNCTIONS[name], args, options)

    def wrapped(self, values: Any) -> Any:
        """Results of NumPy as they would be on the device."""
        if isinstance(values, tuple):
            return tuple(map(self.wrapped, values))
        return DeviceArray(np.asarray(values), self)

    def given(self, value: Any) -> Any:
        """The memory of an argument."""
        if isinstance(value, DeviceArray):
            if value.xp is not self:
                raise TypeError("an array of another device")
            return value.host
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError(GIVEN)
        return type(value)(map(self.given, value)) if isinstance(value, (list, tuple)) else value

    def call(self, function: Callable[..., Any], *args: Any, wrap: bool = True, **options: Any) -> Any:
        """A function of NumPy with arrays of the device."""
        self.refuse_capture()
        found = function(*map(self.given, args), **options)
        return self.wrapped(_flushed(found)) if wrap else found

    def refuse_capture(self) -> None:
        if self.capturing:
            raise TypeError("an array of the device is used while launches are captured")


def _function(xp: Namespace, function: Callable[..., Any], parameters: str, args: Any, options: dict[str, Any]) -> Any:
    """Call a function of the tables."""
    name, known = function.__name__, parameters.split()
    if len(args) > len(known) + (name in METHODS and getattr(np.ndarray, name) is function) or not options.keys() <= set(known):
        raise TypeError(f"{name} has the parameters {', '.join(known)}, found {len(args)} and {', '.join(options) or 'none'}")
    given = [xp.given(a) for a in args]
    if name in SUMS and given[0].dtype.kind == "f":
        raise TypeError(REAL_SUM)
    xp.waits[name] += name in WAITING
    return xp.call(function, *args, **{key: xp.given(value) for key, value in options.items()})


def _flushed(values: Any) -> Any:
    """Single precision without denormal numbers, the sign kept."""
    if getattr(values, "dtype", None) == np.float32:
        small = np.abs(values) < np.finfo(np.float32).tiny
        return np.where(small, np.copysign(np.float32(0), values), values) if small.any() else values
    return values
