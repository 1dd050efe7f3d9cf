"""The cupy backend: kernels written for the network, compiled as it is built, on an NVIDIA GPU.

Nothing of CuPy is imported with this module: every list of backends imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnsim.errors import Problem
from snnsim.plan import Plan

if TYPE_CHECKING:
    from snnsim.engine import Engine


class CupyBackend:
    """The same spikes as the other backends give, in kernels that stay on the GPU."""

    name = "cupy"
    about = "compiled kernels on an NVIDIA GPU; by default the first"
    rank = 20

    def lacks(self) -> str | None:
        """The driver, a device, CuPy, NVRTC or the headers of CUDA."""
        from snnsim.backends.cupy.info import fault

        return fault()

    def device(self) -> str:
        """The GPU and the versions of the libraries."""
        from snnsim.backends.cupy.info import device

        return device()

    def refuses(self, plan: Plan) -> list[Problem]:
        """Nothing yet."""
        return []

    def memory(self, plan: Plan, threads: int | None = None) -> int:
        """What the engine says of a plan."""
        from snnsim.backends.cupy.engine import memory

        return memory(plan)

    def compile(self, plan: Plan, threads: int | None = None) -> Engine:
        """An engine; `threads` has no effect."""
        from snnsim.backends.cupy.cuda import CudaDevice
        from snnsim.backends.cupy.engine import GpuEngine

        return GpuEngine(plan, CudaDevice())


backend = CupyBackend()
