"""What a neuron is, by the structure of its equations: a potential that leaks, what feeds it, a threshold, a reset.

One step of the model is taken as a tree for each state, and each tree apart into ``coefficient * what it reads``. So it
does not matter whether a document writes a differential equation (solved exactly or by a method) or the step itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from snnsim.equations.emit import Emitter
from snnsim.equations.expr import ZERO, Expr, make, postorder, state, substitute
from snnsim.equations.host import Table, Values, plain
from snnsim.equations.linear import NotLinearError, Terms, collect
from snnsim.equations.propagators import Propagator, Propagators
from snnsim.equations.rules import Refractory, Rules, following
from snnsim.equations.step import step
from snnsim.equations.text import text
from snnsim.errors import InputError, Problem
from snnsim.ir import RANDOM, Builder, Op, Type, exact
from snnsim.ir.interpret import Environment, interpret

_MOVING = {Op.STATE, Op.DRIVE, Op.ARRIVAL, *RANDOM}
_LINEAR = "expected a sum of states, arrivals and currents with coefficients of parameters"
_COMPARED = "expected one state compared with a threshold of parameters, such as v >= v_th"


@dataclass(frozen=True)
class Row:
    """The value of a state after a step: coefficients of states before it, of arrivals, of continuous inputs, and 1."""

    states: Mapping[str, Expr]
    ports: Mapping[str, Expr]
    drives: Mapping[str, Expr]
    constant: Expr


@dataclass(frozen=True)
class Threshold:
    """A spike where slope * potential + offset is at least 0; strict: above 0."""

    slope: Expr
    offset: Expr
    strict: bool


@dataclass(frozen=True)
class Form:
    """A neuron that a chip's LIF may be able to be.

    rows: of the potential and of every state that it depends on. threshold, reset: None for one that never spikes;
    resets: the other states that a spike changes.
    """

    potential: str
    rows: Mapping[str, Row]
    threshold: Threshold | None
    reset: Expr | None
    resets: frozenset[str]
    refractory: Refractory | None


def read_form(rules: Rules) -> Form:
    """The form of a model; ``InputError`` with the rule that has no place on a chip."""
    threshold, potential = _threshold(rules)
    rows = _rows(rules, potential)
    if rules.method.spike_test:
        raise InputError(Problem("integrate", "expected one spike test in each step, found spike_test: substep"))
    reset = None if threshold is None else _reset(rules, potential)
    resets = frozenset(rules.reset) - {potential}
    return Form(potential, rows, threshold, reset, resets, rules.refractory if threshold else None)


# --- spike and reset -------------------------------------------------------------------------------------------------


def _settled(rules: Rules, expr: Expr) -> Expr:
    """`expr` where the new value of a map is the value of its state."""
    return substitute(expr, {following(name): state(name) for name in rules.maps})


def _threshold(rules: Rules) -> tuple[Threshold | None, str]:
    """The threshold, and the potential that it is for."""
    if rules.spike is None:
        return None, _last(rules)
    spike = _settled(rules, rules.spike)
    if spike.op not in (Op.LE, Op.LT):
        raise InputError(Problem("spike", f"{_COMPARED}, found {_shown(spike)}"))
    try:
        terms = collect(make(Op.SUB, spike.args[1], spike.args[0]), lambda e: e.hoistable, lambda e: e.op is Op.STATE)
    except NotLinearError as error:
        raise InputError(Problem("spike", f"{_COMPARED}, found {_shown(error.expr)}")) from error
    names = [atom.data for atom in terms if atom is not None]
    if len(names) != 1 or names[0] not in rules.states:
        raise InputError(Problem("spike", f"{_COMPARED}, found {listed(names) if names else 'no state'} in it"))
    return Threshold(terms[state(names[0])], terms.get(None, ZERO), spike.op is Op.LT), names[0]


def _shown(expr: Expr) -> str:
    arrives = any(e.op is Op.ARRIVAL for e in postorder([expr]))
    return "what arrives in the step" if arrives else text(expr)


def _last(rules: Rules) -> str:
    """The state that no other one reads: what a model without spikes shows."""
    read = {name for one, tree in _right_hand_sides(rules).items() for name in _states(tree) if name != one}
    last = [name for name in rules.states if name not in read]
    if len(last) != 1:
        raise InputError(Problem("dynamics", f"expected one state that no other one reads, found "
                                             f"{', '.join(last) or 'none'}"))
    return last[0]


def _reset(rules: Rules, potential: str) -> Expr:
    if potential not in rules.reset:
        raise InputError(Problem("reset", f"expected a value that a spike sets {potential} to, found none"))
    value = _settled(rules, rules.reset[potential])
    if not value.hoistable:
        expected = "expected a value of parameters alone, since a chip's neuron begins anew after a spike"
        raise InputError(Problem(f"reset.{potential}", f"{expected}, found {text(value)}"))
    return value


# --- dynamics --------------------------------------------------------------------------------------------------------


def _right_hand_sides(rules: Rules) -> dict[str, Expr]:
    return {**rules.derivatives, **rules.maps}


def _states(tree: Expr) -> set[str]:
    """The states that a tree reads, also by their value before or after the step."""
    return {name.removeprefix("previous ").removeprefix("next ") for name in tree.states}


def _rows(rules: Rules, potential: str) -> dict[str, Row]:
    method = replace(rules.method, spike_test=False)
    values = step(replace(rules, spike=None, reset={}, refractory=None, payload=None, method=method)).values
    rows: dict[str, Row] = {}
    waiting = [potential]
    while waiting:
        name = waiting.pop(0)
        if name not in rows:
            rows[name] = _row(rules, name, values[name])
            waiting += rows[name].states
    return rows


def _row(rules: Rules, name: str, value: Expr) -> Row:
    right = _right_hand_sides(rules).get(name)
    if right is not None:
        _taken_apart(name, right)   # as the model writes it: its text is what a message should show
    terms = _taken_apart(name, value)
    parts: dict[Op, dict[str, Expr]] = {Op.STATE: {}, Op.DRIVE: {}, Op.ARRIVAL: {}}
    for atom, factor in terms.items():
        if atom is not None:
            leaf = atom.args[0] if atom.op is Op.TO_REAL else atom
            parts[leaf.op][leaf.data] = factor
    return Row(parts[Op.STATE], parts[Op.ARRIVAL], parts[Op.DRIVE], terms.get(None, ZERO))


def _taken_apart(name: str, tree: Expr) -> Terms:
    try:
        return collect(tree, _still, _is_atom)
    except NotLinearError as error:
        raise InputError(Problem(f"dynamics.{name}", f"{_LINEAR}, found {text(_culprit(tree, error.expr))}")) from error


def _culprit(tree: Expr, found: Expr) -> Expr:
    """A product of two things that move says more than what is not linear in one of them."""
    products = (e for e in postorder([tree]) if e.op is Op.MUL and not any(map(_still, e.args)))
    return next(products, found)


def _still(expr: Expr) -> bool:
    return not any(e.op in _MOVING for e in postorder([expr]))


def _is_atom(e: Expr) -> bool:
    return e.op in (Op.STATE, Op.DRIVE) or (e.op is Op.TO_REAL and e.args[0].op is Op.ARRIVAL)


# --- numbers ---------------------------------------------------------------------------------------------------------


def evaluate(trees: Mapping[str, Expr], values: Values) -> Values:
    """Coefficients as numbers, or arrays [n] where a parameter is one; a weight quantum is 1.

    values: all parameters of the model and dt. Raises ``InputError`` where one is not finite.
    """
    emit = Emitter(Builder({}))
    for name, tree in trees.items():
        emit.builder(Op.OUTPUT, emit(tree), data=name)
    recipes = {name: made.recipe for name, made in emit.supplied.items()}
    params: Values = {name: 1.0 for name, recipe in recipes.items() if recipe is None}
    params |= Table(emit.hoisted).evaluate(values)
    params |= Propagators(r for r in recipes.values() if isinstance(r, Propagator)).evaluate(values)
    program = exact.lower(emit.builder.build(), np.float64)
    outputs = interpret(program, Environment(np.float64, params=params)).outputs
    return {name: plain(outputs[name]) for name in trees}


def counts_spikes(rules: Rules) -> bool:
    """Whether the model emits a number of spikes, not one or none."""
    return rules.spike is not None and rules.spike.type is not Type.BOOL


def listed(names: Iterable[str]) -> str:
    """``a, b and c``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
