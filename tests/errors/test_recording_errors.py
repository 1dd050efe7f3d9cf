"""The full text of every message about recordings, results, analysis, conversion and checkpoints."""

from __future__ import annotations

import os
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from snnsim.analysis import isi, rates, spike_distance
from snnsim.checkpoint import load_state, save_state
from snnsim.convert import convert, read
from snnsim.errors import SnnsimError
from snnsim.recording import Recorder, RecordingPlan, TracePlan, UnfinishedWarning, WeightPlan, recover
from snnsim.result import open

PLAN = RecordingPlan(0.1, {"exc": 10})


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short names in the messages."""
    monkeypatch.chdir(tmp_path)


def text(action: Callable[[], Any]) -> str:
    """The message that `action` fails with."""
    with pytest.raises(SnnsimError) as caught:
        action()
    return str(caught.value)


def test_existing_file_is_not_replaced() -> None:
    """A second run into the same file or folder is refused before it starts."""
    for out, name in (("out.h5", "out.h5"), ("out/", "out/spikes.h5")):
        Recorder(PLAN, out).close()
        message = f"{name}: exists already; choose another name, or overwrite=True to replace it"
        assert text(lambda out=out: Recorder(PLAN, out)) == message


def test_missing_folder_is_named() -> None:
    """The folder of the output must exist."""
    assert text(lambda: Recorder(PLAN, "no/out.h5")) == "no/out.h5: the folder no does not exist"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_named() -> None:
    """The folder of the output must be writable."""
    Path("locked").mkdir(mode=0o500)
    assert text(lambda: Recorder(PLAN, "locked/out.h5")) == "locked/out.h5: the folder locked is not writable"


def test_unwritable_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, where the tests run as root."""
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert text(lambda: Recorder(PLAN, "out.h5")) == "out.h5: the folder . is not writable"


def test_full_disk_is_seen_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is not begun where nothing can be recorded."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**9, 10**9, 3 << 20))
    expected = "out.h5: the disk is full: 3 MiB are free, 16 MiB are needed to begin"
    assert text(lambda: Recorder(PLAN, "out.h5")) == expected


def test_empty_trace_is_refused() -> None:
    """A trace of no units, or every 0 steps."""
    message = "record.traces: v of exc: expected units, and every >= 1 step"
    assert text(lambda: RecordingPlan(0.1, {}, [TracePlan("exc", "v", np.arange(0))])) == message
    assert text(lambda: RecordingPlan(0.1, {}, [TracePlan("exc", "v", np.arange(2), 0)])) == message


def test_weights_that_cannot_be_recorded() -> None:
    """A name given twice, every 0 steps."""
    one = np.arange(1)
    fine = WeightPlan("w", one, one, True, 0, "pA", False, "ee")
    never = WeightPlan("w", one, one, False, 0, "pA", False, "ee")
    cases = [
        ([fine, fine], "record.weights.w: is there twice"),
        ([never], "record.weights.w: expected every >= 1 step, found 0"),
    ]
    for weights, message in cases:
        assert text(lambda weights=weights: RecordingPlan(0.1, {}, weights=weights)) == message


def test_append_checks_what_it_continues() -> None:
    """A recording is continued only by the same run, from a step that it holds."""
    recorder = Recorder(PLAN, "out.h5")
    recorder.commit(5)
    assert text(lambda: Recorder.append("out.h5", PLAN, 5)) == "out.h5: is being written by a running simulation"
    recorder.abort()
    assert text(lambda: Recorder.append("out.h5", PLAN, 6)) == "out.h5: holds steps 1 to 5 and cannot be continued from step 6 of the checkpoint"
    weights = [WeightPlan("w", np.arange(1), np.arange(1), True, 0, "pA", False, "ee")]
    others = [
        RecordingPlan(0.1, {"inh": 10}), RecordingPlan(0.2, {"exc": 10}), RecordingPlan(0.1, {"exc": 10}, weights=weights)
    ]
    for other in others:
        message = "out.h5: records other things than this run: it cannot be continued"
        assert text(lambda other=other: Recorder.append("out.h5", other, 5)) == message


def test_files_that_are_no_recordings() -> None:
    """What can be wrong with a file that is opened."""
    Path("a.txt").write_text("hello")
    Path("folder").mkdir()
    h5py.File("empty.h5", "w").close()
    assert text(lambda: open("none.h5")) == "none.h5: no such file"
    assert text(lambda: open("a.txt")) == "a.txt: expected an HDF5 file, found something else"
    message = "folder: expected a recording, found a folder without manifest.json"
    assert text(lambda: open("folder")) == message
    message = "empty.h5: expected a recording of spikes, found an HDF5 file without /spikes"
    assert text(lambda: open("empty.h5")) == message


