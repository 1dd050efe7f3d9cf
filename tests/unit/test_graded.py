"""Payloads of spikes on their way to the user: recordings, exports, comparisons, checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
import numpy as np
import pytest
from graded import LEAKY, mixed

import snnsim as sn
from snnsim.cli import main
from snnsim.cli.compare import first_difference
from snnsim.convert import convert, read
from snnsim.recording import Recorder, RecordingPlan
from snnsim.result import Result

OUTS = [None, "out.h5", "out/"]


def recorded(out: str | None) -> Result:
    """All spikes of the mixed network."""
    net = mixed()
    net.record(spikes=list(net.populations))
    return sn.run(net, "15 ms", backend="cpu", threads=2, out=out)


@pytest.fixture(scope="module")
def expected() -> Result:
    """What the reference computes."""
    net = mixed()
    net.record(spikes=list(net.populations))
    return sn.run(net, "15 ms", backend="reference")


def assert_equal(found: Result, expected: Result) -> None:
    """Spikes and payloads of all populations."""
    for name in expected.populations:
        for one, other in zip((*expected.spikes(name), expected.payloads(name)),
                              (*found.spikes(name), found.payloads(name)), strict=True):
            np.testing.assert_array_equal(one, other, name)


@pytest.mark.parametrize("out", OUTS)
def test_payloads_are_recorded(out: str | None, tmp_path: Path, expected: Result) -> None:
    """In memory, in a file and in a folder, in the order of the spikes; populations without have ones."""
    found = recorded(out and f"{tmp_path}/{out}")
    assert_equal(found, expected)
    assert found.graded == expected.graded == ["graded", "passing"]
    payloads = found.payloads("graded")
    assert payloads.dtype == np.int64
    assert payloads.size == found.count("graded") > 100
    assert payloads.min() < 0 < payloads.max()
    assert set(found.payloads("binary")) == {1}


def test_blocks_have_payloads_where_there_are_some(expected: Result) -> None:
    """The same in pieces of a few spikes."""
    blocks = list(expected.message_blocks("graded", 7))
    np.testing.assert_array_equal(np.concatenate([block[2] for block in blocks]), expected.payloads("graded"))
    np.testing.assert_array_equal(np.concatenate([block[0] for block in blocks]), expected.spikes("graded")[0])
    assert {len(block) for block in expected.message_blocks("binary")} == {2}


def test_payloads_of_some_units(tmp_path: Path, expected: Result) -> None:
    """Where not all units are recorded, the payloads of those that are."""
    net = mixed()
    net.record(spikes={"graded": [3, 4, 30]})
    found = sn.run(net, "15 ms", backend="cpu", out=tmp_path / "out.h5")
    _, ids = expected.spikes("graded")
    chosen = np.isin(ids, [3, 4, 30])
    np.testing.assert_array_equal(found.payloads("graded"), expected.payloads("graded")[chosen])
    np.testing.assert_array_equal(found.spikes("graded")[1], ids[chosen])


@pytest.mark.parametrize("out", OUTS[1:])
def test_a_recording_is_continued(out: str, tmp_path: Path, expected: Result) -> None:
    """From a checkpoint, on another backend: spikes and payloads after it are appended."""
    net = mixed()
    net.record(spikes=list(net.populations))
    path, state = f"{tmp_path}/{out}", tmp_path / "state.ckpt"
    sn.run(net, "7 ms", backend="reference", out=path, checkpoint=state)
    assert_equal(sn.run(net, "15 ms", backend="cpu", out=path, resume_from=state), expected)


@pytest.mark.parametrize("target", ["out.csv", "out.npz", "out.h5", "out/"])
@pytest.mark.parametrize("compress", [False, True])
def test_payloads_survive_every_format(target: str, compress: bool, tmp_path: Path, expected: Result) -> None:
    """CSV, npz, HDF5 and folders give the same numbers back, and say which populations send any."""
    if compress and not target.endswith(".h5"):
        pytest.skip("compress is for HDF5 files")
    expected.save(tmp_path / "in.h5")
    found = read(convert(tmp_path / "in.h5", f"{tmp_path}/{target}", compress))
    assert_equal(found, expected)
    assert found.graded == expected.graded


def test_csv_has_a_column_for_payloads(tmp_path: Path) -> None:
    """It is empty for populations that send none; without any such population there is no column."""
    plan = RecordingPlan(0.5, {"exc": 4, "inh": 4}, graded=frozenset({"exc"}))
    recorder = Recorder(plan, tmp_path / "in.h5")
    recorder.write_spikes("exc", [1, 3], [0, 2], [-5, 7])
    recorder.write_spikes("inh", [2], [1])
    recorder.commit(4)
    recorder.close()
    convert(tmp_path / "in.h5", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().split() == [
        "population,node_id,time_ms,payload", "exc,0,0.5,-5", "exc,2,1.5,7", "inh,1,1.0,"]


def test_info_says_who_sends_payloads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column of the table of populations."""
    recorded(str(tmp_path / "out.h5"))
    assert main(["info", str(tmp_path / "out.h5"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["populations"]
    assert [(each["name"], each["payloads"]) for each in found] == [
        ("graded", True), ("passing", True), ("binary", False), ("counting", False), ("real", False)]


# --- comparisons -------------------------------------------------------------------------------------------------------

def in_memory(payloads: list[int], ids: tuple[int, ...] = (0, 2, 2)) -> Result:
    recorder = Recorder(RecordingPlan(0.1, {"exc": 3}, graded=frozenset({"exc"})))
    recorder.write_spikes("exc", [1, 3, 4], ids, payloads)
    recorder.commit(4)
    return recorder.close()


@pytest.mark.parametrize(("other", "difference"), [
    (in_memory([5, 6, 7]), None),
    (in_memory([5, -6, 8]), "exc[2] at 0.3 ms, 6 and -6"),
    (in_memory([5, 6, 7], (0, 1, 2)), "exc[1] at 0.3 ms"),
    (in_memory([9, 6, 7], (0, 1, 2)), "exc[0] at 0.1 ms, 5 and 9"),
])
def test_payloads_are_part_of_a_comparison(other: Result, difference: str | None) -> None:
    """The earliest spike that only one has, or that carries something else."""
    assert first_difference(in_memory([5, 6, 7]), other) == difference


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`snnsim compare` of a network with payloads."""
    (tmp_path / "net.yaml").write_text(mixed().to_yaml())
    command = ["compare", str(tmp_path / "net.yaml"), "--backends", "reference,cpu", "--duration", "5 ms", "--json", "--quiet"]
    assert main(command) == 0
    assert [row["first_difference"] for row in json.loads(capsys.readouterr().out)] == [None, None]


# --- in the middle of a run --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_program_goes_back(backend: str) -> None:
    """What a snapshot holds of payloads under way is all of it."""
    program = sn.compile(mixed(), backend=backend, threads=2)
    program.run("4 ms")
    saved = program.engine.snapshot()
    first = program.engine.advance(80)
    program.engine.restore(saved)
    second = program.engine.advance(80)
    for name in ("step", "unit", "payload"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_networks_without_payloads_have_none(backend: str) -> None:
    """Nothing is kept of what is not there."""
    net = sn.Network(seed=1)
    net.population("cells", 20, "poisson", rate="1 kHz")
    program = sn.compile(net, backend=backend)
    assert program.engine.advance(50).payload is None
    assert program.engine.history().payload is None


def test_payloads_are_kept_where_lists_grow() -> None:
    """More spikes under way than the lists of the CPU engine begin with."""
    net = sn.Network(dt="1 ms", seed=2)
    net.model("leaky", {**LEAKY, "spike": "x != 0", "initial": {"x": 300}})
    net.population("counted", 30, "poisson", rate="200 kHz")
    net.population("graded", 30, "leaky", init={"x": {"uniform": [-900, 900]}})
    net.project("graded", "graded", sn.one_to_one(), weight=255, delay="60 ms", num_message_bits=24)
    net.record(spikes=["graded", "counted"])
    first, *others = (sn.run(net, "100 ms", backend=backend, threads=threads)
                      for backend, threads in (("reference", None), ("cpu", 1), ("cpu", 2)))
    assert first.count("counted") > 1 << 19
    for other in others:
        assert_equal(other, first)
