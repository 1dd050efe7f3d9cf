"""How much memory the engine of a plan takes: what ``parts``, ``build`` and ``engine`` allocate, without doing so."""

from __future__ import annotations

import math

import numpy as np

from snnsim.backends.cpu.build import Bundle, Places, lay_out, make_bundles, meeting_interval
from snnsim.backends.cpu.coupling import coupled_memory
from snnsim.backends.cpu.learning import learning_memory
from snnsim.backends.cpu.pack import weight_type
from snnsim.backends.cpu.plastic_size import plastic_memory
from snnsim.ir import Op
from snnsim.plan import Plan, Population
from snnsim.slices import Slices
from snnsim.world import ALONE, World

_DRAWING = 20 << 20     # per thread, while synapses are drawn: some arrays of a block
_TRACES = 64 << 20      # rows of a chunk
_CHUNK = 5000           # steps of the longest chunk


def memory(plan: Plan, threads: int, world: World = ALONE) -> int:
    """Bytes that one process takes, an upper estimate; the lists of spikes under way may still grow beyond it.

    What is drawn for all units is drawn by every process; states and synapses are those of its own units.
    """
    slices = Slices.of(plan, threads, world.rank, world.size)
    places = lay_out(plan, slices)
    bundles = make_bundles(plan, places, threads * world.size)
    units = sum(p.n * (_given(plan, p) + _unit(plan, p) / world.size) for p in plan.populations)
    units += _sum(plan) * sum(places.totals)
    packed = sum(_bundle(plan, places, bundle, threads, world.size) for bundle in bundles)
    sorting = max((_synapses(bundle) * (1 if bundle.groups <= 1 << 8 else 4) for bundle in bundles), default=0)
    building = sorting / world.size + threads * (16 * plan.neurons + _DRAWING)
    more = (plastic_memory(plan, slices) + learning_memory(plan) + coupled_memory(plan)) / world.size
    return math.ceil(units + packed + building + _history(plan, slices) + _rows(plan) + more)


def _given(plan: Plan, population: Population) -> int:
    """Bytes per unit of parameters and initial values."""
    each = [*population.params.values(), *population.initial.values()]
    return sum(8 + plan.dtype().itemsize for value in each if np.ndim(value))


def _unit(plan: Plan, population: Population) -> int:
    """Bytes per unit besides: states (with two copies of them, for going back), drives, draws, marks."""
    real, program = plan.dtype().itemsize, population.program
    drives = sum((8 + real) * d.values.shape[0] + real for d in population.drives.values() if d.values.shape[1] > 1)
    counts = 12 * len(program.uses(Op.POISSON))
    words = 16 * (len(program.uses(Op.UNIFORM)) + len(program.uses(Op.NORMAL)))
    more = 4 + 8 * population.graded + real * len(program.uses(Op.DRIVE))
    return 3 * real * len(program.states) + drives + counts + words + more


def _bundle(plan: Plan, places: Places, bundle: Bundle, threads: int, processes: int) -> int:
    synapses = -(-_synapses(bundle) // processes)
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
    most = slices.most
    counted = any(p.counted for p in plan.populations)
    spikes = 4 * most * meeting_interval(plan, slices) * (2 if counted else 1) + (1 << 16)
    return (slices.parts + (slices.ranks > 1)) * (spikes * (12 if plan.graded else 4) + 24 * (plan.max_delay + _CHUNK))


def _rows(plan: Plan) -> int:
    """Rows of traces on their way to the file."""
    if not plan.traces:
        return 0
    return 2 * max(_TRACES, sum(16 * trace.units.size for trace in plan.traces))
