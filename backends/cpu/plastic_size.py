"""How much memory plastic projections take: what ``plastic_build`` and ``plastic`` allocate, without doing so."""

from __future__ import annotations

import numpy as np

from snnsim.backends.cpu.plastic_build import index_type
from snnsim.plan import Plan, Projection
from snnsim.slices import Slices
from snnsim.synapse_rules import Delays, plastic_numbers, rule_of

_COPIES = 3     # of all that changes: itself, and two for going back
_LOGGED = 1 << 20


def plastic_memory(plan: Plan, slices: Slices) -> int:
    """Bytes, an upper estimate, with what packing takes."""
    projections = [plan.projections[k] for k in plastic_numbers(plan)]
    logs = slices.parts * _LOGGED * sum(r.on_pre for r in plan.weights)
    asked = sum(32 * len(r.synapses) * slices.parts for r in plan.weights)
    ranks = max((16 * p.bound.synapses for p in projections), default=0) if plan.weights else 0
    return (sum(_kept(plan, p, slices) for p in projections) + logs + asked
            + max([ranks, *(_packing(plan, p) for p in projections)]))


def _sizes(plan: Plan, projection: Projection) -> tuple[int, int, int, int]:
    """Bytes of the source, target, delay and place of a synapse."""
    source, target = plan.populations[projection.source].n, plan.populations[projection.target].n
    delays = Delays.of(plan, projection)
    delay = np.dtype(index_type(delays.count)).itemsize if delays.count > 1 else 0
    place = 4 if projection.bound.synapses < 1 << 32 else 8
    return np.dtype(index_type(source)).itemsize, np.dtype(index_type(target)).itemsize, delay, place


def _kept(plan: Plan, projection: Projection, slices: Slices) -> int:
    rule, delays, real = rule_of(projection), Delays.of(plan, projection), plan.dtype().itemsize
    source, target = plan.populations[projection.source].n, plan.populations[projection.target].n
    place = _sizes(plan, projection)[3]
    synapse = sum(_sizes(plan, projection)) + _COPIES * real * (1 + len(rule.states))
    each = {"pre": slices.parts * source, "post": 2 * delays.depth * target, "modulator": slices.parts}
    traces = sum(each[trace.on] for trace in rule.traces) * real + 8 * delays.depth * target
    ends = slices.parts * source * place + target * max(1, delays.groups) * place
    last = slices.parts * source * 8
    return projection.bound.synapses * synapse + _COPIES * (traces + last) + ends + 16 * target + slices.parts * 4096


def _packing(plan: Plan, projection: Projection) -> int:
    """Everything drawn, twice while blocks are joined, and the orders in which it is sorted."""
    source, target, delay, place = _sizes(plan, projection)
    drawn = source + target + delay + (0 if projection.constant_weight else plan.dtype().itemsize)
    return projection.bound.synapses * (2 * drawn + 2 * place)
