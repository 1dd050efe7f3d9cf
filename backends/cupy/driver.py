"""The NVIDIA driver, asked directly: what is there, before any other library is imported."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache

LIBRARY = "libcuda.so.1"
# Of the driver's enumeration CUdevice_attribute.
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76


class DriverError(Exception):
    """What the driver answered in place of success, in its own words."""


@dataclass(frozen=True)
class Gpu:
    """A device. memory: bytes in all."""

    name: str
    memory: int
    capability: tuple[int, int]


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """The driver's library; None where there is none that can be loaded."""
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError:
        return None


def cuda_version() -> tuple[int, int] | None:
    """The newest CUDA that the driver knows; None without a driver."""
    found = library()
    if found is None:
        return None
    number = ctypes.c_int()
    _call("cuDriverGetVersion", ctypes.byref(number))
    return number.value // 1000, number.value % 1000 // 10


def device_count() -> int:
    """How many devices this process may use. Raises ``DriverError``."""
    _call("cuInit", 0)
    count = ctypes.c_int()
    _call("cuDeviceGetCount", ctypes.byref(count))
    return count.value


def device(index: int) -> Gpu:
    """The facts of a device. Raises ``DriverError``."""
    _call("cuInit", 0)
    handle, name, memory = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
    _call("cuDeviceGet", ctypes.byref(handle), index)
    _call("cuDeviceGetName", name, len(name), handle)
    _call("cuDeviceTotalMem_v2", ctypes.byref(memory), handle)
    capability = _attribute(handle, CAPABILITY_MAJOR), _attribute(handle, CAPABILITY_MINOR)
    return Gpu(name.value.decode(errors="replace"), memory.value, capability)


def _attribute(handle: ctypes.c_int, which: int) -> int:
    value = ctypes.c_int()
    _call("cuDeviceGetAttribute", ctypes.byref(value), which, handle)
    return value.value


def _call(name: str, *arguments: object) -> None:
    found = library()
    if found is None:
        raise DriverError(f"{LIBRARY} cannot be loaded")
    status = getattr(found, name)(*arguments)
    if status != 0:
        text = ctypes.c_char_p()
        found.cuGetErrorString(status, ctypes.byref(text))
        raise DriverError(f"{name}: {(text.value or b'unknown error').decode()} (error {status})")
