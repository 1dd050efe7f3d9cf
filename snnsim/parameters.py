"""The numbers of a population: parameters and initial states, drawn where they are distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnsim import graph
from snnsim.distributions import Value
from snnsim.distributions.expression import Expression
from snnsim.errors import Problems
from snnsim.network import Network
from snnsim.random import Stream


def values_of(net: Network, population: graph.Population) -> dict[str, Any]:
    """Parameters as numbers or arrays [n]; those given by expressions read the others."""
    values: dict[str, Any] = {name: p.default for name, p in population.model.parameters.items()}
    given = population.params.items()
    for expressions in (False, True):
        known = values | {"dt": net.dt}
        values |= {name: drawn(net, population, value, f"params/{name}", known) for name, value in given
                   if isinstance(value, Expression) is expressions}
    return values


def initial_of(
    net: Network, population: graph.Population, values: dict[str, Any], offsets: dict[str, Any],
) -> dict[str, Any]:
    """What the states begin with. offsets: taken from states that count from them."""
    model = population.model
    states: dict[str, Any] = dict.fromkeys(model.states, 0)
    states.update(model.initial(values, net.dt))
    known = values | {"dt": net.dt}
    states.update({name: drawn(net, population, value, f"init/{name}", known)
                   for name, value in population.init.items()})
    if model.whole:
        return {name: np.rint(value) for name, value in states.items()}
    return states | {name: states[name] - offset for name, offset in offsets.items()}


def drawn(
    net: Network, population: graph.Population, value: Value, part: str, known: dict[str, Any] | None = None,
) -> Any:
    """A number, or one for each unit, [n], from the stream of this part of the population."""
    if value.constant is not None:
        return value.constant
    problems, found = Problems(), None
    with problems.at(*part.split("/")):
        value = value.given(known or {}, population.n)
        found = value.draw(Stream(net.seed, f"populations.{population.name}/{part}"), (0, population.n))
    problems.check()
    return found
