"""The threads that do the work of an engine."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any


def make_pool(threads: int) -> Executor:
    """So many threads; one is the caller's own, unless that gets Ctrl-C, which it could not see in compiled code."""
    return AtOnce() if threads == 1 and not _is_interrupted() else ThreadPoolExecutor(threads)


def _is_interrupted() -> bool:
    """Whether Ctrl-C reaches the calling thread: workers of a sweep leave it to the process that started them."""
    main = threading.current_thread() is threading.main_thread()
    return main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


class AtOnce(Executor):
    """Does everything where and when it is asked for: to hand it over would take longer than much of it does."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future that is done."""
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **kwargs))
        except Exception as error:   # whoever asks for the result gets it; an interrupt ends all that was asked for
            done.set_exception(error)
        return done
