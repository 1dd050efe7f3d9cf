"""Weights and delays computed for each synapse: ``weight: {expression: "0.1 mV*exp(-d/(100 um))"}``.

An expression may read the numbers `i` and `j` of the source and the target unit, the sizes `n_source` and `n_target`,
the distance `d` where both populations have positions (through the boundary where the rule is periodic), `dt`, and
draws of its own, uniform() and normal(), which are keyed by the number of the synapse. So a synapse has the same value
in every partition and on every backend.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from snnsim.connect import Block, Bound
from snnsim.distributions import Constant, Value
from snnsim.distributions.expression import Expression
from snnsim.errors import InputError, Problem, Problems
from snnsim.graph import Projection
from snnsim.random import Floats, Stream
from snnsim.units import DIMENSIONLESS, LENGTH, to_text

NAMES = {"i": DIMENSIONLESS, "j": DIMENSIONLESS, "n_source": DIMENSIONLESS, "n_target": DIMENSIONLESS, "d": LENGTH}
_SAMPLE = 257   # synapses of a block that stand for all of it


class Measured(NamedTuple):
    """The smallest and the largest value of all synapses, and some of the values."""

    low: float
    high: float
    sample: Floats


@dataclass(frozen=True, eq=False)
class Synaptic(Value):
    """The value of an expression for each synapse of a projection.

    Nothing bounds an expression but its values: `low` and `high` are those of all synapses, which are drawn once, block
    by block, when either is first asked for. That takes about as long as building the projection.

    stream: what uniform() and normal() draw from. nothing: low and high where there is no synapse.
    """

    expression: Expression
    bound: Bound
    stream: Stream
    nothing: float = 0.0

    def __post_init__(self) -> None:
        if "d" in self.expression.reads:
            self.bound.need_positions("d, the distance,")

    @cached_property
    def measured(self) -> Measured:
        """Range and sample; ``InputError`` that names a synapse whose value is not finite."""
        low, high, samples = math.inf, -math.inf, [np.zeros(0)]
        for block in self.bound.blocks():
            values = self.draw_for(self.stream, block)
            low, high = values.min(initial=low), values.max(initial=high)
            samples.append(values[:: 1 + len(values) // _SAMPLE])
        if low > high:
            low = high = self.nothing
        return Measured(float(low), float(high), np.concatenate(samples))

    @property
    def low(self) -> float:
        return self.measured.low

    @property
    def high(self) -> float:
        return self.measured.high

    def sample(self, stream: Stream, most: int) -> Floats:
        sample = self.measured.sample
        return sample[:: 1 + len(sample) // most]

    def draw_for(self, stream: Stream, block: Block) -> Floats:
        values = self.expression.compute(self._leaves(block), stream, block.index)
        self._refuse(block, values, ~np.isfinite(values), "is")
        return values

    def _leaves(self, block: Block) -> dict[str, Any]:
        sizes = {"n_source": float(self.bound.n_source), "n_target": float(self.bound.n_target)}
        leaves = {"i": block.source.astype(np.float64), "j": block.target.astype(np.float64), **sizes}
        if "d" in self.expression.reads:
            leaves["d"] = np.sqrt(self.bound.squared(block.source, block.target))
        return {**self.expression.values, **leaves}

    def require(self, expected: str, wrong: Callable[[Floats], npt.NDArray[np.bool_]]) -> None:
        """``InputError`` that names the first synapse whose value is `wrong`, as an extreme value then is, too."""
        if not wrong(np.array([self.low, self.high])).any():
            return
        for block in self.bound.blocks():
            values = self.draw_for(self.stream, block)
            self._refuse(block, values, wrong(values), f"{expected}, found")

    def _refuse(self, block: Block, values: Floats, wrong: npt.NDArray[np.bool_], what: str) -> None:
        if not wrong.any():
            return
        k = int(np.argmax(wrong))
        value = to_text(float(values[k]), self.dimension) if np.isfinite(values[k]) else values[k]
        raise InputError(Problem("expression", f"{what} {value} for the synapse from unit {block.source[k]} to unit "
                                               f"{block.target[k]}: {self.expression.text}"))

    def to_spec(self) -> Any:
        return self.expression.to_spec()


def of_synapses(value: Value, bound: Bound, stream: str, nothing: float) -> Value:
    """A weight or delay fit for the synapses of `bound`; `nothing`: its range where there is none."""
    if isinstance(value, Expression):
        return Synaptic(value.dimension, value, bound, Stream(bound.seed, stream), nothing)
    value.check_size(bound.synapses, "synapses")
    return Constant(value.dimension, nothing) if value.size == 0 else value


def check_expressions(projections: Iterable[Projection]) -> None:
    """``InputError`` where an expression gives a synapse a weight or delay that it cannot have.

    Loading a network parses expressions; this computes them, for every synapse.
    """
    problems = Problems()
    for p in projections:
        with problems.at("projections", p.entry, "weight"):
            if isinstance(p.weight, Synaptic):
                _check_weights(p, p.weight)
        with problems.at("projections", p.entry, "delay"):
            if isinstance(p.delay, Synaptic):
                p.delay.require("expected delays above 0 ms", lambda delay: delay <= 0)
    if found := list(dict.fromkeys(problems.found)):
        raise InputError(found)


def _check_weights(p: Projection, weight: Synaptic) -> None:
    model, port = p.target.model, p.ports[0]
    if port and model.ports[port].negative and p.ports[1] == port:
        weight.require(f"expected weights of at most 0 for port {port!r} of {model.name}", lambda w: w > 0)
    weight.measured  # noqa: B018 - computed now, so that a fault is found now
