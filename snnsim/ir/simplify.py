"""Fold what is known before a run: inputs that nothing drives, arithmetic with 0 and 1, division by exprel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snnsim.ir.ops import Builder, Instr, Op, Program

Rewrite = Callable[[Builder, Instr], int | None]


def rewrite(program: Program, leaf: Rewrite) -> Program:
    """Replace instructions: `leaf` gives the new value of an instruction, or None to keep it; the rest is folded."""
    builder = Builder(program.states, program.whole)
    where: dict[int, int] = {}
    for k, instr in program:
        moved = Instr(instr.op, tuple(where[a] for a in instr.args), instr.data)
        new = leaf(builder, moved)
        where[k] = _fold(builder, moved) if new is None else new
    return builder.build()


def _fold(builder: Builder, instr: Instr) -> int:
    """Append `instr`, or find the earlier value that it equals."""
    args = instr.args
    known = [_constant(builder, a) for a in args]
    if instr.op in (Op.ADD, Op.MUL) and known[0] is not None and known[1] is None:
        args, known = args[::-1], known[::-1]
    if instr.op in (Op.ADD, Op.SUB) and known[1] is not None and known[1] == 0:
        return args[0]
    if instr.op is Op.MUL and known[1] is not None and known[1] in (0, 1):
        return args[0] if known[1] == 1 else args[1]
    if instr.op is Op.DIV and builder.instrs[args[1]].op is Op.EXPREL:
        return builder(Op.MUL, args[0], builder(Op.EXPREL_INV, *builder.instrs[args[1]].args))
    if instr.op is Op.TO_REAL and known[0] is not None:
        return builder.const(float(known[0]))
    if instr.op is Op.NEG and known[0] is not None:
        return builder.const(-known[0])
    return builder(instr.op, *instr.args, data=instr.data)


def _constant(builder: Builder, k: int) -> Any:
    instr = builder.instrs[k]
    return instr.data if instr.op is Op.CONST and not isinstance(instr.data, bool) else None
