"""All groups of a graph cut into pieces, none of which sends to more places than a core may."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from snnsim.deploy.mapper import cutting
from snnsim.deploy.mapper.coding import format_of, list_bits
from snnsim.deploy.graph import Connection, Graph, Group
from snnsim.deploy.mapper.routes import routes
from snnsim.deploy.target import Limit, Target
from snnsim.deploy.mapper.wiring import Outgoing, incoming, on_host

NO_LIMIT = 2**62


@dataclass(frozen=True)
class Piece:
    """Units `start` to `stop` of a group, all on one core, and what they need there.

    bits: of synapses; axons_in: units that send to it; axons_out: to how many pieces each of its units sends, summed;
    delay: the largest beyond one step; settings: the values of each kind; formats: of its lists of synapses;
    fits: whether a core of its own can hold it.
    """

    group: int
    start: int
    stop: int
    bits: int
    axons_in: int
    delay: int
    settings: tuple[frozenset[Hashable], ...]
    formats: frozenset[Hashable]
    fits: bool
    axons_out: int = 0

    @property
    def units(self) -> int:
        """How many there are."""
        return self.stop - self.start


def hard(limit: Limit | None) -> int:
    """The most that a placement may use: a limit that only warns is none."""
    return NO_LIMIT if limit is None or limit.warn else limit.value


def neuron_bits(target: Target, model: str) -> int:
    """What a neuron takes of the memory that synapses are in."""
    state = target.models.get(model)
    return 8 * state.value if state is not None and target.memory.holds_neurons.value else 0


def cut_all(graph: Graph, target: Target, wires: Outgoing) -> list[Piece]:
    """The pieces of all groups that need cores, in the order of their units."""
    onto: dict[int, list[Connection]] = {k: [] for k, group in enumerate(graph.groups) if not on_host(group)}
    for connection in graph.connections:
        if connection.target in onto:
            onto[connection.target].append(connection)
    parts = {k: _Part(graph, k, connections, target) for k, connections in onto.items()}
    pieces = [piece for part in parts.values() for piece in part.cut([(0, part.group.n)])]
    while True:
        edges = _edges(graph, wires, pieces)
        pieces = [replace(piece, axons_out=_sum(piece, edges, graph)) for piece in pieces]
        wide = [piece for piece in pieces if piece.units > 1 and piece.axons_out > hard(target.axons_out_per_core)]
        if not wide:
            return pieces
        for piece in wide:
            parts[piece.group].split(piece, edges[graph.first[piece.group] :])
        again = [piece for k, part in parts.items() for piece in part.cut(_ranges(wide, k))]
        pieces = sorted([*_without(pieces, wide), *again], key=lambda piece: (piece.group, piece.start))


def _without(pieces: list[Piece], wide: list[Piece]) -> list[Piece]:
    gone = {(piece.group, piece.start) for piece in wide}
    return [piece for piece in pieces if (piece.group, piece.start) not in gone]


def _ranges(pieces: list[Piece], group: int) -> list[tuple[int, int]]:
    return [(piece.start, piece.stop) for piece in pieces if piece.group == group]


def _edges(graph: Graph, wires: Outgoing, pieces: list[Piece]) -> np.ndarray:
    """To how many pieces each unit of the graph sends."""
    place = np.full(graph.first[-1], -1, np.int32)
    for number, piece in enumerate(pieces):
        place[graph.first[piece.group] + piece.start : graph.first[piece.group] + piece.stop] = number
    return routes(wires, place).many


def _sum(piece: Piece, edges: np.ndarray, graph: Graph) -> int:
    first = graph.first[piece.group]
    return int(edges[first + piece.start : first + piece.stop].sum())


class _Part:
    """A group that is cut, and cut again where its pieces send to too many others."""

    def __init__(self, graph: Graph, number: int, connections: list[Connection], target: Target) -> None:
        self.number, self.group, self.target = number, graph.groups[number], target
        self.formats = [format_of(connection, target) for connection in connections]
        self.setting, self.values = _settings(self.group, target)
        sizes = {c.source: graph.groups[c.source].n for c in connections}
        begins = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
        lists = np.cumsum([0, *(sizes[c.source] for c in connections)])
        self.lists, self.sources = int(lists[-1]), sum(sizes.values())
        wires = incoming(connections, self.group.n)
        self.input = cutting.Group(
            *wires, lists[:-1], np.array([begins[c.source] for c in connections], np.int64), *self._tables(),
            np.array([self.formats.index(one) for one in self.formats], np.int64), self.setting,
            np.zeros(self.group.n, np.bool_),
        )

    def _tables(self) -> tuple[np.ndarray, np.ndarray]:
        """What synapses take in sparse lists, and in dense ones."""
        bits = np.array([one.bits for one in self.formats], np.int64)[:, None]
        many = np.arange(self.target.synapses.block.value + 1)
        widths = np.array(self.target.synapses.index_bits.value)
        sparse = list_bits(many, (bits + widths)[..., None], self.target)
        return np.ascontiguousarray(np.diff(sparse).swapaxes(1, 2)), list_bits(many, bits, self.target)

    def cut(self, ranges: list[tuple[int, int]]) -> list[Piece]:
        """The pieces of these units, without what they send."""
        if not ranges:
            return []
        found = cutting.cut(self.input, self._limits(), self.sources, self.lists, np.array(ranges, np.int64))
        return [self._piece(found, k) for k in range(found.stop.size)]

    def split(self, piece: Piece, edges: np.ndarray) -> None:
        """Begin new pieces inside of one, so that each sends to no more than it may. edges: int64, of each unit."""
        total, most = 0, hard(self.target.axons_out_per_core)
        for unit in range(piece.start, piece.stop):
            total += edges[unit]
            if total > most and unit > piece.start:
                self.input.forced[unit], total = True, edges[unit]

    def _limits(self) -> cutting.Limits:
        target = self.target
        return cutting.Limits(
            target.neurons_per_core.value, hard(target.memory.bits_per_core), neuron_bits(target, self.group.model),
            hard(target.axons_in_per_core), hard(target.delay_slots_per_core), hard(target.synapse_formats_per_core),
            np.array([hard(limit) for limit in (target.settings or {}).values()], np.int64),
            np.array(target.synapses.index_bits.value),
        )

    def _piece(self, found: cutting.Pieces, k: int) -> Piece:
        start, stop, kind = int(found.start[k]), int(found.stop[k]), found.kind[k]
        index = next((w for w in self.target.synapses.index_bits.value if 2**w >= stop - start), 0)
        settings = tuple(frozenset(values[k] for k in np.unique(ids[start:stop]))
                         for ids, values in zip(self.setting, self.values, strict=True))
        formats = frozenset((self.formats[c], int(kind[c]), index if kind[c] == 1 else 0) for c in np.flatnonzero(kind))
        return Piece(self.number, start, stop, int(found.bits[k]), int(found.axons_in[k]), int(found.delay[k]),
                     settings, formats, bool(found.fits[k]))


def _settings(group: Group, target: Target) -> tuple[np.ndarray, list[list[Hashable]]]:
    """For each kind of setting which value each unit has, int64 [kinds, units], and the values."""
    kinds = list((target.settings or {}).values())
    ids, values = np.zeros((len(kinds), group.n), np.int64), list[list[Hashable]]()
    for k, kind in enumerate(kinds):
        names = [name for name in kind.params if name in group.params]
        columns = [np.broadcast_to(group.params[name], group.n) for name in names]
        table = np.stack(columns or [np.zeros(group.n)], axis=1)
        rows, ids[k] = np.unique(table, axis=0, return_inverse=True)
        values.append([(*names, *row) for row in rows.tolist()])
    return ids, values
