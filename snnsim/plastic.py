"""What every backend that runs plastic projections shares: the order of their synapses, and what stops a run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snnsim.errors import RunError
from snnsim.plan import Plan, Projection
from snnsim.units import TIME, to_text


def canonical_order(table: Mapping[str, np.ndarray]) -> np.ndarray:
    """Places of synapses sorted by (source, target, delay, order of drawing); their rank here is their number."""
    return np.lexsort((table["delay"], table["target"], table["source"]))


def out_of_bounds(plan: Plan, projection: Projection, source: int, target: int, step: int, found: float) -> RunError:
    """The error for a synapse that would send a weight larger than its rule may give it."""
    rule = projection.plastic
    assert rule is not None
    place = f"projection {projection.label}: the synapse from unit {source} to unit {target}"
    when = f"in step {step} (t = {to_text(round(step * plan.dt, 9), TIME)})"
    unit = f" {rule.unit}" if rule.unit else ""
    return RunError(f"{place} left its bounds {when}: expected a weight of at most {rule.limit:g}{unit} in size, found "
                    f"{found:g}{unit}; let {rule.model} clip the weight, or give it wider `bounds`")
