"""What a network costs over many ranks, from what its parts cost on one machine: ``tools/bench mpi --model``.

Of the costs below, those of an exchange are what ``tools/bench mpi --exchange`` measures, those of a step what makes up
the times of one process (docs/design/cpu-engine.md); how ranks on other machines reach each other is what others have
published. See docs/design/mpi.md for what is checked and what is extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

COLUMNS = {"network": "network", "ranks": "ranks", "update": "update", "events": "events", "pieces": "pieces",
           "lookup": "look-up", "calls": "calls", "latency": "latency", "bytes": "bytes", "coding": "coding",
           "gather": "gather", "rtf": "RTF", "most": "most of it"}
MEMORY_COLUMNS = {"network": "network", "ranks": "ranks", "synapses": "synapses", "tables": "row tables",
                  "whole": "all units", "states": "states", "spikes": "spikes", "blocks": "blocks",
                  "gb": "GB/rank", "most": "most of it"}
CHECK_COLUMNS = {"network": "network", "ranks": "ranks x threads", "rtf": "RTF",
                 "synapse_mb": "synapses and tables MB/rank"}
LONG = 512 << 10        # bytes of all blocks from which MPICH passes them around a ring
WINDOW = 1 << 16        # units of a part that targets of two bytes can name
MOST_TABLE = 1 << 24    # bytes of a table of pieces that may be mostly empty


@dataclass(frozen=True)
class Costs:
    """Of one core, in ns, of an AMD EPYC (Zen 5).

    update: per unit and step; event: per synaptic event; piece: per piece of a row; ring_event, ring_piece: the same
    through a ring; near, far: per spike and look-up in a table that the cache holds or not; code, decode, gather: per
    spike sent, received and handed on; head: per rank and step of an exchange. call: us of an exchange's calls;
    latency: us of a message; rate: bytes in a us; meeting: us of threads.
    """

    update: float = 0.75
    event: float = 0.7
    piece: float = 12.0
    ring_event: float = 10.0
    ring_piece: float = 160.0
    near: float = 2.0
    far: float = 6.0
    code: float = 2.1
    decode: float = 3.1
    head: float = 3.0
    gather: float = 40.0
    call: float = 1.5
    latency: float = 1.5
    rate: float = 5000.0
    meeting: float = 1.0


# InfiniBand, Open MPI, messages of 8 bytes and of 64 KiB: gist.github.com/jfgrimm/3af692a5475bdd4ed836b5a18197a209
CLUSTER = replace(Costs(), latency=0.9, rate=11_600.0)


@dataclass(frozen=True)
class Case:
    """A network. rate: spikes in a second of a unit; indegree: synapses onto a unit; groups: looked up for each spike,
    over all bundles; shortest: the smallest delay in steps; stored: bytes of a synapse; drawn: numbers that each unit
    has of its own; states: of a unit; largest: share of the units that one population has; dt: s."""

    n: float
    rate: float
    indegree: float
    groups: int = 1
    shortest: int = 15
    stored: float = 2.0
    drawn: int = 1
    states: int = 2
    largest: float = 0.8
    dt: float = 1e-4


CASES = {
    "brunel": Case(12_500, 32.2, 1250, drawn=0),
    "microcircuit-0.1": Case(7717, 2.72, 387, 64, 1, 4.0, 1, 4, 0.28),
    "microcircuit": Case(77_169, 3.25, 3873, 64, 1, 4.0, 1, 4, 0.28),
    "million": Case(1e6, 9.0, 1000),
    "1e8, one delay": Case(1e8, 4.0, 1e4),
    "1e9, one delay": Case(1e9, 4.0, 1e4),
    "1e9, 64 delays": Case(1e9, 4.0, 1e4, 64, 1, 4.0),
}
FEW = (1, 4, 16, 64, 256, 1024)
MANY = (256, 1024, 4096, 16384, 65536)
RANKS = {"brunel": FEW, "microcircuit-0.1": FEW, "microcircuit": FEW, "million": (1, 16, 64, 256, 1024, 4096)}


def times(case: Case, ranks: int, threads: int = 1, costs: Costs = CLUSTER) -> dict[str, float]:
    """Seconds of a rank for a second of model time, by what they go into."""
    parts, spikes, several = ranks * threads, case.n * case.rate, ranks > 1
    steps, groups = epoch(case, parts), pieces_of(case, parts)
    exchanges, size = several / (case.dt * steps), block(case, ranks, threads)
    length = case.indegree / groups / parts                                   # synapses of a piece
    looked = costs.near if 4 * case.n * groups < 1 << 20 else costs.far
    ring = groups < case.groups
    event, piece = (costs.ring_event, costs.ring_piece) if ring else (costs.event, costs.piece)
    coded = spikes / ranks * costs.code + spikes * (1 - 1 / ranks) * costs.decode
    return {
        "update": case.n / case.dt / parts * costs.update * 1e-9,
        "events": spikes * case.indegree / parts * event * 1e-9,
        "pieces": spikes * groups * (1 - math.exp(-length)) * piece * 1e-9,
        "lookup": spikes * groups * looked * 1e-9,
        "calls": (exchanges * costs.call + (threads > 1) / (case.dt * steps) * costs.meeting) * 1e-6,
        "latency": exchanges * hops(ranks, size) * costs.latency * 1e-6,
        "bytes": exchanges * ranks * size / costs.rate * 1e-6,
        "coding": (several * coded + exchanges * (ranks - 1) * steps * costs.head) * 1e-9,
        "gather": spikes * costs.gather * 1e-9,
    }


def pieces_of(case: Case, parts: int) -> int:
    """Pieces of a row: one for each delay, or one where most would be empty and the synapses go through a ring."""
    empty = case.groups > 4 * case.indegree / parts and 4 * case.largest * case.n * case.groups > MOST_TABLE
    return 1 if empty else case.groups


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
    parts, rtf = ranks * threads, sum(times(case, ranks, threads).values())
    groups, synapses = pieces_of(case, parts), case.n * case.indegree / ranks
    ring = groups < case.groups
    stored = case.stored + 2 * ring + 2 * (case.largest * case.n / parts > WINDOW)
    width = 4 if synapses / threads < 2**32 else 8
    spikes = case.n * case.rate * max(case.dt * epoch(case, parts), share / rtf)
    return {
        "synapses": synapses * stored, "tables": threads * width * case.n * groups,
        "whole": case.n * (1 + 12 * case.drawn) + threads * 16 * case.n,
        "states": (12 * case.states + 4 * ring * (case.groups + 1)) * case.n / ranks,
        "spikes": spikes * (4 * (threads + 1) + 40),
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


def check_rows() -> Iterator[dict[str, Any]]:
    """What ``tools/bench mpi --pairs`` measures on one machine, as the model has it where each part has a core."""
    for name in ("brunel", "microcircuit-0.1", "microcircuit"):
        for ranks, threads in ((1, 1), (1, 2), (2, 1), (3, 1), (4, 1)):
            held = memory(CASES[name], ranks, threads)
            yield {"network": name, "ranks": f"{ranks} x {threads}",
                   "rtf": sum(times(CASES[name], ranks, threads, Costs()).values()),
                   "synapse_mb": (held["synapses"] + held["tables"]) / 1e6}


def tables() -> Iterator[tuple[str, dict[str, str], list[dict[str, Any]]]]:
    """Title, columns and rows of each table."""
    yield "Predicted for one machine:", CHECK_COLUMNS, list(check_rows())
    yield "Predicted seconds of a rank with one thread for a second of model time:", COLUMNS, list(time_rows())
    yield "Predicted GB of a rank with one thread:", MEMORY_COLUMNS, list(memory_rows())


def most(found: dict[str, float]) -> str:
    """The largest."""
    return max(found, key=lambda key: found[key])
