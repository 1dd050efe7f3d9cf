"""What Lava cannot run, or snnsim does not give to it: one row each, with the reason that a user reads.

docs/design/lava.md lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from snnsim.equations import Model
from snnsim.errors import Problem
from snnsim.models import builtin, builtin_names
from snnsim.plan import Plan, Population, Projection

SEMANTICS, LEARNING = "lava010", "loihi_learning"
# Models whose spikes do not depend on anything that is computed: they are drawn or listed here and sent to Lava.
HOST = frozenset({"poisson", "relay", "spike_times"})
# Lava adds a step to the delays of a connection, and has 6 bits for them.
LONGEST = 63


class Entry(NamedTuple):
    """A row: `found` gives the place of each thing that is concerned, and what to add to the reason."""

    reason: str
    found: Callable[[Plan], Iterator[tuple[str, str]]]


def refused(plan: Plan) -> list[Problem]:
    """Everything in a plan that stands in the ledger, each with its place."""
    return [Problem(place, entry.reason + more) for entry in LEDGER.values() for place, more in entry.found(plan)]


def runnable() -> list[str]:
    """The models that Lava has a process for."""
    return [name for name in builtin_names() if builtin(name).fixed_point == SEMANTICS]


# --- one row each ----------------------------------------------------------------------------------------------------

def _floating(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, model in _models(plan):
        if not model.whole and not _by_host(model):
            yield place, model.name


def _another_chip(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, model in _models(plan):
        if model.whole and model.fixed_point != SEMANTICS:
            yield place, f"{model.fixed_point} ({model.name})"


def _without_process(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, model in _models(plan):
        if model.fixed_point == SEMANTICS and not _as_built_in(model, runnable()):
            yield place, f"{', '.join(runnable())}; found {model.name} with equations of its own"


def _onto_host(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, projection in _projections(plan):
        if _by_host(_model(plan.populations[projection.target])):
            yield f"{place}.to", plan.populations[projection.target].name


def _couplings(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, projection in _projections(plan):
        if projection.coupling is not None:
            yield f"{place}.coupling", projection.coupling.model


def _plasticity(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, projection in _projections(plan):
        if projection.plastic is not None and projection.plastic.model != LEARNING:
            yield f"{place}.synapse", projection.plastic.model


def _learning_late(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, projection in _projections(plan):
        if projection.plastic is not None and projection.delays[1] > 1:
            yield f"{place}.delay", f"{projection.delays[1]} steps"


def _instant(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, projection in _projections(plan):
        if projection.delays[0] < 1 and projection.coupling is None:
            yield f"{place}.delay", ""


def _late(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, projection in _projections(plan):
        if projection.delays[1] > LONGEST:
            yield f"{place}.delay", f"{projection.delays[1]}"


def _outputs(plan: Plan) -> Iterator[tuple[str, str]]:
    for trace in plan.traces:
        population = plan.populations[trace.population]
        if trace.variable not in population.program.states:
            yield f"record.traces.{population.name}", trace.variable


def _recorded_weights(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.weights:
        yield "record.weights", ""


LEDGER = {
    "models in floating point": Entry(
        "Lava runs models in whole numbers (sn.quantize(net, target=\"loihi2\") makes a network of them), found ",
        _floating),
    "arithmetic of another chip": Entry(f"Lava computes as {SEMANTICS}, and this model as ", _another_chip),
    "models of one's own": Entry("Lava has processes for the built-in models ", _without_process),
    "spikes sent back to what the host sends": Entry(
        "Lava cannot act on a population whose spikes are made before it runs: ", _onto_host),
    "couplings": Entry("Lava has no continuous couplings, found ", _couplings),
    "plasticity of other rules": Entry(f"Lava's synapses learn by {LEARNING}, found ", _plasticity),
    "learning with delays": Entry("Lava's learning synapses have a delay of 1 step, found ", _learning_late),
    "no delay": Entry("a synapse of Lava has a delay of at least 1 step, found 0", _instant),
    "long delays": Entry(f"a synapse of Lava has a delay of at most {LONGEST} steps, found ", _late),
    "traces of outputs": Entry("Lava shows the states of a population, and this is none of them: ", _outputs),
    "weights over time": Entry("Lava's weights can be read at the end of a run only (program.weights)",
                               _recorded_weights),
}


def _model(population: Population) -> Model:
    assert population.model is not None
    return population.model


def _models(plan: Plan) -> Iterator[tuple[str, Model]]:
    """Place and model of each population."""
    return ((f"populations.{p.name}.model", _model(p)) for p in plan.populations)


def _projections(plan: Plan) -> Iterator[tuple[str, Projection]]:
    """Place of each projection, and the projection."""
    return ((f"projections.{p.label}", p) for p in plan.projections)


def _by_host(model: Model) -> bool:
    return _as_built_in(model, HOST)


def _as_built_in(model: Model, names: list[str] | frozenset[str]) -> bool:
    """Whether it is one of those built-in models, and not another with its name."""
    return model.name in names and model.document == builtin(model.name).document
