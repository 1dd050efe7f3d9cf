"""Chunks that are recorded beside the engine: the same files, the same errors, and no thread that stays."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import ArrayLike

import snnsim as sn
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.drain import Action, Drain, in_order
from snnsim.engine import Chunk
from snnsim.errors import NumericalError, RunError
from snnsim.lowering import make_plan
from snnsim.plan import Plan
from snnsim.program import Program
from snnsim.recording import Recorder
from snnsim.registry import backends

FULL = r"^the disk is full$"
CONFIG = """\
snnsim: 1
seed: 3
dt: 0.1 ms
duration: 1 s
populations:
  exc: {n: 30, model: lif_psc_exp, init: {v: {uniform: [-70 mV, -50 mV]}}}
  silent: {n: 3, model: lif_psc_exp}
  inh: {n: 10, model: lif_psc_exp, init: {v: {uniform: [-70 mV, -50 mV]}}}
inputs:
  noise: {type: poisson, rate: 8 kHz, to: [exc, inh], weight: 90 pA}
projections:
  - from: exc
    to: inh
    connect: {rule: fixed_indegree, k: 5}
    weight: {uniform: [10 pA, 40 pA]}
    delay: 1.5 ms
record:
  spikes: {exc: all, silent: all, inh: "0:7"}
  traces: {exc: {variables: [v], units: "0:3", every: 0.7 ms}}
"""


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """Whatever a test does, the threads before and after it are the same."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


class Beside(ReferenceEngine):
    """The reference, recorded beside it; notes the chunks that it is asked for."""

    overlaps = True

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.asked: list[int] = []

    def advance(self, steps: int) -> Chunk:
        """As the reference."""
        self.asked.append(steps)
        return super().advance(steps)


