"""``snnsim.sweep``: many networks that differ in a few values."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import snnsim
from snnsim.checked import found
from snnsim.config import read
from snnsim.errors import InputError, Problem, Problems
from snnsim.interrupt import interruptible
from snnsim.network import Network
from snnsim.runner import Interrupted
from snnsim.sweeps.axes import read_axes
from snnsim.sweeps.check import Source, check_points
from snnsim.sweeps.cluster import check_installed
from snnsim.sweeps.design import Design, Point
from snnsim.sweeps.driver import Driver, Progress, simulating
from snnsim.sweeps.folder import Asked, Folder, check_same, read_asked
from snnsim.sweeps.forking import script_left_out, warm_up
from snnsim.sweeps.index import DONE, FAILED, LOST, Index
from snnsim.sweeps.job import digest
from snnsim.sweeps.pools import make_pool
from snnsim.sweeps.result import Sweep
from snnsim.yamlfile import parse_yaml

MOST_WORKERS = 4096


def sweep(
    net: Network | str | Path, over: Any, out: str | Path, executor: Any = None, workers: int | None = None,
    backend: str = "auto", threads: int | None = 1, settings: Iterable[str] = (), overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Sweep:
    """Simulate a network once for each combination of values, into a folder with a table; goes on where it stopped.

    net: a network or a config. over: path -> values, as ``{"populations.exc.params.tau_m": ["10 ms", "20 ms"], "seed":
    range(1, 11)}``; text as behind ``--over`` will do for values. out: the folder: ``index.csv`` and one HDF5 file for
    each point. executor: None for a Dask cluster of this machine's own, "processes" to do without Dask, the address of
    a Dask scheduler, a Dask client, or any ``concurrent.futures`` executor. workers: processes of a local cluster, one
    per core unless given. threads: of each point. settings: changes for all points, as of ``--set``. overwrite: begin
    anew where `out` holds a sweep. progress: called with a ``Progress`` several times a second.
    A point that fails is reported in the table and the others go on. A point whose worker dies is tried once more.
    Raises ``InputError`` before anything runs where a value, a path or the folder is wrong, ``RunError`` where the
    sweep cannot go on; what is done stays done, and the same call goes on from there.
    """
    _check_workers(executor, workers)
    warm_up(executor)
    axes, folder = read_axes(over), Folder(Path(out))
    source = replace(_source(net), settings=tuple(settings))
    folder.check(overwrite)
    first = check_points(source, axes, backend, threads)
    config = "network" if isinstance(net, Network) else str(net)
    base = None if source.base_dir is None else str(source.base_dir.resolve())
    asked = Asked(config, source.document.data, base, source.settings, backend, Design((axes,)), first.to_yaml())
    if folder.holds_sweep and not overwrite:
        asked = _continued(folder, asked, source)
    with folder.held():
        if overwrite and folder.holds_sweep:
            folder.clear()
        folder.write(asked)
        return _Sitting(folder, asked, threads, progress).run(executor, workers)


def _check_workers(executor: Any, workers: Any) -> None:
    """Before anything else, what needs no look at the network."""
    problems, local = Problems(), executor in (None, "processes")
    if workers is not None and not local:
        problems.add("workers", "is for workers of this machine; leave it out with a scheduler or executor")
    elif workers is not None and not (type(workers) is int and 1 <= workers <= MOST_WORKERS):
        problems.add("workers", f"expected a whole number from 1 to {MOST_WORKERS}, found {found(workers)}")
    problems.check()
    if executor is None or (isinstance(executor, str) and not local):
        check_installed()


def _source(net: Any) -> Source:
    if isinstance(net, Network):
        return Source(parse_yaml(net.to_yaml(), "network"), net.base_dir)
    if not isinstance(net, (str, Path)):
        raise InputError(Problem("net", f"expected a Network or the name of a config, found {found(net)}"))
    return Source(read(net), Path(net).parent)


def _continued(folder: Folder, asked: Asked, source: Source) -> Asked:
    """What is asked for, as the sweep in the folder goes on with it."""
    old = read_asked(folder.path)
    network = asked.network
    with suppress(InputError):   # then the axes differ, or what the network is made from
        network = source.network(old.design.first.overrides).to_yaml()
    check_same(old, asked, network, folder.path)
    return replace(asked, design=old.design.extended(asked.design.axes), network=old.network)


class _Sitting:
    """A sweep from its start, or from where it stopped, to its end or the next stop."""

    def __init__(self, folder: Folder, asked: Asked, threads: int | None,
                 progress: Callable[[Progress], None] | None) -> None:
        self.folder, self.threads, self.progress = folder, threads, progress
        self.points = asked.design.points()
        self.index = Index(folder.index, [axis.path for axis in asked.design.axes])

    def run(self, executor: Any, workers: int | None) -> Sweep:
        """Simulate what is not done yet."""
        began = time.perf_counter()
        kept = set(self._finished())
        self.index.begin(kept)
        ahead, slots = [point for point in self.points if point.number not in kept], 0
        try:
            if ahead:
                slots = self._simulate(ahead, executor, workers)
        finally:
            self.index.close()
            self.index.write()
            self.index.write_parquet()
        return self._result(kept, slots, time.perf_counter() - began)

    def _simulate(self, ahead: list[Point], executor: Any, workers: int | None) -> int:
        pool_made = make_pool(executor, workers, str(self._session))
        with interruptible() as request, script_left_out(), pool_made as pool:
            driver = Driver(self.folder, self.index, pool, self.threads, request, self.progress, len(self.points))
            whole = False
            try:
                whole = driver.run(ahead)
            finally:
                pool.close(now=not whole)
            if not whole:
                raise Interrupted(self._stopped(request.by))
            return pool.slots

    @property
    def _session(self) -> Path:
        return self.folder.path.resolve() / self.folder.session

    def _stopped(self, by: str) -> str:
        done = sum(row["status"] == DONE for row in self.index.rows.values())
        reached = f"stopped by {by}: {done} of {len(self.points)} points are done"
        return f"{reached}, {self.folder.index} lists them; the same command goes on with the others"

    def _finished(self) -> Iterator[int]:
        """Points that need not run again: done, and their files are there and hold what the table says."""
        for point in self.points:
            row = self.index.rows.get(point.number)
            if row and row["status"] == DONE and self._holds(point, row):
                yield point.number

    def _holds(self, point: Point, row: dict[str, Any]) -> bool:
        if any(row.get(path) not in (value, _number(value)) for path, value in point.values.items()):
            return False
        with suppress(InputError, OSError):
            result = snnsim.open(self.folder.path / point.file)
            return result.finished and digest(result.network_yaml) == row.get("network")
        return False

    def _result(self, kept: set[int], slots: int, wall: float) -> Sweep:
        rows = self.index.rows
        status = Counter(row["status"] for row in rows.values())
        seconds = simulating(row for number, row in rows.items() if number not in kept)
        result = Sweep(self.folder.path)
        result.summary = {
            "points": len(self.points), "done": status[DONE], "failed": status[FAILED], "lost": status[LOST],
            "kept": len(kept), "workers": slots, "wall_s": round(wall, 3), "run_s": round(seconds, 3),
            "share": round(seconds / (slots * wall), 4) if slots else 0.0,
            "out": str(self.folder.path), "index": str(self.folder.index),
        }
        return result


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
