"""The document of a synapse model, written out for Brian2: variables, and what each event does.

Statements stay statements, in their order. A name of a rule's own is a variable of the piece of code; a condition is
kept as 1 or 0, since Brian2 takes names for numbers.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from snnsim.backends.brian2.language import CONDITION, Language, is_condition, synaptic, unit_text
from snnsim.equations.lines import Assignment, assignment, logical_lines
from snnsim.equations.statements import MODULATOR, SEND, SINCE, SUM, WEIGHT
from snnsim.equations.synapse import SynapseModel
from snnsim.equations.synapse_read import ANY, EVENTS, SIDES, Trace
from snnsim.plan_rules import SpikeTrace
from snnsim.units import DIMENSIONLESS, TIME

# Spikes of the modulator that act in a step.
SPIKES = "modulator_spikes_s"
# Times since the latest presynaptic event are counted in steps, from this one on where there was one.
SINCE_LINE = f"{synaptic(SINCE)} = choose(last_s < 0, 1e9*ms_unit, (t_in_timesteps + 1 - last_s)*dt)"
LAST_LINE = "last_s = t_in_timesteps + 1"


@dataclass(frozen=True)
class Rule:
    """A model in Brian2's language.

    equations: variables of a synapse. events: event -> statements. traces: side (``pre``, ``post``, ``modulator``) ->
    what its spikes do to the traces.
    """

    equations: list[str]
    events: dict[str, list[str]]
    traces: dict[str, list[str]]


def write(model: SynapseModel, traces: tuple[SpikeTrace, ...], total: str) -> Rule:
    """`model` for Brian2. traces: those of the projection, which says how spikes pair; total: what stands for sum_w."""
    return _Writer(model, {trace.name: trace.nearest for trace in traces}, total).write()


def rule_text(model: SynapseModel, event: str) -> str:
    """The statements of an event."""
    source = model.document.get(f"on_{event}", "")
    return source["do"] if event == "interval" and source else source


@dataclass
class _Writer:
    """Writes one model."""

    model: SynapseModel
    nearest: dict[str, bool]
    total: str
    say: Language = field(init=False)

    def __post_init__(self) -> None:
        it = self.model
        names = (WEIGHT, SEND, SINCE, MODULATOR, *it.parameters, *it.states, *(trace.name for trace in it.traces))
        self.say = Language({name: synaptic(name) for name in names} | {SUM: self.total})

    def write(self) -> Rule:
        events = {event: self._event(event) for event in EVENTS}
        if not any(line.startswith(f"{synaptic(SEND)} = ") for line in events["pre"]):
            events["pre"].append(f"{synaptic(SEND)} = {synaptic(WEIGHT)}")
        if any(synaptic(SINCE) in line for line in events["pre"]):
            events["pre"] = [SINCE_LINE, *events["pre"], LAST_LINE]
        return Rule(self._equations(), events, {side: self._increments(side) for side in SIDES})

    def _equations(self) -> list[str]:
        it, modulator = self.model, self.model.modulator
        found = {WEIGHT: it.weight, SEND: it.weight, SINCE: TIME, **it.states,
                 MODULATOR: DIMENSIONLESS if modulator is None or modulator == ANY else modulator}
        return [*(f"{synaptic(name)} : {unit_text(dimension)}" for name, dimension in found.items()),
                *map(self._decay, it.traces), f"{synaptic('last')} : integer", f"{SPIKES} : 1 (shared)"]

    def _decay(self, trace: Trace) -> str:
        name, tau = synaptic(trace.name), self.say(self.model.document["traces"][trace.name]["tau"])
        return f"d{name}/dt = -{name}/({tau}) : {unit_text(trace.dimension)} (clock-driven)"

    def _increments(self, side: str) -> list[str]:
        lines = []
        for trace in self.model.traces:
            if trace.on == side:
                add = self.say(self.model.document["traces"][trace.name].get("add", 1))
                lines.append(_increment(synaptic(trace.name), add, side == MODULATOR, self.nearest[trace.name]))
        return lines

    # --- statements --------------------------------------------------------------------------------------------------

    def _event(self, event: str) -> list[str]:
        say, lines, given = self.say, list[str](), set(self.say.names)
        for _, text in logical_lines(rule_text(self.model, event)):
            it = assignment(text)
            lines.append(_statement(it, say))
            if it.name not in given:
                say = say.knowing(**{it.name: _read(it, say)})
        return lines


def _increment(name: str, add: str, counted: bool, nearest: bool) -> str:
    """counted: by all spikes of a step at once."""
    if counted:
        return f"{name} = choose({SPIKES} > 0, {add}, {name})" if nearest else f"{name} = {name} + {SPIKES}*({add})"
    return f"{name} = {add}" if nearest else f"{name} = {name} + ({add})"


def _statement(it: Assignment, say: Language) -> str:
    name, tree = synaptic(it.name), say.tree(it.right)
    value = f"choose({ast.unparse(tree)}, 1, 0)" if is_condition(tree) else ast.unparse(tree)
    return f"{name} = {value}" if it.sign == "=" else f"{name} = {name} {it.sign[0]} ({value})"


def _read(it: Assignment, say: Language) -> str:
    """What stands for a name of the rule's own once it has a value."""
    return f"({synaptic(it.name)}{CONDITION}" if is_condition(say.tree(it.right)) else synaptic(it.name)
