"""Float networks beside what quantisation makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

import snnsim as sn


def time_constant(parts: int, dt: float = 0.1) -> str:
    """One that a chip has exactly: so many of 4096 parts decay in a step."""
    return f"{float(-dt / np.log(1 - parts / 4096))!r} ms"


def run_both(net: sn.Network, duration: str, backend: str = "reference", **options: Any) -> tuple[Any, sn.Result, sn.Result]:
    """What ``quantize`` gives, and the results of the float network and of the one in whole numbers."""
    found = sn.quantize(net, **options)
    return found, sn.run(net, duration, backend=backend), sn.run(found.network, duration, backend=backend)


def spikes(result: sn.Result, population: str, lag: int = 0) -> set[tuple[int, int]]:
    """(step, unit) of all spikes, `lag` steps later."""
    steps, ids = result.steps_of(population)
    return set(zip((steps + lag).tolist(), ids.tolist(), strict=True))


def same_spikes(found: Any, before: sn.Result, after: sn.Result) -> bool:
    """Whether every population spikes as in the float network, lags apart; False where nothing spikes."""
    pairs = [(spikes(before, name, found.lags[name]), spikes(after, name)) for name in before.populations]
    return all(one == other for one, other in pairs) and any(one for one, _ in pairs)


def errors(found: Any, before: sn.Result, after: sn.Result, population: str, variable: str = "v", shift: int = 0) -> Any:
    """By how much a trace is off, [units], up to the first spike of any population that only one network has."""
    scale, lag = found.scales[population, variable], found.lags[population] + shift
    last = len(before.trace(population, variable).data)
    for name in before.populations:
        differ = spikes(before, name, found.lags[name]) ^ spikes(after, name)
        last = min([last, *(step - 1 - max(0, found.lags[name]) for step, _ in differ)])
    rows = np.arange(max(0, -lag), last - max(0, lag))
    wanted = before.trace(population, variable).data.astype(float)[rows]
    got = after.trace(population, scale.variable).data[rows + lag] * scale.size + scale.offset
    return np.abs(wanted - got).max(axis=0)
