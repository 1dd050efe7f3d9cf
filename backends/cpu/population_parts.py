"""Makes the arrays of the populations of one thread: parameters, states, marks of spikes, tables of draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnsim.backends.cpu.population_driver import BY_UNIT, PADDED, Argument, Group, Kind, argument_name
from snnsim.ir import Op, Type
from snnsim.ir.printing import Update
from snnsim.plan import Plan, Population
from snnsim.random import poisson_parts, poisson_thresholds, stream_id

_TYPES = {"counts": np.int32, "payloads": np.int64, "marks": np.uint8}   # of arrays that all models have alike


def kind_of(plan: Plan, population: Population, update: Update) -> Kind:
    """What decides with which populations it shares arrays."""
    arguments = tuple(_argument(plan, population, what, data) for what, data in update.arguments)
    return Kind(update.name, population.level, arguments)


def _argument(plan: Plan, population: Population, what: str, data: Any) -> Argument:
    if what == "poisson":
        return Argument(what, differ=np.ndim(population.params[data[1]]) > 0)
    return Argument(what, array_type(plan, population, what, data) if what in BY_UNIT else None)


def array_type(plan: Plan, population: Population, what: str, data: Any) -> type:
    """The type of an array with a value for each unit."""
    program = population.program
    if what == "state" and program.states[data] is not Type.REAL:
        return counter_type(population)
    if what == "param" and data in program.uses(Op.WHOLE):
        return np.int64 if program.whole else np.int32
    return _TYPES.get(what, plan.dtype)


class GroupParts:
    """The arrays of one group for one thread, which owns units low to high - 1 of each of its populations.

    bounds: low, high for each. bases: where the arrivals at a port of a population begin.
    """

    def __init__(
        self, plan: Plan, group: Group, bounds: list[tuple[int, int]], bases: dict[tuple[int, str], int],
    ) -> None:
        self.plan, self.group, self.bounds, self.bases = plan, group, bounds, bases
        self.populations = [plan.populations[k] for k in group.members]
        ends = np.cumsum([0, *(-(-(high - low) // PADDED) * PADDED for low, high in bounds)])
        self.places, self.room = ends[:-1], int(ends[-1])
        self.part: dict[str, Any] = {}

    def make(self) -> dict[str, Any]:
        """Everything by the names that the driver uses: for the group, and for its populations."""
        lows = np.array([low for low, _ in self.bounds])
        self._keep("n", [high - low for low, high in self.bounds])
        self._keep("low", lows)
        self._keep("first", lows + [p.first for p in self.populations])
        self._keep("place", self.places)
        for j, argument in enumerate(self.group.kind.arguments):
            names = [update.arguments[j][1] for update in self.group.updates]
            if argument.type is not None:
                self._share(j, argument.what, names, argument.type)
            elif argument.what == "poisson":
                self._poisson(j, names, argument.differ)
            elif argument.what == "words":
                self._stream(j, "words", names, np.uint32)
            else:
                self._for_each(j, argument.what, names)
        for k, population, bounds in zip(self.group.members, self.populations, self.bounds, strict=True):
            self._alone(k, population, *bounds)
        return self.part

    def _keep(self, what: str, values: Any, kind: Any = np.int64, j: int | None = None) -> None:
        self.part[self.group.name(what, j)] = np.asarray(values, kind)

    def _share(self, j: int, what: str, names: list[str], kind: type) -> None:
        """An array with the units of all, and the part of each population as an array by its own name."""
        shared: np.ndarray = np.zeros(self.room, kind)
        self.part[self.group.name(what, j)] = shared
        for m, (low, high) in enumerate(self.bounds):
            own = shared[self.places[m] : self.places[m] + high - low]
            self.part[argument_name(self.group.members[m], what, names[m])] = own
            _fill(own, self.populations[m], what, names[m], low, high)
        if what == "marks":
            self.part[self.group.name("marks4x8")] = shared.reshape(-1, 4, 8)
            self.part[self.group.name("marks4")] = shared.view(np.uint64).reshape(-1, 4)

    def _for_each(self, j: int, what: str, names: list[str]) -> None:
        """What a population has one row or one number of."""
        if what == "arrival":
            self._keep(what, [self.bases[k, name] for k, name in zip(self.group.members, names, strict=True)], j=j)
            return
        rows = [[p.params[name] for name in (update.scalars if what == "scalars" else update.wholes)]
                for p, update in zip(self.populations, self.group.updates, strict=True)]
        self._keep(what, rows, self.plan.dtype if what == "scalars" else np.int64, j)

    def _alone(self, k: int, population: Population, low: int, high: int) -> None:
        """What the loop takes of one population, and states that its update does not touch."""
        self.part |= {f"p{k}_n": high - low, f"p{k}_low": low}
        for name in population.program.states:
            if argument_name(k, "state", name) not in self.part:
                own: np.ndarray = np.zeros(high - low, array_type(self.plan, population, "state", name))
                _fill(own, population, "state", name, low, high)
                self.part[argument_name(k, "state", name)] = own
        for drive, table in population.drives.items():
            values = table.values if table.values.shape[1] == 1 else table.values[:, low:high]
            self.part[argument_name(k, "drive_steps", drive)] = table.steps
            self.part[argument_name(k, "drive_values", drive)] = np.ascontiguousarray(values, self.plan.dtype)

    # --- draws -------------------------------------------------------------------------------------------------------

    def _poisson(self, j: int, names: list[tuple[str, str]], differ: bool) -> None:
        labels = [label for label, _ in names]
        means = [np.asarray(p.params[mean], float) for p, (_, mean) in zip(self.populations, names, strict=True)]
        parts = [poisson_parts(float(mean.max())) for mean in means]
        rows, table = self._rows(means) if differ else (means, np.zeros(0))
        limits = limit_table([float(m) / n for row, n in zip(rows, parts, strict=True) for m in np.ravel(row)])
        self._keep("limits", limits, np.uint32, j)
        self._keep("table", table, np.int32, j)
        self._keep("parts", parts, j=j)
        self._keep("onset", [p.onsets.get(label, 0) for p, label in zip(self.populations, labels, strict=True)], j=j)
        self._stream(j, "poisson", labels, np.uint8 if max(parts) * limits.shape[1] <= 0xFF else np.uint16)

    def _rows(self, means: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        """The different means of each population, and which of all of them each unit has."""
        rows, table, count = [], np.zeros(self.room, np.int32), 0
        for mean, (low, high), place in zip(means, self.bounds, self.places, strict=True):
            row, which = np.unique(mean[low:high], return_inverse=True)
            table[place : place + high - low] = count + which
            rows.append(row)
            count += row.size
        return rows, table

    def _stream(self, j: int, what: str, labels: list[str], kind: type) -> None:
        """What is drawn from streams in four steps."""
        self.part[self.group.name(what, j)] = np.zeros(4 * self.room, kind)
        self._keep("stream", [stream_id(label) for label in labels], j=j)


def _fill(own: np.ndarray, population: Population, what: str, name: str, low: int, high: int) -> None:
    """Put what is given for units [low, high) into an array; others begin with zeros."""
    if what in ("param", "state"):
        values = (population.params if what == "param" else population.initial)[name]
        own[...] = np.broadcast_to(values, (population.n,))[low:high]


def counter_type(population: Population) -> type:
    """The narrowest type for counters: large populations are bound by memory, and a refractory time is short.

    What a model in whole numbers computes needs 64 bits.
    """
    if population.program.whole:
        return np.int64
    most = max((np.max(population.params[name]) for name in population.program.uses(Op.WHOLE)
                if not name.endswith(".weight")), default=0)
    return np.uint8 if most <= 0xFF else np.uint16 if most <= 0xFFFF else np.int32


def limit_table(means: list[float]) -> np.ndarray:
    """One row of limits per mean, padded to a multiple of 8: a count is the number of limits below the word."""
    rows = [poisson_thresholds(mean).astype(np.int64) - 1 for mean in means]
    width = -(-max(1, max((row.size for row in rows), default=1)) // 8) * 8
    out = np.full((len(rows), width), 0xFFFFFFFF, np.uint32)
    for i, row in enumerate(rows):
        out[i, : row.size] = row
    return out
