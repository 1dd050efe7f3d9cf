"""Recordings in other formats and back."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from snnsim.convert import convert, read
from snnsim.recording import Recorder, RecordingPlan, TracePlan, WeightPlan
from snnsim.result import Result


@pytest.fixture
def recorded(tmp_path: Path) -> Result:
    """A recording in a file."""
    weights = [WeightPlan("course", np.arange(3), np.arange(3), False, 5000, "pA", False, "ee")]
    traces = [TracePlan("exc", "v", np.arange(2), 1, "mV")]
    plan = RecordingPlan(0.1, {"exc": 8}, traces, "name: tiny\n", weights=weights)
    recorder = Recorder(plan, tmp_path / "in.h5")
    recorder.write_spikes("exc", np.arange(1, 20_001), np.arange(20_000) % 8)
    recorder.write_trace(0, np.ones((20_000, 2)))
    recorder.write_weights(0, np.ones((4, 3)))
    recorder.commit(20_000)
    return recorder.close({"spikes": 20_000})


@pytest.mark.parametrize("target", ["out.csv", "out.npz", "out.h5", "out/"])
def test_spikes_survive_every_format(recorded: Result, tmp_path: Path, target: str) -> None:
    """CSV, npz, HDF5 and folders give the same float64 times and ids back."""
    path = convert(tmp_path / "in.h5", f"{tmp_path}/{target}")
    for found, expected in zip(read(path).spikes("exc"), recorded.spikes("exc"), strict=True):
        assert np.array_equal(found, expected)


def test_compressed_file_is_smaller_and_equal(recorded: Result, tmp_path: Path) -> None:
    """gzip and shuffle are used, and all of the recording is there."""
    convert(tmp_path / "in.h5", tmp_path / "small.h5", compress=True)
    small = read(tmp_path / "small.h5")
    assert os.path.getsize(tmp_path / "small.h5") < os.path.getsize(tmp_path / "in.h5") / 3
    with h5py.File(tmp_path / "small.h5") as file:
        assert (file["spikes/exc/timestamps"].compression, file["spikes/exc/node_ids"].shuffle) == ("gzip", True)
    assert (small.summary, small.finished, small.steps) == ({"spikes": 20_000}, True, 20_000)
    assert np.array_equal(small.trace("exc", "v").data, recorded.trace("exc", "v").data)


def test_csv_has_a_header_and_a_line_per_spike(recorded: Result, tmp_path: Path) -> None:
    """The first lines of a CSV export."""
    convert(tmp_path / "in.h5", tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[:3] == ["population,node_id,time_ms", "exc,0,0.1", "exc,1,0.2"]
    assert len(lines) == 20_001


def test_npz_holds_traces_and_weights_too(recorded: Result, tmp_path: Path) -> None:
    """Arrays are named by population and variable, or by what the weights are called."""
    convert(tmp_path / "in.h5", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as file:
        assert (file["exc/v/data"].shape, float(file["dt_ms"]), int(file["steps"])) == ((20_000, 2), 0.1, 20_000)
        names = [f"snnsim/weights/course/{column}" for column in ("values", "times", "source", "target")]
        assert [file[name].shape for name in names] == [(4, 3), (4,), (3,), (3,)]


def test_network_comes_out_of_a_recording(recorded: Result, tmp_path: Path) -> None:
    """HDF5 to YAML is the network that was run."""
    convert(tmp_path / "in.h5", tmp_path / "out.yaml")
    assert (tmp_path / "out.yaml").read_text() == "name: tiny\n"
