"""Prints the program of a population as one CUDA function of one unit.

Reals are rounded after each operation, as in every backend: no literal has another precision than its type, and the
compiler is told not to contract. Whole numbers wrap at the width of their type.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
from functools import cache
from typing import Any

import numpy as np

from snnsim.ir import Op, Program, Type
from snnsim.ir.printing import OPERATORS, FunctionPrinter, Language, Printer, Update

_HEAD = "static __device__ __forceinline__"
_MOST = (1 << 31) - 1
_COMMON = {
    **OPERATORS, Op.MIN: "{0} < {1} ? {0} : {1}", Op.MAX: "{0} > {1} ? {0} : {1}", Op.SELECT: "{0} ? {1} : {2}",
    Op.NOT: "!{0}",
}
# Signed numbers must not overflow in C, unsigned ones wrap.
_WHOLES = {
    **_COMMON,
    **{op: f"({{whole}})(({{bits}}){{0}} {sign} ({{bits}}){{1}})"
       for op, sign in ((Op.ADD, "+"), (Op.SUB, "-"), (Op.MUL, "*"))},
    Op.SHL: "({whole})(({bits}){0} << {1})", Op.SHR: "{0} >> {1}",
    Op.NEG: "({whole})(({bits})0 - ({bits}){0})", Op.ABS: "{0} < 0 ? ({whole})(({bits})0 - ({bits}){0}) : {0}",
}
_REALS: dict[Any, dict[Op, str]] = {
    np.float32: {
        Op.ABS: "fabsf({0})", Op.SQRT: "sqrtf({0})", Op.FLOOR: "floorf({0})", Op.TO_INT: "({whole})floorf({0})",
        Op.EXPONENT: "(float)((__float_as_int({0}) >> 23) - 127)",
        Op.MANTISSA: "__int_as_float((__float_as_int({0}) & 8388607) | 1065353216)",
    },
    np.float64: {
        Op.ABS: "fabs({0})", Op.SQRT: "sqrt({0})", Op.FLOOR: "floor({0})", Op.TO_INT: "({whole})floor({0})",
        Op.EXPONENT: "(double)((__double_as_longlong({0}) >> 52) - 1023)",
        Op.MANTISSA: "__longlong_as_double((__double_as_longlong({0}) & 4503599627370495LL) | 4607182418800017408LL)",
    },
}
_POWER2 = {np.float32: "__int_as_float((int)((unsigned)((int){1} + 127) << 23))",
           np.float64: "__longlong_as_double((long long)((unsigned long long)((long long){1} + 1023) << 52))"}
_UNIFORM = {np.float32: "((float)(int)({0} >> 9) + 0.5f) * 1.1920928955078125e-07f",
            np.float64: "((double){0} + 0.5) * 2.3283064365386963e-10"}
_INFINITY = {np.float32: "__int_as_float(0x7f800000)", np.float64: "__longlong_as_double(0x7ff0000000000000LL)"}
_NAN = {np.float32: "__int_as_float(0x7fc00000)", np.float64: "__longlong_as_double(0x7ff8000000000000LL)"}


@cache
def language(dtype: Any) -> Language:
    """CUDA C with reals of a precision."""
    single = dtype == np.float32
    real = "float" if single else "double"
    power2, cast = _POWER2[dtype], {Op.TO_REAL: f"({real}){{0}}"}
    reals = {**_COMMON, **_REALS[dtype], Op.SCALE2: f"{{0}} * {power2}"}
    return Language(
        real, ("int", "long long"), ("unsigned", "unsigned long long"),
        {Type.REAL: reals, Type.INT: _WHOLES | cast, Type.BOOL: {**_COMMON, **cast, Op.TO_INT: "{0} ? 1 : 0"}},
        power2, _UNIFORM[dtype], define="const {type} {name} = {text};", assign="{0} = {1};", cast="({0}){1}",
        by_value=frozenset({"drive", "poisson", "words"}), suffix="_f32" if single else "_f64",
        literal=lambda value: _literal(value, dtype), function=lambda op: emit_function(op, dtype),
    )


def _literal(value: Any, dtype: Any) -> str:
    """A constant with all digits; a single one with those of its exact value, so that no compiler rounds it twice."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 31 else f"{value}LL"
    with np.errstate(over="ignore"):
        number = float(dtype(value))
    if math.isnan(number):
        return _NAN[dtype]
    if math.isinf(number):
        return f"{'-' if number < 0 else ''}{_INFINITY[dtype]}"
    return f"{number!r}{'f' if dtype == np.float32 else ''}"


