"""From the rules of plastic projections and couplings to what backends run: bound numbers, programs, bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from snnsim import graph
from snnsim.errors import InputError, Problem, Problems
from snnsim.plan import delay_steps
from snnsim.plan_rules import Coupling, Modulator, Plasticity, SpikeTrace
from snnsim.quantum import Contribution, power
from snnsim.random import Stream
from snnsim.synapses import check_axonal
from snnsim.units import to_text, unit_name

if TYPE_CHECKING:
    from snnsim.network import Network

# Where a rule states no bounds, a weight may grow to so many times the largest initial one.
_HEADROOM = 1024.0
_SAMPLE = 257


def make_plasticity(p: graph.Projection, order: Mapping[str, int], dt: float) -> Plasticity | None:
    """The rule of a projection as backends run it; None where there is none.

    order: numbers of the populations. Raises ``InputError`` where initial weights lie outside the rule's bounds.
    """
    if p.synapse is None:
        return None
    problems, made = Problems(), None
    with problems.at("projections", p.entry):
        check_axonal(p, p.synapse, dt)
        made = _Rule(p, p.synapse, dt).plasticity(order)
    problems.check()
    return made


def plastic_contribution(p: graph.Projection, count: float, seed: int, dt: float) -> Contribution:
    """What spikes of a plastic projection may add at their port."""
    assert p.synapse is not None
    rule = _Rule(p, p.synapse, dt)
    sample = abs(p.weight.sample(Stream(seed, f"{p.label}/weight"), _SAMPLE)) if p.weight.constant is None else None
    typical = abs(p.weight.constant or 0.0) if sample is None else float(sorted(sample)[len(sample) // 2])
    return Contribution(rule.limit, count, typical or rule.limit, stored=False, plastic=True)


class _Rule:
    """Binds the model of a rule to its numbers."""

    def __init__(self, p: graph.Projection, synapse: graph.Synapse, dt: float) -> None:
        self.p, self.it, self.model, self.dt = p, synapse, synapse.model, dt
        defaults = {name: each.default for name, each in self.model.parameters.items() if each.default is not None}
        self.values = {**defaults, **synapse.params}

    def plasticity(self, order: Mapping[str, int]) -> Plasticity:
        self._check_signs()
        self._check_bounds()
        problems = Problems()
        with problems.at("synapse", "params"):
            params = self.model.bind(self.values, self.dt)
            states = {**self.model.initial(self.values, self.dt), **self.it.init}
            traces = self._traces()
            interval = delay_steps(self.model.interval(self.values, self.dt), self.dt)
        problems.check()
        programs = {event: self.model.program(event, self.values) for event in sorted(self.model.events)}
        return Plasticity(
            self.model.name, programs, params, states, traces, self.it.tie, delay_steps(self.it.axonal, self.dt),
            interval, self.sign, self.limit,
            unit_name(self.p.weight.dimension), self._modulator(order), self.model, self.values,
        )

    def _traces(self) -> tuple[SpikeTrace, ...]:
        numbers = self.model.trace_numbers(self.values, self.dt)
        return tuple(
            SpikeTrace(t.name, t.on, *numbers[t.name], (t.pairing or self.it.pairing) == "nearest")
            for t in self.model.traces)

    def _modulator(self, order: Mapping[str, int]) -> Modulator | None:
        if self.it.modulator is None:
            return None
        population, variable = self.it.modulator
        return Modulator(order[population.name], variable, delay_steps(self.it.modulator_delay, self.dt))

    # --- bounds ------------------------------------------------------------------------------------------------------

    @property
    def sign(self) -> int:
        """-1 where the rule sees the size of negative weights."""
        return -1 if self.p.weight.low < 0 and self.p.weight.high <= 0 and not self._signed else 1

    @property
    def _signed(self) -> bool:
        """Whether the rule's weights may have either sign."""
        low = self.bounds[0]
        return low is not None and low < 0

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Lowest and highest value that the rule gives `w`, None where it does not say."""
        return self.model.weight_bounds(self.values)

    @property
    def initial(self) -> tuple[float, float]:
        """The range of `w` in the beginning."""
        low, high = self.p.weight.low, self.p.weight.high
        return (low, high) if self.sign > 0 else (-high, -low)

    @property
    def limit(self) -> float:
        """The largest size of a weight that may be sent."""
        low, high = self.bounds
        largest = max(abs(value) for value in self.initial)
        if not self.model.assigns_weight:
            return largest
        if low is not None and high is not None:
            return max(abs(low), abs(high), largest)
        return max(_HEADROOM * largest, abs(low or 0.0), abs(high or 0.0))

    def _check_signs(self) -> None:
        low, high = self.p.weight.low, self.p.weight.high
        if low < 0 < high and not self._signed:
            raise InputError(Problem("weight", f"expected weights of one sign for {self.model.name}, found "
                                               f"{self._text(low)} to {self._text(high)}"))

    def _check_bounds(self) -> None:
        for bound, value, word in zip(self.bounds, self.initial, ("at least", "at most"), strict=True):
            if bound is not None and (value < bound if word == "at least" else value > bound):
                raise InputError(Problem("weight", f"expected weights of {word} {self._text(bound)} in size for "
                                                   f"{self.model.name}, found {self._text(value)}"))

    def _text(self, value: float) -> str:
        return to_text(value, self.p.weight.dimension)


# --- continuous couplings --------------------------------------------------------------------------------------------

# What a coupling multiplies its weight with, in mV or whatever its variable has, stays below this, or it has diverged.
_RANGE = 1e6


def coupled(drive: str) -> str:
    """The name of the DRIVE that holds what couplings add to an input."""
    return f"{drive} coupled"


def make_coupling(net: Network, p: graph.Projection) -> Coupling | None:
    """The coupling of a projection as backends run it; None where there is none."""
    it = p.coupling
    if it is None:
        return None
    problems, params = Problems(), {}
    with problems.at("projections", p.entry, "coupling", "params"):
        params = it.model.bind(it.params, net.dt)
    problems.check()
    together = [q for q in net.projections
                if q.coupling is not None and q.target is p.target and q.coupling.drive == it.drive]
    total = sum(_largest(q) * q.bound.max_indegree for q in together) * _RANGE
    quantum = power(total * 2.0**-62) if total else 1.0
    return Coupling(it.model.name, it.model.program, params, it.variable, coupled(it.drive), quantum,
                         _largest(p) * _RANGE, it.model, it.params, it.drive)


def _largest(p: graph.Projection) -> float:
    return max(abs(p.weight.low), abs(p.weight.high))
