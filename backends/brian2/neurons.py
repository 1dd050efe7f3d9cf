"""A population as a ``NeuronGroup``, and its place in the order of a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup
from brian2.stateupdaters import ExplicitStateUpdater

from snnsim.backends.brian2.document import Written, write
from snnsim.backends.brian2.language import namespace, own, quantity
from snnsim.equations import Model
from snnsim.equations.rules import Method
from snnsim.plan import Population

# The slots of a step, one after the other for each level of populations that act on each other without delay.
SLOTS = ("instant", "before", "groups", "jumps", "thresholds", "outputs", "resets")
_EULER = "x_{0} = {1} + ({2})*f({1}, t)"
_RK4 = """
k{0}a = ({2})*f({1}, t)
k{0}b = ({2})*f({1} + k{0}a/2, t)
k{0}c = ({2})*f({1} + k{0}b/2, t)
k{0}d = ({2})*f({1} + k{0}c, t)
x_{0} = {1} + (k{0}a + 2*k{0}b + 2*k{0}c + k{0}d)/6
"""


def slot(name: str, level: int) -> str:
    """The name of a slot in the schedule."""
    return f"{name}{level}"


def group(population: Population, number: int, clock: Clock, code: Any, sums: Sequence[str] = ()) -> NeuronGroup:
    """The neurons of a population; `code` is the class of compiled code, `sums` name what synapses sum up for them."""
    model = population.model
    assert model is not None
    arrays = [name for name, value in population.values.items() if np.ndim(value)]
    written = write(model, arrays)
    lines = [*written.equations, *(f"{name} : 1" for name in sums)]
    neurons = NeuronGroup(
        population.n, "\n".join(lines), method=state_updater(written.method), clock=clock,
        namespace=_constants(population, model), name=f"population_{number}", codeobj_class=code, **_spiking(written),
    )
    for name in arrays:
        set_variable(neurons, own(name), population.values[name])
    if written.hold:
        neurons.hold = written.hold
    _place(neurons, population.level)
    for when, lines in (("before", written.before), ("jumps", written.jumps), ("outputs", written.outputs)):
        if lines:
            neurons.run_regularly("\n".join(lines), clock=clock, when=slot(when, population.level),
                                  codeobj_class=code)
    return neurons


def _spiking(written: Written) -> dict[str, Any]:
    """Threshold, reset and refractoriness, where there are such."""
    found = {"threshold": written.threshold, "reset": "\n".join(written.reset)} if written.threshold else {}
    return found | ({"refractory": "hold"} if written.hold else {})


def _constants(population: Population, model: Model) -> dict[str, Any]:
    known = namespace()
    for name, value in population.values.items():
        if not np.ndim(value):
            known[own(name)] = quantity(float(value), model.parameters[name].dimension)
    for name, port in model.ports.items():
        known[f"{name}_quantum"] = quantity(float(population.params[f"quantum.{name}"]), port.dimension)
    return known


def _place(neurons: NeuronGroup, level: int) -> None:
    neurons.state_updater.when = slot("groups", level)
    for part in neurons.thresholder.values():
        part.when = slot("thresholds", level)
    for part in neurons.resetter.values():
        part.when = slot("resets", level)


def state_updater(method: Method) -> Any:
    """Brian2's own method of that name, or its description of several sub-steps of one."""
    if method.substeps == 1:
        return method.name
    text, form, size = "", _RK4 if method.name == "rk4" else _EULER + "\n", f"dt/{method.substeps}"
    for k in range(method.substeps):
        text += form.format("new" if k == method.substeps - 1 else k, f"x_{k - 1}" if k else "x", size)
    return ExplicitStateUpdater(text)


def set_variable(neurons: NeuronGroup, name: str, values: Any) -> None:
    """Overwrite a variable with numbers of the coherent system."""
    neurons.variables[name].get_value()[...] = values
