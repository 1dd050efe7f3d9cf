"""Steps that are too long for an explicit method, found before a run.

Euler's and the Runge-Kutta method make x' = -r x grow instead of decay where r times the step is above a limit. That is
decided for every variable whose rate r depends on parameters alone; others show in a run, as a number that overflows.

Source: Hairer E, Wanner G (1996) Solving Ordinary Differential Equations II, section IV.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from snnsim.equations.expr import ZERO, Expr, make, state
from snnsim.equations.host import Table
from snnsim.equations.integrate import Equations
from snnsim.equations.linear import NotLinearError, in_one
from snnsim.equations.rules import MOST_SUBSTEPS, Rules
from snnsim.errors import InputError
from snnsim.ir.ops import Op

# The largest product of rate and step with which a method does not make a decaying variable grow; others have none.
LIMITS = {"euler": 2.0, "rk4": 2.785293563405282}
_ROUNDING = 1 + 1e-12


class Stability:
    """The rates at which the variables of a model decay, as far as parameters alone decide them."""

    def __init__(self, rules: Rules) -> None:
        equations = Equations(rules.derivatives)
        self._method, self._linear = rules.method, not equations.nonlinear
        # What is linear by itself enters rk4 with its exact values.
        stepped = {"euler": equations.derivatives, "rk4": equations.nonlinear}.get(rules.method.name, {})
        rates = {name: _rate(name, right) for name, right in stepped.items()}
        self._rates = Table({name: rate for name, rate in rates.items() if rate is not None})

    def check(self, values: Mapping[str, float | np.ndarray], dt: float) -> None:
        """``InputError`` naming the first variable for which a (sub-)step of `dt` (ms) is too long.

        values: all parameters, and dt.
        """
        for name, rate in self._rates.evaluate(values).items():
            if (largest := float(np.max(rate, initial=0.0))) * self._step(dt) > LIMITS[self._method.name] * _ROUNDING:
                unit = f" (unit {int(np.argmax(rate))})" if np.ndim(rate) else ""
                raise InputError(self._fault(name, largest, dt, unit))

    def _step(self, dt: float) -> float:
        return dt / self._method.substeps

    def _fault(self, name: str, rate: float, dt: float, unit: str) -> str:
        method, limit = self._method.name, LIMITS[self._method.name]
        steps = f"{'sub-' if self._method.substeps > 1 else ''}steps of {self._step(dt):.4g} ms"
        return (f"{method} is unstable with {steps}: {name} decays with a time constant of {1 / rate:.4g} ms{unit} and "
                f"needs at most about {limit / rate:.3g} ms; "
                f"choose a smaller dt{self._other_methods(rate * dt / limit)}")

    def _other_methods(self, least: float) -> str:
        """least: so many sub-steps are needed."""
        count, other = math.ceil(least), "exact" if self._linear else "exponential_euler"
        finer = f", integrate: {{{self._method.name}: {count}}}" if count <= MOST_SUBSTEPS else ""
        return f"{finer} or integrate: {other}"


def _rate(name: str, right: Expr) -> Expr | None:
    """r in x' = a - r x, where it depends on parameters alone."""
    try:
        _, slope = in_one(right, state(name))
    except NotLinearError:
        return None
    return make(Op.NEG, slope) if slope.hoistable and slope is not ZERO else None
