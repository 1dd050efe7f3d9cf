"""The reference backend: the meaning of a network in plain NumPy, step by step. Slow, complete, and compared to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snnsim.errors import Problem
from snnsim.plan import Plan

if TYPE_CHECKING:
    from snnsim.backends.reference.engine import ReferenceEngine


class ReferenceBackend:
    """Plain NumPy; runs everything."""

    name = "reference"
    about = "the meaning of a network, in plain NumPy: slow and complete"
    rank = 0

    def lacks(self) -> str | None:
        """Nothing."""
        return None

    def device(self) -> str:
        """The version of NumPy."""
        return f"NumPy {np.__version__}"

    def refuses(self, plan: Plan) -> list[Problem]:
        """Nothing."""
        return []

    def memory(self, plan: Plan, threads: int | None = None) -> int:
        """Synapses as five long integers each, four times while they are sorted; a few copies of the states."""
        units = sum(p.n * (16 * len(p.program.states) + 8 * len(p.program.instrs)) for p in plan.populations)
        return units + 160 * sum(p.bound.synapses for p in plan.projections)

    def compile(self, plan: Plan, threads: int | None = None) -> ReferenceEngine:
        """An engine; `threads` has no effect."""
        from snnsim.backends.reference.engine import ReferenceEngine

        return ReferenceEngine(plan)


backend = ReferenceBackend()
