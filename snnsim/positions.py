"""Where units are: on a grid, at random in a box, or at given points. Lengths in um."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from snnsim.distributions.spec import fields, quantity
from snnsim.errors import InputError, Problem, Problems
from snnsim.files import read_numbers
from snnsim.memory import refuse_array
from snnsim.random import Floats, Stream
from snnsim.units import LENGTH, to_text

_PER_UNIT = 48   # bytes while points are made


class Placed(NamedTuple):
    """points: float64 [n, d]; extent: float64 [d], lengths after which a periodic space repeats, where known."""

    points: Floats
    extent: Floats | None


@dataclass(frozen=True, eq=False)
class Positions:
    """Points of n units, given, or drawn within a box.

    points: float64 [n, d], or None where they are drawn in (low, low + extent); spec: canonical form.
    """

    n: int
    spec: Any
    points: Floats | None
    low: Floats
    extent: Floats | None

    @property
    def dimensions(self) -> int:
        return len(self.low)

    def place(self, stream: Stream) -> Placed:
        """The points; those at random are drawn from `stream`, coordinate j of unit i with index i d + j."""
        if self.points is not None:
            return Placed(self.points, self.extent)
        assert self.extent is not None
        points = stream.uniform(0, self.n * self.dimensions).reshape(self.n, self.dimensions)
        return Placed(points * self.extent + self.low, self.extent)


def positions_from_spec(spec: Any, n: int, base_dir: Path | None = None) -> Positions:
    """Positions of `n` units.

    spec: ``{grid: [nx, ny, ...], spacing: 10 um}`` (or one spacing per axis; the first axis counts fastest),
        ``{uniform: {low: [...], high: [...]}}``, ``{file, key?, unit}`` with an array [n, d], or a list of n points.

    Raises ``InputError`` with every fault that could be found.
    """
    if isinstance(spec, Positions):
        return spec
    if not isinstance(spec, Mapping):
        return _given(_points(spec), n, None)
    if "file" in spec:
        return _given(read_numbers(spec, LENGTH, base_dir), n, dict(spec))
    refuse_array(_PER_UNIT * n, f"{n:,} points")
    for kind, read in (("grid", _grid), ("uniform", _uniform)):
        if kind in spec:
            return read(spec, n)
    raise InputError(f"expected positions such as {{grid: [10, 10], spacing: 1 um}}, found "
                     f"{', '.join(map(str, spec)) or 'an empty mapping'}")


def _grid(spec: Mapping[str, Any], n: int) -> Positions:
    body = fields(spec, ["grid", "spacing"])
    sizes = body["grid"]
    if not isinstance(sizes, (list, tuple)) or not 1 <= len(sizes) <= 3 or any(not _count(size) for size in sizes):
        raise InputError(Problem("grid", f"expected one to three counts such as [10, 10], found {sizes!r}"))
    if math.prod(sizes) != n:
        product = " x ".join(map(str, sizes))
        raise InputError(Problem("grid", f"expected a grid of {n} units, found {product} = {math.prod(sizes)}"))
    given = body["spacing"] if isinstance(body["spacing"], (list, tuple)) else [body["spacing"]] * len(sizes)
    spacing = _lengths(given, "spacing", len(sizes))
    if (spacing <= 0).any():
        raise InputError(Problem("spacing", f"expected lengths above 0, found {body['spacing']}"))
    points = np.stack(np.unravel_index(np.arange(n), tuple(sizes), order="F"), axis=1) * spacing
    canonical = {"grid": list(sizes), "spacing": _texts(spacing)}
    return Positions(n, canonical, points, np.zeros(len(sizes)), spacing * sizes)


def _uniform(spec: Mapping[str, Any], n: int) -> Positions:
    body = fields(spec, ["uniform"])["uniform"]
    problems = Problems()
    low, high = np.zeros(0), np.zeros(0)
    with problems.at("uniform"):
        body = fields(body, ["low", "high"])
        low = _lengths(body["low"], "low")
        high = _lengths(body["high"], "high", len(low))
        if (low >= high).any():
            raise InputError(f"expected low < high along each axis, found {body['low']} and {body['high']}")
    problems.check()
    return Positions(n, {"uniform": {"low": _texts(low), "high": _texts(high)}}, None, low, high - low)


def _points(spec: Any) -> Floats:
    if not isinstance(spec, (list, tuple, np.ndarray)) or not len(spec):
        raise InputError(f"expected a list of points such as [[0 um, 0 um], [1 um, 0 um]], found {spec!r}")
    first = spec[0]
    size = len(first) if isinstance(first, (list, tuple, np.ndarray)) else None
    return np.array([_lengths(point, str(k), size) for k, point in enumerate(spec)])


def _given(points: Floats, n: int, spec: Any) -> Positions:
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2 or len(points) != n or not 1 <= points.shape[1] <= 3:
        raise InputError(f"expected {n} points with 1 to 3 coordinates, found an array of shape {points.shape}")
    return Positions(n, spec or [_texts(point) for point in points], points, np.zeros(points.shape[1]), None)


def _lengths(texts: Any, key: str, size: int | None = None) -> Floats:
    if not isinstance(texts, (list, tuple, np.ndarray)) or (size is not None and len(texts) != size):
        raise InputError(Problem(key, f"expected a list of {size or 'some'} lengths, found {texts!r}"))
    problems, values = Problems(), []
    for k, text in enumerate(texts):
        with problems.at(key, k):
            values.append(quantity(text, LENGTH))
    problems.check()
    return np.array(values)


def _count(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size > 0


def _texts(lengths: Floats) -> list[str]:
    return [to_text(length, LENGTH) for length in lengths]
