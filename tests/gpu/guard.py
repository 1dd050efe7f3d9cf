"""Arrays between pages that no kernel can use, so that what goes beyond an array is found."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from gpu import gxx
from gpu.gxx import Mode
from gpu.host import load_runtime

# Of NumPy's C interface: the place of PyDataMem_SetHandler in the table of functions, and the name that it wants.
SET_HANDLER = 304
HANDLER_NAME = b"mem_handler"


@contextmanager
def guarded() -> Iterator[None]:
    """Arrays that NumPy makes meanwhile end at a page that no kernel can use, and begin after one, for all their lives.

    A kernel that reads or writes beyond them ends with a ``KernelError``; what it writes less than a page before one is
    found after the launch. Memory that ``numpy.empty`` gives holds 0xcb.
    """
    runtime = load_runtime(gxx.runtime(Mode()))
    handler = ctypes.addressof(ctypes.c_char.in_dll(runtime, "shim_guard"))
    before = _set_handler(_capsule(handler))
    try:
        yield
    finally:
        _set_handler(before)


def _capsule(handler: int) -> Any:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return new(handler, HANDLER_NAME, None)


def _set_handler(capsule: Any) -> Any:
    """NumPy's function of that name, which Python cannot call otherwise; returns the handler before."""
    table = ctypes.pythonapi.PyCapsule_GetPointer
    table.restype, table.argtypes = ctypes.POINTER(ctypes.c_void_p), (ctypes.py_object, ctypes.c_char_p)
    functions = table(np._core._multiarray_umath._ARRAY_API, None)
    return ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(functions[SET_HANDLER])(capsule)
