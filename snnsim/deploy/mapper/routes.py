"""Where spikes go: for each unit the different places (cores, or pieces of groups) that it has synapses on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from snnsim.cachefolder import compiled
from snnsim.deploy.mapper.wiring import Outgoing


class Routes(NamedTuple):
    """start: int64 [units + 1], where the places of a unit begin in `place`; place: int32 [routes]."""

    start: np.ndarray
    place: np.ndarray

    @property
    def many(self) -> np.ndarray:
        """How many places each unit sends to, int64 [units]."""
        return np.diff(self.start)

    @property
    def unit(self) -> np.ndarray:
        """The unit of each route, int64 [routes]."""
        return np.repeat(np.arange(self.start.size - 1), self.many)


def routes(wires: Outgoing, place: np.ndarray) -> Routes:
    """The routes of each unit. place: int32 [units], where each is; -1 for those that are nowhere."""
    seen, none = np.full(place.max(initial=0) + 1, -1), np.empty(0, np.int32)
    many = np.zeros(place.size, np.int64)
    _walk(wires.start, wires.target, place, seen, many, none)
    start = np.concatenate([[0], np.cumsum(many)])
    found = np.empty(start[-1], np.int32)
    seen[:] = -1
    _walk(wires.start, wires.target, place, seen, many, found)
    return Routes(start, found)


@compiled("deploy")
def _walk(start, target, place, seen, many, found):  # type: ignore[no-untyped-def]
    """Count the places of each unit, and note them where there is room for them."""
    at = 0
    for unit in range(many.size):
        first = at
        for k in range(start[unit], start[unit + 1]):
            here = place[target[k]]
            if here >= 0 and seen[here] != unit:
                seen[here] = unit
                if found.size > 0:
                    found[at] = here
                at += 1
        many[unit] = at - first
