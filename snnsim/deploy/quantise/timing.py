"""Delays on the chip: by how many steps each population lags behind its float twin, so that all delays can be had.

On a chip an arrival acts on current and potential in one step, and a spike takes a step at least. A float population
whose arrivals move the current first and the potential one step later (`late` 1) is therefore reached one step later,
or runs one step ahead: what its twin does in step k it does in step k + lag. A delay d then takes

    d + late(target) + lag(target) - lag(source)

steps. Steps in which a Poisson input draws cannot be moved, so late + lag is 0 where one arrives. Lags are differences
under constraints; the smallest that satisfy all of them are found by relaxation (Bellman 1958; Cormen et al.,
Introduction to Algorithms, ch. 24).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

REFERENCE = ""   # stands for the clock


@dataclass(frozen=True)
class Edge:
    """``lag(target) - lag(source) >= least``; what: for a message."""

    source: str
    target: str
    least: int
    what: str = ""


def lags(wanted: Mapping[str, int], edges: Iterable[Edge]) -> dict[str, int] | list[Edge]:
    """Lags near `wanted` that satisfy all edges; the edges of a cycle that cannot be satisfied where there are none."""
    found = {REFERENCE: 0, **wanted}
    edges, by = list(edges), dict[str, Edge]()
    last = REFERENCE
    for _ in range(len(found) + 1):
        moved = False
        for edge in edges:
            least = found[edge.source] + edge.least
            if found[edge.target] < least:
                found[edge.target], by[edge.target] = least, edge
                last, moved = edge.target, True
        if not moved:
            return {name: lag - found[REFERENCE] for name, lag in found.items() if name != REFERENCE}
    return _cycle(last, by)


def _cycle(start: str, by: Mapping[str, Edge]) -> list[Edge]:
    """The edges of the cycle that is met on the way back from `start`."""
    seen: list[str] = []
    while start not in seen:
        seen.append(start)
        start = by[start].source
    return [by[name] for name in reversed(seen[seen.index(start):])]
