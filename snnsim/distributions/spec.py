"""From what a file or a call says to a ``Value``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.distributions.kinds import Discrete, Exponential, Lognormal, Normal, Uniform
from snnsim.distributions.value import Array, Constant, Value
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.files import number_pieces
from snnsim.units import DIMENSIONLESS, TIME, Dimension, Quantity, expect, parse, unit

_LEAST_SHARE = 1e-280   # of a normal distribution: about 35 sd from its mean, where numbers begin to lose digits
_STEPS = re.compile(r"\s*([+-]?[\d_.]+(?:[eE][+-]?\d+)?)\s*steps?\s*")


def quantity(text: Any, dimension: Dimension, dt: float | None = None) -> float:
    """A finite number in the coherent system; ``3 step`` is 3 dt where a time is wanted and dt is known."""
    steps = _STEPS.fullmatch(text) if isinstance(text, str) else None
    if steps and dimension == TIME and dt is not None:
        return expect(steps[1], DIMENSIONLESS) * dt
    value = expect(text, dimension)
    if not math.isfinite(value):
        raise InputError(f"expected a finite number, found {text}")
    return float(value)


@dataclass(frozen=True)
class Reader:
    """Reads quantities of one dimension."""

    dimension: Dimension
    base_dir: Path | None
    dt: float | None
    names: Mapping[str, Dimension] | None = None

    def __call__(self, text: Any) -> float:
        return quantity(text, self.dimension, self.dt)

    def several(self, texts: Any) -> list[float]:
        """Each of a list; every fault is reported with its place."""
        if isinstance(texts, (str, Mapping)) or not isinstance(texts, Collection):
            raise InputError(f"expected a list of quantities, found {texts!r}")
        problems, values = Problems(), []
        for k, text in enumerate(texts):
            with problems.at(k):
                values.append(self(text))
        problems.check()
        return values


def value_from_spec(
    spec: Any, dimension: Dimension, base_dir: Path | None = None, dt: float | None = None,
    names: Mapping[str, Dimension] | None = None,
) -> Value:
    """The value that `spec` says.

    spec: a quantity (``"0.1 mV"``, a number where there is no unit), a list or array of them,
        ``{uniform: [a, b]}``, ``{normal: {mean, sd, low?, high?}}``,
        ``{lognormal: {mean, sd}}`` or ``{lognormal: {mu, sigma, unit}}``, ``{exponential: {mean}}``,
        ``{discrete: {values, p?}}``, ``{expression: text}``, or ``{file, key?, unit?}`` (see ``snnsim.files``).
    dimension: what the numbers must be; base_dir: folder that files are relative to; dt: length of a step in ms.
    names: what an expression may read besides dt; None where expressions are not possible.

    Raises ``InputError`` with every fault that could be found.
    """
    if isinstance(spec, Value):
        return spec
    reader = Reader(dimension, base_dir, dt, names)
    if isinstance(spec, Mapping):
        return _from_mapping(spec, reader)
    if isinstance(spec, (list, tuple)) and not isinstance(spec, Quantity):
        return _array(np.array(reader.several(spec), float), dimension)
    if np.ndim(getattr(spec, "magnitude", spec.value if isinstance(spec, Quantity) else spec)):
        return _from_array(spec, dimension)
    return Constant(dimension, reader(spec))


def _from_mapping(spec: Mapping[str, Any], reader: Reader) -> Value:
    if "file" in spec:
        read = partial(number_pieces, dict(spec), reader.dimension, reader.base_dir, reader.dt)
        return Array.stored(reader.dimension, dict(spec), read)
    if len(spec) != 1:
        raise InputError(f"expected one distribution such as {{uniform: [a, b]}}, found {_listed(spec)}")
    ((kind, body),) = spec.items()
    if kind not in KINDS:
        raise InputError(unknown("distribution", str(kind), [*KINDS, "file"]))
    problems = Problems()
    with problems.at(kind if kind != "expression" else ""):
        value = KINDS[kind](body, reader)
    problems.check()
    return value


def _listed(spec: Mapping[str, Any]) -> str:
    return ", ".join(map(str, spec)) or "an empty mapping"


def _from_array(spec: Any, dimension: Dimension) -> Array:
    if isinstance(spec, np.ndarray) and spec.dtype.kind not in "iuf":
        return _array(np.array([expect(x, dimension) for x in spec.ravel()]).reshape(spec.shape), dimension)
    found = parse(spec) if hasattr(spec, "magnitude") or isinstance(spec, Quantity) else Quantity(spec, DIMENSIONLESS)
    expect(Quantity(0.0, found.dimension) if found.dimension != DIMENSIONLESS else 0.0, dimension)
    return _array(np.array(found.value, float), dimension)


def _array(values: np.ndarray, dimension: Dimension) -> Array:
    if values.ndim != 1:
        raise InputError(f"expected a list of numbers, found an array of {values.ndim} dimensions")
    if not np.isfinite(values).all():
        raise InputError(f"expected finite numbers, found {values[~np.isfinite(values)][0]}")
    values.setflags(write=False)
    return Array(dimension, values)


def fields(body: Any, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """The keys of a mapping; ``InputError`` naming each that is missing or unknown."""
    if not isinstance(body, Mapping):
        raise InputError(f"expected a mapping with {', '.join(required)}, found {body!r}")
    known = [*required, *optional]
    faults = [Problem("", unknown("key", str(key), known)) for key in body if key not in known]
    faults += [Problem(key, "missing") for key in required if key not in body]
    if faults:
        raise InputError(faults)
    return dict(body)


def _numbers(body: dict[str, Any], read: Callable[[Any], float]) -> dict[str, float]:
    problems, values = Problems(), {}
    for key, text in body.items():
        with problems.at(key):
            values[key] = read(text)
    problems.check()
    return values


def _uniform(body: Any, reader: Reader) -> Value:
    if not isinstance(body, (list, tuple)) or len(body) != 2:
        raise InputError(f"expected two bounds [a, b], found {body!r}")
    low, high = reader.several(body)
    if low > high:
        raise InputError(f"the bounds are in the wrong order: {body[0]} is above {body[1]}")
    return Uniform(reader.dimension, low, high)


def _normal(body: Any, reader: Reader) -> Value:
    texts = fields(body, ["mean", "sd"], ["low", "high"])
    given = _numbers(texts, reader)
    if given["sd"] < 0:
        raise InputError(Problem("sd", f"expected a quantity >= 0, found {texts['sd']}"))
    bounds = given.get("low", -math.inf), given.get("high", math.inf)
    value = Normal(reader.dimension, given["mean"], given["sd"], *bounds)
    below, above, _ = value.shares()
    if above - below < _LEAST_SHARE:
        raise InputError(f"no number lies between low {texts.get('low', '-inf')} and high {texts.get('high', 'inf')}")
    return value


def _lognormal(body: Any, reader: Reader) -> Value:
    if not isinstance(body, Mapping) or "mu" not in body:
        return _lognormal_by_mean(fields(body, ["mean", "sd"]), reader)
    texts = fields(body, ["mu", "sigma"], ["unit"])
    name = texts.pop("unit", "")
    scale = unit(name)
    if scale.dimension != reader.dimension:
        expect(f"1 {name}".strip(), reader.dimension)
    given = _numbers(texts, lambda text: quantity(text, DIMENSIONLESS))
    if given["sigma"] < 0:
        raise InputError(Problem("sigma", f"expected a number >= 0, found {texts['sigma']}"))
    return Lognormal(reader.dimension, given["mu"] + math.log(scale.size), given["sigma"], 1.0, dict(body))


def _lognormal_by_mean(texts: dict[str, Any], reader: Reader) -> Value:
    given = _numbers(texts, reader)
    if given["mean"] == 0:
        raise InputError(Problem("mean", f"expected a quantity other than 0, found {texts['mean']}"))
    if given["sd"] < 0:
        raise InputError(Problem("sd", f"expected a quantity >= 0, found {texts['sd']}"))
    variance = math.log1p((given["sd"] / given["mean"]) ** 2)
    mu = math.log(abs(given["mean"])) - variance / 2
    return Lognormal(reader.dimension, mu, math.sqrt(variance), math.copysign(1.0, given["mean"]), texts)


def _exponential(body: Any, reader: Reader) -> Value:
    return Exponential(reader.dimension, _numbers(fields(body, ["mean"]), reader)["mean"])


def _discrete(body: Any, reader: Reader) -> Value:
    texts, problems = fields(body, ["values"], ["p"]), Problems()
    values, p = [0.0], [1.0]
    with problems.at("values"):
        values = reader.several(texts["values"])
        p = [1 / len(values)] * len(values) if values else []
        if not values:
            raise InputError("expected at least one value, found none")
    with problems.at("p"):
        p = Reader(DIMENSIONLESS, None, None).several(texts["p"]) if "p" in texts else p
    problems.check()
    if len(p) != len(values):
        raise InputError(Problem("p", f"expected {len(values)} probabilities, one for each value, found {len(p)}"))
    if min(p) < 0 or abs(math.fsum(p) - 1) > 1e-6:
        raise InputError(Problem("p", f"expected probabilities >= 0 with sum 1, found sum {math.fsum(p):g}"))
    return Discrete(reader.dimension, tuple(values), tuple(p))


def _expression(body: Any, reader: Reader) -> Value:
    from snnsim.distributions.expression import Expression  # the parser of equations is loaded only where needed

    if reader.names is None:
        raise InputError("an expression is not possible here, only for parameters and initial values of a population "
                         "and for weights and delays of a projection")
    if not isinstance(body, (str, int, float)):
        raise InputError(f"expected an expression, found {body!r}")
    value = Expression(reader.dimension, str(body), reader.names, {} if reader.dt is None else {"dt": reader.dt})
    value.tree   # noqa: B018 - parsed now, so that a fault is found now
    return value


KINDS: dict[str, Callable[[Any, Reader], Value]] = {
    "uniform": _uniform, "normal": _normal, "lognormal": _lognormal, "exponential": _exponential, "discrete": _discrete,
    "expression": _expression,
}
