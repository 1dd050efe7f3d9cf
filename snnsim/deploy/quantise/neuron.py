"""A population as the recurrence that a chip's LIF computes, in real numbers.

    U[k] = fade U[k-1] + sum over ports of gain A[k - late]        V[k] = keep V[k-1] + U[k] + rise

V is the potential above its reset, U what the synaptic currents add to it in a step, A what arrives. Where an arrival
moves the current first and the potential in the step after (`late` 1), U[k] stands for the current of step k - 1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim.deploy.quantise.model import Form, Row, evaluate, listed
from snnsim.equations.expr import ZERO, Expr
from snnsim.equations.host import Values
from snnsim.errors import InputError, Problem, Problems
from snnsim.units import TIME, to_text

Numbers = Any   # a float, or float64 [n]
_SAME = 1e-9    # relative: what rounding makes of equal numbers


@dataclass(frozen=True)
class Neuron:
    """The numbers of the recurrence, floats or arrays [n].

    gains: port -> gain. threshold: in V, None for one that never spikes; strict: V must exceed it. reset: the potential
    at V = 0. refractory: steps. start: V in the beginning, and what the currents then add in the first step. currents:
    the states that U is made of, and the factor and offset that make their sum of U.
    """

    keep: Numbers
    fade: Numbers
    gains: Mapping[str, Numbers]
    late: int
    rise: Numbers
    threshold: Numbers | None
    strict: bool
    reset: Numbers
    refractory: Numbers
    start: tuple[Numbers, Numbers]
    currents: tuple[str, ...]
    current: tuple[Numbers, Numbers]

    @property
    def rest(self) -> Numbers:
        """Where V goes without arrivals; infinite without a leak."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.equal(self.rise, 0), 0.0, np.divide(self.rise, 1 - np.asarray(self.keep)))

    def at(self, steps: int) -> tuple[Numbers, Numbers]:
        """V and U so many steps after the beginning (before it, where negative), when nothing arrives."""
        v, first = self.start
        if steps > 0:
            u = first
            for _ in range(steps):
                v, u, before = self.keep * v + u + self.rise, self.fade * u, u
            return v, before
        u = _over(first, self.fade)
        for _ in range(-steps):
            v, u = np.where(np.equal(self.keep, 0), v, _over(v - u - self.rise, self.keep)), _over(u, self.fade)
        return v, u


def _over(x: Numbers, y: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.equal(y, 0), 0.0, np.divide(x, y))


def make_neuron(
    form: Form, values: Values, initial: Mapping[str, Numbers], drives: Mapping[str, Numbers], used: Collection[str]
) -> Neuron:
    """The recurrence of a population; ``InputError`` with every reason why it has none.

    values: parameters and dt. initial: of all states. drives: constant currents by the continuous input that they feed.
    used: ports where spikes arrive.
    """
    return _Maker(form, values, initial, drives, used).neuron()


