"""A neuron model's document, written out for Brian2: equations, threshold, reset, and what runs between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from snnsim.backends.brian2.language import DRAWS, Language, own, unit_text
from snnsim.equations import Model
from snnsim.equations.behaviour import method
from snnsim.equations.document import expression_text
from snnsim.equations.lines import Line, Receive, dynamics_line, logical_lines, receive_statement
from snnsim.equations.rules import Method
from snnsim.ir import Op, Type, check
from snnsim.units import DIMENSIONLESS, TIME, Dimension


@dataclass(frozen=True)
class Written:
    """A model in Brian2's language.

    equations: lines of the group; before, jumps, outputs: statements that run before the integration, after it, and
    between threshold and reset. hold: how long a unit is refractory, "" for a model that never is. A model that counts
    its spikes puts the count into `emitted`.
    """

    equations: list[str]
    before: list[str]
    jumps: list[str]
    threshold: str
    outputs: list[str]
    reset: list[str]
    hold: str
    method: Method


def write(model: Model, arrays: Iterable[str]) -> Written:
    """`model` for Brian2; arrays: the parameters that differ between units."""
    return _Writer(model).write(set(arrays))


def counts(model: Model) -> bool:
    """Whether the spike rule is a number of spikes, not a condition."""
    program = model.program()
    types = check(program)
    return any(instr.op is Op.EMIT and types[instr.args[0]] is Type.INT for instr in program.instrs)


@dataclass
class _Parts:
    """The document, split."""

    odes: list[Line] = field(default_factory=list)
    maps: list[Line] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    jumps: list[tuple[str, Receive]] = field(default_factory=list)
    transients: dict[str, tuple[str, Receive]] = field(default_factory=dict)


def split(document: Mapping[str, Any]) -> _Parts:
    """Lines of the dynamics and statements of the ports, by kind."""
    parts = _Parts()
    for number, text in logical_lines(document.get("dynamics", "")):
        line = dynamics_line(number, text)
        if line.kind == "alias":
            parts.aliases[line.name] = line.right
        else:
            (parts.odes if line.kind == "ode" else parts.maps).append(line)
    for port, statements in (document.get("receive") or {}).items():
        for statement in statements if isinstance(statements, list) else [statements]:
            read = receive_statement(expression_text(statement))
            if read.sign == "=":
                parts.transients[read.name] = (port, read)
            else:
                parts.jumps.append((port, read))
    return parts


def held(model: Model) -> set[str]:
    """The states that keep their value while a unit is refractory."""
    rule = model.document.get("refractory") or {}
    if rule.get("freeze") == "all":
        return {name for name in model.states if name != "refractory"}
    names = rule.get("hold", [])
    return set(names if isinstance(names, list) else [names])


class _Writer:
    """Writes one model."""

    def __init__(self, model: Model) -> None:
        self.model, self.document, self.parts, self.held = model, model.document, split(model.document), held(model)
        self.states = [name for name in model.states if name != "refractory"]
        names = {name: own(name) for name in (*model.parameters, *self.states, *model.drives)}
        plain = Language(names, self.parts.aliases)
        arriving = {name: f"({plain.knowing(w=f'{port}_total')(read.right)})"
                    for name, (port, read) in self.parts.transients.items()}
        self.say = plain.knowing(**arriving)

    def write(self, arrays: set[str]) -> Written:
        after, rule = self.say.later(), self.document.get("refractory")
        before, jumps = self._maps(), self._jumps()
        threshold = after(self.document["spike"]) if "spike" in self.document else ""
        reset = _at_once("reset", {own(name): after(value) for name, value in self._part("reset")})
        outputs = [f"{name}_out = {after(value)}" for name, value in self._part("outputs")]
        used = " ".join([threshold, *reset, *outputs])
        if counts(self.model):
            jumps, threshold = [*jumps, f"emitted = floor({threshold})"], "emitted > 0"
        old = [name for name in self.states if re.search(rf"\b{name}_before\b", used)]
        hold = f"(floor({self.say(rule['for'])}/dt + 0.5) + 1)*dt" if rule else ""
        return Written([*self._equations(bool(rule)), *self._variables(arrays, old)],
                       [*(f"{name}_before = {own(name)}" for name in old), *before], jumps, threshold, outputs, reset,
                       hold, method(self.document.get("integrate")))

    def _part(self, key: str) -> Iterable[tuple[str, Any]]:
        return (self.document.get(key) or {}).items()

    # --- variables ---------------------------------------------------------------------------------------------------

    def _equations(self, refractory: bool) -> list[str]:
        lines = []
        for line in self.parts.odes:
            flag = " (unless refractory)" if line.name in self.held and refractory else ""
            lines.append(f"d{own(line.name)}/dt = {self.say(line.right)} : {self._unit(line.name)}{flag}")
        for port, kind in self.model.ports.items():
            lines += [f"{port}_arrivals : 1",
                      f"{port}_total = {port}_arrivals*{port}_quantum : {unit_text(kind.dimension)}"]
        return lines

    def _variables(self, arrays: set[str], old: list[str]) -> list[str]:
        found: dict[str, Dimension] = {own(line.name): self._dimension(line.name) for line in self.parts.maps}
        found |= {f"{line.name}_next": self._dimension(line.name) for line in self.parts.maps}
        found |= {own(name): dimension for name, dimension in self.model.drives.items()}
        found |= {f"{name}_before": self._dimension(name) for name in old}
        found |= {f"{name}_out": dimension for name, dimension in self.model.outputs.items()}
        found |= dict.fromkeys((*DRAWS.values(), "emitted"), DIMENSIONLESS)
        constant = {own(name): self.model.parameters[name].dimension for name in arrays} | {"hold": TIME}
        return [*(f"{name} : {unit_text(dimension)}" for name, dimension in found.items()),
                *(f"{name} : {unit_text(dimension)} (constant)" for name, dimension in constant.items())]

    def _dimension(self, state: str) -> Dimension:
        return self.model.states[state].dimension

    def _unit(self, state: str) -> str:
        return unit_text(self._dimension(state))

    # --- statements --------------------------------------------------------------------------------------------------

    def _maps(self) -> list[str]:
        return [f"{line.name}_next = {self.say(line.right)}" for line in self.parts.maps]

    def _jumps(self) -> list[str]:
        """New values of maps, then what has arrived; every factor sees the values before the first jump."""
        lines = [self._set(line.name, f"{line.name}_next") for line in self.parts.maps]
        sizes = {f"jump_{k}": self.say.knowing(w=f"{port}_total")(read.right)
                 for k, (port, read) in enumerate(self.parts.jumps)}
        lines += [f"{name} = {size}" for name, size in sizes.items()]
        for k, (_, read) in enumerate(self.parts.jumps):
            lines.append(self._set(read.name, f"{own(read.name)} {read.sign[0]} jump_{k}"))
        return lines

    def _set(self, state: str, value: str) -> str:
        if state in self.held:
            value = f"choose(not_refractory, {value}, {own(state)})"
        return f"{own(state)} = {value}"


def _at_once(label: str, values: Mapping[str, str]) -> list[str]:
    """Assignments of which none sees another."""
    return [*(f"{label}_{k} = {value}" for k, value in enumerate(values.values())),
            *(f"{name} = {label}_{k}" for k, name in enumerate(values))]
