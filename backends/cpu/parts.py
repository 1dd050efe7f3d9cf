"""Makes the data of one thread: states, arrivals, tables of draws, packed synapses, by the names the driver uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snnsim.backends.cpu.build import Bundle, Places
from snnsim.backends.cpu.pack import Packer
from snnsim.backends.cpu.population_driver import Group
from snnsim.backends.cpu.population_parts import GroupParts
from snnsim.plan import Plan
from snnsim.random import key_of
from snnsim.slices import Slices

Part = dict[str, Any]
_PARTS = 512    # pieces of rows that are listed before they are delivered: they stay in the cache


class PartMaker:
    """Makes the part of the network that a thread owns. wide: arrivals are 64-bit; epoch: steps between meetings."""

    def __init__(self, plan: Plan, slices: Slices, places: Places, bundles: list[Bundle], groups: list[Group],
                 wide: bool, epoch: int, add_more: Callable[[Part, int], None]) -> None:
        self.plan, self.slices, self.places, self.bundles, self.groups = plan, slices, places, bundles, groups
        self.sums, self.epoch, self.add_more = np.int64 if wide else np.int32, epoch, add_more

    def __call__(self, thread: int) -> Part:
        k0, k1 = key_of(self.plan.seed)
        part: Part = {"me": thread, "threads": self.slices.parts, "k0": k0, "k1": k1, "sent": np.zeros(1, np.int64)}
        part["acc"] = np.zeros(self.places.totals[thread], self.sums)
        self._add_schedule(part, thread)
        self._add_populations(part, thread)
        for k, bundle in enumerate(self.bundles):
            self._add_bundle(part, thread, k, bundle)
        self.add_more(part, thread)
        for k in range(len(self.plan.traces)):
            self._add_trace(part, thread, k)
        return part

    def _add_schedule(self, part: Part, thread: int) -> None:
        steps, places, weights = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for k, population in enumerate(self.plan.populations):
            low, high = self.slices.bounds(k, thread)
            for schedule in population.schedules:
                mine = (schedule.unit >= low) & (schedule.unit < high)
                steps.append(schedule.step[mine])
                places.append(schedule.unit[mine] - low + self.places.base[thread][k, schedule.port])
                weights.append(schedule.weight[mine])
        step = np.concatenate(steps)
        order = np.argsort(step, kind="stable")
        part["schedule_step"], part["marker"] = step[order], np.zeros(1, np.int64)
        part["schedule_place"] = np.concatenate(places)[order]
        part["schedule_weight"] = np.concatenate(weights)[order].astype(self.sums)

    def _add_populations(self, part: Part, thread: int) -> None:
        for group in self.groups:
            bounds = [self.slices.bounds(k, thread) for k in group.members]
            part.update(GroupParts(self.plan, group, bounds, self.places.base[thread]).make())

    def _add_bundle(self, part: Part, thread: int, k: int, bundle: Bundle) -> None:
        packed = Packer(self.plan, self.slices, self.places, bundle, thread).pack()
        part[f"b{k}_rows"], part[f"b{k}_targets"], part[f"b{k}_weights"] = packed.rows, packed.targets, packed.weights
        part[f"b{k}_acc"] = part["acc"][packed.base : packed.end]
        ring = bundle.kind == "ring"
        part[f"b{k}_delays"] = packed.delays if ring else np.array(bundle.delays, np.int64)
        part[f"b{k}_late"] = int(np.searchsorted(bundle.delays, self.epoch, side="right"))
        part[f"b{k}_parts"] = np.zeros((4 if bundle.graded else 3, _PARTS), np.int64)
        if ring:
            part[f"b{k}_ring"] = np.zeros((max(bundle.delays) + 1, packed.end - packed.base), self.sums)

    def _add_trace(self, part: Part, thread: int, number: int) -> None:
        """Which columns of this process's rows its units have, and which of all columns those of all processes are."""
        trace = self.plan.traces[number]
        columns = self._asked(number, *self.slices.own(trace.population))
        low, high = self.slices.bounds(trace.population, thread)
        own = np.flatnonzero((trace.units[columns] >= low) & (trace.units[columns] < high))
        part[f"t{number}_columns"], part[f"t{number}_units"] = own, trace.units[columns[own]] - low
        part |= {f"t{number}_every": trace.every, f"t{number}_width": columns.size, f"t{number}_order": None}
        if self.slices.ranks > 1:
            owned = (self._asked(number, *self.slices.owned(trace.population, r)) for r in range(self.slices.ranks))
            part[f"t{number}_order"] = np.argsort(np.concatenate(list(owned)))

    def _asked(self, number: int, low: int, high: int) -> np.ndarray:
        """Columns of a trace whose units are in [low, high)."""
        units = self.plan.traces[number].units
        return np.flatnonzero((units >= low) & (units < high))
