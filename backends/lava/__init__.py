"""The lava backend: a fixed-point network as Lava's own processes, in an interpreter of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnsim.errors import Problem
from snnsim.plan import Plan

if TYPE_CHECKING:
    from snnsim.backends.lava.engine import LavaEngine

# Bytes: of a process of Lava, with what it shares counted once; of a synapse in all its copies; of a unit.
_PROCESS, _SYNAPSE, _UNIT = 30 << 20, 240, 400


class LavaBackend:
    """Lava's fixed-point process models; what comes from outside is snnsim's."""

    name = "lava"
    about = "fixed-point networks run by Intel's Lava 0.10 itself: the definition that the backend loihi is held to"
    rank = -20

    def lacks(self) -> str | None:
        """An interpreter that has Lava."""
        from snnsim.backends.lava.environment import fault

        return fault()

    def device(self) -> str:
        """The interpreter and the versions of what it has."""
        from snnsim.backends.lava.environment import interpreter

        found = interpreter()
        return f"{found.libraries}, Python {found.called} ({found.python})"

    def refuses(self, plan: Plan) -> list[Problem]:
        """What stands in the ledger."""
        from snnsim.backends.lava.ledger import refused

        return refused(plan)

    def memory(self, plan: Plan, threads: int | None = None) -> int:
        """Some processes for each population and projection, and in several of them a copy of the synapses."""
        processes = 4 + 2*len(plan.populations) + len(plan.projections)
        return processes*_PROCESS + _UNIT*plan.neurons + _SYNAPSE*sum(p.bound.synapses for p in plan.projections)

    def compile(self, plan: Plan, threads: int | None = None) -> LavaEngine:
        """An engine; `threads` has no effect."""
        from functools import partial

        from snnsim.backends.lava.engine import LavaEngine
        from snnsim.backends.lava.environment import interpreter
        from snnsim.deploy.from_plan import arrivals_of, graph_of

        return LavaEngine(plan, graph_of(plan), partial(arrivals_of, plan), interpreter())


backend = LavaBackend()
