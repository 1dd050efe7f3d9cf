"""Distributions: values that are drawn. All numbers are in the coherent system; ``draw`` gives float64."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snnsim.distributions.value import Value
from snnsim.ir import exact
from snnsim.normal import by_chunks, normal_quantile
from snnsim.random import Floats, Index, Stream, to_uniform

NORMAL_REACH = 6.5       # in sd: what 32-bit numbers reach is 6.34
EXPONENTIAL_REACH = 23.0   # in means: -log(2^-33) is 22.9


@dataclass(frozen=True)
class Uniform(Value):
    """Equally likely between two bounds."""

    start: float
    stop: float

    @property
    def low(self) -> float:
        return self.start

    @property
    def high(self) -> float:
        return self.stop

    def draw(self, stream: Stream, index: Index) -> Floats:
        out = to_uniform(stream.take(index))
        out *= self.stop - self.start
        out += self.start
        return np.clip(out, self.start, self.stop, out=out)

    def to_spec(self) -> Any:
        return {"uniform": [self._text(self.start), self._text(self.stop)]}


@dataclass(frozen=True)
class Normal(Value):
    """Normal with `mean` and `sd`, redrawn until within the bounds (by the inverse of the distribution)."""

    mean: float
    sd: float
    lower: float = -math.inf
    upper: float = math.inf

    @property
    def low(self) -> float:
        return max(self.lower, min(self.mean, self.upper) - NORMAL_REACH * self.sd)

    @property
    def high(self) -> float:
        return min(self.upper, max(self.mean, self.lower) + NORMAL_REACH * self.sd)

    def shares(self) -> tuple[float, float, float]:
        """Probabilities below the two bounds, and the sign: -1 where the tail above the mean is the smaller one."""
        if self.sd == 0:
            inside = self.lower <= self.mean <= self.upper
            return 0.0, float(inside), 1.0
        a, b = (self.lower - self.mean) / self.sd, (self.upper - self.mean) / self.sd
        a, b, sign = (-b, -a, -1.0) if a > 0 else (a, b, 1.0)
        return 0.5 * math.erfc(-a / math.sqrt(2)), 0.5 * math.erfc(-b / math.sqrt(2)), sign

    def draw(self, stream: Stream, index: Index) -> Floats:
        below, above, sign = self.shares()
        p = to_uniform(stream.take(index))
        if (below, above) != (0.0, 1.0):
            p *= above - below
            p += below
        out = normal_quantile(p)
        out *= sign * self.sd
        out += self.mean
        return np.clip(out, self.lower, self.upper, out=out)

    def to_spec(self) -> Any:
        bounds = {"low": self.lower, "high": self.upper}
        numbers = {"mean": self.mean, "sd": self.sd} | {k: v for k, v in bounds.items() if math.isfinite(v)}
        return {"normal": {name: self._text(value) for name, value in numbers.items()}}


def affine(value: Uniform | Normal) -> tuple[float, float, float, float, float, float]:
    """share, below, scale, shift, low, high: what becomes of a uniform number u.

    p = u share + below; of it, or of its quantile where the value is normal, z scale + shift within [low, high].
    """
    if isinstance(value, Uniform):
        return 1.0, 0.0, value.stop - value.start, value.start, value.start, value.stop
    below, above, sign = value.shares()
    return above - below, below, sign * value.sd, value.mean, value.lower, value.upper


@dataclass(frozen=True)
class Lognormal(Value):
    """sign exp(mu + sigma z) for standard normal z; by mean and sd of the number itself, or by mu and sigma."""

    mu: float
    sigma: float
    sign: float
    spec: dict[str, Any] = field(compare=False)

    def _edge(self, z: float) -> float:
        return self.sign * math.exp(min(700.0, self.mu + z * self.sigma))

    @property
    def low(self) -> float:
        return 0.0 if self.sign > 0 else self._edge(NORMAL_REACH)

    @property
    def high(self) -> float:
        return 0.0 if self.sign < 0 else self._edge(NORMAL_REACH)

    def draw(self, stream: Stream, index: Index) -> Floats:
        out = normal_quantile(to_uniform(stream.take(index)))
        out *= self.sigma
        out += self.mu
        return by_chunks(exact.exp, out) * self.sign

    def to_spec(self) -> Any:
        return {"lognormal": dict(self.spec)}


@dataclass(frozen=True)
class Exponential(Value):
    """Exponential with `mean` (negative: all numbers are)."""

    mean: float

    @property
    def low(self) -> float:
        return min(0.0, EXPONENTIAL_REACH * self.mean)

    @property
    def high(self) -> float:
        return max(0.0, EXPONENTIAL_REACH * self.mean)

    def draw(self, stream: Stream, index: Index) -> Floats:
        return by_chunks(exact.log, to_uniform(stream.take(index))) * -self.mean

    def to_spec(self) -> Any:
        return {"exponential": {"mean": self._text(self.mean)}}


@dataclass(frozen=True)
class Discrete(Value):
    """One of `values`, with probabilities `p` (to the nearest 2^-32)."""

    values: tuple[float, ...]
    p: tuple[float, ...]

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    def edges(self) -> npt.NDArray[np.uint64]:
        """The first word of each value but the first, rising."""
        return np.floor(np.cumsum(self.p)[:-1] * 2.0**32 + 0.5).astype(np.uint64)

    def draw(self, stream: Stream, index: Index) -> Floats:
        chosen = np.searchsorted(self.edges(), stream.take(index), side="right")
        return np.array(self.values)[chosen]

    def to_spec(self) -> Any:
        return {"discrete": {"values": [self._text(v) for v in self.values], "p": list(self.p)}}
