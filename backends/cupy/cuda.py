"""The device of the GPU engine on NVIDIA hardware, by CuPy.

Everything runs on one stream of the device. It is an ordinary one, so what CuPy itself starts on the default stream,
such as ``xp.zeros``, and what is launched here wait for each other, and memory that CuPy gives back is not written too
early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cupy
import numpy as np
from cupy.cuda import driver, memory, runtime
from cupy.cuda.function import Function, Module

from snnsim.backends.cupy.compiler import compile
from snnsim.backends.cupy.cubin import resources
from snnsim.backends.cupy.device import SCALARS, Kernel, Limits
from snnsim.errors import RunError

# More dynamic shared memory than this must be asked for.
SHARED_BY_DEFAULT = 48 << 10


class CudaKernel:
    """A function of a module that is loaded on a device."""

    def __init__(self, device: CudaDevice, function: Function, name: str, spilled: int) -> None:
        self.spilled = spilled
        self._device = device
        self._function = function
        self._name = name
        self._shared = SHARED_BY_DEFAULT

    def __call__(
        self, blocks: int, threads: int, args: tuple[Any, ...], shared: int = 0, cooperative: bool = False,
    ) -> None:
        """Launch it; see ``Kernel``. Raises ``RuntimeError`` where blocks that wait for each other are too many."""
        self._check(args)
        self.allow(shared)
        if cooperative and blocks > (resident := self.resident(threads, shared)):
            # CuPy would launch fewer, with a warning
            raise RuntimeError(
                f"{self._name}: {blocks} blocks of {threads} threads and {shared} bytes of shared memory cannot wait "
                f"for each other: the device runs {resident} at the same time")
        self._device.launch(self._function, blocks, threads, args, shared, cooperative)

    def resident(self, threads: int, shared: int) -> int:
        """How many blocks the device runs at the same time."""
        self.allow(shared)
        with self._device.current():
            each = driver.occupancyMaxActiveBlocksPerMultiprocessor(self._function.ptr, threads, shared)
        return each * self._device.limits.multiprocessors

    def allow(self, shared: int) -> None:
        """Ask for so many bytes of dynamic shared memory per block."""
        if shared > self._shared:
            with self._device.current():
                which = driver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
                driver.funcSetAttribute(self._function.ptr, which, shared)
            self._shared = shared

    def _check(self, args: tuple[Any, ...]) -> None:
        """CuPy would pass a Python number as 64 bits, whatever the kernel expects."""
        for place, value in enumerate(args):
            if not isinstance(value, (cupy.ndarray, *SCALARS)):
                expected = ", ".join(kind.__name__ for kind in SCALARS)
                raise TypeError(f"{self._name}: argument {place} is of type {type(value).__name__}; expected an array "
                                f"of the device or one of {expected}")


@dataclass(frozen=True)
class Recording:
    """Launches that run again and again. held: functions and arguments; a graph of CUDA knows only their addresses."""

    device: cupy.cuda.Device
    stream: cupy.cuda.Stream
    graph: cupy.cuda.Graph
    held: list[Any]

    def __call__(self) -> None:
        """Launch them in their order."""
        with self.device:
            self.graph.launch(self.stream)


class CudaDevice:
    """An NVIDIA device; see ``Device``."""

    xp = cupy

    def __init__(self, index: int = 0) -> None:
        self._device = cupy.cuda.Device(index)
        with self._device:
            self._stream = cupy.cuda.Stream()
        self._held: list[Any] | None = None
        self.limits = self._limits()

    @property
    def index(self) -> int:
        """Its number among the GPUs."""
        return int(self._device.id)

    @property
    def stream(self) -> int:
        """Address of the stream that everything runs on."""
        return int(self._stream.ptr)

    def _limits(self) -> Limits:
        def attribute(name: str) -> int:
            return runtime.deviceGetAttribute(getattr(runtime, f"cudaDevAttr{name}"), self._device.id)

        return Limits(
            multiprocessors=attribute("MultiProcessorCount"),
            shared=attribute("MaxSharedMemoryPerBlockOptin"),
            memory=self._device.mem_info[1],
            capability=_capability(self._device.compute_capability),
            cooperative=bool(attribute("CooperativeLaunch")),
            threads=attribute("MaxThreadsPerBlock"),
        )

    @contextmanager
    def current(self) -> Iterator[None]:
        """Arrays made inside are on this device, and what CuPy starts is on its stream.

        Raises ``RunError`` where its memory does not suffice.
        """
        with self._device, self._stream:
            try:
                yield
            except memory.OutOfMemoryError as error:
                raise RunError(self._too_large(error)) from error

    def _too_large(self, error: Exception) -> str:
        total = self._device.mem_info[1]
        return (f"the memory of the GPU, {total / 2**30:.1f} GiB, does not suffice: {error} "
                "Run a smaller network, or on the processor: --backend cpu")

    def launch(
        self, function: Function, blocks: int, threads: int, args: tuple[Any, ...], shared: int, cooperative: bool,
    ) -> None:
        """Put a kernel on the stream that is current here: the device's own, or the one that is being captured."""
        with self._device:
            function((blocks,), (threads,), args, shared, self._stream, cooperative)
        if self._held is not None:
            self._held.append((function, args))

    def upload(self, values: np.ndarray) -> cupy.ndarray:
        """A copy on the device. The values may be changed afterwards."""
        with self.current():
            array = cupy.empty(values.shape, values.dtype)
            if values.size:
                array.set(np.ascontiguousarray(values), self._stream)
                self._stream.synchronize()
        return array

    def download(self, array: cupy.ndarray) -> np.ndarray:
        """A copy on the host, made after all that was launched before."""
        with self.current():
            return array.get(self._stream)

    def address(self, array: cupy.ndarray) -> int:
        """Of the first element."""
        return array.data.ptr

    def module(self, source: str, kernels: tuple[str, ...]) -> dict[str, Kernel]:
        """Compile a text, or find what was compiled before, and load it. Raises what ``compiler.compile`` raises."""
        major, minor = self.limits.capability
        code = compile(source, 10 * major + minor).data
        loaded, taken = Module(), resources(code)
        with self.current():
            loaded.load(code)
            return {name: CudaKernel(self, loaded.get_function(name), name, taken[name].stack) for name in kernels}

    def resident_blocks(self, kernel: Kernel, threads: int, shared: int) -> int:
        """How many blocks the device runs at the same time."""
        assert isinstance(kernel, CudaKernel)
        return kernel.resident(threads, shared)

    def capture(self, launches: Callable[[], None]) -> Callable[[], None]:
        """A CUDA graph of what `launches` launches; nothing of it runs now."""
        held: list[Any] = []
        self._held = held
        try:
            with self._device:
                graph = self._recorded(launches)
        finally:
            self._held = None
        return Recording(self._device, self._stream, graph, held)

    def _recorded(self, launches: Callable[[], None]) -> cupy.cuda.Graph:
        """Recorded on a stream of its own: CUDA forbids others to wait for one that is being captured."""
        usual, self._stream = self._stream, cupy.cuda.Stream(non_blocking=True)
        try:
            with self._stream:
                self._stream.begin_capture()
                try:
                    launches()
                finally:
                    graph = self._stream.end_capture()
        finally:
            self._stream = usual
        return graph

    def synchronize(self) -> None:
        """Wait until all that was launched is done."""
        self._stream.synchronize()

    def free(self) -> int:
        """Bytes that can be allocated now: those of the device, and those that CuPy keeps for later."""
        with self._device:
            return self._device.mem_info[0] + cupy.get_default_memory_pool().free_bytes()


def _capability(digits: str) -> tuple[int, int]:
    """The minor version is one digit: "120" is 12.0."""
    return int(digits[:-1]), int(digits[-1])
