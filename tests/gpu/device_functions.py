"""Functions on arrays of a device without a GPU, as strict as those of CuPy; see ``device_arrays``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from gpu.device_arrays import GIVEN, DeviceArray, flushed

REAL_SUM = "a sum of real numbers, whose last bits depend on how a device adds: use a kernel or the host"
NUMBER = "an array of the device where a number of the host is expected: int() of it makes the host wait"
# Those that may be used, with their parameters in the order of CuPy.
FUNCTIONS = {
    "zeros": "shape dtype", "ones": "shape dtype", "empty": "shape dtype", "full": "shape fill_value dtype",
    "arange": "start stop step dtype", "argsort": "a axis kind", "sort": "a axis kind", "lexsort": "keys",
    "searchsorted": "a v side", "bincount": "x weights minlength", "unique": "ar return_index return_inverse return_counts",
    "nonzero": "a", "flatnonzero": "a", "where": "condition x y", "sum": "a axis dtype", "cumsum": "a axis dtype",
    "max": "a axis", "min": "a axis", "any": "a axis", "all": "a axis", "diff": "a n axis", "count_nonzero": "a axis",
    "concatenate": "tup axis", "stack": "tup axis", "repeat": "a repeats axis", "broadcast_to": "array shape",
    "ascontiguousarray": "a dtype", "take": "a indices axis", "ravel": "a order",
}
UFUNCS = frozenset((
    "add", "subtract", "multiply", "divide", "true_divide", "floor_divide", "remainder", "bitwise_and", "bitwise_or",
    "bitwise_xor", "left_shift", "right_shift", "invert", "equal", "not_equal", "less", "less_equal", "greater",
    "greater_equal", "logical_and", "logical_or", "logical_not", "maximum", "minimum", "absolute", "negative", "sign",
    "floor", "ceil", "rint", "sqrt", "isfinite", "isnan",
))
_CREATE = frozenset({"zeros", "ones", "empty", "full", "arange"})
_JOIN = frozenset({"concatenate", "stack"})
# The host waits for what they find, because the size of the result depends on it.
_WAIT = frozenset({"unique", "nonzero", "flatnonzero", "bincount"})
_JUNK = 0xCB    # where nothing was written


class Namespace:
    """What stands for the module ``cupy``. index: of the device.

    waits: how often the host waited for the device, by the reason. capturing: launches are being captured, so that
    nothing else may be asked of the device.
    """

    def __init__(self, index: int = 0) -> None:
        self.index, self.capturing = index, False
        self.waits: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in UFUNCS:
            return lambda *args: self.compute(getattr(np, name), *args)
        if name not in FUNCTIONS:
            raise AttributeError(f"{name} is not in FUNCTIONS of tests/gpu/device_functions.py; if CuPy has it, add it")
        return lambda *args, **options: self._function(name, args, options)

    def _function(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        parameters = FUNCTIONS[name].split()
        if len(args) > len(parameters) or not options.keys() <= {*parameters[len(args) :]}:
            raise TypeError(f"{name} takes ({', '.join(parameters)}), found {len(args)} and {[*options]}")
        first, *rest = (dict(zip(parameters, args, strict=False)) | options).items()
        _refuse(name, first[1], dict(rest))
        self.refuse_capture()
        if name in _WAIT or (name == "repeat" and isinstance(dict(rest)["repeats"], DeviceArray)):
            self.waits[name] += 1
        values = {key: self.given(value) for key, value in rest}
        return self.wrapped(_OWN.get(name, getattr(np, name))(self.given(first[1]), **values))

    def given(self, value: Any) -> Any:
        """The memory of an argument."""
        if isinstance(value, DeviceArray):
            if value.xp.index != self.index:
                raise TypeError(f"an array of device {value.xp.index} on device {self.index}")
            return value.host
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError(GIVEN)
        return [*map(self.given, value)] if isinstance(value, (list, tuple)) else value

    def wrapped(self, found: Any) -> Any:
        """What NumPy gave, on the device."""
        return tuple(map(self.wrapped, found)) if isinstance(found, tuple) else DeviceArray(np.asarray(found), self)

    def call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """A function of NumPy on the device."""
        self.refuse_capture()
        return self.wrapped(function(*map(self.given, args), **options))

    def compute(self, ufunc: np.ufunc, *args: Any) -> DeviceArray:
        """A function of each element."""
        return self.call(lambda *given: flushed(ufunc(*map(flushed, given))), *args)

    def refuse_capture(self) -> None:
        if self.capturing:
            raise TypeError("an array of the device is used while launches are captured")


# --- what differs from NumPy -------------------------------------------------------------------------------------------


def _refuse(name: str, first: Any, rest: dict[str, Any]) -> None:
    """Arguments that CuPy refuses, or for which it gives other numbers."""
    sizes = first if isinstance(first, (list, tuple)) else [first]
    if name in _CREATE and any(isinstance(value, DeviceArray) for value in (*sizes, *rest.values())):
        raise TypeError(NUMBER)
    for value in [] if name in _CREATE else first if name in _JOIN else [first]:
        if not isinstance(value, DeviceArray):
            raise TypeError(GIVEN if isinstance(value, np.ndarray) else f"{name} of CuPy does not take {type(value).__name__}")
    if name in ("sum", "cumsum") and first.dtype.kind == "f":
        raise TypeError(REAL_SUM)
    if (kind := rest.get("kind")) not in (None, "stable"):
        raise TypeError(f"{name} of CuPy is always stable: kind={kind!r}")


def _empty(shape: Any, dtype: Any = float) -> np.ndarray:
    """Not zero by chance."""
    found = np.empty(shape, dtype)
    found.reshape(-1).view(np.uint8)[:] = _JUNK
    return found


def _argsort(a: np.ndarray, axis: int | None = -1, kind: str | None = None) -> np.ndarray:
    return np.argsort(a, axis, kind="stable")


def _lexsort(keys: np.ndarray) -> np.ndarray:
    if not isinstance(keys, np.ndarray) or keys.ndim != 2:
        raise TypeError("lexsort of CuPy takes one array [keys, elements]")
    return np.lexsort(keys)


def _searchsorted(a: np.ndarray, v: np.ndarray | float, side: Any = "left") -> np.ndarray:
    """CuPy compares as C++ does, where a negative number is larger than any without a sign."""
    if not isinstance(v, (np.ndarray, int, float)):
        raise TypeError(f"searchsorted of CuPy does not take {type(v).__name__}")
    if isinstance(v, np.ndarray) and a.dtype.kind != v.dtype.kind:
        raise TypeError(f"searchsorted of {v.dtype} in {a.dtype}: make them alike first")
    return np.asarray(np.searchsorted(a, v, side))


def _bincount(x: np.ndarray, weights: None = None, minlength: int | None = None) -> np.ndarray:
    """CuPy adds weights in any order."""
    if weights is not None:
        raise TypeError(REAL_SUM)
    return np.bincount(x.astype(np.int64), minlength=minlength or 0)


def _where(condition: np.ndarray, x: Any, y: Any) -> np.ndarray:
    return np.where(condition, x, y)


_OWN: dict[str, Callable[..., np.ndarray]] = {
    "empty": _empty, "argsort": _argsort, "lexsort": _lexsort, "searchsorted": _searchsorted, "bincount": _bincount,
    "where": _where,
}