class _Maker:
    """Puts the numbers of one population into the form of the recurrence."""

    def __init__(self, form: Form, values: Values, initial: Mapping[str, Numbers], drives: Mapping[str, Numbers],
                 used: Collection[str]) -> None:
        self.form, self.initial, self.drives, self.problems = form, initial, drives, Problems()
        self.dt = float(values["dt"])
        self.number = evaluate(dict(_trees(form)), values)
        self.used = sorted(used)
        self.live = [name for name in form.rows if name != form.potential and self._moves(name)]

    def neuron(self) -> Neuron:
        keep = self._own(self.form.potential)
        self._check_states(keep)
        fade = self._fade()
        gains, late = self._gains(fade)
        self._check_spikes()
        self.problems.check()
        reset, rise = self._reset(keep)
        first = self._sum(lambda name: self.initial[name] - self._level(name))
        start = self.initial[self.form.potential] - reset, first
        strict = self.form.threshold is not None and self.form.threshold.strict
        return Neuron(keep, fade, gains, late, rise, self._threshold(reset), strict, reset,
                      self.number.get("refractory", 0.0), start, tuple(self.live), self._current(fade, late))

    # --- what moves ---------------------------------------------------------------------------------------------------

    def _moves(self, name: str) -> bool:
        """Whether a state is ever anything but zero."""
        return any(self._is_fed(one) for one in _reached(self.form, name))

    def _is_fed(self, name: str) -> bool:
        arrives = any(np.any(self._of(name, "port", port)) for port in self.used)
        driven = np.any(self._constant(name)) or np.any(self._of(name, "state", self.form.potential))
        return arrives or bool(driven or np.any(self.initial[name]))

    def _of(self, name: str, kind: str, what: str) -> Numbers:
        return self.number.get(f"{name} {kind} {what}", 0.0)

    def _own(self, name: str) -> Numbers:
        return self._of(name, "state", name)

    def _constant(self, name: str) -> Numbers:
        """What is added to a state in every step."""
        drives = (self._of(name, "drive", drive) * value for drive, value in self.drives.items())
        return self._of(name, "constant", "1") + sum(drives)

    # --- currents -----------------------------------------------------------------------------------------------------

    def _check_states(self, keep: Numbers) -> None:
        for name in (self.form.potential, *self.live):
            own = keep if name == self.form.potential else self._own(name)
            if np.any(own < 0) or np.any(own > 1):
                worst = float(np.min(own) if np.any(own < 0) else np.max(own))
                expected = f"expected what is left of {name} after a step to be between 0 and 1 times what it was"
                self.problems.add(f"dynamics.{name}", f"{expected}, found {worst:g} times")
        for name in self.live:
            if others := [other for other in self.form.rows[name].states if self._feeds(other, name)]:
                expected = "expected a current that decays by itself"
                self.problems.add(f"dynamics.{name}", f"{expected}, found one that reads {listed(others)}")
            if name in self.form.resets:
                self.problems.add(f"reset.{name}", f"expected {name} to go on after a spike, found a reset of it")

    def _feeds(self, other: str, name: str) -> bool:
        """Whether a current is fed by another state."""
        moves = other == self.form.potential or self._moves(other)
        return other != name and moves and bool(np.any(self._of(name, "state", other)))

    def _fade(self) -> Numbers:
        """What is left of the currents after a step; 0 where there is none."""
        fades = {name: self._own(name) for name in self.live}
        first = next(iter(fades.values()), 0.0)
        if any(not _same(1 - np.asarray(fade), 1 - np.asarray(first)) for fade in fades.values()):
            times = listed(f"{self._time(fade)} of {name}" for name, fade in fades.items())
            self.problems.add("dynamics", f"expected one time constant for all synaptic currents, found {times}")
        endless = [name for name, fade in fades.items() if np.any(fade == 1) and np.any(self._constant(name))]
        for name in endless:
            text = "expected a current that settles, found one that a constant drives on"
            self.problems.add(f"dynamics.{name}", text)
        return first

    def _time(self, fade: Numbers) -> str:
        worst = float(np.min(fade))
        if not 0 < worst < 1:
            return f"no time constant ({worst:g} left after a step)"
        return to_text(float(f"{-self.dt / np.log(worst):.6g}"), TIME)

    def _sum(self, of: Any) -> Numbers:
        return sum((self._of(self.form.potential, "state", name) * of(name) for name in self.live), 0.0)

    def _level(self, name: str) -> Numbers:
        """Where a current settles without arrivals."""
        return _over(self._constant(name), 1 - np.asarray(self._own(name)))

    def _gains(self, fade: Numbers) -> tuple[dict[str, Numbers], int]:
        """What an arrival at each port adds to U, and how many steps late."""
        found = {port: self._gain(port, fade) for port in self.used}
        lates = {port: late for port, (_, late) in found.items()}
        if len(set(lates.values())) > 1:
            when = listed(f"{port} {'one step later' if late else 'at once'}" for port, late in lates.items())
            expected = f"expected all ports to act on {self.form.potential} in the same step"
            self.problems.add("receive", f"{expected}, found {when}")
        return {port: gain for port, (gain, _) in found.items()}, max(lates.values(), default=0)

    def _gain(self, port: str, fade: Numbers) -> tuple[Numbers, int]:
        now = self._of(self.form.potential, "port", port)
        then = self._sum(lambda name: self._of(name, "port", port))
        expected = f"expected arrivals that act on {self.form.potential}"
        if np.any(now) and not _same(then, now * fade):
            both = "found both in a ratio that one decaying current does not have"
            self.problems.add(f"receive.{port}", f"{expected} either at once, or through a current, {both}")
        if not np.any(now) and not np.any(then):
            self.problems.add(f"receive.{port}", f"{expected}, found none")
        return (now, 0) if np.any(now) else (then, 1)

    def _current(self, fade: Numbers, late: int) -> tuple[Numbers, Numbers]:
        """Factor and offset that make of U the sum of all currents (of the step before, where it is late); factor 0
        where they weigh differently."""
        weights = [self._of(self.form.potential, "state", name) for name in self.live]
        if not weights or not all(_same(weight, weights[0]) for weight in weights) or not np.all(weights[0]):
            return 0.0, 0.0
        return _over(1.0 if late else fade, weights[0]), sum((self._level(name) for name in self.live), 0.0)

    # --- spikes -------------------------------------------------------------------------------------------------------

    def _check_spikes(self) -> None:
        if self.form.threshold is not None and np.any(self.number["slope"] <= 0):
            expected = f"expected a spike where {self.form.potential} is high"
            self.problems.add("spike", f"{expected}, found one where it is low")

    def _threshold(self, reset: Numbers) -> Numbers | None:
        """Above the reset."""
        if self.form.threshold is None:
            return None
        height = _over(-np.asarray(self.number["offset"]), self.number["slope"]) - reset
        if np.any(height <= 0):
            unit = int(np.argmin(height)) if np.ndim(height) else 0
            found = f"found one {-np.min(height):g} below it for unit {unit}"
            raise InputError(Problem("spike", f"expected a threshold above the reset, {found}"))
        return height

    def _reset(self, keep: Numbers) -> tuple[Numbers, Numbers]:
        """The potential at V = 0, and what V gains in every step."""
        v = self.form.potential
        added = self._constant(v) + self._sum(self._level)
        rest = _over(added, 1 - np.asarray(keep))
        start = np.where(np.less(keep, 1), rest, self.initial[v])
        reset = start if self.form.reset is None else self.number["reset"]
        settled = np.isclose(reset, rest, rtol=_SAME, atol=0.0) & np.less(keep, 1)
        return _plain(reset), _plain(np.where(settled, 0.0, added - reset * (1 - np.asarray(keep))))

