"""A killed run loses nothing that it committed: spikes, payloads, traces, weights.

Run as a script (``test_recording_kill.py OUT``), this file is the victim: it records blocks as fast as it can and
prints each acknowledged step. Block k holds steps 10 k + 1 ... 10 k + 10.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from snnsim.errors import InputError
from snnsim.recording import Recorder, RecordingPlan, TracePlan, UnfinishedWarning, WeightPlan, recover
from snnsim.result import Result, open

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 and SWMR mode are POSIX matters")
PLAN = RecordingPlan(
    dt=0.1,
    populations={"exc": 1000, "inh": 250},
    traces=[TracePlan("exc", "v", np.arange(3), 2, "mV"), TracePlan("exc", "u", np.arange(3), 5, "mV")],
    network_yaml="name: victim\n",
    weights=[
        WeightPlan("sent", np.arange(40) // 8, np.arange(40) % 8, True, 0, "pA", False, "ee"),
        WeightPlan("course", np.arange(300), np.arange(300) % 7, False, 5, "pA", True, "ee"),
    ],
    graded=frozenset({"exc"}),
)


def spikes(population: str, block: int) -> list[NDArray[np.int64]]:
    """Steps and ids of a block, and payloads: known to the test without reading anything; the block size varies."""
    rng = np.random.default_rng((block, len(population)))
    steps = np.sort(rng.integers(10 * block + 1, 10 * block + 11, rng.integers(0, 3000)))
    ids = rng.integers(0, PLAN.populations[population], len(steps)) * (population == "exc")
    return [steps, ids, (steps - 7) * ids % 9 - 4][: 2 + (population in PLAN.graded)]


def rows(index: int, block: int) -> NDArray[np.float32]:
    """Rows of a trace in a block: the number of the row in all three columns."""
    count = 10 // PLAN.traces[index].every
    return np.repeat(np.arange(block * count, (block + 1) * count, dtype=np.float32), 3).reshape(-1, 3)


def sent(block: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """What presynaptic events of a block send: steps, positions and weights, of which each tells its place."""
    steps = spikes("exc", block)[0]
    return steps, np.arange(len(steps)) % 40, (steps + 0.5).astype(np.float32)


def snapshots(block: int) -> NDArray[np.float64]:
    """The two snapshots of a block."""
    return np.array([[10 * block + 5], [10 * block + 10]]) + np.arange(300) / 1000


def record(recorder: Recorder, start: int, stop: int, tell: bool = False) -> None:
    """Record blocks `start` to `stop`."""
    for block in range(start, stop):
        for population in PLAN.populations:
            recorder.write_spikes(population, *spikes(population, block))
        for index in range(len(PLAN.traces)):
            recorder.write_trace(index, rows(index, block))
        recorder.write_weights(0, sent(block))
        recorder.write_weights(1, snapshots(block))
        recorder.commit(10 * block + 10)
        if tell:
            print(10 * block + 10, flush=True)


def start(out: str) -> subprocess.Popen[str]:
    """A recording subprocess that has acknowledged its first commit."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen([sys.executable, __file__, out], stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "10\n"
    return process


def kill(process: subprocess.Popen[str], after: float) -> int:
    """Kill it after so many seconds; the last acknowledged step."""
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    said = process.communicate()[0].splitlines()
    return int(said[-1]) if said else 10


def check(result: Result, blocks: int) -> None:
    """`result` holds exactly `blocks` blocks."""
    assert result.steps == 10 * blocks
    for population in PLAN.populations:
        expected = map(np.concatenate, zip(*(spikes(population, k) for k in range(blocks)), strict=True))
        payloads = [result.payloads(population)] if population in PLAN.graded else []
        for one, other in zip(expected, (*result.steps_of(population), *payloads), strict=True):
            np.testing.assert_array_equal(one, other)
    for index, trace in enumerate(PLAN.traces):
        found_rows = result.trace(trace.population, trace.variable)
        np.testing.assert_array_equal(found_rows.data, np.concatenate([rows(index, k) for k in range(blocks)]))
    check_weights(result, blocks)


def check_weights(result: Result, blocks: int) -> None:
    """The weights are those of exactly `blocks` blocks."""
    steps, position, values = map(np.concatenate, zip(*map(sent, range(blocks)), strict=True))
    found, chosen = result.weights("sent"), PLAN.weights[0]
    np.testing.assert_array_equal(found.times, steps * PLAN.dt)
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal([found.source, found.target], [chosen.source[position], chosen.target[position]])
    course = result.weights("course")
    np.testing.assert_array_equal(course.times, np.arange(5, 10 * blocks + 1, 5) * PLAN.dt)
    np.testing.assert_array_equal(course.values, np.concatenate(list(map(snapshots, range(blocks)))))


@pytest.mark.parametrize("out", ["out.h5", "folder/"])
@pytest.mark.parametrize("seed", range(3))
def test_killed_run_keeps_all_that_it_acknowledged(tmp_path: Path, seed: int, out: str) -> None:
    """Read in memory, recovered and resumed, a killed file holds all that was acknowledged."""
    path = f"{tmp_path}/{out}"
    acknowledged = kill(start(path), random.Random(seed).uniform(0, 0.2))
    before = [file.read_bytes() for file in _files(path)]
    with pytest.warns(UnfinishedWarning):
        result = open(path)
    assert [file.read_bytes() for file in _files(path)] == before
    assert result.steps in (acknowledged, acknowledged + 10)
    check(result, result.steps // 10)
    assert recover(path).changed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(open(path), result.steps // 10)
    assert not recover(path).changed
    continued = Recorder.append(path, PLAN, 10)
    record(continued, 1, 4)
    check(continued.close(), 4)


def _files(path: str) -> list[Path]:
    return sorted(Path(path).glob("*")) if Path(path).is_dir() else [Path(path)]


def test_running_file_is_followed_and_protected(tmp_path: Path) -> None:
    """A second process sees the spikes grow, without a warning, and cannot recover or replace the file."""
    path = tmp_path / "out.h5"
    process = start(str(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = open(path)
        assert result.running
        first = result.steps
        while result.refresh().steps == first:
            time.sleep(0.01)
        check(result, result.steps // 10)
        for action in (lambda: recover(path), lambda: Recorder(PLAN, path, overwrite=True)):
            with pytest.raises(InputError) as caught:
                action()
            assert str(caught.value) == f"{path}: is being written by a running simulation"
    finally:
        kill(process, 0)


def test_file_killed_outside_swmr_mode_is_read_in_memory(tmp_path: Path) -> None:
    """A file whose writer was killed in plain mode (Windows) is read through a clean view of its first bytes."""
    path = tmp_path / "out.h5"
    kill(start(str(path)), 0)
    recover(path)
    content = bytearray(path.read_bytes())
    content[11] = 1  # as a plain writer leaves it
    path.write_bytes(content)
    with pytest.warns(UnfinishedWarning):
        result = open(path)
    check(result, result.steps // 10)
    assert recover(path).changed


if __name__ == "__main__":
    record(Recorder(PLAN, sys.argv[1]), 0, 1_000_000, tell=True)
