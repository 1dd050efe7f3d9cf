"""Loihi's learning rules: sums of products such as ``2^-2*x1*y0 - 2^-2*y1*x0``, and what of them a chip can hold.

A product has a dependency, which says when it counts (``x0``: the source spiked in the epoch; ``y0``: the target did;
``u<k>``: every 2^k epochs), a scale (a mantissa from -8 to 7 times a power of two from 2^-7 to 2^8) and factors: a
trace, the weight ``w``, a tag ``t`` or ``d``, each alone, with a constant added, or, of the last three, as its sign.

Source: Lava 0.10.0 (lava.magma.core.learning) for texts and limits; Davies et al. (2018), IEEE Micro 38(1).
"""

from __future__ import annotations

from dataclasses import dataclass

PRE, POST = ("x1", "x2"), ("y1", "y2", "y3")
TRACES = (*PRE, *POST)
VARIABLES = {"w": "w", "d": "tag_2", "t": "tag_1"}    # what a synapse has, and what Lava calls it
TARGETS = {"dw": "w", "dd": "d", "dt": "t"}
WHEN = ("x0", "y0")
EPOCHS = tuple(f"u{k}" for k in range(10))
# Bits that a factor takes in a product, as the chip counts them: a sign as many as what it is of.
BITS = {**dict.fromkeys(WHEN, 1), **dict.fromkeys(TRACES, 7), **dict.fromkeys(VARIABLES, 9)}
_SCALE_BITS, _ACCUMULATOR_BITS = 4, 15


@dataclass(frozen=True)
class Factor:
    """A number that a product multiplies with: `name`, plus `constant`, or the sign of that."""

    name: str
    constant: int = 0
    sign: bool = False

    @property
    def bits(self) -> int:
        return BITS[self.name]


@dataclass(frozen=True)
class Product:
    """One product. when: x0, y0 or u; its scale is mantissa 2^exponent."""

    when: str
    mantissa: int
    exponent: int
    factors: tuple[Factor, ...]

    @property
    def right(self) -> int:
        """By how many bits the chip shifts it right, so that it fits the accumulator."""
        return max(0, sum(f.bits for f in self.factors) + _SCALE_BITS - _ACCUMULATOR_BITS)

    @property
    def left(self) -> int:
        """By how many bits it is then shifted left: the accumulator counts in 1/128."""
        return self.exponent + 7


@dataclass(frozen=True)
class Rules:
    """What changes in an epoch: w, d or t -> products, in the order in which they are added up.

    every: products with u count in every so many epochs.
    """

    products: dict[str, tuple[Product, ...]]
    every: int = 1

    @property
    def names(self) -> set[str]:
        """What the products read and change."""
        return {f.name for each in self.products.values() for p in each for f in p.factors} | set(self.products)

    @property
    def whens(self) -> set[str]:
        return {p.when for each in self.products.values() for p in each}
