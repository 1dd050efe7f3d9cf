"""The CPU backend: generated Numba loops, one thread per core, the same spikes on any number of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnsim.errors import Problem
from snnsim.plan import Plan
from snnsim.world import ALONE, World

if TYPE_CHECKING:
    from snnsim.backends.cpu.engine import CpuEngine


class CpuBackend:
    """The default engine."""

    name = "cpu"
    about = "compiled loops on the cores of this machine; the default"
    rank, ranked = 10, True

    def lacks(self) -> str | None:
        """Numba, where it cannot be imported."""
        try:
            import numba  # noqa: F401
        except ImportError as error:
            return f"Numba cannot be imported ({error}); install it with: pip install numba"
        return None

    def device(self) -> str:
        """Cores, processor and the version of Numba."""
        import numba

        from snnsim.cores import usable_cores

        return f"{usable_cores()} cores, Numba {numba.__version__}"

    def refuses(self, plan: Plan) -> list[Problem]:
        """Nothing yet: every model and rule has an emitter."""
        return []

    def memory(self, plan: Plan, threads: int | None = None, world: World = ALONE) -> int:
        """States, synapses as they are packed, lists of spikes, and what packing takes, in one process."""
        from snnsim.backends.cpu.engine import own_cores
        from snnsim.backends.cpu.size import memory

        return memory(plan, threads or own_cores(world), world)

    def compile(self, plan: Plan, threads: int | None = None, world: World = ALONE) -> CpuEngine:
        """The engine of a plan; by default one thread for each core that this process may use."""
        from snnsim.backends.cpu.engine import CpuEngine

        return CpuEngine(plan, threads, world)


backend = CpuBackend()
