"""Weights of a projection onto a model in whole numbers: mantissas with a shared exponent, as a chip stores them.

Source: Lava 0.10.0 (lava.utils.weightutils, lava.proc.dense) for ``lava010``; Davies et al. (2018), IEEE Micro 38(1),
and brian2-loihi 0.5.2 for ``loihi1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snnsim.errors import InputError

if TYPE_CHECKING:
    from snnsim.distributions import Value

FIXED_KEYS = ("weight_exp", "num_weight_bits", "sign_mode", "num_message_bits")   # of a projection, as Lava names them
MESSAGE_BITS = 24
_BITS = 8
_LIMIT = (1 << 15) - 1   # of a weight with its exponent on Loihi 1: 2^21 - 2^6 after the shift by 6


@dataclass(frozen=True)
class FixedWeights:
    """How the mantissas of a projection become whole numbers at a port.

    sign_mode: excitatory, inhibitory or mixed. num_message_bits: 0 for messages that count as 1, else the payload
    multiplies the weight. given: the settings as the network says them.
    """

    semantics: str
    sign_mode: str
    weight_exp: int = 0
    num_weight_bits: int = 8
    num_message_bits: int = 0
    given: tuple[tuple[str, Any], ...] = ()

    @property
    def shifts_sums(self) -> bool:
        """Whether the sum of the weights is shifted, not each of them: right, as Lava does it."""
        return self.weight_exp < 0 and self.semantics == "lava010"

    @property
    def range(self) -> tuple[int, int]:
        """The lowest and the highest mantissa."""
        most = (1 << _BITS) - 1
        return {"mixed": (-most - 1, most), "excitatory": (0, most), "inhibitory": (-most, 0)}[self.sign_mode]

    @property
    def lost(self) -> int:
        """How many of the lowest bits are cut off."""
        return _BITS - self.num_weight_bits + (self.sign_mode == "mixed")

    @property
    def down(self) -> bool:
        """Whether they are cut off toward minus infinity, not toward zero."""
        return self.sign_mode == "mixed" and self.semantics == "lava010"

    @property
    def shift(self) -> int:
        """By how much each mantissa is shifted, left, or right where it is negative."""
        return 0 if self.shifts_sums else self.weight_exp

    @property
    def limit(self) -> int | None:
        """The largest size of a shifted mantissa, where there is one."""
        return _LIMIT if self.semantics == "loihi1" else None

    def kept(self, mantissas: Any) -> Any:
        """The mantissas that the chip has bits for, int64: whole numbers cut at their lowest bits."""
        whole = np.rint(mantissas).astype(np.int64)
        if self.down:
            return (whole >> self.lost) << self.lost
        return np.sign(whole) * ((np.abs(whole) >> self.lost) << self.lost)

    def whole(self, mantissas: Any) -> Any:
        """What each adds to the port (before a shift of their sum), an int or int64."""
        kept = self.kept(np.asarray(mantissas, float))
        kept = kept << self.shift if self.shift >= 0 else kept >> -self.shift
        if self.limit is not None:
            kept = np.clip(kept, -self.limit, self.limit)
        return int(kept) if np.ndim(kept) == 0 else kept

    @property
    def most(self) -> int:
        """The largest size of what any mantissa adds."""
        return max(abs(self.whole(mantissa)) for mantissa in self.range)

    def largest(self, weight: Value) -> int:
        """The largest size of what one weight adds."""
        return max(abs(self.whole(weight.low)), abs(self.whole(weight.high)))

    def check(self, weight: Value) -> None:
        """``InputError`` where a mantissa has no place in the bits of its mode."""
        low, high = self.range
        if not (low <= weight.low and weight.high <= high):
            raise InputError(f"expected whole numbers from {low} to {high} for {self.sign_mode} weights, found "
                             f"{weight.low:g} to {weight.high:g}")
        if weight.constant is not None and not float(weight.constant).is_integer():
            raise InputError(f"expected a whole number, found {weight.constant:g}; weight_exp shifts it")


def resolved(mode: str, weight: Value) -> str:
    """The sign mode; ``auto`` is decided by the range of the weights, as Lava decides it by the weights."""
    if mode != "auto":
        return mode
    return "excitatory" if weight.low >= 0 else "inhibitory" if weight.high <= 0 else "mixed"
