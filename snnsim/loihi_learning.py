"""Learning synapses of Loihi 2: what a projection with ``synapse: {model: loihi_learning}`` has, and what it draws.

Traces, weights and tags are whole numbers, rounded at random with one number for all units or synapses at a time. Those
numbers are a function of the seed and the step, so that a run may be cut anywhere.

Source: Lava 0.10.0, the fixed-point model of LearningDense (lava.magma.core.model.py.connection,
lava.magma.core.learning).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from snnsim.loihi_rules import POST, PRE, TRACES, VARIABLES, Rules

if TYPE_CHECKING:
    from snnsim.distributions import Value

LEARNING = "loihi_learning"
MOST_TRACE = 127
LOWEST_SUM, HIGHEST_SUM = -(1 << 15) - 1, (1 << 15) - 1    # of the accumulator, in 1/128
FRACTION_BITS = 7                                          # of the accumulator
# What a tag may be: of the first Lava's range, which has one number more than 9 bits hold.
TAGS = {"tag_1": (-257, 255), "tag_2": (0, 255)}
_ROUNDING_SEED = 2


@dataclass(frozen=True)
class Learning:
    """How the synapses of a projection learn.

    texts: dw, dd and dt as given; rules: the same, read. impulses, taus: trace -> what a spike adds, and its time
    constant in steps, 0 unless given. t_epoch: steps between two changes of weights. tags: initial values that were
    given. params: as given.
    """

    texts: Mapping[str, str]
    rules: Rules
    impulses: Mapping[str, float]
    taus: Mapping[str, float]
    t_epoch: int = 1
    rng_seed: int = 0
    tags: Mapping[str, Value] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)

    # What engines ask of every rule.
    model: ClassVar[str] = LEARNING
    sign: ClassVar[int] = 1
    unit: ClassVar[str] = ""
    axonal: ClassVar[int] = 0
    modulator: ClassVar[None] = None

    @property
    def states(self) -> tuple[str, ...]:
        """What of a synapse matters: ``w``, and the tags that the rules read or change."""
        return tuple(name for short, name in VARIABLES.items() if short == "w" or short in self.rules.names)

    @property
    def traces(self) -> tuple[str, ...]:
        """Those that the rules read: x1, x2 of sources and y1, y2, y3 of targets."""
        return tuple(name for name in TRACES if name in self.rules.names)

    @property
    def pre(self) -> tuple[str, ...]:
        return tuple(name for name in self.traces if name in PRE)

    @property
    def post(self) -> tuple[str, ...]:
        return tuple(name for name in self.traces if name in POST)

    def decay(self, trace: str) -> tuple[np.ndarray, np.ndarray]:
        """What each value of a trace decays to in a step: whole parts, uint8 [128], and fractions, float64 [128]."""
        tau, values = self.taus.get(trace, 0.0), np.arange(MOST_TRACE + 1)
        decayed = np.exp(-1 / np.array([tau])) * values if tau else 0.0 * values
        return np.floor(decayed).astype(np.uint8), decayed % 1

    def impulse(self, trace: str) -> tuple[int, int]:
        """Whole part and fraction, in 1/256, of what a spike adds to a trace."""
        value = self.impulses.get(trace, 0.0)
        whole = int(np.floor(value))
        return whole, int(np.round((value - whole) * 256))

    def moment(self, step: int) -> int:
        """The place of a step in its epoch, from 1."""
        return (step - 1) % self.t_epoch + 1

    def draws(self, first: int, steps: int) -> Draws:
        """The random numbers of the steps first .. first + steps - 1."""
        seed, begin, count = self.rng_seed, 2 * first - 1, 2 * steps   # two in each step, and one before the first
        again = _wholes(seed + 3, begin, count)
        return Draws(
            _reals(seed, begin, count)[1::2], _wholes(seed + 1, begin, count)[1::2],
            _reals(seed + 2, begin, count)[1::2], again[1::2], again[::2], self._rounding(first, steps),
        )

    def _rounding(self, first: int, steps: int) -> np.ndarray:
        """One number for each epoch, and one before the first."""
        epoch = (first + np.arange(steps)) // self.t_epoch
        begin = first // self.t_epoch
        drawn = _reals(_ROUNDING_SEED, begin, int(epoch.max(initial=begin)) - begin + 1)
        return np.floor(drawn * (1 << FRACTION_BITS)).astype(np.int32)[epoch - begin]

    def chosen(self, step: int) -> bool:
        """Whether products with u count in the epoch that ends with `step`."""
        return step // self.t_epoch % self.rules.every == 0

    def to_spec(self) -> dict[str, Any]:
        """As a file says it."""
        init = {name: value.to_spec() for name, value in self.tags.items()}
        return {"model": LEARNING, "params": dict(self.params), **({"init": init} if init else {})}


class Draws(NamedTuple):
    """Random numbers of some steps, [steps] each.

    x_decay, y_decay: float64 from 0 to 1; x_impulse, y_impulse, y_again: uint8 from 0 to 127, the last for spikes of a
    target that has spiked in this epoch already (those of a source are always rounded up); rounding: int32 from 0 to
    127, a change is rounded up where its fraction, in 1/128, is above it.
    """

    x_decay: np.ndarray
    x_impulse: np.ndarray
    y_decay: np.ndarray
    y_impulse: np.ndarray
    y_again: np.ndarray
    rounding: np.ndarray


def _reals(seed: int, first: int, count: int) -> np.ndarray:
    """What NumPy's default generator gives as its random numbers `first` .. in [0, 1), from its raw words."""
    return (_words(seed, first, count) >> np.uint64(11)) * 2.0**-53


def _wholes(seed: int, first: int, count: int) -> np.ndarray:
    """What it gives as its whole numbers `first` .. below 128, uint8: two of each word, the lower half first."""
    words = _words(seed, first // 2, count // 2 + 1)
    halves = np.stack([words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)], axis=1).ravel()
    return (halves[first % 2 : first % 2 + count] >> np.uint64(25)).astype(np.uint8)


def _words(seed: int, first: int, count: int) -> np.ndarray:
    generator = np.random.PCG64(seed)
    generator.advance(first)
    return np.asarray(generator.random_raw(count), np.uint64)
