"""Reports: numbers that are known by hand, the page, and the comparison with what was published."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from snnsim.builders import Band, Reference
from snnsim.cli import main
from snnsim.networks import microcircuit
from snnsim.recording import Recorder, RecordingPlan
from snnsim.report import contents, make_report
from snnsim.report.figures import raster_span
from snnsim.report.page import page
from snnsim.result import Result

# Unit 0 of "clock" fires each 3 ms, unit 1 of it once; "pair" holds intervals of 10, 30 and 20 ms, and an unrecorded unit.
SPIKES = {"clock": ([30 * k for k in range(1, 41)] + [500], [0] * 40 + [1]), "pair": ([100, 200, 500, 700], [2, 2, 2, 2])}
NUMBERS = {
    "clock": {"units": 2, "spikes": 41, "rate_hz": 41 / 2 / 0.12, "cv_isi": 0.0},
    "pair": {"units": 2, "spikes": 4, "rate_hz": 4 / 2 / 0.12, "cv_isi": np.std([10, 30, 20]) / 20},
}


def recorded(out: Path | None = None, network_yaml: str = "", start: int = 0) -> Result:
    """120 ms of two populations."""
    plan = RecordingPlan(0.1, {"clock": 2, "pair": 3}, network_yaml=network_yaml, provenance={"seed": 5, "backend": "cpu"},
                         subsets={"pair": np.array([0, 2])}, start=start)
    recorder = Recorder(plan, out)
    for name, (steps, ids) in SPIKES.items():
        order = np.argsort(steps, kind="stable")
        late = np.array(steps)[order] > start
        recorder.write_spikes(name, np.array(steps)[order][late], np.array(ids)[order][late])
    recorder.commit(1200)
    return recorder.close()


def test_numbers_are_those_of_the_spikes() -> None:
    """Rates over recorded units, CV over units with two intervals, none published."""
    report = make_report(recorded())
    found = {entry["name"]: entry for entry in report.to_json()["populations"]}
    for name, numbers in NUMBERS.items():
        assert {key: found[name][key] for key in numbers} == pytest.approx(numbers)
    assert (report.start, report.reference, report.comparisons) == (0.0, None, [])


def test_synchrony_counts_spikes_in_windows_of_3_ms() -> None:
    """The clock puts one spike into each of 40 windows, and one more into one of them: variance over mean by hand."""
    counts = [1] * 39 + [2]
    [clock, pair] = make_report(recorded()).activities
    assert clock.synchrony == pytest.approx(np.var(counts) / np.mean(counts))
    assert pair.synchrony == pytest.approx(np.var([1] * 4 + [0] * 36) / 0.1)


def test_what_is_before_the_start_does_not_count() -> None:
    """Spikes at the start itself belong to what is left out; so does what a resumed run did not record."""
    [clock, pair] = make_report(recorded(), 60.0).activities
    assert (clock.spikes, pair.spikes) == (20, 1)
    assert clock.rate == pytest.approx(20 / 2 / 0.06)
    late = make_report(recorded(start=600))
    assert (late.start, [a.spikes for a in late.activities]) == (60.0, [20, 1])


def test_silent_populations_have_no_cv() -> None:
    """NaN in Python, null in JSON, a dash on the page."""
    recorder = Recorder(RecordingPlan(0.1, {"silent": 3}))
    recorder.commit(100)
    report = make_report(recorder.close())
    [entry] = report.to_json()["populations"]
    assert (entry["rate_hz"], entry["cv_isi"], entry["synchrony"]) == (0.0, None, None)
    assert "<td>-</td>" in page(report)
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["populations"] == [entry]


def known(**bands: dict[str, Band]) -> Reference:
    """A reference with some bands."""
    empty = {"rate_hz": {}, "cv_isi": {}, "synchrony": {}}
    return Reference("a paper", "a tolerance", 20.0, 1, 3.0, {**empty, **bands})


def test_published_numbers_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their start, window and number of units are taken; a number is within its band or not."""
    rates = {"clock": Band(100, 90, 200), "pair": Band(11, 10.5, 12), "other": Band(1, 1, 1)}
    monkeypatch.setattr(contents, "reference", lambda text: (known(rate_hz=rates), "seed is 1 here"))
    report = make_report(recorded())
    assert report.start == 20.0
    assert [a.pooled for a in report.activities] == [1, 1]
    assert [(c.population, c.published, c.within) for c in report.comparisons] == [("clock", 100, True), ("pair", 11, False)]
    assert make_report(recorded(), 0.0).start == 0.0
    text = page(report)
    assert "1 of 2 numbers lie within their bands." in text
    assert "This is not quite the published network: seed is 1 here." in text
    assert "<td class=outside>no</td>" in text