# What another program put at a place in a file, and what is said of it.
FOREIGN = [
    ("spikes", "expected a group for each population in /spikes, as SONATA has them, found a dataset"),
    ("spikes/step", "expected node_ids and timestamps in /spikes/step, as SONATA has them, found something else"),
    ("spikes/v1/timestamps", "expected node_ids and timestamps in /spikes/v1, as SONATA has them, found something else"),
]


@pytest.mark.parametrize(("place", "message"), FOREIGN)
def test_spikes_of_another_layout(place: str, message: str) -> None:
    """They are not taken for populations."""
    with h5py.File("other.h5", "w") as file:
        file[place] = [1]
    assert text(lambda: open("other.h5")) == f"other.h5: {message}"


def test_truncated_file_is_damaged() -> None:
    """A file cut short by a copy says so, with what HDF5 found."""
    Recorder(PLAN, "out.h5").close()
    os.truncate("out.h5", 500)
    assert text(lambda: open("out.h5")).startswith("out.h5: cannot be read: the file is damaged (")


def test_file_killed_before_the_first_commit() -> None:
    """A file killed while it was made holds nothing to recover."""
    Recorder(PLAN, "out.h5").close()
    content = bytearray(Path("out.h5").read_bytes()[:500])
    content[11] = 1
    Path("out.h5").write_bytes(content)
    for action in (open, recover):
        message = "out.h5: cannot be read: the run was killed before its first commit ("
        assert text(lambda action=action: action("out.h5")).startswith(message)


def test_killed_file_says_that_it_was_recovered() -> None:
    """Reading a killed file warns with what was read and what to do."""
    recorder = Recorder(PLAN, "out.h5")
    recorder.commit(5)
    recorder.abort()
    content = bytearray(Path("out.h5").read_bytes())
    content[11] = 1
    Path("out.h5").write_bytes(content)
    with pytest.warns(UnfinishedWarning) as caught:
        open("out.h5")
    assert str(caught[0].message) == (
        "out.h5: the run that wrote this did not finish; read up to its last commit, step 5 (0.5 ms), "
        "recovered in memory (`snnsim recover out.h5` makes the file whole)"
    )
    assert str(recover("out.h5")) == "out.h5: made whole: 0 spikes up to step 5 (0.5 ms)"
    assert str(recover("out.h5")) == "out.h5: was whole already: 0 spikes up to step 5 (0.5 ms)"


def test_unknown_names_in_a_result() -> None:
    """What was not recorded is named with what was."""
    one = np.arange(1)
    weights = [WeightPlan(name, one, one, True, 0, "pA", False, "ee") for name in ("sent", "course")]
    plan = RecordingPlan(0.1, {"exc": 10, "inh": 2}, [TracePlan("exc", "v", np.arange(2))], weights=weights)
    result = Recorder(plan).close()
    message = "unknown recorded population 'ex'; expected one of: exc, inh (did you mean exc?)"
    assert text(lambda: result.spikes("ex")) == message
    message = "unknown trace 'exc.u'; expected one of: exc.v (did you mean exc.v?)"
    assert text(lambda: result.trace("exc", "u")) == message
    message = "unknown recorded weights 'curse'; expected one of: course, sent (did you mean course?)"
    for ask in (result.weights, result.weight_plan, result.count_weights, lambda name: next(result.weight_blocks(name))):
        assert text(lambda ask=ask: ask("curse")) == message
    assert text(lambda: Recorder(PLAN).close().weights("w")) == "unknown recorded weights 'w'; expected one of: none"


def test_saving_onto_itself() -> None:
    """A recording is not its own copy."""
    result = Recorder(PLAN, "out.h5").close()
    assert text(lambda: result.save("out.h5", overwrite=True)) == "out.h5: source and target are the same file"


