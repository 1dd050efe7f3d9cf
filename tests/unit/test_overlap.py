"""Chunks that are recorded while the engine goes on: the same files, the same errors, and no thread that stays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import ArrayLike

import snnsim as sn
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.engine import Chunk
from snnsim.errors import NumericalError, RunError
from snnsim.lowering import make_plan
from snnsim.plan import Plan
from snnsim.program import Program
from snnsim.recording import Recorder
from snnsim.registry import backends
from snnsim.sink import Sink

FULL = r"^the disk is full$"
STEPS = 200
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
  - name: learning
    from: exc
    to: exc
    connect: {rule: fixed_indegree, k: 5}
    weight: 20 pA
    delay: 1.5 ms
    synapse: {model: stdp_pair, params: {lambda: 0.1, w_max: 60 pA}}
record:
  spikes: {exc: all, silent: all, inh: "0:7"}
  traces: {exc: {variables: [v], units: "0:3", every: 0.7 ms}}
  weights:
    course: {projection: learning, every: 1.1 ms}
    sent: {projection: learning, on: pre}
"""


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """Whatever a test does, no thread is there after it that was not before."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


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
    made._widest = lambda: 8   # type: ignore[method-assign]
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
    """A run recorded to a file, and all that is in the file, also where the run raises."""
    it = program(kind)
    recorder = made(it.recording_plan({}), path)
    try:
        it.run_steps(STEPS, recorder, **options)
        recorder.close({})
    except NumericalError:
        recorder.abort()
    return it, data(path)


@pytest.mark.parametrize("made", [Recorder, Slow])
def test_files_do_not_depend_on_the_overlap(tmp_path: Path, made: type[Recorder]) -> None:
    """Every data set has the same bytes, also where recording is slower than the engine."""
    _, expected = recorded(tmp_path / "a.h5", ReferenceEngine)
    it, found = recorded(tmp_path / "b.h5", Beside, made)
    assert found == expected
    assert int(it.counts.sum()) > 50
    assert sn.open(tmp_path / "b.h5").count_weights("sent") > 50
    assert len(it.engine.asked) > 20   # type: ignore[attr-defined]


def test_spikes_are_told_apart_by_population() -> None:
    """Those of each population keep their order, as many as they are; ids count from its first unit."""
    it, rng = program(), np.random.default_rng(1)
    chunk = Chunk(50, np.sort(rng.integers(1, 51, 5000)), rng.integers(0, 43, 5000), [])
    number = np.searchsorted([30, 33], chunk.unit, side="right").astype(np.uint8)
    recorder = Recorder(replace(it.recording_plan({}), subsets={}))
    Sink(replace(it.plan, traces=[]), recorder, lambda action: action()).write(chunk, number, np.bincount(number))
    result = recorder.abort()
    for name, first, mine in (("exc", 0, number == 0), ("silent", 30, number == 1), ("inh", 33, number == 2)):
        steps, ids = result.steps_of(name)
        assert np.array_equal(steps, chunk.step[mine])
        assert np.array_equal(ids, chunk.unit[mine] - first)


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
    whole.run_steps(STEPS, memory)
    steps = memory.close().steps_of("exc")[0]

    class Reading(Recorder):
        def commit(self, step: int) -> None:
            super().commit(step)
            counts.append((step, self.counts["exc"]))

    recorded(tmp_path / "a.h5", Beside, Reading)
    assert len(counts) > 20
    assert counts == [(step, int((steps <= step).sum())) for step, _ in counts]
    assert counts[-1][0] == STEPS


@pytest.mark.parametrize("fails", [1, 20])
def test_an_error_of_the_recorder_stops_the_engine(fails: int) -> None:
    """It is raised as it is, after at most the chunks that may wait, and no further block is written."""
    it = program()
    recorder = Slow(it.recording_plan({}))
    recorder.fails = fails
    with pytest.raises(RunError, match=FULL):
        it.run_steps(STEPS, recorder)
    assert recorder.blocks == fails
    assert len(it.engine.asked) <= fails // 3 + 5   # type: ignore[attr-defined]


class Failing(Beside):
    """A state becomes NaN in step 137."""

    def _step(self) -> Any:
        sent = super()._step()
        if self.done >= 137:
            self.states[0]["v"][2] = np.nan
        return sent


@pytest.mark.parametrize("raising", [False, True])
def test_all_before_an_error_of_the_engine_is_recorded(tmp_path: Path, raising: bool) -> None:
    """Also where chunks are still waiting for the recorder; raising: the engine itself finds the error."""

    class Raising(Failing):
        def advance(self, steps: int) -> Chunk:
            chunk = super().advance(steps)
            if raising and self.done >= 137:
                raise NumericalError("v became nan")
            return chunk

    class Alone(Raising):
        overlaps = False

    _, expected = recorded(tmp_path / "a.h5", Alone)
    it, found = recorded(tmp_path / "b.h5", Raising, Slow)
    assert found == expected
    recording = sn.open(tmp_path / "b.h5")
    assert (recording.steps, recording.finished) == (136, False)
    assert [recording.count(name) for name in ("exc", "silent")] == it.counts[:2].tolist()


def test_the_error_of_the_recorder_goes_before_that_of_the_engine() -> None:
    """Nobody is told that all before the step is recorded when it is not."""
    it = program(Failing)
    it._widest = lambda: STEPS   # type: ignore[method-assign]
    it._chunk = STEPS
    recorder = Slow(it.recording_plan({}))
    recorder.fails = 5
    with pytest.raises(RunError, match=FULL) as caught:
        it.run_steps(STEPS, recorder)
    assert not isinstance(caught.value, NumericalError)


def test_a_stopped_run_is_recorded_up_to_where_it_is(tmp_path: Path) -> None:
    """`stop` ends it between chunks; all chunks until then are committed, and the run goes on later."""
    it, calls = program(), list[int]()
    recorder = Slow(it.recording_plan({}), tmp_path / "b.h5")

    def stop() -> bool:
        calls.append(int(it.counts.sum()))
        return len(calls) > 12

    it.run_steps(STEPS, recorder, stop=stop)
    assert 0 < it.done < STEPS
    assert recorder.step == it.done
    assert sum(recorder.counts.values()) <= it.counts.sum()
    it.run_steps(STEPS - it.done, recorder)
    recorder.close({})
    _, expected = recorded(tmp_path / "a.h5", ReferenceEngine)
    assert data(tmp_path / "b.h5") == expected


def test_counts_are_right_between_chunks() -> None:
    """Progress displays and stops may look at them, however far recording has come."""
    it, counts = program(), list[tuple[int, int]]()
    recorder = Slow(it.recording_plan({}))
    it.run_steps(STEPS, recorder, progress=lambda done, _: counts.append((done, int(it.counts.sum()))))
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
        it.run_steps(STEPS, recorder, progress=interrupt)
    assert recorder.counts["exc"] == it.counts[0] > 0
    recorder.abort()


def test_time_of_recording_counts() -> None:
    """`run_s` has the time until the last chunk is recorded."""
    it = program(Idle)
    it._widest = lambda: STEPS   # type: ignore[method-assign]
    it._chunk = STEPS
    it.run_steps(STEPS, Slow(it.recording_plan({})))
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
