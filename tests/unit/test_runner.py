"""Runs that are stopped and gone on with: what is saved, and that nothing of it shows in the result."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import snnsim as sn
from snnsim import runner
from snnsim.backends.cpu import build
from snnsim.cli import main
from snnsim.errors import RunError
from snnsim.interrupt import interruptible
from snnsim.registry import backends
from snnsim.runner import Interrupted

CONFIG = """\
snnsim: 1
seed: 3
dt: 0.1 ms
duration: 60 ms
populations:
  exc: {n: 40, model: lif_psc_exp, params: {tau_m: 20 ms}, init: {v: {uniform: [-70 mV, -55 mV]}}}
inputs:
  noise: {type: poisson, rate: 8 kHz, to: exc, weight: 60 pA}
projections:
  - from: exc
    to: exc
    connect: {rule: fixed_indegree, k: 5}
    weight: {uniform: [10 pA, 40 pA]}
    delay: {uniform: [0.5 ms, 8 ms]}
record:
  spikes: [exc]
  traces: {exc: {variables: [v], units: "0:3", every: 0.7 ms}}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a folder of its own, with the network in net.yaml."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(CONFIG)


def network() -> sn.Network:
    return sn.load("net.yaml")


def sending(*signals: signal.Signals) -> Callable[[int, int], None]:
    """A progress display that sends signals at its first call."""
    left = list(signals)

    def progress(done: int, steps: int) -> None:
        while left:
            signal.raise_signal(left.pop(0))

    return progress


