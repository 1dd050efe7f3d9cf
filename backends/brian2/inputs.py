"""What comes from outside the network, handed over step by step: Brian2 sees the draws of snnsim, not its own.

At the beginning of each step the arrivals of every port are set to those of given spikes and Poisson inputs, in quanta
(synapses add to them); continuous inputs, and the draws of a model's own equations, get their value of the step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from brian2 import NeuronGroup

from snnsim.backends.brian2.language import DRAWS, own
from snnsim.backends.brian2.neurons import set_variable
from snnsim.draws import draw, normal
from snnsim.ir import Op
from snnsim.plan import Plan, Population

_OPS = {"poisson": Op.POISSON, "uniform": Op.UNIFORM, "normal": Op.NORMAL}


class Feed:
    """Sets what reaches one population in a step."""

    def __init__(self, plan: Plan, number: int, neurons: NeuronGroup) -> None:
        self.plan, self.it, self.neurons = plan, plan.populations[number], neurons
        assert self.it.model is not None
        self._tasks: list[Callable[[int], None]] = [partial(self._arrivals, port) for port in self.it.model.ports]
        self._tasks += [partial(self._drive, name) for name in self.it.model.drives]
        self._tasks += [partial(self._own, op, data) for op, data in own_draws(self.it)]

    def __call__(self, step: int) -> None:
        for task in self._tasks:
            task(step)

    def _arrivals(self, port: str, step: int) -> None:
        total = np.zeros(self.it.n)
        for schedule in self.it.schedules:
            if schedule.port == port:
                now = slice(*np.searchsorted(schedule.step, (step, step + 1)))
                np.add.at(total, schedule.unit[now], schedule.weight[now])
        for label, fed in self.it.poisson.items():
            if fed == port:
                count = draw(self.plan, self.it, Op.POISSON, (label, f"{label}.mean"), step)
                total += count * self.it.params[f"{label}.weight"]
        set_variable(self.neurons, f"{port}_arrivals", total)

    def _drive(self, name: str, step: int) -> None:
        total = np.zeros(self.it.n)
        if (drive := self.it.drives.get(name)) is not None:
            row = int(np.searchsorted(drive.steps, step, side="right")) - 1
            total += drive.values[row] if row >= 0 else 0.0
        for label, fed in self.it.noises.items():
            if fed == name:
                params, normal = self.it.params, self._drawn(Op.NORMAL, f"inputs.{label}", step)
                total += params[f"{label}.mean"] + params[f"{label}.sd"] * normal
        set_variable(self.neurons, own(name), total)

    def _own(self, op: Op, data: object, step: int) -> None:
        set_variable(self.neurons, DRAWS[op.name.lower()], self._drawn(op, data, step))

    def _drawn(self, op: Op, data: object, step: int) -> np.ndarray:
        return normal(self.plan, self.it, data, step) if op is Op.NORMAL else draw(self.plan, self.it, op, data, step)


def own_draws(population: Population) -> list[tuple[Op, object]]:
    """The draws that the equations of a model make themselves: operation and data."""
    fed = {*population.poisson, *(f"inputs.{label}" for label in population.noises)}
    found = [(op, data) for op in _OPS.values() for data in population.program.uses(op)]
    return [(op, data) for op, data in found if (data[0] if op is Op.POISSON else data) not in fed]
