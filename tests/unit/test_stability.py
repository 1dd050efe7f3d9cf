"""Which steps an explicit method is refused for: exactly those with which a decaying variable grows."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from snnsim.equations import Model, model_from_document
from snnsim.errors import InputError
from snnsim.ir import Op
from snnsim.ir.interpret import Environment, interpret

DECAY: dict[str, Any] = {"parameters": {"tau": "1 ms"}, "dynamics": "dv/dt = -v/tau : mV"}
# With rk4 what is linear by itself is exact, so the variable is made to read one that is not.
PULLED: dict[str, Any] = DECAY | {"dynamics": "dv/dt = x*x/tau/mV - v/tau : mV\ndx/dt = -x*abs(x)/tau/mV : mV"}


def growth(model: Model, step: float) -> float:
    """|v| after 200 steps from 1, without a check of the step."""
    params = model._compile(None).bind(model._complete({}, step))
    states: dict[str, Any] = {name: float(name == "v") for name in model.states}
    for _ in range(200):
        states = interpret(model.program(), Environment(np.float64, params, states)).stored
    return abs(float(states["v"]))


@pytest.mark.parametrize(("document", "limit"), [
    (DECAY | {"integrate": "euler"}, 2.0), (DECAY | {"integrate": {"euler": 3}}, 6.0),
    (PULLED | {"integrate": "rk4"}, 2.7852935), (PULLED | {"integrate": {"rk4": 2}}, 5.570587),
])
@pytest.mark.parametrize("share", [0.99, 1.01])
def test_the_limit_is_where_a_decaying_variable_begins_to_grow(document: Any, limit: float, share: float) -> None:
    """Just below the limit of dt/tau a step is accepted and v decays; just above, it is refused and v would grow."""
    model = model_from_document("x", document)
    with pytest.raises(InputError) if share > 1 else nullcontext():
        model.bind({}, share * limit)
    assert (growth(model, share * limit) > 1) == (share > 1)


@pytest.mark.parametrize("change", [
    {}, {"integrate": "exact"}, {"integrate": "exponential_euler"}, {"integrate": "rk4"},
    {"dynamics": "dv/dt = v/tau : mV", "integrate": "euler"},
    {"dynamics": "dv/dt = (2*mV - v)*v/tau/mV : mV", "integrate": "euler"},
    {"dynamics": "dv/dt = -min(v, 1*mV)/tau : mV", "integrate": "euler"},
    {"dynamics": "v[n+1] = -3*v : mV"},
])
def test_what_is_exact_or_not_decided_by_parameters_is_not_refused(change: dict[str, Any]) -> None:
    """Exact solutions have no limit; growth that the equations ask for and what is not linear is left to the run."""
    model = model_from_document("x", DECAY | change)
    assert model.bind({}, 50.0).keys() >= set(model.program().uses(Op.PARAM))


def test_no_units_no_fault() -> None:
    """A parameter for a population of no units holds nothing that could be too fast."""
    model = model_from_document("x", DECAY | {"integrate": "euler"})
    assert model.bind({"tau": np.array([])}, 50.0).keys() == {"-(1/tau)*dt"}
