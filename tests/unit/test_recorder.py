"""What a recorder writes is what a result gives back, in memory, in a file and in a folder."""

from __future__ import annotations

import json
import os
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from snnsim.errors import InputError, RunError
from snnsim.recording import Recorder, RecordingPlan, TracePlan, UnfinishedWarning, WeightPlan
from snnsim.result import Result, open

PLAN = RecordingPlan(
    dt=0.1,
    populations={"exc": 100, "inh": 50},
    traces=[
        TracePlan("exc", "v", np.arange(3), 2, "mV"),
        TracePlan("exc", "u", np.array([7, 9]), 1, "pA"),
        TracePlan("inh", "v", np.array([4]), 5, "mV", double=True),
    ],
    network_yaml="name: tiny\n" + "# long\n" * 20_000,
    provenance={"seed": 3, "backend": "reference"},
    subsets={"inh": np.array([1, 3])},
    weights=[
        WeightPlan("sent", np.array([0, 0, 7]), np.array([2, 5, 1]), True, 0, "pA", False, "ee"),
        WeightPlan("course", np.array([0, 3]), np.array([2, 2]), False, 4, "pA", False, "ee"),
        WeightPlan("exact", np.arange(70_000), np.arange(70_000) // 2, False, 15, "", True, "ei"),
    ],
)
OUTS = [None, "out.h5", "folder/"]


def record(out: str | Path | None, start: int = 0, stop: int = 4, finish: bool = True) -> Result:
    """Blocks `start` to `stop` of ten steps, each with five spikes per step and population."""
    recorder = Recorder.append(out, PLAN, 10 * start) if start and out else Recorder(PLAN, out)
    for block in range(start, stop):
        for population in PLAN.populations:
            recorder.write_spikes(population, np.repeat(np.arange(10) + 10 * block + 1, 5), np.tile(np.arange(5), 10))
        for index, trace in enumerate(PLAN.traces):
            rows = np.arange(10 * block, 10 * block + 10, trace.every) / 3
            recorder.write_trace(index, np.repeat(rows[:, None], len(trace.units), axis=1))
        steps = np.arange(10 * block + 1, 10 * block + 11)
        recorder.write_weights(0, (np.repeat(steps, 2), np.tile([0, 2], 10), np.repeat(steps, 2) / 3))
        for index, weights in list(enumerate(PLAN.weights))[1:]:
            recorder.write_weights(index, snapshots(steps[steps % weights.every == 0], weights))
        recorder.commit(10 * block + 10)
    return recorder.close({"spikes": sum(recorder.counts.values())}) if finish else recorder.abort()


def snapshots(steps: np.ndarray, weights: WeightPlan) -> np.ndarray:
    """A row for each step, which tells the step and the synapse."""
    return steps[:, None] / 3 + np.arange(len(weights.source))


@pytest.fixture(params=OUTS)
def result(request: pytest.FixtureRequest, tmp_path: Path) -> Result:
    """The same recording in each place."""
    return record(None if request.param is None else f"{tmp_path}/{request.param}")


def test_spikes_come_back_with_times_and_ids(result: Result) -> None:
    """Spikes are float64 ms and int64 ids, sorted by time then id; the step comes back exactly."""
    times, ids = result.spikes("exc")
    assert (times.dtype, ids.dtype, len(times)) == (np.float64, np.int64, 200)
    assert np.array_equal(times, np.repeat(np.arange(1, 41), 5) * 0.1)
    assert np.array_equal(result.steps_of("exc")[0], np.repeat(np.arange(1, 41), 5))
    assert np.array_equal(ids, np.tile(np.arange(5), 40))


def test_only_chosen_units_are_recorded_and_counted(result: Result) -> None:
    """A subset leaves the other units out, and rates divide by the recorded units."""
    assert np.unique(result.spikes("inh")[1]).tolist() == [1, 3]
    assert result.units("inh").tolist() == [1, 3]
    assert result.rates() == {"exc": 200 / 100 / 0.004, "inh": 80 / 2 / 0.004}
    assert result.summary == {"spikes": 280}


def test_traces_know_their_axes(result: Result) -> None:
    """A trace is an array [steps, units] with times, ids and unit; its first row is the state after step `every`."""
    trace = result.trace("exc", "v")
    assert (trace.shape, trace.dtype, trace.ndim, len(trace)) == ((20, 3), np.float32, 2, 20)
    assert trace.times[:2] == pytest.approx([0.2, 0.4])
    assert (trace.units.tolist(), trace.unit) == ([0, 1, 2], "mV")
    assert np.array_equal((trace + 1)[:, 0], np.asarray(trace)[:, 0] + 1)
    assert result.trace("exc", "u").times[-1] == pytest.approx(4.0)


def test_double_precision_traces_keep_every_bit(result: Result) -> None:
    """A float64 trace is stored as float64."""
    assert np.array_equal(result.trace("inh", "v").data[:, 0], np.arange(0, 40, 5) / 3)


def test_weights_sent_have_their_time_and_ends(result: Result) -> None:
    """What presynaptic events send comes back with ms, source and target of each, in the order of recording."""
    sent = result.weights("sent")
    steps = np.repeat(np.arange(1, 41), 2)
    assert (sent.values.dtype, sent.times.dtype, sent.source.dtype, sent.target.dtype, sent.unit) == (
        np.float32, np.float64, np.int64, np.int64, "pA")
    assert np.array_equal(sent.times, steps * 0.1)
    assert np.array_equal(sent.values, (steps / 3).astype(np.float32))
    assert (sent.source.tolist(), sent.target.tolist()) == ([0, 7] * 40, [2, 1] * 40)


@pytest.mark.parametrize(("name", "kind"), [("course", np.float32), ("exact", np.float64)])
def test_snapshots_of_weights_know_their_axes(result: Result, name: str, kind: type) -> None:
    """Snapshots are rows at the multiples of `every`, also those between two blocks, of synapses with their ends."""
    found, plan = result.weights(name), result.weight_plan(name)
    steps = np.arange(plan.every, 41, plan.every)
    assert np.array_equal(found.times, steps * 0.1)
    assert found.values.dtype == kind
    assert np.array_equal(found.values, snapshots(steps, plan).astype(kind))
    assert np.array_equal([found.source, found.target], [plan.source, plan.target])


def test_weights_are_listed_with_their_plans(result: Result) -> None:
    """Names in the order of the plan; the plan of each is the one that recorded it."""
    assert result.weight_names == ["sent", "course", "exact"]
    assert [result.count_weights(name) for name in result.weight_names] == [80, 10, 2]
    for found, expected in zip(result.plan().weights, PLAN.weights, strict=True):
        assert vars(found).keys() == vars(expected).keys()
        assert all(np.array_equal(a, b) for a, b in zip(vars(found).values(), vars(expected).values(), strict=True))


def test_weights_lie_where_the_docs_say(tmp_path: Path) -> None:
    """Plain h5py finds steps, ends and weights by name, in out.h5 and in the folder's weights.h5."""
    record(tmp_path / "out.h5")
    record(f"{tmp_path}/folder/")
    for path in (tmp_path / "out.h5", tmp_path / "folder/weights.h5"):
        with h5py.File(path) as file:
            sent, course = file["snnsim/weights/sent"], file["snnsim/weights/course"]
            assert [sent[key].shape for key in ("step", "source", "target", "weight")] == [(80,)] * 4
            assert [sent["synapses"][key][:].tolist() for key in ("source", "target")] == [[0, 0, 7], [2, 5, 1]]
            assert [course[key].shape for key in ("step", "source", "target", "weight")] == [(10,), (2,), (2,), (10, 2)]
            assert dict(sent.attrs) == {"unit": "pA", "projection": "ee", "every": 0}
            assert dict(course.attrs) == {"unit": "pA", "projection": "ee", "every": 4}


def test_weights_begin_after_the_start(tmp_path: Path) -> None:
    """A recording that begins at a checkpoint has its first snapshot at the next multiple of `every`."""
    plan = RecordingPlan(0.1, {}, start=10, weights=[PLAN.weights[1]])
    for out in (None, tmp_path / "out.h5"):
        recorder = Recorder(plan, out)
        recorder.write_weights(0, np.zeros((2, 2)))
        recorder.commit(17)
        assert recorder.close().weights("course").times.tolist() == pytest.approx([1.2, 1.6])


def test_blocks_of_weights_are_the_whole(result: Result) -> None:
    """Reading in blocks gives the same, however small they are."""
    for name in result.weight_names:
        joined = [np.concatenate(column) for column in zip(*result.weight_blocks(name, 7), strict=True)]
        whole = result.weights(name)
        assert np.array_equal(joined[0] * result.dt, whole.times)
        assert np.array_equal(joined[-1], whole.values)


def test_provenance_and_network_come_along(result: Result) -> None:
    """Every recording carries the network and how it was made, longer than an HDF5 attribute of old."""
    assert (result.provenance, result.network_yaml) == (PLAN.provenance, PLAN.network_yaml)
    assert (result.dt, result.steps, result.duration, result.finished, result.running) == (0.1, 40, 4.0, True, False)
    assert repr(result) == "<Result 4 ms: exc 500 Hz, inh 1e+04 Hz>"


@pytest.mark.parametrize("out", ["copy.h5", "copies/"])
@pytest.mark.parametrize("compress", [False, True])
def test_a_saved_result_is_the_same(result: Result, tmp_path: Path, out: str, compress: bool) -> None:
    """`save` writes all of it, also compressed, and what is opened again is equal."""
    result.save(f"{tmp_path}/{out}", compress=compress)
    same(open(tmp_path / out), result)


def same(found: Result, expected: Result) -> None:
    """All that two results hold is equal."""
    assert sorted(found.traces) == sorted(expected.traces)
    assert (found.summary, found.steps, found.finished) == (expected.summary, expected.steps, expected.finished)
    for name in expected.populations:
        for a, b in zip(found.spikes(name), expected.spikes(name), strict=True):
            assert np.array_equal(a, b)
    for key in expected.traces:
        assert np.array_equal(found.trace(*key).data, expected.trace(*key).data)
    assert found.weight_names == expected.weight_names
    for name in expected.weight_names:
        for a, b in zip(vars(found.weights(name)).values(), vars(expected.weights(name)).values(), strict=True):
            assert np.array_equal(a, b)


def test_blocks_are_the_whole(result: Result) -> None:
    """Reading in blocks gives the same spikes."""
    joined = [np.concatenate(column) for column in zip(*result.blocks("exc", 37), strict=True)]
    assert all(np.array_equal(a, b) for a, b in zip(joined, result.spikes("exc"), strict=True))


@pytest.mark.parametrize("out", OUTS[1:])
def test_resumed_recording_equals_an_uninterrupted_one(tmp_path: Path, out: str) -> None:
    """Going on from an earlier step drops what came after it; every data set is that of a run in one go."""
    record(f"{tmp_path}/{out}", stop=3, finish=False)
    resumed = record(f"{tmp_path}/{out}", start=2)
    whole = record(f"{tmp_path}/whole-{out}")
    same(resumed, whole)
    for file in (tmp_path / out).glob("*.h5") if out.endswith("/") else [tmp_path / out]:
        twin = file.with_name(f"whole-{file.name}") if out == "out.h5" else tmp_path / f"whole-{out}" / file.name
        assert _content(file) == _content(twin)


@pytest.mark.parametrize("finish", [True, False])
@pytest.mark.parametrize("out", OUTS[1:])
def test_what_was_just_written_is_known_without_a_look_at_it(tmp_path: Path, out: str, finish: bool) -> None:
    """A recorder gives the result that opening the file gives, whether the run came to its end or not."""
    written = record(f"{tmp_path}/{out}", finish=finish)
    assert state(written) == state(open(f"{tmp_path}/{out}"))


def test_what_was_not_committed_is_cut_off(tmp_path: Path) -> None:
    """A run that ends between two commits leaves data sets that end where the last commit does."""
    recorder = Recorder(PLAN, tmp_path / "out.h5")
    recorder.write_spikes("exc", [1, 2], [3, 4])
    recorder.commit(2)
    recorder.write_spikes("exc", [3], [5])
    assert state(recorder.abort()) == state(open(tmp_path / "out.h5"))
    with h5py.File(tmp_path / "out.h5") as file:
        assert [len(column) for column in file["spikes/exc"].values()] == [2, 2]


def state(result: Result) -> list[str]:
    """Everything that the sources of a result know, as text."""
    return [repr({name: _plain(value) for name, value in sorted(vars(source).items())}) for source in result._sources]


def _plain(value: Any) -> Any:
    """With plans as mappings and arrays with their types."""
    if is_dataclass(value):
        return {name: _plain(each) for name, each in vars(value).items()}
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return (str(value.dtype), value.tolist()) if isinstance(value, np.ndarray) else value


def test_a_continued_recording_says_who_began_it(tmp_path: Path) -> None:
    """The file keeps its provenance when another run goes on with it, and so does the result."""
    record(tmp_path / "out.h5", 0, 2)
    recorder = Recorder.append(tmp_path / "out.h5", replace(PLAN, provenance={"seed": 3, "backend": "cpu"}), 20)
    assert recorder.close().provenance == open(tmp_path / "out.h5").provenance == {"seed": 3, "backend": "reference"}


def test_a_shorter_continuation_cuts_the_file(tmp_path: Path) -> None:
    """A run resumed from an early step and ended early leaves nothing of the later one."""
    path = tmp_path / "out.h5"
    record(path, stop=4, finish=False)
    record(path, start=1, stop=2)
    assert len(h5py.File(path)["spikes/exc/timestamps"]) == 100
    assert h5py.File(path)["snnsim/weights/sent/step"][-1] == 20
    assert h5py.File(path)["snnsim/weights/course/step"][:].tolist() == [4, 8, 12, 16, 20]
    assert h5py.File(path)["snnsim/weights/exact/weight"].shape == (1, 70_000)
    assert h5py.File(path)["report/exc/mapping/time"][1] == pytest.approx(0.2 + 10 * 0.2)


def _content(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()].tobytes()} if hasattr(item, "shape") else {}))
    return found


