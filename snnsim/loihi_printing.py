"""Prints what the rules of learning synapses make of a weight or a tag, for any language with shifts and functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from snnsim.loihi_learning import FRACTION_BITS
from snnsim.loihi_rules import VARIABLES, Factor, Product


@dataclass(frozen=True)
class ChangePrinter:
    """The language has ``clip(value, low, high)`` and ``added(total, more)``, which bring what they return between
    bounds, and the variable ``up``: 127 less the random number of the epoch.

    wrapped: a product in 32 bits that wrap, shifted, as a text with {factors}, {right} and {left}; between: what stands
    between factors. value: text of a state of the synapse. number: text of a trace, or of whether a side spiked, in
    products that count at a moment.
    """

    wrapped: str
    between: str
    value: Callable[[str], str]
    number: Callable[[str, str], str]

    def change(self, name: str, products: Sequence[Product], bounds: tuple[int, int]) -> list[str]:
        """What new_<name> is set to, one after the other: the accumulator, and last the rounded value of the state."""
        added = [f"added(new_{name}, {self._product(product)})" for product in products]
        rounded = f"(new_{name} + up) >> {FRACTION_BITS}"
        return [f"{self.value(name)} << {FRACTION_BITS}", *added, f"clip({rounded}, {bounds[0]}, {bounds[1]})"]

    def _product(self, product: Product) -> str:
        factors = [product.when, *(self._factor(factor, product.when) for factor in product.factors)]
        factors += [f"({product.mantissa})"] if product.mantissa != 1 else []
        return self.wrapped.format(factors=self.between.join(factors), right=min(product.right, 31), left=product.left)

    def _factor(self, factor: Factor, when: str) -> str:
        state, limit = VARIABLES.get(factor.name), 1 << factor.bits
        value = self.value(state) if state else self.number(factor.name, when)
        if factor.sign:
            return f"clip({value} + {factor.constant}, -1, 1)"
        return f"clip({value} + {factor.constant}, {-limit}, {limit - 1})" if factor.constant else value
