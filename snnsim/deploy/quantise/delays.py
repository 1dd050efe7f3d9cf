"""The delays of a network on the chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim import graph
from snnsim.deploy.quantise.reading import Reading, is_source
from snnsim.deploy.quantise.synapses import longest_delay
from snnsim.deploy.quantise.timing import REFERENCE, Edge, lags
from snnsim.errors import InputError, Problem
from snnsim.plan import delay_steps
from snnsim.units import TIME, to_text


@dataclass(frozen=True)
class Delays:
    """lags: by how many steps each population is behind its float twin (ahead, where negative). most: steps of a
    delay."""

    reading: Reading
    lags: dict[str, int]
    most: int

    def on_chip(self, p: graph.Projection, steps: Any) -> Any:
        """Delays of the float network in steps, as the chip has them: longer ones are cut."""
        return np.minimum(np.asarray(steps) + self.added(p), self.most)

    def has(self, p: graph.Projection) -> bool:
        """Whether the chip has all delays that a projection may have."""
        return _steps(self.reading, p.delay.high) + self.added(p) <= self.most

    def added(self, p: graph.Projection) -> int:
        """Steps that the delays of a projection are longer on the chip."""
        return self.reading.late(p.target.name) + self.lags[p.target.name] - self.lags[p.source.name]

    def added_input(self, link: graph.Link) -> int:
        """The same for an input."""
        return self.reading.late(link.target.name) + self.lags[link.target.name]


def find_delays(reading: Reading, most: int) -> Delays:
    """Lags with which every delay can be had; delays above `most` steps, and cycles that are too fast, are faults.

    Where a distribution has a tail beyond, what has been drawn from it decides.
    """
    ahead = any(reading.late(link.target.name) for each in reading.net.inputs.values()
                if isinstance(each, graph.Poisson) for link in each.links)
    wanted = {name: -reading.late(name) if ahead else 0 for name in reading.net.populations}
    found = lags(wanted, _edges(reading))
    if isinstance(found, list):
        reading.problems.found.append(_too_fast(reading, found))
        found = wanted
    delays = Delays(reading, found, most)
    for p in reading.net.projections:
        if p.coupling is None and not is_source(p.target) and reading.options.long_delays == "refuse":
            with reading.problems.at("projections", p.entry, "delay"):
                _check_delay(delays, p)
    return delays


def _check_delay(delays: Delays, p: graph.Projection) -> None:
    reading, added = delays.reading, delays.added(p)
    if delays.has(p) or _steps(reading, longest := longest_delay(p, reading.net.seed)) + added <= delays.most:
        return
    dt = reading.net.dt
    limit, step = to_text(round((delays.most - added) * dt, 9), TIME), to_text(dt, TIME)
    extra = f" and is {added} step{'s' if added > 1 else ''} longer here" if added > 0 else ""
    found = to_text(float(f"{longest:.6g}"), TIME)
    raise InputError(f"expected at most {limit}, since a delay of the chip has up to {delays.most} steps of {step}"
                     f"{extra}, found {found}; a larger dt reaches further, long_delays='cut' cuts them")


def _steps(reading: Reading, delay: float) -> int:
    return int(delay_steps(delay, reading.net.dt))


def _edges(reading: Reading) -> Iterator[Edge]:
    for p in reading.net.projections:
        if p.coupling is None:
            shortest, late = _shortest(reading, p), reading.late(p.target.name)
            least = 0 if is_source(p.target) and shortest == 0 else 1
            yield Edge(p.source.name, p.target.name, least - shortest - late, f"projections.{p.entry}.delay")
    for name, population in reading.net.populations.items():
        if population.model.whole or (is_source(population) and population.model.name != "relay"):
            yield from _fixed(name, 0)
        for each, link in reading.links(name):
            late = reading.late(name)
            if isinstance(each, graph.Poisson):
                yield from _fixed(name, -late)
            elif len(each.train.steps):
                first = int(each.train.steps[0]) + _steps(reading, link.delay)
                yield Edge(REFERENCE, name, 1 - first - late, f"inputs.{each.name}.delay")


def _shortest(reading: Reading, p: graph.Projection) -> int:
    """Steps; of drawn delays at least one, since only a delay that is 0 for all synapses is none."""
    return _steps(reading, p.delay.low) if p.delay.constant is not None else max(1, _steps(reading, p.delay.low))


def _fixed(name: str, lag: int) -> tuple[Edge, Edge]:
    return Edge(REFERENCE, name, lag), Edge(name, REFERENCE, -lag)


def _too_fast(reading: Reading, cycle: list[Edge]) -> Problem:
    """A cycle whose delays are shorter than a step for each connection."""
    place = next(edge.what for edge in cycle if edge.what)
    way = " -> ".join([cycle[0].source or "the clock", *(edge.target or "the clock" for edge in cycle)])
    missing = sum(edge.least for edge in cycle)
    expected = f"expected at least one step of {to_text(reading.net.dt, TIME)} for each connection of the cycle {way}"
    return Problem(place, f"{expected}, found {missing} step{'s' if missing > 1 else ''} too few in all of it")
