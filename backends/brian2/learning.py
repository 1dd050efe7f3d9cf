"""All plastic projections of a network: what they need to hear of it in a step, and their state."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from snnsim.backends.brian2.plastic import PlasticSynapses, Spikes
from snnsim.plan import Plan
from snnsim.plastic import Sent


class Learning:
    """Hands over spikes and variables to the synapses that learn.

    variable: the values of a state or an output of a population, an array that can be written to. spikes: of a
    population in a step, as counts.
    """

    def __init__(self, plan: Plan, plastic: Mapping[int, PlasticSynapses], variable: Callable[[int, str], np.ndarray],
                 spikes: Spikes) -> None:
        self.plan, self.plastic, self.variable, self.spikes = plan, plastic, variable, spikes

    def begin(self) -> None:
        """Before the populations of a step: arrivals, and what the modulators are now."""
        for it in self.plastic.values():
            place = self._place(it)
            it.begin(None if place is None else self.variable(*place))

    def listen(self, step: int) -> None:
        """After them, before the synapses."""
        for it in self.plastic.values():
            it.listen(step, self.spikes)

    def end(self, step: int) -> dict[int, Sent]:
        """After the synapses; what they sent."""
        return {k: it.end(step, self.spikes) for k, it in self.plastic.items()}

    def _place(self, it: PlasticSynapses) -> tuple[int, str] | None:
        """Population and name of the variable that modulates."""
        modulator = it.rule.modulator
        return None if modulator is None or modulator.variable is None else (modulator.population, modulator.variable)

    # --- state -------------------------------------------------------------------------------------------------------

    def state(self, number: int) -> dict[str, np.ndarray]:
        """As ``Engine.plasticity`` says."""
        it = self.plastic[number]
        said = [("modulator", self.variable(*place).copy()) for place in self._said(it)]
        return it.state() | dict(said)

    def set_state(self, number: int, values: Mapping[str, np.ndarray]) -> None:
        """The opposite."""
        it = self.plastic[number]
        it.set_state(values)
        for place in self._said(it):
            self.variable(*place)[...] = values["modulator"]

    def _said(self, it: PlasticSynapses) -> list[tuple[int, str]]:
        """The output that modulates, where one does: no state has it."""
        place = self._place(it)
        known = place is None or place[1] in self.plan.populations[place[0]].program.states
        return [] if place is None or known else [place]

    def synapses_of(self, number: int) -> dict[str, np.ndarray]:
        """source, target, delay and w; see ``snnsim.engine``."""
        it = self.plastic[number]
        return {"source": it.source, "target": it.target, "delay": it.delay, "w": it.values["w"].copy()}
