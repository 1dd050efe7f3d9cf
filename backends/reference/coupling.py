"""The meaning of a continuous coupling: what all synapses of a projection add in a step."""

from __future__ import annotations

import numpy as np

from snnsim.ir.exact import lower
from snnsim.ir.interpret import Environment, interpret
from snnsim.plan import Plan
from snnsim.plastic import check_adds


class CoupledProjection:
    """Synapses of one projection, with the sums that they add to the input of their targets."""

    def __init__(self, plan: Plan, number: int) -> None:
        self.plan, self.it = plan, plan.projections[number]
        assert self.it.coupling is not None
        self.rule = self.it.coupling
        self.program = lower(self.rule.program, plan.dtype)
        table = self.it.table(plan.populations[self.it.target].n)
        self.source, self.target = table["source"], table["target"]
        self.weight = table["weight"].astype(plan.dtype)

    def sums(self, step: int, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """What arrives at each target in `step`, int64 [n_target] in quanta, from the variable of both sides."""
        drives = {"w": self.weight, "pre": source[self.source], "post": target[self.target]}
        adds = interpret(self.program, Environment(self.plan.dtype, self.rule.params, drives=drives)).outputs["adds"]
        adds = np.broadcast_to(adds, self.source.shape)
        check_adds(self.plan, self.it, step, self.source, self.target, adds)
        total = np.zeros(target.size, np.int64)
        np.add.at(total, self.target, np.rint(adds.astype(np.float64) / self.rule.quantum).astype(np.int64))
        return total
