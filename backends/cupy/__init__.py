"""The cupy backend: kernels written for the network, compiled as it is built, on an NVIDIA GPU.

Nothing of CuPy is imported with this module: every list of backends imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from snnsim.errors import InputError, Problem
from snnsim.plan import Plan

if TYPE_CHECKING:
    from snnsim.backends.cupy.cuda import CudaDevice
    from snnsim.backends.cupy.device import Device
    from snnsim.engine import Engine


MOST_UNITS = (1 << 30) - 1    # a bit above the number of a row is a flag


class CupyBackend:
    """The same spikes as the other backends give, in kernels that stay on the GPU.

    places: numbers of the GPUs that it runs on. make: what makes another device than these. options: of the engine.
    """

    name = "cupy"
    about = "compiled kernels on an NVIDIA GPU; by default the first"
    rank = 20

    def __init__(self, make: Callable[[], Device] | None = None, places: Sequence[int] = (0,), **options: Any) -> None:
        self.make, self.places, self.options = make, tuple(places), options

    def at(self, where: str) -> CupyBackend:
        """The same on other GPUs: a number, several as ``0+1``, or ``all``. ``InputError`` where there is none."""
        from snnsim.backends.cupy.driver import device_count

        count = device_count()
        found = [str(k) for k in range(count)] if where == "all" else where.split("+")
        for text in found:
            if not (text.isascii() and text.isdigit() and int(text) < count) or found.count(text) > 1:
                known = "0" if count == 1 else f"numbers from 0 to {count - 1} such as 0+{count - 1}"
                raise InputError(f"expected GPUs as {known}, or all, found {where!r}")
        return CupyBackend(None, [int(text) for text in found], **self.options)

    def lacks(self) -> str | None:
        """The driver, a device, CuPy, NVRTC or the headers of CUDA."""
        from snnsim.backends.cupy.info import fault

        return fault() if self.make is None else None

    def device(self) -> str:
        """The GPU and the versions of the libraries."""
        from snnsim.backends.cupy.info import device

        return device()

    def refuses(self, plan: Plan) -> list[Problem]:
        """More units than rows can be numbered."""
        if plan.neurons <= MOST_UNITS:
            return []
        return [Problem("populations", f"expected at most {MOST_UNITS:,} units on a GPU, found {plan.neurons:,}")]

    def memory(self, plan: Plan, threads: int | None = None) -> int:
        """Bytes of the host; what the device must have is asked of it before anything is allocated there."""
        from snnsim.backends.cupy.size import host_bytes

        return host_bytes(plan)

    def compile(self, plan: Plan, threads: int | None = None) -> Engine:
        """An engine; `threads` has no effect."""
        from snnsim.backends.cupy.engine import GpuEngine

        if self.make:
            return GpuEngine(plan, self.make(), **self.options)
        from snnsim.backends.cupy.cuda import CudaDevice

        devices = [CudaDevice(place) for place in self.places]
        return GpuEngine(plan, devices[0], **self.options) if len(devices) == 1 else _group(plan, devices)


def _group(plan: Plan, devices: list[CudaDevice]) -> Engine:
    from snnsim.backends.cupy.exchange import Nccl
    from snnsim.backends.cupy.group import GpuGroup

    return GpuGroup(plan, devices, Nccl(devices))


backend = CupyBackend()
