"""A compiled network: run it in pieces, look at its state, change it, save it and go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.checkpoint import save_state
from snnsim.columns import Column, InStep
from snnsim.drain import in_order
from snnsim.engine import Backend, Chunk, Engine, Spikes
from snnsim.errors import EngineError, InputError, NumericalError, Problem, Problems, unknown
from snnsim.faults import fault
from snnsim.ir import Type
from snnsim.loihi_learning import TAGS
from snnsim.network import Network
from snnsim.plan import Plan
from snnsim.recording import Recorder, RecordingPlan
from snnsim.recording_plans import recording_plan
from snnsim.saved import Checkpoint, plasticity_name, read_checkpoint, state_name
from snnsim.sink import Sink
from snnsim.size import refuse_plan
from snnsim.timing import read_steps
from snnsim.units import expect
from snnsim.world import ALONE, World

_FIRST_CHUNK, _CHUNK_S, _COMMIT_S, _TRACE_BYTES = 50, 0.2, 1.0, 64 << 20

Progress = Callable[[int, int], None]


class View:
    """The states of one population: ``program["exc"]["v"]`` is a copy [n], assignment sets them."""

    def __init__(self, program: Program, number: int) -> None:
        self._engine, self._number, self._population = program.engine, number, program.plan.populations[number]
        self._states = program.net.populations[self._population.name].model.states

    def __iter__(self) -> Iterator[str]:
        return iter(self._population.program.states)

    def __getitem__(self, state: str) -> np.ndarray:
        return self._population.value(state, self._engine.get(self._number, self._known(state)))

    def __setitem__(self, state: str, values: Any) -> None:
        array = self._numbers(self._known(state), values)
        self._engine.set(self._number, state, self._population.stored(state, array))

    def _numbers(self, state: str, values: Any) -> np.ndarray:
        """`values` for every unit: a number or a quantity for all of them, or an array [n]."""
        if isinstance(values, str):
            values = expect(values, self._states[state].dimension)
        try:
            return np.broadcast_to(np.asarray(values, dtype=np.float64), (self._population.n,))
        except (ValueError, TypeError) as error:
            shape = np.shape(values)
            found = f"an array of shape {shape}" if shape else repr(values)
            text = f"expected a number, a quantity or an array of {self._population.n} numbers, found {found}"
            raise InputError(Problem(f"{self._population.name}.{state}", text)) from error

    def _known(self, state: str) -> str:
        if state not in self._population.program.states:
            raise InputError(unknown("state", state, self._population.program.states))
        return state


class Program:
    """A network compiled for one backend.

    Where several processes run it, all of them do the same with it at the same time; a recorder is the first one's.

    done: steps done so far; time: the same in ms. counts: spikes of each population so far. run_s: seconds spent on the
    `ran` steps that this process has done, recording included.
    """

    def __init__(
        self, net: Network, plan: Plan, backend: Backend, threads: int | None = None, world: World = ALONE,
    ) -> None:
        among: dict[str, Any] = {"world": world} if world.size > 1 else {}    # a `RankedBackend`, as `runner` sees to
        with world.agreed():
            refuse_plan(plan, world.beside * backend.memory(plan, threads, **among))
        began = time.perf_counter()
        self.net, self.plan, self.backend, self.world = net, plan, backend, world
        self.engine: Engine = backend.compile(plan, threads, **among)
        self.compile_s = float(self.engine.facts().get("compile_s", 0.0))
        self.build_s = time.perf_counter() - began - self.compile_s
        self.run_s, self.ran = 0.0, 0
        self.counts = np.zeros(len(plan.populations), np.int64)
        number = np.arange(len(plan.populations), dtype=np.min_scalar_type(len(plan.populations)))
        self._population_of = np.repeat(number, [p.n for p in plan.populations])
        self._numbers = {p.name: k for k, p in enumerate(plan.populations)}
        self._chunk = _FIRST_CHUNK

    @property
    def done(self) -> int:
        """Steps done."""
        return self.engine.done

    @property
    def time(self) -> float:
        """Simulated time in ms."""
        return self.done * self.plan.dt

    def __getitem__(self, population: str) -> View:
        if population not in self._numbers:
            raise InputError(unknown("population", population, self._numbers))
        return View(self, self._numbers[population])

    def weights(self, projection: int | str) -> dict[str, np.ndarray]:
        """Synapses of a projection (its number or label): source, target, weight (in the port's unit), delay (ms).

        Those of a plastic one as they are now, sorted by source, target and delay. Of learning synapses the weight is
        the mantissa, and ``tag_1`` and ``tag_2`` are there where the rules have them.
        """
        known: dict[int | str, int] = {}
        for k, each in enumerate(self.plan.projections):
            known |= {k: k, each.label: k}
        if projection not in known:
            raise InputError(unknown("projection", str(projection), map(str, known)))
        number = known[projection]
        it = self.plan.projections[number]
        if it.rule is None:
            table = it.table(self.plan.populations[it.target].n)
            weight = table["weight"] * np.array(it.quanta)[table["port"]]
        else:
            table = self.engine.synapses_of(number)
            weight = it.rule.sign * table["w"].astype(np.float64)
        tags = {name: table[name] for name in TAGS if name in table}
        return {"source": table["source"], "target": table["target"], "weight": weight,
                "delay": table["delay"] * self.plan.dt, **tags}

    # --- running ---------------------------------------------------------------------------------------------------

    def run(self, duration: Any, recorder: Recorder | None = None, progress: Progress | None = None,
            stop: Callable[[], bool] | None = None) -> None:
        """Run for `duration` (text such as "100 ms"); `stop` is asked between chunks.

        Raises ``NumericalError`` where a state becomes NaN or infinite; all before that step is recorded.
        """
        problems, steps = Problems(), 0
        with problems.at("duration"):
            steps = read_steps(duration, self.plan.dt, [], "duration")
        problems.check()
        self.run_steps(steps, recorder, progress, stop)

    def run_steps(self, steps: int, recorder: Recorder | None = None, progress: Progress | None = None,
                  stop: Callable[[], bool] | None = None) -> None:
        """As ``run``, counted in steps."""
        last, committed = self.done + steps, time.perf_counter()
        with in_order(self.engine.overlaps and recorder is not None) as put:
            sink = Sink(self.plan, recorder, put)
            while self.done < last and not self.world.most(bool(stop and stop()))[0]:
                began = time.perf_counter()
                chunk = self._advance(min(self._chunk, self._widest(), last - self.done), sink)
                self._adapt(chunk.steps, time.perf_counter() - began)
                self._take(chunk, sink)
                with self.world.agreed():
                    if time.perf_counter() - committed > _COMMIT_S:
                        sink.commit(self.done)
                        committed = time.perf_counter()
                self.run_s += time.perf_counter() - began
                self.ran += chunk.steps
                if progress is not None:
                    progress(self.done, last)
            began = time.perf_counter()
            with self.world.agreed():
                sink.commit(self.done)
        self.run_s += time.perf_counter() - began

    def _plastic(self) -> list[int]:
        """Numbers of the plastic projections."""
        return [k for k, p in enumerate(self.plan.projections) if p.rule is not None]

    def _adapt(self, steps: int, took: float) -> None:
        """Chunks long enough that Python costs little, short enough that Ctrl-C and progress are prompt."""
        if steps == self._chunk or took > _CHUNK_S:
            ideal = int(steps * _CHUNK_S / max(took, 1e-6))
            self._chunk = max(1, min(self.engine.longest, 4 * self._chunk, ideal))
        self._chunk = int(self.world.tell(np.array([self._chunk]))[0])

    def _widest(self) -> int:
        """Steps whose traces fit into a modest buffer."""
        numbers = sum(t.units.size / t.every for t in self.plan.traces)
        numbers += sum(len(w.synapses) / w.every for w in self.plan.weights if not w.on_pre)
        per_step = numbers * np.dtype(self.plan.dtype).itemsize
        return max(1, int(_TRACE_BYTES / per_step)) if per_step else self.engine.longest

    def _advance(self, steps: int, sink: Sink) -> Chunk:
        before, until = self.engine.snapshot(), self.done + steps
        try:
            chunk = self.engine.advance(steps)
        except NumericalError:
            self._approach(before, until, sink)
            raise
        except EngineError:
            sink.commit(self.done)
            raise
        if (wrong := fault(self.plan, self.engine, chunk, self.world)) is not None:
            self._approach(before, until, sink)
            raise wrong
        return chunk

    def _states(self) -> list[tuple[int, str, np.ndarray]]:
        return [(k, s, self.engine.get(k, s)) for k, p in enumerate(self.plan.populations) for s in p.program.states]

    def _approach(self, before: Any, until: int, sink: Sink) -> None:
        """Go back to the beginning of the chunk and step to where the fault first shows; record the steps before it."""
        self.engine.restore(before)
        done = self.done
        try:
            while self.done < until:
                chunk = self.engine.advance(1)
                if (wrong := fault(self.plan, self.engine, chunk, self.world)) is not None:
                    raise wrong
                self._take(chunk, sink)
                done = self.done
        finally:
            sink.commit(done)

    def _restore(self, done: int, states: list[tuple[int, str, np.ndarray]], history: Spikes) -> None:
        for k, state, values in states:
            self.engine.set(k, state, values)
        self.engine.load(done, *history)

    def _take(self, chunk: Chunk, sink: Sink) -> None:
        """Count the spikes here, so that whoever is called between chunks finds the counts; the sink does the rest."""
        population = self._population_of[chunk.unit]
        counts = np.bincount(population, minlength=len(self.counts))
        self.counts += self.world.tell(counts)
        with self.world.agreed():
            sink.write(chunk, population, counts)

    # --- saving ----------------------------------------------------------------------------------------------------

    def recording_plan(self, provenance: dict[str, Any]) -> RecordingPlan:
        """What the network asks to record, for a ``Recorder``."""
        return recording_plan(self.net, self.plan, self.engine, provenance)

    def save(self, path: str | Path) -> None:
        """Write everything that the future depends on; ``snnsim.resume`` goes on from it, on any backend."""
        spikes = self.engine.history()
        arrays: dict[str, np.ndarray | Column] = {
            f"spikes/{name}": values for name, values in spikes._asdict().items() if values is not None}
        arrays["counts"] = self.counts
        for k, state, values in self._states():
            arrays[state_name(self.plan.populations[k].name, state)] = values
        for k in self._plastic():
            label = self.plan.projections[k].label
            arrays |= {plasticity_name(label, name): values for name, values in self.engine.plasticity(k).items()}
        base = None if self.net.base_dir is None else str(Path(self.net.base_dir).resolve())
        meta = {"network": self.net.to_yaml(), "base_dir": base, "done": self.done, "backend": self.backend.name}
        together = {name: values if isinstance(values, np.ndarray) else InStep(values)
                    for name, values in arrays.items()}
        with self.world.agreed():
            try:
                if self.world.leads:
                    save_state(path, together, meta)
            finally:
                for column in together.values():
                    if isinstance(column, InStep):
                        column.finish()

    def load(self, path: str | Path) -> None:
        """Take over the state that ``save`` wrote; ``InputError`` where it belongs to another network."""
        self.take(read_checkpoint(path, self.net))

    def take(self, saved: Checkpoint) -> None:
        """Go on from a state, all of which is checked first; ``InputError`` where it is not what this network has.

        That can be because a built-in model has changed since.
        """
        states = [(k, s, saved.state(p.name, s, p.n, kind is Type.INT)) for k, p in enumerate(self.plan.populations)
                  for s, kind in p.program.states.items()]
        learned = {k: saved.plasticity(self.plan.projections[k].label, self.engine.plasticity(k))
                   for k in self._plastic()}
        spikes, counts = saved.spikes(self.plan.graded), saved.counts(self.counts.size)
        names = {state_name(self.plan.populations[k].name, state) for k, state, _ in states}
        saved.refuse_others(names | {part.name for each in learned.values() for part in each.stored.values()})
        for k, each in learned.items():
            self.engine.set_plasticity(k, saved.done, each.read())
        self._restore(saved.done, states, spikes)
        self.counts[:] = counts
