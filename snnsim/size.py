"""How much memory a network needs, said before it is built.

Two questions, because the first must be asked before anything that grows with the network is made: `network_bytes` is
what every backend needs, from sizes alone; ``Backend.memory`` is what one of them needs, from the plan. Where synapses
stand is a backend's own affair: a GPU may hold what its host cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnsim.distributions import Value
from snnsim.errors import InputError, Problem
from snnsim.graph import Current, Noise, Poisson, Population, Projection
from snnsim.memory import available, in_words
from snnsim.synaptic import Synaptic
from snnsim.world import ALONE, World

if TYPE_CHECKING:
    from snnsim.network import Network
    from snnsim.plan import Plan

_DRAWN = 80     # bytes per unit while a value that differs between units is drawn, and of what is computed from it
_STATE = 8      # the initial value, and what the state takes


def network_bytes(net: Network) -> int:
    """Bytes that a network needs at least: states, what differs between units, and synapses that are looked at."""
    units = sum(population.n * (_STATE * len(population.model.states) + _DRAWN * _varying(net, population))
                for population in net.populations.values())
    traces = sum(_STATE * trace.population.n for trace in net.recording.traces if trace.units is None)
    looked_at = (p for p in net.projections if isinstance(p.weight, Synaptic) or isinstance(p.delay, Synaptic))
    return units + traces + sum(_least(projection) for projection in looked_at)


def _varying(net: Network, population: Population) -> int:
    """How many numbers each unit has of its own, besides its states."""
    values = [*population.params.values(), *population.init.values()]
    for entry in net.inputs.values():
        if isinstance(entry, (Current, Noise)) and any(k.target is population for k in entry.injections):
            values += entry.values if isinstance(entry, Current) else (entry.mean, entry.sd)
        elif isinstance(entry, Poisson) and any(k.target is population for k in entry.links):
            values.append(entry.rate)
    return sum(value.constant is None for value in values)


def _least(projection: Projection) -> int:
    """2 bytes for the target of a synapse, and for a weight that is not shared. All its values are drawn for a plan."""
    return projection.bound.synapses * (2 if _is_constant(projection.weight) else 4)


def _is_constant(value: Value) -> bool:
    return value.constant is not None


def refuse_network(net: Network, world: World = ALONE) -> None:
    """Raise ``InputError`` where a network cannot fit into memory whatever runs it; nothing has been drawn yet."""
    refuse(world.beside * network_bytes(net), sum(p.n for p in net.populations.values()),
           sum(p.bound.synapses for p in net.projections))


def refuse_plan(plan: Plan, needed: int) -> None:
    """Raise ``InputError`` where a plan cannot fit, which needs that many bytes with the backend chosen."""
    refuse(needed, plan.neurons, sum(p.bound.synapses for p in plan.projections), plan.max_delay)


def refuse(needed: int, neurons: int, synapses: int, delay: int = 0) -> None:
    """Raise ``InputError`` with the estimate where it exceeds what is free. delay: the longest, in steps."""
    there = available()
    if there is None or needed <= there:
        return
    steps = f" with delays of up to {delay:,} steps" if delay > 1 << 16 else ""
    size = f"{neurons:,} neurons and {synapses:,} synapses{steps} need about {in_words(needed)}"
    raise InputError(Problem("", f"network too large for memory: {size}, {in_words(there)} are free"))
