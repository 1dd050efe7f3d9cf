"""A model taken apart: what its document says, as trees. ``read`` makes it, ``step`` turns it into a program."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from snnsim.equations.expr import Expr, state
from snnsim.errors import InputError
from snnsim.units import Dimension, to_text

# The words that `integrate:` takes.
METHODS = ("exact", "euler", "exponential_euler", "rk4")
MOST_SUBSTEPS = 64
# What the value of a parameter `must_be`, and how a message says it.
SIGNS = {"positive": "a value above 0", "not negative": "at least 0", "whole": "a whole number"}
# The arithmetic of a model in whole numbers: how a chip treats the weights that reach it.
FIXED_POINT = ("lava010", "loihi1")


_OUTSIDE = {"positive": lambda x: x <= 0, "not negative": lambda x: x < 0, "whole": lambda x: x != np.rint(x)}


@dataclass(frozen=True)
class Parameter:
    """A parameter with its default in the coherent system (None: it must be given). must_be: of ``SIGNS``, or empty.

    low, high: the range of its values.
    """

    default: float | None
    dimension: Dimension
    about: str = ""
    must_be: str = ""
    low: float = -math.inf
    high: float = math.inf

    def check(self, value: float | npt.NDArray[np.float64]) -> None:
        """``InputError`` where a value (or one of an array [units]) is none of those that the parameter may have."""
        values = np.asarray(value, float)
        if self.must_be and np.any(wrong := _OUTSIDE[self.must_be](values)):
            self._refuse(wrong, values, SIGNS[self.must_be])
        if np.any(wrong := (values < self.low) | (values > self.high)):
            ends = (to_text(end, self.dimension) for end in (self.low, self.high))
            self._refuse(wrong, values, "a value from {} to {}".format(*ends))

    def _refuse(self, wrong: npt.NDArray[np.bool_], values: npt.NDArray[np.float64], expected: str) -> NoReturn:
        first = int(np.argmin(np.where(wrong, values, np.inf)))
        where = f" for unit {first}" if values.ndim else ""
        raise InputError(f"expected {expected}, found {to_text(float(values.flat[first]), self.dimension)}{where}")


@dataclass(frozen=True)
class Port:
    """Where spikes arrive. dimension: of the weight; negative: weights must be <= 0, since they are subtracted."""

    dimension: Dimension
    negative: bool = False


@dataclass(frozen=True)
class Jump:
    """``state += factor * arrivals of port``; the factor sees the values after integration."""

    port: str
    state: str
    factor: Expr


@dataclass(frozen=True)
class Refractory:
    """For how many steps (a whole number, hoistable), and the states that keep their value meanwhile."""

    steps: Expr
    held: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """How the differential equations are advanced."""

    name: str = "exact"
    substeps: int = 1
    spike_test: bool = False


@dataclass
class Rules:
    """One model. Trees hold `state(x)` for the current value and `before(x)`, `following(x)` for the other two.

    relative: states that are stored as the difference from an expression of parameters. fixed_point: of
    ``FIXED_POINT``, where all is computed in whole numbers, or empty. payload: of a spike, None where it has none.
    """

    parameters: dict[str, Parameter] = field(default_factory=dict)
    states: dict[str, Dimension] = field(default_factory=dict)
    drives: dict[str, Dimension] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    derivatives: dict[str, Expr] = field(default_factory=dict)
    maps: dict[str, Expr] = field(default_factory=dict)
    jumps: list[Jump] = field(default_factory=list)
    spike: Expr | None = None
    reset: dict[str, Expr] = field(default_factory=dict)
    refractory: Refractory | None = None
    method: Method = Method()
    outputs: dict[str, tuple[Expr, Dimension]] = field(default_factory=dict)
    initial: dict[str, Expr] = field(default_factory=dict)
    relative: dict[str, Expr] = field(default_factory=dict)
    fixed_point: str = ""
    payload: Expr | None = None


def before(name: str) -> Expr:
    """The value of a state before the step, where a rule sees later ones."""
    return state(f"previous {name}")


def following(name: str) -> Expr:
    """The new value of a map, on the lines after it."""
    return state(f"next {name}")
