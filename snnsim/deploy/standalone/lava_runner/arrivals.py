"""What the host adds to ports, and the spikes of sources: read from a file, placed in one row, fed step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from .errors import GraphError
from .graph import Graph, Group
from .models import SOURCES
from .pools import Pools
from .records import Clock

COLUMNS = ("step", "group", "port", "unit", "weight")


def read_arrivals(path: Path) -> dict[str, np.ndarray]:
    """The columns step, group, port, unit, weight [arrivals]."""
    try:
        with h5py.File(path, "r") as file:
            return {name: file[name][()].astype(np.int64) for name in COLUMNS}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise GraphError(f"{path}: {error}") from error


def nothing() -> np.ndarray:
    """No arrivals: step, place and weight [3, 0]."""
    return np.zeros((3, 0), np.int64)


@dataclass
class Places:
    """Where the units of a graph are in the row of the feed. spans: (number of a pool, name of its port) -> part."""

    graph: Graph
    pools: Pools
    spans: dict[tuple[int, str], slice]

    def place(self, arrivals: dict[str, np.ndarray]) -> np.ndarray:
        """Step, place and weight [3, arrivals]; ``GraphError`` for a unit that is not there."""
        places = np.full(arrivals["step"].size, -1)
        for number, port in set(zip(arrivals["group"].tolist(), arrivals["port"].tolist(), strict=True)):
            rows = np.flatnonzero((arrivals["group"] == number) & (arrivals["port"] == port))
            places[rows] = self.of(number, port, arrivals["unit"][rows])
        return np.stack([arrivals["step"], places, arrivals["weight"]])

    def of(self, number: int, port: int, units: np.ndarray) -> np.ndarray:
        """The places of units of a group, at the port of that number."""
        if number not in range(len(self.graph.groups)):
            raise GraphError(f"arrivals: expected groups 0 to {len(self.graph.groups) - 1}, found {number}")
        group = self.graph.groups[number]
        name = port_name(group, port)
        if units.min() < 0 or units.max() >= group.n:
            raise GraphError(f"arrivals at {group.name}: expected units 0 to {group.n - 1}, found others")
        pools, starts = self.pools.of[group.first + units], np.zeros(len(self.pools), np.int64)
        for k in np.unique(pools).tolist():
            starts[k] = self.spans[k, name].start
        return starts[pools] + self.pools.slot[group.first + units]


def port_name(group: Group, port: int) -> str:
    names = [""] if group.model in SOURCES else group.ports
    if port not in range(len(names)):
        raise GraphError(f"arrivals at {group.name}: expected ports 0 to {len(names) - 1}, found {port}")
    return names[port]


@dataclass
class Feed:
    """What the host adds to ports, all in one row: `spans` of it are ports, `spikes` are units of sources."""

    clock: Clock
    folder: Path
    spans: list[slice]
    spikes: np.ndarray
    rows: np.ndarray = field(default_factory=nothing)

    @property
    def path(self) -> Path:
        return self.folder / f"arrivals-{self.clock.first}.npy"

    def give(self, rows: np.ndarray) -> None:
        """Put down step, place and weight [3, arrivals] for the coming run."""
        if rows.size:
            np.save(self.path, rows)

    def at(self, step: int) -> np.ndarray:
        """The row of a step. A source sends no less than no spike, whatever was taken away from it."""
        if step == self.clock.first:
            self.rows = np.load(self.path, mmap_mode="r") if self.path.exists() else nothing()
        begin, end = np.searchsorted(self.rows[0], [step, step + 1])
        amounts = np.zeros(self.spans[-1].stop, np.int64)
        np.add.at(amounts, self.rows[1, begin:end], self.rows[2, begin:end])
        return np.where(self.spikes, np.maximum(amounts, 0), amounts)
