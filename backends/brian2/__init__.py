"""The brian2 backend: the same network as Brian2 objects, an independent check of what the others compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnsim.errors import Problem
from snnsim.plan import Plan

if TYPE_CHECKING:
    from snnsim.backends.brian2.engine import Brian2Engine


class Brian2Backend:
    """Brian2's own integration, thresholds, queues and synapses; the draws and the wiring are snnsim's."""

    name = "brian2"
    about = "the same equations run by Brian2, in double precision: an independent check"
    rank = -10

    def lacks(self) -> str | None:
        """Brian2, or a NumPy that it works with."""
        from snnsim.backends.brian2.versions import fault

        return fault()

    def device(self) -> str:
        """The versions of Brian2 and NumPy."""
        from importlib.metadata import version

        return f"Brian2 {version('brian2')}, NumPy {version('numpy')}"

    def refuses(self, plan: Plan) -> list[Problem]:
        """What stands in the ledger."""
        from snnsim.backends.brian2.ledger import refused

        return refused(plan)

    def memory(self, plan: Plan, threads: int | None = None) -> int:
        """About 200 bytes per synapse while Brian2 sorts them, twice that where it learns, 100 per state and unit."""
        units = sum(100 * p.n * (4 + len(p.program.states)) for p in plan.populations)
        return units + sum((200 if p.plastic is None else 400) * p.bound.synapses for p in plan.projections)

    def compile(self, plan: Plan, threads: int | None = None) -> Brian2Engine:
        """An engine; `threads` has no effect."""
        from snnsim.backends.brian2.engine import Brian2Engine

        return Brian2Engine(plan)


backend = Brian2Backend()
