"""Projections in whole numbers: kept by their rule and distributions where those say the same synapses, else listed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from snnsim import graph
from snnsim.assemble import projection_label
from snnsim.deploy.quantise.delays import Delays
from snnsim.deploy.quantise.fitting import Fit
from snnsim.deploy.quantise.integers import (
    MOST_MANTISSA, Mantissas, best_exponent, mantissas, quantised,
)
from snnsim.deploy.quantise.reading import Reading
from snnsim.deploy.quantise.synapses import Drawn, Floats, draw, largest, later, sample, scaled
from snnsim.distributions import Constant, Value
from snnsim.plan import delay_steps
from snnsim.synaptic import Synaptic


@dataclass(frozen=True)
class Part:
    """A projection of the network in whole numbers: one of the float network, or what a sign of it becomes.

    wanted: weights in mantissas of exponent 0, float64 [k], a sample where they are kept; got: what became of them.
    weight, delay: of the rule that is kept. drawn: the synapses that are listed, with the delays of the chip. added:
    steps that its delays are longer. delays: steps, smallest and largest; cut: the part of them that the chip does not
    have.
    """

    projection: graph.Projection
    name: str | None
    wanted: Floats
    got: Mantissas
    added: int
    delays: tuple[int, int]
    cut: float = 0.0
    weight: Value | None = None
    delay: Value | None = None
    drawn: Drawn | None = None

    @property
    def synapses(self) -> int:
        return self.projection.bound.synapses if self.drawn is None else len(self.drawn.source)

    @property
    def mode(self) -> str:
        """Which signs its mantissas have."""
        low, high = self.got.whole.min(initial=0), self.got.whole.max(initial=0)
        return "mixed" if low < 0 < high else "inhibitory" if low < 0 else "excitatory"


class Weights:
    """Makes the parts of all projections, in their order."""

    def __init__(self, reading: Reading, fits: dict[str, Fit], delays: Delays) -> None:
        self.net, self.fits, self.delays = reading.net, fits, delays
        self.least, self.split = reading.options.least_exponent, reading.options.split_signs
        self.taken: set[str] = set()
        entries = [p.entry for p in self.net.projections]
        self.several = {entry for entry in entries if entries.count(entry) > 1}
        self.names = {p.name for p in self.net.projections if p.name is not None}

    def parts(self, p: graph.Projection) -> list[Part]:
        """What becomes of a projection onto neurons of the chip."""
        factors = {port: self.fits[p.target.name].factor(port) for port in p.ports}
        found = self._kept(p, factors) if all(np.ndim(f) == 0 for f in factors.values()) else None
        parts = [found] if found else list(self._listed(p, factors))
        self.taken |= {self.label(part) for part in parts}
        self.names |= {part.name for part in parts if part.name is not None}
        return parts

    def passed(self, p: graph.Projection) -> Part:
        """A projection onto what stays as it is; only its delays may change."""
        name, added = p.name if p.entry not in self.several else self._name(p), self.delays.added(p)
        delay, weight = later(p.delay, added, self.net.dt), p.weight
        alike = _drawn_alike(p, projection_label(name, p.source, p.target, False, {*self.taken}))
        drawn = None if delay is not None and alike else draw(p, self.net.seed, self.net.dt)
        drawn = drawn and replace(drawn, delay=self.delays.on_chip(p, drawn.delay))
        weight = weight.expression if isinstance(weight, Synaptic) else weight
        part = Part(p, name, np.zeros(0), Mantissas(np.zeros(0, np.int64), 0), added, (0, 0), 0.0, weight, delay, drawn)
        self.taken.add(self.label(part))
        return part

    def label(self, part: Part) -> str:
        """The label that it will have."""
        return projection_label(part.name, part.projection.source, part.projection.target, False, set(self.taken))

    def _name(self, p: graph.Projection) -> str | None:
        """Pairs of one entry become entries of their own, so a name that they share is made different."""
        if p.name is None or p.entry not in self.several:
            return p.name
        return unlike(f"{p.name}_{p.source.name}_{p.target.name}", self.names)

    # --- kept ---------------------------------------------------------------------------------------------------------

    def _kept(self, p: graph.Projection, factors: dict[str, float]) -> Part | None:
        """By its rule, where weights of one sign and delays are still drawn as they were; None where they are not."""
        value, name, added = p.weight, self._name(p), self.delays.added(p)
        alike = _drawn_alike(p, projection_label(name, p.source, p.target, False, {*self.taken}))
        if value.low < 0 < value.high or not alike or not self.delays.has(p):
            return None
        factor = factors[p.ports[int(value.low < 0)]]
        wanted = sample(p, self.net.seed) * factor
        exponent = best_exponent(wanted, False, self.least, largest(value) * abs(factor))
        most = max(abs(value.low), abs(value.high)) * abs(factor) / 2.0**exponent
        weight, delay = scaled(value, factor / 2.0**exponent), later(p.delay, added, self.net.dt)
        if weight is None or delay is None or not (most <= MOST_MANTISSA or isinstance(weight, Constant)):
            return None
        if isinstance(weight, Constant):
            weight = Constant(weight.dimension, float(np.clip(weight.value, -MOST_MANTISSA, MOST_MANTISSA)))
        ends = (int(delay_steps(end, self.net.dt)) + added for end in (p.delay.low, p.delay.high))
        got = Mantissas(mantissas(wanted, exponent, False), exponent)
        return Part(p, name, wanted, got, added, (next(ends), next(ends)), 0.0, weight, delay)

    # --- listed -------------------------------------------------------------------------------------------------------

    def _listed(self, p: graph.Projection, factors: dict[str, Any]) -> Iterator[Part]:
        """Synapse by synapse; apart by sign where each source has one, so that no bit is lost to it."""
        drawn = draw(p, self.net.seed, self.net.dt)
        positive, negative = (_of(factors[port], drawn) for port in p.ports)
        wanted = drawn.weight * np.where(drawn.weight < 0, negative, positive)
        sides = _sides(drawn, wanted, p.source.n, self.split)
        for side, mine in sides.items():
            name = self._name(p)
            if len(sides) > 1:
                name = unlike(f"{name or f'{p.source.name}-{p.target.name}'}_{side}", self.names)
            yield self._side(p, name, drawn.part(mine), wanted[mine], side == "mixed")

    def _side(self, p: graph.Projection, name: str | None, drawn: Drawn, wanted: Floats, mixed: bool) -> Part:
        steps = self.delays.on_chip(p, drawn.delay)
        cut = float(np.mean(steps < drawn.delay + self.delays.added(p))) if len(steps) else 0.0
        ends = (int(steps.min()), int(steps.max())) if len(steps) else (1, 1)
        got = quantised(wanted, mixed, self.least)
        return Part(p, name, wanted, got, self.delays.added(p), ends, cut, drawn=replace(drawn, delay=steps))


def unlike(name: str, taken: Collection[str]) -> str:
    """`name`, or with a number where it is taken."""
    return next(one for k in count(1) if (one := name if k == 1 else f"{name}_{k}") not in taken)


def _of(factor: Any, drawn: Drawn) -> Any:
    return factor[drawn.target] if np.ndim(factor) else factor


def _sides(drawn: Drawn, wanted: Floats, n: int, split: bool) -> dict[str, Any]:
    """Synapses by the sign of their source: ``exc``, ``inh``; all as ``mixed`` where a source has both, unless
    split."""
    up, down = np.zeros(n, bool), np.zeros(n, bool)
    up[drawn.source[wanted > 0]] = True
    down[drawn.source[wanted < 0]] = True
    everything = np.ones(len(wanted), bool)
    if not (up.any() and down.any()):
        return {"inh" if down.any() else "exc": everything}
    if (up & down).any():
        return {"exc": wanted >= 0, "inh": wanted < 0} if split else {"mixed": everything}
    return {"exc": ~down[drawn.source], "inh": down[drawn.source]}


def _drawn_alike(p: graph.Projection, label: str) -> bool:
    """Whether a projection of this label draws the same synapses; most rules do not draw at all only if they list."""
    fixed = p.rule.name in ("all_to_all", "one_to_one", "explicit")
    constant = p.weight.constant is not None and p.delay.constant is not None
    return label == p.label or (fixed and constant)


