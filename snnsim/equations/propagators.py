"""Matrix exponentials of small sparse systems, one per unit at once, in elementary float64 operations.

exp(A h) by scaling, a Taylor series and squaring. Every sum is taken in a fixed order without BLAS, so the bits are the
same on every machine, and nothing is divided by a difference, so equal time constants are no special case. Entry (i, j)
uses only the variables that lie between j and i: it does not change with what else the system holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from snnsim.equations.expr import Expr, make
from snnsim.equations.host import Table, Values, plain
from snnsim.equations.text import text
from snnsim.errors import InputError
from snnsim.ir.ops import Op

Matrix = dict[tuple[str, str], "float | np.ndarray"]
_TERMS = 20


@dataclass(frozen=True)
class System:
    """x' = A x: (row, column) -> entry of A as an expression of parameters; a held input is a variable, too."""

    entries: tuple[tuple[tuple[str, str], Expr], ...]

    def reach(self) -> dict[str, list[str]]:
        """Row -> the columns from which something arrives in any time, itself included."""
        direct = self._direct()
        return {row: _closure(row, direct) for row in direct}

    def _direct(self) -> dict[str, set[str]]:
        direct: dict[str, set[str]] = {}
        for (row, column), _ in self.entries:
            direct.setdefault(row, set()).add(column)
            direct.setdefault(column, set())
        return direct

    def between(self, row: str, column: str) -> frozenset[str]:
        """The variables on any way from `column` to `row`."""
        reach = self.reach()
        return frozenset(k for k in reach[row] if column in reach[k])

    def moves(self, row: str) -> bool:
        """Whether the variable acts on itself, directly or through others."""
        places = {place for place, _ in self.entries}
        return any((row, k) in places and row in _closure(k, self._direct()) for k in self.reach().get(row, ()))

    def without(self, rows: Iterable[str]) -> System:
        """The system with the derivatives of `rows` zero."""
        gone = frozenset(rows)
        return System(tuple((place, entry) for place, entry in self.entries if place[0] not in gone))


def _closure(start: str, direct: dict[str, set[str]]) -> list[str]:
    found, new = [start], [start]
    while new:
        new = sorted({b for a in new for b in direct.get(a, ())} - set(found))
        found += new
    return found


@dataclass(frozen=True)
class Propagator:
    """Recipe of one number: entry (row, column) of exp(A step)."""

    system: System
    row: str
    column: str
    step: Expr
    held: bool = False

    @property
    def name(self) -> str:
        """``P[v,i_exc]`` (``H`` while variables are held), with the step where it is not dt."""
        step = text(self.step)
        return f"{'H' if self.held else 'P'}[{self.row},{self.column}{'' if step == 'dt' else f'; {step}'}]"

    def key(self) -> tuple[System, Expr, frozenset[str]]:
        """Propagators with equal keys come from one exponential."""
        return self.system, self.step, self.system.between(self.row, self.column)


class Propagators:
    """The numbers of several recipes; those that share variables and step come from one exponential."""

    def __init__(self, recipes: Iterable[Propagator]) -> None:
        self.recipes = tuple(recipes)
        products = [make(Op.MUL, entry, r.step) for r in self.recipes for _, entry in r.system.entries]
        self._table = Table({text(product): product for product in products})

    def evaluate(self, values: Mapping[str, float | np.ndarray]) -> Values:
        """Name of each propagator -> float, or array [units] where a parameter involved is one."""
        entries, known = self._table.evaluate(values), dict[object, Matrix]()
        found: Values = {}
        for recipe in self.recipes:
            system, step, variables = key = recipe.key()
            if key not in known:
                a = {place: entries[text(make(Op.MUL, entry, step))] for place, entry in system.entries}
                with np.errstate(all="ignore"):
                    known[key] = exponential(a, variables)
            found[recipe.name] = plain(known[key].get((recipe.row, recipe.column), 0.0))
            if not np.all(np.isfinite(found[recipe.name])):
                raise InputError(f"{recipe.row} grows beyond all numbers within one step: is a time constant negative?")
        return found


def exponential(a: Matrix, variables: Iterable[str]) -> Matrix:
    """exp(A) over `variables`; entries are floats or arrays over units, absent ones are zero.

    The relative error of an entry stays near 1e-15 while |A| < 1, and doubles with every doubling beyond.
    """
    names = sorted(variables)
    a = {place: value for place, value in a.items() if place[0] in names and place[1] in names}
    halvings = _halvings(_norm(a, names))
    scale = np.ldexp(1.0, -halvings)
    result = _taylor({place: value * scale for place, value in a.items()}, names)
    for done in range(int(np.max(halvings))):
        squared = _product(result, result, names)
        result = {place: np.where(halvings > done, squared[place], result.get(place, 0.0)) for place in squared}
    return result


def _norm(a: Matrix, names: list[str]) -> float | np.ndarray:
    """Largest row sum over the entries that lie on a cycle: the others do not slow the series down."""
    reach = {name: _closure(name, {row: {c for r, c in a if r == row} for row in names}) for name in names}
    largest: float | np.ndarray = 0.0
    for row in names:
        sizes = [np.abs(a[row, c]) for c in names if (row, c) in a and row in reach[c]]
        largest = np.maximum(largest, sum(sizes, 0.0))
    return largest


def _halvings(norm: float | np.ndarray) -> np.ndarray:
    """How often A is halved so that its norm is at most 1/4; not finite norms are left to the caller's check."""
    finite = np.where(np.isfinite(norm), norm, 0.0)
    return np.clip(np.frexp(finite)[1] + 2, 0, 60)


def _taylor(a: Matrix, names: list[str]) -> Matrix:
    """1 + A (1 + A/2 (1 + A/3 (...)))."""
    result: Matrix = {(name, name): 1.0 for name in names}
    for n in range(_TERMS, 0, -1):
        result = {place: value / n for place, value in _product(a, result, names).items()}
        for name in names:
            result[name, name] = 1.0 + result.get((name, name), 0.0)
    return result


def _product(left: Matrix, right: Matrix, names: list[str]) -> Matrix:
    result: Matrix = {}
    for i in names:
        for k in names:
            if (i, k) in left:
                for j in names:
                    if (k, j) in right:
                        result[i, j] = result.get((i, j), 0.0) + left[i, k] * right[k, j]
    return result
