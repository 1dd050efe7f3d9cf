"""All synapses of a network: static ones, plastic ones and couplings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from brian2 import Clock, NeuronGroup, Synapses

from snnsim.backends.brian2 import coupling, plastic, synapses
from snnsim.plan import Plan


def sums(plan: Plan, number: int) -> list[str]:
    """Names of what synapses sum up for the units of population number `number`."""
    mine = [(k, p) for k, p in enumerate(plan.projections) if p.target == number]
    return [*(plastic.total(k) for k, p in mine if p.plastic and p.plastic.interval),
            *(coupling.total(k) for k, p in mine if p.coupling)]


class Wiring:
    """The synapses of a plan.

    links: what Brian2 has to run; pathways: those that spikes are put into. plastic: number of a projection -> its
    synapses. runners: name of an object of Brian2 -> what runs in its place.
    """

    def __init__(self, plan: Plan, groups: list[NeuronGroup], clock: Clock, code: Any) -> None:
        common, numbered = (groups, clock, code), list(enumerate(plan.projections))
        self.links: list[Synapses] = [s for k, p in numbered if p.spiking for s in synapses.connect(plan, k, *common)]
        self.pathways = [link.pre for link in self.links]
        self.plastic = {k: plastic.PlasticSynapses(plan, k, *common) for k, p in numbered if p.plastic}
        self.runners: dict[str, Any] = {}
        coupled = [coupling.CoupledSynapses(plan, k, *common) for k, p in numbered if p.coupling]
        coupling.add_up(plan, coupled, *common)
        self._take([*self.plastic.values(), *coupled])

    def _take(self, rules: Iterable[plastic.PlasticSynapses | coupling.CoupledSynapses]) -> None:
        for each in rules:
            self.links += [each.synapses] if each.synapses is not None else []
            self.pathways += each.pathways
            self.runners |= each.runners
