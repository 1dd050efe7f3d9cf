"""The cupy backend: kernels written for the network, compiled as it is built, on an NVIDIA GPU.

Nothing of CuPy is imported with this module: every list of backends imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from snnsim.errors import Problem
from snnsim.plan import Plan

if TYPE_CHECKING:
    from snnsim.backends.cupy.device import Device
    from snnsim.engine import Engine


class CupyBackend:
    """The same spikes as the other backends give, in kernels that stay on the GPU.

    make: what makes the device, by default the first GPU. options: of ``GpuEngine``.
    """

    name = "cupy"
    about = "compiled kernels on an NVIDIA GPU; by default the first"
    rank = 20

    def __init__(self, make: Callable[[], Device] | None = None, **options: Any) -> None:
        self.make, self.options = make, options

    def lacks(self) -> str | None:
        """The driver, a device, CuPy, NVRTC or the headers of CUDA."""
        from snnsim.backends.cupy.info import fault

        return fault() if self.make is None else None

    def device(self) -> str:
        """The GPU and the versions of the libraries."""
        from snnsim.backends.cupy.info import device

        return device()

    def refuses(self, plan: Plan) -> list[Problem]:
        """Nothing: every model, rule and coupling has an emitter."""
        return []

    def memory(self, plan: Plan, threads: int | None = None) -> int:
        """Bytes of the host; what the device must have is asked of it before anything is allocated there."""
        from snnsim.backends.cupy.size import host_bytes

        return host_bytes(plan)

    def compile(self, plan: Plan, threads: int | None = None) -> Engine:
        """An engine; `threads` has no effect."""
        from snnsim.backends.cupy.engine import GpuEngine

        return GpuEngine(plan, self.make() if self.make else _gpu(), **self.options)


def _gpu() -> Device:
    from snnsim.backends.cupy.cuda import CudaDevice

    return CudaDevice()


backend = CupyBackend()
