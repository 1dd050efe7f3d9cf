"""One network over MPI ranks: ``tools/bench mpi``.

Pairs: one process with several threads, and ranks of one thread, of the same network. Both are built before anything is
timed; then they do the same steps in turns, so that whatever else the machine does hits both alike.
Exchange: what its pieces cost by ranks and spikes, on the engine's own ``Exchange`` and its compiled loops.
The model that uses these figures is in ``mpi_model.py``.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

PAIR_COLUMNS = {
    "network": "network", "ranks": "ranks x threads", "beside": "beside", "rtf": "RTF", "ratio": "times the other",
    "spread": "from - to", "cpu_s": "CPU s/rank", "build_s": "build s", "peak_mb": "peak MB/rank",
    "synapse_mb": "synapses MB/rank", "other_mb": "other MB/rank", "exchanges": "exchanges/s", "begin_us": "begin us",
    "wait_us": "wait us", "uneven_us": "uneven us", "foreign": "other load",
}
PIECE_COLUMNS = {"ranks": "ranks", "spikes": "spikes/rank", "bytes": "bytes/rank", "code_us": "code us",
                 "begin_us": "begin us", "wait_us": "wait us", "decode_us": "decode us", "all_us": "all us"}
LOOP_COLUMNS = {"table_mb": "table MB", "list_ns": "look-up ns/spike", "piece_ns": "ns/piece", "event_ns": "ns/event",
                "ring_piece_ns": "ns/row of a ring", "ring_ns": "ns/event of a ring", "gather_ns": "gather ns/spike"}
SPIKES = (0, 10, 100, 1000, 10000)
APART = 300             # how much larger a unit's number is than that of the spike before: two bytes
EPOCH = 10              # steps that an exchange tells of
_POLL_S = 0.001

Work = dict[str, Any]


# --- one side of a pair: what every process of it does -----------------------------------------------------------------

def follow(case: dict[str, Any], threads: int, folder: Path) -> None:
    """Build a network, then run a piece of it whenever the other end asks for one."""
    import snnsim as sn
    from snnsim import configs
    from snnsim.launch import communicator

    net = sn.load(configs.path(case["config"]), [*case["overrides"], "precision=single"])
    program = sn.compile(net, backend="cpu", threads=threads, comm=communicator())
    program.run(f"{case['warm_up']} s")
    say(folder, program, "ready", built(program))
    for turn in range(case["turns"]):
        while not (folder / f"go-{turn}").exists():
            time.sleep(_POLL_S)
        say(folder, program, f"done-{turn}", piece(program, case["seconds"]))


def say(folder: Path, program: Any, name: str, what: Work) -> None:
    """Put what the first process knows where the other end looks for it."""
    if program.world.leads:
        (folder / "unfinished").write_text(json.dumps(what))
        (folder / "unfinished").rename(folder / name)


def built(program: Any) -> Work:
    """How long building took, and what each process holds."""
    from snnsim.runner import peak_mb

    memory = program.engine.memory()
    most = program.world.most(round(peak_mb() * 1000), memory["synapses"], memory["other"])
    return {"build_s": program.build_s, "peak_mb": most[0] / 1000, "synapse_mb": most[1] / 1e6, "other_mb": most[2] / 1e6}


def piece(program: Any, seconds: float) -> Work:
    """Run a piece; its wall-clock and CPU seconds, and what the exchanges took."""
    clock = Clock(program.engine)
    program.world.meet()
    spikes, busy, began = int(program.counts.sum()), time.process_time(), time.perf_counter()
    program.run(f"{seconds} s")
    wall, cpu = time.perf_counter() - began, time.process_time() - busy
    most = program.world.most(round(cpu * 1e9))[0] / 1e9
    return {"wall_s": wall, "cpu_s": most, "spikes": int(program.counts.sum()) - spikes, **clock.read(program.world)}


class Clock:
    """Notes how long each call of an engine's exchange takes; nothing where there is one process."""

    def __init__(self, engine: Any) -> None:
        from snnsim.backends.cpu.exchange_kernels import BEGIN, WAIT

        self.exchange, self.took = engine.exchange, {"begin": [], "wait": []}   # type: dict[str, list[float]]
        for name, number in (("begin", BEGIN), ("wait", WAIT)) if self.exchange else ():
            self.exchange._actions[number] = self._timed(getattr(self.exchange, f"_{name}"), self.took[name])

    @staticmethod
    def _timed(action: Callable[[], None], took: list[float]) -> Callable[[], None]:
        def timed() -> None:
            began = time.perf_counter()
            action()
            took.append(time.perf_counter() - began)

        return timed

    def read(self, world: Any) -> Work:
        """Microseconds: of sending; of waiting in the rank that waits least; and how much longer ranks wait on average,
        because others have more to do."""
        if not self.exchange:
            return {}
        begin, wait = (world.share(np.array(self.took[name])[None, :, None]) for name in ("begin", "wait"))
        least = wait.min(axis=-1)
        return {"exchanges": int(least.size), "begin_us": float(begin.mean()) * 1e6, "wait_us": float(least.mean()) * 1e6,
                "uneven_us": float((wait - least[..., None]).mean()) * 1e6, "block": int(self.exchange._blocks.shape[1])}


