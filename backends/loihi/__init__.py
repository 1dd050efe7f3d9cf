"""The loihi backend: Loihi's fixed-point arithmetic, bit for bit, on the loops of the cpu backend or on a GPU."""

from __future__ import annotations

from snnsim.backends import cpu, cupy
from snnsim.engine import Engine
from snnsim.errors import InputError, Problem
from snnsim.network import Network
from snnsim.plan import Plan
from snnsim.world import World

_PLACES = "cpu and cupy (or cupy:1, ...)"


class LoihiBackend:
    """Runs what a chip could run, and refuses the rest. inner: the backend whose engine does it."""

    name = "loihi"
    about = "Loihi's fixed-point arithmetic, bit for bit: an emulator of the chip"
    rank = -1   # a chip is never chosen for a network that was not made for one

    def __init__(self, inner: cpu.CpuBackend | cupy.CupyBackend | None = None) -> None:
        self.inner = inner or cpu.backend

    def at(self, where: str) -> LoihiBackend:
        """The same on another engine: ``loihi:cupy``."""
        name, colon, rest = where.partition(":")
        if name == "cpu" and not colon:
            return LoihiBackend()
        if name != "cupy":
            raise InputError(f"expected one of {_PLACES} after loihi:, found {where!r}")
        if (reason := cupy.backend.lacks()) is not None:
            raise InputError(f"cupy cannot be used here: {reason}")
        return LoihiBackend(cupy.backend.at(rest) if colon else cupy.backend)

    def lacks(self) -> str | None:
        """What the engine below lacks."""
        return self.inner.lacks()

    def device(self) -> str:
        """Where the engine below runs."""
        return self.inner.device()

    def adapt(self, net: Network) -> Network:
        """A network of real numbers, quantised for Loihi 2; one in whole numbers as it is."""
        from snnsim.deploy.adapt import in_whole_numbers

        return in_whole_numbers(net)

    def refuses(self, plan: Plan) -> list[Problem]:
        """What no chip runs, and what the engine below does not."""
        from snnsim.deploy.limits import refused

        return refused(plan) or self.inner.refuses(plan)

    @property
    def ranked(self) -> bool:
        """Whether the engine below is."""
        return getattr(self.inner, "ranked", False)

    def memory(self, plan: Plan, threads: int | None = None, **among: World) -> int:
        """That of the engine below."""
        return self.inner.memory(plan, threads, **among)

    def compile(self, plan: Plan, threads: int | None = None, **among: World) -> Engine:
        """The engine of a plan."""
        return self.inner.compile(plan, threads, **among)


backend = LoihiBackend()
