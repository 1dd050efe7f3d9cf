"""A device without a GPU: CUDA kernels compiled by g++, each thread a fiber, arrays in the memory of the host.

It checks what a GPU would not say: arguments of another type than the parameter, threads that miss a barrier, writes
past shared memory; with ``gpu.guard`` uses of memory beyond arrays, with ``gpu.races`` races. A `seed` varies the order
of blocks and threads. Memory is not ordered weakly, and time says nothing.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gpu import gxx
from gpu.device_arrays import GIVEN, DeviceArray
from gpu.device_functions import Namespace
from gpu.gxx import Mode

from snnsim.backends.cupy.device import SCALARS, Limits

H200 = Limits(multiprocessors=132, shared=227 << 10, memory=141 << 30, capability=(9, 0), cooperative=True)
# Types of elements that are given for each other.
SAME = {"uint8": "int8", "bool": "int8", "uint16": "int16", "uint32": "int32", "uint64": "int64"}
# ThreadSanitizer has room for 8 191 in a process.
TSAN_THREADS = 8000


class KernelError(RuntimeError):
    """A kernel did what no kernel may do, or was launched as no device can."""


class Launch(ctypes.Structure):
    """As in shim/fibers.h."""

    _fields_ = (("kernel", ctypes.c_char_p), ("call", ctypes.c_void_p), ("slots", ctypes.c_char_p),
                ("blocks", ctypes.c_uint), ("threads", ctypes.c_uint), ("shared", ctypes.c_uint),
                ("cooperative", ctypes.c_uint), ("seed", ctypes.c_uint64))


class Fault(ctypes.Structure):
    """As in shim/runtime.cpp."""

    _fields_ = (("code", ctypes.c_size_t), ("array", ctypes.c_size_t))


class PlainDevice:
    """The Device protocol with arrays of NumPy: for tests of kernels by themselves.

    seed: other than 0, shuffles blocks and threads, each launch in another way. resident: blocks of a cooperative
    launch, at most. tsan: build for ThreadSanitizer; see ``gpu.races``. portable: switch between threads by the C library.
    """

    xp: Any = np

    def __init__(self, *, seed: int = 0, limits: Limits = H200, resident: int = 1 << 20,
                 tsan: bool = "SNNSIM_TSAN" in os.environ, portable: bool = False) -> None:
        self.limits = limits
        self.mode = Mode(tsan, portable)
        self.resident = resident
        self.runtime = load_runtime(gxx.runtime(self.mode))
        self._seeds = _seeds(seed)
        self._recorded: list[Callable[[], None]] | None = None

    def current(self) -> AbstractContextManager[None]:
        return nullcontext()

    def upload(self, values: np.ndarray) -> np.ndarray:
        return np.array(values, order="C")

    def download(self, array: np.ndarray) -> np.ndarray:
        return array.copy()

    def address(self, array: np.ndarray) -> int:
        return array.ctypes.data

    def module(self, source: str, kernels: tuple[str, ...]) -> dict[str, HostKernel]:
        library = ctypes.CDLL(str(gxx.module(source, kernels, self.mode)))
        lines = tuple(source.splitlines())
        return {name: HostKernel(self, name, library, lines, _launch_bound(source, name)) for name in kernels}

    def resident_blocks(self, kernel: HostKernel, threads: int, shared: int) -> int:
        return self.resident

    def capture(self, launches: Callable[[], None]) -> Callable[[], None]:
        """Launches are only noted meanwhile; what NumPy does meanwhile is done at once."""
        self._recorded = recorded = []
        try:
            launches()
        finally:
            self._recorded = None

        def replay() -> None:
            for run in recorded:
                run()

        return replay

    def synchronize(self) -> None:
        """Launches return when they are done."""

    def free(self) -> int:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def start(self, run: Callable[[], None]) -> None:
        """Run a launch, or note it for later."""
        if self._recorded is None:
            run()
        else:
            self._recorded.append(run)

    def next_seed(self) -> int:
        return next(self._seeds)

    def memory(self, array: Any) -> Any:
        """What a kernel gets for an argument."""
        return array


class HostDevice(PlainDevice):
    """The Device protocol with arrays as strict as those of CuPy, so that what runs here runs on a GPU.

    index: other devices do not know its arrays.
    """

    def __init__(self, *, index: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.functions = Namespace(index)

    @property
    def xp(self) -> Any:
        return self.functions

    def upload(self, values: np.ndarray) -> DeviceArray:
        if not isinstance(values, np.ndarray):
            raise TypeError(f"expected an array of NumPy, found {type(values).__name__}")
        self._wait("upload")
        return DeviceArray(super().upload(values), self.functions)

    def download(self, array: DeviceArray) -> np.ndarray:
        self._wait("download")
        return super().download(self.memory(array))

    def address(self, array: DeviceArray) -> int:
        """As of CuPy, 0 for an array without elements."""
        return super().address(self.memory(array)) if array.size else 0

    def capture(self, launches: Callable[[], None]) -> Callable[[], None]:
        self.functions.capturing = True
        try:
            return super().capture(launches)
        finally:
            self.functions.capturing = False

    def synchronize(self) -> None:
        self._wait("synchronize")

    def memory(self, array: Any) -> Any:
        if isinstance(array, np.ndarray):
            raise TypeError(GIVEN)
        return self.functions.given(array)

    def _wait(self, reason: str) -> None:
        self.functions.refuse_capture()
        self.functions.waits[reason] += 1


@dataclass(frozen=True)
class HostKernel:
    """A kernel of a module. lines: of its source. most: threads of a block that it was compiled for."""

    device: PlainDevice
    name: str
    library: ctypes.CDLL
    lines: tuple[str, ...]
    most: int
    spilled: int = 0

    def __call__(self, blocks: int, threads: int, args: tuple[Any, ...], shared: int = 0,
                 cooperative: bool = False) -> None:
        self._check_shape(blocks, threads, shared, cooperative)
        args = tuple(map(self.device.memory, args))
        slots = b"".join(_slots(self.name, args, self._types()))
        self.device.start(lambda: self._run(blocks, threads, args, slots, shared, cooperative))

    def _run(self, blocks: int, threads: int, args: tuple[Any, ...], slots: bytes, shared: int,
             cooperative: bool) -> None:
        """args: kept, because `slots` holds their addresses."""
        call = ctypes.cast(getattr(self.library, f"shim_call_{self.name}"), ctypes.c_void_p)
        launch = Launch(self.name.encode(), call, slots, blocks, threads, shared, cooperative, self.device.next_seed())
        if self.device.runtime.shim_run(ctypes.byref(launch)):
            message = self.device.runtime.shim_failure().decode() + self._fault(args)
            raise KernelError(self._with_lines(message))

    def _fault(self, args: tuple[Any, ...]) -> str:
        """Where a fault was: the line, and the argument."""
        fault = Fault.in_dll(self.device.runtime, "shim_fault")
        line = gxx.line_of(Path(self.library._name), fault.code) if fault.code else None
        found = f" at line {line}" if line else ""
        for number, arg in enumerate(args, 1):
            if isinstance(arg, np.ndarray) and fault.array and fault.array == _owner(arg).ctypes.data:
                found += f"\n  the array is argument {number}"
        return found

    def _types(self) -> list[str]:
        """Of the parameters: ``int32``, ``float64*``, ``any*``."""
        types = getattr(self.library, f"shim_types_{self.name}")
        types.restype = ctypes.POINTER(ctypes.c_char_p)
        found: list[str] = []
        for name in types():
            if name is None:
                return found
            found.append(name.decode())
        raise AssertionError("a list of types ends with a null pointer")

    def _check_shape(self, blocks: int, threads: int, shared: int, cooperative: bool) -> None:
        limits = self.device.limits
        for wrong, problem in (
            (blocks < 1, f"{blocks} blocks"),
            (threads < 1 or threads % 32, f"{threads} threads in a block, not a multiple of 32"),
            (threads > limits.threads, f"{threads} threads in a block, but the device has {limits.threads} at most"),
            (threads > self.most, f"{threads} threads in a block, but it was compiled for {self.most} at most"),
            (shared < 0 or shared > limits.shared,
             f"{shared} bytes of shared memory, but a block has {limits.shared} at most"),
            (self.device.mode.tsan and blocks * threads > TSAN_THREADS,
             f"{blocks * threads} threads, but ThreadSanitizer knows {TSAN_THREADS} at most"),
            (cooperative and not limits.cooperative, "a cooperative launch, which the device cannot do"),
            (cooperative and blocks > self.device.resident,
             f"{blocks} blocks that wait for each other, but the device runs {self.device.resident} at a time"),
        ):
            if wrong:
                raise KernelError(f"kernel {self.name} is launched with {problem}")

    def _with_lines(self, message: str) -> str:
        """Line numbers followed by the text of the line."""
        return re.sub(r"line (\d+)", lambda match: f"{match[0]} `{self.lines[int(match[1]) - 1].strip()}`", message)


def _owner(array: np.ndarray) -> np.ndarray:
    """The array that has the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def load_runtime(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.shim_failure.restype = ctypes.c_char_p
    return library


def _seeds(seed: int) -> Iterator[int]:
    """One for each launch; 0 leaves all in order."""
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(1, 1 << 63)) if seed else 0


