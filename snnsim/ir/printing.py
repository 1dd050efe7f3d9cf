"""Prints programs as text: the walk over the instructions that all languages share.

A ``Language`` says how operations look; a ``Printer`` gives each value a name, chooses the widths of whole numbers and
collects what the text needs from outside as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from snnsim.ir.exact import function
from snnsim.ir.ops import EFFECTS, TRANSCENDENTAL, Instr, Op, Program, Type, check


@dataclass(frozen=True)
class Update:
    """Source text of an update function, and what its arguments are, in order.

    functions: texts of what it calls. arguments: (kind, name), kind being one of scalars, wholes, param, state,
    arrival, drive, poisson, words, marks, counts, payloads, output. scalars, wholes: parameters in the arrays of that
    name. counted: spikes are counts (True) or marks (False), or None: it never spikes. graded: they carry payloads.
    """

    name: str
    source: str
    functions: tuple[str, ...]
    arguments: tuple[tuple[str, Any], ...]
    scalars: tuple[str, ...]
    wholes: tuple[str, ...]
    counted: bool | None
    graded: bool = False


@dataclass(frozen=True)
class Language:
    """How a language writes programs with reals of one precision. In templates, {0}, {1}, {2} are the arguments.

    real, wholes, unsigned: names of types; of whole numbers those of 32 and of 64 bits.
    texts: type of the last argument -> operation -> text, where {whole} and {bits} are the types of the result, with
    and without sign. power2: 2^{1}. uniform: the number in (0, 1) that a word stands for.
    define: of a {name}, its {type} and {text}. assign: {0} = {1}. cast: {1} as a number of type {0}.
    by_value: kinds of arguments that are a number, not an array. suffix: of the names of functions.
    literal: the text of a constant. function: the text of a transcendental operation as a function.
    """

    real: str
    wholes: tuple[str, str]
    unsigned: tuple[str, str]
    texts: Mapping[Type, Mapping[Op, str]]
    power2: str
    uniform: str
    define: str
    assign: str
    cast: str
    by_value: frozenset[str]
    suffix: str
    literal: Callable[[Any], str]
    function: Callable[[Op], str]

    def name_of(self, op: Op) -> str:
        """The name of the function of a transcendental operation."""
        return f"exact_{op.name.lower()}{self.suffix}"

    def type_name(self, type: Type, wide: bool) -> str:
        """The name of the type of a value."""
        return {Type.REAL: self.real, Type.INT: self.wholes[wide]}.get(type, "bool")


# What Python and C have in common.
OPERATORS = {
    Op.ADD: "{0} + {1}", Op.SUB: "{0} - {1}", Op.MUL: "{0} * {1}", Op.DIV: "{0} / {1}", Op.NEG: "-{0}",
    Op.LT: "{0} < {1}", Op.LE: "{0} <= {1}", Op.EQ: "{0} == {1}", Op.AND: "{0} & {1}", Op.OR: "{0} | {1}",
}
_LEAF_KIND = {Op.PARAM: "param", Op.WHOLE: "param", Op.STATE: "state", Op.ARRIVAL: "arrival", Op.DRIVE: "drive",
              Op.POISSON: "poisson", Op.UNIFORM: "words"}


class Printer:
    """Collects the lines before, inside and after the part that is done for every unit.

    per_unit: parameters that are arrays; wide: ports whose arrivals are 64-bit.
    """

    def __init__(
        self, program: Program, language: Language, per_unit: Collection[str] = (), wide: Collection[str] = (),
    ) -> None:
        self.program, self.language, self.per_unit, self.wide_ports = program, language, per_unit, wide
        self.types = check(program)
        self.wide: dict[int, bool] = {}
        self.arguments: list[tuple[str, Any]] = []
        self.names: dict[tuple[str, Any], str] = {}
        self.scalars: list[str] = []
        self.wholes: list[str] = []
        self.functions: dict[str, None] = {}
        # Weights that counts are multiplied with need the width of the sums they go into.
        self.factors = {a for _, i in program if wide and i.op is Op.MUL for a in i.args
                        if any(program.instrs[b].op is Op.POISSON for b in i.args)}
        self.before: list[str] = []
        self.body: list[str] = []
        self.after: list[str] = []

    def argument(self, kind: str, data: Any) -> str:
        """The name of an argument, made on first use."""
        if (kind, data) not in self.names:
            self.names[kind, data] = f"{kind}{len(self.names)}"
            self.arguments.append((kind, data))
        return self.names[kind, data]

    def element(self, kind: str, data: Any) -> str:
        """The text of an argument's value for the unit."""
        name = self.argument(kind, data)
        return name if kind in self.language.by_value else f"{name}[i]"

    def print(self) -> None:
        for k, instr in self.program:
            if instr.op in EFFECTS:
                self.effect(k, instr)
            else:
                self.value(k, instr)

    # --- values ------------------------------------------------------------------------------------------------------

    def value(self, k: int, instr: Instr) -> None:
        if instr.op is Op.CONST or self.is_scalar(instr):
            self.wide[k] = k in self.factors or self.program.whole
            self.before.append(self.define(k, self.outside(instr, self.wide[k])))
        else:
            text = self.expression(k, instr)
            self.body.append(self.define(k, text))

    def define(self, k: int, text: str) -> str:
        """The line that gives value k its name."""
        kind = self.language.type_name(self.types[k], self.wide[k])
        return self.language.define.format(name=f"v{k}", type=kind, text=text)

    def is_scalar(self, instr: Instr) -> bool:
        return instr.op in (Op.PARAM, Op.WHOLE) and instr.data not in self.per_unit

    def outside(self, instr: Instr, wide: bool) -> str:
        if instr.op is Op.CONST:
            return self.language.literal(instr.data)
        names = self.scalars if instr.op is Op.PARAM else self.wholes
        kind = "scalars" if instr.op is Op.PARAM else "wholes"
        if instr.data not in names:
            names.append(instr.data)
        text = f"{self.argument(kind, '')}[{names.index(instr.data)}]"
        return text if instr.op is Op.PARAM else self._whole(text, wide)

    def _whole(self, text: str, wide: bool) -> str:
        return self.language.cast.format(self.language.wholes[wide], text)

    def expression(self, k: int, instr: Instr) -> str:
        self.wide[k] = self.types[k] is Type.INT and (
            self.program.whole or any(self.wide.get(a, False) for a in instr.args))
        if instr.op in _LEAF_KIND:
            return self.leaf(k, instr)
        args = [f"v{a}" for a in instr.args]
        if instr.op in TRANSCENDENTAL:
            return self._call(instr, args)
        if instr.op is Op.SCALE2 and _is_one(self.program.instrs[instr.args[0]]):
            return self.language.power2.format(*args)
        text = self.language.texts[self.types[instr.args[-1]]][instr.op]
        return text.format(*args, whole=self.language.wholes[self.wide[k]], bits=self.language.unsigned[self.wide[k]])

    def leaf(self, k: int, instr: Instr) -> str:
        """The text of what comes from outside the program."""
        self.wide[k] = self.program.whole or (instr.op is Op.ARRIVAL and instr.data in self.wide_ports)
        text = self.element(_LEAF_KIND[instr.op], instr.data)
        if instr.op is Op.ARRIVAL:
            self.after.append(self.language.assign.format(text, 0))
        if instr.op is Op.POISSON or (instr.op is Op.STATE and self.types[k] is Type.INT):
            return self._whole(text, self.program.whole)
        return self.language.uniform.format(text) if instr.op is Op.UNIFORM else text

    def _call(self, instr: Instr, args: list[str]) -> str:
        """A call of the function that holds the instructions of ``exact``; compilers put them in place."""
        self.functions[self.language.function(instr.op)] = None
        if instr.op is Op.NORMAL:
            args = [self.language.uniform.format(self.element("words", instr.data))]
        return f"{self.language.name_of(instr.op)}({args[0]})"

    # --- effects -----------------------------------------------------------------------------------------------------

    def effect(self, k: int, instr: Instr) -> None:
        value = f"v{instr.args[0]}"
        if instr.op is Op.EMIT:
            self.spikes(instr.data, value, self.types[instr.args[0]] is Type.INT)
        elif instr.op is Op.SEND:
            self.messages(instr.data, value)
        else:
            place = self.element("state" if instr.op is Op.STORE else "output", instr.data)
            self.after.append(self.language.assign.format(place, value))

    def spikes(self, name: str, value: str, counted: bool) -> None:
        """What becomes of the spikes of the unit, a count or a mark."""
        raise NotImplementedError

    def messages(self, name: str, value: str) -> None:
        """What becomes of the payload of the unit's spike; there is no spike where it is 0."""
        raise NotImplementedError


