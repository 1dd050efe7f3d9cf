"""The time grid: dt, durations, intervals and delays."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from snnsim.distributions import Array, Discrete, Value
from snnsim.distributions.spec import quantity
from snnsim.errors import InputError, Problem
from snnsim.units import TIME, to_text

MAX_STEPS = 2**33   # steps are counted in 35 bits by the random numbers
CLOSE = 1e-6        # in steps: nearer to a whole number than this is meant to be it


def read_dt(text: Any) -> float:
    """The length of a step in ms."""
    dt = quantity(text, TIME)
    if dt <= 0:
        raise InputError(f"expected a time above 0, found {text}")
    return dt


def read_steps(text: Any, dt: float, notes: list[str], place: str) -> int:
    """A duration or an interval in whole steps, at least 1; rounding is said in `notes`."""
    time = quantity(text, TIME, dt)
    if time <= 0:
        raise InputError(f"expected a time above 0, found {text}")
    if time / dt > MAX_STEPS:
        raise InputError(f"expected at most {MAX_STEPS} steps of {to_text(dt, TIME)}, found {text}")
    return round_steps(time, dt, notes, place)


def round_steps(time: float, dt: float, notes: list[str], place: str) -> int:
    """`time` in the nearest number of steps, at least 1; rounding is said in `notes`."""
    steps = max(1, math.floor(time / dt + 0.5))
    if abs(time / dt - steps) > CLOSE:
        many = "1 step" if steps == 1 else f"{steps} steps"
        notes.append(f"{place}: {to_text(time, TIME)} is rounded to {many}, {to_text(round(steps * dt, 9), TIME)}")
    return steps


def check_range(latest: float, dt: float, path: str = "") -> None:
    """``InputError`` at `path` where a time in ms lies beyond the steps that can be counted."""
    if latest / dt > MAX_STEPS:
        text = f"expected at most {MAX_STEPS} steps of {to_text(dt, TIME)}, found {to_text(latest, TIME)}"
        raise InputError(Problem(path, text))


def check_delay(delay: Value, dt: float) -> None:
    """``InputError`` where a delay could be negative, is 0 for some synapses only, or longer than any run."""
    check_range(delay.high, dt)
    if delay.low < 0:
        advice = "" if delay.constant is not None or delay.size else "; give the distribution a 'low:' bound"
        raise InputError(f"expected a delay of at least 0 ms, found {to_text(delay.low, TIME)}{advice}")
    if delay.low == 0 and isinstance(delay, (Array, Discrete)):
        raise InputError("expected delays above 0 ms, or 0 ms for all synapses, found 0 ms for some of them")


def cycle(edges: Iterable[tuple[str, str]], source: str, target: str) -> list[str] | None:
    """The cycle that a further edge source -> target closes, from source to source; None where it closes none."""
    after: dict[str, list[str]] = {}
    for a, b in edges:
        after.setdefault(a, []).append(b)
    paths, seen = [[target]], {target}
    while paths:
        path = paths.pop(0)
        if path[-1] == source:
            return [source, *path]
        for name in after.get(path[-1], []):
            if name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return None
