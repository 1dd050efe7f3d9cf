"""Expressions of parameters, evaluated in float64 before a run: the interpreter of the operation list does it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from snnsim.equations.expr import Expr, postorder
from snnsim.equations.rules import Parameter
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.ir import exact
from snnsim.ir.interpret import Environment, interpret
from snnsim.ir.ops import Builder, Op, Program
from snnsim.units import describe

Values = dict[str, "float | np.ndarray"]


def complete(parameters: Mapping[str, Parameter], values: Mapping[str, float | np.ndarray], dt: float) -> Values:
    """The values of all parameters, defaults where none is given, and ``dt``.

    Raises ``InputError`` with every unknown name, missing value and wrong sign.
    """
    problems = Problems()
    for name, value in values.items():
        with problems.at(name):
            if name not in parameters:
                raise InputError(unknown("parameter", name, parameters))
            parameters[name].check(value)
    for name, parameter in parameters.items():
        if parameter.default is None and name not in values:
            problems.add(name, f"missing: expected {describe(parameter.dimension)}")
    problems.check()
    given = {name: plain(values.get(name, parameter.default)) for name, parameter in parameters.items()}
    for name, value in given.items():
        if np.any(np.isnan(value)):
            raise InputError(Problem(name, "expected a number, found nan"))
    return given | {"dt": float(dt)}


def parameters_of(expr: Expr) -> list[str]:
    """Names of the parameters that `expr` reads, ``dt`` included."""
    return [e.data for e in postorder([expr]) if e.op is Op.PARAM and isinstance(e.data, str)]


class Table:
    """Named expressions of parameters; the same bits on every machine, since only exact operations are used."""

    def __init__(self, expressions: Mapping[str, Expr]) -> None:
        self.expressions = dict(expressions)

    @cached_property
    def _program(self) -> Program:
        builder, numbers = Builder({}), dict[Expr, int]()
        for e in postorder(self.expressions.values()):
            leaf = e.op in (Op.PARAM, Op.CONST)
            numbers[e] = builder(e.op, *(numbers[a] for a in e.args), data=e.data if leaf else None)
        for name, expr in self.expressions.items():
            builder(Op.OUTPUT, numbers[expr], data=name)
        return exact.lower(builder.build(), np.float64)

    def evaluate(self, values: Mapping[str, float | np.ndarray]) -> Values:
        """Each expression as a float, or as an array where a parameter is one.

        Raises ``InputError`` naming parameter and expression where a result is not finite.
        """
        outputs = interpret(self._program, Environment(np.float64, params=values)).outputs
        found = {name: plain(outputs[name]) for name in self.expressions}
        problems = [self._fault(name, value, values) for name, value in found.items() if not self._is_fine(name, value)]
        if problems:
            raise InputError(min(problems, key=lambda p: len(p.message)))
        return found

    def _is_fine(self, name: str, value: float | np.ndarray) -> bool:
        return bool(np.all(np.isfinite(value))) or (_is_sum(self.expressions[name]) and not np.any(np.isnan(value)))

    def _fault(self, name: str, value: float | np.ndarray, values: Mapping[str, float | np.ndarray]) -> Problem:
        where = int(np.argmin(np.isfinite(value))) if np.ndim(value) else None
        given = {n: _entry(values[n], where) for n in parameters_of(self.expressions[name])}
        culprit = min(given, key=lambda n: (given[n] != 0 and np.isfinite(given[n]), n == "dt"), default="")
        listed = ", ".join(f"{n} = {value:g}" for n, value in given.items())
        return Problem(culprit, f"{name} is not finite with {listed}{'' if where is None else f' (unit {where})'}")


def _is_sum(expr: Expr) -> bool:
    """Whether an infinite result can only come from an infinite parameter, such as a threshold that is never met."""
    return all(e.op in (Op.PARAM, Op.CONST, Op.ADD, Op.SUB, Op.NEG) for e in postorder([expr]))


def _entry(value: float | np.ndarray, where: int | None) -> float:
    return float(value if where is None or np.ndim(value) == 0 else np.asarray(value)[where])


def plain(value: object) -> float | np.ndarray:
    """A float for what has no axes, an array otherwise."""
    return float(value) if np.ndim(value) == 0 else np.asarray(value)  # type: ignore[arg-type]
