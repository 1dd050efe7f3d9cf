"""The CPU engine: threads that each own a slice of every population and all synapses onto it."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from snnsim.backends.cpu.barrier import SYNC_WORDS, open_barrier
from snnsim.backends.cpu.build import lay_out, make_bundles, meeting_interval
from snnsim.backends.cpu.coupling import Couplings
from snnsim.backends.cpu.draw import SharedWords, fast_words
from snnsim.backends.cpu.driver import BundleShape, Shape
from snnsim.backends.cpu.emit import emit_update
from snnsim.backends.cpu.exchange import Exchange
from snnsim.backends.cpu.loops import Loops
from snnsim.backends.cpu.parts import Part, PartMaker
from snnsim.backends.cpu.plastic import Plastic
from snnsim.backends.cpu.pool import make_pool
from snnsim.backends.cpu.population_driver import PopulationShape, find_groups
from snnsim.backends.cpu.population_parts import kind_of
from snnsim.backends.cpu.spikes import SpikeLists
from snnsim.backends.cpu.state import State
from snnsim.cores import move_to_core, usable_cores
from snnsim.engine import LONGEST_CHUNK, Chunk, rows_between
from snnsim.errors import NumericalError
from snnsim.ir.printing import Update
from snnsim.plan import Plan, Population
from snnsim.slices import Slices
from snnsim.world import ALONE, Ranks, World

_OVERFLOW = 32


class CpuEngine(State):
    """Runs a plan with compiled loops. Spikes depend neither on the number of threads nor on that of processes."""

    overlaps, longest = False, LONGEST_CHUNK

    def __init__(self, plan: Plan, threads: int | None = None, world: World = ALONE) -> None:
        self.plan, self.done, self.world = plan, 0, world
        self.threads = threads or own_cores(world)
        self.slices = Slices.of(plan, self.threads, world.rank, world.size)
        self.places = lay_out(plan, self.slices)
        self.bundles = make_bundles(plan, self.places, self.threads * world.size)
        self.epoch = meeting_interval(plan, self.slices)
        self.wide = any(port.bound >= 1 << 31 for p in plan.populations for port in p.ports.values())
        began = time.perf_counter()
        self.updates = [self._update(p) for p in plan.populations]
        self.groups = find_groups(map(partial(kind_of, plan), plan.populations, self.updates), self.updates)
        self.plastic = Plastic(plan, self.slices, self.places, self.wide, self.epoch, world)
        self.couplings = Couplings(plan, self.slices, world)
        self.compile_s = time.perf_counter() - began
        self.pool = make_pool(self.threads)
        self._prepare()
        make = PartMaker(plan, self.slices, self.places, self.bundles, self.groups, self.wide, self.epoch,
                         self._add_more)
        self.parts = list(self.pool.map(make, range(self.threads)))
        for value in (value for p in plan.projections for value in (p.weight, p.delay) if world.size > 1):
            value.forget()
        self.plastic.attach(self.parts)
        self.couplings.attach(self.parts)
        self._make_history()
        self.synapses = int(world.before(np.array([self._built()]))[1][0])
        self._warm()

    # --- making the program ------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """What rules count before they draw: projections beside each other, or one by one with all processes.

        Of lists, and of numbers in files, each process takes into memory what is its own.
        """
        projections = self.plan.projections
        if self.world.size == 1:
            list(self.pool.map(lambda projection: projection.bound.prepared(fast_words), projections))
            for projection in projections:
                projection.keep_values(None, fast_words)
            return
        words = SharedWords(self.world, self.pool, self.threads)
        for projection in projections:
            bound, target = projection.bound, projection.target
            if self.world.most("prepared" not in bound.cache)[0]:   # all of them, or none
                bound.cache.pop("prepared", None)
                bound.prepared(words)
            bound.keep(*self.slices.own(target))
            projection.keep_values([self.slices.bounds(target, part) for part in range(self.threads)], fast_words)

    def _update(self, population: Population) -> Update:
        per_unit = {name for name, value in population.params.items() if np.ndim(value)}
        wide = set(population.ports) if self.wide else set()
        return emit_update(population.program, self.plan.dtype, per_unit, wide)

    def _loops(self) -> Loops:
        populations = tuple(self._shape(k, p) for k, p in enumerate(self.plan.populations))
        bundles = tuple(BundleShape(b.kind, b.level, b.graded) for b in self.bundles)
        shape = Shape(tuple(self.groups), populations, bundles, tuple(self.plastic.shapes()),
                      tuple(self.couplings.shapes()), self.exchange is not None)
        return Loops(shape, self.parts, self._shared(0))

    def _add_more(self, part: Part, thread: int) -> None:
        """Synapses that do more than transmit spikes."""
        self.plastic.add(part, thread)
        self.couplings.add(part, thread)

    def _shape(self, k: int, population: Population) -> PopulationShape:
        states = population.program.states
        traces = tuple((i, "state" if t.variable in states else "output", t.variable)
                       for i, t in enumerate(self.plan.traces) if t.population == k)
        return PopulationShape(tuple(population.drives), traces)

    # --- running ---------------------------------------------------------------------------------------------------

    def _make_history(self) -> None:
        deferred = [d for b in self.bundles if b.kind != "ring" for d in b.delays]
        kept = max([*deferred, self.epoch, self.plan.max_delay]) + 1
        room = max(1, self.slices.most) * self.epoch * (2 if self._counts() else 1)
        lists = self.threads + (self.world.size > 1)
        self.spikes = SpikeLists(lists, self.plan.neurons, kept, room, self.plan.graded)
        self.sync = np.zeros(SYNC_WORDS, np.int64)
        levels = max((p.level for p in self.plan.populations), default=0) + 1
        shared = np.zeros((lists, levels + 1), np.int64)
        for part in self.parts:
            part["levels"] = shared
        self.exchange = self._make_exchange(room, levels) if isinstance(self.world, Ranks) else None

    def _make_exchange(self, room: int, levels: int) -> Exchange:
        assert isinstance(self.world, Ranks)
        # In a step with levels nobody can stop before its end: there must be room for all that it can do.
        reserve = self.world.size * self.threads * room if levels > 1 else 0
        sharing = [*self.couplings.sharing(), *self.plastic.sharing()]
        return Exchange(self.world, self.threads, room, self.epoch, reserve, self.plan.graded, sharing)

    def _warm(self) -> None:
        """Compile (or load) the loop now, with no step to do, so that the time shows as compilation."""
        began = time.perf_counter()
        self._open(1)
        self.loops = self._loops()
        for turn in range(1 + (self.world.size > 1)):     # the first on a machine compiles for the others
            if turn == min(self.world.at_home, 1):
                self.loops.load()
            self.world.meet()
        self._call(0)
        self.compile_s += time.perf_counter() - began

    def _open(self, steps: int) -> None:
        """Make room for what `steps` further steps do."""
        self.spikes.open(self.done, steps)
        self.plastic.open(self.done, steps)
        self.couplings.open(self.done)
        for number, trace in enumerate(self.plan.traces):
            rows = rows_between(self.done, steps, trace.every)
            out = np.zeros((rows, self.parts[0][f"t{number}_width"]), self.plan.dtype)
            for part in self.parts:
                part[f"t{number}_out"], part[f"t{number}_first"] = out, self.done // trace.every + 1

    def _shared(self, steps: int) -> dict[str, Any]:
        """What all threads share in a call."""
        spikes = self.spikes
        told = self.exchange.arguments() if self.exchange else {}
        return dict(lists=spikes.lists, first=self.done, steps=steps, base=spikes.base, epoch=self.epoch,
                    room=spikes.room, sync=self.sync, ids=spikes.ids, payloads=spikes.payloads, start=spikes.start,
                    **told)

    def _call(self, steps: int) -> int:
        """Run all threads; returns the steps done, fewer than asked for where the lists of spikes are full."""
        open_barrier(self.sync)
        if self.exchange:
            self.exchange.open(self.spikes, self.done)
        arguments = enumerate(self.loops.arguments(self._shared(steps)))
        waiting = [self.pool.submit(self._work, t, given) for t, given in arguments]
        done = min(int(w.result()) for w in waiting)
        self.short = bool(self.sync[_OVERFLOW])
        if self.exchange:
            self.short |= self.exchange.close(self.spikes, self.threads)
        return done

    def _work(self, thread: int, call: tuple[Any, ...]) -> int:
        """What a thread of the pool does. Threads that spin on one core would take turns: begin on one's own."""
        if self.threads * self.world.sharing > 1:
            move_to_core(self.world.turn * self.threads + thread)
        return int(self.loops.runs[thread](*call))

    def advance(self, steps: int) -> Chunk:
        """Run up to `steps` steps; see ``snnsim.engine``."""
        self._open(steps)
        before = self.snapshot() if self._counts() or self.plastic.logs else None
        done = self._call(steps)
        while self._make_room(done):
            if done and before is not None:
                self.restore(before)
                self._open(steps)
            done = self._call(steps)
        self._check()
        self.done += done
        spikes = self.spikes.gather(self.done, done if self.world.leads else 0)
        traces = [self._trace(k, rows_between(self.done - done, done, t.every)) for k, t in enumerate(self.plan.traces)]
        weights = self.plastic.records(self.done - done, done)
        return Chunk(done, spikes.step, spikes.unit, traces, weights, spikes.payload)

    def _trace(self, number: int, rows: int) -> np.ndarray:
        """What was recorded: the columns of all processes in the order asked for."""
        out = self.world.gather(self.parts[0][f"t{number}_out"][:rows])
        order = self.parts[0][f"t{number}_order"]
        return out if order is None or not out.size else out[:, order]

    def _check(self) -> None:
        """Raise what a synapse did wrong first: in a step, couplings act before plastic synapses."""
        wrong = self.world.first(min((it for it in (self.couplings.wrong(), self.plastic.wrong()) if it), default=None))
        if wrong is not None:
            raise NumericalError(wrong[-1])

    def _make_room(self, done: int) -> bool:
        """Longer lists where some were too short for the last call; True where one was."""
        logs, spikes = self.plastic.grow_logs(), done == 0 or self.short
        if self._counts() or self.plastic.logs:
            logs, spikes = map(bool, self.world.most(logs, spikes))
        if spikes:
            with self.world.agreed():
                self.spikes.grow(self.done)
        return logs or spikes

    def _counts(self) -> bool:
        return any(update.counted for update in self.updates)

    # --- about it --------------------------------------------------------------------------------------------------

    def _built(self) -> int:
        """How many synapses this process has."""
        rows = [f"b{k}_rows" for k in range(len(self.bundles))] + [f"x{k}_rows" for k in self.plastic.numbers]
        rows += [f"c{k}_rows" for k in self.couplings.numbers]
        return sum(int(part[name][-1]) for part in self.parts for name in rows)

    def memory(self) -> dict[str, int]:
        """Bytes of synapses and of everything else."""
        packed = ("_rows", "_targets", "_weights", "_delays")
        synapses = sum(part[f"b{k}{x}"].nbytes for part in self.parts for k in range(len(self.bundles)) for x in packed)
        synapses += self.plastic.memory() + self.couplings.memory()
        arrays = (_owner(a) for part in self.parts for a in part.values() if isinstance(a, np.ndarray))
        other = sum(a.nbytes for a in {id(a): a for a in arrays}.values()) - synapses
        return {"synapses": synapses, "other": other + self.spikes.nbytes}

    def facts(self) -> dict[str, Any]:
        """Threads, compile seconds, and how each bundle of projections is stored."""
        kinds = [f"{b.kind}: {', '.join(p.label for p in b.projections)}" for b in self.bundles]
        kinds += [f"coupled: {self.plan.projections[k].label}" for k in self.couplings.numbers]
        return {"threads": self.threads, "compile_s": self.compile_s, "bundles": kinds}


def _owner(array: np.ndarray) -> np.ndarray:
    """The array whose memory this one shows a part of."""
    return array.base if isinstance(array.base, np.ndarray) else array


def own_cores(world: World) -> int:
    """Threads of a process by default: its share of the cores that it may use; as many in every process."""
    return -world.most(-max(1, usable_cores() // world.sharing))[0]