def test_nothing_recorded_is_a_result_too(tmp_path: Path) -> None:
    """Populations without a spike and runs without a step give empty arrays and rates of zero."""
    for out in (None, tmp_path / "out.h5"):
        plan = RecordingPlan(0.1, {"a": 3}, [TracePlan("a", "v", np.arange(2))], weights=PLAN.weights)
        empty = Recorder(plan, out).close()
        assert (len(empty.spikes("a")[0]), empty.rates(), empty.trace("a", "v").shape) == (0, {"a": 0.0}, (0, 2))
        assert [empty.weights(name).values.shape for name in empty.weight_names] == [(0,), (0, 2), (0, 70_000)]
        assert not list(empty.weight_blocks("sent"))


def test_folder_has_a_manifest_and_the_network(tmp_path: Path) -> None:
    """A folder holds spikes.h5, a report file per variable, weights.h5, manifest.json and network.yaml."""
    record(f"{tmp_path}/folder/")
    names = {file.name for file in (tmp_path / "folder").iterdir()}
    assert names == {"spikes.h5", "v.h5", "u.h5", "weights.h5", "manifest.json", "network.yaml"}
    assert (tmp_path / "folder/network.yaml").read_text() == PLAN.network_yaml
    manifest = json.loads((tmp_path / "folder/manifest.json").read_text())
    assert manifest["reports"][0] == {"file": "v.h5", "group": "/report/exc", "population": "exc", "variable": "v"}
    group = "/snnsim/weights/course"
    assert manifest["weights"][1] == {"file": "weights.h5", "group": group, "name": "course", "projection": "ee"}


