"""Work beside the main thread: what came out of the engine is recorded while the engine goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Event, Thread
from types import TracebackType

Action = Callable[[], None]
_ROOM = 2   # actions that wait for their turn; each holds a chunk


@contextmanager
def in_order(beside: bool) -> Iterator[Callable[[Action], None]]:
    """Gives ``put``, which runs actions in order: in a thread beside this one, or else at once. See ``Drain``."""
    if beside:
        with Drain() as drain:
            yield drain.put
    else:
        yield lambda action: action()


class Drain:
    """Runs actions in one thread, in the order in which they are put; at the end of the context all have run.

    The first error ends that: later actions are dropped, and the next ``put`` raises it, or the end of the context,
    also in place of another error. Only an interrupt goes before it.
    """

    def __init__(self) -> None:
        self._queue: Queue[Action | None] = Queue(_ROOM)
        self._error: BaseException | None = None
        self._ended = Event()
        self._thread = Thread(target=self._work, name="snnsim-drain")

    def __enter__(self) -> Drain:
        self._thread.start()
        return self

    def put(self, action: Action) -> None:
        """Run `action` after all others; waits where too many are waiting already."""
        if self._error is not None:
            raise self._error
        self._queue.put(action)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        found = self._finish() or self._error
        if found is not None and found is not error and (error is None or isinstance(error, Exception)):
            raise found

    def _work(self) -> None:
        while (action := self._queue.get()) is not None:
            if self._error is None:
                try:
                    action()
                except BaseException as error:   # whatever it is, the other thread must know
                    self._error = error
        self._ended.set()

    def _finish(self) -> KeyboardInterrupt | None:
        """Wait until all is done, through interrupts too: whoever goes on uses what the actions use. Gives the last."""
        interrupt, asked = None, False
        while not self._ended.is_set():   # a join that is interrupted takes the thread for ended (Python 3.11)
            try:
                if not asked:
                    self._queue.put(None)
                    asked = True
                self._ended.wait()
            except KeyboardInterrupt as error:
                interrupt = error
        self._thread.join()
        return interrupt
