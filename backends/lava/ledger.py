"""What Lava cannot run of that which a chip can: one row each, with the reason that a user reads.

What no chip can is said by ``snnsim.deploy.limits``. docs/design/lava.md lists these rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from snnsim.deploy.from_plan import model_of
from snnsim.deploy.limits import place, refused as refused_by_chips
from snnsim.equations import Model
from snnsim.errors import Problem
from snnsim.models import builtin, builtin_names
from snnsim.plan import Plan

SEMANTICS = "lava010"
Found = Iterator[tuple[str, str]]


class Entry(NamedTuple):
    """A row: `found` gives the place of each thing that is concerned, and what to add to the reason."""

    reason: str
    found: Callable[[Plan], Found]


def refused(plan: Plan) -> list[Problem]:
    """Everything in a plan that Lava cannot run, each with its place."""
    own = [Problem(at, entry.reason + more) for entry in LEDGER.values() for at, more in entry.found(plan)]
    return [*refused_by_chips(plan), *own]


def runnable() -> list[str]:
    """The models that Lava has a process for."""
    return [name for name in builtin_names() if builtin(name).fixed_point == SEMANTICS]


# --- one row each ----------------------------------------------------------------------------------------------------

def _another_chip(plan: Plan) -> Found:
    for at, model in _models(plan):
        if model.fixed_point != SEMANTICS:
            yield at, f"{model.name} computes as {model.fixed_point}"


def _without_process(plan: Plan) -> Found:
    for at, model in _models(plan):
        if model.fixed_point == SEMANTICS and not _is_built_in(model):
            yield at, f"{', '.join(runnable())}; {model.name} has equations of its own"


def _tags(plan: Plan) -> Found:
    for projection in plan.projections:
        for name in projection.learning.tags if projection.learning else ():
            yield f"{place(projection)}.synapse.init", name


def _outputs(plan: Plan) -> Found:
    for trace in plan.traces:
        population = plan.populations[trace.population]
        if trace.variable not in population.program.states:
            yield f"record.traces.{population.name}", trace.variable


LEDGER = {
    "another arithmetic": Entry(f"Lava computes as {SEMANTICS}, and ", _another_chip),
    "models of one's own": Entry("Lava has processes for the built-in models ", _without_process),
    "tags at the beginning": Entry("Lava's learning synapses begin with tags of 0, found values for ", _tags),
    "traces of outputs": Entry("Lava shows the states of a population, and this is none of them: ", _outputs),
}


def _models(plan: Plan) -> Iterator[tuple[str, Model]]:
    """Place and model of each population that is computed in whole numbers."""
    return ((f"populations.{p.name}.model", model_of(p)) for p in plan.populations if model_of(p).whole)


def _is_built_in(model: Model) -> bool:
    """Whether it is a built-in model, and not another with its name."""
    return model.name in runnable() and model.document == builtin(model.name).document
