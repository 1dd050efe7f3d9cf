"""Where points run: processes of our own, an executor that the user gives, or Dask (``cluster.py``).

A pool has no say in what runs next, and knows of failures only whether a worker died.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from typing import Any, Protocol

from snnsim.cores import usable_cores
from snnsim.sweeps.forking import context, end_with_parent
from snnsim.sweeps.job import run_point

_PATIENCE = 1.0   # seconds that workers have to stop by themselves

Row = dict[str, Any]
Task = Mapping[str, Any]


class Pool(Protocol):
    """slots: points that run at the same time. shared_fate: a worker that dies takes the points of others with it."""

    slots: int
    shared_fate: bool

    def submit(self, task: Task) -> Future[Row]:
        """Have a point simulated."""

    def died(self, error: BaseException) -> bool:
        """Whether that happened because a worker died."""

    def gone(self, error: BaseException) -> str:
        """Why nothing can run here any more; empty where it can."""

    def close(self, now: bool) -> None:
        """Let go of it; `now`: whatever still runs is ended."""


class Processes:
    """Worker processes of this machine. When one dies all are made anew."""

    shared_fate = True

    def __init__(self, workers: int | None = None) -> None:
        self.slots = workers or usable_cores()
        self._executor = self._make()

    def _make(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.slots, mp_context=context(), initializer=end_with_parent)

    def submit(self, task: Task) -> Future[Row]:
        """See ``Pool``."""
        try:
            return self._executor.submit(run_point, dict(task))
        except BrokenExecutor:
            self._end_all()     # whoever is left may still be writing the file of a point that is run again
            self._executor = self._make()
            return self._executor.submit(run_point, dict(task))

    def _end_all(self) -> None:
        """No process of the pool is left."""
        processes = list((self._executor._processes or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
            process.join()

    def died(self, error: BaseException) -> bool:
        """See ``Pool``."""
        return isinstance(error, BrokenExecutor)

    def gone(self, error: BaseException) -> str:
        """Never: it makes processes anew."""
        return ""

    def close(self, now: bool) -> None:
        """See ``Pool``."""
        processes = list((self._executor._processes or {}).values())
        self._executor.shutdown(wait=not now, cancel_futures=True)
        until = time.monotonic() + _PATIENCE
        for process in processes if now else ():
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()


class Given:
    """An executor of the user's, who also closes it."""

    shared_fate = True

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.slots = getattr(executor, "_max_workers", None) or usable_cores()

    def submit(self, task: Task) -> Future[Row]:
        """See ``Pool``."""
        return self._executor.submit(run_point, dict(task))

    def died(self, error: BaseException) -> bool:
        """It cannot be mended from here: see `gone`."""
        return False

    def gone(self, error: BaseException) -> str:
        """See ``Pool``."""
        return f"the executor broke ({error})" if isinstance(error, BrokenExecutor) else ""

    def close(self, now: bool) -> None:
        """Nothing: it is not ours."""


def make_pool(executor: Any, workers: int | None, session: str) -> contextlib.AbstractContextManager[Pool]:
    """The pool that the argument ``executor`` of ``snnsim.sweep`` means."""
    from snnsim.sweeps import cluster

    if executor == "processes":
        return contextlib.nullcontext(Processes(workers))
    if isinstance(executor, Executor) and not cluster.is_client(executor):
        return contextlib.nullcontext(Given(executor))
    return cluster.opened(executor, workers, session)
