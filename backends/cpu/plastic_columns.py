"""Reads and writes what synapses of all threads have, as a whole: in canonical order, and by unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnsim.plan import Plan
from snnsim.slices import Slices

Parts = list[dict[str, Any]]


class Columns:
    """The synapses of plastic and learning projections over all threads. parts: what each thread has, by name."""

    def __init__(self, plan: Plan, slices: Slices) -> None:
        self.plan, self.slices = plan, slices
        self.parts: Parts = []

    def low(self, number: int, thread: int) -> int:
        """The first target of a thread."""
        return self.slices.bounds(self.plan.projections[number].target, thread)[0]

    # --- by synapse --------------------------------------------------------------------------------------------------

    def ranks(self, number: int) -> list[np.ndarray]:
        """The number of each synapse of each thread: a thread's rows are sorted, and targets rise with the thread."""
        rows = [part[f"x{number}_rows"].astype(np.int64) for part in self.parts]
        counts = np.stack([np.diff(ends) for ends in rows], axis=1)
        starts = np.concatenate([[0], np.cumsum(counts)])[:-1].reshape(counts.shape)
        return [np.repeat(starts[:, t] - ends[:-1], counts[:, t]) + np.arange(ends[-1]) for t, ends in enumerate(rows)]

    def found(self, number: int, wanted: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each thread: which of the synapses `wanted` are its own, as positions among them and in its rows."""
        found = []
        for ranks in self.ranks(number):
            place = np.searchsorted(ranks, wanted)
            own = np.flatnonzero(np.append(ranks, -1)[place] == wanted)
            found.append((own, place[own]))
        return found

    def joined(self, number: int, name: str) -> np.ndarray:
        """A column of all threads, in canonical order."""
        ranks, columns = self.ranks(number), [part[f"x{number}_{name}"] for part in self.parts]
        out = np.empty(sum(c.size for c in columns), columns[0].dtype)
        for rank, column in zip(ranks, columns, strict=True):
            out[rank] = column
        return out

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
        return np.concatenate([part[f"x{number}_{name}"].reshape(depth, -1)[rows] for part in self.parts], axis=1)

    def set_rows(self, number: int, name: str, depth: int, rows: np.ndarray, values: np.ndarray) -> None:
        """The opposite."""
        for thread, part in enumerate(self.parts):
            low, ring = self.low(number, thread), part[f"x{number}_{name}"].reshape(depth, -1)
            ring[rows] = values[:, low : low + ring.shape[1]]
