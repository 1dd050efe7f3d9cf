"""What arrives at a population: the weights of each way in, how often, and how far it can move current and
potential."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from snnsim import graph
from snnsim.deploy.quantise.neuron import Neuron, Numbers
from snnsim.deploy.quantise.reading import Reading
from snnsim.deploy.quantise.synapses import largest, sample
from snnsim.feeds import most_poisson, most_repeats, port_of

Floats = np.ndarray

USUAL_RATE = 0.02    # spikes in a ms of a neuron whose rate is not known
BUSY = 0.1           # the part of all sources that spikes in one step when much is going on
_SURE = 8.0          # standard deviations
LONGEST = 1000.0    # steps that a potential without a leak is taken to remember


@dataclass(frozen=True)
class Way:
    """One way into a population: a projection, or an input.

    weights: a sample, float64 [k], in the unit of the port; ports: for those >= 0 and those < 0. mean: arrivals at a
    unit in a step; busy: when much is going on; most: never more. synapse: stored on the chip; else the host's.
    largest: no weight is larger, and the rule stays if this one has a place; 0 where that is not so. total: arrivals at
    a unit in a whole run, where they are given.
    """

    weights: Floats
    ports: tuple[str, str]
    mean: float
    busy: float
    most: float
    synapse: bool
    largest: float = 0.0
    total: float = np.inf

    def moved(self, gains: Mapping[str, Numbers]) -> Floats:
        """What each weight adds, with typical gains, [k]."""
        positive, negative = (float(np.median(gains[port])) for port in self.ports)
        return np.where(self.weights < 0, self.weights * negative, self.weights * positive)

    def most_moved(self, gains: Mapping[str, Numbers]) -> float:
        """The most that a weight of size `largest` adds."""
        return self.largest * max(float(np.max(np.abs(gains[port]))) for port in self.ports)

    def push(self, sizes: Floats, area: float, swing: float) -> Floats:
        """Mean, variance and limit of the sum of arrivals of these sizes [k] that are forgotten in time.

        area, swing: the sum of what is left after 0, 1, ... steps, and the root of the sum of its squares.
        """
        if np.isfinite(self.total):
            sure = min(self.most * area, self.total) * sizes.max(initial=0.0)
            return np.array([sure, 0.0, sure])
        mean, square = self.busy * area * sizes.mean(), self.busy * swing**2 * (sizes**2).mean()
        return np.array([mean, square, self.most * area * sizes.max(initial=0.0)])


def ways(reading: Reading, name: str) -> list[Way]:
    """All ways into a population."""
    return [*(_projection(reading, p) for p in reading.incoming(name)),
            *(_input(reading, each, link) for each, link in reading.links(name))]


def _projection(reading: Reading, p: graph.Projection) -> Way:
    sources = p.bound.synapses / max(1, p.target.n)
    mean = sources * reading.rates.get(p.source.name, USUAL_RATE) * reading.net.dt
    busy = max(mean, sources * BUSY)
    return Way(sample(p, reading.net.seed), p.ports, mean, busy, float(p.bound.max_indegree), True, largest(p.weight))


def _input(reading: Reading, each: graph.Poisson | graph.SpikeTimes, link: graph.Link) -> Way:
    port = port_of(link)
    weights, ports = np.array([link.weight]), (port, port)
    if isinstance(each, graph.SpikeTimes):
        ids, steps = each.train.ids, each.train.steps
        most, span = most_repeats(each.train), max(1.0, float(np.ptp(steps)) if len(steps) else 1.0)
        total = float(np.bincount(ids).max(initial=0))
        return Way(weights, ports, len(ids) / link.target.n / span, most, most, False, total=total)
    mean = each.rate.high * reading.net.dt
    return Way(weights, ports, mean, mean, most_poisson(mean), False)


def memory(left: Numbers) -> float:
    """How many steps are remembered of which this much is left after each."""
    return float(min(LONGEST, 1 / max(1e-12, 1 - float(np.median(left)))))


def reach(ways: Iterable[Way], gains: Mapping[str, Numbers], *left: Numbers) -> float:
    """How far arrivals of one sign can move what forgets like `left`: a sum, or a sum of sums.

    Much is going on, and 8 standard deviations more; or all sources in every step, if that is less.
    """
    area = float(np.prod([memory(each) for each in left])) if left else 1.0
    swing = float(np.prod([_swing(each) for each in left])) if left else 1.0
    sides = {True: np.zeros(3), False: np.zeros(3)}
    for way in ways:
        moved = way.moved(gains)
        for upward in sides:
            sides[upward] += way.push(np.where((moved > 0) == upward, np.abs(moved), 0.0), area, swing)
    return max(float(min(mean + _SURE * np.sqrt(square), most)) for mean, square, most in sides.values())


def _swing(left: Numbers) -> float:
    """The standard deviation of the sum of independent numbers, over that of one."""
    steps = memory(left)
    return float(np.sqrt(1 / (1 - (1 - 1 / steps) ** 2)))


def remembered(neuron: Neuron) -> float:
    """Steps within which arrivals add up in the potential."""
    return memory(neuron.keep) + memory(neuron.fade) - 1