class NestedPrinter(Printer):
    """Prints a loop in a loop: what depends only on the outer one is computed before the inner one, in `row`.

    Values have the depth 0 (before both), 1 or 2; a leaf that is no parameter has what ``depth_of`` says.
    """

    def __init__(self, program: Program, language: Language) -> None:
        super().__init__(program, language)
        self.depth: dict[int, int] = {}
        self.row: list[str] = []

    def depth_of(self, instr: Instr) -> int:
        raise NotImplementedError

    def value(self, k: int, instr: Instr) -> None:
        if instr.op is Op.CONST or self.is_scalar(instr):
            self.depth[k] = 0
            super().value(k, instr)
            return
        depths = [self.depth[a] for a in instr.args]
        text = self.expression(k, instr)
        self.depth[k] = max(depths) if depths else self.depth_of(instr)
        (self.before, self.row, self.body)[self.depth[k]].append(self.define(k, text))


class FunctionPrinter(Printer):
    """Prints what a transcendental operation is made of, as a function of ``x``; result: the name of its value."""

    def __init__(self, op: Op, dtype: Any, language: Language) -> None:
        super().__init__(function(op, dtype), language)
        self.result = ""
        self.print()

    def leaf(self, k: int, instr: Instr) -> str:
        return "x"

    def effect(self, k: int, instr: Instr) -> None:
        self.result = f"v{instr.args[0]}"


@dataclass(frozen=True)
class Printed:
    """Source text of a function; functions: texts of what it calls; scalars: parameters that it reads."""

    name: str
    source: str
    functions: tuple[str, ...]
    scalars: tuple[str, ...]


class AddingPrinter(NestedPrinter):
    """Prints what each synapse onto a unit adds: value number `adds`. leaves: name -> text and depth."""

    def __init__(self, program: Program, language: Language, leaves: Mapping[str, tuple[str, int]]) -> None:
        super().__init__(program, language)
        self.leaves, self.adds = leaves, -1
        self.print()

    def leaf(self, k: int, instr: Instr) -> str:
        return self.leaves[instr.data][0]

    def depth_of(self, instr: Instr) -> int:
        return self.leaves[instr.data][1]

    def effect(self, k: int, instr: Instr) -> None:
        self.adds = instr.args[0]


def _is_one(instr: Instr) -> bool:
    return instr.op is Op.CONST and instr.data == 1.0
