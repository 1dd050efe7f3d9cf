"""The meaning of a network in plain NumPy, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snnsim.backends.reference.coupling import CoupledProjection
from snnsim.backends.reference.learning import LearningProjection
from snnsim.backends.reference.plasticity import Events, PlasticProjection
from snnsim.draws import draw
from snnsim.engine import LONGEST_CHUNK, Chunk, InOneProcess, Spikes, rows_between
from snnsim.ir import Type
from snnsim.ir.exact import lower
from snnsim.ir.interpret import Effects, Environment, interpret
from snnsim.plan import Plan, Population, Projection
from snnsim.plan_rules import Modulator
from snnsim.plastic import Sent, WeightLog


class ReferenceEngine(InOneProcess):
    """Runs a plan by interpreting its programs over whole populations."""

    threads = 1
    overlaps, longest = False, LONGEST_CHUNK

    def __init__(self, plan: Plan) -> None:
        self.plan, self.done = plan, 0
        self.programs = [lower(p.program, plan.dtype) for p in plan.populations]
        self.outputs: list[dict[str, np.ndarray]] = [{} for _ in plan.populations]
        self.states = [self._initial(p) for p in plan.populations]
        self.pending: dict[int, list[tuple[int, str, np.ndarray, np.ndarray]]] = {}
        self.rows = {k: self._rows(p) for k, p in enumerate(plan.projections) if p.spiking}
        self.coupled = [CoupledProjection(plan, k) for k, p in enumerate(plan.projections) if p.coupling is not None]
        self.plastic = {k: PlasticProjection(plan, k) if p.plastic else LearningProjection(plan, k)
                        for k, p in enumerate(plan.projections) if p.rule is not None}
        # Units, over the whole network, and payloads of the spikes of each step: [2, spikes].
        self.recent: dict[int, np.ndarray] = {}

    def _initial(self, population: Population) -> dict[str, np.ndarray]:
        kinds = {Type.REAL: self.plan.dtype, Type.INT: np.int64}
        return {name: np.broadcast_to(population.initial[name], (population.n,)).astype(kinds[kind])
                for name, kind in population.program.states.items()}

    def _rows(self, projection: Projection) -> dict[str, np.ndarray]:
        """All synapses of a projection, sorted by source, with the place where each source's begin."""
        table = projection.table(self.plan.populations[projection.target].n)
        order = np.argsort(table["source"], kind="stable")
        rows = {name: column[order] for name, column in table.items()}
        sources = np.arange(self.plan.populations[projection.source].n + 1)
        return rows | {"ends": np.searchsorted(rows["source"], sources)}

    def advance(self, steps: int) -> Chunk:
        """Run `steps` steps; see ``snnsim.engine``."""
        first = self.done
        traces = [np.zeros((rows_between(first, steps, t.every), t.units.size), self.plan.dtype)
                  for t in self.plan.traces]
        logs = [WeightLog(request, self.plastic[request.projection]) for request in self.plan.weights]
        for _ in range(steps):
            sent = self._step()
            for out, trace in zip(traces, self.plan.traces, strict=True):
                if self.done % trace.every == 0:
                    out[self.done // trace.every - first // trace.every - 1] = (
                        self._known(trace.population)[trace.variable][trace.units])
            for log in logs:
                log.note(self.done, sent)
        spikes = self._sorted({step: spiked for step, spiked in self.recent.items() if step > first})
        self._forget(self.done - self.plan.max_delay)
        return Chunk(steps, spikes.step, spikes.unit, traces, [log.chunk() for log in logs], spikes.payload)

    def _forget(self, until: int) -> None:
        self.recent = {step: spiked for step, spiked in self.recent.items() if step > until}

    def _sorted(self, spikes: Mapping[int, np.ndarray]) -> Spikes:
        """Spikes by step as arrays sorted by (step, unit)."""
        unit, payload = np.concatenate([_NONE, *spikes.values()], axis=1)
        step = np.repeat(np.array(list(spikes), np.int64), [spiked.shape[1] for spiked in spikes.values()])
        order = np.lexsort((unit, step))
        return Spikes(step[order], unit[order], payload[order] if self.plan.graded else None)

    def _known(self, population: int) -> dict[str, np.ndarray]:
        return self.states[population] | self.outputs[population]

    def history(self) -> Spikes:
        """Spikes of the last ``plan.max_delay`` steps."""
        return self._sorted(self.recent)

    def load(self, done: int, step: np.ndarray, unit: np.ndarray, payload: np.ndarray | None = None) -> None:
        """Go on after step `done`; see ``snnsim.engine``."""
        self.done, self.pending = done, {}
        spiked = np.stack([unit, np.ones_like(unit) if payload is None else payload])
        self.recent = {int(s): spiked[:, step == s] for s in np.unique(step)}
        for then, spiked in self.recent.items():
            for k, population in enumerate(self.plan.populations):
                self._send(k, _within(population, spiked), then)
        self.pending = {then: entries for then, entries in self.pending.items() if then > done}

    def _step(self) -> dict[int, Sent]:
        """One step of all populations, those that others act on without delay first; then of plastic projections."""
        step = self.done + 1
        self.inputs = self._coupled(step)
        variables = {k: self._variable(p.rule.modulator) for k, p in self.plastic.items()}
        emitted = [_NONE]
        for k in sorted(range(len(self.plan.populations)), key=lambda k: self.plan.populations[k].level):
            emitted.append(self._update(k, step) + np.array([[self.plan.populations[k].first], [0]]))
        self.pending.pop(step, None)
        self.recent[step] = np.concatenate(emitted, axis=1)
        self.done = step
        return {k: p.step(step, self._events(p, step, variables[k])) for k, p in self.plastic.items()}

    def _update(self, k: int, step: int) -> np.ndarray:
        """One step of one population; [2, spikes], the units that spike, as often as they do, and payloads."""
        population = self.plan.populations[k]
        effects = interpret(self.programs[k], self._environment(k, step))
        self.states[k] |= {name: np.broadcast_to(new, (population.n,)).astype(self.states[k][name].dtype)
                           for name, new in effects.stored.items()}
        self.outputs[k] = {name: np.broadcast_to(value, (population.n,)) for name, value in effects.outputs.items()}
        spiked = _spiked(effects, population.n)
        self._send(k, spiked, step)
        return spiked

    # --- couplings and plasticity ------------------------------------------------------------------------------------

    def _coupled(self, step: int) -> dict[tuple[int, str], np.ndarray]:
        """What couplings add to each (population, input) in a step, from what the step before left."""
        sums: dict[tuple[int, str], Any] = {}
        quanta: dict[tuple[int, str], float] = {}
        for it in self.coupled:
            sides = (self._values(k, it.rule.variable) for k in (it.it.source, it.it.target))
            key = it.it.target, it.rule.drive
            sums[key] = sums.get(key, 0) + it.sums(step, *sides)
            quanta[key] = it.rule.quantum
        return {key: (total * quanta[key]).astype(self.plan.dtype) for key, total in sums.items()}

    def _values(self, k: int, variable: str) -> np.ndarray:
        """The values of a variable of a population; 0 for an output before the first step."""
        population = self.plan.populations[k]
        stored = self._known(k).get(variable, np.zeros(population.n))
        return population.value(variable, stored).astype(self.plan.dtype)

    def _spikes(self, k: int, step: int) -> np.ndarray:
        """How often each unit of a population spiked in a step."""
        population = self.plan.populations[k]
        return np.bincount(_within(population, self.recent.get(step, _NONE))[0], minlength=population.n)

    def _events(self, plastic: PlasticProjection | LearningProjection, step: int, variable: Any) -> Events:
        """What reaches a projection in a step; variable: that of its modulator, as the step before left it."""
        pre, modulator = self._spikes(plastic.it.source, step - plastic.rule.axonal), plastic.rule.modulator
        if modulator is not None and modulator.variable is None:
            variable = int(self._spikes(modulator.population, step - modulator.delay).sum())
        return Events(pre, lambda then: self._spikes(plastic.it.target, then), variable)

    def _variable(self, modulator: Modulator | None) -> Any:
        """The value that a modulating variable has now."""
        if modulator is None or modulator.variable is None:
            return 0
        values = self._values(modulator.population, modulator.variable)
        return values[0] if values.size == 1 else values

    def plasticity(self, projection: int) -> dict[str, np.ndarray]:
        """Everything that changes in a plastic projection; see ``snnsim.engine``."""
        it = self.plastic[projection]
        return it.state(self.done) | self._said(it.rule.modulator)

    def set_plasticity(self, projection: int, done: int, values: Mapping[str, np.ndarray]) -> None:
        """The opposite."""
        it = self.plastic[projection]
        it.set_state(done, values)
        if it.rule.modulator is not None and "modulator" in values:
            self.outputs[it.rule.modulator.population][str(it.rule.modulator.variable)] = values["modulator"]

    def _said(self, modulator: Modulator | None) -> dict[str, np.ndarray]:
        """The output that modulates: no state has it."""
        if modulator is None or modulator.variable is None or modulator.variable in self.states[modulator.population]:
            return {}
        return {"modulator": self._values(modulator.population, modulator.variable)}

    def synapses_of(self, projection: int) -> dict[str, np.ndarray]:
        """source, target, delay and w; see ``snnsim.engine``."""
        it = self.plastic[projection]
        kept = ("w",) if isinstance(it, PlasticProjection) else it.rule.states
        columns = {"source": it.source, "target": it.target, "delay": it.delay}
        return columns | {name: it.values[name].copy() for name in kept}

    def snapshot(self) -> Any:
        """All that changes."""
        plastic = {k: p.state(self.done) for k, p in self.plastic.items()}
        return plastic, _copied(self.done, self.states, self.outputs, self.pending, self.recent)

    def restore(self, saved: Any) -> None:
        """Back to a snapshot."""
        plastic, rest = saved
        self.done, self.states, self.outputs, self.pending, self.recent = _copied(*rest)
        for k, values in plastic.items():
            self.plastic[k].set_state(self.done, values)

    def _environment(self, k: int, step: int) -> Environment:
        population = self.plan.populations[k]
        return Environment(self.plan.dtype, population.params, self.states[k], self._arrivals(k, step),
                           {name: self._drive(population, name, step) for name in population.drives}
                           | {name: values for (target, name), values in self.inputs.items() if target == k},
                           lambda op, data: draw(self.plan, population, op, data, step))

    def _arrivals(self, k: int, step: int) -> dict[str, np.ndarray]:
        population = self.plan.populations[k]
        sums = {name: np.zeros(population.n, np.int64) for name in population.ports}
        for schedule in population.schedules:
            now = schedule.step == step
            np.add.at(sums[schedule.port], schedule.unit[now], schedule.weight[now])
        for target, port, units, weights in self.pending.get(step, []):
            if target == k:
                np.add.at(sums[port], units, weights)
        for plastic in self.plastic.values():
            if plastic.it.target == k and plastic.it.ports[0]:
                sums[plastic.it.ports[0]] += plastic.arriving(step)
        return sums

    def _send(self, k: int, spiked: np.ndarray, step: int) -> None:
        """Put the synapses of spikes [2, spikes] into the steps in which they arrive."""
        for number, rows in self.rows.items():
            projection = self.plan.projections[number]
            if projection.source != k or not spiked.size:
                continue
            ends, (ids, payloads) = rows["ends"], spiked
            chosen = np.concatenate([np.arange(ends[i], ends[i + 1]) for i in ids])
            port, delay, weight = (rows[name][chosen] for name in ("port", "delay", "weight"))
            if projection.payloads:
                weight *= np.repeat(payloads, ends[ids + 1] - ends[ids])
            for later in np.unique(delay):
                for side, name in enumerate(projection.ports):
                    now = (delay == later) & (port == side)
                    entry = (projection.target, name, rows["target"][chosen[now]], weight[now])
                    self.pending.setdefault(step + int(later), []).append(entry)

    def _drive(self, population: Population, name: str, step: int) -> np.ndarray:
        drive = population.drives[name]
        row = int(np.searchsorted(drive.steps, step, side="right")) - 1
        return np.broadcast_to(drive.values[row] if row >= 0 else 0.0, (population.n,)).astype(self.plan.dtype)

    def get(self, population: int, state: str) -> np.ndarray:
        """A copy of a state, [n]."""
        return self.states[population][state].copy()

    def set(self, population: int, state: str, values: np.ndarray) -> None:
        """Overwrite a state, [n]."""
        self.states[population][state][...] = values

    @property
    def synapses(self) -> int:
        """How many there are."""
        sources = [rows["source"] for rows in self.rows.values()]
        sources += [p.source for p in self.plastic.values()] + [p.source for p in self.coupled]
        return sum(source.size for source in sources)

    def memory(self) -> dict[str, int]:
        """Bytes of synapses and of everything else."""
        tables = [*self.rows.values(), *(p.values for p in self.plastic.values())]
        return {"synapses": sum(a.nbytes for rows in tables for a in rows.values()),
                "other": sum(a.nbytes for states in self.states for a in states.values())}

    def facts(self) -> dict[str, Any]:
        """Nothing is compiled."""
        return {"threads": 1, "compile_s": 0.0}