def _plain(value: Numbers) -> Numbers:
    return float(value) if np.ndim(value) == 0 else np.asarray(value, float)


def _same(a: Numbers, b: Numbers) -> bool:
    return bool(np.allclose(a, b, rtol=_SAME, atol=0.0))


def _reached(form: Form, name: str) -> list[str]:
    """The state and all that it depends on, but for the potential."""
    found, waiting = [name], [name]
    while waiting:
        waiting = [other for one in waiting for other in form.rows[one].states
                   if other not in found and other != form.potential]
        found += waiting
    return found


def _trees(form: Form) -> list[tuple[str, Expr]]:
    """All coefficients, by name."""
    trees = [tree for name, row in form.rows.items() for tree in _of_row(name, row)]
    if form.threshold is not None:
        trees += [("slope", form.threshold.slope), ("offset", form.threshold.offset)]
    if form.reset is not None:
        trees.append(("reset", form.reset))
    if form.refractory is not None:
        trees.append(("refractory", form.refractory.steps.args[0]))
    return trees


def _of_row(name: str, row: Row) -> list[tuple[str, Expr]]:
    kinds = {"state": row.states, "port": row.ports, "drive": row.drives,
             "constant": {} if row.constant is ZERO else {"1": row.constant}}
    return [(f"{name} {kind} {what}", tree) for kind, part in kinds.items() for what, tree in part.items()]
