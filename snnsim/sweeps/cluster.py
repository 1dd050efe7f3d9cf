"""Dask: a cluster of this machine's own, or a scheduler that is there already."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future
from importlib.util import find_spec
from typing import Any

from snnsim.cores import usable_cores
from snnsim.errors import InputError, Problem, RunError, UnavailableError
from snnsim.sweeps.forking import WARM, context, importing
from snnsim.sweeps.job import hello, run_point
from snnsim.sweeps.pools import Row

_ANSWER, _PATIENCE = 10, 1.0   # seconds for a scheduler to answer; for a local cluster to close
_ANY_PORT = "127.0.0.1:0"       # of a server for its state, which Dask always starts: the usual one may be another's
_MISSING = ("Dask is not installed; install it with: pip install 'snnsim[sweep]', or do without it on this machine: "
            "executor='processes'")


def is_client(executor: Any) -> bool:
    """Whether it is a client of Dask, or the executor of one."""
    return type(executor).__module__.partition(".")[0] == "distributed"


def check_installed() -> None:
    """``UnavailableError`` where Dask is not."""
    if find_spec("distributed") is None:
        raise UnavailableError(Problem("executor", _MISSING))


class Dask:
    """The workers of a scheduler. Each has points of its own; Dask gives those of one that dies to others."""

    shared_fate = False

    def __init__(self, client: Any) -> None:
        self.client, self._executor = client, client.get_executor(pure=False)
        self.slots = max(1, sum(client.nthreads().values()))

    def submit(self, task: Mapping[str, Any]) -> Future[Row]:
        """See ``Pool``."""
        return self._executor.submit(run_point, dict(task))

    def died(self, error: BaseException) -> bool:
        """See ``Pool``."""
        return type(error).__name__ == "KilledWorker"

    def gone(self, error: BaseException) -> str:
        """See ``Pool``."""
        return "Dask's scheduler was lost" if isinstance(error, CancelledError) else ""

    def close(self, now: bool) -> None:
        """Whoever opened it closes it."""


@contextlib.contextmanager
def opened(executor: Any, workers: int | None, session: str) -> Iterator[Dask]:
    """A local cluster where `executor` is None, else the scheduler at that address, or of that client."""
    check_installed()
    if executor is None:
        with _local(workers or usable_cores()) as client:
            yield Dask(client)
    elif isinstance(executor, str):
        with _connected(executor) as client:
            _check_workers(client, session)
            yield Dask(client)
    else:
        client = getattr(executor, "_client", executor)
        _check_workers(client, session)
        yield Dask(client)


@contextlib.contextmanager
def _local(workers: int) -> Iterator[Any]:
    """Worker processes with one thread each; their memory is no concern of Dask's, which would pause them."""
    with importing():
        import dask
        from distributed import Client, LocalCluster

    method = context().get_start_method()
    quiet = {"distributed.worker.multiprocessing-method": method, "distributed.worker.profile.enabled": False}
    with dask.config.set(quiet):
        try:
            cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None,
                                   memory_limit=0, silence_logs=logging.CRITICAL, preload=[WARM],
                                   scheduler_kwargs={"dashboard_address": _ANY_PORT})
        except (RuntimeError, OSError) as error:
            advice = "executor='processes' does without Dask"
            raise RunError(f"Dask could not start workers ({error}); {advice}") from error
        client = Client(cluster, set_as_default=False)
        try:
            yield client
        finally:
            _close(client, cluster)


def _close(client: Any, cluster: Any) -> None:
    """Close both, but not longer than is pleasant: what is left of the processes is ended."""
    children = multiprocessing.active_children()
    closing = threading.Thread(target=_close_both, args=(client, cluster), daemon=True)
    closing.start()
    closing.join(_PATIENCE)
    for child in children if closing.is_alive() else ():
        if "Dask" in child.name:
            child.kill()
    closing.join(_PATIENCE)


def _close_both(client: Any, cluster: Any) -> None:
    client.close(timeout=_PATIENCE)
    cluster.close(timeout=_PATIENCE)


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(address, timeout=_ANSWER, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        text = (f"no Dask scheduler answers at {address}; expected the address that `dask scheduler` prints, "
                "such as tcp://10.0.0.1:8786")
        raise InputError(Problem("executor", text)) from error
    try:
        yield client
    finally:
        client.close(timeout=_ANSWER)


def _check_workers(client: Any, session: str) -> None:
    """``InputError`` where there are no workers, or one that cannot do the work."""
    from snnsim import __version__

    answers = client.run(hello, session, on_error="return")
    if not answers:
        text = f"the scheduler has no workers; start some with: dask worker {client.scheduler.address}"
        raise InputError(Problem("executor", text))
    problems = [Problem("executor", f"worker {worker}: {text}") for worker, answer in answers.items()
                if (text := _unfit(answer, __version__, session))]
    if problems:
        raise InputError(problems)


def _unfit(answer: Any, version: str, session: str) -> str:
    if isinstance(answer, BaseException):
        return f"cannot import snnsim ({answer}); install it there"
    if answer["version"] != version:
        return f"has snnsim {answer['version']}, not {version}; install the same there"
    if not answer["sees"]:
        return f"does not see the folder {session}; it must be on a file system that all workers share"
    return ""
