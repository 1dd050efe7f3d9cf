"""Connections whose probability falls with the distance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snnsim.connect.base import Block, Bound, Rule, likely_most, selected
from snnsim.connect.chance import bernoulli, probability
from snnsim.distributions.spec import fields, quantity
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.ir import exact
from snnsim.normal import by_chunks
from snnsim.random import Floats, WordSource, to_uniform
from snnsim.units import LENGTH

KERNELS = {"gaussian": "sigma", "exponential": "lambda", "disc": "radius"}   # name -> its length
_SAMPLE = 64   # targets whose mean in-degree stands for all of them


@dataclass(frozen=True)
class Kernel:
    """p0 times a shape of x = distance / length: exp(-x^2/2), exp(-x), or 1 for x <= 1 and 0 beyond."""

    name: str
    p0: float
    length: float

    def exponent(self, squared: Floats) -> Floats:
        """-log(shape), from the squared distance in um^2."""
        x2 = squared / (self.length * self.length)
        if self.name == "gaussian":
            return x2 / 2
        return np.sqrt(x2) if self.name == "exponential" else np.where(x2 <= 1, 0.0, np.inf)

    def accept(self, squared: Floats, uniform: Floats) -> npt.NDArray[np.intp]:
        """Which have uniform < shape. exp(-x) <= 1/(1 + x + x^2/2) decides most without exp."""
        x = self.exponent(squared)
        with np.errstate(over="ignore", invalid="ignore"):
            maybe = np.flatnonzero(uniform * (1 + x + x * x / 2) < 1.000001)
        return maybe[uniform[maybe] < by_chunks(exact.exp, -x[maybe])]


def kernel_from_spec(spec: Any) -> Kernel:
    """``{gaussian: {p0: 0.5, sigma: 100 um}}``, ``{exponential: {p0, lambda}}`` or ``{disc: {p0, radius}}``."""
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise InputError(f"expected one kernel such as {{gaussian: {{p0: 0.5, sigma: 100 um}}}}, found {spec!r}")
    ((name, body),) = spec.items()
    if name not in KERNELS:
        raise InputError(unknown("kernel", str(name), KERNELS))
    key, problems, p0, length = KERNELS[name], Problems(), 1.0, 1.0
    with problems.at(name):
        body = fields(body, [key], ["p0"])
        with problems.at(""):
            p0 = probability(body.get("p0", 1.0), "p0")
        with problems.at(key):
            length = quantity(body[key], LENGTH)
            if length <= 0:
                raise InputError(f"expected a length above 0, found {body[key]}")
    problems.check()
    return Kernel(name, p0, length)


@dataclass(frozen=True)
class Distance(Rule):
    """Each pair with the probability that `kernel` gives for its distance.

    kernel: see ``kernel_from_spec``. boundary: ``open``, or ``periodic``: the space repeats after the extent of the
    grid or box that the units are in. Pairs are first drawn with probability p0, then kept with the shape's.
    """

    kernel: Any
    boundary: str = "open"
    name = "distance"

    def __post_init__(self) -> None:
        problems = Problems()
        with problems.at("kernel"):
            kernel_from_spec(self.kernel)
        if self.boundary not in ("open", "periodic"):
            problems.add("boundary", unknown("boundary", str(self.boundary), ["open", "periodic"]))
        problems.check()

    def check(self, bound: Bound) -> None:
        bound.need_positions("distance")
        if self.boundary == "periodic":
            self.period(bound)

    def period(self, bound: Bound) -> Floats | None:
        if self.boundary == "open":
            return None
        (_, a), (_, b) = bound.positions or ((None, None), (None, None))
        if a is None and b is None:
            raise InputError(Problem("boundary", "a periodic one needs positions on a grid or in a box"))
        if a is not None and b is not None and not np.array_equal(a, b):
            raise InputError(Problem("boundary", f"a periodic one needs one extent, found {_listed(a)} um of the "
                                                 f"source and {_listed(b)} um of the target"))
        return b if a is None else a

    @property
    def exact(self) -> bool:
        return False

    def expected(self, bound: Bound) -> float:
        kernel = kernel_from_spec(self.kernel)
        rows = np.unique(np.linspace(0, bound.n_target - 1, min(_SAMPLE, bound.n_target)).astype(np.intp))
        own, everyone = 0.0, np.arange(bound.n_source)
        for row in rows:
            others = everyone[everyone != row] if bound.skip_self else everyone
            own += np.exp(-kernel.exponent(bound.squared(others, np.full(len(others), row)))).sum()
        return kernel.p0 * own / max(1, len(rows)) * bound.n_target

    def most(self, bound: Bound) -> float:
        return likely_most(kernel_from_spec(self.kernel).p0 * bound.choices, bound.choices)

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        kernel, stream = kernel_from_spec(self.kernel), bound.stream(source, "/accept")
        for block in bernoulli(bound, kernel.p0, low, high, source):
            squared = bound.squared(block.source, block.target)
            kept = kernel.accept(squared, to_uniform(stream.take(block.index)))
            yield Block(block.source[kept], block.target[kept], selected(block.index, kept))


def _listed(lengths: Floats) -> str:
    return " x ".join(f"{length:g}" for length in lengths)
