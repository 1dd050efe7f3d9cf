"""Expressions as text: the names of hoisted numbers, and messages."""

from __future__ import annotations

from hashlib import blake2b

from snnsim.equations.expr import Expr, Supplied, postorder
from snnsim.ir.ops import Op

_INFIX = {Op.ADD: ("+", 4), Op.SUB: ("-", 4), Op.MUL: ("*", 5), Op.DIV: ("/", 5), Op.LT: ("<", 3), Op.LE: ("<=", 3),
          Op.EQ: ("==", 3), Op.SHL: ("<<", 3.5), Op.SHR: (">>", 3.5), Op.AND: ("and", 2), Op.OR: ("or", 1)}
_ATOM = 9
_LONGEST = 300


def number(value: bool | int | float) -> str:
    """The shortest text that reads back as the same number."""
    return repr(value).removesuffix(".0")


def text(expr: Expr) -> str:
    """`expr` in the language of the equations; a name made from its structure where that would be very long."""
    return _text(expr)[0] if _size(expr) <= _LONGEST else f"expression {_digest(expr)}"


def _size(expr: Expr) -> int:
    """How many parts the text has: shared sub-expressions count each time they are written."""
    sizes: dict[Expr, int] = {}
    for e in postorder([expr]):
        sizes[e] = 1 + sum(sizes[a] for a in e.args)
    return sizes[expr]


def _digest(expr: Expr) -> str:
    digests: dict[Expr, str] = {}
    for e in postorder([expr]):
        data = e.data.name if isinstance(e.data, Supplied) else repr(e.data)
        parts = "/".join([e.op.name, data, *(digests[a] for a in e.args)])
        digests[e] = blake2b(parts.encode(), digest_size=8).hexdigest()
    return digests[expr]


def _text(expr: Expr) -> tuple[str, float]:
    if expr.op in (Op.CONST, Op.PARAM, Op.STATE, Op.DRIVE, Op.ARRIVAL):
        return _leaf(expr)
    if expr.op in _INFIX:
        sign, level = _INFIX[expr.op]
        left, right = _text(expr.args[0]), _text(expr.args[1])
        return f"{_inside(left, level)}{_spaced(sign)}{_inside(right, level + 1)}", level
    if expr.op is Op.NEG:
        return f"-{_inside(_text(expr.args[0]), 6)}", 6
    if expr.op is Op.SELECT:
        condition, yes, no = (_text(a)[0] for a in expr.args)
        return f"({yes} if {condition} else {no})", _ATOM
    return f"{expr.op.name.lower()}({', '.join(_text(a)[0] for a in expr.args)})", _ATOM


def _leaf(expr: Expr) -> tuple[str, float]:
    if isinstance(expr.data, Supplied):
        return expr.data.name, _ATOM
    if expr.op is Op.CONST:
        return number(expr.data), _ATOM if expr.data >= 0 else 6
    return str(expr.data), _ATOM


def _inside(part: tuple[str, float], level: float) -> str:
    return part[0] if part[1] >= level else f"({part[0]})"


def _spaced(sign: str) -> str:
    return sign if sign in "*/" else f" {sign} "