def function_name(op: Op, dtype: Any) -> str:
    """The name of the function that ``emit_function`` writes; it says the precision."""
    return language(dtype).name_of(op)


@cache
def emit_function(op: Op, dtype: Any) -> str:
    """A transcendental operation as a CUDA function of one number: of a uniform one for NORMAL."""
    printer, real = FunctionPrinter(op, dtype, language(dtype)), language(dtype).real
    body = "".join(f"    {line}\n" for line in (*printer.before, *printer.body, f"return {printer.result};"))
    return f"{_HEAD} {real} {function_name(op, dtype)}({real} x)\n{{\n{body}}}\n"


class _UpdatePrinter(Printer):
    """Returns the spikes of the unit, or the payload of its spike."""

    counted: bool | None = None
    graded = False
    returned = "0"

    def spikes(self, name: str, value: str, counted: bool) -> None:
        self.counted = counted
        self.returned = f"(int){value}" if counted else f"{value} ? 1 : 0"

    def messages(self, name: str, value: str) -> None:
        """In 32 bits: those that need more are too large in any case."""
        self.counted, self.graded = False, True
        self.returned = f"(int)({value} < -{_MOST} ? -{_MOST} : {value} > {_MOST} ? {_MOST} : {value})"

    def text(self) -> str:
        """What follows the name of the function."""
        arguments = ", ".join(["int i", *(self._declaration(*argument) for argument in self.arguments)])
        lines = [*self.before, *self.body, *self.after, f"return {self.returned};"]
        return f"({arguments})\n{{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"

    def _declaration(self, kind: str, data: Any) -> str:
        space = "" if (type_ := self._argument_type(kind, data)).endswith("*") else " "
        return f"{type_}{space}{self.names[kind, data]}"

    def _argument_type(self, kind: str, data: Any) -> str:
        real, (narrow, wide) = self.language.real, self.language.wholes
        if kind in ("drive", "poisson", "words"):
            return {"drive": real, "poisson": narrow, "words": self.language.unsigned[0]}[kind]
        whole = wide if self.program.whole else narrow
        if kind == "state":
            return f"{real if self.program.states[data] is Type.REAL else whole} *"
        if kind == "param":
            return f"const {whole if data in self.program.uses(Op.WHOLE) else real} *"
        return {"scalars": f"const {real} *", "wholes": f"const {wide if self.wide_ports else whole} *",
                "arrival": f"{wide if data in self.wide_ports else narrow} *", "output": f"{real} *"}[kind]


def emit_update(program: Program, dtype: Any, per_unit: Collection[str], wide: Collection[str]) -> Update:
    """The update function of one population, named after its text: equal populations share it.

    It takes the number `i` of the unit, which is its place in all arrays, and the arguments, and returns the number of
    spikes, or the payload where there is one. Arrays are scalars and output (reals), param and state (reals or 32-bit
    numbers, 64-bit ones of a program in whole numbers), arrival (64-bit where its port is wide; set to 0 after the
    step) and wholes (64-bit where there are wide ports, or the program is in whole numbers). Numbers are drive (a
    real), poisson (an int) and words (an unsigned).

    per_unit: parameters that are arrays; wide: ports whose arrivals are 64-bit.
    """
    printer = _UpdatePrinter(program, language(dtype), per_unit, wide)
    printer.print()
    text = printer.text()
    name = f"update_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return Update(name, f"{_HEAD} int {name}{text}", tuple(printer.functions), tuple(printer.arguments),
                  tuple(printer.scalars), tuple(printer.wholes), printer.counted, printer.graded)
