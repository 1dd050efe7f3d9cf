"""What backends share that run plastic projections and couplings: the order of synapses, and what stops a run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snnsim.errors import NumericalError
from snnsim.plan import Plan, Projection
from snnsim.units import TIME, to_text


def canonical_order(table: Mapping[str, np.ndarray]) -> np.ndarray:
    """Places of synapses sorted by (source, target, delay, order of drawing); their rank here is their number."""
    return np.lexsort((table["delay"], table["target"], table["source"]))


def _when(plan: Plan, step: int) -> str:
    return f"in step {step} (t = {to_text(round(step * plan.dt, 9), TIME)})"


def out_of_bounds(
    plan: Plan, projection: Projection, source: int, target: int, step: int, found: float,
) -> NumericalError:
    """The error for a synapse that would send a weight larger than its rule may give it."""
    rule = projection.plastic
    assert rule is not None
    place = f"projection {projection.label}: the synapse from unit {source} to unit {target}"
    unit = f" {rule.unit}" if rule.unit else ""
    sizes = f"expected a weight of at most {rule.limit:g}{unit} in size, found {found:g}{unit}"
    advice = f"let {rule.model} clip the weight, or give it wider `bounds`"
    return NumericalError(f"{place} left its bounds {_when(plan, step)}: {sizes}; {advice}")


def check_adds(
    plan: Plan, projection: Projection, step: int, source: np.ndarray, target: np.ndarray, adds: np.ndarray
) -> None:
    """``NumericalError`` where any of the synapses [n] adds more than it may: names the first by source and target."""
    assert projection.coupling is not None
    adds = np.broadcast_to(adds, source.shape)
    wrong = np.flatnonzero(~(np.abs(adds) <= projection.coupling.limit))
    if wrong.size:
        k = wrong[np.lexsort((target[wrong], source[wrong]))[0]]
        raise diverged(plan, projection, int(source[k]), int(target[k]), step, float(adds[k]))


def diverged(plan: Plan, projection: Projection, source: int, target: int, step: int, found: float) -> NumericalError:
    """The error for a coupling that adds more than can come of a network that is stable."""
    place = f"projection {projection.label}: the coupling of unit {source} to unit {target}"
    return NumericalError(f"{place} became {found:g} {_when(plan, step)}; a smaller dt or weaker coupling may help")