def test_short_trains_may_have_a_lower_cv(monkeypatch: pytest.MonkeyPatch) -> None:
    """By 2/n for n intervals in the recording, a quarter at most; upwards nothing changes."""
    monkeypatch.setattr(contents, "reference", lambda text: (known(cv_isi={"clock": Band(1.0, 0.9, 1.1)}), None))
    [comparison] = make_report(recorded(), 0.0).comparisons
    assert (comparison.low, comparison.high) == (pytest.approx(0.9 * (1 - 2 / 20.5)), 1.1)
    assert [contents.cv_loss(n) for n in (0, 4, 100)] == [0.25, 0.25, 0.02]


def test_the_reference_comes_from_the_recorded_network() -> None:
    """A recording of the builder's network is compared with the published numbers, a changed one says so."""
    net = microcircuit.build(scale=0.1)
    recorder = Recorder(RecordingPlan(0.1, {"L4E": 2192, "L6I": 295}, network_yaml=net.to_yaml()))
    recorder.write_spikes("L4E", np.arange(1, 10001), np.arange(10000) % 2192)
    recorder.commit(10000)
    report = make_report(recorder.close())
    assert report.start == 500.0
    assert [(c.population, c.statistic, c.published) for c in report.comparisons][:3] == [
        ("L4E", "rate_hz", 4.76), ("L6I", "rate_hz", 8.06), ("L4E", "cv_isi", 0.883)]
    assert "Romaro et al. 2021" in report.to_json()["source"]


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    """One file: five figures inside, no address of another one, and the same text every time."""
    result = recorded(tmp_path / "out.h5")
    text = page(make_report(result))
    assert text == page(make_report(result))
    pictures = re.findall(r'<img alt="[^"]+" src="data:image/svg\+xml;base64,([^"]+)">', text)
    assert [ElementTree.fromstring(base64.b64decode(data)).tag for data in pictures] == ["{http://www.w3.org/2000/svg}svg"] * 5
    assert re.findall(r"(?:src|href)=\"(?!data:)", text) == []
    assert "<title>out.h5: activity from 0 to 120 ms</title>" in text
    assert "Recorded with seed 5, backend cpu." in text


def test_a_long_recording_shows_its_first_half_second() -> None:
    """In the raster, from the start of the report on."""
    recorder = Recorder(RecordingPlan(0.1, {"one": 1}))
    recorder.write_spikes("one", [5000, 9000], [0, 0])
    recorder.commit(20000)
    assert raster_span(make_report(recorder.close(), 100.0)) == (100.0, 600.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a recording."""
    monkeypatch.chdir(tmp_path)
    recorded(Path("out.h5"))
    return tmp_path


def test_the_command_writes_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the recording, or where -o says; the table is printed."""
    assert main(["report", "out.h5"]) == 0
    assert capsys.readouterr().out == (
        "population  units  spikes  rate (Hz)  CV of intervals  synchrony\n"
        "clock           2      41        171                0     0.0238\n"
        "pair            2       4       16.7            0.408        0.9\n"
        "\nout.report.html\n")
    assert main(["report", "out.h5", "-o", "page.html", "--from", "20 ms"]) == 0
    assert "activity from 20 to 120 ms" in (folder / "page.html").read_text()


def test_the_command_prints_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The numbers, without a page unless one is asked for."""
    assert main(["report", "out.h5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["file"], found["from_ms"], found["to_ms"], found["comparisons"]) == ("out.h5", 0.0, 120.0, [])
    assert found["populations"][0]["spikes"] == 41
    assert [path.name for path in folder.iterdir()] == ["out.h5"]
    assert main(["report", "out.h5", "--json", "-o", "page.html"]) == 0
    assert (folder / "page.html").exists()
