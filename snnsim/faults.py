"""What ends a run: a state that is no number, a payload that no spike can carry."""

from __future__ import annotations

import numpy as np

from snnsim.engine import Chunk, Engine
from snnsim.errors import NumericalError
from snnsim.fixed_weights import MESSAGE_BITS
from snnsim.ir import Type
from snnsim.plan import Plan
from snnsim.units import TIME, to_text
from snnsim.world import ALONE, World

_MOST = (1 << 31) - 1   # what engines may put in place of a larger payload


def fault(plan: Plan, engine: Engine, chunk: Chunk, world: World = ALONE) -> NumericalError | None:
    """What is wrong after a chunk, in its last step or before; None where all is well."""
    wrong = world.first(_no_number(plan, engine) or _no_payload(plan, chunk))
    return None if wrong is None else NumericalError(wrong[-1])


def _no_number(plan: Plan, engine: Engine) -> tuple[int, int, int, int, str] | None:
    """The first state of this process that is NaN or infinite: 0, population, state, unit and what to say of it."""
    for k, population in enumerate(plan.populations):
        for number, (state, kind) in enumerate(population.program.states.items()):
            if kind is not Type.REAL:
                continue
            first, values = engine.own(k, state)
            if not np.isfinite(values).all():
                at = int(np.flatnonzero(~np.isfinite(values))[0])
                text = (f"population {population.name}, unit {first + at}, {state} became {values[at]} in "
                        f"{_when(plan, engine.done)}; a smaller dt or another `integrate:` may help")
                return 0, k, number, first + at, text
    return None


def _no_payload(plan: Plan, chunk: Chunk) -> tuple[int, int, int, str] | None:
    """The first payload of too many bits: 1, step, unit and what to say of it."""
    if chunk.payload is None:
        return None
    most = (1 << MESSAGE_BITS) - 1
    wrong = np.flatnonzero((chunk.payload < -most) | (chunk.payload > most))
    if not wrong.size:
        return None
    step, unit, payload = (int(values[wrong[0]]) for values in (chunk.step, chunk.unit, chunk.payload))
    it = next(p for p in plan.populations if p.first <= unit < p.first + p.n)
    found = payload if abs(payload) < _MOST else "more than 31 bits"
    text = (f"population {it.name}, unit {unit - it.first} sent {found} in {_when(plan, step)}, "
            f"expected {-most} to {most}: a payload has {MESSAGE_BITS} bits and a sign")
    return 1, step, unit, text


def _when(plan: Plan, step: int) -> str:
    return f"step {step} (t = {to_text(round(step * plan.dt, 9), TIME)})"
