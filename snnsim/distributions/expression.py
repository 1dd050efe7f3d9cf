"""Values computed from the number of the unit and the parameters of its population: ``{expression: "i/n * 20 ms"}``.

Those of synapses are in ``snnsim.synaptic``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from snnsim.distributions.value import Value, length
from snnsim.equations.expr import Expr, param, postorder
from snnsim.equations.parse import Lookup, Parser
from snnsim.equations.typed import Typed
from snnsim.errors import InputError, Problem
from snnsim.ir import Builder, Op, Program, exact
from snnsim.ir.interpret import Environment, interpret
from snnsim.ir.ops import RANDOM
from snnsim.random import Floats, Index, Stream, numbers_of, to_uniform
from snnsim.units import DIMENSIONLESS, TIME, Dimension, describe

UNIT_NAMES = {"i": DIMENSIONLESS, "n": DIMENSIONLESS}   # what units can be told apart by


@dataclass(frozen=True)
class Expression(Value):
    """The value of an expression for each index `i` of `n`; ``uniform()`` and ``normal()`` are drawn anew for each.

    names: dimensions of what it may read besides dt; values: what those are (a number, or an array [n]).
    """

    text: str
    names: Mapping[str, Dimension] = field(compare=False)
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def given(self, values: Mapping[str, Any], n: int) -> Expression:
        return replace(self, values={**values, "n": n})

    @property
    def low(self) -> float:
        return -math.inf

    @property
    def high(self) -> float:
        return math.inf

    @cached_property
    def tree(self) -> Expr:
        """The parsed text; ``InputError`` where it is wrong, or not of the dimension."""
        known = {**self.names, "dt": TIME}
        lookup = Lookup(lambda name: Typed(param(name), known[name]) if name in known else None, lambda: known)
        try:
            found = Parser(lookup).parse(self.text)
        except InputError as error:
            raise InputError([Problem("expression", problem.message) for problem in error.problems]) from error
        if found.dimension != self.dimension:
            raise InputError(Problem("expression", f"expected {describe(self.dimension)}, found "
                                                   f"{describe(found.dimension)}: {self.text}"))
        if any(e.op is Op.POISSON for e in postorder([found.expr])):
            raise InputError(Problem("expression", "poisson(...) is not possible here; uniform() and normal() are"))
        return found.real()

    def draw(self, stream: Stream, index: Index) -> Floats:
        number = numbers_of(index)
        return self._finite(self.compute(self._leaves(number), stream, index))

    def compute(self, leaves: Mapping[str, Any], stream: Stream, index: Index) -> Floats:
        """float64 [k], maybe with NaN or infinity, for what it reads (numbers, or arrays [k]) at the indices."""
        program, labels = self._program

        def random(op: Op, label: str) -> Floats:   # ``lower`` has made uniform draws of the normal ones
            return to_uniform(stream.take(index, labels.index(label)))

        with np.errstate(all="ignore"):
            out = interpret(program, Environment(np.float64, params=leaves, random=random)).outputs["it"]
        return np.broadcast_to(out, length(index))

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names that it reads."""
        return frozenset(e.data for e in postorder([self.tree]) if e.op is Op.PARAM)

    @cached_property
    def _program(self) -> tuple[Program, list[str]]:
        """The tree as operations, and the labels of its random draws in their order."""
        builder, place = Builder({}), dict[Expr, int]()
        labels: list[str] = []
        for e in postorder([self.tree]):
            place[e] = builder(e.op, *(place[a] for a in e.args), data=e.data)
            labels += [e.data] if e.op in RANDOM else []
        builder(Op.OUTPUT, place[self.tree], data="it")
        return exact.lower(builder.build(), np.float64), labels

    def _leaves(self, number: np.ndarray) -> dict[str, Any]:
        read = self.reads - {"i"}
        if missing := sorted(read - set(self.values)):
            raise InputError(Problem("expression", f"{', '.join(missing)} cannot be read here: {self.text}"))
        values = {name: np.asarray(self.values[name], float) for name in read}
        return {"i": number.astype(np.float64)} | {k: v[number] if v.ndim else float(v) for k, v in values.items()}

    def _finite(self, out: Floats) -> Floats:
        wrong = np.flatnonzero(~np.isfinite(out))
        if wrong.size:
            raise InputError(Problem("expression", f"is {out[wrong[0]]} for number {wrong[0]}: {self.text}"))
        return np.array(out)

    def to_spec(self) -> Any:
        return {"expression": self.text}