def test_variables_named_as_our_files_do_not_replace_them(tmp_path: Path) -> None:
    """A variable `weights` or `spikes` gets another file in a folder."""
    traces = [TracePlan("a", name, np.arange(1)) for name in ("spikes", "weights")]
    Recorder(RecordingPlan(0.1, {"a": 1}, traces, weights=PLAN.weights), tmp_path / "out").close()
    names = {"spikes.h5", "weights.h5", "spikes_report.h5", "weights_report.h5", "manifest.json", "network.yaml"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names


def test_overwriting_replaces_a_file(tmp_path: Path) -> None:
    """overwrite=True replaces an old recording."""
    path = tmp_path / "out.h5"
    record(path)
    assert Recorder(PLAN, path, overwrite=True).close().steps == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to stand in for a full disk")
def test_full_disk_keeps_what_was_committed(tmp_path: Path) -> None:
    """When a write fails, the message says what was saved, nothing crashes, and the file holds exactly that."""
    path = tmp_path / "out.h5"
    recorder = Recorder(RecordingPlan(0.1, {"a": 10}), path)
    recorder.write_spikes("a", np.full(5000, 1), np.zeros(5000))
    recorder.commit(1)
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, recorder._stores[0]._file.id.get_vfd_handle())
    recorder.write_spikes("a", np.full(5000, 2), np.zeros(5000))
    with pytest.raises(RunError) as caught:
        recorder.commit(2)
    text = f"{path}: writing failed (No space left on device); everything up to step 1 (0.1 ms) is in the file"
    assert str(caught.value) == text
    assert recorder.abort().count("a") == 5000
    with pytest.warns(UnfinishedWarning):
        assert open(path).count("a") == 5000


def test_other_programs_spikes_can_be_read(tmp_path: Path) -> None:
    """SONATA spikes without our group open as well; their duration ends with the last spike."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["spikes/a/timestamps"] = [1.0, 2.0]
        file["spikes/a/node_ids"] = np.array([1, 0], dtype="u8")
    other = open(tmp_path / "other.h5")
    assert (other.duration, other.size("a"), other.rates()) == (2.0, 2, {"a": 500.0})


def test_a_trace_may_not_be_recorded_twice() -> None:
    """One trace per population and variable."""
    with pytest.raises(InputError) as caught:
        RecordingPlan(0.1, {}, [TracePlan("a", "v", np.arange(2))] * 2)
    assert str(caught.value) == "record.traces: v of a is recorded twice"
