"""Builds a network on the device: the synapses of each bundle, in rows by source, and within a row by part.

The synapses are drawn twice, first to count them, then to put each into its place; between lie prefix sums. So what
stands in memory besides the result is a count for each source and part. The order of the synapses of a source onto one
part is left open: what they add up to is a sum of whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from snnsim.backends.cupy.build_job import JOB, Launcher
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.draw import Drawer, drawing_bytes
from snnsim.backends.cupy.layout import Bundle, Layout, WordLayout
from snnsim.plan import Plan, Projection, delay_steps
from snnsim.random import numpy_words

_NARROW = 1 << 16
_SAMPLE = 4096          # delays that tell how many lie in a bundle


@dataclass
class Table:
    """The synapses of a bundle onto own parts, arrays of the device.

    base: int64 [rows + 1], where the synapses of each source begin. at: uint16 or uint32 [rows, own parts + 1], where
    those onto each part begin within the row, and where the last end. words: [synapses] of ``WordLayout``; weights:
    int64 [synapses], where they are a column. row_weights: int32 or int64 [rows], where the weight is the source's.
    """

    base: Any
    at: Any
    words: Any
    weights: Any | None
    row_weights: Any | None


class Columns(NamedTuple):
    """Synapses of one projection, arrays [synapses] of the device, in the order of their sources.

    source, target: uint32, units of the populations. weight: real. delay: int32, steps. index: uint64, the number of
    the synapse, by which those of one pair and delay are ordered.
    """

    source: Any
    target: Any
    weight: Any
    delay: Any
    index: Any


class _Rows:
    """Counts the synapses of each row and part, then knows where each belongs.

    counts: uint32 [rows * parts]; once counted, the next free place of each part within the row.
    """

    def __init__(self, launch: Launcher, rows: int, parts: int) -> None:
        self.launch, self.rows, self.parts = launch, rows, parts
        self.xp = launch.device.xp
        self.counts = self.xp.zeros(rows * parts, np.uint32)
        self.base: Any = None

    def numbers(self) -> dict[str, int]:
        """What kernels need of this."""
        address = self.launch.device.address
        return {"counts": address(self.counts)} | ({} if self.base is None else {"base": address(self.base)})

    def settle(self) -> Any:
        """Prefix sums; returns where the parts begin within the rows, [rows, parts + 1]."""
        totals = self.counts.reshape(self.rows, self.parts).sum(axis=1, dtype=np.int64)
        self.base = self.xp.zeros(self.rows + 1, np.int64)
        self.base[1:] = self.xp.cumsum(totals)
        kind = np.uint16 if int(totals.max()) < _NARROW else np.uint32
        at = self.xp.empty((self.rows, self.parts + 1), kind)
        job = np.zeros(1, JOB)
        _fill(job, {"rows": self.rows, "parts": self.parts, "words": self.launch.device.address(at),
                    "bits": 8 * np.dtype(kind).itemsize, **self.numbers()})
        self.launch("snn_starts", job, self.rows)
        return at

    @property
    def total(self) -> int:
        return int(self.base[-1])


def build(device: Device, plan: Plan, layout: Layout, bundle: Bundle) -> Table:
    """The synapses of a bundle onto the parts of this device."""
    launch, xp, word = Launcher(device), device.xp, bundle.word
    rows = _Rows(launch, bundle.rows, len(layout.own))
    for projection in bundle.projections:
        _each(launch, layout, projection, "snn_count", {**_place(layout, bundle, projection), **rows.numbers()})
    at = rows.settle()
    words = xp.empty(rows.total, f"uint{word.bits}")
    weights = xp.empty(rows.total, np.int64) if word.column else None
    room = {"words": device.address(words)} if rows.total else {}
    if weights is not None and rows.total:
        room["weights"] = device.address(weights)
    for projection in bundle.projections if rows.total else ():
        _each(launch, layout, projection, "snn_place",
              {**_place(layout, bundle, projection), **_packing(word, bundle), **rows.numbers(), **room})
    device.synchronize()   # before the kernels are unloaded
    return Table(rows.base, at, words, weights, _row_weights(device, plan, layout, bundle))


def synapse_columns(device: Device, plan: Plan, layout: Layout, projection: Projection) -> Columns:
    """All synapses of a projection onto the parts of this device, with real weights; for plastic ones and couplings."""
    launch, xp, source = Launcher(device), device.xp, plan.populations[projection.source].n
    rows = _Rows(launch, source, len(layout.own))
    _each(launch, layout, projection, "snn_count", {"all_delays": 1, **rows.numbers()})
    rows.settle()
    kinds = (np.uint32, np.uint32, plan.dtype, np.int32, np.uint64)
    columns = Columns(*(xp.empty(rows.total, kind) for kind in kinds))
    if rows.total:
        kept = {f"kept_{name}": device.address(column) for name, column in columns._asdict().items()}
        sign = projection.plastic.sign if projection.plastic else 1
        bits = 8 * np.dtype(plan.dtype).itemsize
        _each(launch, layout, projection, "snn_keep", {"sign": sign, "bits": bits, **rows.numbers(), **kept})
    device.synchronize()
    return columns


def _each(launch: Launcher, layout: Layout, projection: Projection, kernel: str, numbers: dict[str, Any]) -> None:
    """Launch a kernel for all synapses of a projection."""
    for job in Drawer(launch, layout, projection).jobs():
        _fill(job, numbers)
        launch.draw(kernel, job)


def _fill(job: np.ndarray, numbers: dict[str, Any]) -> None:
    for name, value in numbers.items():
        job[name] = value


def _place(layout: Layout, bundle: Bundle, projection: Projection) -> dict[str, Any]:
    """Which synapses of a projection belong to a bundle, and where."""
    delays = bundle.delays[projection.label]
    places = [layout.place[projection.target, port] for port in projection.ports]
    return {"row": bundle.first_row[projection.source], "delays": delays, "all_delays": delays == projection.delays,
            "place": places, "quantum": projection.quanta, "two_ports": projection.ports[0] != projection.ports[1],
            **_fixed(projection)}


def _fixed(projection: Projection) -> dict[str, int]:
    """What makes whole numbers of mantissas."""
    if (it := projection.fixed) is None:
        return {}
    return {"fixed": 1, "lost": it.lost, "down": it.down, "shift": it.shift, "limit": it.limit or 0}


def _packing(word: WordLayout, bundle: Bundle) -> dict[str, int]:
    return {"bits": word.bits, "delay_from": bundle.delay, "delay_shift": word.target,
            "weight_shift": word.target + word.delay, "weighted": word.weight > 0}


def _row_weights(device: Device, plan: Plan, layout: Layout, bundle: Bundle) -> Any | None:
    if bundle.row_weight is None:
        return None
    weights = np.zeros(bundle.rows, np.int64 if layout.wide else np.int32)
    for source, weight in bundle.row_weight.items():
        first = bundle.first_row[source]
        weights[first : first + plan.populations[source].n] = weight
    return device.upload(weights)


def table_bytes(plan: Plan, layout: Layout, bundle: Bundle) -> int:
    """Bytes of the device that ``build`` takes at most at a time, an upper estimate.

    With R rows, P own parts and S synapses: S words, R (P + 1) places of parts (4 bytes), R P counts (4 bytes), R
    totals, their sums and R bases or weights (8 bytes each), and what one projection needs while it is drawn.
    """
    parts, rows = len(layout.own), bundle.rows
    share = sum(own_synapses(layout, p) * _within(p, *bundle.delays[p.label]) for p in bundle.projections)
    drawing = max((drawing_bytes(layout, projection) for projection in bundle.projections), default=0)
    return int(share * bundle.word.bytes) + rows * (4 * (parts + 1) + 4 * parts + 3 * 8) + drawing


def _within(projection: Projection, low: int, high: int) -> float:
    """The share of a projection's synapses with delays in [low, high] steps, which it hardly exceeds."""
    if (low, high) == projection.delays:
        return 1.0
    delays = delay_steps(projection.delay.sample(projection.stream("delay", numpy_words), _SAMPLE), projection.dt)
    share = float(np.mean((delays >= low) & (delays <= high)))
    return min(1.0, share + 5 * (share * (1 - share) / delays.size) ** 0.5 + 10 / delays.size)


def own_synapses(layout: Layout, projection: Projection) -> int:
    """Synapses of a projection onto own units, or what a random number of them hardly exceeds."""
    bound, (low, high) = projection.bound, layout.bounds(projection.target)
    mean = bound.synapses * (high - low) / max(1, bound.n_target)
    random = not bound.rule.exact or high - low < bound.n_target
    return min((high - low) * bound.max_indegree, int(mean + (10 * mean**0.5 + 30 if random else 0)))