# --- the other end -------------------------------------------------------------------------------------------------------

class Side:
    """The processes of one side of a pair, which wait until they are asked for a piece."""

    def __init__(self, stack: ExitStack, case: dict[str, Any], ranks: int, threads: int) -> None:
        self.ranks, self.threads = ranks, threads
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        words = ["follow", json.dumps(case), str(threads), str(self.folder)]
        self.process = subprocess.Popen([*launcher(ranks), sys.executable, __file__, *words], stdin=subprocess.DEVNULL)
        stack.callback(self._end)
        self.facts = self._hear("ready")

    def _end(self) -> None:
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()

    def _hear(self, name: str) -> Work:
        while not (self.folder / name).exists():
            if self.process.poll() not in (None, 0):
                sys.exit(f"{self.ranks} ranks of {self.threads} threads ended with code {self.process.returncode}")
            time.sleep(_POLL_S)
        return dict(json.loads((self.folder / name).read_text()))

    def run(self, turn: int) -> Work:
        (self.folder / f"go-{turn}").touch()
        return self._hear(f"done-{turn}")


def launcher(ranks: int) -> list[str]:
    """What starts several processes: the mpirun beside this Python, or the first on the path."""
    beside = Path(sys.executable).with_name("mpirun")
    return [str(beside) if beside.exists() else "mpirun", "-n", str(ranks)] if ranks > 1 else []


def pairs(cases: dict[str, Any], options: Any, busy: Callable[[], float], quiet: Callable[[float], None],
          ) -> Iterator[Work]:
    """A row for each side of each pair: one process with as many threads as there are ranks, at most one per core."""
    for name in options.networks:
        case = {"config": cases[name].config, "overrides": cases[name].overrides, "warm_up": cases[name].warm_up,
                "turns": options.turns, "seconds": options.seconds or cases[name].seconds / 4}
        for ranks in options.ranks:
            with ExitStack() as stack:
                threads = min(ranks, os.cpu_count() or 1)
                sides = [Side(stack, case, 1, threads), Side(stack, case, ranks, 1)]
                quiet(options.patience)
                yield from compared(name, case, sides, busy)


def compared(name: str, case: dict[str, Any], sides: list[Side], busy: Callable[[], float]) -> Iterator[Work]:
    """Both sides in turns, and which goes first in turns, too."""
    found: list[list[Work]] = [[], []]
    for turn in range(case["turns"]):
        for which in (0, 1) if turn % 2 else (1, 0):
            found[which].append(loaded(sides[which], turn, busy))
    spikes = [[each["spikes"] for each in side] for side in found]
    if spikes[0] != spikes[1]:
        sys.exit(f"{name}: both sides shall spike alike, found {spikes}")
    ratios = [b["wall_s"] / a["wall_s"] for a, b in zip(*found, strict=True)]
    for which, side in enumerate(sides):
        yield row(name, case, side, sides[1 - which], found[which], ratios if which else [])


