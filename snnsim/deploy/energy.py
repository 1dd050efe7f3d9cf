"""What a run would take on a chip: events counted first, then energy and time by the constants of the target.

Counts are exact but for two, which are at most what is said. A neuron is taken to be active in each step in which a
spike arrives or leaves, as if no two met in one step. A synapse is taken to be updated in every epoch if its source
ever sends. The time of a step is at least that of the busiest core and the barrier: messages under way are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from snnsim.deploy.graph import Graph
from snnsim.deploy.mapper.mesh import hops
from snnsim.deploy.mapper.placement import Placement
from snnsim.deploy.mapper.placing import counts
from snnsim.deploy.target import Cost, Target
from snnsim.errors import InputError


@dataclass(frozen=True)
class Constant:
    """What one event costs, or None where that is not known, and whose number it is."""

    event: str
    pj: float | None
    ns: float | None
    source: str
    sure: str


@dataclass(frozen=True)
class Energy:
    """The events of a run, and what they cost.

    label: of which chip the constants are. counts: events in all steps. pj: energy of all events of a kind, where it is
    known; static_pj: of the chips while they wait for the slowest core; step_ns: the least time of a step, on average;
    busiest: the core that takes it, -1 without cores.
    """

    label: str
    steps: int
    counts: Mapping[str, int]
    pj: Mapping[str, float]
    static_pj: float
    step_ns: float
    busiest: int
    constants: tuple[Constant, ...]

    @property
    def dynamic_pj(self) -> float:
        """Energy of all events together."""
        return sum(self.pj.values())

    def to_dict(self) -> dict[str, Any]:
        """In the types of JSON."""
        return {**asdict(self), "dynamic_pj": self.dynamic_pj, "dynamic_pj_per_step": self.dynamic_pj / self.steps}


def estimate(graph: Graph, placement: Placement, target: Target, spikes_per_unit: np.ndarray, steps: int) -> Energy:
    """Counts, energy and time of a run of `steps` in which each unit sent so many spikes, [units of the graph].

    Raises ``InputError`` where there is not one number for each unit, or no step.
    """
    if steps < 1:
        raise InputError(f"expected at least one step, found {steps}")
    spikes = counts(spikes_per_unit, graph)
    per_core = _per_core(graph, placement, spikes, steps)
    events, total = target.energy.events, {name: int(many.sum()) for name, many in per_core.items()}
    total |= _messages(placement, spikes) | {"barrier": steps}
    busy = sum((many * (getattr(events, name).ns or 0.0) for name, many in per_core.items()), np.zeros(1))
    step_ns = float(busy.max(initial=0.0)) / steps + (events.barrier.ns or 0.0)
    costs: dict[str, Cost] = {name: getattr(events, name) for name in total if hasattr(events, name)}
    return Energy(
        f"{target.energy.of} constants", steps, total,
        {name: total[name] * cost.pj for name, cost in costs.items() if cost.pj is not None},
        placement.chips * target.energy.static_mw_per_chip.value * step_ns * steps, step_ns,
        int(busy.argmax()) if placement.cores else -1,
        tuple(Constant(name, cost.pj, cost.ns, cost.source, cost.sure) for name, cost in costs.items()),
    )


def _per_core(graph: Graph, placement: Placement, spikes: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    """What happens on each core in all steps, int64 [cores]."""
    arrivals, updates = _at_synapses(graph, spikes, steps)
    active = np.minimum(arrivals + spikes, steps)
    each = {
        "synaptic_operation": arrivals, "neuron_active": active, "neuron_inactive": steps - active, "spike": spikes,
        "axon_out": spikes * placement.routes.many, "learning_update": updates,
    }
    on, n = placement.core >= 0, len(placement.cores)
    return {name: np.bincount(placement.core[on], weights=many[on], minlength=n).astype(np.int64)
            for name, many in each.items()}


def _at_synapses(graph: Graph, spikes: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Spikes that arrive at each unit over all of its synapses, and updates of those that learn."""
    arrivals, updates = np.zeros(spikes.size), np.zeros(spikes.size)
    for connection in graph.connections:
        source, target = graph.first[connection.source], graph.first[connection.target]
        n, sent = graph.groups[connection.target].n, spikes[source + connection.pre]
        arrivals[target : target + n] += np.bincount(connection.post, weights=sent, minlength=n)
        if connection.learning is not None:
            learned = np.bincount(connection.post, weights=sent > 0, minlength=n)
            updates[target : target + n] += learned * (steps // connection.learning.t_epoch)
    return arrivals, updates


def _messages(placement: Placement, spikes: np.ndarray) -> dict[str, int]:
    """What goes between cores in all steps, and how far."""
    unit, core = placement.routes.unit, placement.routes.place
    source, many = placement.core[unit], spikes[unit]
    sent = source >= 0
    across, along = hops(placement.places, source[sent], core[sent])
    chip = placement.places.chip
    return {
        "message": int(many.sum()), "message_from_host": int(many[~sent].sum()),
        "message_between_chips": int(many[sent] @ (chip[source[sent]] != chip[core[sent]])),
        "hop_east_west": int(many[sent] @ across), "hop_north_south": int(many[sent] @ along),
    }
