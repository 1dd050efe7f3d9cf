"""What ``snnsim report`` says when something is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snnsim.cli import main
from snnsim.errors import InputError
from snnsim.recording import Recorder, RecordingPlan, TracePlan
from snnsim.report import make_report


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """50 ms of one population, in the current folder."""
    monkeypatch.chdir(tmp_path)
    recorder = Recorder(RecordingPlan(0.1, {"one": 1}), "out.h5")
    recorder.commit(500)
    recorder.close()
    return "out.h5"


@pytest.mark.parametrize(("words", "message"), [
    (["--from", "50 ms"], "--from: expected a time at least 3 ms before the end of the recording at 50 ms, found 50 ms"),
    (["--from", "48 ms"], "--from: expected a time at least 3 ms before the end of the recording at 50 ms, found 48 ms"),
    (["--from", "-1 ms"], "--from: expected a time from 0 ms on, found -1 ms"),
    (["--from", "5"], "--from: missing unit: expected a time (ms), found the bare number 5"),
    (["--from", "5 mV"], "--from: wrong unit: expected a time (ms), found 5 mV (a voltage (mV))"),
    (["-o", "page.pdf"], "page.pdf: expected a name ending in .html"),
    (["-o", "gone/page.html"], "gone/page.html: the folder gone does not exist"),
])
def test_wrong_options(recording: str, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    """Before anything is written; exit code 2."""
    assert main(["report", recording, *words]) == 2
    assert tuple(capsys.readouterr()) == ("", f"{message}\n")
    assert [path.name for path in Path().iterdir()] == ["out.h5"]


def test_no_such_recording(recording: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As for every command that reads one."""
    assert main(["report", "outt.h5"]) == 2
    assert capsys.readouterr().err == "outt.h5: no such file\n"


def test_a_recording_without_spikes() -> None:
    """Traces alone tell nothing of rates."""
    recorder = Recorder(RecordingPlan(0.1, {}, [TracePlan("one", "v", np.arange(1))]))
    recorder.write_trace(0, np.zeros((10, 1)))
    recorder.commit(10)
    with pytest.raises(InputError) as caught:
        make_report(recorder.close())
    assert str(caught.value) == "no spikes were recorded: there is nothing to report"
