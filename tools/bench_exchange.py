"""What an exchange between MPI ranks costs by itself, and what does not fall with their number: for ``bench_mpi.py``.

Run by mpirun it measures the exchange of its ranks, on the engine's own ``Exchange`` and its compiled loops, and the
first rank prints a line of JSON for each number of spikes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

COLUMNS = {"ranks": "ranks", "spikes": "spikes/rank", "bytes": "bytes/rank", "code_us": "code us",
           "begin_us": "begin us", "wait_us": "wait us", "decode_us": "decode us", "all_us": "all us"}
LOOP_COLUMNS = {"table_mb": "table MB", "list_ns": "look-up ns/spike", "piece_ns": "ns/piece", "event_ns": "ns/event",
                "ring_piece_ns": "ns/row of a ring", "ring_ns": "ns/event of a ring", "gather_ns": "gather ns/spike"}
SPIKES = (0, 10, 100, 1000, 10000)
APART = 300             # how much larger a unit's number is than that of the spike before: two bytes
EPOCH = 10              # steps that an exchange tells of

Work = dict[str, Any]


def exchange() -> None:
    """Measure the exchange of these ranks, and let the first one print it."""
    from mpi4py import MPI

    from snnsim.world import Ranks

    world = Ranks(MPI.COMM_WORLD)
    for spikes in SPIKES:
        found = exchanged(world, spikes)
        if world.leads:
            print(json.dumps(found), flush=True)


def exchanged(world: Any, spikes: int, turns: int = 2000) -> Work:
    """Medians over the exchanges, in microseconds, of the slowest rank; of coding, means of a compiled loop."""
    from snnsim.backends.cpu.exchange import Exchange
    from snnsim.backends.cpu.exchange_kernels import OFFSETS, PEAK, RECEIVED, code, decode

    ids = (np.arange(max(1, world.size * spikes), dtype=np.int32) * APART)[None].repeat(2, axis=0)
    nothing, marks = np.zeros((2, 0), np.int64), np.zeros((2, EPOCH + 1), np.int64)
    marks[0] = np.arange(EPOCH + 1) * spikes // EPOCH
    it = Exchange(world, 1, max(1, spikes), EPOCH, 0, False)
    it.head[:2] = code(it.out, ids, nothing, marks, 1, 0, EPOCH)
    it.head[2] = 0
    it.state[PEAK] = it.head[0]     # what `receive` would note, which makes blocks long enough
    it._resize(int(it.head[0]))
    took = np.array([alternately(it) for _ in range(turns)])[turns // 10 :]
    begin, wait = np.median(took, axis=0) * 1e6
    marks[1] = 0
    coding = repeated(code, it.out, ids, nothing, marks, 1, 0, EPOCH)
    decoding = repeated(decode, it._rows[RECEIVED], it._rows[OFFSETS], world.rank, ids, nothing, marks, 1, 0, EPOCH)
    found = {"code_us": coding, "begin_us": begin, "wait_us": wait, "decode_us": decoding}
    slowest = world.most(*(round(value * 1e6) for value in found.values()))
    named = dict(zip(found, (value / 1e6 for value in slowest), strict=True))
    return {"ranks": world.size, "spikes": spikes, "bytes": int(it._blocks.shape[1]), **named,
            "all_us": sum(named.values())}


def alternately(it: Any) -> tuple[float, float]:
    """Seconds of beginning and of waiting."""
    began = time.perf_counter()
    it._begin()
    between = time.perf_counter()
    it._wait()
    return between - began, time.perf_counter() - between


def repeated(function: Any, *arguments: Any) -> float:
    """Microseconds of one call from compiled code."""
    from numba import njit

    @njit
    def loop(times, given):  # type: ignore[no-untyped-def]
        for _ in range(times):
            function(*given)

    loop(1, arguments)
    times, took = 1, 0.0
    while took < 0.02:
        times *= 2
        began = time.thread_time()
        loop(times, arguments)
        took = time.thread_time() - began
    return took / times * 1e6


# --- what does not fall with the ranks --------------------------------------------------------------------------------

def loops() -> Iterator[Work]:
    """One thread: looking up where synapses are by the size of the table, delivering them, handing spikes on."""
    piece_ns, event_ns = delivered()
    rest = {"piece_ns": piece_ns, "event_ns": event_ns, "gather_ns": gathered()}
    rest |= zip(("ring_piece_ns", "ring_ns"), ringed(), strict=True)
    for sources in (10_000, 1_000_000, 5_000_000, 100_000_000):
        yield {"table_mb": sources * 4 / 1e6, "list_ns": looked_up(sources), **rest}
        rest = {}


def fastest(actions: list[Callable[[], Any]]) -> float:
    """Seconds of the lower quartile of some that cost the same: the machine may have other work."""
    took = []
    for action in actions:
        began = time.thread_time()
        action()
        took.append(time.thread_time() - began)
    return float(np.quantile(took, 0.25))


def looked_up(sources: int, spikes: int = 20_000) -> float:
    """Nanoseconds of a spike that reaches nothing."""
    from snnsim.backends.cpu.kernels import list_parts

    rows, parts = np.zeros(sources + 1, np.uint32), np.zeros((3, 512), np.int64)
    draws = [np.random.default_rng(k).integers(0, sources, spikes).astype(np.int32) for k in range(20)]
    return fastest([partial(list_parts, rows, 1, 0, ids, 0, spikes, parts, 0) for ids in draws]) / spikes * 1e9


def delivered(synapses: int = 50_000_000, places: int = 40_000) -> tuple[float, float]:
    """Nanoseconds of a piece and of an event in it, from pieces of 1 and of 50 synapses anywhere."""
    from snnsim.backends.cpu.kernels import deliver_pairs

    rng, took = np.random.default_rng(1), {}
    targets, acc = rng.integers(0, places, synapses).astype(np.uint32), np.zeros(places, np.int32)
    for length in (1, 50):
        parts = np.zeros((200, 3, 512), np.int64)
        parts[:, 0] = np.sort(rng.integers(0, synapses - 50, (200, 512)))   # as spikes of a step are by unit
        parts[:, 1] = parts[:, 0] + length
        actions = [partial(deliver_pairs, acc, targets, np.zeros(0, np.int64), each, 512) for each in parts]
        took[length] = fastest(actions) / 512 * 1e9
    event = (took[50] - took[1]) / 49
    return took[1] - event, event


def ringed(synapses: int = 20_000_000, places: int = 10_000, steps: int = 65) -> tuple[float, float]:
    """Nanoseconds of a row and of an event in it whose delay is one of 64, from rows of 1 and of 50 synapses."""
    from snnsim.backends.cpu.kernels import deliver_ring

    rng, took = np.random.default_rng(1), {}
    targets, delays = (rng.integers(0, most, synapses).astype(np.uint16) for most in (places, steps - 1))
    weights, ring = np.ones(synapses, np.int16), np.zeros((steps, places), np.int32)
    for length in (1, 50):
        rows = np.arange(0, synapses + 1, length, dtype=np.uint32)
        ids = np.sort(rng.integers(0, rows.size - 1, (50, 500))).astype(np.int32)
        given = (ring, rows, targets, weights, delays, 7)
        took[length] = fastest([partial(deliver_ring, *given, each, 0, 500) for each in ids]) / 500 * 1e9
    event = (took[50] - took[1]) / 49
    return took[1] - event, event


def gathered(spikes: int = 400_000, steps: int = 2000, parts: int = 4) -> float:
    """Nanoseconds of a spike that a chunk hands on: sorted with the others and counted, in each process."""
    from snnsim.backends.cpu.spikes import SpikeLists

    neurons, lists = 100_000, SpikeLists(parts, 100_000, 1, spikes // parts)
    lists.open(0, steps)
    for t in range(parts):
        lists.ids[t, : spikes // parts] = np.arange(spikes // parts) * 7919 % (neurons // parts) + t * neurons // parts
    lists.start[:, 1:] = np.arange(1, steps + 1) * (spikes // parts) // steps
    population = np.zeros(neurons, np.uint8)
    return fastest([lambda: np.bincount(population[lists.gather(steps, steps).unit])] * 8) / spikes * 1e9


if __name__ == "__main__":
    exchange()
