"""The methods: from right-hand sides to the values after a (sub-)step, as trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from snnsim.equations.expr import ONE, Expr, const, make, select, state, substitute, supplied, total
from snnsim.equations.linear import NotLinearError, Terms, in_one, in_states, scale
from snnsim.equations.propagators import Propagator, System
from snnsim.equations.text import text
from snnsim.ir.ops import Op

Values = dict[str, Expr]
_HALF = const(0.5)


@dataclass(frozen=True)
class Equations:
    """Differential equations and what holds some of their variables.

    held: states that keep their value while `refractory` (None: never).
    """

    derivatives: Mapping[str, Expr]
    held: frozenset[str] = frozenset()

    @cached_property
    def linear(self) -> dict[str, Terms]:
        """The largest set of variables that depend linearly on each other alone, with their terms."""
        found: dict[str, Terms] = {}
        for name, right in self.derivatives.items():
            try:
                found[name] = in_states(right)
            except NotLinearError:
                continue
        while out := [n for n, terms in found.items() if _states(terms) & self.derivatives.keys() - found.keys()]:
            for name in out:
                del found[name]
        return found

    @cached_property
    def nonlinear(self) -> dict[str, Expr]:
        """The right-hand sides of the other variables."""
        return {name: right for name, right in self.derivatives.items() if name not in self.linear}

    @cached_property
    def read_while_held(self) -> frozenset[str]:
        """Held variables that another one reads: it must see them stand still."""
        return frozenset(h for h in self.held for name, right in self.derivatives.items()
                         if name not in self.held and h in right.states)

    def advance_linear(self, values: Values, step: Expr, refractory: Expr | None) -> Values:
        """The linear variables after `step`, exactly."""
        moving = _propagate(self.linear, values, step, frozenset())
        if refractory is None or not self.read_while_held & self.linear.keys():
            return moving
        still = _propagate(self.linear, values, step, self.held)
        return {name: select(refractory, still[name], moving[name]) for name in moving}


def _states(terms: Terms) -> set[str]:
    return {atom.data for atom in terms if atom is not None and atom.op is Op.STATE}


def _column(atom: Expr | None) -> str:
    return "1" if atom is None else text(atom)


def _propagate(linear: Mapping[str, Terms], values: Values, step: Expr, held: frozenset[str]) -> Values:
    entries = [((name, _column(atom)), factor) for name, terms in linear.items() for atom, factor in terms.items()]
    system = System(tuple(entries))
    if held:
        system = system.without(held)
    atoms = {_column(atom): atom for terms in linear.values() for atom in terms}
    atoms |= {name: state(name) for name in linear}
    return {name: _row(system, name, atoms, values, step, bool(held)) for name in linear}


def _row(system: System, name: str, atoms: Mapping[str, Expr | None], values: Values, step: Expr, held: bool) -> Expr:
    columns = system.reach().get(name, [name])
    # The variable itself comes last: where it is the largest term, the others are then rounded on their own scale.
    places = list(atoms)
    order = sorted(columns, key=lambda c: (c == name, atoms[c] is None, places.index(c)))
    terms = []
    for column in order:
        factor = ONE
        if column != name or system.moves(name):
            recipe = Propagator(system, name, column, step, held)
            factor = supplied(recipe.name, recipe)
        terms.append(make(Op.MUL, _value(atoms[column], values), factor))
    return total(terms)


def _value(atom: Expr | None, values: Values) -> Expr:
    if atom is None:
        return ONE
    return values[atom.data] if atom.op is Op.STATE else atom


def euler(equations: Equations, values: Values, step: Expr, refractory: Expr | None) -> Values:
    """x + x' h, all with the old values."""
    now = _current(values)
    return {name: make(Op.ADD, values[name], make(Op.MUL, substitute(right, now), step))
            for name, right in equations.derivatives.items()}


def exact(equations: Equations, values: Values, step: Expr, refractory: Expr | None) -> Values:
    """exp(A h) x."""
    return equations.advance_linear(values, step, refractory)


def exponential_euler(equations: Equations, values: Values, step: Expr, refractory: Expr | None) -> Values:
    """x + (a + b x) h exprel(b h) for x' = a + b x, with a and b from the old values; linear parts exactly.

    Source: Brette et al. (2007), J. Comput. Neurosci. 23, section on the COBAHH benchmark.
    """
    now, after = _current(values), equations.advance_linear(values, step, refractory)
    for name, right in equations.nonlinear.items():
        try:
            a, b = in_one(right, state(name))
        except NotLinearError:
            a, b = right, const(0.0)
        after[name] = _exponential(substitute(a, now), substitute(b, now), values[name], step)
    return after


def _exponential(a: Expr, b: Expr, x: Expr, step: Expr) -> Expr:
    (a, over), (b, also) = scale(a), scale(b)
    if also is make(Op.NEG, over):
        b, also = make(Op.NEG, b), over
    if over is not also:
        a, b, over = make(Op.MUL, a, over), make(Op.MUL, b, also), ONE
    size = make(Op.MUL, over, step)
    slope = make(Op.ADD, a, make(Op.MUL, b, x))
    growth = make(Op.EXPREL, make(Op.MUL, b, size))
    return make(Op.ADD, x, make(Op.MUL, make(Op.MUL, slope, size), growth))


def rk4(equations: Equations, values: Values, step: Expr, refractory: Expr | None) -> Values:
    """The classical Runge-Kutta method; what is linear by itself enters with its exact values at half and full step."""
    half = make(Op.MUL, step, _HALF)
    middle, end = (equations.advance_linear(values, s, refractory) for s in (half, step))
    start = {name: values[name] for name in equations.derivatives}
    k1 = _slopes(equations, start)
    k2 = _slopes(equations, _stage(equations, start, k1, half, refractory) | middle)
    k3 = _slopes(equations, _stage(equations, start, k2, half, refractory) | middle)
    k4 = _slopes(equations, _stage(equations, start, k3, step, refractory) | end)
    return end | {name: _combined(start[name], [k[name] for k in (k1, k2, k3, k4)], step) for name in k1}


def _current(values: Values) -> dict[Expr, Expr]:
    return {state(name): value for name, value in values.items()}


def _slopes(equations: Equations, values: Values) -> Values:
    now = _current(values)
    return {name: substitute(right, now) for name, right in equations.nonlinear.items()}


def _stage(equations: Equations, start: Values, k: Values, step: Expr, refractory: Expr | None) -> Values:
    moved = {name: make(Op.ADD, start[name], make(Op.MUL, slope, step)) for name, slope in k.items()}
    still = equations.read_while_held & k.keys()
    return moved | {name: select(refractory, start[name], moved[name]) for name in still}


def _combined(x: Expr, k: list[Expr], step: Expr) -> Expr:
    """x + (k1 + 2 k2 + 2 k3 + k4) h/6; a factor of parameters common to all slopes is applied once."""
    parts = [scale(e) for e in k]
    if all(c is parts[0][1] for _, c in parts):
        k, step = [e for e, _ in parts], make(Op.MUL, parts[0][1], step)
    outer = make(Op.MUL, make(Op.ADD, k[0], k[3]), make(Op.DIV, step, const(6.0)))
    inner = make(Op.MUL, make(Op.ADD, k[1], k[2]), make(Op.DIV, step, const(3.0)))
    return make(Op.ADD, x, make(Op.ADD, outer, inner))


METHOD_STEPS = {"exact": exact, "euler": euler, "exponential_euler": exponential_euler, "rk4": rk4}
