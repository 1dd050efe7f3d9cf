"""The text of what plastic projections do in a step.

What the spikes of a step do at synapses waits until all blocks have met. Before, each block notes what its own units
show: traces and modulating variables, in rings with a row for each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from snnsim.backends.cupy import learning_emit
from snnsim.backends.cupy.coupling_source import index_type
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.learning_emit import LearningPrinter, LearningShape
from snnsim.backends.cupy.plastic_emit import Rule, RulePrinter
from snnsim.backends.cupy.plastic_event import FIXED, RuleShape
from snnsim.engine import LONG_AGO, NEVER
from snnsim.plan import Plan
from snnsim.synapse_rules import Delays, learning_of, rule_of

if TYPE_CHECKING:
    from snnsim.backends.cupy.shapes import Shape

_COURSE = 7     # entries of a request for weights every so often, those of a recorded variable


class PlasticSource:
    """Writes ``learn``, ``plastic_arrivals`` and ``keep_variables`` for a network. shapes: of its populations."""

    def __init__(self, plan: Plan, layout: Layout, shapes: Sequence[Shape]) -> None:
        self.plan, self.layout, self.shapes = plan, layout, shapes
        self.numbers = [k for k, p in enumerate(plan.projections) if p.rule is not None]
        self.learning = [k for k in self.numbers if plan.projections[k].learning is not None]
        self.rules: dict[int, Rule] = {k: self._printed(k) for k in self.numbers}

    def _printed(self, number: int) -> Rule:
        it = self.plan.projections[number]
        if number not in self.learning:
            return RulePrinter(rule_of(it), rule_shape(self.plan, self.layout, number)).print()
        (rule, fixed), (low, high) = learning_of(it), self.layout.bounds(it.target)
        return LearningPrinter(rule, LearningShape(c_index(high - low), fixed.range)).print()

    @property
    def files(self) -> tuple[str, ...]:
        """The hand-written device code that the text needs, after its head."""
        return ("plastic.cuh",) * bool(self.numbers) + ("learning.cuh",) * bool(self.learning)

    def sections(self) -> dict[str, int]:
        """Names and sizes of the parts of the table that the text reads."""
        courses = {f"W{k}": _COURSE for k, request in enumerate(self.plan.weights) if not request.on_pre}
        return {f"X{k}": len(self.rules[k].entries) for k in self.numbers} | courses

    def head(self) -> str:
        """What stands before the hand-written code."""
        if not self.numbers:
            return ""
        return (f"enum {{ {', '.join(f'X_{name}' for name in FIXED)} }};\n"
                f"constexpr long long NEVER = {NEVER};\nconstexpr double LONG_AGO = {LONG_AGO!r};\n"
                f"{learning_emit.head() if self.learning else ''}")

    def text(self) -> str:
        """Device functions."""
        texts = dict.fromkeys(text for rule in self.rules.values() for text in rule.functions)
        learn, kept = ([line for k in self.numbers for line in lines(k)] for lines in (self._learn, self._kept))
        taken = [f"take_arrivals(f, f.table + T_X{k});" for k in self.numbers]
        return "\n".join([*texts, _function("learn(const Frame& f, long long of_step)", learn),
                          _function("plastic_arrivals(const Frame& f)", taken),
                          _function("keep_variables(const Frame& f)", kept)])

    def _learn(self, number: int) -> list[str]:
        requests = [k for k, r in enumerate(self.plan.weights) if r.projection == number and not r.on_pre]
        kind = "short" if number in self.learning else "real"
        records = [f"record_weights<{kind}>(f, f.table + T_W{k}, f.table + T_X{number}, of_step);" for k in requests]
        return [f"{self.rules[number].name}(f, f.table + T_X{number}, of_step);", *records,
                *(["__syncthreads();"] if records else [])]

    def _kept(self, number: int) -> list[str]:
        return [f"{self.rules[number].kept}(f, f.table + T_X{number});", *self._variable(number)]

    def _variable(self, number: int) -> list[str]:
        """Show the variable that modulates a projection."""
        if (found := modulating_variable(self.plan, number)) is None:
            return []
        k, variable = found
        fields, p = self.shapes[k].fields, f"(f.table + T_P{k})"
        kind = self.shapes[k].type_name(variable)
        if ("state", variable, "array") in fields:
            values = f"home<{kind}>(f, {p}, {fields['state', variable, 'array']})"
        else:   # an output, or a state that no step changes
            values = f"(const {kind}*)f.whole(T_X{number} + X_VARIABLE_STORED) + {p}[P_LOW]"
        return [f"keep_variable<{kind}>(f, f.table + T_X{number}, {values});"]


def _function(head: str, lines: list[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"static __device__ __forceinline__ void {head}\n{{\n{body}}}\n"


def c_index(count: int) -> str:
    """The C type of ``index_type``."""
    return {2: "unsigned short", 4: "unsigned"}[np.dtype(index_type(count)).itemsize]


def rule_shape(plan: Plan, layout: Layout, number: int) -> RuleShape:
    """What decides the text of a rule."""
    it, delays = plan.projections[number], Delays.of(plan, plan.projections[number])
    (low, high), modulator = layout.bounds(it.target), rule_of(it).modulator
    variable = modulator is not None and modulator.variable is not None
    per_target = modulator is not None and variable and plan.populations[modulator.population].n > 1
    logged = any(r.on_pre and r.projection == number for r in plan.weights)
    return RuleShape(plan.dtype, c_index(plan.populations[it.source].n), c_index(high - low), c_index(delays.count),
                     delays.count > 1, variable, per_target, logged)


def modulating_variable(plan: Plan, number: int) -> tuple[int, str] | None:
    """Population and name of the variable that modulates a projection, where one does."""
    rule = plan.projections[number].rule
    modulator: Any = None if rule is None else rule.modulator
    return None if modulator is None or modulator.variable is None else (modulator.population, modulator.variable)