_NONE = np.zeros((2, 0), np.int64)


def _copied(done: int, states: Any, outputs: Any, pending: Any, recent: Any) -> tuple[Any, ...]:
    """Copies of what changes in place: spikes and arrivals are only ever added to and taken out."""
    states = [{name: values.copy() for name, values in known.items()} for known in states]
    pending = {step: list(entries) for step, entries in pending.items()}
    return done, states, [dict(known) for known in outputs], pending, dict(recent)


def _spiked(effects: Effects, n: int) -> np.ndarray:
    """The units that spike, as often as they do, and the payload of each, [2, spikes]."""
    if "spikes" in effects.sent:
        payloads = np.broadcast_to(effects.sent["spikes"], (n,)).astype(np.int64)
        return np.stack([np.flatnonzero(payloads), payloads[payloads != 0]])
    count = np.broadcast_to(effects.emitted.get("spikes", 0), (n,)).astype(np.int64)
    ids = np.repeat(np.arange(n), np.maximum(count, 0))
    return np.stack([ids, np.ones_like(ids)])


def _within(population: Population, spiked: np.ndarray) -> np.ndarray:
    """Those of some spikes [2, spikes] that belong to a population, its units counted from 0."""
    units, payloads = spiked
    mine = (units >= population.first) & (units < population.first + population.n)
    return np.stack([units[mine] - population.first, payloads[mine]])
