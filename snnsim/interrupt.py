"""Ctrl-C and SIGTERM: ask a run to stop where it can be gone on from, and stop at once when asked again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Request:
    """Whether, and by what, a run was asked to stop."""

    by = ""

    def __call__(self) -> bool:
        return bool(self.by)


@contextmanager
def interruptible() -> Iterator[Request]:
    """Inside, the first signal is noted in the request, and the second raises ``KeyboardInterrupt``.

    Only the main thread gets signals; in others nothing is ever requested.
    """
    request = Request()

    def handler(number: int, frame: Any) -> None:
        if request.by:
            raise KeyboardInterrupt
        request.by = SIGNALS[signal.Signals(number)]

    with handled(handler):
        yield request


@contextmanager
def raising() -> Iterator[None]:
    """Inside, either signal raises ``KeyboardInterrupt``, even in a process that was started with signals ignored."""

    def handler(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    with handled(handler):
        yield


@contextmanager
def handled(handler: Any) -> Iterator[None]:
    """`handler` gets the signals; the former handlers are put back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
