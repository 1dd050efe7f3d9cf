"""The spikes of a step, as often as they are emitted.

Brian2's thresholds know whether a unit spikes; models such as relays and Poisson sources emit several spikes in a step.
Its queues and synapses take a unit several times, so what they read is the list of spikes with its repeats.
"""

from __future__ import annotations

import numpy as np
from brian2 import NeuronGroup
from brian2.synapses.synapses import SynapticPathway


class Emission:
    """The spikes of one population; called after its thresholds.

    counted: whether the model counts its spikes. units: those of the latest step, int64, sorted, a unit as often as it
    spiked.
    """

    def __init__(self, group: NeuronGroup, pathways: list[SynapticPathway], counted: bool) -> None:
        self.group, self.counted, self.units = group, counted, np.zeros(0, np.int64)
        self.pathways = [pathway for pathway in pathways if pathway.source is group]

    def __call__(self) -> None:
        if not self.group.thresholder:
            return
        units = np.asarray(self.group.spikes, np.int64)
        if self.counted:
            units = np.repeat(units, self.group.variables["emitted"].get_value()[units].astype(np.int64))
        self.publish(units)

    def publish(self, units: np.ndarray) -> None:
        """Let all synapses of the population see these spikes; Brian2 wants their number at the end of the list."""
        self.units = units
        space = np.append(units, units.size).astype(np.int32)
        for pathway in self.pathways:
            pathway.eventspace = space
