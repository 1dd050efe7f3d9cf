"""Prints what a plastic projection does in one step: a function that calls a loop for each kind of event.

A presynaptic event runs over the row of its source, a postsynaptic one over the column of its target, the other rules
over all rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from snnsim.backends.cpu.plastic_loops import Loop, RuleShape, deeper
from snnsim.plan_rules import Plasticity, SpikeTrace
from snnsim.synapse_rules import sending


@dataclass(frozen=True)
class Rule:
    """Text of a rule as functions; the last one, ``name``, does a step, with ``names`` after the fixed arguments.

    scalars: event -> parameters in the order in which its loop reads them.
    """

    name: str
    functions: tuple[str, ...]
    names: tuple[str, ...]
    scalars: dict[str, tuple[str, ...]] = field(hash=False)


RULE_FIXED = ("step", "h", "lists", "ids", "start")


class RulePrinter:
    """Prints the function that does one step of one projection for one thread."""

    def __init__(self, rule: Plasticity, shape: RuleShape) -> None:
        self.rule, self.shape = rule, shape
        programs = {**rule.programs, "pre": sending(rule.programs.get("pre"))}
        self.loops = {event: Loop(event, program, rule, shape) for event, program in programs.items()}
        self.names: dict[str, None] = {}
        self.lines: list[str] = []

    def use(self, name: str) -> str:
        self.names[name] = None
        return name

    def print(self) -> Rule:
        self._modulator_value()
        self._all_rows("step", "step - 1")
        self._decay()
        if self.rule.tie == "pre_first":
            self._pre()
            self._raise("pre")
            self._post()
        else:
            self._post()
            self._pre()
            self._raise("pre")
        self._raise("modulator")
        self._interval()
        texts = dict(loop.text() for loop in self.loops.values())
        functions = (*(f for loop in self.loops.values() for f in loop.functions), *texts.values())
        body = f"({', '.join((*RULE_FIXED, *self.names))}):\n" + "".join(f"    {line}\n" for line in self.lines)
        name = f"rule_{hashlib.sha256(body.encode()).hexdigest()[:16]}"
        head = "@compiled(error_model='numpy')\n"
        return Rule(name, (*dict.fromkeys(functions), f"{head}def {name}{body}"), tuple(self.names),
                    {event: tuple(loop.scalars) for event, loop in self.loops.items()})

    # --- traces ------------------------------------------------------------------------------------------------------

    def _traces(self, on: str) -> list[SpikeTrace]:
        return [trace for trace in self.rule.traces if trace.on == on]

    def _modulator_value(self) -> None:
        """The number of modulating spikes, or what the variable was at the end of the step before."""
        if self.rule.modulator is None:
            self.lines.append(f"modulator = {self._real('0')}")
        elif self.rule.modulator.variable is None:
            self.lines.append("count = 0")
            self._spikes("modulator_delay", "count += count_spikes(ids[t], a, b, {}, {})", "modulator_first",
                         "modulator_n")
            self.lines.append(f"modulator = {self._real('count')}")
        elif self.shape.per_target:
            self.lines += [f"z = (step - 1) % modulator_rows * {self.use('modulator_n')} + {self.use('modulator_low')}",
                           f"modulator = {self.use('modulator_ring')}[z : z + {self.use('n_target')}]"]
            self.use("modulator_rows")
        else:
            self.lines.append(f"modulator = {self.use('modulator_ring')}[(step - 1) % {self.use('modulator_rows')}]")

    def _real(self, text: str) -> str:
        return f"np.{np.dtype(self.shape.dtype).name}({text})"

    def _decay(self) -> None:
        for trace in self.rule.traces:
            decay = self.use(f"decay_{trace.name}")
            if trace.on != "post":
                self.lines.append(f"scale_trace({self.use(f'trace_{trace.name}')}, {decay})")
                continue
            before, after = self.use(f"before_{trace.name}"), self.use(f"after_{trace.name}")
            n, depth = self.use("n_target"), self.use("depth")
            self.lines += [f"begin_row({before}, {after}, step, {depth}, {n}, {decay})", f"z = step % {depth} * {n}"]
            self._spikes("", f"raise_trace({after}[z : z + {n}], {self.use(f'add_{trace.name}')}, {trace.nearest}, "
                             "ids[t], a, b, {}, {})", "first_target", "n_target")

    def _raise(self, on: str) -> None:
        for trace in self._traces(on):
            values, more = self.use(f"trace_{trace.name}"), self.use(f"add_{trace.name}")
            if on == "pre":
                self._spikes("axonal", f"raise_trace({values}, {more}, {trace.nearest}, ids[t], a, b, {{}}, {{}})",
                             "first_source", "n_source")
            elif self.rule.modulator is not None and self.rule.modulator.variable is None:
                self.lines.append(f"raise_one({values}, {more}, {trace.nearest}, count)")

    def _spikes(self, delay: str, line: str, first: str, n: str) -> None:
        """Run a line for the spikes that each thread emitted `delay` steps ago."""
        past = f"h - {self.use(delay)}" if delay else "h"
        self.lines += [f"past = {past}", "if past >= 1:", "    for t in range(lists):",
                       "        a, b = start[t, past - 1], start[t, past]", "        if a < b:",
                       "            " + line.format(self.use(first), self.use(n))]

    # --- events ------------------------------------------------------------------------------------------------------

    def _call(self, event: str, given: dict[str, str], side: str) -> str:
        """The call of a loop. given: what is called otherwise here; side: which target traces it sees."""
        loop = self.loops[event]
        values = [given[name] if name in given else self.use(name) for name in loop.fixed]
        for kind, name in loop.arguments:
            if kind == "post":
                trace = self.use(f"{side}_{name}")
                values.append(trace if self.shape.many_delays and event != "post" else
                              f"{trace}[z : z + {self.use('n_target')}]")
            elif kind == "modulator":
                values.append("modulator" if not name else self.use(f"trace_{name}"))
            else:
                own = {"pre": f"trace_{name}", "state": f"state_{name}", "scalars": f"scalars_{event}"}
                values.append(self.use(own.get(kind, kind)))
        return f"{loop.text()[0]}({', '.join(values)})"

    def _rows_at(self, step: str) -> None:
        """Where the target traces that synapses see in `step` begin: `z`, or `slots` by delay."""
        n, depth, low = self.use("n_target"), self.use("depth"), self.use("low")
        if self.shape.many_delays:
            self.lines.append(f"fill_slots({self.use('slots')}, {step}, -1, {low}, {depth}, {n})")
        else:
            self.lines.append(f"z = ({step} - {low}) % {depth} * {n}")

    def _all_rows(self, event: str, step: str, given: dict[str, str] | None = None) -> None:
        if event in self.loops:
            self._rows_at(step)
            self.lines.append(self._call(event, {"step": "step", "n": self.use("n_source"), **(given or {})}, "after"))

    def _pre(self) -> None:
        given = {"step": "step", "ids": "ids[t]", "a": "a", "b": "b", "first": "{}", "n": "{}"}
        self._rows_at("step")
        n, depth, low = self.use("n_target"), self.use("depth"), self.use("low")
        if self.shape.many_delays:
            self.lines.append(f"fill_slots({self.use('later')}, step, 1, {low}, {depth}, {n})")
        else:
            self.lines.append(f"y = (step + {low}) % {depth} * {n}")
            given["ring"] = f"{self.use('ring')}[y : y + {n}]"
        call = self._call("pre", given, "after" if self.rule.tie == "post_first" else "before")
        self._spikes("axonal", call, "first_source", "n_source")
        self._spikes("axonal", f"mark_last({self.use('last')}, step, ids[t], a, b, {{}}, {{}})", "first_source",
                     "n_source")

    def _post(self) -> None:
        if "post" not in self.loops:
            return
        given = {"ids": "ids[t]", "a": "a", "b": "b", "group": "g", "first": self.use("first_target"),
                 "n": self.use("n_target")}
        depth, low = self.use("depth"), self.use("low")
        call = self._call("post", given, "before")
        self.lines += [f"for g in range({self.use('delay_count')}):", f"    past = h - {low} - g", "    if past >= 1:",
                       f"        z = (step - {low} - g) % {depth} * n_target", "        for t in range(lists):",
                       "            a, b = start[t, past - 1], start[t, past]", "            if a < b:",
                       f"                {call}"]

    def _interval(self) -> None:
        if "interval" not in self.loops:
            return
        outer, self.lines = self.lines, []
        sums, weights = self.use("sums"), self.use("sum_w")
        self.lines += [f"sum_weights({sums}, {self.use('targets')}, {self.use('state_w')}, {self.use('size')})",
                       f"as_weights({sums}, {self.use('quantum')}, {weights})"]
        self._all_rows("interval", "step")
        self.lines = [*outer, f"if step % {self.use('interval')} == 0:", *deeper(1, *self.lines)]
