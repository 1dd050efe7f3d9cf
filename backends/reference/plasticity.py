"""The meaning of a plastic projection: what its rule does in each step, for all synapses at once.

docs/conventions.md has the order of events; here it stands as code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim.engine import LONG_AGO, NEVER
from snnsim.ir.exact import lower
from snnsim.ir.interpret import Environment, interpret
from snnsim.plan import Plan
from snnsim.plan_rules import SpikeTrace
from snnsim.plastic import Sent, canonical_order, joined, out_of_bounds

Arrays = dict[str, np.ndarray]
_NONE, _ALL = frozenset[str](), frozenset({"pre", "post", "modulator"})


@dataclass(frozen=True)
class Events:
    """What reaches a projection in one step.

    pre: spikes of each source unit at the synapses, [n_source]; post: step -> spikes of each target unit then,
    [n_target]; modulator: how many spikes of the modulating population, or the value of its variable.
    """

    pre: np.ndarray
    post: Callable[[int], np.ndarray]
    modulator: Any = 0


class PlasticProjection:
    """Synapses of one projection in canonical order, with everything that changes in them."""

    def __init__(self, plan: Plan, number: int) -> None:
        self.plan, self.it, self.dtype = plan, plan.projections[number], plan.dtype
        assert self.it.plastic is not None
        self.rule = self.it.plastic
        self.programs = {event: lower(program, plan.dtype) for event, program in self.rule.programs.items()}
        table = self.it.table(plan.populations[self.it.target].n)
        order = canonical_order(table)
        self.source, self.target, self.delay = (table[key][order] for key in ("source", "target", "delay"))
        self.dendritic = self.delay - self.rule.axonal
        self.values: Arrays = {"w": table["weight"][order].astype(self.dtype)}
        for name, value in self.rule.states.items():
            self.values[name] = np.full(order.size, value, self.dtype)
        self.n_target = plan.populations[self.it.target].n
        self.under_way: dict[int, np.ndarray] = {}
        self._reset(plan.populations[self.it.source].n)

    def _reset(self, n_source: int) -> None:
        self.rows = self.it.delays[1] - self.rule.axonal + 2
        sizes = {"pre": (n_source,), "modulator": (1,), "post": (self.rows, self.n_target)}
        self.before: Arrays = {t.name: np.zeros(sizes[t.on], self.dtype) for t in self.rule.traces}
        self.after: Arrays = {name: values.copy() for name, values in self.before.items()}
        self.last = np.full(n_source, NEVER, np.int64)

    # --- state -------------------------------------------------------------------------------------------------------

    def state(self, done: int) -> Arrays:
        """Everything that changes, as ``Engine.plasticity`` says."""
        found = {name: values.copy() for name, values in self.values.items()} | {"last": self.last.copy()}
        rows = (done - np.arange(self.rows - 1)) % self.rows
        found["arrivals"] = np.stack([self.arriving(done + 1 + k) for k in range(self.rows - 2)])
        for trace in self.rule.traces:
            if trace.on == "post":
                found[f"trace.{trace.name}.before"] = self.before[trace.name][rows]
                found[f"trace.{trace.name}.after"] = self.after[trace.name][rows]
            else:
                found[f"trace.{trace.name}"] = self.after[trace.name].copy()
        return found

    def set_state(self, done: int, values: Mapping[str, np.ndarray]) -> None:
        """Take over what ``state`` gave."""
        rows = (done - np.arange(self.rows - 1)) % self.rows
        self.last[...] = values["last"]
        self.under_way = {done + 1 + k: row.copy() for k, row in enumerate(values["arrivals"])}
        for name, array in self.values.items():
            array[...] = values[name]
        for trace in self.rule.traces:
            if trace.on == "post":
                self.before[trace.name][rows] = values[f"trace.{trace.name}.before"]
                self.after[trace.name][rows] = values[f"trace.{trace.name}.after"]
            else:
                self.after[trace.name][...] = values[f"trace.{trace.name}"]

    # --- one step ----------------------------------------------------------------------------------------------------

    def step(self, step: int, events: Events) -> Sent:
        """Everything that happens at the synapses in `step`, in order; returns what they transmit."""
        self.under_way.pop(step, None)
        everywhere = np.arange(self.source.size)
        self._run("step", everywhere, step, self._traces(step - 1, everywhere, _ALL), events)
        self._decay(step)
        if self.rule.tie == "pre_first":
            sent = self._pre(step, events, _NONE)
            self._increase(step, events)
            self._post(step, events, {"pre"})
        else:
            self._post(step, events, _NONE)
            self._increase(step, events)
            sent = self._pre(step, events, {"post"} if self.rule.tie == "post_first" else _NONE)
        self._scale(step, everywhere, events)
        return sent

    def _decay(self, step: int) -> None:
        for trace in self.rule.traces:
            decay, place = self.dtype(trace.decay), self._place(trace, step)
            self.before[trace.name][place] = self.after[trace.name][self._place(trace, step - 1)] * decay

    def _increase(self, step: int, events: Events) -> None:
        for trace in self.rule.traces:
            place = self._place(trace, step)
            values = self.before[trace.name][place].copy()
            count = self._spikes(trace, step, events)
            for repeat in range(int(np.max(count, initial=0))):
                more = self.dtype(trace.add) if trace.nearest else values + self.dtype(trace.add)
                values = np.where(count > repeat, more, values)
            self.after[trace.name][place] = values

    def _spikes(self, trace: SpikeTrace, step: int, events: Events) -> np.ndarray:
        if trace.on == "modulator":
            return np.atleast_1d(events.modulator)
        return events.pre if trace.on == "pre" else events.post(step)

    def _place(self, trace: SpikeTrace, step: int) -> Any:
        """Where the values of a step are: target traces keep several steps, since synapses see them late."""
        return step % self.rows if trace.on == "post" else ...

    def _pre(self, step: int, events: Events, after: AbstractSet[str]) -> Sent:
        count = events.pre[self.source]
        parts = []
        for repeat in range(int(count.max(initial=0))):
            chosen = np.flatnonzero(count > repeat)
            outputs = self._run("pre", chosen, step, self._traces(step, chosen, after), events)
            sent = outputs.get("send", self.values["w"][chosen])
            parts.append(self._transmit(step, chosen, np.broadcast_to(sent, chosen.shape)))
            self.last[events.pre > repeat] = step
        self.last[events.pre > 0] = step   # also of sources without synapses
        return joined(parts)

    def _transmit(self, step: int, chosen: np.ndarray, sent: np.ndarray) -> Sent:
        wrong = ~(np.abs(sent) <= self.rule.limit)
        if wrong.any():
            k = int(np.argmax(wrong))
            raise out_of_bounds(self.plan, self.it, int(self.source[chosen[k]]), int(self.target[chosen[k]]), step,
                                float(sent[k]))
        weight = sent * self.dtype(self.rule.sign)
        quanta = np.rint(weight / self.dtype(self.it.quanta[0])).astype(np.int64)
        for delay in np.unique(self.dendritic[chosen]):
            mine = self.dendritic[chosen] == delay
            np.add.at(self.arriving(step + int(delay)), self.target[chosen[mine]], quanta[mine])
        return Sent(chosen, weight)

    def arriving(self, step: int) -> np.ndarray:
        """Sums of quanta that arrive in a step, [n_target]."""
        return self.under_way.setdefault(step, np.zeros(self.n_target, np.int64))

    def _post(self, step: int, events: Events, after: AbstractSet[str]) -> None:
        if "post" not in self.programs:
            return
        for delay in np.unique(self.dendritic):
            mine = np.flatnonzero(self.dendritic == delay)
            count = events.post(step - int(delay))[self.target[mine]]
            for repeat in range(int(count.max(initial=0))):
                chosen = mine[count > repeat]
                self._run("post", chosen, step, self._traces(step, chosen, after), events)

    def _scale(self, step: int, everywhere: np.ndarray, events: Events) -> None:
        """The rule of every so often, which sees the sum of the weights onto each target."""
        if self.rule.interval and step % self.rule.interval == 0:
            quantum = self.it.quanta[0]
            sums = np.zeros(self.n_target, np.int64)
            np.add.at(sums, self.target, np.rint(self.values["w"] / self.dtype(quantum)).astype(np.int64))
            known = {"sum_w": (sums * quantum).astype(self.dtype)[self.target]}
            self._run("interval", everywhere, step, self._traces(step, everywhere, _ALL) | known, events)

    def _traces(self, step: int, chosen: np.ndarray, after: AbstractSet[str]) -> Arrays:
        """What synapses see of the traces; `after`: the sides whose increments of this step count already."""
        seen = {}
        for trace in self.rule.traces:
            values = (self.after if trace.on in after else self.before)[trace.name]
            if trace.on == "post":
                values = values[(step - self.dendritic[chosen]) % self.rows, self.target[chosen]]
            seen[trace.name] = values[self.source[chosen]] if trace.on == "pre" else values
        return seen

    def _run(self, event: str, chosen: np.ndarray, step: int, seen: Arrays, events: Events) -> Arrays:
        """One program over some synapses; returns its outputs."""
        if event not in self.programs:
            return {}
        last = self.last[self.source[chosen]]
        since = np.where(last == NEVER, LONG_AGO, (step - last) * self.plan.dt).astype(self.dtype)
        modulator = events.modulator if np.ndim(events.modulator) == 0 else events.modulator[self.target[chosen]]
        drives: Mapping[str, Any] = {**seen, "since_pre": since, "modulator": modulator}
        states = {name: values[chosen] for name, values in self.values.items()}
        effects = interpret(self.programs[event], Environment(self.dtype, self.rule.params, states, drives=drives))
        for name, values in effects.stored.items():
            self.values[name][chosen] = values
        return effects.outputs
