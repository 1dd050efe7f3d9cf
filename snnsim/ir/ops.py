"""The vocabulary: every operation that an update rule may contain, with its type rule.

A ``Program`` is a list of instructions in single-assignment form: instruction k makes value k, from earlier values. It
runs once per step for every unit of a population. Reals have the precision of the run; whole numbers never overflow
(a compiler chooses widths that hold). Nothing else in snnsim invents operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import cached_property
from typing import Any, NamedTuple


class Type(Enum):
    """What a value is."""

    REAL = auto()
    INT = auto()
    BOOL = auto()
    NONE = auto()


class Op(Enum):
    """Operations, in sections. ``data`` is what an instruction holds besides its arguments."""

    __hash__ = object.__hash__   # an enumeration's own, by name, is several times as slow

    # leaves
    CONST = auto()      # data: bool, int or float
    PARAM = auto()      # data: name in the bound parameters; real
    WHOLE = auto()      # data: name in the bound parameters; whole number
    STATE = auto()      # data: state name; its value before the step
    ARRIVAL = auto()    # data: port name; sum of the weights that arrive in this step, in quanta of the port
    DRIVE = auto()      # data: input name; the continuous input held during this step

    # random numbers: counted by (unit, step), so they have no state
    POISSON = auto()    # data: (stream label, name of the mean in the bound parameters); a count
    UNIFORM = auto()    # data: stream label; in (0, 1)
    NORMAL = auto()     # data: stream label; mean 0, sd 1

    # arithmetic, rounded once each
    ADD = auto()
    SUB = auto()
    MUL = auto()
    DIV = auto()
    NEG = auto()
    ABS = auto()
    MIN = auto()        # min(a, b) is a if a < b else b
    MAX = auto()        # max(a, b) is a if a > b else b
    SQRT = auto()
    FLOOR = auto()
    TRUNC = auto()      # toward zero; on the host and, from whole numbers to such, in programs
    SHL = auto()        # x 2^k, k a whole number, at least 0
    SHR = auto()        # floor(x 2^-k)

    # decisions
    LT = auto()
    LE = auto()
    EQ = auto()
    AND = auto()
    OR = auto()
    NOT = auto()
    SELECT = auto()     # a if condition else b; both are computed

    # between kinds of numbers
    TO_REAL = auto()    # int or bool -> real
    TO_INT = auto()     # floor(real) or bool -> int
    SCALE2 = auto()     # x 2^k for a whole-numbered real k in the range of exponents
    EXPONENT = auto()   # of a positive normal x: the whole-numbered real e with 2^e <= x < 2^(e+1)
    MANTISSA = auto()   # of a positive normal x: x 2^-EXPONENT(x), in [1, 2)

    # made of the operations above, always in the same way: see ``exact``
    EXP = auto()
    LOG = auto()
    EXPREL = auto()     # (exp(x) - 1)/x, 1 at 0
    EXPREL_INV = auto() # x/(exp(x) - 1), 1 at 0
    SIN = auto()
    COS = auto()
    TANH = auto()

    # effects
    STORE = auto()      # data: state name; its value after the step
    EMIT = auto()       # data: output name; number of spikes
    SEND = auto()       # data: output name; one spike with this payload, none where it is 0
    OUTPUT = auto()     # data: output name; a graded value


# The forms that each operation admits: arguments > result, with r real, i whole, b bool, nothing for none.
_BOTH, _REAL2, _REAL1 = "rr>r ii>i", "rr>r", "r>r"
_FORMS = {
    Op.PARAM: ">r", Op.WHOLE: ">i", Op.ARRIVAL: ">i", Op.DRIVE: ">r",
    Op.POISSON: ">i", Op.UNIFORM: ">r", Op.NORMAL: ">r",
    Op.ADD: _BOTH, Op.SUB: _BOTH, Op.MUL: _BOTH, Op.DIV: _REAL2, Op.NEG: "r>r i>i", Op.ABS: "r>r i>i",
    Op.MIN: _BOTH, Op.MAX: _BOTH, Op.SQRT: _REAL1, Op.FLOOR: _REAL1, Op.TRUNC: _REAL1,
    Op.SHL: _BOTH, Op.SHR: _BOTH,
    Op.LT: "rr>b ii>b", Op.LE: "rr>b ii>b", Op.EQ: "rr>b ii>b",
    Op.AND: "bb>b", Op.OR: "bb>b", Op.NOT: "b>b", Op.SELECT: "brr>r bii>i bbb>b",
    Op.TO_REAL: "i>r b>r", Op.TO_INT: "r>i b>i", Op.SCALE2: _REAL2, Op.EXPONENT: _REAL1, Op.MANTISSA: _REAL1,
    Op.EXP: _REAL1, Op.LOG: _REAL1, Op.EXPREL: _REAL1, Op.EXPREL_INV: _REAL1,
    Op.SIN: _REAL1, Op.COS: _REAL1, Op.TANH: _REAL1,
    Op.STORE: "r> i>", Op.EMIT: "i> b>", Op.SEND: "i>", Op.OUTPUT: "r>",
}
_LETTERS = {"r": Type.REAL, "i": Type.INT, "b": Type.BOOL, "": Type.NONE}


def _form(text: str) -> tuple[tuple[Type, ...], Type]:
    arguments, result = text.split(">")
    return tuple(_LETTERS[a] for a in arguments), _LETTERS[result]


SIGNATURES = {op: tuple(_form(text) for text in forms.split()) for op, forms in _FORMS.items()}
TRANSCENDENTAL = frozenset({Op.EXP, Op.LOG, Op.EXPREL, Op.EXPREL_INV, Op.SIN, Op.COS, Op.TANH, Op.NORMAL})
EFFECTS = frozenset({Op.STORE, Op.EMIT, Op.SEND, Op.OUTPUT})
RANDOM = frozenset({Op.POISSON, Op.UNIFORM, Op.NORMAL})


class Instr(NamedTuple):
    """One operation: its arguments are the numbers of earlier instructions."""

    op: Op
    args: tuple[int, ...] = ()
    data: Any = None


@dataclass(frozen=True)
class Program:
    """Instructions with the types of the states they read and store.

    states: name -> REAL or INT, in storage order. whole: it computes in whole numbers, which need 64 bits.
    """

    instrs: tuple[Instr, ...]
    states: dict[str, Type] = field(default_factory=dict)
    whole: bool = False

    def __iter__(self) -> Iterator[tuple[int, Instr]]:
        return iter(enumerate(self.instrs))

    def uses(self, op: Op) -> list[Any]:
        """The distinct ``data`` of all instructions of one kind, in order."""
        return list(dict.fromkeys(instr.data for instr in self.instrs if instr.op is op))

    @cached_property
    def types(self) -> tuple[Type, ...]:
        """The type of every value; ``TypeError`` where an instruction breaks the vocabulary."""
        return _types(self)

    def __str__(self) -> str:
        return "\n".join(f"%{k} = {_line(instr)}" for k, instr in self)


def _line(instr: Instr) -> str:
    words = [instr.op.name.lower(), *(f"%{a}" for a in instr.args), *([] if instr.data is None else [str(instr.data)])]
    return " ".join(words)


def check(program: Program) -> tuple[Type, ...]:
    """The type of every value; ``TypeError`` where an instruction breaks the vocabulary. Run after every pass."""
    return program.types


def _types(program: Program) -> tuple[Type, ...]:
    types: list[Type] = []
    stored: set[str] = set()
    for k, instr in program:
        if any(not 0 <= a < k for a in instr.args):
            raise TypeError(f"%{k} {instr.op.name}: arguments must be earlier values")
        types.append(_result(program, k, instr, tuple(types[a] for a in instr.args)))
        if instr.op is Op.STORE:
            if instr.data in stored:
                raise TypeError(f"%{k} STORE {instr.data}: stored twice")
            stored.add(instr.data)
    return tuple(types)


def _result(program: Program, k: int, instr: Instr, args: tuple[Type, ...]) -> Type:
    if instr.op is Op.CONST:
        return {bool: Type.BOOL, int: Type.INT, float: Type.REAL}[type(instr.data)]
    if instr.op in (Op.STATE, Op.STORE) and instr.data not in program.states:
        raise TypeError(f"%{k} {instr.op.name}: no state {instr.data!r}")
    if instr.op is Op.STATE:
        return program.states[instr.data]
    if instr.op is Op.STORE and args != (program.states[instr.data],):
        raise TypeError(f"%{k} STORE {instr.data}: expected {program.states[instr.data].name}, found {args}")
    for expected, result in SIGNATURES[instr.op]:
        if args == expected:
            return result
    raise TypeError(f"%{k} {instr.op.name}: no form takes {tuple(t.name for t in args)}")


class Builder:
    """Appends instructions; equal pure instructions become one."""

    def __init__(self, states: dict[str, Type], whole: bool = False) -> None:
        self.states, self.whole = dict(states), whole
        self.instrs: list[Instr] = []
        self._known: dict[Any, int] = {}

    def __call__(self, op: Op, *args: int, data: Any = None) -> int:
        """Append ``op(args)`` and return its number."""
        instr = Instr(op, args, data)
        key = (op, args, type(data), data)
        if op not in EFFECTS and key in self._known:
            return self._known[key]
        self.instrs.append(instr)
        self._known[key] = len(self.instrs) - 1
        return len(self.instrs) - 1

    def const(self, value: bool | int | float) -> int:
        return self(Op.CONST, data=value)

    def build(self) -> Program:
        """The program without the instructions that no effect needs, checked."""
        program = prune(Program(tuple(self.instrs), self.states, self.whole))
        check(program)
        return program


def prune(program: Program) -> Program:
    """Drop what no effect depends on."""
    needed: set[int] = set()
    for k in range(len(program.instrs) - 1, -1, -1):
        if k in needed or program.instrs[k].op in EFFECTS:
            needed.update((k, *program.instrs[k].args))
    number = {old: new for new, old in enumerate(sorted(needed))}
    kept = (program.instrs[k] for k in sorted(needed))
    return replace(program, instrs=tuple(Instr(i.op, tuple(number[a] for a in i.args), i.data) for i in kept))
