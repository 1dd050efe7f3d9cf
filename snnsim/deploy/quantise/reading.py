"""A float network read for a chip: which populations become LIF neurons, and everything that has no place there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from snnsim import graph, plan
from snnsim.deploy.from_plan import SOURCES
from snnsim.deploy.quantise.model import Form, counts_spikes, read_form
from snnsim.deploy.quantise.neuron import Neuron, make_neuron
from snnsim.deploy.quantise.options import Options
from snnsim.equations.behaviour import read_rules
from snnsim.equations.host import parameters_of
from snnsim.errors import InputError, Problem, Problems
from snnsim.feeds import port_of
from snnsim.lowering import make_plan
from snnsim.network import Network
from snnsim.units import TIME, to_text

LEARNING = "loihi_learning"
MOST_REFRACTORY = 63   # steps, on Loihi 1
_LIKE = "lif_psc_exp, lif_psc_delta and models like them can be quantised"


@dataclass(frozen=True)
class Measured:
    """What a run of the float network has shown of a population: the largest |V| and |U|, in the unit of its
    potential."""

    potential: float
    current: float


@dataclass
class Reading:
    """neurons: population -> its recurrence, for those that become LIF neurons; the others stay as they are.

    forms: the same, before numbers were put in. dropped: population -> the refractory time that is left out, ms. rates:
    population -> spikes in a ms of a unit, and measured: what its potential did, as far as a run has shown it.
    """

    net: Network
    plan: plan.Plan
    options: Options
    problems: Problems = field(default_factory=Problems)
    neurons: dict[str, Neuron] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)
    dropped: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)

    def incoming(self, name: str) -> Iterator[graph.Projection]:
        """The projections onto a population."""
        return (p for p in self.net.projections if p.target.name == name)

    def links(self, name: str) -> Iterator[tuple[graph.Poisson | graph.SpikeTimes, graph.Link]]:
        """The spiking inputs of a population."""
        return ((one, link) for one in self.net.inputs.values() if isinstance(one, (graph.Poisson, graph.SpikeTimes))
                for link in one.links if link.target.name == name)

    def late(self, name: str) -> int:
        """By how many steps arrivals act later than on the chip."""
        return self.neurons[name].late if name in self.neurons else 0


def is_source(population: graph.Population) -> bool:
    """Whether the host makes its spikes."""
    return population.model.name in SOURCES


def read_network(net: Network, options: Options) -> Reading:
    """What a network is for a chip; ``problems`` holds what it cannot be."""
    reading = Reading(net, make_plan(net), options)
    for population, planned in zip(net.populations.values(), reading.plan.populations, strict=True):
        with reading.problems.at("populations", population.name):
            _Population(reading, population, planned).read()
    for each in net.inputs.values():
        with reading.problems.at("inputs", each.name):
            _check_input(reading, each)
    for projection in net.projections:
        with reading.problems.at("projections", projection.entry):
            _check_projection(reading, projection)
    return reading


class _Population:
    """Reads one population."""

    def __init__(self, reading: Reading, population: graph.Population, planned: plan.Population) -> None:
        self.reading, self.it, self.plan, self.options = reading, population, planned, reading.options
        self.dt = reading.net.dt

    def read(self) -> None:
        model = self.it.model
        if model.whole:
            self._check_semantics()
        elif not is_source(self.it):
            form = self._of_model(self._form)
            neuron = self._of_model(lambda: self._neuron(form))
            self.reading.forms[self.it.name], self.reading.neurons[self.it.name] = form, neuron
            self._check_refractory(form, neuron)

    def _check_semantics(self) -> None:
        found, wanted = self.it.model.fixed_point, self.options.semantics
        if found != wanted:
            text = f"expected a model in whole numbers of {wanted}, found {self.it.model.name} of {found}"
            raise InputError(Problem("model", f"{text}; semantics={found!r} takes it"))

    def _form(self) -> Form:
        rules = read_rules(self.it.model.document)
        if counts_spikes(rules):
            raise InputError(Problem("spike", "expected a condition, found a number of spikes"))
        return read_form(rules)

    def _neuron(self, form: Form) -> Neuron:
        values = {**self.plan.values, "dt": self.dt}
        return make_neuron(form, values, self._initial(), self._drives(), self._used())

    def _of_model(self, read: Callable[[], Any]) -> Any:
        """What `read` gives; its faults are those of the model."""
        try:
            return read()
        except InputError as error:
            raise InputError([self._no_lif(str(problem)) for problem in error.problems]) from error

    def _no_lif(self, why: str) -> Problem:
        return Problem("model", f"{self.it.model.name} is no LIF neuron of a chip: {why}; {_LIKE}")

    def _initial(self) -> dict[str, Any]:
        return {name: self.plan.value(name, np.asarray(value, float)) for name, value in self.plan.initial.items()}

    def _drives(self) -> dict[str, Any]:
        """Constant currents; those that change are noted as faults of the inputs."""
        tables = {name: table.values[-1] for name, table in self.plan.drives.items()}
        return {name: float(row[0]) if row.size == 1 else row for name, row in tables.items()}

    def _used(self) -> set[str]:
        used = {port for p in self.reading.incoming(self.it.name) for port in p.ports if port}
        return used | {port_of(link) for _, link in self.reading.links(self.it.name)}

    def _check_refractory(self, form: Form, neuron: Neuron) -> None:
        steps = float(np.max(neuron.refractory))
        if form.refractory is None or steps <= 0:
            return
        time = round(steps * self.dt, 9)
        if self.options.refractory == "drop":
            self.reading.dropped[self.it.name] = time
            self.reading.neurons[self.it.name] = replace(neuron, refractory=0.0)
            return
        if self.options.semantics != "lava010" and form.refractory.held != (form.potential,):
            held = f"hold: {', '.join(form.refractory.held)}" if form.refractory.held else "mute: true"
            raise InputError(self._no_lif(f"refractory: expected hold: {form.potential}, found {held}"))
        place = f"params.{(parameters_of(form.refractory.steps.args[0]) or ['t_ref'])[0]}"
        problem = _refractory(self.options.semantics, steps, time, self.dt)
        if problem:
            raise InputError(Problem(place, problem))


def _refractory(semantics: str, steps: float, time: float, dt: float) -> str:
    """What is wrong with a refractory time; empty where nothing is."""
    if semantics == "lava010":
        return (f"expected 0 ms, since Lava's fixed-point LIF has no refractory time, found {to_text(time, TIME)}; "
                "refractory='drop' leaves it out, semantics='loihi1' keeps it")
    most = to_text(round(MOST_REFRACTORY * dt, 9), TIME)
    fine = steps <= MOST_REFRACTORY
    return "" if fine else f"expected at most {most} ({MOST_REFRACTORY} steps), found {to_text(time, TIME)}"


def _check_input(reading: Reading, each: graph.Input) -> None:
    if isinstance(each, graph.Noise):
        text = "expected a constant current or spikes, found noise, which a chip's LIF does not draw"
        raise InputError(Problem("type", f"{text}; a poisson input stands for it"))
    if isinstance(each, graph.Current) and (len(each.times) != 1 or each.times[0] > 0):
        text = "expected a constant current from 0 ms on, since a bias does not change during a run"
        last = to_text(float(each.times[-1]), TIME)
        raise InputError(Problem("times", f"{text}, found one that changes until {last}; spikes of a spike_times input "
                                          "can do it"))


def _check_projection(reading: Reading, p: graph.Projection) -> None:
    if p.coupling is not None:
        text = "expected spikes, which are all that a chip sends"
        raise InputError(Problem("coupling", f"{text}, found {p.coupling.model.name}"))
    if p.synapse is not None and p.synapse.model.name != LEARNING:
        text = f"expected weights that stay as they are, or {LEARNING}"
        raise InputError(Problem("synapse", f"{text}, found {p.synapse.model.name}"))
    if is_source(p.target) and not is_source(p.source):
        text = f"expected neurons of the chip, found {p.target.name}, whose spikes the host makes"
        raise InputError(Problem("to", f"{text} ({p.target.model.name})"))


