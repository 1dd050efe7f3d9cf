"""Prints the program of a population as one Numba function over its units.

The function is a single loop without branches, so that LLVM turns it into vector code; scalar parameters are read
before the loop, per-unit ones inside it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from snnsim.ir import Instr, Op, Program, Type, check
from snnsim.ir.exact import function
from snnsim.ir.ops import TRANSCENDENTAL


@dataclass(frozen=True)
class Update:
    """Source text of an update function, and what its arguments are, in order.

    functions: texts of what it calls. arguments: (kind, name), kind being one of scalars, wholes, param, state,
    arrival, drive, poisson, words, marks, counts, output.
    """

    name: str
    source: str
    functions: tuple[str, ...]
    arguments: tuple[tuple[str, Any], ...]
    scalars: tuple[str, ...]
    wholes: tuple[str, ...]


_BINARY = {Op.ADD: "+", Op.SUB: "-", Op.MUL: "*", Op.DIV: "/", Op.LT: "<", Op.LE: "<=", Op.EQ: "=="}
_TEXT: dict[Op, str] = {
    Op.MIN: "{0} if {0} < {1} else {1}", Op.MAX: "{0} if {0} > {1} else {1}", Op.SELECT: "{1} if {0} else {2}",
    Op.AND: "{0} & {1}", Op.OR: "{0} | {1}", Op.NOT: "not {0}", Op.NEG: "-{0}", Op.ABS: "abs({0})",
    Op.SQRT: "{real}(np.sqrt({0}))", Op.FLOOR: "{real}(np.floor({0}))", Op.TO_REAL: "{real}({0})",
    Op.SCALE2: "{0} * {power2}", Op.EXPONENT: "{exponent}", Op.MANTISSA: "{mantissa}",
}
_BITS = {
    np.float32: dict(real="np.float32", power2="int_as_f32(np.int32((np.int32({1}) + np.int32(127)) << np.int32(23)))",
                     exponent="np.float32(np.int32(np.int32(f32_as_int({0}) >> np.int32(23)) - np.int32(127)))",
                     mantissa="int_as_f32(np.int32((f32_as_int({0}) & np.int32(8388607)) | np.int32(1065353216)))",
                     uniform="np.float32(np.float32(np.int32(np.uint32({0}) >> np.uint32(9))) + np.float32(0.5)) "
                             "* np.float32(2.0**-23)"),
    np.float64: dict(real="np.float64", power2="int_as_f64((np.int64({1}) + 1023) << 52)",
                     exponent="np.float64((f64_as_int({0}) >> 52) - 1023)",
                     mantissa="int_as_f64((f64_as_int({0}) & 4503599627370495) | 4607182418800017408)",
                     uniform="(np.float64({0}) + 0.5) * 2.0**-32"),
}


class Printer:
    """Collects the lines before, inside and after the loop."""

    def __init__(self, program: Program, dtype: Any, per_unit: set[str], wide: set[str]) -> None:
        self.program, self.dtype, self.per_unit, self.wide_ports = program, dtype, per_unit, wide
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

    def print(self) -> None:
        for k, instr in self.program:
            if instr.op in (Op.STORE, Op.EMIT, Op.OUTPUT):
                self.effect(k, instr)
            else:
                self.value(k, instr)

    def value(self, k: int, instr: Instr) -> None:
        if instr.op is Op.CONST or self.is_scalar(instr):
            self.wide[k] = k in self.factors
            self.before.append(f"v{k} = {self.outside(instr, self.wide[k])}")
        else:
            self.body.append(f"v{k} = {self.expression(k, instr)}")

    def is_scalar(self, instr: Instr) -> bool:
        return instr.op in (Op.PARAM, Op.WHOLE) and instr.data not in self.per_unit

    def outside(self, instr: Instr, wide: bool) -> str:
        if instr.op is Op.CONST:
            return _literal(instr.data, _BITS[self.dtype]["real"])
        names = self.scalars if instr.op is Op.PARAM else self.wholes
        kind = "scalars" if instr.op is Op.PARAM else "wholes"
        if instr.data not in names:
            names.append(instr.data)
        text = f"{self.argument(kind, '')}[{names.index(instr.data)}]"
        return text if instr.op is Op.PARAM else f"np.{'int64' if wide else 'int32'}({text})"

    def expression(self, k: int, instr: Instr) -> str:
        self.wide[k] = self.types[k] is Type.INT and any(self.wide.get(a, False) for a in instr.args)
        if instr.op in _LEAF_KIND:
            return self.leaf(k, instr)
        args = [f"v{a}" for a in instr.args]
        if instr.op in TRANSCENDENTAL:
            return self._call(instr, args)
        if instr.op is Op.TO_INT:
            return self._to_int(instr, args[0])
        if instr.op is Op.SCALE2 and _is_one(self.program.instrs[instr.args[0]]):
            return _BITS[self.dtype]["power2"].format(*args)
        text = f"{args[0]} {_BINARY[instr.op]} {args[1]}" if instr.op in _BINARY else self._template(instr.op, args)
        return f"{'np.int64' if self.wide[k] else 'np.int32'}({text})" if self.types[k] is Type.INT else text

    def leaf(self, k: int, instr: Instr) -> str:
        """The text of what comes from outside the program."""
        self.wide[k] = instr.op is Op.ARRIVAL and instr.data in self.wide_ports
        text = f"{self.argument(_LEAF_KIND[instr.op], instr.data)}[i]"
        if instr.op is Op.ARRIVAL:
            self.after.append(f"{self.argument('arrival', instr.data)}[i] = 0")
        if instr.op is Op.POISSON or (instr.op is Op.STATE and self.types[k] is Type.INT):
            return f"np.int32({text})"
        return _BITS[self.dtype]["uniform"].format(text) if instr.op is Op.UNIFORM else text

    def _template(self, op: Op, args: list[str]) -> str:
        padded = [*args, *[""] * (3 - len(args))]
        return _TEXT[op].format(*args, **{name: text.format(*padded) for name, text in _BITS[self.dtype].items()})

    def _call(self, instr: Instr, args: list[str]) -> str:
        """A call of the function that holds the instructions of ``exact``; LLVM puts them in place."""
        self.functions[emit_function(instr.op, self.dtype)] = None
        if instr.op is Op.NORMAL:
            args = [_BITS[self.dtype]["uniform"].format(f"{self.argument('words', instr.data)}[i]")]
        return f"exact_{instr.op.name.lower()}({args[0]})"

    def _to_int(self, instr: Instr, text: str) -> str:
        if self.types[instr.args[0]] is Type.BOOL:
            return f"np.int32(1) if {text} else np.int32(0)"
        return f"np.int32(np.floor({text}))"

    def effect(self, k: int, instr: Instr) -> None:
        value = f"v{instr.args[0]}"
        if instr.op is Op.STORE:
            self.after.append(f"{self.argument('state', instr.data)}[i] = {value}")
        elif instr.op is Op.OUTPUT:
            self.after.append(f"{self.argument('output', instr.data)}[i] = {value}")
        elif self.types[instr.args[0]] is Type.BOOL:
            self.after.append(f"{self.argument('marks', instr.data)}[i] = np.uint8(1) if {value} else np.uint8(0)")
        else:
            self.after.append(f"{self.argument('counts', instr.data)}[i] = np.int32({value})")


_LEAF_KIND = {Op.PARAM: "param", Op.WHOLE: "param", Op.STATE: "state", Op.ARRIVAL: "arrival", Op.DRIVE: "drive",
              Op.POISSON: "poisson", Op.UNIFORM: "words"}


class NestedPrinter(Printer):
    """Prints a loop in a loop: what depends only on the outer one is computed before the inner one, in `row`.

    Values have the depth 0 (before both), 1 or 2; a leaf that is no parameter has what ``depth_of`` says.
    """

    def __init__(self, program: Program, dtype: Any) -> None:
        super().__init__(program, dtype, set(), set())
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
        (self.before, self.row, self.body)[self.depth[k]].append(f"v{k} = {text}")


@cache
def emit_function(op: Op, dtype: Any) -> str:
    """A transcendental operation as a Numba function of one number."""
    printer = Printer(function(op, dtype), dtype, set(), set())
    printer.print()
    lines = [*printer.before, *(line.replace(f"{printer.names['state', 'x']}[i]", "x") for line in printer.body)]
    result = printer.after[0].split(" = ")[1]
    body = "\n".join(f"    {line}" for line in (*lines, f"return {result}"))
    return f"@njit(forceinline=True, error_model='numpy')\ndef exact_{op.name.lower()}(x):\n{body}\n"


def _is_one(instr: Instr) -> bool:
    return instr.op is Op.CONST and instr.data == 1.0


def _literal(value: Any, real: str) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"np.int32({value})"
    if math.isnan(value) or math.isinf(value):
        return f"{real}({'np.nan' if math.isnan(value) else 'np.inf' if value > 0 else '-np.inf'})"
    return f"{real}({value!r})"


def emit_update(program: Program, dtype: Any, per_unit: set[str], wide: set[str]) -> Update:
    """The update function of one population, named after its text: equal populations share it.

    per_unit: parameters that are arrays; wide: ports whose arrivals are 64-bit.
    """
    printer = Printer(program, dtype, per_unit, wide)
    printer.print()
    names = ["n", *(printer.names[a] for a in printer.arguments)]
    lines = [f"    {line}" for line in printer.before]
    lines.append("    for i in range(n):")
    lines += [f"        {line}" for line in (*printer.body, *printer.after)] or ["        pass"]
    body = f"({', '.join(names)}):\n" + "\n".join(lines) + "\n"
    name = f"update_{hashlib.sha256(body.encode()).hexdigest()[:16]}"
    source = f"@njit(nogil=True, noalias=True, error_model='numpy')\ndef {name}{body}"
    return Update(name, source, tuple(printer.functions), tuple(printer.arguments),
                  scalars=tuple(printer.scalars), wholes=tuple(printer.wholes))
