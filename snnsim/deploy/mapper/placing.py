"""Units of a graph to cores, and cores to chips.

Groups are cut into contiguous pieces that just fit on a core, small pieces share one, and cores that exchange much are
put near each other. All of it depends on the graph, the target and the activity alone. Nothing here fails: what does
not fit is reported with what would make it fit, and is placed as well as it can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snnsim.deploy.graph import Graph
from snnsim.deploy.mapper.mesh import Places, arranged, places, traffic
from snnsim.deploy.mapper.packing import pack
from snnsim.deploy.mapper.pieces import Piece, cut_all, neuron_bits
from snnsim.deploy.mapper.placement import Core, Placement, Share
from snnsim.deploy.mapper.routes import Routes, routes
from snnsim.deploy.target import Target
from snnsim.deploy.mapper.violations import violations
from snnsim.deploy.mapper.wiring import outgoing
from snnsim.errors import InputError, unknown


@dataclass(frozen=True)
class Activity:
    """Spikes that were counted in so many steps: of each unit of the graph, int64 [units], or of each group by name."""

    spikes: np.ndarray | Mapping[str, int]
    steps: int

    def rates(self, graph: Graph) -> np.ndarray:
        """Spikes per step of each unit, float64 [units]; of a group, on average."""
        if self.steps < 1:
            raise InputError(f"expected at least one step, found {self.steps}")
        return self._counts(graph) / self.steps

    def _counts(self, graph: Graph) -> np.ndarray:
        if not isinstance(self.spikes, Mapping):
            return counts(self.spikes, graph)
        names = [group.name for group in graph.groups]
        for name in self.spikes:
            if name not in names:
                raise InputError(unknown("group", name, names))
        return np.concatenate([np.full(group.n, self.spikes.get(group.name, 0) / group.n) for group in graph.groups])


def counts(spikes: np.ndarray, graph: Graph) -> np.ndarray:
    """Spikes of each unit as they were given; ``InputError`` where they are not one number for each."""
    found = np.asarray(spikes)
    if found.shape != (graph.first[-1],) or found.dtype.kind not in "iuf":
        raise InputError(f"expected the spikes of {graph.first[-1]} units, found {found.dtype} of shape {found.shape}")
    if not (np.isfinite(found) & (found >= 0)).all():
        raise InputError("expected numbers of spikes, found one that is negative or not finite")
    return found


def place(graph: Graph, target: Target, activity: Activity | None = None) -> Placement:
    """The units of `graph` on the cores of `target`; by `activity` those that talk are put together.

    Raises ``InputError`` where the activity is not that of the graph.
    """
    rates = np.ones(graph.first[-1]) if activity is None else activity.rates(graph)
    wires = outgoing(graph)
    pieces = cut_all(graph, target, wires)
    packed = pack(pieces, graph, target)
    away = routes(wires, _core_of(packed, graph))
    order = arranged(traffic(away, _core_of(packed, graph), rates, len(packed)), len(packed), target)
    packed = [packed[k] for k in order]
    core = _core_of(packed, graph)
    away = Routes(away.start, np.argsort(order).astype(np.int32)[away.place])
    at = places(len(packed), target)
    cores = _cores(packed, graph, target, core, away, at)
    return Placement(
        graph.name, target, core, cores, at, away, traffic(away, core, rates, len(packed)),
        "one spike of each unit in each step" if activity is None else "counted",
        tuple(violations(graph, target, pieces, cores)),
    )


def _core_of(packed: list[list[Piece]], graph: Graph) -> np.ndarray:
    """The core of each unit, int32 [units]."""
    core = np.full(graph.first[-1], -1, np.int32)
    for number, pieces in enumerate(packed):
        for piece in pieces:
            core[graph.first[piece.group] + piece.start : graph.first[piece.group] + piece.stop] = number
    return core


def _cores(
    packed: list[list[Piece]], graph: Graph, target: Target, core: np.ndarray, away: Routes, at: Places,
) -> tuple[Core, ...]:
    n, placed = len(packed), core >= 0
    axons_in = np.bincount(away.place, minlength=n)
    axons_out = np.bincount(core[placed], weights=away.many[placed], minlength=n).astype(np.int64)
    synapses = _synapses(graph, core, n)
    return tuple(
        _core(pieces, graph, target, chip=int(at.chip[k]), column=int(at.column[k]), row=int(at.row[k]),
              synapses=int(synapses[k]), axons_in=int(axons_in[k]), axons_out=int(axons_out[k]))
        for k, pieces in enumerate(packed)
    )


def _synapses(graph: Graph, core: np.ndarray, cores: int) -> np.ndarray:
    """How many are on each core."""
    many = np.zeros(cores + 1, np.int64)
    for connection in graph.connections:
        many += np.bincount(core[graph.first[connection.target] + connection.post] + 1, minlength=cores + 1)
    return many[1:]


def _core(pieces: list[Piece], graph: Graph, target: Target, **found: int) -> Core:
    bits, names = sum(piece.bits for piece in pieces), list(target.settings or {})
    state = sum(piece.units * neuron_bits(target, graph.groups[piece.group].model) for piece in pieces)
    several = [frozenset().union(*values) for values in zip(*(piece.settings for piece in pieces), strict=True)]
    return Core(
        shares=tuple(Share(graph.groups[piece.group].name, piece.start, piece.stop) for piece in pieces),
        neurons=sum(piece.units for piece in pieces), synapse_bits=bits, memory_bits=bits + state,
        settings={name: len(values) for name, values in zip(names, several, strict=True)},
        synapse_formats=len(frozenset().union(*(piece.formats for piece in pieces))), **found,
    )