def _launch_bound(source: str, kernel: str) -> int:
    """Of SNN_LAUNCH(n), a number or the name of one."""
    found = re.search(rf"SNN_LAUNCH\((\w+)\)\s*(?:void\s+)?{kernel}\b", source)
    if found is None:
        return 1 << 30
    named = re.search(rf"#define {found[1]} (\d+)\b", source)
    return int(named[1] if named else found[1])


# --- arguments -------------------------------------------------------------------------------------------------------


def _slots(kernel: str, args: tuple[Any, ...], types: list[str]) -> Iterator[bytes]:
    """Each argument in 8 bytes."""
    if len(args) != len(types):
        raise TypeError(f"kernel {kernel} takes {len(types)} arguments ({', '.join(types)}), not {len(args)}")
    for number, (arg, wanted) in enumerate(zip(args, types, strict=True), 1):
        found, slot = _described(arg)
        if _plain(found) != _plain(wanted) and not (wanted == "any*" and found.endswith("*")):
            raise TypeError(f"kernel {kernel}, argument {number}: expected {wanted}, found {found}")
        yield slot.ljust(8, b"\0")


def _plain(name: str) -> str:
    """Elements of arrays may differ in their sign; numbers may not."""
    return SAME.get(name[:-1], name[:-1]) + "*" if name.endswith("*") else name


def _described(arg: Any) -> tuple[str, bytes]:
    """The type of an argument as the shim names it, and its bytes."""
    if isinstance(arg, np.ndarray):
        if not arg.flags.c_contiguous:
            return "an array with gaps", b""
        return f"{arg.dtype.name}*", (arg.ctypes.data if arg.size else 0).to_bytes(8, "little")
    if isinstance(arg, SCALARS):
        return arg.dtype.name, arg.tobytes()
    return f"{type(arg).__module__}.{type(arg).__name__}", b""
