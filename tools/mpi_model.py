"""What a network costs over many ranks, from what its parts cost on one machine: ``tools/bench mpi --model``.

The costs below are measured by ``tools/bench mpi --exchange``; how ranks on other machines reach each other is what others
have published. See docs/design/mpi.md for what is checked and what is extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

COLUMNS = {"network": "network", "ranks": "ranks", "update": "update", "events": "events", "pieces": "pieces",
           "lookup": "look-up", "calls": "calls", "latency": "latency", "bytes": "bytes", "coding": "coding",
           "gather": "gather", "rtf": "RTF", "most": "most of it"}
MEMORY_COLUMNS = {"network": "network", "ranks": "ranks", "synapses": "synapses", "tables": "row tables", "whole": "all units",
                  "states": "states", "spikes": "spikes", "blocks": "blocks", "gb": "GB/rank", "most": "most of it"}
CHECK_COLUMNS = {"network": "network", "ranks": "ranks x threads", "predicted": "predicted CPU s", "measured": "measured CPU s",
                 "predicted_mb": "predicted synapses MB", "synapse_mb": "measured synapses MB", "rtf": "measured RTF"}
SHORT, LONG = 80 << 10, 512 << 10   # bytes of all blocks from which MPICH gathers in other ways


@dataclass(frozen=True)
class Costs:
    """Of one core, in ns, of one AMD EPYC (Zen 5); per unit and step, per event, per piece of a row, per spike and look-up
    in a table that the cache holds or not, per spike sent, received and handed on; per rank and step of an exchange.

    call: us of an exchange's calls; latency: us of a message; rate: bytes in a us.
    """

    update: float = 0.75
    event: float = 0.9
    piece: float = 15.0
    near: float = 3.6
    far: float = 32.0
    code: float = 2.0
    decode: float = 3.6
    head: float = 3.0
    gather: float = 50.0
    call: float = 4.0
    latency: float = 1.3
    rate: float = 7000.0


# InfiniBand between machines, Open MPI, 8 bytes and 64 KiB, as in gist.github.com/jfgrimm/3af692a5475bdd4ed836b5a18197a209
CLUSTER = replace(Costs(), latency=0.9, rate=11_600.0)


@dataclass(frozen=True)
class Case:
    """A network. rate: spikes in a second of a unit; indegree: synapses onto a unit; groups: looked up for each spike, over
    all bundles; shortest: the smallest delay in steps; stored: bytes of a synapse; drawn: numbers that each unit has of its
    own; states: of a unit; levels: of a step."""

    n: float
    rate: float
    indegree: float
    groups: int = 1
    shortest: int = 15
    stored: float = 2.0
    drawn: int = 1
    states: int = 2
    dt: float = 1e-4


CASES = {
    "brunel": Case(12_500, 32.2, 1250, 2, drawn=0),
    "microcircuit": Case(77_169, 3.25, 3873, 128, 1, 4.0, 1, 4),
    "million": Case(1e6, 9.0, 1000, 2),
    "1e8, one delay": Case(1e8, 4.0, 1e4, 2),
    "1e9, one delay": Case(1e9, 4.0, 1e4, 2),
    "1e9, 64 delays": Case(1e9, 4.0, 1e4, 128, 1, 4.0),
}
RANKS = {"brunel": (1, 4, 16, 64, 256), "microcircuit": (1, 4, 16, 64, 256, 1024), "million": (1, 16, 64, 256, 1024, 4096)}
MANY = (256, 1024, 4096, 16384, 65536)


def times(case: Case, ranks: int, threads: int = 1, costs: Costs = CLUSTER) -> dict[str, float]:
    """Seconds of a rank for a second of model time, by what they go into."""
    parts, spikes = ranks * threads, case.n * case.rate
    exchanges, steps = 1 / (case.dt * epoch(case, parts)), epoch(case, parts)
    length = case.indegree / case.groups / parts                        # synapses of a piece
    table = 4 * case.n * case.groups
    looked = costs.near if table < 1 << 20 else costs.far
    received = spikes * (1 - 1 / ranks)
    several = ranks > 1
    return {
        "update": case.n / case.dt / parts * costs.update * 1e-9,
        "events": spikes * case.indegree / parts * costs.event * 1e-9,
        "pieces": spikes * case.groups * (1 - math.exp(-length)) * costs.piece * 1e-9,
        "lookup": spikes * case.groups * looked * 1e-9,
        "calls": several * exchanges * costs.call * 1e-6,
        "latency": several * exchanges * hops(ranks, block(case, ranks, threads)) * costs.latency * 1e-6,
        "bytes": several * exchanges * ranks * block(case, ranks, threads) / costs.rate * 1e-6,
        "coding": several * (spikes / ranks * costs.code + received * costs.decode
                             + exchanges * (ranks - 1) * steps * costs.head) * 1e-9,
        "gather": spikes * costs.gather * 1e-9,
    }


def epoch(case: Case, parts: int) -> int:
    """Steps between two exchanges, as ``meeting_interval`` has it."""
    return max(1, min(case.shortest, 64, int((1 << 22) * parts / case.n)))


def block(case: Case, ranks: int, threads: int = 1) -> float:
    """Bytes that a rank sends at a time: half as many again as the longest message, 512 at least."""
    steps = epoch(case, ranks * threads)
    spikes = case.n * case.rate * case.dt * steps / ranks
    apart = 1 / (case.rate * case.dt)                                   # units from one spike of a step to the next
    each = 1 + sum(math.exp(-bound / apart) for bound in (1 << 6, 1 << 13, 1 << 20))
    return max(512.0, 1.5 * (24 + steps + (spikes + 3 * math.sqrt(spikes)) * each))


def hops(ranks: int, size: float) -> float:
    """Messages that a rank waits for, one after the other: MPICH doubles, or sends around a ring what is long."""
    return math.log2(ranks) if ranks * size < LONG else ranks - 1


def memory(case: Case, ranks: int, threads: int = 1, share: float = 0.2) -> dict[str, float]:
    """Bytes of a rank. share: seconds of work after which spikes are handed on."""
    rtf = sum(times(case, ranks, threads).values())
    synapses = case.n * case.indegree / ranks
    width = 4 if synapses / threads < 2**32 else 8
    spikes = case.n * case.rate * max(case.dt * epoch(case, ranks * threads), share / rtf)
    return {
        "synapses": synapses * case.stored, "tables": threads * width * case.n * case.groups,
        "whole": case.n * (1 + 12 * case.drawn) + threads * 16 * case.n,
        "states": case.n * 12 * case.states / ranks, "spikes": spikes * (4 * (threads + 1) + 40),
        "blocks": ranks * block(case, ranks, threads) if ranks > 1 else 0.0,
    }


def time_rows() -> Iterator[dict[str, Any]]:
    """Rows of seconds for a second of model time."""
    for name, case in CASES.items():
        for ranks in RANKS.get(name, MANY):
            found = times(case, ranks)
            yield {"network": name, "ranks": ranks, **found, "rtf": sum(found.values()), "most": most(found)}


def memory_rows() -> Iterator[dict[str, Any]]:
    """Rows of GB."""
    for name, case in CASES.items():
        for ranks in RANKS.get(name, MANY):
            found = {key: value / 1e9 for key, value in memory(case, ranks).items()}
            yield {"network": name, "ranks": ranks, **found, "gb": sum(found.values()), "most": most(found)}


def tables() -> Iterator[tuple[str, dict[str, str], list[dict[str, Any]]]]:
    """Title, columns and rows of each table."""
    yield "Predicted seconds of a rank with one thread for a second of model time:", COLUMNS, list(time_rows())
    yield "Predicted GB of a rank with one thread:", MEMORY_COLUMNS, list(memory_rows())


def most(found: dict[str, float]) -> str:
    """The largest."""
    return max(found, key=lambda key: found[key])
