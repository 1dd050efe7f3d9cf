"""What Brian2 cannot express, or not in the same way: one row each, with the reason that a user reads.

The conformance suite skips a case with exactly these reasons, and docs/design/brian2.md lists them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from snnsim.backends.brian2.inputs import own_draws
from snnsim.backends.brian2.rules import rule_text
from snnsim.equations import Model
from snnsim.equations.behaviour import read_rules
from snnsim.equations.coupling import CouplingModel
from snnsim.equations.expr import Expr, state
from snnsim.equations.host import Table
from snnsim.equations.linear import NotLinearError, Terms, in_one, in_states
from snnsim.equations.lines import assignment, logical_lines
from snnsim.equations.rules import Rules
from snnsim.equations.synapse import SynapseModel
from snnsim.equations.synapse_read import EVENTS
from snnsim.errors import Problem
from snnsim.ir import Op
from snnsim.plan import Plan, Population

# Rates that are nearer to each other than this, relative to their size, cost more digits than comparisons can spare.
_NEAR = 1e-6


_REAL = "Brian2 computes in real numbers, and this model in whole ones"


class Case(NamedTuple):
    """A population with its model taken apart."""

    population: Population
    model: Model
    rules: Rules
    dt: float


class Entry(NamedTuple):
    """A row: `found` gives what to add to the reason, once for each place where a model is concerned."""

    reason: str
    found: Callable[[Case], Iterator[str]]


def refused(plan: Plan) -> list[Problem]:
    """Everything in a plan that stands in the ledger, each with its place."""
    problems = [Problem(f"projections.{p.label}.{kind}", f"{rule.model}: {NAMES}{name}") for p in plan.projections
                for kind, rule in (("synapse", p.plastic), ("coupling", p.coupling)) if rule is not None
                for name in _wrong(_names_of(rule.equations))]
    problems += [Problem(f"projections.{p.label}.synapse", f"{p.learning.model}: {_REAL}") for p in plan.projections
                 if p.learning is not None]
    for population in plan.populations:
        assert population.model is not None
        case = Case(population, population.model, read_rules(population.model.document), plan.dt)
        problems += [Problem(f"populations.{population.name}.model", f"{case.model.name}: {entry.reason}{more}")
                     for entry in LEDGER.values() for more in entry.found(case)]
    return problems


# --- one row each ----------------------------------------------------------------------------------------------------

def _whole(case: Case) -> Iterator[str]:
    if case.model.whole:
        yield ""


def _substep_tests(case: Case) -> Iterator[str]:
    if case.rules.method.spike_test:
        yield ""


def _exponential_substeps(case: Case) -> Iterator[str]:
    if case.rules.method.name == "exponential_euler" and case.rules.method.substeps > 1:
        yield ""


def _not_conditionally_linear(case: Case) -> Iterator[str]:
    if case.rules.method.name == "exponential_euler":
        for name, right in case.rules.derivatives.items():
            try:
                in_one(right, state(name))
            except NotLinearError:
                yield name


def _no_steady_state(case: Case) -> Iterator[str]:
    if (system := _exact(case)) and np.any(np.linalg.matrix_rank(_matrix(case, system)) < len(system)):
        yield ""


def _equal_rates(case: Case) -> Iterator[str]:
    if not (system := _exact(case)):
        return
    matrix, names = _matrix(case, system), list(system)
    for a, first in enumerate(names):
        for b, second in enumerate(names):
            differ = system[first].get(state(first)) is not system[second].get(state(second))
            if differ and second in _reached(system, first) and _near(matrix[..., a, a], matrix[..., b, b]):
                yield f"{first} and {second}"


def _several_draws(case: Case) -> Iterator[str]:
    kinds = Counter(op for op, _ in own_draws(case.population))
    yield from (f"{op.name.lower()}()" for op, count in kinds.items() if count > 1)


def _names(case: Case) -> Iterator[str]:
    yield from _wrong([*case.model.parameters, *case.model.states, *case.model.drives, *case.model.ports])


def _wrong(names: Iterable[str]) -> Iterator[str]:
    yield from (name for name in names if not name.isascii() or name.startswith("_"))


def _names_of(model: SynapseModel | CouplingModel | None) -> list[str]:
    """Names of parameters, and those that the rules of a synapse change or make."""
    assert model is not None
    if isinstance(model, CouplingModel):
        return list(model.parameters)
    changed = (assignment(text).name for event in EVENTS for _, text in logical_lines(rule_text(model, event)))
    return list(dict.fromkeys([*model.parameters, *(trace.name for trace in model.traces), *model.states, *changed]))


NAMES = "Brian2 takes names of ASCII letters, digits and _ that do not begin with _, and this is another: "
LEDGER = {
    "models in whole numbers": Entry(f"{_REAL} (fixed_point)", _whole),
    "spike tests in sub-steps": Entry(
        "brian2 tests for a spike once per step, and this model asks for a test in every sub-step (spike_test)",
        _substep_tests),
    "exponential Euler in sub-steps": Entry("Brian2's exponential Euler has no sub-steps", _exponential_substeps),
    "exponential Euler of what is not linear in itself": Entry(
        "Brian2's exponential Euler needs equations that are linear in their own variable, and this is not: ",
        _not_conditionally_linear),
    "exact integration without a steady state": Entry(
        "Brian2's exact integration starts from the steady state, and these equations have none", _no_steady_state),
    "exact integration with equal rates": Entry(
        "Brian2's exact integration divides by the difference of two rates that are equal here (another time constant, "
        "by 0.1 %, helps): ", _equal_rates),
    "several draws of one kind": Entry(
        "snnsim hands its random numbers over to brian2, one of a kind for each unit and step; this model draws more: ",
        _several_draws),
    "names that Brian2 does not take": Entry(NAMES, _names),
}


# --- the linear system -----------------------------------------------------------------------------------------------

def _exact(case: Case) -> dict[str, Terms]:
    """The terms of every equation that is integrated exactly."""
    if case.rules.method.name != "exact":
        return {}
    return {name: in_states(right) for name, right in case.rules.derivatives.items()}


def _matrix(case: Case, system: dict[str, Terms]) -> np.ndarray:
    """Its matrix, [n, n] or [units, n, n] where parameters differ between units."""
    entries: dict[str, Expr] = {f"{a} {b}": terms[state(b)] for a, terms in system.items() for b in system
                                if state(b) in terms}
    values = Table(entries).evaluate(case.population.values | {"dt": case.dt})
    return np.moveaxis(np.array(np.broadcast_arrays(*(
        values.get(f"{a} {b}", 0.0) for a in system for b in system))), 0, -1).reshape(-1, len(system), len(system))


def _reached(system: dict[str, Terms], name: str) -> set[str]:
    """The other variables that `name` depends on."""
    found, new = set[str](), {name}
    while new:
        new = {atom.data for one in new for atom in system[one] if atom is not None and atom.op is Op.STATE
               and atom.data in system} - found
        found |= new
    return found - {name}


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.any(np.abs(a - b) <= _NEAR * np.maximum(np.abs(a), np.abs(b))))
