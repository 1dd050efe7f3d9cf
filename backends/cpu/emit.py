"""Prints the program of a population as one Numba function over its units.

The function is a single loop without branches, so that LLVM turns it into vector code; scalar parameters are read
before the loop, per-unit ones inside it.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache, lru_cache
from typing import Any

import numpy as np

from snnsim.ir import Instr, Op, Program, Type
from snnsim.ir.printing import OPERATORS, FunctionPrinter, Language, Printer, Update

_COMMON = {
    **OPERATORS, Op.MIN: "{0} if {0} < {1} else {1}", Op.MAX: "{0} if {0} > {1} else {1}",
    Op.SELECT: "{1} if {0} else {2}", Op.NOT: "not {0}", Op.ABS: "abs({0})",
}
_COMPARISONS = (Op.LT, Op.LE, Op.EQ)
_BITS = {
    np.float32: dict(power2="int_as_f32(np.int32((np.int32({1}) + np.int32(127)) << np.int32(23)))",
                     exponent="np.float32(np.int32(np.int32(f32_as_int({0}) >> np.int32(23)) - np.int32(127)))",
                     mantissa="int_as_f32(np.int32((f32_as_int({0}) & np.int32(8388607)) | np.int32(1065353216)))",
                     uniform="np.float32(np.float32(np.int32(np.uint32({0}) >> np.uint32(9))) + np.float32(0.5)) "
                             "* np.float32(2.0**-23)"),
    np.float64: dict(power2="int_as_f64((np.int64({1}) + 1023) << 52)",
                     exponent="np.float64((f64_as_int({0}) >> 52) - 1023)",
                     mantissa="int_as_f64((f64_as_int({0}) & 4503599627370495) | 4607182418800017408)",
                     uniform="(np.float64({0}) + 0.5) * 2.0**-32"),
}


@cache
def language(dtype: Any) -> Language:
    """Python for Numba, with reals of a precision."""
    real, bits = f"np.{np.dtype(dtype).name}", _BITS[dtype]
    cast = f"{real}({{0}})"
    reals = {**_COMMON, Op.SQRT: f"{real}(np.sqrt({{0}}))", Op.FLOOR: f"{real}(np.floor({{0}}))",
             Op.SCALE2: f"{{0}} * {bits['power2']}", Op.EXPONENT: bits["exponent"], Op.MANTISSA: bits["mantissa"],
             Op.TO_INT: "{whole}(np.floor({0}))"}
    shifts = {Op.SHL: "{0} << {1}", Op.SHR: "{0} >> {1}"}
    wholes = {op: text if op in _COMPARISONS else f"{{whole}}({text})" for op, text in (_COMMON | shifts).items()}
    bools = {**_COMMON, Op.TO_INT: "{whole}(1) if {0} else {whole}(0)", Op.TO_REAL: cast}
    return Language(
        real, ("np.int32", "np.int64"), ("np.uint32", "np.uint64"),
        {Type.REAL: reals, Type.INT: {**wholes, Op.TO_REAL: cast}, Type.BOOL: bools},
        bits["power2"], bits["uniform"], define="{name} = {text}", assign="{0} = {1}", cast="{0}({1})",
        by_value=frozenset(), suffix="", literal=lambda value: _literal(value, real),
        function=lambda op: emit_function(op, dtype),
    )


def _literal(value: Any, real: str) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"np.int32({value})" if abs(value) < 1 << 31 else f"np.int64({value})"
    if math.isnan(value) or math.isinf(value):
        return f"{real}({'np.nan' if math.isnan(value) else 'np.inf' if value > 0 else '-np.inf'})"
    return f"{real}({value!r})"


@cache
def emit_function(op: Op, dtype: Any) -> str:
    """A transcendental operation as a Numba function of one number."""
    printer = FunctionPrinter(op, dtype, language(dtype))
    body = "\n".join(f"    {line}" for line in (*printer.before, *printer.body, f"return {printer.result}"))
    name = language(dtype).name_of(op)
    return f"@njit(forceinline=True, error_model='numpy')\ndef {name}(x):\n{body}\n"


class _UpdatePrinter(Printer):
    """Notes spikes in arrays, as counts or marks, and payloads."""

    counted: bool | None = None
    graded = False

    def spikes(self, name: str, value: str, counted: bool) -> None:
        self.counted = counted
        place = self.element("counts" if counted else "marks", name)
        text = f"np.int32({value})" if counted else f"np.uint8(1) if {value} else np.uint8(0)"
        self.after.append(f"{place} = {text}")

    def messages(self, name: str, value: str) -> None:
        self.spikes(name, f"{value} != 0", False)
        self.graded = True
        self.after.append(f"{self.element('payloads', name)} = {value}")


def emit_update(program: Program, dtype: Any, per_unit: set[str], wide: set[str]) -> Update:
    """The update function of one population, named after its text: equal populations share it.

    per_unit: parameters that are arrays; wide: ports whose arrivals are 64-bit.
    """
    exactly = repr([instr.data for instr in program.instrs if instr.op is Op.CONST])
    states = tuple(program.states.items())
    return _update(program.instrs, states, program.whole, exactly, dtype, frozenset(per_unit), frozenset(wide))


@lru_cache
def _update(instrs: tuple[Instr, ...], states: tuple[tuple[str, Type], ...], whole: bool, exactly: str, dtype: Any,
            per_unit: frozenset[str], wide: frozenset[str]) -> Update:
    """exactly: the constants, as text that tells 0.0 from -0.0 and from 0."""
    program = Program(instrs, dict(states), whole)
    printer = _UpdatePrinter(program, language(dtype), per_unit, wide)
    printer.print()
    names = ["n", *(printer.names[a] for a in printer.arguments)]
    lines = [f"    {line}" for line in printer.before]
    lines.append("    for i in range(n):")
    lines += [f"        {line}" for line in (*printer.body, *printer.after)] or ["        pass"]
    body = f"({', '.join(names)}):\n" + "\n".join(lines) + "\n"
    name = f"update_{hashlib.sha256(body.encode()).hexdigest()[:16]}"
    source = f"@compiled(noalias=True, error_model='numpy')\ndef {name}{body}"
    return Update(name, source, tuple(printer.functions), tuple(printer.arguments), tuple(printer.scalars),
                  tuple(printer.wholes), printer.counted, printer.graded)
