"""How much memory plastic projections take on a device: what ``plastic_build`` and ``plastic_arrays`` allocate."""

from __future__ import annotations

import numpy as np

from snnsim.backends.cupy.build import own_synapses
from snnsim.backends.cupy.coupling_source import index_type
from snnsim.backends.cupy.draw import drawing_bytes
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.plastic_arrays import rows_for
from snnsim.plan import Plan, Projection
from snnsim.synapse_rules import Delays, plastic_numbers, rule_of

_COPIES = 3         # of all that changes: itself, and two for going back
_SORTING = 176      # bytes of a synapse while the columns of a projection are sorted
_LOGGED = 1 << 20   # events that logs hold


def plastic_bytes(plan: Plan, layout: Layout) -> int:
    """Bytes of the device that plastic projections take at most, an upper estimate."""
    projections = [plan.projections[k] for k in plastic_numbers(plan)]
    asked = sum(16 * len(r.synapses) + _LOGGED * 32 * r.on_pre for r in plan.weights)
    packing = max((_packing(plan, layout, p) for p in projections), default=0)
    return sum(_kept(plan, layout, p) for p in projections) + asked + packing


def _kept(plan: Plan, layout: Layout, projection: Projection) -> int:
    rule, delays, real = rule_of(projection), Delays.of(plan, projection), np.dtype(plan.dtype).itemsize
    (low, high), n_source = layout.bounds(projection.target), plan.populations[projection.source].n
    n_target, rows = high - low, rows_for(2 * layout.epoch + 1)
    numbers = sum(np.dtype(index_type(n)).itemsize for n in (n_source, n_target, delays.count))
    each = {"pre": rows * n_source, "post": 2 * rows_for(layout.epoch + delays.depth) * n_target,
            "modulator": 2 * len(layout.own)}
    traces = sum(each[trace.on] for trace in rule.traces) * real
    shown = rows * plan.populations[rule.modulator.population].n * real if rule.modulator is not None else 0
    sent = rows_for(delays.depth) * n_target * (8 if layout.wide else 4)
    last, synapses = 8 * rows * n_source, own_synapses(layout, projection)
    changing = synapses * real * (1 + len(rule.states)) + traces + shown + sent + last
    ends = 4 * len(layout.own) * (n_source + 1) + 4 * (n_target * max(1, delays.groups) + 1)
    return (synapses * (numbers + 4) + _COPIES * changing + ends + 8 * n_target + 4 * layout.all_words
            + 64 * len(layout.own))


def _packing(plan: Plan, layout: Layout, projection: Projection) -> int:
    """What is needed besides while a projection is drawn and sorted."""
    low, high = layout.bounds(projection.target)
    rows = len(layout.own) * plan.populations[projection.source].n
    columns = (high - low) * max(1, Delays.of(plan, projection).groups)
    return (own_synapses(layout, projection) * _SORTING + 24 * (rows + columns)
            + drawing_bytes(layout, projection))
