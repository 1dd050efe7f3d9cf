"""The reference backend: the meaning of a network in plain NumPy, step by step. Slow, complete, and compared to."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnsim.engine import Chunk, rows_between
from snnsim.errors import Problem
from snnsim.ir import Op, Type
from snnsim.ir.exact import lower
from snnsim.ir.interpret import Environment, interpret
from snnsim.plan import Plan, Population
from snnsim.random import POISSON_MEAN, poisson_parts, poisson_thresholds, step_words, stream_id


class ReferenceEngine:
    """Runs a plan by interpreting its programs over whole populations."""

    threads = 1

    def __init__(self, plan: Plan) -> None:
        self.plan, self.done = plan, 0
        self.programs = [lower(p.program, plan.dtype) for p in plan.populations]
        self.outputs: list[dict[str, np.ndarray]] = [{} for _ in plan.populations]
        self.states = [self._initial(p) for p in plan.populations]
        self.pending: dict[int, list[tuple[int, str, np.ndarray, np.ndarray]]] = {}
        self.rows = [self._rows(k) for k in range(len(plan.projections))]
        self.recent: list[tuple[int, np.ndarray]] = []

    def _initial(self, population: Population) -> dict[str, np.ndarray]:
        kinds = {Type.REAL: self.plan.dtype, Type.INT: np.int64}
        return {name: np.broadcast_to(population.initial[name], (population.n,)).astype(kinds[kind])
                for name, kind in population.program.states.items()}

    def _rows(self, number: int) -> dict[str, np.ndarray]:
        """All synapses of a projection, sorted by source, with the place where each source's begin."""
        projection = self.plan.projections[number]
        blocks = [np.stack([np.broadcast_to(x, b.source.shape).astype(np.int64) for x in b])
                  for b in projection.blocks(0, self.plan.populations[projection.target].n)]
        table = np.concatenate(blocks, axis=1) if blocks else np.zeros((5, 0), np.int64)
        table = table[:, np.argsort(table[0], kind="stable")]
        ends = np.searchsorted(table[0], np.arange(self.plan.populations[projection.source].n + 1))
        return dict(zip(("source", "target", "port", "weight", "delay"), table, strict=True)) | {"ends": ends}

    def advance(self, steps: int) -> Chunk:
        """Run `steps` steps; see ``snnsim.engine``."""
        first = self.done
        spikes: list[tuple[int, np.ndarray]] = []
        traces = [np.zeros((rows_between(first, steps, t.every), t.units.size), self.plan.dtype)
                  for t in self.plan.traces]
        for _ in range(steps):
            spikes += [(self.done + 1, ids) for ids in self._step()]
            self.done += 1
            for out, trace in zip(traces, self.plan.traces, strict=True):
                if self.done % trace.every == 0:
                    known = self.states[trace.population] | self.outputs[trace.population]
                    out[self.done // trace.every - first // trace.every - 1] = known[trace.variable][trace.units]
        self.recent = [s for s in (*self.recent, *spikes) if s[0] > self.done - self.plan.max_delay]
        return Chunk(steps, *_sorted(spikes), traces)

    def history(self) -> tuple[np.ndarray, np.ndarray]:
        """Spikes of the last ``plan.max_delay`` steps."""
        return _sorted(self.recent)

    def load(self, done: int, step: np.ndarray, unit: np.ndarray) -> None:
        """Go on after step `done`; see ``snnsim.engine``."""
        self.done, self.pending = done, {}
        self.recent = [(int(s), unit[step == s]) for s in np.unique(step)]
        for then, units in self.recent:
            for k, population in enumerate(self.plan.populations):
                mine = units[(units >= population.first) & (units < population.first + population.n)]
                self._send(k, mine - population.first, then)
        self.pending = {then: entries for then, entries in self.pending.items() if then > done}

    def _step(self) -> list[np.ndarray]:
        """One step of all populations, those that others act on without delay first."""
        step, emitted = self.done + 1, []
        for k in sorted(range(len(self.plan.populations)), key=lambda k: self.plan.populations[k].level):
            population = self.plan.populations[k]
            effects = interpret(self.programs[k], self._environment(k, step))
            self.states[k] |= {name: np.broadcast_to(new, (population.n,)).astype(self.states[k][name].dtype)
                               for name, new in effects.stored.items()}
            self.outputs[k] = {name: np.broadcast_to(value, (population.n,)) for name, value in effects.outputs.items()}
            count = np.broadcast_to(effects.emitted.get("spikes", 0), (population.n,)).astype(np.int64)
            ids = np.repeat(np.arange(population.n), np.maximum(count, 0))
            self._send(k, ids, step)
            emitted.append(ids + population.first)
        self.pending.pop(step, None)
        return emitted

    def _environment(self, k: int, step: int) -> Environment:
        population = self.plan.populations[k]
        return Environment(self.plan.dtype, population.params, self.states[k], self._arrivals(k, step),
                           {name: self._drive(population, name, step) for name in population.drives},
                           lambda op, data: self._draw(population, op, data, step))

    def _arrivals(self, k: int, step: int) -> dict[str, np.ndarray]:
        population = self.plan.populations[k]
        sums = {name: np.zeros(population.n, np.int64) for name in population.ports}
        for schedule in population.schedules:
            now = schedule.step == step
            np.add.at(sums[schedule.port], schedule.unit[now], schedule.weight[now])
        for target, port, units, weights in self.pending.get(step, []):
            if target == k:
                np.add.at(sums[port], units, weights)
        return sums

    def _send(self, k: int, ids: np.ndarray, step: int) -> None:
        """Put the synapses of spikes into the steps in which they arrive."""
        for projection, rows in zip(self.plan.projections, self.rows, strict=True):
            if projection.source != k or not ids.size:
                continue
            ends = rows["ends"]
            chosen = np.concatenate([np.arange(ends[i], ends[i + 1]) for i in ids])
            for port, name in enumerate(projection.ports):
                mine = chosen[rows["port"][chosen] == port]
                for delay in np.unique(rows["delay"][mine]):
                    now = mine[rows["delay"][mine] == delay]
                    entry = (projection.target, name, rows["target"][now], rows["weight"][now])
                    self.pending.setdefault(step + int(delay), []).append(entry)

    def _drive(self, population: Population, name: str, step: int) -> np.ndarray:
        drive = population.drives[name]
        row = int(np.searchsorted(drive.steps, step, side="right")) - 1
        return np.broadcast_to(drive.values[row] if row >= 0 else 0.0, (population.n,)).astype(self.plan.dtype)

    def _draw(self, population: Population, op: Op, data: Any, step: int) -> np.ndarray:
        units = np.arange(population.n)
        if op is Op.POISSON:
            return self._poisson(population, data, step, units)
        words = step_words(self.plan.seed, stream_id(data), step, units)
        bits = 9 if self.plan.dtype == np.float32 else 0
        return ((words >> np.uint32(bits)).astype(np.float64) + 0.5) * 2.0 ** (bits - 32)

    def _poisson(self, population: Population, data: Any, step: int, units: np.ndarray) -> np.ndarray:
        label, name = data
        means = np.broadcast_to(population.params[name], units.shape).astype(float)
        parts = poisson_parts(float(means.max(initial=0.0)))
        assert means.max(initial=0.0) / parts <= POISSON_MEAN
        count = np.zeros(population.n, np.int64)
        if step <= population.onsets.get(label, 0):
            return count
        for part in range(parts):
            words = step_words(self.plan.seed, stream_id(label), step, units, part)
            for mean in np.unique(means):
                mine = means == mean
                count[mine] += np.searchsorted(poisson_thresholds(mean / parts), words[mine], side="right")
        return count

    def get(self, population: int, state: str) -> np.ndarray:
        """A copy of a state, [n]."""
        return self.states[population][state].copy()

    def set(self, population: int, state: str, values: np.ndarray) -> None:
        """Overwrite a state, [n]."""
        self.states[population][state][...] = values

    @property
    def synapses(self) -> int:
        """How many there are."""
        return sum(rows["source"].size for rows in self.rows)

    def memory(self) -> dict[str, int]:
        """Bytes of synapses and of everything else."""
        return {"synapses": sum(a.nbytes for rows in self.rows for a in rows.values()),
                "other": sum(a.nbytes for states in self.states for a in states.values())}

    def facts(self) -> dict[str, Any]:
        """Nothing is compiled."""
        return {"threads": 1, "compile_s": 0.0}


def _sorted(spikes: list[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Spikes by step as two arrays sorted by (step, unit)."""
    step = np.concatenate([np.full(ids.size, s) for s, ids in spikes] or [np.zeros(0, np.int64)])
    unit = np.concatenate([ids for _, ids in spikes] or [np.zeros(0, np.int64)])
    order = np.lexsort((unit, step))
    return step[order], unit[order]


class ReferenceBackend:
    """Plain NumPy; runs everything."""

    name = "reference"
    about = "the meaning of a network, in plain NumPy: slow and complete"
    rank = 0

    def lacks(self) -> str | None:
        """Nothing."""
        return None

    def device(self) -> str:
        """The version of NumPy."""
        return f"NumPy {np.__version__}"

    def refuses(self, plan: Plan) -> list[Problem]:
        """Nothing."""
        return []

    def memory(self, plan: Plan, threads: int | None = None) -> int:
        """Synapses as five long integers each, four times while they are sorted; a few copies of the states."""
        units = sum(p.n * (16 * len(p.program.states) + 8 * len(p.program.instrs)) for p in plan.populations)
        return units + 160 * sum(p.bound.synapses for p in plan.projections)

    def compile(self, plan: Plan, threads: int | None = None) -> ReferenceEngine:
        """An engine; `threads` has no effect."""
        return ReferenceEngine(plan)


backend = ReferenceBackend()
