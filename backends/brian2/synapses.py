"""A projection as ``Synapses`` objects: one for each port that it reaches, and one more for links without delay.

A weight is a whole number of the port's quanta, so the sum of what arrives in a step does not depend on its order; what
a quantum is in volts or amps is multiplied in where the sum acts on the neuron.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup, Synapses, second

from snnsim.backends.brian2.neurons import slot
from snnsim.plan import Plan

# The slot at the beginning of a step in which what is due arrives.
DUE = "due"
Columns = dict[str, np.ndarray]


def connect(plan: Plan, number: int, groups: list[NeuronGroup], clock: Clock, code: Any) -> list[Synapses]:
    """The synapses of projection number `number`."""
    projection = plan.projections[number]
    target = plan.populations[projection.target]
    table, made = projection.table(target.n), []
    for port, name in enumerate(dict.fromkeys(projection.ports)):
        for instant in (False, True):
            rows = np.flatnonzero((table["port"] == port) & ((table["delay"] == 0) == instant))
            if rows.size:
                when = slot("instant", target.level) if instant else DUE
                label = f"projection_{number}_{name}{'_instant' if instant else ''}"
                made.append(_synapses(groups[projection.source], groups[projection.target], name, label, when,
                                      {key: column[rows] for key, column in table.items()}, clock, code))
    return made


def _synapses(source: NeuronGroup, target: NeuronGroup, port: str, label: str, when: str, table: Columns,
              clock: Clock, code: Any) -> Synapses:
    made = Synapses(source, target, "w : 1 (constant)", on_pre=f"{port}_arrivals_post += w", clock=clock, name=label,
                    codeobj_class=code)
    made.connect(i=table["source"], j=table["target"])
    made.w = table["weight"].astype(float)
    # Arrivals are fetched before the spikes of their step are known: those of the step before are the newest.
    made.delay = np.maximum(table["delay"] - 1, 0) * float(clock.dt) * second
    made.pre.when = when
    made.pre.codeobj_class = code
    return made
