"""How much memory a network takes on a device and on the host, before anything is allocated."""

from __future__ import annotations

import numpy as np

from snnsim.backends.cupy.build import table_bytes
from snnsim.backends.cupy.coupling import coupled_bytes
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.draw import from_host
from snnsim.backends.cupy.history import slots_of
from snnsim.backends.cupy.layout import LANES, Layout
from snnsim.backends.cupy.learning import learning_bytes
from snnsim.backends.cupy.plastic_size import plastic_bytes
from snnsim.backends.cupy.shapes import per_unit
from snnsim.backends.cupy.source import KernelSource
from snnsim.errors import InputError, Problem
from snnsim.memory import in_words
from snnsim.plan import Plan

_TRACES = 64 << 20      # rows of a chunk
_LIBRARIES = 512 << 20  # what the driver and the libraries keep for themselves
# Bytes on the host per unit, per synapse that is not drawn on the device, and per synapse that has a number there.
_HOST_UNIT, _HOST_LISTED, _HOST_NUMBERED = 64, 64, 32


def device_bytes(plan: Plan, layout: Layout, source: KernelSource) -> int:
    """Bytes of the device that a network takes, an upper estimate."""
    bundles = sum(table_bytes(plan, layout, bundle) for bundle in layout.bundles)
    units = sum(_unit(source, k) * (high - low) for k in range(len(plan.populations))
                for low, high in [layout.bounds(k)])
    rings = (8 if layout.wide else 4) * len(layout.own) * layout.rows * max(1, layout.places)
    history = slots_of(plan, layout, source.counted) * layout.all_words * 4 * (1 + LANES * source.counted)
    traces = _TRACES if plan.traces or plan.weights else 0
    more = coupled_bytes(plan, layout) + plastic_bytes(plan, layout) + learning_bytes(plan, layout)
    return bundles + more + 3 * units + 3 * rings + history + traces


def _unit(source: KernelSource, number: int) -> int:
    """States, draws, parameters of its own and continuous inputs."""
    population, real = source.plan.populations[number], np.dtype(source.plan.dtype).itemsize
    shape = source.shapes[source.shape_number[number]]
    given = sum(8 for value in population.params.values() if np.ndim(value))
    drives = sum(real * drive.values.shape[0] for drive in population.drives.values() if drive.values.shape[1] > 1)
    return sum(size for _, size in per_unit(shape, source.plan.dtype)) + given + drives + 2 * real


def host_bytes(plan: Plan) -> int:
    """Bytes of the host: what differs between units, synapses that are not drawn on the device or whose weights are
    recorded.
    """
    listed = sum(p.bound.synapses for p in plan.projections if from_host(p) is not None)
    recorded = {request.projection for request in plan.weights}
    numbered = sum(plan.projections[k].bound.synapses for k in recorded)
    return _HOST_UNIT * plan.neurons + _HOST_LISTED * listed + _HOST_NUMBERED * numbered


def refuse_device(plan: Plan, layout: Layout, source: KernelSource, device: Device) -> None:
    """``InputError`` where a network does not fit on a device; nothing has been allocated yet."""
    needed, there = device_bytes(plan, layout, source) + _LIBRARIES, device.free()
    if needed <= there:
        return
    synapses = sum(p.bound.synapses for p in plan.projections)
    size = f"{plan.neurons:,} neurons and {synapses:,} synapses need about {in_words(needed)}"
    rest = f"{in_words(there)} of its {in_words(device.limits.memory)} are free"
    share = max(0, int(100 * (there - _LIBRARIES) / needed))
    fits = f"about {share} % of the network would fit" if share else "even an empty network would not fit"
    raise InputError(Problem("", f"network too large for the memory of the device: {size}, {rest}; {fits}"))