def data(path: str) -> dict[str, np.ndarray]:
    """Every array of a file, except how long the run took."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return {name: array for name, array in found.items() if name != "snnsim/summary"}


def assert_same(path: str, expected: str) -> None:
    """All arrays of two files are equal."""
    first, second = data(expected), data(path)
    assert first.keys() == second.keys()
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
@pytest.mark.parametrize(("backend", "threads"), [("cpu", 1), ("cpu", 3), ("reference", None)])
def test_stopped_run_goes_on_as_if_nothing_had_happened(
    number: signal.Signals, name: str, backend: str, threads: int | None
) -> None:
    """A stop after some steps, and a resume on any backend with any number of threads, leave the file of one run."""
    sn.run(network(), backend="cpu", threads=2, out="whole.h5")
    with pytest.raises(Interrupted) as caught:
        sn.run(network(), backend="cpu", threads=2, out="a.h5", checkpoint="a.ckpt", progress=sending(number))
    reached = sn.open("a.h5")
    assert str(caught.value) == (f"stopped by {name} at {reached.duration:g} ms of 60 ms; a.h5 holds everything up to "
                                 "there; go on with --resume a.ckpt")
    assert caught.value.exit_code == 1
    assert 0 < reached.duration < 60
    assert not reached.finished
    sn.run(network(), backend=backend, threads=threads, out="a.h5", resume_from="a.ckpt")
    assert_same("a.h5", "whole.h5")


def test_stop_without_files() -> None:
    """Without a file and a checkpoint, the message says what would have kept the run."""
    with pytest.raises(Interrupted) as caught:
        sn.run(network(), backend="reference", progress=sending(signal.SIGINT))
    assert str(caught.value) == ("stopped by Ctrl-C at 5 ms of 60 ms; nothing was recorded to a file; --checkpoint FILE "
                                 "makes a run resumable")


def test_second_signal_stops_at_once() -> None:
    """It raises KeyboardInterrupt where the program is; the recording is closed and readable, no checkpoint is written."""
    with pytest.raises(KeyboardInterrupt):
        sn.run(network(), backend="reference", out="a.h5", checkpoint="a.ckpt",
               progress=sending(signal.SIGINT, signal.SIGTERM))
    assert sn.open("a.h5").steps == 0
    assert not Path("a.ckpt").exists()


def test_signals_are_given_back() -> None:
    """After a run, Ctrl-C means what it meant before."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interruptible() as request:
        signal.raise_signal(signal.SIGTERM)
        assert request()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_building(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first step there is nothing to keep: one line, exit code 1, no file."""
    monkeypatch.setattr(runner, "make_plan", lambda *_: signal.raise_signal(number))
    assert main(["run", "net.yaml", "-o", "a.h5", "--checkpoint", "a.ckpt"]) == 1
    assert tuple(capsys.readouterr()) == ("", "stopped by Ctrl-C\n")
    assert [path.name for path in Path().iterdir()] == ["net.yaml"]


def test_resumed_run_with_a_recording_of_its_own() -> None:
    """A recording that begins at the checkpoint, in memory or in a file, has the right times and rates."""
    whole = sn.run(network(), backend="cpu")
    sn.run(network(), "20 ms", "cpu", checkpoint="a.ckpt")
    for out in (None, "rest.h5"):
        rest = sn.run(network(), backend="cpu", resume_from="a.ckpt", out=out)
        assert (rest.start, rest.duration, whole.start) == (20.0, 60.0, 0.0)
        (times, ids), (late, of) = whole.spikes("exc"), rest.spikes("exc")
        assert np.array_equal(times[times > 20.05], late)
        assert np.array_equal(ids[times > 20.05], of)
        assert rest.rates()["exc"] == pytest.approx(len(late) / 40 / 0.04)
        trace, end = whole.trace("exc", "v"), rest.trace("exc", "v")
        assert np.array_equal(trace.times[trace.times > 20], end.times)
        assert np.array_equal(trace.data[trace.times > 20], end.data)
    with h5py.File("rest.h5") as file:
        assert file["report/exc/mapping/time"][:].tolist() == pytest.approx([20.3, 20.3 + 57 * 0.7, 0.7])


def test_recording_that_began_at_a_checkpoint_is_continued() -> None:
    """Its later parts come as in one run, and a copy of it is the same."""
    sn.run(network(), "20 ms", "cpu", checkpoint="a.ckpt")
    sn.run(network(), "40 ms", "cpu", resume_from="a.ckpt", out="parts.h5", checkpoint="b.ckpt")
    sn.run(network(), "60 ms", "cpu", resume_from="b.ckpt", out="parts.h5")
    sn.run(network(), "60 ms", "cpu", resume_from="a.ckpt", out="rest.h5")
    assert_same("parts.h5", "rest.h5")
    sn.open("rest.h5").save("copy.h5")
    assert_same("copy.h5", "rest.h5")


def test_duration_and_recordings_may_change_between_checkpoint_and_resume() -> None:
    """A state does not depend on them."""
    sn.run(network(), "20 ms", "reference", checkpoint="a.ckpt")
    words = ["run", "net.yaml", "--resume", "a.ckpt", "--backend", "reference"]
    assert main([*words, "--set", "duration=30 ms", "--set", "record.traces={}"]) == 0


def test_failing_checkpoint_leaves_a_finished_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording is closed before the checkpoint is written."""
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(RunError) as caught:
        sn.run(network(), backend="reference", out="a.h5", checkpoint="a.ckpt")
    assert str(caught.value) == (
        "a.ckpt: the checkpoint could not be written (No space left on device); an earlier one is untouched")
    assert sn.open("a.h5").finished


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("connect", [
    {"weight": "5 pA", "delay": "1 ms"},
    {"weight": {"uniform": ["1 pA", "5 pA"]}, "delay": {"uniform": ["0.5 ms", "4 ms"]}},
    {"weight": {"uniform": ["1 pA", "5 pA"]}, "delay": {"uniform": ["1 ms", "300 ms"]}},
])
def test_estimate_is_not_below_what_an_engine_takes(backend: str, connect: dict[str, Any]) -> None:
    """The memory said before building covers the engine that is then built."""
    net = sn.Network(dt="0.1 ms")
    net.population("a", 3000, "lif_psc_exp", tau_m={"uniform": ["10 ms", "20 ms"]})
    net.project("a", "a", sn.fixed_indegree(20), **connect)
    program = sn.compile(net, backend, 2)
    taken = sum(program.engine.memory().values())
    assert taken <= backends()[backend].memory(program.plan, 2) < 60 * 2**20 + 30 * taken


def test_threads_that_meet_more_often_give_the_same_spikes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large populations meet after fewer steps than the smallest delay allows, to keep lists of spikes short."""
    expected = sn.run(network(), backend="cpu", threads=2).spikes("exc")
    monkeypatch.setattr(build, "_ROOM", 40)
    program = sn.compile(network(), "cpu", 2)
    assert program.engine.epoch == 2  # type: ignore[attr-defined]
    found = sn.run(network(), backend="cpu", threads=2).spikes("exc")
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
