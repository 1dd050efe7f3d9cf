"""The GPU engine: parts of the network that one block each advances, with the spikes of the CPU engine bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from snnsim.backends.cupy.arrays import PopulationArrays, owners, row_of_word, schedule_arrays
from snnsim.backends.cupy.build import Table, build
from snnsim.backends.cupy.coupling import Couplings
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.history import SpikeHistory
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.plastic import Plastic
from snnsim.backends.cupy.shared import lay_out_shared
from snnsim.backends.cupy.size import refuse_device
from snnsim.backends.cupy.shapes import POPULATION
from snnsim.backends.cupy.source import BUNDLE, TRACE, KernelSource
from snnsim.backends.cupy.strategy import RUNNERS, Program, fits, parts_of, resident
from snnsim.engine import Chunk, rows_between
from snnsim.errors import InputError
from snnsim.plan import Plan
from snnsim.random import key_of

P = ParamSpec("P")
R = TypeVar("R")
KERNELS = ("snn_run", "snn_publish", "snn_refill", "snn_tick", "snn_count", "snn_list", "snn_mark")


def on_its_device(method: Callable[P, R]) -> Callable[P, R]:
    """A method of the engine with its device as the current one."""

    @wraps(method)
    def wrapped(*args: P.args, **options: P.kwargs) -> R:
        engine: Any = args[0]
        with engine.device.current():
            return method(*args, **options)

    return wrapped


class GpuEngine:
    """Runs a plan on a device.

    parts: blocks that the network is cut into; threads: of a block; strategy: see ``snnsim.backends.cupy.strategy``;
    the device and the network choose where they are not given. own: the parts of this device, if it is one of several.
    """

    overlaps, longest = True, 50_000

    def __init__(self, plan: Plan, device: Device, parts: int | None = None, threads: int | None = None,
                 strategy: str | None = None, own: range | None = None) -> None:
        self.plan, self.device, self.done = plan, device, 0
        self.layout = Layout.of(plan, parts or parts_of(plan, device.limits), own)
        self.source = KernelSource(plan, self.layout)
        self.block_threads = threads or self.source.threads
        with device.current():
            refuse_device(plan, self.layout, self.source, device)
            self._build(strategy)

    def _build(self, strategy: str | None) -> None:
        plan, device = self.plan, self.device
        self.tables = [build(device, plan, self.layout, bundle) for bundle in self.layout.bundles]
        self.populations = [PopulationArrays(device, plan, self.layout, k, self.source.shapes[shape])
                            for k, shape in enumerate(self.source.shape_number)]
        self.couplings = Couplings(device, plan, self.layout, self.source.couplings, self.populations)
        counted = [bool(self.source.shapes[shape].update.counted) for shape in self.source.shape_number]
        self.plastic = Plastic(device, plan, self.layout, self.source.plastic, self.populations, counted)
        self.history_kept = SpikeHistory(device, plan, self.layout, self.source.counted)
        began = time.perf_counter()
        self._choose(strategy)
        self.compile_s = time.perf_counter() - began
        self._make_arrays()
        self.threads = len(self.layout.own)
        self.program = Program(device, self.kernels, self.table, self.clock, self.counter, len(self.layout.own),
                               self.block_threads, self.shared.bytes, self.layout.epoch, self.layout.levels)
        self.runner = RUNNERS[self.strategy](self.program)
        self.fresh = True

    def _choose(self, wanted: str | None) -> None:
        """Compile for the first strategy that fits, or for the one that is wanted."""
        self.reasons: list[str] = []
        offsets = [table.at.dtype for table in self.tables]
        for name in RUNNERS if wanted is None else (wanted,):
            self.strategy, self.fit = name, fits(name, self.source, self.layout, self.device)
            if self.fit.ok:
                self.shared = lay_out_shared(self.source, self.layout, self.fit.flags)
                self.kernels = self.device.module(self.source.text(self.fit.flags, offsets), KERNELS)
                self.fit = resident(self.fit, self.device, self.kernels["snn_run"], self.block_threads, self.shared,
                                    len(self.layout.own))
            if self.fit.ok:
                return
            self.reasons.append(f"{name}: {self.fit.why}")
        raise InputError(f"no way to run this network on the device fits: {'; '.join(self.reasons)}")

    # --- the table ---------------------------------------------------------------------------------------------------

    def _make_arrays(self) -> None:
        xp, layout, upload = self.device.xp, self.layout, self.device.upload
        sums = np.int64 if layout.wide else np.int32
        self.ring = xp.zeros((len(layout.own), layout.rows, max(1, layout.places)), sums)
        self.sent, self.learned = (xp.zeros(len(layout.own), np.int64) for _ in range(2))
        self.clock = xp.zeros(1, np.int64)
        self.counter = xp.zeros(1, np.uint32)
        step, place, weight, start = schedule_arrays(self.plan, layout)
        self.schedule = [upload(step), upload(place.astype(np.int32)), upload(weight.astype(sums)),
                         upload(start.astype(np.int64))]
        self.owners = upload(owners(self.plan, layout))
        counted = [bool(self.source.shapes[s].update.counted) for s in self.source.shape_number]
        self.row_tables = [upload(row_of_word(self.plan, layout, dict(t), counted)) for t in self.source.row_tables]
        self.traces = [self._trace(k) for k in range(len(self.plan.traces))]
        self.outs: list[Any] = [xp.zeros(0, self.plan.dtype) for _ in self.plan.traces]
        self.host_table = np.zeros(self.source.entries["END"], np.int64)
        self._fill()
        self.table = upload(self.host_table)

    def _put_all(self, name: str, values: Sequence[int] | np.ndarray) -> None:
        """A whole section."""
        at = self.source.entries[name]
        self.host_table[at : at + len(values)] = values

    def _put(self, name: str, value: int, offset: int = 0) -> None:
        self.host_table[self.source.entries[name] + offset] = value

    def _fill(self) -> None:
        """All entries but those that change from chunk to chunk."""
        layout, history, (key0, key1) = self.layout, self.history_kept, key_of(self.plan.seed)
        address = self.device.address
        names = ("SCHEDULE_STEP", "SCHEDULE_PLACE", "SCHEDULE_WEIGHT", "SCHEDULE_START")
        numbers = {
            "OWN": len(layout.own), "PARTS": layout.slices.parts, "FIRST_PART": layout.own.start, "WORDS": layout.words,
            "ALL_WORDS": history.words, "PLACES": max(1, layout.places), "ROWS": layout.rows,
            "SLOTS": history.slots - 1, "EPOCH": layout.epoch, "MASKS": address(history.masks),
            "COUNTS": address(history.counts), "RING": address(self.ring), "SENT": address(self.sent),
            "LEARNED": address(self.learned), "COUNTER": address(self.counter), "OWNER": address(self.owners),
            "KEY0": key0, "KEY1": key1,
            "LIST": self.shared.listed, "SHARED_OWNER": self.shared.owner, "SHARED_RING": self.shared.ring,
            "SHARED_DRIVES": self.shared.drives,
            **{name: address(array) if array.size else 0 for name, array in zip(names, self.schedule, strict=True)},
        }
        for name, value in numbers.items():
            self._put(name, value)
        slot = 0
        for section, values in self.couplings.entries().items():
            self._put_all(section, values)
        for k, arrays in enumerate(self.populations):
            self._put("ENTRY", self.source.entries[f"P{k}"], k)
            slot = self._fill_population(k, arrays, slot)
        for k, table in enumerate(self.tables):
            self._fill_bundle(k, table)
        for k, rows in enumerate(self.row_tables):
            self._put("ROW_TABLES", address(rows), 2 * k)
            self._put("ROW_TABLES", self.shared.rows[k] if self.shared.rows else 0, 2 * k + 1)

    def _fill_population(self, k: int, arrays: PopulationArrays, slot: int) -> int:
        """Returns the next slot of a continuous input."""
        base, population = self.source.entries[f"P{k}"], self.plan.populations[k]
        own = {"WORD": self.layout.first_word[k], "LEVEL": population.level, "SHAPE": self.source.shape_number[k],
               "N": population.n, "OWN_LOW": arrays.low}
        for name, value in own.items():
            self.host_table[base + POPULATION.index(name)] = value
        for (kind, data, part), value in self._entries(k, arrays, slot).items():
            at = base + arrays.shape.fields[kind, data, part]
            if isinstance(value, np.ndarray):
                self.host_table[at : at + -(-value.nbytes // 8)].view(np.uint8)[: value.nbytes] = value.view(np.uint8)
            else:
                self.host_table[at] = value
        for d, steps in enumerate(arrays.steps):
            self._put("INPUTS", self.device.address(steps), 2 * (slot + d))
            self._put("INPUTS", steps.size, 2 * (slot + d) + 1)
        return slot + len(arrays.steps)

    def _entries(self, k: int, arrays: PopulationArrays, slot: int) -> dict[tuple[str, Any, str], Any]:
        found = {key: value for key, value in arrays.entries.items() if key in arrays.shape.fields}
        for key in found:
            if key[2] == "slot":
                found[key] = found[key] + slot
        homes = self.shared.homes.items()
        return found | {(kind, data, "home"): place for (number, kind, data), place in homes if number == k}

    def _fill_bundle(self, k: int, table: Table) -> None:
        bundle, address = self.layout.bundles[k], self.device.address
        number = self.source.row_tables.index(tuple(bundle.first_row.items()))
        arrays = {"base": table.base, "at": table.at, "words": table.words, "weights": table.weights,
                  "row_weights": table.row_weights, "row_of_word": self.row_tables[number]}
        values = {name: address(array) if array is not None and array.size else 0 for name, array in arrays.items()}
        values |= {"target_bits": bundle.word.target, "delay_bits": bundle.word.delay, "delay": bundle.delay,
                   "home": self.shared.rows[number] if self.shared.rows else 0,
                   "lanes": bundle.lanes(self.layout.slices.parts)}
        for name, value in values.items():
            self._put(f"B{k}", value, BUNDLE.index(name))

    def _trace(self, number: int) -> list[Any]:
        """Of the recorded units: where those of each part begin, their places in it, and their columns."""
        trace, cuts = self.plan.traces[number], self.layout.slices.cuts[self.plan.traces[number].population]
        part = np.searchsorted(cuts, trace.units, side="right") - 1
        order = np.argsort(part, kind="stable")
        start = np.searchsorted(part[order], np.arange(self.layout.own.start, self.layout.own.stop + 1))
        units = (trace.units - cuts[part])[order]
        return [self.device.upload(np.ascontiguousarray(x, np.int32)) for x in (start, units, order)]

    # --- running -----------------------------------------------------------------------------------------------------

    def open(self, steps: int) -> None:
        """Make room for what `steps` further steps record."""
        for k, trace in enumerate(self.plan.traces):
            rows = rows_between(self.done, steps, trace.every)
            self.outs[k] = self.device.xp.zeros((max(1, rows), max(1, trace.units.size)), self.plan.dtype)
            arrays = [self.outs[k], *self.traces[k]]
            out, start, units, place = (self.device.address(a) if a.size else 0 for a in arrays)
            values = {"every": trace.every, "first": self.done // trace.every + 1, "out": out,
                      "columns": trace.units.size, "start": start, "units": units, "place": place}
            for name, value in values.items():
                self._put(f"R{k}", value, TRACE.index(name))
        sections = self.plastic.open(self.done, steps)
        for section, entries in sections.items():
            self._put_all(section, entries)
        if self.plan.traces or sections:
            self.table[...] = self.device.upload(self.host_table)
        self.clock[...] = self.done
        self.couplings.open(self.done)
        if self.couplings.packed:
            self._launch("snn_publish")

    @on_its_device
    def advance(self, steps: int) -> Chunk:
        """Run at most `steps` steps; see ``snnsim.engine``."""
        steps = min(steps, self.history_kept.chunk)
        before = self.snapshot() if self.plastic.logs else None
        self.open(steps)
        self._run(steps)
        while self.plastic.grow_logs():
            self.restore(before)
            self.open(steps)
            self._run(steps)
        return self.close(steps)

    def _run(self, steps: int) -> None:
        self.runner.run(steps, self.fresh)
        if self.plastic.arrays and not self.fit.flags.persistent:   # where blocks meet, they have learned all by now
            self.program.launch(0, 0, (0, self.layout.levels - 1), False)

    def _launch(self, kernel: str) -> None:
        """Once, for the step that the clock shows."""
        program = self.program
        self.kernels[kernel](program.blocks, program.threads, (self.table, self.clock), program.shared)

    def close(self, steps: int) -> Chunk:
        """What the steps that were launched have done."""
        self._check()
        self.fresh, first = False, self.done + 1
        self.done += steps
        spikes = self.history_kept.gather(self.kernels, self.table, first, steps)
        traces = [self.device.download(out)[: rows_between(first - 1, steps, t.every), : t.units.size]
                  for out, t in zip(self.outs, self.plan.traces, strict=True)]
        return Chunk(steps, *spikes, traces, self.plastic.chunk(first - 1, steps))

    def _check(self) -> None:
        """Raise what a synapse did wrong first: in a step, couplings act before plastic synapses."""
        coupled, plastic = self.couplings.fault, self.plastic.fault
        if min(coupled, plastic) < math.inf:
            (self.couplings if coupled <= plastic else self.plastic).check()

    # --- state -------------------------------------------------------------------------------------------------------

    def _changing(self) -> list[Any]:
        arrays = [array for p in self.populations for array in (*p.states.values(), *p.outputs.values())]
        return [*arrays, self.ring, self.sent, self.learned, *self.plastic.changing()]

    @on_its_device
    def snapshot(self) -> Any:
        """All that changes, for going back."""
        return self.done, [array.copy() for array in self._changing()], self.history_kept.latest(self.done)

    @on_its_device
    def restore(self, saved: Any) -> None:
        """Go back to where ``snapshot`` was taken."""
        self.done, arrays, history = saved
        for array, values in zip(self._changing(), arrays, strict=True):
            array[...] = values
        self.history_kept.put_latest(self.done, history)
        self.fresh = True

    @on_its_device
    def get(self, population: int, state: str) -> np.ndarray:
        """A copy of a state, [n]."""
        return self.device.download(self.populations[population].states[state])

    @on_its_device
    def set(self, population: int, state: str, values: np.ndarray) -> None:
        """Overwrite a state, [n]."""
        place = self.populations[population].states[state]
        most = np.iinfo(np.int32).max
        if place.dtype == np.int32 and values.size and (values.min() < 0 or values.max() > most):
            found = f"{values.min():g} to {values.max():g}"
            raise InputError(f"{state}: expected counts from 0 to {most}, found {found}")
        place[...] = self.device.upload(np.ascontiguousarray(values).astype(place.dtype))

    @on_its_device
    def history(self) -> tuple[np.ndarray, np.ndarray]:
        """Spikes of the last ``plan.max_delay`` steps."""
        steps = min(self.plan.max_delay, self.done)
        return self.history_kept.gather(self.kernels, self.table, self.done - steps + 1, steps)

    @on_its_device
    def load(self, done: int, step: np.ndarray, unit: np.ndarray) -> None:
        """Go on after step `done`; see ``snnsim.engine``."""
        self.done, self.fresh = done, True
        self.history_kept.put(self.kernels, self.table, done, step, unit)
        self.clock[...] = done
        self.ring[...] = 0
        program = self.program
        first = np.int64(max(1, done - self.layout.rows + 1))
        self.kernels["snn_refill"](program.blocks, program.threads, (self.table, self.clock, first), program.shared)

    @on_its_device
    def plasticity(self, projection: int) -> dict[str, np.ndarray]:
        """Everything that changes in a plastic projection; see ``snnsim.engine``."""
        return self.plastic.get(projection, self.done)

    @on_its_device
    def set_plasticity(self, projection: int, done: int, values: Mapping[str, np.ndarray]) -> None:
        """The opposite."""
        self.plastic.set(projection, done, values)

    @on_its_device
    def synapses_of(self, projection: int) -> dict[str, np.ndarray]:
        """source, target, delay and w; see ``snnsim.engine``."""
        return self.plastic.synapses_of(projection)

    @property
    def synapses(self) -> int:
        """How many there are."""
        return sum(int(table.words.size) for table in self.tables) + self.couplings.synapses + self.plastic.synapses

    def memory(self) -> dict[str, int]:
        """Bytes on the device of synapses and of everything else."""
        tables = [array for t in self.tables for array in (t.base, t.at, t.words, t.weights, t.row_weights)]
        synapses = sum(array.nbytes for array in tables if array is not None) + self.couplings.memory()
        synapses += self.plastic.memory()
        other = sum(array.nbytes for array in self._changing())
        return {"synapses": synapses, "other": other + self.history_kept.masks.nbytes + self.history_kept.counts.nbytes}

    def facts(self) -> dict[str, Any]:
        """Blocks, compile seconds, the strategy and why, and how each bundle of projections is stored."""
        bundles = [f"{b.kind}, {b.word.bits} bits: {', '.join(p.label for p in b.projections)}"
                   for b in self.layout.bundles] + self.couplings.labels() + self.plastic.labels()
        return {"threads": self.threads, "compile_s": self.compile_s, "strategy": self.strategy,
                "why": self.fit.why, "not": self.reasons, "bundles": bundles}

