"""Images and pages of a result."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from snnsim import plot as module
from snnsim.errors import InputError
from snnsim.recording import Recorder, RecordingPlan, TracePlan, WeightPlan
from snnsim.result import Result
from snnsim.weight_lines import weight_lines

HEADS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture
def result() -> Result:
    """Two populations and a trace."""
    plan = RecordingPlan(0.1, {"exc": 8, "inh": 2}, [TracePlan("exc", "v", np.arange(7), 1, "mV")])
    recorder = Recorder(plan)
    recorder.write_spikes("exc", np.arange(1, 101), np.arange(100) % 8)
    recorder.write_spikes("inh", np.arange(1, 101), np.arange(100) % 2)
    recorder.write_trace(0, np.random.default_rng(0).normal(size=(100, 7)))
    recorder.commit(100)
    return recorder.close()


@pytest.mark.parametrize("kind", HEADS)
def test_plot_writes_an_image(result: Result, tmp_path: Path, kind: str) -> None:
    """The suffix chooses png, svg or pdf."""
    result.plot(tmp_path / f"out.{kind}")
    assert (tmp_path / f"out.{kind}").read_bytes().startswith(HEADS[kind])


def test_figure_has_raster_rates_and_traces(result: Result) -> None:
    """Without a path a figure comes back: raster, rates, and a panel per trace over the whole time."""
    figure = result.plot()
    assert figure is not None
    assert [axis.get_ylabel() for axis in figure.axes] == ["", "rate (Hz)", "exc\nv (mV)"]
    assert figure.axes[2].get_xlim() == (0, 10)
    assert len(figure.axes[2].lines) == module.SHOWN_UNITS


def test_many_spikes_become_a_density(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the limit on, the raster is an image whose counts are all spikes."""
    monkeypatch.setattr(module, "DENSITY_FROM", 200)
    figure = module.figure(result)
    assert len(figure.axes[0].images) == 1
    assert module.density(result, 50, 10).sum() == 200


def test_rate_course_keeps_every_spike(result: Result) -> None:
    """Rates over windows average to the mean rate, and a spike at a border is in the window it ends."""
    _, rate = module.rate_course(result, "inh", bins=10)
    assert rate == pytest.approx(np.full(10, 5000.0))


def test_empty_results_can_be_drawn() -> None:
    """A run of no steps has a figure and a page."""
    empty = Recorder(RecordingPlan(0.1, {"a": 3}, [TracePlan("a", "v", np.arange(2))])).close()
    assert empty.plot() is not None


