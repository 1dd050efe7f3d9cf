"""``snnsim deploy``: from a config to a bundle with a report, and what it prints."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

import snnsim as sn
from snnsim.cli import deploy as command
from snnsim.cli import main
from snnsim.deploy.bundle import open_bundle
from snnsim.deploy.deployment import deploy
from snnsim.deploy.manifest import FILES, MANIFEST
from snnsim.deploy.report.tables import joules
from snnsim.deploy.travelling import Luggage

pytestmark = pytest.mark.slow

FLOAT = """\
snnsim: 1
name: small
seed: 3
dt: 1 ms
duration: 100 ms
populations:
  src: {n: 4, model: poisson, params: {rate: 100 Hz}}
  exc: {n: 12, model: lif_psc_delta, params: {tau_m: 20 ms, v_rest: 0 mV, v_reset: 0 mV, v_th: 10 mV, t_ref: 0 ms}}
inputs:
  noise: {type: poisson, rate: 500 Hz, to: exc, weight: 1 mV, delay: 1 ms}
projections:
  - {from: src, to: exc, connect: {rule: fixed_indegree, k: 2}, weight: 1 mV, delay: 1 ms}
  - {from: exc, to: exc, connect: {rule: fixed_indegree, k: 3}, weight: {uniform: [0.1 mV, 0.5 mV]}, delay: 2 ms}
record:
  spikes: [exc]
  traces: {exc: {variables: [v], units: "0:3"}}
"""
WHOLE = """\
snnsim: 1
name: whole
dt: 1 ms
duration: 40 ms
populations:
  cells: {n: 3, model: loihi_lif, params: {dv: 100, vth: 50, bias_mant: {file: bias.npz, key: bias}}}