def loaded(side: Side, turn: int, busy: Callable[[], float]) -> Work:
    """A piece, with the cores that other processes used meanwhile: those of a side never take more than there are."""
    before, began = busy(), time.perf_counter()
    it = side.run(turn)
    used = (busy() - before) / (time.perf_counter() - began)
    return it | {"foreign": max(0.0, used - it["cpu_s"] * side.ranks / it["wall_s"])}


def row(name: str, case: dict[str, Any], side: Side, other: Side, found: list[Work], ratios: list[float]) -> Work:
    """Medians over the turns."""
    def middle(key: str) -> float | None:
        return statistics.median(it[key] for it in found) if key in found[0] else None

    seconds, count = case["seconds"], middle("exchanges")
    times = {key: middle(key) for key in ("begin_us", "wait_us", "uneven_us", "foreign")}
    few, many = (np.quantile(ratios, (0.25, 0.75)) if ratios else (None, None))
    return {
        "network": name, "ranks": f"{side.ranks} x {side.threads}", "beside": f"{other.ranks} x {other.threads}",
        "rtf": (middle("wall_s") or 0.0) / seconds, "cpu_s": (middle("cpu_s") or 0.0) / seconds, **times,
        "ratio": statistics.median(ratios) if ratios else None, "spread": f"{few:.3f} - {many:.3f}" if ratios else None,
        "exchanges": None if count is None else count / seconds, **side.facts,
    }


# --- the exchange alone --------------------------------------------------------------------------------------------------

def pieces(options: Any) -> Iterator[Work]:
    """Rows for each number of ranks, from processes of their own."""
    for ranks in options.ranks:
        done = subprocess.run([*launcher(ranks), sys.executable, __file__, "exchange"], stdout=subprocess.PIPE, text=True,
                              check=True)
        yield from map(json.loads, done.stdout.splitlines())


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


# --- what does not fall with the ranks -----------------------------------------------------------------------------------

def loops() -> Iterator[Work]:
    """One thread: looking up where a spike's synapses are by the size of the table, delivering pieces, taking spikes over."""
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


# --- all of it -----------------------------------------------------------------------------------------------------------

def tables(cases: dict[str, Any], options: Any, busy: Callable[[], float], quiet: Callable[[float], None],
           ) -> Iterator[tuple[str, dict[str, str], list[Work]]]:
    """Title, columns and rows of each table that is asked for; pairs and exchange where none is."""
    asked, cores = options.what or ["pairs", "exchange"], os.cpu_count() or 1
    shared = [ranks for ranks in options.ranks if ranks > cores]
    note = f"; figures of {', '.join(map(str, shared))} ranks are of time sharing" if shared else ""
    if "exchange" in asked:
        quiet(options.patience)
        yield f"One exchange of {EPOCH} steps, {cores} cores{note}:", PIECE_COLUMNS, list(pieces(options))
        yield "Loops of one thread:", LOOP_COLUMNS, list(loops())
    if "pairs" in asked:
        found = []
        for it in pairs(cases, options, busy, quiet):
            print(f"{it['network']} {it['ranks']}: RTF {it['rtf']:.3g}", file=sys.stderr)
            found.append(it)
        yield f"Pairs, {options.turns} pieces each, {cores} cores{note}:", PAIR_COLUMNS, found
    if "model" in asked:
        import mpi_model

        yield from mpi_model.tables()


def main(command: str, *words: str) -> None:
    """What the processes of a measurement are started with."""
    if command == "exchange":
        exchange()
    else:
        follow(json.loads(words[0]), int(words[1]), Path(words[2]))


if __name__ == "__main__":
    main(*sys.argv[1:])
