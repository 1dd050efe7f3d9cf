"""Pieces onto cores: the larger first, each on the first core that has room for it (first fit, decreasing).

Pieces within a factor of two of each other keep the order of their groups, which often send to their neighbours.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from snnsim.deploy.graph import Graph
from snnsim.deploy.mapper.pieces import Piece, hard, neuron_bits
from snnsim.deploy.target import Target


def pack(pieces: list[Piece], graph: Graph, target: Target) -> list[list[Piece]]:
    """The pieces of each core, in the order of their units; the cores in that of their first piece."""
    if not pieces:
        return []
    loads, most = _loads(pieces, graph, target), _most(target)
    cores, least = _Cores(most, target, len(pieces)), loads.min(axis=0)
    halvings = np.floor(-np.log2((loads / most).max(axis=1)))
    for k in np.argsort(halvings, kind="stable"):
        cores.add(pieces[k], loads[k], least)
    packed = [sorted(core.pieces, key=lambda piece: (piece.group, piece.start)) for core in cores.cores]
    return sorted(packed, key=lambda core: (core[0].group, core[0].start))


def _most(target: Target) -> np.ndarray:
    limits = (target.memory.bits_per_core, target.axons_in_per_core, target.axons_out_per_core)
    return np.array([target.neurons_per_core.value, *map(hard, limits)], np.float64).clip(1)


def _loads(pieces: list[Piece], graph: Graph, target: Target) -> np.ndarray:
    """Neurons, memory, axons in and out of each piece; on one core their sums are the most that they can need."""
    state = [neuron_bits(target, group.model) for group in graph.groups]
    return np.array([[p.units, p.bits + p.units * state[p.group], p.axons_in, p.axons_out] for p in pieces], np.float64)


@dataclass
class _Core:
    """What is on a core. settings: the values of each kind."""

    pieces: list[Piece]
    settings: tuple[frozenset[Hashable], ...]
    formats: frozenset[Hashable]


class _Cores:
    """Cores that are being filled; those that not even the smallest piece could join are looked at no more."""

    def __init__(self, most: np.ndarray, target: Target, pieces: int) -> None:
        self.cores: list[_Core] = []
        self._most = most
        self._slots = hard(target.delay_slots_per_core)
        self._settings = [hard(limit) for limit in (target.settings or {}).values()]
        self._formats = hard(target.synapse_formats_per_core)
        self._loads, self._delays = np.zeros((pieces, most.size)), np.zeros(pieces)
        self._open = np.empty(0, np.int64)

    def add(self, piece: Piece, load: np.ndarray, least: np.ndarray) -> None:
        """Put a piece on the first core with room, or on a new one. least: of any piece."""
        at = next((k for k in self._with_room(piece, load) if self._shares(self.cores[k], piece)), None)
        if at is None:
            at = len(self.cores)
            self.cores.append(_Core([], tuple(frozenset() for _ in piece.settings), frozenset()))
            self._open = np.append(self._open, at)
        core = self.cores[at]
        core.pieces.append(piece)
        core.settings, core.formats = _united(core.settings, piece.settings), core.formats | piece.formats
        self._loads[at] += load
        self._delays[at] = max(self._delays[at], piece.delay)
        if (self._loads[at] + least > self._most).any():
            self._open = self._open[self._open != at]

    def _with_room(self, piece: Piece, load: np.ndarray) -> np.ndarray:
        fits = (self._loads[self._open] + load <= self._most).all(axis=1)
        units = self._loads[self._open, 0] + piece.units
        delays = np.maximum(self._delays[self._open], piece.delay)
        return self._open[fits & (units * (delays + 2) <= self._slots)]

    def _shares(self, core: _Core, piece: Piece) -> bool:
        """Whether the settings and formats of both together are within the limits."""
        several = _united(core.settings, piece.settings)
        return (all(len(values) <= most for values, most in zip(several, self._settings, strict=True))
                and len(core.formats | piece.formats) <= self._formats)


def _united(
    one: Sequence[frozenset[Hashable]], other: Sequence[frozenset[Hashable]],
) -> tuple[frozenset[Hashable], ...]:
    return tuple(a | b for a, b in zip(one, other, strict=True))