@pytest.fixture
def weighed() -> Result:
    """No spikes; what 30 synapses sent, snapshots of 3 and of 101 of them. Step k: weights k, k + 1, ..."""
    def plan(name: str, synapses: int, on_pre: bool) -> WeightPlan:
        ids = np.arange(synapses)
        return WeightPlan(name, ids, ids // 2, on_pre, 2 - 2 * on_pre, "pA", False, "ee")

    recorder = Recorder(RecordingPlan(0.5, {}, weights=[plan("sent", 30, True), plan("few", 3, False), plan("many", 101, False)]))
    steps = np.arange(1, 21)
    recorder.write_weights(0, (np.repeat(steps, 30), np.tile(np.arange(30), 20), np.repeat(steps, 30)))
    for index, n in ((1, 3), (2, 101)):
        recorder.write_weights(index, steps[1::2, None] + np.arange(n))
    recorder.commit(20)
    return recorder.close()


def test_weights_have_panels_below(weighed: Result) -> None:
    """A panel for each recorded weights, over the whole time; of many snapshots the quantiles, with a legend."""
    figure = weighed.plot()
    assert figure is not None
    assert [axis.get_ylabel() for axis in figure.axes] == ["weights\nsent (pA)", "weights\nfew (pA)", "weights\nmany (pA)"]
    assert [len(axis.lines) for axis in figure.axes] == [20, 3, 5]
    assert [axis.get_legend() is not None for axis in figure.axes] == [False, False, True]
    assert figure.axes[0].get_xlim() == (0, 10)


def test_sent_weights_are_drawn_for_synapses_chosen_evenly(weighed: Result) -> None:
    """Twenty of thirty, from the first to the last, each with its own events."""
    lines = weight_lines(weighed, "sent")
    assert (lines[0][0], lines[-1][0], len(lines)) == ("0 to 0", "29 to 14", 20)
    for _, times, values in lines:
        assert np.array_equal(times, np.arange(1, 21) * 0.5)
        assert np.array_equal(values, np.arange(1, 21))


def test_courses_and_quantiles_of_snapshots(weighed: Result) -> None:
    """A line per synapse where they are few; else quantiles over all of them in each row."""
    label, times, values = weight_lines(weighed, "few")[2]
    assert (label, times.tolist(), values.tolist()) == ("2 to 1", list(range(1, 11)), list(range(4, 23, 2)))
    lines = weight_lines(weighed, "many")
    assert [label for label, _, _ in lines] == ["5 %", "25 %", "50 %", "75 %", "95 %"]
    assert [values[0] for _, _, values in lines] == [7, 27, 52, 77, 97]


@pytest.mark.parametrize("name", ["sent", "few", "many"])
def test_long_weights_are_thinned(weighed: Result, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many points every k-th is drawn, at its time, also where the recording is read in several blocks."""
    blocks = weighed.weight_blocks
    monkeypatch.setattr(weighed, "weight_blocks", lambda name: blocks(name, 303))
    whole, thin = weight_lines(weighed, name), weight_lines(weighed, name, points=3)
    for (_, times, values), (_, some, chosen) in zip(whole, thin, strict=True):
        every = -(-len(times) // 3)
        assert np.array_equal(some, times[::every])
        assert np.array_equal(chosen, values[::every])


def test_page_draws_weights_as_traces(weighed: Result) -> None:
    """Each line of weights has its own times in the page."""
    from snnsim.page import page

    sent, few, many = _data(page(weighed))["traces"]
    assert [sent["name"], few["name"], many["name"]] == ["weights sent (pA)", "weights few (pA)", "weights many (pA)"]
    assert (len(sent["times"]), len(sent["lines"]), many["units"][0]) == (20, 20, "5 %")
    assert np.frombuffer(base64.b64decode(few["lines"][0]), "<f4").tolist() == list(range(2, 21, 2))


def _data(page: str) -> dict:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_long_traces_are_thinned(result: Result) -> None:
    """Of a long trace every k-th row is drawn, at its time."""
    times, rows, units = module.thinned(result, "exc", "v", points=25)
    assert units == [0, 1, 2, 3, 4]
    assert np.array_equal(rows, result.trace("exc", "v").data[::4, :5])
    assert np.array_equal(times, result.trace("exc", "v").times[::4])


def test_page_is_self_contained_and_holds_the_spikes(result: Result, tmp_path: Path) -> None:
    """The html page carries the spikes and asks nothing of a network."""
    result.plot(tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href|url)\s*[=(]|https?:|import\s|fetch\(", text)
    exc = _data(text)["populations"][0]
    assert np.frombuffer(base64.b64decode(exc["ids"]), "<f4").tolist() == (np.arange(100) % 8).tolist()
    assert (exc["lo"], exc["hi"], exc["rate"]) == (0, 8, pytest.approx(1250))


def test_page_thins_and_says_so(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of more spikes than it can draw shows every k-th, in words."""
    monkeypatch.setattr("snnsim.page.SPIKES", 60)
    from snnsim.page import page

    assert _data(page(result))["note"] == "200 spikes, every 4th is drawn"


_BROWSER = """
const nothing = new Proxy(function () {}, { get: (t, k) => k === Symbol.toPrimitive ? () => 0 : nothing,
  apply: () => nothing, set: () => true });
const listeners = {};
const element = id => ({
  textContent: id === "data" ? DATA : "", style: {}, clientWidth: 800,
  append() {}, setAttribute() {}, setPointerCapture() {}, getContext: () => nothing,
  getBoundingClientRect: () => ({ left: 0, top: 0, width: 800, height: 380 }),
  addEventListener: (name, f) => { (listeners[name] ||= []).push(f); },
});
globalThis.document = { getElementById: element, createElement: element };
globalThis.window = { addEventListener() {}, devicePixelRatio: 2 };
let frames = 0;
globalThis.requestAnimationFrame = f => { frames++; queueMicrotask(f); return 1; };
"""
_EVENTS = """
queueMicrotask(() => {
  const event = { clientX: 300, clientY: 90, deltaY: -100, shiftKey: true, pointerId: 1, preventDefault() {} };
  for (const name of ["wheel", "pointerdown", "pointermove", "pointerup", "dblclick"]) {
    listeners[name].forEach(f => f(event));
  }
  setTimeout(() => console.log(panels.length, frames > 1, time.t0, time.t1));
});
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("recorded", ["result", "weighed"])
def test_page_script_runs(request: pytest.FixtureRequest, recorded: str, tmp_path: Path) -> None:
    """The script of the page draws three panels, answers every gesture, and a double click shows all again."""
    from snnsim.page import page

    text = page(request.getfixturevalue(recorded))
    script = text.split("<script>")[1].split("</script>")[0].replace('"use strict";', "")
    content = json.dumps(json.dumps(_data(text)))
    (tmp_path / "page.js").write_text(f"const DATA = {content};{_BROWSER}{script}{_EVENTS}")
    done = subprocess.run(["node", tmp_path / "page.js"], capture_output=True, text=True, timeout=20)
    assert (done.stdout, done.stderr) == ("3 true 0 10\n", "")


def test_plot_refuses_other_kinds(result: Result, tmp_path: Path) -> None:
    """An unknown suffix and a missing folder are named."""
    with pytest.raises(InputError) as caught:
        result.plot(tmp_path / "out.bmp")
    assert str(caught.value) == f"{tmp_path}/out.bmp: expected a name ending in .png, .svg, .pdf, .html"
    with pytest.raises(InputError) as caught:
        result.plot(tmp_path / "no/out.png")
    assert str(caught.value) == f"{tmp_path}/no/out.png: the folder {tmp_path}/no does not exist"
    with pytest.raises(InputError) as caught:
        Recorder(RecordingPlan(0.1, {})).close().plot()
    assert str(caught.value) == "nothing was recorded: there is nothing to plot"
