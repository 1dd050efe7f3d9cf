"""Makes the data of one thread: states, arrivals, tables of draws, packed synapses, by the names the driver uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snnsim.backends.cpu.build import Bundle, Places
from snnsim.backends.cpu.driver import argument_name, stream_name
from snnsim.backends.cpu.pack import Packer
from snnsim.ir import Op, Type
from snnsim.ir.printing import Update
from snnsim.plan import Plan, Population
from snnsim.random import key_of, poisson_parts, poisson_thresholds, stream_id
from snnsim.slices import Slices

Part = dict[str, Any]
_PARTS = 512    # pieces of rows that are listed before they are delivered: they stay in the cache


class PartMaker:
    """Makes the part of the network that a thread owns. wide: arrivals are 64-bit; epoch: steps between meetings."""

    def __init__(self, plan: Plan, slices: Slices, places: Places, bundles: list[Bundle], updates: list[Update],
                 wide: bool, epoch: int, add_more: Callable[[Part, int], None]) -> None:
        self.plan, self.slices, self.places, self.bundles, self.updates = plan, slices, places, bundles, updates
        self.sums, self.epoch, self.add_more = np.int64 if wide else np.int32, epoch, add_more

    def __call__(self, thread: int) -> Part:
        k0, k1 = key_of(self.plan.seed)
        part: Part = {"me": thread, "threads": self.slices.parts, "k0": k0, "k1": k1, "sent": np.zeros(1, np.int64)}
        part["acc"] = np.zeros(self.places.totals[thread], self.sums)
        self._add_schedule(part, thread)
        for k, population in enumerate(self.plan.populations):
            self._add_population(part, thread, k, population)
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

    def _add_population(self, part: Part, thread: int, k: int, population: Population) -> None:
        low, high = self.slices.bounds(k, thread)
        n, name = high - low, f"p{k}"
        part.update({f"{name}_n": n, f"{name}_low": low, f"{name}_first": population.first + low})
        for kind, data in self.updates[k].arguments:
            if kind not in ("poisson", "words"):
                part[argument_name(k, kind, data)] = self._argument(part, thread, k, kind, data, low, high)
        if ("marks", "spikes") in self.updates[k].arguments:
            padded = np.zeros((n + 31) // 32 * 32, np.uint8)
            part.update({argument_name(k, "marks", "spikes"): padded, f"{name}_marks": padded.reshape(-1, 4, 8),
                         f"{name}_marks8": padded.view(np.uint64).reshape(-1, 4)})
        self._add_states(part, k, population, low, high)
        for drive, table in population.drives.items():
            values = table.values if table.values.shape[1] == 1 else table.values[:, low:high]
            part[f"{name}_drive_steps_{stream_name(drive)}"] = table.steps
            part[f"{name}_drive_values_{stream_name(drive)}"] = np.ascontiguousarray(values, self.plan.dtype)
        self._add_draws(part, k, population, low, n)

    def _add_states(self, part: Part, k: int, population: Population, low: int, high: int) -> None:
        for state, kind in population.program.states.items():
            values = np.broadcast_to(population.initial[state], (population.n,))[low:high]
            counter = counter_type(population)
            part[argument_name(k, "state", state)] = values.astype(self.plan.dtype if kind is Type.REAL else counter)

    def _argument(self, part: Part, thread: int, k: int, kind: str, data: Any, low: int, high: int) -> Any:
        population, update, dtype = self.plan.populations[k], self.updates[k], self.plan.dtype
        if kind == "scalars":
            return np.array([population.params[name] for name in update.scalars], dtype)
        if kind == "wholes":
            return np.array([population.params[name] for name in update.wholes], np.int64)
        if kind == "param":
            values = np.asarray(population.params[data])[low:high]
            whole = np.int64 if population.program.whole else np.int32
            return values.astype(whole if data in population.program.uses(Op.WHOLE) else dtype)
        if kind == "arrival":
            base = self.places.base[thread][k, data]
            return part["acc"][base : base + high - low]
        return np.zeros(high - low, {"counts": np.int32, "payloads": np.int64}.get(kind, dtype))

    def _add_draws(self, part: Part, k: int, population: Population, low: int, n: int) -> None:
        for label, mean in population.program.uses(Op.POISSON):
            name, means = stream_name(label), np.asarray(population.params[mean], dtype=float)
            parts = poisson_parts(float(means.max()))
            rows, table = np.unique(means.ravel()[low : low + n] if means.ndim else means.ravel(), return_inverse=True)
            limits = limit_table([float(m) / parts for m in rows])
            counts = np.zeros((4, n), np.uint8 if parts * limits.shape[1] <= 0xFF else np.uint16)
            part.update({f"p{k}_counts_{name}": counts, f"p{k}_stream_{name}": stream_id(label),
                         f"p{k}_onset_{name}": population.onsets.get(label, 0), f"p{k}_parts_{name}": parts,
                         f"p{k}_limits_{name}": limits if means.ndim else limits[0],
                         f"p{k}_table_{name}": table.astype(np.int32)})
        for label in uniform_streams(population):
            part[f"p{k}_words_{stream_name(label)}"] = np.zeros((4, n), np.uint32)
            part[f"p{k}_stream_{stream_name(label)}"] = stream_id(label)

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
        trace = self.plan.traces[number]
        low, high = self.slices.bounds(trace.population, thread)
        columns = np.flatnonzero((trace.units >= low) & (trace.units < high))
        part[f"t{number}_columns"], part[f"t{number}_units"] = columns, trace.units[columns] - low
        part[f"t{number}_every"] = trace.every


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


def uniform_streams(population: Population) -> list[str]:
    """Labels of the streams that a population draws words from."""
    return [*population.program.uses(Op.UNIFORM), *population.program.uses(Op.NORMAL)]
