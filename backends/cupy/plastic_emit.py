"""Prints what a plastic projection does in one step, as a device function that calls a loop for each kind of event."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from snnsim.backends.cupy.plastic_event import Entries, Event, RuleShape
from snnsim.plan_rules import Plasticity, SpikeTrace
from snnsim.synapse_rules import sending


@dataclass(frozen=True)
class Rule:
    """Text of a rule as functions: `name` does a step, after ``kept`` noted what units of the part show in it.

    entries: names of the entries that it reads.
    """

    name: str
    kept: str
    functions: tuple[str, ...]
    entries: tuple[str, ...]


class RulePrinter:
    """Prints the functions of one projection."""

    def __init__(self, rule: Plasticity, shape: RuleShape) -> None:
        self.rule, self.shape, self.entries = rule, shape, Entries()
        programs = {**rule.programs, "pre": sending(rule.programs.get("pre"))}
        self.events = {event: Event(event, program, rule, shape, self.entries) for event, program in programs.items()}
        for name in rule.states:
            self.entries.at(f"state_{name}")

    def print(self) -> Rule:
        texts = dict(event.text() for event in self.events.values())
        learn, learn_text = named("rule", "(const Frame& f, const long long* x, long long step)", self._step())
        kept, kept_text = named("kept", "(const Frame& f, const long long* x)", self._kept())
        called = [f for event in self.events.values() for f in event.functions]
        functions = (*dict.fromkeys(called), *texts.values(), learn_text, kept_text)
        return Rule(learn, kept, functions, tuple(self.entries.names))

    # --- traces ------------------------------------------------------------------------------------------------------

    def _numbers(self, trace: SpikeTrace) -> str:
        """What a trace is multiplied with and increased by, and whether it is set to that."""
        decay, more = (f"number(x, {self.entries.at(f'{kind}_{trace.name}')})" for kind in ("decay", "add"))
        return f"{decay}, {more}, {'true' if trace.nearest else 'false'}"

    def _kept(self) -> list[str]:
        lines = ["keep_last(f, x);"]
        for trace in self.rule.traces:
            places = [self.entries.at(f"{kind}_{trace.name}")
                      for kind in (("before", "after") if trace.on == "post" else ("trace",))]
            if trace.on == "pre":
                lines.append(f"keep_source_trace(f, x, {places[0]}, {self._numbers(trace)});")
            elif trace.on == "post":
                lines.append(f"keep_target_trace(f, x, {places[0]}, {places[1]}, {self._numbers(trace)});")
        return lines

    # --- one step ----------------------------------------------------------------------------------------------------

    def _step(self) -> list[str]:
        """Each phase ends with a barrier of the block."""
        events = [self._post(), self._pre()]
        if self.rule.tie == "pre_first":
            events.reverse()
        return ["Learning l = begin_learning(f, x, step);", *self._modulator(), *self._all("step"), *events[0],
                *events[1], *self._interval()]

    def _modulator(self) -> list[str]:
        """The number of modulating spikes, or what the variable was at the end of the step before."""
        if self.rule.modulator is None:
            return []
        if self.shape.variable:
            return [] if self.shape.per_target else ["l.modulator = variable(x, step - 1)[0];"]
        traces = [trace for trace in self.rule.traces if trace.on == "modulator"]
        places = {trace: self.entries.at(f"trace_{trace.name}") for trace in traces}
        return ["const int spikes = modulating_spikes(f, x, step - x[X_MODULATOR_DELAY]);",
                "l.modulator = (real)spikes;",
                *(f"keep_modulator_trace(f, l, {at}, spikes, {self._numbers(t)});" for t, at in places.items())]

    def _all(self, event: str) -> list[str]:
        return [f"{self.events[event].text()[0]}(f, l);", "__syncthreads();"] if event in self.events else []

    def _post(self) -> list[str]:
        if "post" not in self.events:
            return []
        return ["each_late_spike(f, l, [&](const int* list, int total) {",
                f"    {self.events['post'].text()[0]}(f, l, list, total);", "});"]

    def _pre(self) -> list[str]:
        blamed = ["blame(f, l, worst);"] if self.events["pre"].checked else []
        words = "(const int*)x[X_SOURCE_ROWS], step - x[X_AXONAL], 0, (int)f.whole(T_ALL_WORDS)"
        return ["Worst worst{NOWHERE, (real)0};", f"each_spike(f, {words}, [&](const int* list, int total) {{",
                f"    {self.events['pre'].text()[0]}(f, l, list, total, worst);", "});", *blamed]

    def _interval(self) -> list[str]:
        if "interval" not in self.events:
            return []
        lines = [f"sum_weights<{self.shape.target}>(l);", *self._all("interval")]
        return ["if (step % x[X_INTERVAL] == 0) {", *(f"    {line}" for line in lines), "}"]


def named(kind: str, given: str, lines: list[str]) -> tuple[str, str]:
    """A function, named after its text."""
    text = f"{given}\n{{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
    name = f"{kind}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return name, f"static __device__ void {name}{text}"
