"""Gives the points of a sweep to a pool and writes down what becomes of them."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any

from snnsim.errors import RunError
from snnsim.sweeps.design import Point
from snnsim.sweeps.folder import Folder
from snnsim.sweeps.index import DONE, FAILED, Index
from snnsim.sweeps.job import STOPPED, TRIES, begun, lost
from snnsim.sweeps.pools import Pool, Row

_AHEAD = 2       # points that are given to each worker, so that it need not wait for the next one
_DEATHS = 10     # of all workers in a row before any of them has begun a point, after which it is hopeless
_LOOK_S = 0.2    # how often a request to stop is looked for
_PATIENCE = 1.0  # seconds that running points have to stop


@dataclass
class Progress:
    """How far a sweep is. done, failed (or lost), running, points: numbers of them."""

    done: int
    failed: int
    running: int
    points: int


@dataclass
class Driver:
    """One sitting of a sweep. asked_to_stop: gives what asked, or an empty text."""

    folder: Folder
    index: Index
    pool: Pool
    threads: int | None
    asked_to_stop: Callable[[], bool]
    tell: Callable[[Progress], None] | None = None
    points: int = 0
    waiting: deque[Point] = field(default_factory=deque)
    suspects: deque[Point] = field(default_factory=deque)
    running: dict[Future[Row], Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ended = Counter(row["status"] for row in self.index.rows.values())
        self._in_vain = 0   # points in a row whose worker died before it began

    def run(self, points: Iterable[Point]) -> bool:
        """Simulate them; False where a stop was asked for before all had ended."""
        self.waiting.extend(points)
        try:
            while (self.waiting or self.suspects or self.running) and not self.asked_to_stop():
                self._fill()
                self._report()
                self._take(*wait(self.running, _LOOK_S, FIRST_COMPLETED)[:1])
            self._report()
        finally:
            whole = not (self.waiting or self.suspects or self.running)
            self._stop()
        return whole

    def _fill(self) -> None:
        """A point whose worker died may have killed it: where workers share their fate it runs alone."""
        if self.suspects and self.pool.shared_fate:
            if not self.running:
                self._submit(self.suspects.popleft())
            return
        while len(self.running) < _AHEAD * self.pool.slots and (self.suspects or self.waiting):
            self._submit((self.suspects or self.waiting).popleft())

    def _submit(self, point: Point) -> None:
        shape = hashlib.sha256(f"{self.folder.session} {point.shape}".encode()).hexdigest()
        self.running[self.pool.submit({
            "folder": str(self.folder.path.resolve()), "session": self.folder.session, "number": point.number,
            "file": point.file, "overrides": point.overrides, "shape": shape, "threads": self.threads,
        })] = point

    def _take(self, ended: Iterable[Future[Row]]) -> None:
        for future in ended:
            point, error = self.running.pop(future), None
            if not future.cancelled() and (error := future.exception()) is None:
                self._write(point, future.result())
            elif error is not None and self.pool.died(error):
                self._try_again(point)
            elif error is not None and (reason := self.pool.gone(error)):
                self.waiting.appendleft(point)
                kept = "the points that were running are not done; the same call goes on with the others"
                raise RunError(f"{reason}: {kept}")
            elif error is not None:
                self._write(point, {"status": FAILED, "message": f"{type(error).__name__}: {error}"})

    def _try_again(self, point: Point) -> None:
        tries = begun(self.folder.path / self.folder.session, point.number)
        self._in_vain = 0 if tries else self._in_vain + 1
        if tries >= TRIES:
            self._write(point, {**lost(), "tries": tries})
        else:
            (self.suspects if tries else self.waiting).appendleft(point)
        if self._in_vain > _DEATHS * _AHEAD * self.pool.slots:
            why = "too little memory, or snnsim cannot be imported there"
            raise RunError(f"workers die before they begin a point: {why}")

    def _write(self, point: Point, row: Row) -> None:
        self._in_vain = 0
        if row["status"] != STOPPED:
            self.index.add({"number": point.number, "file": point.file, **point.values, **row})
            self._ended[row["status"]] += 1

    def _stop(self) -> None:
        """Running points look for the request between pieces of a fraction of a second."""
        self.folder.stop()
        self.running = {future: point for future, point in self.running.items() if not future.cancel()}
        until = time.monotonic() + _PATIENCE
        while self.running and time.monotonic() < until:
            ended = wait(self.running, max(0.0, until - time.monotonic()), FIRST_COMPLETED).done
            for future in ended:
                point = self.running.pop(future)
                if not future.cancelled() and future.exception() is None:
                    self._write(point, future.result())

    def _report(self) -> None:
        if self.tell is not None:
            done, running = self._ended[DONE], min(len(self.running), self.pool.slots)
            self.tell(Progress(done, self._ended.total() - done, running, self.points))


def simulating(rows: Iterable[dict[str, Any]]) -> float:
    """Seconds that these points have simulated, without building, compiling and opening files."""
    return sum(row.get("run_s", 0.0) for row in rows)
