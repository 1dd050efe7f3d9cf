"""Reads and writes what synapses of all threads have, as a whole: in canonical order, and by unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim.plan import Plan
from snnsim.slices import Slices
from snnsim.world import ALONE, World

Parts = list[dict[str, Any]]
_PIECE = 1 << 20    # synapses that are read at a time: all of them are nowhere together


class Order:
    """The canonical order of the synapses of a projection: by source, and by target as parts follow each other.

    rows: for each part of this process [sources + 1] where its synapses of each source begin; ends: [sources + 1], the
    same in the order of all; starts: for each part [sources], the number of its first synapse of each source.
    """

    def __init__(self, rows: list[np.ndarray], world: World) -> None:
        self.rows = [ends.astype(np.int64) for ends in rows]
        counts = np.stack([np.diff(ends) for ends in self.rows], axis=1)
        before, total = world.before(counts.sum(axis=1))
        self.ends = np.concatenate([[0], np.cumsum(total)])
        first = (self.ends[:-1] + before)[:, None]
        self.starts = list((first + np.cumsum(counts, axis=1) - counts).T)

    @property
    def total(self) -> int:
        """Synapses of all processes."""
        return int(self.ends[-1])

    def within(self, part: int, low: int, high: int) -> tuple[slice, np.ndarray, np.ndarray]:
        """Where a part has synapses numbered from `low` to `high` - 1, their numbers less `low`, and their sources."""
        a, b = int(np.searchsorted(self.ends, low, "right")) - 1, int(np.searchsorted(self.ends, high, "left"))
        rows, first = self.rows[part][a : b + 1], self.starts[part][a:b]
        # A row may be much longer than what is asked for: what lies outside is left out before anything is made of it.
        begin, end = (np.clip(bound - first, 0, np.diff(rows)) for bound in (low, high))
        sources = np.repeat(np.arange(a, b), end - begin)
        where = slice(int(rows[0] + begin[0]), int(rows[-2] + end[-1]))
        return where, np.arange(where.start, where.stop) + (first - rows[:-1])[sources - a] - low, sources

    def sources(self, wanted: np.ndarray | range) -> np.ndarray:
        """The source of each synapse."""
        if isinstance(wanted, range):
            return np.repeat(np.arange(self.ends.size - 1), np.diff(self.ends))
        return np.searchsorted(self.ends, wanted, "right") - 1

    def find(self, part: int, wanted: np.ndarray | range) -> tuple[np.ndarray, np.ndarray]:
        """Which of the synapses `wanted` (a range: all) a part has, as positions among them and among its own."""
        if isinstance(wanted, range):
            rows = self.rows[part]
            own = np.arange(rows[-1])
            return own + np.repeat(self.starts[part] - rows[:-1], np.diff(rows)), own
        source = self.sources(wanted)
        place = wanted - self.starts[part][source]
        own = np.flatnonzero((place >= 0) & (place < np.diff(self.rows[part])[source]))
        return own, self.rows[part][source[own]] + place[own]


@dataclass(frozen=True)
class SynapseColumn:
    """A number for each synapse in canonical order, read in pieces; see ``snnsim.checkpoint.Column``.

    read: of a part, where its synapses are, and their sources. Where several processes run the network, all read
    together; the first has what is read and the others nothing, unless it is for all.
    """

    order: Order
    world: World
    dtype: np.dtype[Any]
    read: Callable[[int, slice, np.ndarray], np.ndarray]
    for_all: bool = False

    @property
    def shape(self) -> tuple[int]:
        """[synapses]."""
        return (self.order.total,)

    def pieces(self) -> Iterator[np.ndarray]:
        """All of it, in order."""
        join = self.world.share if self.for_all else self.world.gather
        for low in range(0, self.order.total, _PIECE):
            found = [(self.read(part, where, sources), numbers) for part in range(len(self.order.rows))
                     for where, numbers, sources in [self.order.within(part, low, min(low + _PIECE, self.order.total))]]
            values, numbers = (join(np.concatenate(column)) for column in zip(*found, strict=True))
            piece = np.empty(numbers.size, self.dtype)
            piece[numbers] = values
            yield piece

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = np.concatenate([np.zeros(0, self.dtype), *self.pieces()])
        return whole if dtype is None else whole.astype(dtype)


class Columns:
    """The synapses of plastic and learning projections over all threads. parts: what each thread has, by name."""

    def __init__(self, plan: Plan, slices: Slices, world: World = ALONE) -> None:
        self.plan, self.slices, self.world = plan, slices, world
        self.parts: Parts = []

    def low(self, number: int, thread: int) -> int:
        """The first target of a thread."""
        return self.slices.bounds(self.plan.projections[number].target, thread)[0]

    # --- by synapse --------------------------------------------------------------------------------------------------

    def order(self, number: int) -> Order:
        """The canonical order: a part's rows are sorted, and targets rise with the part."""
        return Order([part[f"x{number}_rows"] for part in self.parts], self.world)

    def column(self, number: int, name: str, order: Order, dtype: Any = None, for_all: bool = False) -> SynapseColumn:
        """A column of all threads."""
        arrays = [part[f"x{number}_{name}"] for part in self.parts]
        kind = np.dtype(dtype or arrays[0].dtype)
        return SynapseColumn(order, self.world, kind, lambda part, where, _: arrays[part][where], for_all)

    def table(self, number: int, target: Callable[[int, slice], np.ndarray], delay: Callable[[int, slice], np.ndarray],
              ) -> dict[str, np.ndarray]:
        """source, target and delay of all synapses, for all processes; given what they are in a part."""
        order, kind = self.order(number), np.dtype(np.int64)
        reads: dict[str, Callable[[int, slice, np.ndarray], np.ndarray]] = {
            "source": lambda part, where, sources: sources,
            "target": lambda part, where, sources: target(part, where).astype(np.int64) + self.low(number, part),
            "delay": lambda part, where, sources: delay(part, where)}
        return {name: np.asarray(SynapseColumn(order, self.world, kind, read, True)) for name, read in reads.items()}

    def set_column(self, number: int, name: str, order: Order, values: Any) -> None:
        """Take over a column: an array, or something that is read in pieces."""
        low = 0
        for piece in values.pieces() if hasattr(values, "pieces") else [np.asarray(values)]:
            for part, own in enumerate(self.parts):
                where, numbers, _ = order.within(part, low, low + piece.size)
                own[f"x{number}_{name}"][where] = piece[numbers]
            low += piece.size

    # --- by unit -----------------------------------------------------------------------------------------------------

    def ahead(self, number: int, done: int) -> tuple[int, np.ndarray]:
        """Rows of a ring, and those of the steps in which something may arrive."""
        depth = int(self.parts[0][f"x{number}_depth"])
        return depth, (done + 1 + np.arange(depth - 1)) % depth

    def behind(self, number: int, done: int) -> tuple[int, np.ndarray]:
        """Rows of a ring, and those of the steps until `done`, the latest first."""
        depth = int(self.parts[0][f"x{number}_depth"])
        return depth, (done - np.arange(depth)) % depth

    def rows(self, number: int, name: str, depth: int, rows: np.ndarray) -> np.ndarray:
        """Rows of the ring `name` over all targets."""
        own = [part[f"x{number}_{name}"].reshape(depth, -1)[rows] for part in self.parts]
        return self.world.share(np.concatenate(own, axis=1))

    def of_units(self, name: str) -> np.ndarray:
        """What each part has one of for each unit of its own, over all units."""
        return self.world.share(np.concatenate([part[name] for part in self.parts]))

    def set_rows(self, number: int, name: str, depth: int, rows: np.ndarray, values: np.ndarray) -> None:
        """The opposite."""
        for thread, part in enumerate(self.parts):
            low, ring = self.low(number, thread), part[f"x{number}_{name}"].reshape(depth, -1)
            ring[rows] = values[:, low : low + ring.shape[1]]
