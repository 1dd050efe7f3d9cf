"""What of a network a chip of this kind cannot do at all, each with its place: one row per reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from snnsim.deploy.from_plan import SOURCES, model_of
from snnsim.errors import Problem
from snnsim.ir.ranges import least_payload
from snnsim.plan import Plan, Population, Projection

MOST_DELAY = 63   # steps from a spike to its arrival: 6 bits, and the step that every synapse takes
QUANTISE = "`snnsim deploy` or sn.quantize makes whole numbers of it"


def refused(plan: Plan) -> list[Problem]:
    """Everything in a plan that no Loihi runs."""
    problems = [Problem(f"populations.{p.name}.model", text) for p in plan.populations for text in _model(p)]
    problems += [Problem(place(p), text) for p in plan.projections for rule in _PROJECTION for text in rule(plan, p)]
    return [*problems, *_semantics(plan)]


def place(projection: Projection) -> str:
    """Where a projection stands, for messages."""
    return f"projections.{projection.label}"


def _model(population: Population) -> Iterator[str]:
    model = model_of(population)
    if not model.whole and model.name not in SOURCES:
        yield f"{model.name} computes in real numbers, expected a fixed-point model such as loihi_lif; {QUANTISE}"


def _target(plan: Plan, projection: Projection) -> Iterator[str]:
    target = model_of(plan.populations[projection.target])
    if target.name in SOURCES:
        yield f"its target is a {target.name}, which the host plays; expected one on the chip"


def _delay(plan: Plan, projection: Projection) -> Iterator[str]:
    low, high = projection.delays
    if low < 1 or high > MOST_DELAY:
        yield f"expected delays from 1 to {MOST_DELAY} steps, found {low} to {high}"


def _shifted_delays(plan: Plan, projection: Projection) -> Iterator[str]:
    if projection.fixed is not None and projection.fixed.shifts_sums and projection.delays[0] != projection.delays[1]:
        yield ("Lava shifts the sum of each delay by itself where weight_exp is below 0; give each delay a projection "
               "of its own, or a weight_exp of at least 0")


def _negative_messages(plan: Plan, projection: Projection) -> Iterator[str]:
    source = plan.populations[projection.source]
    if projection.fixed is None or projection.payloads or not source.graded:
        return
    if least_payload(source.program, source.params) < 0:
        yield (f"{model_of(source).name} sends negative messages, and with num_message_bits: 0 each counts as +1; "
               "expected num_message_bits from 1 to 24")


def _plastic(plan: Plan, projection: Projection) -> Iterator[str]:
    if projection.plastic is not None:
        yield f"{projection.plastic.model}: plasticity on a chip is a sum of products: synapse: loihi_learning"
    if projection.coupling is not None:
        yield f"{projection.coupling.model}: a chip has no continuous couplings"


_PROJECTION: tuple[Callable[[Plan, Projection], Iterator[str]], ...] = (
    _target, _delay, _shifted_delays, _negative_messages, _plastic)


def _semantics(plan: Plan) -> Iterator[Problem]:
    found = {p.fixed.semantics: p for p in plan.projections if p.fixed is not None}
    if len(found) > 1:
        text = "its target follows Loihi 1 and others follow Lava 0.10; expected one of them"
        yield Problem(place(found["loihi1"]), text)
