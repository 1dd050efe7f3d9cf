"""A plastic projection as ``Synapses``: the order of what happens in a step, and what is on its way to the targets.

All of it runs in the slot ``learn``, after every population: `on_step`, then the decay of traces, which are variables
of the synapse with an equation of their own. Then spikes, on pathways of their own for rules and for traces, so that
the tie rule is an order of pathways. Those of sources have the axonal delay, those of targets the dendritic one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup, Synapses, second

from snnsim.backends.brian2.language import constants, quantity, synaptic
from snnsim.backends.brian2.rules import SPIKES, Rule, write
from snnsim.backends.brian2.runners import Every, Turns, running
from snnsim.backends.brian2.traces import UnitTraces
from snnsim.equations.statements import MODULATOR, SEND, WEIGHT
from snnsim.plan import Plan
from snnsim.plastic import Sent, canonical_order, joined, out_of_bounds

# The slot after all populations.
LEARN = "learn"
# Rules and traces of either side, in the order in which their pathways run.
TIES = {"none": ("post", "pre", "pre_traces", "post_traces"),
        "pre_first": ("pre", "pre_traces", "post", "post_traces"),
        "post_first": ("post", "post_traces", "pre", "pre_traces")}
_STEP, _DECAY, _SPIKES, _MODULATOR, _TOTAL, _INTERVAL = 1, 2, 3, 7, 8, 9
# (population, step) -> the spikes of each of its units.
Spikes = Callable[[int, int], np.ndarray]


def total(number: int) -> str:
    """The variable of the targets of a projection in which their weights are summed, in quanta."""
    return f"sum_{number}"


class PlasticSynapses:
    """All synapses of a plastic projection, in canonical order."""

    def __init__(self, plan: Plan, number: int, groups: list[NeuronGroup], clock: Clock, code: Any) -> None:
        self.plan, self.number, self.it, self.dtype = plan, number, plan.projections[number], plan.dtype
        assert self.it.plastic is not None
        self.rule, self.clock, self.code = self.it.plastic, clock, code
        self.group, self.n_target = groups[self.it.target], plan.populations[self.it.target].n
        table = self.it.table(self.n_target)
        order = canonical_order(table)
        self.source, self.target, self.delay = (table[key][order] for key in ("source", "target", "delay"))
        self.dendritic, self.weight = self.delay - self.rule.axonal, table["weight"][order].astype(plan.dtype)
        late = self.it.delays[1] - self.rule.axonal
        self.under_way = deque(np.zeros((late, self.n_target), np.int64), late)
        self.traces = UnitTraces(self.rule.traces, plan.populations[self.it.source].n, self.n_target, late + 1)
        self.sent: list[Sent] = []
        self.runners: dict[str, Any] = {}
        self.synapses = self._build(groups) if order.size else None

    # --- the objects of Brian2 ---------------------------------------------------------------------------------------

    def _build(self, groups: list[NeuronGroup]) -> Synapses:
        model, quantum = self.rule.equations, synaptic("quantum")
        assert model is not None
        rule = write(model, self.rule.traces, f"({total(self.number)}_post*{quantum})")
        known = constants(model.parameters, self.rule.values)
        known[quantum] = quantity(self.it.quanta[0], model.weight)
        lines = [*rule.equations]
        if self.rule.interval:
            lines.append(f"{total(self.number)}_post = rint({synaptic(WEIGHT)}/{quantum}) : 1 (summed)")
        code = {"pre": rule.events["pre"], "pre_traces": rule.traces["pre"], "post": rule.events["post"],
                "post_traces": rule.traces["post"]}
        text = {name: "\n".join(lines) for name, lines in code.items() if lines}
        made = Synapses(
            groups[self.it.source], self.group, "\n".join(lines), method="exact", clock=self.clock,
            on_pre={name: each for name, each in text.items() if name.startswith("pre")}, namespace=known,
            on_post={name: each for name, each in text.items() if name.startswith("post")} or None,
            name=f"projection_{self.number}", codeobj_class=self.code,
        )
        made.connect(i=self.source, j=self.target)
        self._place(made, rule)
        self._start(made)
        return made

    def _place(self, made: Synapses, rule: Rule) -> None:
        if made.state_updater is not None:
            _put(made.state_updater, _DECAY)
        for order, name in enumerate(TIES[self.rule.tie]):
            if (pathway := getattr(made, name, None)) is not None:
                delay = self.dendritic if name.startswith("post") else np.full(self.delay.size, self.rule.axonal)
                pathway.delay = delay * float(self.clock.dt) * second
                pathway.codeobj_class = self.code
                _put(pathway, _SPIKES + order)
                self.runners[pathway.name] = Turns(pathway, *([self._transmit] if name == "pre" else []))
        for order, lines in ((_STEP, rule.events["step"]), (_MODULATOR, rule.traces[MODULATOR])):
            self._regularly(made, order, lines)
        if self.rule.interval:
            updater = made.summed_updaters[f"{total(self.number)}_post"]
            updater.codeobj_class = self.code
            _put(updater, _TOTAL)
            for each in (updater, self._regularly(made, _INTERVAL, rule.events["interval"])):
                self.runners[each.name] = Every(each, self.clock, self.rule.interval)

    def _regularly(self, made: Synapses, order: int, lines: list[str]) -> Any:
        if not lines:
            return None
        return made.run_regularly("\n".join(lines), clock=self.clock, when=LEARN, order=order, codeobj_class=self.code)

    def _start(self, made: Synapses) -> None:
        values = {WEIGHT: self.weight, **self.rule.states}
        for name, value in values.items():
            made.variables[synaptic(name)].get_value()[...] = value
        made.variables[synaptic("last")].get_value()[...] = self.traces.last[self.source]

    @property
    def pathways(self) -> list[Any]:
        """Those that spikes have to be put into."""
        made = self.synapses
        return [] if made is None else [getattr(made, name) for name in TIES[self.rule.tie] if hasattr(made, name)]

    # --- one step ----------------------------------------------------------------------------------------------------

    def begin(self, modulator: Any) -> None:
        """Before the populations: what is due arrives. modulator: the value of the variable that the rule reads."""
        self.sent = []
        arrived = self.under_way.popleft()
        self.under_way.append(np.zeros_like(arrived))
        if port := self.it.ports[0]:
            self.group.variables[f"{port}_arrivals"].get_value()[...] += arrived
        if self.synapses is not None and modulator is not None:
            self._array(MODULATOR)[...] = modulator[self.target] if np.size(modulator) > 1 else modulator

    def listen(self, step: int, spikes: Spikes) -> None:
        """After the populations: the spikes of the modulator that act in this step."""
        if self.synapses is not None:
            self.synapses.variables[SPIKES].get_value()[...] = self._heard(step, spikes)

    def _heard(self, step: int, spikes: Spikes) -> int:
        it = self.rule.modulator
        return 0 if it is None or it.variable is not None else int(spikes(it.population, step - it.delay).sum())

    def end(self, step: int, spikes: Spikes) -> Sent:
        """After the synapses; returns what they sent."""
        pre, post = spikes(self.it.source, step - self.rule.axonal), spikes(self.it.target, step)
        self.traces.step(step, {"pre": pre, "post": post, MODULATOR: np.array([self._heard(step, spikes)])})
        return joined(self.sent)

    def _transmit(self, synapses: np.ndarray) -> None:
        """Put what `synapses` send on its way."""
        sent = self._array(SEND)[synapses]
        wrong = np.flatnonzero(~(np.abs(sent) <= self.rule.limit))
        if wrong.size:
            k, step, found = synapses[wrong[0]], running(self.clock), float(sent[wrong[0]])
            raise out_of_bounds(self.plan, self.it, int(self.source[k]), int(self.target[k]), step, found)
        weight = sent * self.rule.sign
        quanta = np.rint(weight / self.it.quanta[0]).astype(np.int64)
        for delay in np.unique(self.dendritic[synapses]):
            mine = self.dendritic[synapses] == delay
            np.add.at(self.under_way[int(delay) - 1], self.target[synapses[mine]], quanta[mine])
        self.sent.append(Sent(synapses.astype(np.int64), weight))

    # --- state -------------------------------------------------------------------------------------------------------

    def _array(self, name: str) -> np.ndarray:
        assert self.synapses is not None
        return self.synapses.variables[synaptic(name)].get_value()

    @property
    def values(self) -> dict[str, np.ndarray]:
        """w and the states, [synapses]."""
        names = (WEIGHT, *self.rule.states)
        return {name: self._array(name) if self.synapses is not None else np.zeros(0) for name in names}

    def state(self) -> dict[str, np.ndarray]:
        """Everything that changes, as ``Engine.plasticity`` says; traces are the synapses' own where there are some."""
        found = {name: values.copy() for name, values in self.values.items()}
        found |= {"arrivals": np.array(self.under_way), **self.traces.state()}
        if self.synapses is not None:
            for trace in self.rule.traces:
                name, place = self._seen(trace.on)
                found[f"trace.{trace.name}{name}"][place] = self._array(trace.name)
        return found

    def set_state(self, values: Any) -> None:
        """Take over what ``state`` gave."""
        self.under_way = deque(np.array(values["arrivals"], np.int64), self.under_way.maxlen)
        self.traces.set_state(values)
        if self.synapses is None:
            return
        for name, array in self.values.items():
            array[...] = values[name]
        for trace in self.rule.traces:
            name, place = self._seen(trace.on)
            self._array(trace.name)[...] = values[f"trace.{trace.name}{name}"][place]
        self._array("last")[...] = self.traces.last[self.source]

    def _seen(self, side: str) -> tuple[str, Any]:
        """Where the traces that synapses see stand in a state."""
        places = {"pre": ("", self.source), "post": (".after", (self.dendritic, self.target)),
                  MODULATOR: ("", np.zeros_like(self.source))}
        return places[side]


def _put(it: Any, order: int) -> None:
    it.when, it.order = LEARN, order
