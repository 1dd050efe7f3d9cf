"""Synapses and their weights: drawn as the float network draws them, or kept as what they are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snnsim.distributions import Array, Constant, Discrete, Exponential, Lognormal, Normal, Uniform, Value
from snnsim.graph import Projection
from snnsim.plan import delay_steps
from snnsim.random import Stream
from snnsim.synaptic import Synaptic
from snnsim.units import DIMENSIONLESS, TIME

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_SAMPLE = 1 << 14


@dataclass(frozen=True)
class Drawn:
    """All synapses of a projection: units int64 [k], weights float64 [k] in the unit of the port, delays in steps
    [k]."""

    source: Ints
    target: Ints
    weight: Floats
    delay: Ints

    def part(self, mine: npt.NDArray[np.bool_]) -> Drawn:
        """Some of the synapses."""
        return Drawn(self.source[mine], self.target[mine], self.weight[mine], self.delay[mine])


def draw(projection: Projection, seed: int, dt: float) -> Drawn:
    """The synapses of the float network."""
    blocks = [_columns(projection, block, seed, dt) for block in projection.bound.blocks()]
    columns = zip(*blocks, strict=True) if blocks else [(np.zeros(0),)] * 4
    source, target, weight, delay = map(np.concatenate, columns)
    return Drawn(source.astype(np.int64), target.astype(np.int64), weight, delay.astype(np.int64))


def _columns(projection: Projection, block: Any, seed: int, dt: float) -> tuple[Any, ...]:
    weight, delay = (_values(projection, key, block, seed) for key in ("weight", "delay"))
    size = len(block.source)
    return block.source, block.target, np.broadcast_to(weight, size), np.broadcast_to(delay_steps(delay, dt), size)


def _values(projection: Projection, key: str, block: Any, seed: int) -> Any:
    value: Value = getattr(projection, key)
    if value.constant is not None:
        return value.constant
    return value.draw_for(Stream(seed, f"{projection.label}/{key}"), block)


def longest_delay(projection: Projection, seed: int) -> float:
    """The longest delay of all synapses, in ms; those of a distribution are drawn for it."""
    if projection.delay.constant is not None:
        return projection.delay.constant
    blocks = (_values(projection, "delay", block, seed) for block in projection.bound.blocks())
    return max((float(np.max(values, initial=0.0)) for values in blocks), default=0.0)


def sample(projection: Projection, seed: int) -> Floats:
    """Ordinary weights of a projection, float64 [k], in the unit of the port; with the extremes of those that are
    listed."""
    value = projection.weight
    if value.constant is not None:
        return np.array([value.constant])
    if isinstance(value, Array):
        return np.concatenate([thinned(value.values, _SAMPLE), [value.low, value.high]]) if value.size else np.zeros(0)
    return np.asarray(value.sample(Stream(seed, f"{projection.label}/weight"), _SAMPLE), float)


def thinned(values: Floats, most: int) -> Floats:
    """About `most` of them, evenly spaced."""
    return values[:: max(1, len(values) // most)]


def largest(value: Value) -> float:
    """The largest size of a weight whose distribution says it and comes near it; 0 where tails are long or cut
    anyhow."""
    near = isinstance(value, (Constant, Discrete, Uniform, Normal)) and not value.low < 0 < value.high
    return max(abs(value.low), abs(value.high)) if near else 0.0


def scaled(value: Value, factor: float) -> Value | None:
    """Numbers without unit, `factor` times those of `value`, draw for draw; None where no distribution says them."""
    new: dict[str, Any] = {"dimension": DIMENSIONLESS}
    if isinstance(value, Constant):
        return Constant(DIMENSIONLESS, float(np.rint(value.value * factor)))
    if isinstance(value, Discrete):
        return replace(value, values=tuple(float(np.rint(v * factor)) for v in value.values), **new)
    if factor < 0:
        return None
    if isinstance(value, Uniform):
        return replace(value, start=value.start * factor, stop=value.stop * factor, **new)
    if isinstance(value, Normal):
        numbers = {key: getattr(value, key) * factor for key in ("mean", "sd", "lower", "upper")}
        return replace(value, **numbers, **new)
    if isinstance(value, Exponential):
        return replace(value, mean=value.mean * factor, **new)
    return _scaled_lognormal(value, factor) if isinstance(value, Lognormal) else None


def _scaled_lognormal(value: Lognormal, factor: float) -> Value | None:
    """As mean and sd, which have a sign."""
    if not factor:
        return None
    mu = value.mu + math.log(factor)
    mean = value.sign * math.exp(mu + value.sigma**2 / 2)
    sd = abs(mean) * math.sqrt(math.expm1(value.sigma**2))
    return Lognormal(DIMENSIONLESS, mu, value.sigma, value.sign, {"mean": mean, "sd": sd})


def later(delay: Value, steps: int, dt: float) -> Value | None:
    """A delay that is so many steps longer for each synapse; None where no distribution says it."""
    if delay.constant is not None:
        return Constant(TIME, (int(delay_steps(delay.constant, dt)) + steps) * dt)
    if steps == 0:
        return delay.expression if isinstance(delay, Synaptic) else delay
    if delay.low < dt / 2:   # would be rounded up to a step before
        return None
    if isinstance(delay, Uniform):
        return replace(delay, start=delay.start + steps * dt, stop=delay.stop + steps * dt)
    if isinstance(delay, Normal):
        return replace(delay, **{key: getattr(delay, key) + steps * dt for key in ("mean", "lower", "upper")})
    if isinstance(delay, Discrete):
        return replace(delay, values=tuple(v + steps * dt for v in delay.values))
    return Array(TIME, delay.values + steps * dt) if isinstance(delay, Array) else None
