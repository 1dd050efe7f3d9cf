"""The whole numbers of a Loihi neuron and its synapses, from real ones. Nothing here knows of networks.

Source: Lava 0.10.0 (``lava.proc.lif``, ``lava.proc.dense``) for ``lava010``; Davies M et al. (2018) IEEE Micro
38(1):82-99 and brian2-loihi 0.5.2 for ``loihi1``. Potentials and currents are whole numbers below 2^23 in size; a
threshold, a weight and what arrives at a port count in units of 64 of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Numbers = Any   # a number, or an array of them

UNIT = 64                     # of a weight and a threshold
MOST_STATE = (1 << 23) - 1
MOST_THRESHOLD = 131071
MOST_MANTISSA = 255
MOST_EXPONENT = 7
MOST_BIAS = (4095, 4096)      # of a mantissa: positive, negative
DECAYS = 4096                 # a decay is a whole number of these parts
_CUT = 3                      # bits by which the largest weights may be cut where that suits the others
_GRID = 1e-6                  # nearer to a whole number than this is meant to be it


def decay(left: Numbers, semantics: str, current: bool) -> tuple[Ints, Floats]:
    """du or dv (decay_u or decay_v on Loihi 1) for what should be left after a step, and what then is left.

    Lava's LIF adds 1 to du, so a current always leaks, and its potential cannot lose all in one step.
    """
    parts = np.rint(DECAYS * (1 - np.asarray(left, float))).astype(np.int64)
    if semantics == "loihi1":
        parts = np.clip(parts, 0, DECAYS)
        return parts, 1 - parts / DECAYS
    extra = int(current)
    parts = np.clip(parts, extra, DECAYS - 1 + extra)
    return parts - extra, 1 - parts / DECAYS


def threshold(height: Numbers, strict: bool) -> Ints:
    """vth for a threshold in units of the state: a spike is v > 64 vth.

    The least v that spikes is the one nearest to the first that should; where `height` is itself a value of v, v spikes
    there, unless strict.
    """
    first = np.asarray(height, float) / UNIT
    near = np.rint(first)
    exact = np.abs(first - near) < _GRID
    least = np.where(exact & (not strict), near - 1, np.rint(first - (0 if strict else 1 / UNIT)))
    return np.clip(least, 0, MOST_THRESHOLD).astype(np.int64)


def bias(value: Numbers) -> tuple[Ints, Ints]:
    """Mantissa and exponent of what is added to v in each step: the smallest exponent that holds it."""
    size = np.abs(np.asarray(value, float))
    most = np.where(np.asarray(value) < 0, MOST_BIAS[1], MOST_BIAS[0])
    exponent = np.zeros(size.shape, np.int64)
    for _ in range(MOST_EXPONENT):
        exponent += np.rint(size / 2.0**exponent) > most
    mantissa = np.rint(np.asarray(value, float) / 2.0**exponent)
    return np.clip(mantissa, -MOST_BIAS[1], MOST_BIAS[0]).astype(np.int64), exponent


def most_bias() -> int:
    """The largest bias of either sign."""
    return MOST_BIAS[0] << MOST_EXPONENT


class Mantissas(NamedTuple):
    """Mantissas int64, as many as there are weights, and the exponent that they share."""

    whole: Ints
    exponent: int

    @property
    def sizes(self) -> Ints:
        """What the weights are, in units of a weight of exponent 0."""
        return self.whole * 2**self.exponent if self.exponent >= 0 else self.whole / 2**-self.exponent


def mantissas(weights: Floats, exponent: int, mixed: bool) -> Ints:
    """Weights (in units of 64) as mantissas: with signs the lowest bit is lost, so only even ones are used then.

    So Lava and Loihi 1, which cut that bit differently, mean the same.
    """
    step = 2 if mixed else 1
    most = MOST_MANTISSA // step * step
    return (np.clip(np.rint(weights / (step * 2.0**exponent)) * step, -most, most)).astype(np.int64)


def best_exponent(weights: Floats, mixed: bool, least: int = 0, largest: float = 0.0) -> int:
    """The exponent from `least` on whose mantissas have the smallest sum of squared errors; the smaller of equal ones.

    What exceeds the largest mantissa is cut, and that counts as an error like any other, but for a weight of size
    `largest`, which must not be cut.
    """
    holds = _holding(float(np.abs(weights).max(initial=0.0)), least)   # a larger one is coarser and gains nothing
    tried = range(max(_holding(largest, least), holds - _CUT), max(holds, _holding(largest, least)) + 1)
    errors = [_squares(weights, exponent, mixed) for exponent in tried]
    return tried[int(np.argmin(errors))]


def _holding(size: float, least: int) -> int:
    """The smallest exponent from `least` on that has a mantissa for a weight of this size."""
    return next((e for e in range(least, MOST_EXPONENT) if size <= MOST_MANTISSA * 2.0**e), MOST_EXPONENT)


def _squares(weights: Floats, exponent: int, mixed: bool) -> float:
    error = mantissas(weights, exponent, mixed) * 2.0**exponent - weights
    return float(np.dot(error, error))


def quantised(weights: Floats, mixed: bool, least: int = 0, largest: float = 0.0) -> Mantissas:
    """Weights (in units of 64) as mantissas with the exponent that suits them best."""
    exponent = best_exponent(weights, mixed, least, largest)
    return Mantissas(mantissas(weights, exponent, mixed), exponent)
