"""What the values of a program in whole numbers lie between: as far as interval arithmetic sees it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from snnsim.ir.ops import Instr, Op, Program


class Range(NamedTuple):
    """From `low` to `high`, both included."""

    low: float
    high: float


ANY = Range(-math.inf, math.inf)
_OF_TWO: dict[Op, Callable[[float, float], float]] = {
    Op.ADD: lambda a, b: a + b, Op.SUB: lambda a, b: a - b, Op.MIN: min, Op.MAX: max,
    Op.MUL: lambda a, b: 0.0 if 0 in (a, b) else a * b,
}


def ranges(program: Program, params: Mapping[str, Any]) -> list[Range]:
    """The range of every value; states, arrivals and what is not looked at may be anything."""
    found: list[Range] = []
    for _, instr in program:
        found.append(_range(instr, [found[a] for a in instr.args], params))
    return found


def least_payload(program: Program, params: Mapping[str, Any]) -> float:
    """The lowest payload that a program may send."""
    found = ranges(program, params)
    sent = [i.args[0] for i in program.instrs if i.op is Op.SEND]
    return min((_least_chosen(program, found, k) for k in sent), default=0.0)


def _least_chosen(program: Program, found: list[Range], k: int) -> float:
    """A payload that is sent where it exceeds something is larger than that."""
    chosen = program.instrs[k]
    if chosen.op is not Op.SELECT:
        return found[k].low
    condition, value, other = chosen.args
    test = program.instrs[condition]
    above = found[test.args[0]].low if test.op in (Op.LT, Op.LE) and test.args[1] == value else -math.inf
    return min(max(found[value].low, above), found[other].low)


def _range(instr: Instr, args: list[Range], params: Mapping[str, Any]) -> Range:
    if instr.op is Op.CONST and not isinstance(instr.data, bool):
        return Range(instr.data, instr.data)
    if instr.op is Op.WHOLE:
        return Range(float(np.min(params[instr.data])), float(np.max(params[instr.data])))
    if instr.op in _OF_TWO:
        ends = [_OF_TWO[instr.op](a, b) for a in args[0] for b in args[1]]
        return ANY if any(map(math.isnan, ends)) else Range(min(ends), max(ends))
    if instr.op is Op.SELECT:
        return Range(min(args[1].low, args[2].low), max(args[1].high, args[2].high))
    if instr.op is Op.NEG:
        return Range(-args[0].high, -args[0].low)
    if instr.op is Op.ABS:
        return Range(max(0.0, args[0].low, -args[0].high), max(abs(args[0].low), abs(args[0].high)))
    return ANY
