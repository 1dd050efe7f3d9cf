"""Pools: the units that are one process of Lava, or one port of the host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .graph import Graph, Group
from .models import MODELS, Model


@dataclass
class Pool:
    """Units of one model. model: None for sources, whose spikes the host makes; fixed: what Lava takes once for all.

    parts: groups, and which of their units. out: the port in Lava that sends their spikes; log: what it writes down.
    """

    model: Model | None
    fixed: dict[str, Any]
    parts: list[tuple[Group, np.ndarray]] = field(default_factory=list)
    out: Any = None
    log: Any = None

    @property
    def units(self) -> np.ndarray:
        """Their numbers in the whole graph."""
        return np.concatenate([group.first + units for group, units in self.parts])

    @property
    def size(self) -> int:
        return sum(units.size for _, units in self.parts)

    def values(self, name: str) -> Any:
        """A parameter: one number where all units have the same, else an array."""
        values = np.concatenate([group.values(name)[units] for group, units in self.parts])
        return values[0].item() if (values == values[0]).all() else values

    def initial(self, name: str) -> np.ndarray:
        return np.concatenate([group.initial.get(name, np.zeros(group.n, int))[units] for group, units in self.parts])


class Pools:
    """All pools of a graph. of, slot [units]: in which pool a unit is, and the place that it has there."""

    def __init__(self, graph: Graph) -> None:
        self.all = make_pools(graph)
        self.of, self.slot = np.zeros((2, graph.units), np.int64)
        for k, pool in enumerate(self.all):
            self.of[pool.units], self.slot[pool.units] = k, np.arange(pool.size)

    def __getitem__(self, number: int) -> Pool:
        return self.all[number]

    def __len__(self) -> int:
        return len(self.all)


def make_pools(graph: Graph) -> list[Pool]:
    """Units of one model in one pool; groups that learn apart: Lava's learning synapses join whole processes."""
    learning = {id(group) for each in graph.connections if each.learning for group in (each.source, each.target)}
    pools: dict[Any, Pool] = {}
    for group in graph.groups:
        model, owner = MODELS.get(group.model), group.number if id(group) in learning else None
        for fixed, units in alike(group):
            key = (group.model if model else "host", *fixed.values(), owner)
            pools.setdefault(key, Pool(model, fixed)).parts.append((group, units))
    return list(pools.values())


def alike(group: Group) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Units of a group with the same values of what Lava takes once for a process."""
    model = MODELS.get(group.model)
    names = model.split.split() if model else []
    values = np.array([np.zeros(group.n, np.int64), *(group.values(name) for name in names)])  # a row at least
    rows, kind = np.unique(values, axis=1, return_inverse=True)
    for k, (_, *row) in enumerate(rows.T.tolist()):
        yield dict(zip(names, row, strict=True)), np.flatnonzero(kind.ravel() == k)
