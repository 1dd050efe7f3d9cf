"""The GPU engine: parts of the network that one block each advances, with the spikes of the CPU engine bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from snnsim.backends.cupy.arrays import PopulationArrays, owners, row_of_word, schedule_arrays
from snnsim.backends.cupy.build import build
from snnsim.backends.cupy import coupling, plastic
from snnsim.backends.cupy.coupling import Couplings
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.draw import from_host
from snnsim.backends.cupy.history import SpikeHistory
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.plastic import Plastic
from snnsim.backends.cupy.plastic_state import PlasticState
from snnsim.backends.cupy.shared import lay_out_shared
from snnsim.backends.cupy.size import refuse_device
from snnsim.backends.cupy.source import KernelSource
from snnsim.backends.cupy.strategy import RUNNERS, Program, fits, parts_of, resident
from snnsim.backends.cupy.table import KernelTable
from snnsim.backends.cupy.traces import Traces
from snnsim.engine import Chunk, InOneProcess, Spikes
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


class GpuEngine(InOneProcess):
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
        self.asked_threads = threads
        if threads is not None and threads > self.source.threads:
            raise InputError(f"threads: expected at most {self.source.threads} for this network, found {threads}")
        with device.current():
            refuse_device(plan, self.layout, self.source, device)
            self._build(strategy)
            if own is None:
                self.learning.watch()

    def _build(self, strategy: str | None) -> None:
        plan, device = self.plan, self.device
        self.tables = [build(device, plan, self.layout, bundle) for bundle in self.layout.bundles]
        self.populations = [PopulationArrays(device, plan, self.layout, k, self.source.shapes[shape])
                            for k, shape in enumerate(self.source.shape_number)]
        self.couplings = Couplings(device, plan, self.layout, self.source.couplings, self.populations)
        self.counted = [bool(self.source.shapes[shape].update.counted) for shape in self.source.shape_number]
        self.plastic = Plastic(device, plan, self.layout, self.source.plastic, self.populations, self.counted)
        self.learning = PlasticState([self.plastic])
        self.spikes = SpikeHistory(device, plan, self.layout, self.source.counted)
        began = time.perf_counter()
        self._choose(strategy)
        self.compile_s = time.perf_counter() - began
        self._make_arrays()
        self.threads = len(self.layout.own)
        self.program = Program(device, self.kernels, self.table.array, self.clock, self.counter, len(self.layout.own),
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
                self._compile(offsets)
                self.fit = resident(self.fit, self.device, self.kernels["snn_run"], self.block_threads, self.shared,
                                    len(self.layout.own))
            if self.fit.ok:
                return
            self.reasons.append(f"{name}: {self.fit.why}")
        raise InputError(f"no way to run this network on the device fits: {'; '.join(self.reasons)}")

    def _compile(self, offsets: list[Any]) -> None:
        """With blocks as large as they can be without registers in memory."""
        while True:
            self.kernels = self.device.module(self.source.text(self.fit.flags, offsets), KERNELS)
            if not any(kernel.spilled for kernel in self.kernels.values()) or not self.source.shrink():
                break
        self.block_threads = min(self.asked_threads or self.source.threads, self.source.threads)

    def _make_arrays(self) -> None:
        """What all populations share, and the table."""
        xp, layout, upload = self.device.xp, self.layout, self.device.upload
        parts, sums = len(layout.own), np.int64 if layout.wide else np.int32
        self.ring = xp.zeros((parts, layout.rows, max(1, layout.places)), sums)
        self.sent, self.learned = (xp.zeros(parts, np.int64) for _ in range(2))
        self.clock, self.counter = xp.zeros(1, np.int64), xp.zeros(1, np.uint32)
        self.traces = Traces(self.device, self.plan, layout)
        step, place, weight, start = schedule_arrays(self.plan, layout)
        self.arrays = {
            "MASKS": self.spikes.masks, "COUNTS": self.spikes.counts, "RING": self.ring, "SENT": self.sent,
            "LEARNED": self.learned, "COUNTER": self.counter, "OWNER": upload(owners(self.plan, layout)),
            "SCHEDULE_STEP": upload(step), "SCHEDULE_PLACE": upload(place.astype(np.int32)),
            "SCHEDULE_WEIGHT": upload(weight.astype(sums)), "SCHEDULE_START": upload(start.astype(np.int64)),
        }
        everyone = [True] * len(self.counted)
        self.row_tables = [upload(row_of_word(self.plan, layout, dict(rows), everyone if graded else self.counted))
                           for rows, graded in self.source.row_tables]
        self.table = KernelTable(self.device, self.source)
        self._fill(self.table)

    def _fill(self, table: KernelTable) -> None:
        """All entries but those that change from chunk to chunk."""
        layout, shared, (key0, key1) = self.layout, self.shared, key_of(self.plan.seed)
        table.put_numbers({
            "OWN": len(layout.own), "PARTS": layout.slices.parts, "FIRST_PART": layout.own.start,
            "WORDS": layout.words, "ALL_WORDS": layout.all_words, "PLACES": max(1, layout.places), "ROWS": layout.rows,
            "SLOTS": self.spikes.slots - 1, "EPOCH": layout.epoch, "KEY0": key0, "KEY1": key1,
            "LIST": shared.listed, "SHARED_OWNER": shared.owner, "SHARED_RING": shared.ring,
            "SHARED_DRIVES": shared.drives,
        })
        table.put_arrays(self.arrays)
        table.put_all(self.couplings.entries())
        table.put_populations(self.populations, layout, shared)
        table.put_bundles(self.tables, layout, self.row_tables, shared)
        table.upload()

    # --- running -----------------------------------------------------------------------------------------------------

    def open(self, steps: int) -> None:
        """Make room for what `steps` further steps record."""
        sections = self.plastic.open(self.done, steps)
        self.table.put_all(sections)
        if self.traces.open(self.table, self.done, steps) or sections:
            self.table.upload()
        self.clock[...] = self.done
        self.couplings.open(self.done)
        if self.couplings.packed:
            self._launch("snn_publish")

    @on_its_device
    def advance(self, steps: int) -> Chunk:
        """Run at most `steps` steps; see ``snnsim.engine``."""
        steps = min(steps, self.spikes.chunk)
        before = self.snapshot() if self.plastic.logs else None
        self.open(steps)
        self._run(steps)
        while self.plastic.grow_logs():
            self.restore(before)
            self.open(steps)
            self._run(steps)
        check([self])
        return self.close(steps)

    def _run(self, steps: int) -> None:
        self.runner.run(steps, self.fresh)
        self.learn(0)

    def learn(self, offset: int) -> None:
        """Let plastic synapses learn from all spikes until `offset` steps after the clock, if they have not yet."""
        if self.plastic.arrays and not self.fit.flags.persistent:   # where blocks meet, they have learned all by now
            self.program.launch(offset, 0, (0, self.layout.levels - 1), False)

    def _launch(self, kernel: str, *more: Any) -> None:
        """Once, for the step that the clock shows."""
        program = self.program
        self.kernels[kernel](program.blocks, program.threads, (self.table.array, self.clock, *more), program.shared)

    def close(self, steps: int) -> Chunk:
        """What the steps that were launched have done."""
        self.fresh, first = False, self.done + 1
        self.done += steps
        spikes = self.spikes.gather(self.kernels, self.table.array, first, steps)
        traces = self.traces.read(first - 1, steps)
        return Chunk(steps, spikes.step, spikes.unit, traces, self.plastic.chunk(first - 1, steps), spikes.payload)

    # --- state -------------------------------------------------------------------------------------------------------

    def _changing(self) -> list[Any]:
        arrays = [array for p in self.populations for array in (*p.states.values(), *p.outputs.values())]
        return [*arrays, self.ring, self.sent, self.learned, *self.plastic.changing()]

    @on_its_device
    def snapshot(self) -> Any:
        """All that changes, for going back."""
        return self.done, [array.copy() for array in self._changing()], self.spikes.latest(self.done)

    @on_its_device
    def restore(self, saved: Any) -> None:
        """Go back to where ``snapshot`` was taken."""
        self.done, arrays, history = saved
        for array, values in zip(self._changing(), arrays, strict=True):
            array[...] = values
        self.spikes.put_latest(self.done, history)
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
    def history(self) -> Spikes:
        """Spikes of the last ``plan.max_delay`` steps."""
        steps = min(self.plan.max_delay, self.done)
        return self.spikes.gather(self.kernels, self.table.array, self.done - steps + 1, steps)

    @on_its_device
    def load(self, done: int, step: np.ndarray, unit: np.ndarray, payload: np.ndarray | None = None) -> None:
        """Go on after step `done`; see ``snnsim.engine``."""
        self.done, self.fresh = done, True
        self.spikes.put(self.kernels, self.table.array, done, Spikes(step, unit, payload))
        self.clock[...] = done
        self.ring[...] = 0
        self._launch("snn_refill", np.int64(max(1, done - self.layout.rows + 1)))

    @on_its_device
    def plasticity(self, projection: int) -> dict[str, np.ndarray]:
        """Everything that changes in a plastic projection; see ``snnsim.engine``."""
        return self.learning.get(projection, self.done)

    @on_its_device
    def set_plasticity(self, projection: int, done: int, values: Mapping[str, np.ndarray]) -> None:
        """The opposite."""
        self.learning.set(projection, done, values)

    @on_its_device
    def synapses_of(self, projection: int) -> dict[str, np.ndarray]:
        """source, target, delay and w; see ``snnsim.engine``."""
        return self.learning.synapses_of(projection)

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
        return {"synapses": synapses, "other": other + self.spikes.masks.nbytes + self.spikes.counts.nbytes}

    def facts(self) -> dict[str, Any]:
        """Blocks, compile seconds, the strategy and why, how each bundle is stored, and what the host had to draw."""
        bundles = [f"{b.kind}, {b.word.bits} bits: {', '.join(p.label for p in b.projections)}"
                   for b in self.layout.bundles] + self.couplings.labels() + self.plastic.labels()
        blocks = f"{self.threads} blocks" if self.threads > 1 else "1 block"
        how = f"{blocks} of {self.block_threads} threads; {self.strategy}: {self.fit.why}"
        return {"threads": self.threads, "compile_s": self.compile_s, "strategy": self.strategy,
                "why": self.fit.why, "not": self.reasons,
                "how": "; ".join([how, *(f"not {reason}" for reason in self.reasons)]), "bundles": bundles,
                "from_host": [f"{p.label}: {why}" for p in self.plan.projections if (why := from_host(p)) is not None],
                "device_mb": sum(self.memory().values()) / 1e6}


def check(members: Sequence[GpuEngine]) -> None:
    """Raise what a synapse of a network on one or more devices did wrong first.

    In a step, couplings act before plastic synapses.
    """
    couplings, wrong = [member.couplings for member in members], members[0].couplings.fault
    found = plastic.first_fault([member.plastic for member in members])
    if not math.isinf(wrong) and (found is None or wrong <= found[0][0]):
        coupling.fail(couplings, int(wrong))
    if found is not None:
        fault, member = found
        raise member.error(*fault)