"""


DIFFERENCES = [
    ({"first_difference": "cells[1] at 3 ms"}, ", not those of the emulator: the first that differs is cells[1] at 3 ms"),
    ({"trace_error": 2.0}, " as in the emulator, but recorded states differ by up to 2"),
    ({"first_weight": "w[0->1] at 4 ms"}, " as in the emulator, but a recorded weight differs: w[0->1] at 4 ms"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two configs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "float.yaml").write_text(FLOAT)
    (tmp_path / "whole.yaml").write_text(WHOLE)
    np.savez("bias.npz", bias=np.array([200, 400, 800]))
    return tmp_path


@pytest.fixture
def deployed(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What --json says about the bundle b of the float config."""
    assert main(["deploy", "float.yaml", "-o", "b", "--json", "--quiet"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_it_prints_a_summary(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sizes, spikes kept, cores, energy with the label of its constants, and rates of both networks."""
    assert main(["deploy", "float.yaml", "-o", "b"]) == 0
    out, err = capsys.readouterr()
    lines = dict(re.findall(r"^(\S+(?: \S+)*?)  +(.*)$", out.split("\n\n")[0], re.MULTILINE))
    assert lines["network"] == "small: 16 units, 60 synapses"
    assert lines["target"] == "loihi2, numbers as of lava010"
    assert lines["simulated"] == "100 ms in 100 steps"
    assert re.fullmatch(r"\d+ of \d+ spikes kept \(\d+\.\d%\), \d+ lost, \d+ gained", lines["same step"])
    assert lines["placed on"].startswith("1 core on 1 chip; ")
    assert lines["fits"] == "yes"
    assert lines["energy"].endswith(" a step (Loihi 1 constants)")
    assert lines["bundle"] == "b"
    assert out.split("\n\n")[1].splitlines()[0].split("  ") == ["population", "float [Hz]", "chip [Hz]", "kept", "lost", "gained"]
    assert err == ""


def test_the_bundle_holds_everything(deployed: dict[str, Any]) -> None:
    """All files, the steps that were asked for, and what the config records."""
    found = open_bundle("b")
    assert {path.relative_to("b").as_posix() for path in Path("b").rglob("*")} >= {MANIFEST, *FILES}
    graph, arrivals = found.graph(), found.arrivals()
    assert ([group.name for group in graph.groups], found.steps) == (["src", "exc"], 100)
    assert {graph.groups[k].name for k in graph.recorded} == {"exc"}
    assert 0 < arrivals.step.min() <= arrivals.step.max() <= 100
    assert found.report == {key: value for key, value in deployed.items() if key not in ("bundle", "run")}
    assert [share["group"] for core in found.placement["cores"] for share in core["shares"]] == ["exc"]


def test_the_numbers_are_those_of_two_runs(deployed: dict[str, Any]) -> None:
    """Spikes of the float network, and of the one in the bundle, run on their own."""
    before, after = sn.load("float.yaml"), sn.load("b/network-fixed.yaml")
    spikes = [sn.run(net, backend=name).steps_of("exc") for net, name in ((before, "cpu"), (after, "loihi"))]
    [exc] = deployed["fidelity"]["populations"]
    assert [len(steps) for steps, _ in spikes] == [exc["spikes_float"], exc["spikes_fixed"]]
    both = set(zip(*map(np.ndarray.tolist, spikes[0]), strict=True)) & set(zip(*map(np.ndarray.tolist, spikes[1]), strict=True))
    assert exc["matches"][0]["kept"] == len(both)
    assert deployed["rates_hz"]["exc"] == pytest.approx(len(spikes[1][0]) / 12 / 0.1)
    assert deployed["fidelity"]["same_input"] is True


def test_the_page_needs_nothing_else(deployed: dict[str, Any]) -> None:
    """Every part of it, pictures inside, no address of anything."""
    text = Path("b/report.html").read_text()
    headings = re.findall("<h2>(.*?)</h2>", text)
    assert headings == [
        "What does not fit", "Populations in whole numbers", "Projections in whole numbers", "Inputs in whole numbers",
        "What the chip does differently", "Placement: 1 core on 1 chip", "Traffic", "Events and energy (Loihi 1 constants)"]
    pictures = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    assert [ElementTree.fromstring(base64.b64decode(data)).tag for data in pictures] == ["{http://www.w3.org/2000/svg}svg"] * 3
    assert re.findall(r"(?:src|href)=\"(?!data:)", text) == []
    assert "<script" not in text


def test_the_same_config_gives_the_same_bundle(deployed: dict[str, Any]) -> None:
    """Byte for byte."""
    assert main(["deploy", "float.yaml", "-o", "c", "--json", "--quiet"]) == 0
    for name in [MANIFEST, *open_bundle("b").manifest["files"]]:
        assert Path("b", name).read_bytes() == Path("c", name).read_bytes(), name


def test_a_network_in_whole_numbers_is_not_quantised(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to compare with; spikes are recorded where the config records none."""
    assert main(["deploy", "whole.yaml", "-o", "b", "--run", "loihi"]) == 0
    out = capsys.readouterr().out
    assert "same step" not in out
    assert re.search(r"^on loihi +\d+ spikes, each as in the emulator$", out, re.MULTILINE)
    assert out.splitlines()[-1].split()[0] == "cells"
    found = open_bundle("b")
    assert "network-fixed.yaml" not in found.manifest["files"]
    assert (found.report["quantisation"], found.report["fidelity"]) == (None, None)
    assert list(found.graph().recorded) == [0]
    text = Path("b/report.html").read_text()
    assert "The network was given in whole numbers; nothing was changed." in text


def test_files_of_the_config_travel_with_it(folder: Path) -> None:
    """The network in a bundle that was taken elsewhere does the same."""
    assert main(["deploy", "whole.yaml", "-o", "b", "--quiet"]) == 0
    spikes = sn.run(record_all("whole.yaml"), backend="loihi").steps_of("cells")
    os.remove("bias.npz")
    os.makedirs("far/away")
    shutil.move("b", "far/away/b")
    assert "file-1.npz" in open_bundle("far/away/b").manifest["files"]
    again = sn.run(record_all("far/away/b/network.yaml"), backend="loihi").steps_of("cells")
    assert [part.tolist() for part in again] == [part.tolist() for part in spikes]


def record_all(config: str) -> sn.Network:
    """The network of a config, its spikes recorded."""
    net = sn.load(config)
    net.record(spikes=["cells"])
    return net


def test_options_change_what_is_deployed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Seed, duration, values of the file, target, and how to quantise."""
    words = ["--seed", "9", "-d", "20 ms", "--set", "populations.exc.params.t_ref=2 ms", "--quantise", "refractory=drop",
             "--target", "loihi1", "--json"]
    assert main(["deploy", "float.yaml", "-o", "b", *words]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["steps"], found["target"], found["quantisation"]["populations"][0]["dropped"]) == (20, "loihi1", 2.0)
    assert err == "note: populations.exc: the refractory time of 2 ms is left out\n"
    assert sn.load("b/network.yaml").seed == 9
    assert "the refractory time of 2 ms is left out" in Path("b/report.html").read_text()


def test_a_bundle_is_replaced_when_asked(deployed: dict[str, Any]) -> None:
    """--overwrite as everywhere, and --force."""
    for word in ("--overwrite", "--force"):
        assert main(["deploy", "float.yaml", "-o", "b", "-d", "10 ms", word, "--quiet"]) == 0
    assert open_bundle("b").steps == 10


def test_what_does_not_fit_is_said_and_the_bundle_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, what breaks which limit, and what would help; so in the report."""
    Path("tiny.yaml").write_text("snnsim: 1\nname: tiny\nbase: loihi2\nchips: 1\ncores_per_chip: 1\nneurons_per_core: 5\n")
    assert main(["deploy", "float.yaml", "-o", "b", "--target", "tiny.yaml"]) == 1
    out, err = capsys.readouterr()
    assert re.search(r"^fits +no$", out, re.MULTILINE)
    assert err.startswith("error: network: 3 cores on 3 chips of 1; there are 1; ")
    assert "<li>error: network: 3 cores on 3 chips of 1; there are 1; " in Path("b/report.html").read_text()
    assert open_bundle("b").report["fits"] is False


@pytest.mark.parametrize(("found", "text"), DIFFERENCES)
def test_another_backend_that_does_otherwise_fails(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], text: str,
) -> None:
    """Exit code 1, and what differs."""
    real = command._again
    monkeypatch.setattr(command, "_again", lambda *given: real(*given) | found)
    assert main(["deploy", "whole.yaml", "-o", "b", "--run", "loihi"]) == 1
    assert re.search(rf"^on loihi +\d+ spikes{re.escape(text)}$", capsys.readouterr().out, re.MULTILINE)


def test_info_knows_bundles(deployed: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """What is in them, after checking every file."""
    assert main(["info", "b", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {key: found[key] for key in ("file", "name", "target", "steps", "units", "synapses")} == {
        "file": "b", "name": "small", "target": "loihi2", "steps": 100, "units": 16, "synapses": 60}
    assert [(group["name"], group["model"]) for group in found["groups"]] == [("src", "poisson"), ("exc", "loihi_lif")]
    assert main(["info", "b"]) == 0
    assert re.search(r"^manifest|^graph.h5", capsys.readouterr().out, re.MULTILINE)


def test_python_gives_the_same(folder: Path) -> None:
    """With the recordings of both networks; what the network records is as it was."""
    net = sn.load("float.yaml")
    made = deploy(net, "b")
    assert made.report.before is not None
    assert made.report.before.populations == made.report.after.populations == ["src", "exc"]
    assert list(net.recording.spikes) == ["exc"]
    assert made.report.to_dict() == open_bundle("b").report


def test_networks_that_name_the_same_file_take_it_once(folder: Path) -> None:
    """Under a name of its own, whatever folder it comes from; what is called file and is none stays."""
    luggage = Luggage()
    first = yaml.safe_load(luggage.pack(sn.load("whole.yaml")))
    other = "populations.cells.params={dv: {file: bias.npz, key: bias}}"
    second = yaml.safe_load(luggage.pack(sn.load("whole.yaml", [other])))
    assert first["populations"]["cells"]["params"]["bias_mant"] == {"file": "file-1.npz", "key": "bias"}
    assert second["populations"]["cells"]["params"]["dv"]["file"] == "file-1.npz"
    assert {name: path.name for name, path in luggage.files.items()} == {"file-1.npz": "bias.npz"}


@pytest.mark.parametrize(("pj", "text"), [(0, "0 J"), (0.5, "0.5 pJ"), (12, "12 pJ"), (1500, "1.5 nJ"), (2.5e9, "2.5 mJ"), (3e13, "30 J")])
def test_energies_have_a_prefix(pj: float, text: str) -> None:
    """From picojoules."""
    assert joules(pj) == text


@pytest.mark.parametrize("config", [
    "{s: {n: 2, model: spike_times, params: {times: {0: [1 ms]}}}}",
    "{a: {n: 2, model: lif_psc_delta, params: {t_ref: 0 ms}}}",
])
def test_networks_with_nothing_on_the_chip_or_nothing_going_on(folder: Path, config: str) -> None:
    """Have a bundle and a page like others."""
    Path("net.yaml").write_text(f"snnsim: 1\ndt: 1 ms\nduration: 5 ms\nname: '<b>&'\npopulations: {config}\n")
    assert main(["deploy", "net.yaml", "-o", "b", "--quiet"]) == 0
    assert "<h1>&lt;b&gt;&amp; on loihi2</h1>" in Path("b/report.html").read_text()
    open_bundle("b")
