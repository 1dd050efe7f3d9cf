"""Continuous couplings: what ``coupling:`` of a projection says, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from snnsim.checked import checked, found
from snnsim.distributions import Value, value_from_spec
from snnsim.distributions.expression import Expression
from snnsim.distributions.spec import quantity
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.graph import Coupling, Population
from snnsim.schema import CouplingSpec, ProjectionSpec
from snnsim.synaptic import NAMES
from snnsim.units import Dimension, describe

if TYPE_CHECKING:
    from snnsim.equations.coupling import CouplingModel
    from snnsim.network import Network


def make_coupling(net: Network, spec: ProjectionSpec, source: Population, target: Population) -> Coupling:
    """The coupling that a projection's ``coupling:`` says; ``InputError`` with every fault."""
    for key in ("synapse", "delay", "port"):
        if getattr(spec, key) is not None:
            raise InputError(f"a coupling acts with the values of the step before, on an input: it has no {key}")
    raw = {"model": spec.coupling} if isinstance(spec.coupling, str) else spec.coupling
    if not isinstance(raw, Mapping):
        raise InputError(f"expected the name of a coupling, or a mapping such as {{model: diffusive, variable: x}}, "
                         f"found {found(raw)}")
    problems = Problems()
    given = checked(CouplingSpec, dict(raw), problems)
    problems.check()
    assert given is not None
    return _Reader(net, given, source, target).read()


class _Reader:
    """Reads what a coupling is given."""

    def __init__(self, net: Network, spec: CouplingSpec, source: Population, target: Population) -> None:
        self.net, self.spec, self.source, self.target, self.problems = net, spec, source, target, Problems()

    def read(self) -> Coupling:
        variable, dimension = self._variable()
        model = drive = None
        with self.problems.at("model"):
            model = self.net.library.coupling(self.spec.model, dimension)
        with self.problems.at("input"):
            drive = self._drive()
        self.problems.check()
        if model is None or drive is None:
            raise InputError([])   # the faults of the model are noted where it is defined
        params = self._params(model)
        self.problems.check()
        return Coupling(model, params, variable, drive, self.spec.input)

    def _variable(self) -> tuple[str, Dimension]:
        """The variable that both sides have, and its dimension."""
        name, known = self.spec.variable, self.spec.variable is not None
        if not known:
            # The document of a coupling is right for some dimension; which one it is does not change its variable.
            with self.problems.at("model"):
                name, known = self.net.library.variable(self.spec.model), True
            self.problems.check()
        if not known:
            raise InputError([])   # the faults of the model are noted where it is defined
        if name is None:
            raise InputError(f"missing key 'variable': the variable of both sides that {self.spec.model} couples, such "
                             "as v")
        dimensions = []
        for population in (self.source, self.target):
            mine = population.model.states.items()
            states = {key: state.dimension for key, state in mine if state.kind.name == "REAL"}
            if name not in states:
                raise InputError(Problem("variable", unknown(f"state of {population.model.name}", name, states)))
            dimensions.append(states[name])
        if dimensions[0] != dimensions[1]:
            raise InputError(Problem("variable", f"expected one dimension on both sides, found "
                                                 f"{describe(dimensions[0])} and {describe(dimensions[1])}"))
        return name, dimensions[0]

    def _drive(self) -> str:
        drives = self.target.model.drives
        if not drives:
            raise InputError(f"{self.target.model.name} has no continuous input that a coupling could add to")
        if self.spec.input is not None and self.spec.input not in drives:
            raise InputError(unknown(f"input of {self.target.model.name}", self.spec.input, drives))
        return self.spec.input or next(iter(drives))

    def _params(self, model: CouplingModel) -> dict[str, float]:
        made = {}
        for key, text in self.spec.params.items():
            with self.problems.at("params", key):
                if key not in model.parameters:
                    raise InputError(unknown(f"parameter of {model.name}", key, model.parameters))
                made[key] = quantity(text, model.parameters[key].dimension, self.net.dt)
                model.parameters[key].check(made[key])
        return made


def coupled_weight(net: Network, coupling: Coupling, target: Population, text: Any) -> Value:
    """The weight of a coupling, in the unit that makes the target's input of what is added."""
    dimension = coupling.model.weight(target.model.drives[coupling.drive])
    if text is None:
        raise InputError(f"missing key 'weight': {describe(dimension)} for the coupling {coupling.model.name}")
    problems, weight = Problems(), None
    with problems.at("weight"):
        weight = value_from_spec(text, dimension, net.base_dir, net.dt, NAMES)
        if isinstance(weight, Expression) and weight.dimension != dimension:
            raise InputError(f"expected {describe(dimension)}, found {describe(weight.dimension)}")
    problems.check()
    assert weight is not None
    return weight