class Idle(Beside):
    """Does nothing in no time."""

    def advance(self, steps: int) -> Chunk:
        """Nothing happens."""
        self.asked.append(steps)
        self.done += steps
        none = np.zeros(0, np.int64)
        rows = [(self.done // t.every) - (self.done - steps) // t.every for t in self.plan.traces]
        return Chunk(steps, none, none, [np.zeros((n, t.units.size)) for n, t in zip(rows, self.plan.traces, strict=True)])


class OfEngine:
    """A backend whose engine is of a given class."""

    name, about, rank = "fake", "for tests", 0

    def __init__(self, kind: type[ReferenceEngine]) -> None:
        self.kind = kind

    def compile(self, plan: Plan, threads: int | None = None) -> ReferenceEngine:
        """The engine."""
        return self.kind(plan)

    def __getattr__(self, name: str) -> Any:
        return getattr(backends()["reference"], name)


class Slow(Recorder):
    """Takes its time; fails at the block number `fails`, if given."""

    blocks, fails = 0, -1

    def write_spikes(self, population: str, steps: ArrayLike, ids: ArrayLike) -> None:
        """After a while."""
        time.sleep(0.003)
        self.blocks += 1
        if self.blocks == self.fails:
            raise RunError("the disk is full")
        super().write_spikes(population, steps, ids)


def program(kind: type[ReferenceEngine] = Beside) -> Program:
    """The network of this file in short chunks, so that there are many."""
    net = sn.loads(CONFIG)
    made = Program(net, make_plan(net), OfEngine(kind))
    made._widest = lambda: 10   # type: ignore[method-assign]
    return made


def data(path: Path) -> dict[str, tuple[Any, bytes]]:
    """Type, shape and bytes of every data set of a file."""
    found: dict[str, tuple[Any, bytes]] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = ((item.dtype, item.shape), item[()].tobytes() if item.shape != () else bytes(str(item[()]), "utf8"))

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def recorded(path: Path, kind: type[ReferenceEngine], made: Callable[..., Recorder] = Recorder,
             **options: Any) -> tuple[Program, dict[str, tuple[Any, bytes]]]:
    """A run of 400 steps recorded to a file, and all that is in the file, also where the run raises."""
    it = program(kind)
    recorder = made(it.recording_plan({}), path)
    try:
        it.run_steps(400, recorder, **options)
        recorder.close({})
    except NumericalError:
        recorder.abort()
    return it, data(path)


# --- the thread ------------------------------------------------------------------------------------------------------

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
        assert put == [0, 1, 2]
        gate.set()
        filler.join()
    assert len(put) == 6


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


# --- a program -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("made", [Recorder, Slow])
def test_files_do_not_depend_on_the_overlap(tmp_path: Path, made: type[Recorder]) -> None:
    """Every data set has the same bytes, also where recording is slower than the engine."""
    _, expected = recorded(tmp_path / "a.h5", ReferenceEngine)
    it, found = recorded(tmp_path / "b.h5", Beside, made)
    assert found == expected
    assert int(it.counts.sum()) > 50
    assert len(it.engine.asked) > 20   # type: ignore[attr-defined]


def test_only_engines_that_overlap_are_recorded_beside(tmp_path: Path) -> None:
    """The recorder is used from one thread only: the other one, or this one."""
    for kind, beside in ((ReferenceEngine, False), (Beside, True)):
        threads: set[int] = set()

        class Noting(Recorder):
            def commit(self, step: int, threads: set[int] = threads) -> None:
                threads.add(threading.get_ident())
                super().commit(step)

            def write_spikes(self, population: str, steps: ArrayLike, ids: ArrayLike,
                             threads: set[int] = threads) -> None:
                threads.add(threading.get_ident())
                super().write_spikes(population, steps, ids)

        recorded(tmp_path / f"{beside}.h5", kind, Noting)
        assert len(threads) == 1
        assert (threads != {threading.get_ident()}) == beside


def test_commits_count_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a commit after each chunk, a reader finds the spikes up to each committed step, never more or less."""
    monkeypatch.setattr("snnsim.program._COMMIT_S", 0.0)
    whole, counts = program(ReferenceEngine), list[tuple[int, int]]()
    memory = Recorder(whole.recording_plan({}))
    whole.run_steps(400, memory)
    steps = memory.close().steps_of("exc")[0]

    class Reading(Recorder):
        def commit(self, step: int) -> None:
            super().commit(step)
            counts.append((step, self.counts["exc"]))

    recorded(tmp_path / "a.h5", Beside, Reading)
    assert len(counts) > 20
    assert counts == [(step, int((steps <= step).sum())) for step, _ in counts]
    assert counts[-1][0] == 400


@pytest.mark.parametrize("fails", [1, 20])
def test_an_error_of_the_recorder_stops_the_engine(fails: int) -> None:
    """It is raised as it is, after at most the chunks that may wait, and no further block is written."""
    it = program()
    recorder = Slow(it.recording_plan({}))
    recorder.fails = fails
    with pytest.raises(RunError, match=FULL):
        it.run_steps(400, recorder)
    assert recorder.blocks == fails
    assert len(it.engine.asked) <= fails // 3 + 5   # type: ignore[attr-defined]


class Failing(Beside):
    """A state becomes NaN in step 277."""

    def _step(self) -> Any:
        sent = super()._step()
        if self.done >= 277:
            self.states[0]["v"][2] = np.nan
        return sent


@pytest.mark.parametrize("raising", [False, True])
def test_all_before_an_error_of_the_engine_is_recorded(tmp_path: Path, raising: bool) -> None:
    """Also where chunks are still waiting for the recorder; raising: the engine itself finds the error."""

    class Raising(Failing):
        def advance(self, steps: int) -> Chunk:
            chunk = super().advance(steps)
            if raising and self.done >= 277:
                raise NumericalError("v became nan")
            return chunk

    class Alone(Raising):
        overlaps = False

    _, expected = recorded(tmp_path / "a.h5", Alone)
    it, found = recorded(tmp_path / "b.h5", Raising, Slow)
    assert found == expected
    recording = sn.open(tmp_path / "b.h5")
    assert (recording.steps, recording.finished) == (276, False)
    assert [recording.count(name) for name in ("exc", "silent")] == it.counts[:2].tolist()


def test_the_error_of_the_recorder_goes_before_that_of_the_engine() -> None:
    """Nobody is told that all before the step is recorded when it is not."""
    it = program(Failing)
    it._widest = lambda: 400   # type: ignore[method-assign]
    it._chunk = 400
    recorder = Slow(it.recording_plan({}))
    recorder.fails = 5
    with pytest.raises(RunError, match=FULL) as caught:
        it.run_steps(400, recorder)
    assert not isinstance(caught.value, NumericalError)


def test_a_stopped_run_is_recorded_up_to_where_it_is(tmp_path: Path) -> None:
    """`stop` ends it between chunks; all chunks until then are committed, and the run goes on later."""
    it, calls = program(), list[int]()
    recorder = Slow(it.recording_plan({}), tmp_path / "b.h5")

    def stop() -> bool:
        calls.append(int(it.counts.sum()))
        return len(calls) > 12

    it.run_steps(400, recorder, stop=stop)
    assert 0 < it.done < 400
    assert recorder.step == it.done
    assert sum(recorder.counts.values()) <= it.counts.sum()
    it.run_steps(400 - it.done, recorder)
    recorder.close({})
    _, expected = recorded(tmp_path / "a.h5", ReferenceEngine)
    assert data(tmp_path / "b.h5") == expected


def test_counts_are_right_between_chunks() -> None:
    """Progress displays and stops may look at them, however far recording has come."""
    it, counts = program(), list[tuple[int, int]]()
    recorder = Slow(it.recording_plan({}))
    it.run_steps(400, recorder, progress=lambda done, _: counts.append((done, int(it.counts.sum()))))
    other = program(ReferenceEngine)
    for done, count in counts:
        other.run_steps(done - other.done)
        assert int(other.counts.sum()) == count


def test_an_interrupted_run_leaves_no_thread() -> None:
    """What was handed over is recorded, and the recorder can be closed at once."""
    it = program()
    recorder = Slow(it.recording_plan({}))

    def interrupt(done: int, steps: int) -> None:
        if done > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        it.run_steps(400, recorder, progress=interrupt)
    assert recorder.counts["exc"] == it.counts[0] > 0
    recorder.abort()


def test_time_of_recording_counts() -> None:
    """`run_s` has the time until the last chunk is recorded."""
    it = program(Idle)
    it._widest = lambda: 400   # type: ignore[method-assign]
    it._chunk = 400
    it.run_steps(400, Slow(it.recording_plan({})))
    assert it.run_s > 3 * 0.003


@pytest.mark.parametrize("longest", [9, 50_000])
def test_the_engine_says_how_long_chunks_may_be(longest: int) -> None:
    """Chunks grow as long as they are short in time, up to what the engine says."""
    net = sn.loads(CONFIG)
    net.recording.traces.clear()
    it = Program(net, make_plan(net), OfEngine(Idle))
    it.engine.longest = longest
    it._chunk = 9
    it.run_steps(20 * longest)
    assert max(it.engine.asked) == longest   # type: ignore[attr-defined]
