"""From a network to a plan: parameters bound, inputs woven into the update programs, weights given their quanta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from snnsim import graph, plan
from snnsim.errors import InputError, Problem, Problems
from snnsim.fixed_weights import MESSAGE_BITS
from snnsim.feeds import current_table, most_poisson, most_repeats, port_of, schedule, summed
from snnsim.ir import RANDOM, Builder, Instr, Op, Program, Type, check
from snnsim.ir.simplify import rewrite
from snnsim.lower_rules import coupled, make_coupling, make_plasticity, plastic_contribution
from snnsim.network import Network
from snnsim.quantum import Contribution, choose, constant, contribution
from snnsim.parameters import drawn, initial_of, values_of
from snnsim.random import POISSON_MOST, Stream
from snnsim.requests import TraceRequest, WeightRequest
from snnsim.size import refuse_network
from snnsim.synaptic import check_expressions
from snnsim.timing import check_range
from snnsim.units import unit_name
from snnsim.world import ALONE, World

_MOST_UNITS = (1 << 31) - 1
_MANY = 2.0**20
_LARGEST = float(np.finfo(np.float32).max)


def make_plan(net: Network, world: World = ALONE) -> plan.Plan:
    """The plan of a network, which is the same in all processes of a world.

    Raises ``InputError`` where parameters cannot hold (naming population and parameter), and, before anything is drawn,
    where the network is too large for memory.
    """
    problems = Problems()
    order = {p.name: k for k, p in enumerate(net.populations.values())}
    firsts = np.cumsum([0, *(p.n for p in net.populations.values())])
    if firsts[-1] > _MOST_UNITS:
        raise InputError(Problem("populations", f"expected at most {_MOST_UNITS} units in all, found {firsts[-1]}"))
    refuse_network(net, world)
    check_expressions(net.projections)
    populations = []
    for population, level in zip(net.populations.values(), _levels(net, order), strict=True):
        with problems.at("populations", population.name):
            maker = _Lowering(net, population)
            populations.append(maker.population(int(firsts[order[population.name]]), level))
    problems.check()
    projections = [_projection(net, p, order, populations) for p in net.projections]
    return plan.Plan(
        net.name, net.dt, net.seed, np.float64 if _double(net) else np.float32, populations, projections,
        [_trace(t, order) for t in net.recording.traces],
        {order[name]: ids for name, ids in net.recording.spikes.items()}, list(net.notes),
        [_weights(net, w) for w in net.recording.weights],
    )


def _double(net: Network) -> bool:
    """Whether reals have 64 bits: states of models in whole numbers are recorded as reals, 32 would not hold them."""
    return net.precision == "double" or any(p.model.whole for p in net.populations.values())


def _levels(net: Network, order: dict[str, int]) -> list[int]:
    """How many links without delay lead to each population, at most."""
    levels = [0] * len(order)
    edges = [(order[p.source.name], order[p.target.name]) for p in net.projections if p.delay.low == 0]
    for _ in order:
        for source, target in edges:
            levels[target] = max(levels[target], levels[source] + 1)
    return levels


def _trace(trace: graph.Trace, order: dict[str, int]) -> TraceRequest:
    units = np.arange(trace.population.n) if trace.units is None else np.asarray(trace.units, np.int64)
    return TraceRequest(order[trace.population.name], trace.variable, units, trace.every)


def _weights(net: Network, weights: graph.Weights) -> WeightRequest:
    number = next(k for k, p in enumerate(net.projections) if p is weights.projection)
    chosen = range(weights.projection.bound.count()) if weights.synapses is None else weights.synapses
    return WeightRequest(number, chosen, weights.every is None, weights.every or 1)


def _projection(
    net: Network, p: graph.Projection, order: dict[str, int], populations: list[plan.Population]
) -> plan.Projection:
    ports = populations[order[p.target.name]].ports
    check_range(p.delay.high, net.dt, f"projections.{p.entry}.delay")
    delays = (int(plan.delay_steps(p.delay.low, net.dt)), int(plan.delay_steps(p.delay.high, net.dt)))
    reached = ports_of(p)
    quanta = (1.0, 1.0) if reached == ("", "") else (ports[reached[0]].quantum, ports[reached[1]].quantum)
    return plan.Projection(p.label, order[p.source.name], order[p.target.name], p.bound, p.weight, p.delay, reached,
                           quanta, delays, net.seed, net.dt, make_plasticity(p, order, net.dt), make_coupling(net, p),
                           p.fixed, p.learning)


def ports_of(p: graph.Projection) -> tuple[str, str]:
    """The ports of a projection; one of its own where the sum of its weights is shifted."""
    return (plan.shifted_port(p.ports[0], p.label),) * 2 if p.fixed is not None and p.fixed.shifts_sums else p.ports


class _Lowering:
    """Makes the plan of one population from its model and everything that reaches it."""

    def __init__(self, net: Network, population: graph.Population) -> None:
        self.net, self.it, self.model = net, population, population.model
        self.params: dict[str, Any] = {}
        self.incoming = [p for p in net.projections if p.target is population]
        self.poisson = [(i, k) for i in net.inputs.values() if isinstance(i, graph.Poisson)
                        for k in i.links if k.target is population]
        self.trains = [(i.train, k) for i in net.inputs.values() if isinstance(i, graph.SpikeTimes)
                       for k in i.links if k.target is population]
        if population.schedule is not None:
            port = self.model.document["schedule"]
            link = graph.Link(f"{population.name}/schedule", population, (port, port), 1.0, 0.0)
            self.trains.append((population.schedule, link))
        self.currents = [(i, k) for i in net.inputs.values() if isinstance(i, graph.Current)
                         for k in i.injections if k.target is population]
        self.noises = [(i, k) for i in net.inputs.values() if isinstance(i, graph.Noise)
                       for k in i.injections if k.target is population]

    def population(self, first: int, level: int) -> plan.Population:
        values = values_of(self.net, self.it)
        driven = {link.drive for _, link in (*self.currents, *self.noises)}
        driven |= {p.coupling.drive for p in self.incoming if p.coupling is not None}
        self._bind(values, driven)
        ports = {name: self._port(name) for name in (*self.model.ports, *self._shifted())}
        self.params.update({f"quantum.{name}": port.quantum for name, port in ports.items()})
        drives = {name: self._drive(name) for name in self.model.drives if self._currents(name)}
        program = rewrite(self.model.program(driven), lambda b, i: self._leaf(b, i, ports))
        self._check_draws(program)
        offsets = self.model.offsets(values, self.net.dt)
        initial = initial_of(self.net, self.it, values, offsets)
        self._check_sizes("params", self.params)
        self._check_sizes("init", initial)
        return plan.Population(
            self.it.name, self.it.n, first, program, self.params, initial,
            {name: port for name, port in ports.items() if port.bound or self._reached(name)},
            drives, [schedule(train, link, ports, self.net.dt) for train, link in self.trains], level,
            self._units(), offsets, {k.label: int(plan.delay_steps(k.delay, self.net.dt)) for _, k in self.poisson},
            self.model, values, {k.label: port_of(k) for _, k in self.poisson},
            {k.label: k.drive for _, k in self.noises},
        )

    def _bind(self, values: dict[str, Any], driven: set[str]) -> None:
        problems = Problems()
        with problems.at("params"):
            self.params.update(self.model.bind(values, self.net.dt, driven))
        problems.check()

    def _check_sizes(self, place: str, numbers: dict[str, Any]) -> None:
        """``InputError`` where a number is too large for single precision."""
        if _double(self.net):
            return
        for name, value in numbers.items():
            if (size := float(np.max(np.abs(value), initial=0.0))) > _LARGEST:
                text = f"{name} is {size:g} in size, expected at most {_LARGEST:.2g}; 'precision: double' holds more"
                raise InputError(Problem(place, text))

    def _units(self) -> dict[str, str]:
        """The unit of each state and output, as text."""
        dimensions = {name: state.dimension for name, state in self.model.states.items()} | self.model.outputs
        return {name: unit_name(dimension) for name, dimension in dimensions.items()}

    # --- ports -------------------------------------------------------------------------------------------------------

    def _reached(self, port: str) -> bool:
        """Whether spikes of this run can arrive at a port (those of Poisson inputs are drawn, they do not travel)."""
        return any(port in ports_of(p) for p in self.incoming) or any(port_of(k) == port for _, k in self.trains)

    def _port(self, name: str) -> plan.Port:
        contributions = list(self.contributions(name))
        weights = {f"the largest weight for port {name!r}": max((c.largest for c in contributions), default=0.0)}
        self._check_sizes("", weights)
        return choose(name, contributions, _double(self.net), self.model.whole)

    def _shifted(self) -> dict[str, int]:
        """Ports whose sums are shifted right before they are added to those of the model, and by how much."""
        return {ports_of(p)[0]: -p.fixed.weight_exp for p in self.incoming if p.fixed and p.fixed.shifts_sums}

    def contributions(self, name: str, seen: tuple[str, ...] = ()) -> Iterable[Contribution]:
        """What can arrive at port `name` in one step."""
        for p in self.incoming:
            if name in ports_of(p):
                count = p.bound.max_indegree * _most_spikes(self.net, p.source, seen)
                if p.fixed is not None:
                    payload = 2.0**MESSAGE_BITS if p.fixed.num_message_bits else 1.0
                    largest = p.fixed.largest(p.weight) if p.learning is None else p.fixed.most
                    yield constant(largest, count * payload, stored=p.weight.constant is None)
                elif p.synapse is None:
                    yield contribution(p.weight, count, p.label, self.net.seed)
                else:
                    yield plastic_contribution(p, count, self.net.seed, self.net.dt)
        for poisson, link in self.poisson:
            if port_of(link) == name:
                yield constant(link.weight, most_poisson(poisson.rate.high * self.net.dt))
        for train, link in self.trains:
            if port_of(link) == name:
                yield constant(link.weight, most_repeats(train))

    def _leaf(self, b: Builder, instr: Instr, ports: dict[str, plan.Port]) -> int | None:
        if instr.op is Op.ARRIVAL:
            total = b(Op.ARRIVAL, data=instr.data) if self._reached(instr.data) else b.const(0)
            for poisson, link in self.poisson:
                if port_of(link) == instr.data:
                    total = self._add(b, total, self._poisson_draw(b, poisson, link, ports[instr.data].quantum))
            for shifted, bits in self._shifted().items():
                if plan.model_port(shifted) == instr.data:
                    # The sum has 32 bits in Lava, which payloads may exceed.
                    sums = b(Op.SHL, b(Op.ARRIVAL, data=shifted), b.const(32))
                    total = self._add(b, total, b(Op.SHR, sums, b.const(32 + bits)))
            return total
        if instr.op is Op.DRIVE:
            drive = b(Op.DRIVE, data=instr.data) if self._currents(instr.data) else b.const(0.0)
            for noise, where in self.noises:
                if where.drive == instr.data:
                    drive = self._add(b, drive, self._noise_draw(b, noise, where))
            if any(p.coupling is not None and p.coupling.drive == instr.data for p in self.incoming):
                drive = self._add(b, drive, b(Op.DRIVE, data=coupled(instr.data)))
            return drive
        if instr.op in RANDOM:
            return self._own_draw(b, instr)
        if instr.op is Op.PARAM and not np.any(self.params[instr.data]):
            return b.const(0.0)
        return None

    def _own_draw(self, b: Builder, instr: Instr) -> int:
        """What the model itself draws: populations of one model draw from streams of their own."""
        where = f"populations.{self.it.name}"
        if instr.op is Op.POISSON:
            label, mean = instr.data
            return b(Op.POISSON, data=(f"{where}.{label}", mean))
        return b(instr.op, data=f"{where}.{instr.data}")

    @staticmethod
    def _add(b: Builder, total: int, more: int) -> int:
        empty = b.instrs[total].op is Op.CONST and b.instrs[total].data == 0
        return more if empty else b(Op.ADD, total, more)

    def _check_draws(self, program: Program) -> None:
        for _, mean in program.uses(Op.POISSON):
            if (found := float(np.max(self.params[mean]))) > POISSON_MOST:
                raise InputError(Problem("params", f"expected a mean of at most {POISSON_MOST:g} in each step for "
                                                   f"poisson({mean}), found {found:g}"))

    def _poisson_draw(self, b: Builder, poisson: graph.Poisson, link: graph.Link, quantum: float) -> int:
        mean, weight = f"{link.label}.mean", f"{link.label}.weight"
        stream = Stream(self.net.seed, f"inputs.{link.label}/rate")
        rate = poisson.rate
        rates = rate.constant if rate.constant is not None else rate.draw(stream, (0, self.it.n))
        self.params[mean], self.params[weight] = rates * self.net.dt, round(link.weight / quantum)
        return b(Op.MUL, b(Op.POISSON, data=(link.label, mean)), b(Op.WHOLE, data=weight))

    def _noise_draw(self, b: Builder, noise: graph.Noise, link: graph.Injection) -> int:
        parts = []
        for kind, value in (("mean", noise.mean), ("sd", noise.sd)):
            self.params[f"{link.label}.{kind}"] = drawn(self.net, self.it, value, f"{link.label}/{kind}")
            parts.append(b(Op.PARAM, data=f"{link.label}.{kind}"))
        draw = b(Op.MUL, parts[1], b(Op.NORMAL, data=f"inputs.{link.label}"))
        return b(Op.ADD, parts[0], draw) if noise.mean.constant != 0 else draw

    # --- continuous inputs -------------------------------------------------------------------------------------------

    def _currents(self, drive: str) -> list[tuple[graph.Current, graph.Injection]]:
        return [(current, link) for current, link in self.currents if link.drive == drive]

    def _drive(self, name: str) -> plan.Drive:
        """All currents into one input as one table."""
        tables = []
        for current, link in self._currents(name):
            values = [drawn(self.net, self.it, value, f"{link.label}/{k}") for k, value in enumerate(current.values)]
            tables.append(current_table(current, values, self.it.n, self.net.dt))
        return summed(tables)


def _most_spikes(net: Network, source: graph.Population, seen: tuple[str, ...] = ()) -> float:
    """How many spikes a unit can emit in one step: 1 unless its model counts what it draws or receives.

    A loop of relays has no bound; ``_MANY`` then makes the sums 64 bits wide.
    """
    program = source.model.program()
    types = check(program)
    counted = [i for i in program.instrs if i.op is Op.EMIT and types[i.args[0]] is Type.INT]   # a payload is no count
    if not counted:
        return 1.0
    if source.name in seen:
        return _MANY
    it = _Lowering(net, source)
    bound = source.model.bind(values_of(net, source), net.dt)
    made = sum(most_poisson(float(np.max(bound[mean]))) for _, mean in program.uses(Op.POISSON))
    received = sum(c.count * c.largest for name in it.model.ports for c in it.contributions(name, (*seen, source.name)))
    return min(_MANY, max(1.0, made + received))
