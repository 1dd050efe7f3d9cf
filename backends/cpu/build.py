"""Lays out the arrivals of a thread, and chooses the bundles that its synapses are packed in.

Each thread owns a slice of every population. The arrivals at all ports of its slices are one vector of whole numbers,
the *places*. A bundle is some projections that can be delivered by one loop: targets in 16 bits where
the places fit, weights per source where all its synapses share one, else 16 to 64 bits each. Where both take 16 bits,
they share one word.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from snnsim.errors import InputError, Problem
from snnsim.plan import Plan, Projection
from snnsim.slices import Slices

WINDOW = 1 << 16
_MOST_GROUPS = 64
_MOST_TABLE = 1 << 24   # bytes of a table of rows that may be larger than the synapses
_MOST_EPOCH = 64
_ROOM = 1 << 22
_MOST_PLACES = 1 << 32  # a target has 32 bits at most


def meeting_interval(plan: Plan, slices: Slices) -> int:
    """Steps between two meetings of the threads: the smallest delay, or fewer, so that their spikes fit.

    What plastic synapses send sets out when the axonal part of their delay has passed.
    """
    if any(p.level for p in plan.populations):
        return 1
    dendritic = [p.delays[0] - p.plastic.axonal for p in plan.projections if p.plastic is not None]
    return max(1, min(plan.min_delay, *dendritic, _MOST_EPOCH, _ROOM // max(1, slices.most)))


@dataclass
class Places:
    """Where the arrivals of (population, port) lie: [base, base + units of the thread), and in which window."""

    segments: list[tuple[int, str]]
    window: dict[tuple[int, str], int]
    base: list[dict[tuple[int, str], int]]
    windows: list[list[tuple[int, int]]]
    totals: list[int]


def lay_out(plan: Plan, slices: Slices) -> Places:
    """Segments ordered by port, so that what one source population reaches tends to share a window of 2^16 places."""
    ports = [(number, k, name) for k, p in enumerate(plan.populations) for number, name in enumerate(p.ports)]
    segments = [(k, name) for _, k, name in sorted(ports)]
    window: dict[tuple[int, str], int] = {}
    used = WINDOW + 1
    for segment in segments:
        size = slices.largest(segment[0])
        used += size
        if used > WINDOW:
            used = size
            window[segment] = max(window.values(), default=-1) + 1
        else:
            window[segment] = max(window.values())
    return _measured(slices, segments, window)


def _measured(slices: Slices, segments: list[tuple[int, str]], window: dict[tuple[int, str], int]) -> Places:
    places = Places(segments, window, [], [], [])
    for thread in range(slices.parts):
        sizes = [slices.size(k, thread) for k, _ in segments]
        ends = np.cumsum([0, *sizes])
        places.base.append({s: int(ends[i]) for i, s in enumerate(segments)})
        count = max(window.values(), default=-1) + 1
        members = [[i for i, s in enumerate(segments) if window[s] == w] for w in range(count)]
        places.windows.append([(int(ends[m[0]]), int(ends[m[-1] + 1])) for m in members])
        places.totals.append(int(ends[-1]))
    if (most := max(places.totals)) > _MOST_PLACES:
        raise InputError(Problem("threads", f"each would have {most:,} inputs of units, expected at most "
                                            f"{_MOST_PLACES:,}; more threads or processes have fewer each"))
    return places


@dataclass
class Bundle:
    """Projections that one loop delivers.

    window: number, or -1 for all places. delays: the groups, in steps. graded: payloads multiply the weights.
    """

    kind: str
    window: int
    level: int
    delays: list[int]
    graded: bool = False
    projections: list[Projection] = field(default_factory=list)
    row_weight: dict[int, int] = field(default_factory=dict)

    @property
    def groups(self) -> int:
        return 1 if self.kind == "ring" else len(self.delays)


def make_bundles(plan: Plan, places: Places, parts: int) -> list[Bundle]:
    """Group the projections of a network. parts: threads of all processes."""
    bundles: list[Bundle] = []
    for projection in (p for p in plan.projections if p.spiking):
        kind, level = _kind(plan, projection, parts), plan.populations[projection.target].level
        for low, high in [(0, 0), (1, projection.delays[1])] if projection.delays[0] == 0 else [projection.delays]:
            if high >= low:
                _place(plan, bundles, places, projection, kind, level if high == 0 else -1, range(low, high + 1))
    return bundles


def _kind(plan: Plan, projection: Projection, parts: int) -> str:
    if _scattered(projection.delays, projection.bound.synapses, plan.populations[projection.source].n, parts):
        return "ring"
    return "rows" if projection.constant_weight else "synapses"


def _scattered(delays: tuple[int, int], synapses: int, sources: int, parts: int) -> bool:
    """Whether most pieces of rows, one for each source and delay, would be empty in a part of the network.

    Among many parts each has few synapses of a source; a large table of pieces would then take more than they do.
    """
    groups, per_source = delays[1] - delays[0] + 1, synapses / max(1, sources)
    few = groups > 4 * per_source / parts and 4 * sources * groups > _MOST_TABLE
    return groups > max(_MOST_GROUPS, per_source) or (few and groups > 1)


def _fits_pair(plan: Plan, places: Places, projection: Projection, window: int) -> bool:
    """Places and weights take 16 bits each; a population of more units than that has a window of its own."""
    ports = plan.populations[projection.target].ports
    small = window >= 0 and all(end - base <= WINDOW for base, end in (each[window] for each in places.windows))
    return small and all(ports[name].stored == 16 for name in projection.ports)


def _place(plan: Plan, bundles: list[Bundle], places: Places, projection: Projection, kind: str, level: int,
           delays: range) -> None:
    windows = {places.window[projection.target, port] for port in _reached(projection)}
    window = windows.pop() if len(windows) == 1 else -1
    kind = "pairs" if kind == "synapses" and _fits_pair(plan, places, projection, window) else kind
    weight, graded = _row_weight(projection) if kind == "rows" else 0, plan.multiplied(projection)
    for bundle in bundles:
        same = (bundle.kind, bundle.window, bundle.level, bundle.graded) == (kind, window, level, graded)
        if same and bundle.row_weight.get(projection.source, weight) == weight:
            break
    else:
        bundle = Bundle(kind, window, level, [], graded)
        bundles.append(bundle)
    bundle.projections.append(projection)
    bundle.row_weight[projection.source] = weight
    # A ring needs the longest one only, and its range may hold millions.
    bundle.delays = sorted({*bundle.delays, *((delays[0], delays[-1]) if kind == "ring" else delays)})


def _reached(projection: Projection) -> set[str]:
    """The ports that the weights' signs can choose."""
    weight = projection.weight
    first = {projection.ports[0]} if weight.high >= 0 else set()
    return first | ({projection.ports[1]} if weight.low < 0 else set())


def _row_weight(projection: Projection) -> int:
    weight = projection.weight.constant
    assert weight is not None
    return int(projection.in_quanta(weight)[1])
