"""How many units of a chip's state make a millivolt: as many as fit, and of these the number that suits the weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from snnsim.deploy.quantise.integers import (
    MOST_EXPONENT, MOST_MANTISSA, MOST_STATE, MOST_THRESHOLD, UNIT, Floats, Numbers, best_exponent, most_bias,
    quantised,
)

FINE = 2.0**-10       # relative: an error that does not matter beside that of weights of 8 bits
_GRID = 128           # scales that are tried besides those that make a weight exact
_MOST_WHOLE = 2048    # of those that make an input's weight exact
_FEW = 16             # different weights of a projection that exact scales are looked for
_TINY = 1e-12         # a smaller error is that of the arithmetic


@dataclass(frozen=True)
class Load:
    """What arrives at a population by one way.

    weights: an ordinary sample, float64 [k], in units in which `height` is the threshold. count: arrivals within the
    time that the potential remembers. synapse: mantissas with an exponent; else whole numbers. mixed: of both signs.
    largest: a weight of this size must have a mantissa.
    """

    weights: Floats
    height: float
    count: float
    synapse: bool = True
    mixed: bool = False
    largest: float = 0.0

    def rounded(self, scale: float, least: int) -> Floats:
        """The weights as a chip has them, in the same units."""
        sizes = self.weights * scale
        found = quantised(sizes, self.mixed, least, self.largest * scale).sizes if self.synapse else np.rint(sizes)
        return found / scale

    def spare(self, scale: float, least: int) -> int:
        """By how many bits a scale may be coarser without a coarser weight (for an input, one that is off by 2^-10)."""
        sizes = self.weights * scale
        if self.synapse:
            return best_exponent(sizes, self.mixed, least, self.largest * scale) - least
        halves = sizes[:, None] / 2.0 ** np.arange(1, MOST_EXPONENT + 1)
        fine = (np.abs(np.rint(halves) - halves) <= FINE * np.abs(halves)).all(axis=0)
        return int(np.argmin([*fine, False]))

    def cost(self, scale: float, least: int) -> float:
        """The expected square of what rounding adds to the potential, over the square of the threshold.

        An error that all weights share adds up, others cancel in part.
        """
        error = (self.rounded(scale, least) - self.weights) / self.height
        error = np.where(np.abs(error) * self.height < _TINY * np.abs(self.weights), 0.0, error)
        return float((self.count * error.mean()) ** 2 + self.count * error.var())


@dataclass(frozen=True)
class Room:
    """What limits the scale: the largest values, in the units of the weights.

    height: the threshold (0: none). potential, current: what they may reach. rise: the constant input of a step.
    weight: of the synapses.
    """

    height: float
    potential: float
    current: float
    rise: float
    weight: float

    def limits(self) -> dict[str, float]:
        """What the scale may be at most, by the reason."""
        largest = {
            "threshold": (self.height, MOST_THRESHOLD), "potential": (self.potential, MOST_STATE / UNIT),
            "current": (self.current, MOST_STATE / UNIT), "bias": (self.rise, most_bias() / UNIT),
            "weights": (self.weight, MOST_MANTISSA << MOST_EXPONENT),
        }
        return {reason: most / value for reason, (value, most) in largest.items() if value > 0}


NO_ROOM = Room(0.0, 0.0, 0.0, 0.0, 0.0)   # of what nothing limits


def best_scale(loads: Iterable[Load], most: float, least: int = 0) -> float:
    """The scale in (most/2, most] with the smallest cost, the largest of equal ones: units of 64 for a weight of 1."""
    loads = [load for load in loads if np.any(load.weights)]
    tried = sorted({most, *_candidates(loads, most, least)}, reverse=True)
    costs = [sum(load.cost(scale, least) for load in loads) for scale in tried]
    return tried[int(np.argmin(costs))]


def _candidates(loads: list[Load], most: float, least: int) -> Iterator[float]:
    yield from np.geomspace(most, most / 2, _GRID, endpoint=False)
    for load in loads:
        weights = np.unique(np.abs(load.weights[load.weights != 0]))
        for weight in weights if len(weights) <= _FEW else ():
            exact = _exact(weight * most, load, least) / weight
            yield from exact[(exact > most / 2) & (exact <= most)]


def _exact(largest: float, load: Load, least: int) -> Numbers:
    """Sizes up to `largest`, and from about half of it on, that a weight may have without an error."""
    if not load.synapse:
        return np.arange(max(1, int(largest / 2)), int(largest) + 1, max(1, int(largest) // _MOST_WHOLE))
    step = 2 if load.mixed else 1
    whole = np.arange(step, MOST_MANTISSA + 1, step)
    exponents = np.arange(least, MOST_EXPONENT + 1)
    return np.unique(whole[:, None] * 2.0 ** exponents[None, :])