def test_convert_names_what_it_cannot() -> None:
    """Formats that are not known, and NIR, by name."""
    Recorder(PLAN, "in.h5").close()
    Path("net.yaml").write_text("snnsim: 1\n")
    Path("old.csv").write_text("")
    cases = {
        ("in.h5", "a.nir"): "a.nir: NIR is converted from and to YAML only, found in.h5",
        ("in.h5", "a.xls"): "a.xls: expected a name ending in .h5, .csv, .npz, .txt, .yaml, .yml or /",
        ("in.h5", "a.yaml"): "in.h5: holds no network",
        ("in.h5", "no/a.csv"): "no/a.csv: the folder no does not exist",
        ("in.h5", "old.csv"): "old.csv: exists already; choose another name, or overwrite=True to replace it",
        ("net.yaml", "a.h5"): "a.h5: a network in YAML can be converted to .yaml and .nir only",
        ("none.h5", "a.csv"): "none.h5: no such file",
    }
    for (source, target), message in cases.items():
        assert text(lambda s=source, t=target: convert(s, t)) == message
    assert text(lambda: convert("in.h5", "a.csv", compress=True)) == "a.csv: compress is for HDF5 files (.h5)"


def test_tables_of_spikes_are_checked() -> None:
    """CSV and npz files of another form."""
    Path("a.csv").write_text("x,y\n")
    Path("b.csv").write_text("population,node_id,time_ms\nexc,1,2.5\nexc,one,2.5\n")
    np.savez("a.npz", **{"exc/ids": np.arange(3)})
    Path("b.npz").write_text("hello")
    assert text(lambda: read("a.csv")) == "a.csv: expected the columns population, node_id, time_ms"
    assert text(lambda: read("b.csv")) == "b.csv:3: expected population,node_id,time_ms, found exc,one,2.5"
    for name in ("a.npz", "b.npz"):
        assert text(lambda name=name: read(name)) == f"{name}: expected arrays <population>/times, /ids and /n"


def test_analysis_refuses_impossible_arguments() -> None:
    """Durations, time constants, kinds and lengths."""
    assert text(lambda: rates([1], [0], 1, 0)) == "duration: expected a positive number of ms, found 0"
    assert text(lambda: spike_distance([1], [2], tau=-1)) == "tau: expected a positive number of ms, found -1"
    message = (
        "kind: unknown spike distance 'rossum'; expected one of: van_rossum, victor_purpura (did you mean van_rossum?)"
    )
    assert text(lambda: spike_distance([1], [2], kind="rossum")) == message
    assert text(lambda: isi([1, 2], [0])) == "ids: expected one id per time, found 1 ids for 2 times"


def test_checkpoints_are_checked() -> None:
    """What can be wrong with a checkpoint."""
    save_state("a.ckpt", {"v": np.arange(1000)}, {})
    Path("text.ckpt").write_text("hello")
    h5py.File("other.h5", "w").close()
    Path("late.ckpt").write_bytes(Path("a.ckpt").read_bytes())
    with h5py.File("late.ckpt", "r+") as file:
        file.attrs["snnsim_checkpoint"] = 2
    with h5py.File("a.ckpt", "r+") as file:
        file["arrays/0"][17] = 18
    message = "expected a checkpoint, found something else or a damaged file"
    assert text(lambda: load_state("none.ckpt")) == "none.ckpt: no such file (did you mean text.ckpt?)"
    assert text(lambda: load_state(".")) == ".: expected a checkpoint, found a folder"
    assert text(lambda: load_state("text.ckpt")) == f"text.ckpt: {message}"
    assert text(lambda: load_state("other.h5")) == "other.h5: expected a checkpoint, found another HDF5 file"
    message = "late.ckpt: is a checkpoint of version 2; this snnsim reads up to 1"
    assert text(lambda: load_state("late.ckpt")) == message
    assert text(lambda: load_state("a.ckpt")) == "a.ckpt: the checkpoint is damaged: its checksum does not fit"
    message = "names: expected numbers in a checkpoint, found an array of <U3"
    assert text(lambda: save_state("b.ckpt", {"names": np.array(["exc"])}, {})) == message
    assert text(lambda: save_state("no/b.ckpt", {}, {})) == "no/b.ckpt: the folder no does not exist"


def test_checkpoint_that_cannot_be_written_leaves_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing write is reported, and the earlier checkpoint stays."""
    save_state("a.ckpt", {}, {"step": 1})

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    assert text(lambda: save_state("a.ckpt", {}, {"step": 2})) == (
        "a.ckpt: the checkpoint could not be written (No space left on device); an earlier one is untouched"
    )
    assert load_state("a.ckpt")[1] == {"step": 1}
    assert [file.name for file in Path().iterdir()] == ["a.ckpt"]


def test_aborted_recording_opens_without_a_message(recwarn: pytest.WarningsRecorder) -> None:
    """A recording that was closed early says that it is not finished, and needs no recovery."""
    recorder = Recorder(PLAN, "out.h5")
    recorder.commit(3)
    assert not recorder.abort().finished
    assert not open("out.h5").finished
    assert not recwarn.list
