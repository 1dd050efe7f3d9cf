"""Actions beside the main thread: in order, few at a time, no error lost, and no thread that stays."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from snnsim.drain import Action, Drain, in_order
from snnsim.errors import NumericalError, RunError

FULL = r"^the disk is full$"


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """Whatever a test does, no thread is there after it that was not before."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_actions_run_in_order_in_one_other_thread() -> None:
    """All of them have run at the end of the context."""
    found: list[tuple[int, int]] = []
    with in_order(beside=True) as put:
        for k in range(200):
            put(lambda k=k: found.append((k, threading.get_ident())))   # type: ignore[misc]
    assert [k for k, _ in found] == list(range(200))
    assert len({thread for _, thread in found} - {threading.get_ident()}) == 1


def test_actions_run_at_once_where_nothing_overlaps() -> None:
    """In the thread that puts them, before ``put`` returns."""
    found: list[int] = []
    with in_order(beside=False) as put:
        put(lambda: found.append(threading.get_ident()))
        assert found == [threading.get_ident()]


def test_few_actions_wait() -> None:
    """With one at work and two waiting, the next ``put`` waits until there is room."""
    gate, put = threading.Event(), list[int]()

    def fill(drain: Drain) -> None:
        for k in range(6):
            drain.put(gate.wait)   # type: ignore[arg-type]
            put.append(k)

    with Drain() as drain:
        filler = threading.Thread(target=fill, args=(drain,))
        filler.start()
        deadline = time.monotonic() + 10
        while len(put) < 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        filler.join(0.05)
        early = list(put)
        gate.set()
        filler.join()
    assert (early, put) == ([0, 1, 2], list(range(6)))


def fail() -> None:
    """What an action may do."""
    raise RunError("the disk is full")


def drained(*actions: Action, then: BaseException | None = None) -> None:
    """Put them; `then` is raised in the main thread."""
    with Drain() as drain:
        for action in actions:
            drain.put(action)
        if then is not None:
            raise then


def test_an_error_ends_the_rest() -> None:
    """It is raised once, by a later ``put``; what waits behind it never runs."""
    found: list[int] = []
    with pytest.raises(RunError, match=FULL) as caught:
        drained(partial(found.append, 0), fail, *[partial(found.append, 1)] * 100)
    assert (found, caught.value.__context__) == ([0], None)


def test_an_error_is_raised_by_the_next_put() -> None:
    """So that the engine does not go on for nothing."""
    put: list[int] = []

    def put_all() -> None:
        with Drain() as drain:
            drain.put(fail)
            while drain._error is None:
                time.sleep(0.001)
            drain.put(partial(put.append, 1))
            put.append(2)

    with pytest.raises(RunError, match=FULL):
        put_all()
    assert put == []


def test_an_error_of_the_last_action_is_raised_at_the_end() -> None:
    """It is not lost when nothing is put any more."""
    with pytest.raises(RunError, match=FULL):
        drained(fail)


def test_an_error_beside_replaces_that_of_the_engine() -> None:
    """The other says that all before it is recorded, which is then wrong; it stays as the context."""
    with pytest.raises(RunError, match=FULL) as caught:
        drained(fail, then=NumericalError("v became nan"))
    assert isinstance(caught.value.__context__, NumericalError)


def test_an_interrupt_goes_before_an_error() -> None:
    """Who interrupts a run does not want it handled as an error."""
    with pytest.raises(KeyboardInterrupt):
        drained(fail, then=KeyboardInterrupt())


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """SIGINT raises ``KeyboardInterrupt``, also where the tests were started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals to a thread are a POSIX matter")
@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("times", [1, 3])
def test_interrupts_at_the_end_wait_for_what_is_under_way(times: int) -> None:
    """However often Ctrl-C comes: actions are done before anyone else uses what they use."""
    found: list[int] = []

    def interrupt() -> None:
        for _ in range(times):
            time.sleep(0.02)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.02)

    with pytest.raises(KeyboardInterrupt):
        drained(interrupt, partial(found.append, 1))
    assert found == [1]
