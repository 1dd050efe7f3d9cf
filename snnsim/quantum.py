"""The power of two that the weights of a receiving port are multiples of.

Sums of whole numbers do not depend on their order, so neither threads nor ranks nor atomics can change a spike. The
quantum is chosen from the network alone: as fine as the sums allow, or coarse enough for 16-bit weights where those are
precise enough and there are many of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snnsim.distributions import Value
from snnsim.plan import Port
from snnsim.random import Stream

_SAMPLE = 257
_SHORT_ERROR = 2.0**-9  # rounding of a typical weight that 16 bits may cost


@dataclass(frozen=True)
class Contribution:
    """What may arrive at a port in one step: at most `count` spikes of weight `largest`.

    typical: size of an ordinary weight; stored: each synapse keeps a weight of its own; plastic: in full precision.
    """

    largest: float
    count: float
    typical: float
    stored: bool
    plastic: bool = False


def contribution(weight: Value, count: float, label: str, seed: int) -> Contribution:
    """The contribution of spikes with weights drawn from `weight`."""
    largest = max(abs(weight.low), abs(weight.high))
    if weight.constant is not None:
        return constant(weight.constant, count)
    sample = weight.sample(Stream(seed, f"{label}/weight"), _SAMPLE)
    sizes = np.abs(sample[sample != 0])
    return Contribution(largest, count, float(np.median(sizes)) if sizes.size else largest, True)


def constant(weight: float, count: float, stored: bool = False) -> Contribution:
    """The contribution of spikes of one weight."""
    return Contribution(abs(weight), count, abs(weight), stored)


def choose(name: str, contributions: list[Contribution], double: bool, whole: bool = False) -> Port:
    """The port with its quantum, the bound of its sums, and the bits that a stored weight needs.

    whole: weights are whole numbers.
    """
    largest = max((c.largest for c in contributions), default=0.0)
    if largest == 0:
        return Port(name, 1.0, 0, 16)
    total = sum(c.largest * c.count for c in contributions)
    if whole:
        return Port(name, 1.0, math.ceil(total), 16 if largest < 1 << 15 else 32)
    if double:
        quantum = max(power(largest * 2.0**-44), power(total * 2.0**-62))
        return Port(name, quantum, math.ceil(total / quantum), 64)
    quantum, bits = _single(contributions, largest, total)
    return Port(name, quantum, math.ceil(total / quantum) + 1, bits)


def _single(contributions: list[Contribution], largest: float, total: float) -> tuple[float, int]:
    """Quantum and bits per stored weight in single precision.

    Finer than 24 bits of the largest weight is no use; rather than coarser than 15 bits, the sums become 64 bits wide.
    Small changes of plastic weights must arrive, so 16 bits are not enough for them.
    """
    fine = max(power(largest * 2.0**-24), min(power(total * 2.0**-30), power(largest * 2.0**-15)))
    plastic = [c.typical for c in contributions if c.plastic]
    if plastic:
        finer = max(power(min(plastic) * 2.0**-22), power(total * 2.0**-62))
        return (finer if fine > min(plastic) * 2.0**-15 else fine), 32
    stored = [c for c in contributions if c.stored]
    if not stored:
        return fine, 32
    short = power(max(c.largest for c in stored) / 32767)
    if short <= 2 * _SHORT_ERROR * min(c.typical for c in contributions):
        return max(short, fine), 16
    return max(power(largest * 2.0**-24), power(total * 2.0**-62)), 32


def power(x: float) -> float:
    """The smallest power of two that is at least x."""
    mantissa, exponent = math.frexp(x)
    return math.ldexp(1.0, exponent - 1 if mantissa == 0.5 else exponent)
