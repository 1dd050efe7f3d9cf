"""What the GPU engine needs of a device: arrays, kernels, and a few facts.

The engine and the builder of networks are written over this, with arrays of ``device.xp``, so they run wherever there
is an implementation: ``snnsim.backends.cupy.cuda`` has the one for NVIDIA devices; the tests have one without a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

# The types of a kernel's parameters that are no arrays.
SCALARS = (np.int32, np.int64, np.uint32, np.float32, np.float64)


@dataclass(frozen=True)
class Limits:
    """What a device has.

    shared: bytes of shared memory that one block may have. memory: bytes in all. cooperative: it can run blocks that
    wait for each other.
    """

    multiprocessors: int
    shared: int
    memory: int
    capability: tuple[int, int]
    cooperative: bool
    threads: int = 1024


class Kernel(Protocol):
    """A compiled function of a module. spilled: bytes of each thread's registers that lie in memory instead."""

    spilled: int

    def __call__(
        self, blocks: int, threads: int, args: tuple[Any, ...], shared: int = 0, cooperative: bool = False,
    ) -> None:
        """Launch it. args: arrays of the device, and NumPy scalars of the exact types of its parameters.

        shared: bytes of dynamic shared memory. cooperative: the blocks may wait for each other.
        """


class Device(Protocol):
    """A device that runs kernels in the order in which they are launched."""

    xp: Any
    limits: Limits

    def current(self) -> AbstractContextManager[None]:
        """Inside, ``xp`` works on this device, in the order of its launches; too little memory is a ``RunError``."""

    def upload(self, values: np.ndarray) -> Any:
        """A copy on the device."""

    def download(self, array: Any) -> np.ndarray:
        """A copy on the host, made after all that was launched before."""

    def address(self, array: Any) -> int:
        """Of the first element."""

    def module(self, source: str, kernels: tuple[str, ...]) -> dict[str, Kernel]:
        """Compile a text, or find what was compiled before."""

    def resident_blocks(self, kernel: Kernel, threads: int, shared: int) -> int:
        """How many blocks the device runs at the same time."""

    def capture(self, launches: Callable[[], None]) -> Callable[[], None]:
        """What `launches` launches, as one thing that can be launched again and again."""

    def synchronize(self) -> None:
        """Wait until all that was launched is done."""

    def free(self) -> int:
        """Bytes that can be allocated now."""
