"""One network over MPI ranks: ``tools/bench mpi``.

Pairs: one process with several threads, and ranks of one thread, of the same network. Both are built before anything is
timed; then they do the same steps in turns, so that whatever else the machine does hits both alike. What an exchange
costs by itself is in ``bench_exchange.py``, the model that uses these figures in ``mpi_model.py``.
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
from pathlib import Path
from typing import Any

import numpy as np

PAIR_COLUMNS = {
    "network": "network", "ranks": "ranks x threads", "beside": "beside", "rtf": "RTF", "ratio": "times the other",
    "spread": "from - to", "cpu_s": "CPU s/rank", "build_s": "build s", "peak_mb": "peak MB/rank",
    "synapse_mb": "synapses MB/rank", "other_mb": "other MB/rank", "exchanges": "exchanges/s", "begin_us": "begin us",
    "wait_us": "wait us", "uneven_us": "uneven us", "foreign": "other load",
}
_POLL_S = 0.001

Work = dict[str, Any]


# --- one side of a pair: what every process of it does ----------------------------------------------------------------

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
    return {"build_s": program.build_s, "peak_mb": most[0] / 1000, "synapse_mb": most[1] / 1e6,
            "other_mb": most[2] / 1e6}


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
        times = {"begin_us": begin, "wait_us": least, "uneven_us": wait - least[..., None]}
        return {"exchanges": int(least.size), **{name: float(took.mean()) * 1e6 for name, took in times.items()}}


# --- the other end ----------------------------------------------------------------------------------------------------

class Side:
    """The processes of one side of a pair, which wait until they are asked for a piece."""

    def __init__(self, stack: ExitStack, case: dict[str, Any], ranks: int, threads: int) -> None:
        self.ranks, self.threads = ranks, threads
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        words = [json.dumps(case), str(threads), str(self.folder)]
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
            time.sleep(_POLL_S)
            if self.process.poll() is not None and not (self.folder / name).exists():
                sys.exit(f"{self.ranks} ranks of {self.threads} threads ended with code {self.process.returncode}")
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


# --- all of it --------------------------------------------------------------------------------------------------------

def pieces(options: Any) -> Iterator[Work]:
    """Rows for each number of ranks, from processes of their own."""
    for ranks in options.ranks:
        command = [*launcher(ranks), sys.executable, str(Path(__file__).with_name("bench_exchange.py"))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        yield from map(json.loads, done.stdout.splitlines())


def tables(cases: dict[str, Any], options: Any, busy: Callable[[], float], quiet: Callable[[float], None],
           ) -> Iterator[tuple[str, dict[str, str], list[Work]]]:
    """Title, columns and rows of each table that is asked for; pairs and exchange where none is."""
    import bench_exchange

    asked, cores = options.what or ["pairs", "exchange"], os.cpu_count() or 1
    shared = [ranks for ranks in options.ranks if ranks > cores]
    note = f"; figures of {', '.join(map(str, shared))} ranks are of time sharing" if shared else ""
    if "exchange" in asked:
        quiet(options.patience)
        title = f"One exchange of {bench_exchange.EPOCH} steps, {cores} cores{note}:"
        yield title, bench_exchange.COLUMNS, list(pieces(options))
        yield "Loops of one thread:", bench_exchange.LOOP_COLUMNS, list(bench_exchange.loops())
    if "pairs" in asked:
        found = []
        for it in pairs(cases, options, busy, quiet):
            print(f"{it['network']} {it['ranks']}: RTF {it['rtf']:.3g}", file=sys.stderr)
            found.append(it)
        yield f"Pairs, {options.turns} pieces each, {cores} cores{note}:", PAIR_COLUMNS, found
    if "model" in asked:
        import mpi_model

        yield from mpi_model.tables()


if __name__ == "__main__":
    follow(json.loads(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
