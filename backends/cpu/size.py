"""How much memory the engine of a plan takes: what ``parts``, ``build`` and ``engine`` allocate, without doing so."""

from __future__ import annotations

import numpy as np

from snnsim.backends.cpu.build import Bundle, Places, lay_out, make_bundles, meeting_interval
from snnsim.backends.cpu.coupling import coupled_memory
from snnsim.backends.cpu.learning import learning_memory
from snnsim.backends.cpu.pack import weight_type
from snnsim.backends.cpu.plastic_size import plastic_memory
from snnsim.ir import Op
from snnsim.plan import Plan, Population
from snnsim.slices import Slices

_DRAWING = 20 << 20     # per thread, while synapses are drawn: some arrays of a block
_TRACES = 64 << 20      # rows of a chunk
_CHUNK = 5000           # steps of the longest chunk


def memory(plan: Plan, threads: int) -> int:
    """Bytes, an upper estimate; the lists of spikes under way may still grow beyond it."""
    slices = Slices.of(plan, threads)
    places = lay_out(plan, slices)
    bundles = make_bundles(plan, places)
    units = sum(p.n * _unit(plan, p) for p in plan.populations) + _sum(plan) * sum(places.totals)
    packed = sum(_bundle(plan, places, bundle, threads) for bundle in bundles)
    sorting = max((_synapses(bundle) * (1 if bundle.groups <= 1 << 8 else 4) for bundle in bundles), default=0)
    building = sorting + threads * (16 * plan.neurons + _DRAWING)
    more = plastic_memory(plan, slices) + learning_memory(plan) + coupled_memory(plan)
    return units + packed + building + _history(plan, slices) + _rows(plan) + more


def _unit(plan: Plan, population: Population) -> int:
    """Bytes per unit: states (with two copies of them, for going back), parameters, drives, draws, marks."""
    real, program = plan.dtype().itemsize, population.program
    each = [*population.params.values(), *population.initial.values()]
    given = sum(8 + real for value in each if np.ndim(value))
    drives = sum((8 + real) * d.values.shape[0] + real for d in population.drives.values() if d.values.shape[1] > 1)
    counts = 12 * len(program.uses(Op.POISSON))
    words = 16 * (len(program.uses(Op.UNIFORM)) + len(program.uses(Op.NORMAL)))
    more = 4 + 8 * population.graded + real * len(program.uses(Op.DRIVE))
    return 3 * real * len(program.states) + given + drives + counts + words + more


def _bundle(plan: Plan, places: Places, bundle: Bundle, threads: int) -> int:
    synapses = _synapses(bundle)
    rows = threads * plan.neurons * bundle.groups * (4 if synapses < 1 << 32 else 8)
    widest = max(places.windows[t][bundle.window] for t in range(threads)) if bundle.window >= 0 else None
    target = 2 if widest is not None and widest[1] - widest[0] <= 1 << 16 else 4
    if bundle.kind == "rows":
        return rows + synapses * target + threads * 8 * plan.neurons
    stored = np.dtype(weight_type(plan, bundle)).itemsize
    if bundle.kind != "ring":
        return rows + synapses * (target + stored)
    longest = max(bundle.delays) + 1
    delay = 2 if longest <= 1 << 16 else 4
    return rows + synapses * (target + stored + delay) + _sum(plan) * longest * sum(places.totals)


def _synapses(bundle: Bundle) -> int:
    return sum(p.bound.synapses for p in bundle.projections)


def _sum(plan: Plan) -> int:
    """Bytes of the sum of arrivals at a port of a unit."""
    return 8 if any(port.bound >= 1 << 31 for p in plan.populations for port in p.ports.values()) else 4


def _history(plan: Plan, slices: Slices) -> int:
    """Spikes of the longest delay, and where each step's begin."""
    most = max(sum(slices.size(k, t) for k in range(len(plan.populations))) for t in range(slices.parts))
    counted = any(p.counted for p in plan.populations)
    spikes = 4 * most * meeting_interval(plan, slices) * (2 if counted else 1) + (1 << 16)
    return slices.parts * (spikes * (12 if plan.graded else 4) + 24 * (plan.max_delay + _CHUNK))


def _rows(plan: Plan) -> int:
    """Rows of traces on their way to the file."""
    if not plan.traces:
        return 0
    return 2 * max(_TRACES, sum(16 * trace.units.size for trace in plan.traces))
