"""A bundle on the other side: Lava runs it, with snnsim and without, and has the emulator's spikes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

import snnsim as sn
from snnsim.backends.lava.environment import fault, interpreter
from snnsim.cli import main
from snnsim.deploy.bundle import open_bundle
from snnsim.deploy.deployment import deploy

pytestmark = [pytest.mark.slow, pytest.mark.skipif(fault() is not None, reason=str(fault()))]

NETWORK = """\
snnsim: 1
name: travelling
seed: 3
dt: 1 ms
duration: 80 ms
populations:
  src: {n: 4, model: poisson, params: {rate: 100 Hz}}
  exc: {n: 20, model: lif_psc_exp, params: {tau_m: 20 ms, tau_syn_exc: 5 ms, tau_syn_inh: 5 ms, t_ref: 0 ms}}
inputs:
  noise: {type: poisson, rate: 800 Hz, to: exc, weight: 60 pA, delay: 1 ms}
projections:
  - {from: src, to: exc, connect: {rule: fixed_indegree, k: 2}, weight: 200 pA, delay: 1 ms}
  - {from: exc, to: exc, connect: {rule: fixed_indegree, k: 4}, weight: {normal: {mean: 30 pA, sd: 9 pA}}, delay: {uniform: [1 ms, 5 ms]}}
record:
  spikes: [exc]
  traces: {exc: {variables: [v], units: "0:3", every: 2 ms}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, with a config."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NETWORK)


def alone(folder: str) -> subprocess.CompletedProcess[str]:
    """The script of a bundle in an interpreter that has Lava."""
    words = [interpreter().python, "run.py", "--steps", "80", "-o", "out.h5"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)


def test_a_bundle_that_was_damaged_does_not_run() -> None:
    """By the script itself, which names the file; so are bundles of another version."""
    deploy(sn.load("net.yaml"), "b")
    graph, manifest = Path("b/graph.h5"), Path("b/manifest.json")
    sent = bytearray(graph.read_bytes())
    sent[len(sent) // 2] ^= 1
    graph.write_bytes(sent)
    done = alone("b")
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*graph.h5: expected SHA-256 [0-9a-f]{16}..., found [0-9a-f]{16}...; copy the bundle again, or "
                        r"make it anew with `snnsim deploy`\n", done.stderr)
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    assert "expected a bundle of version 1, found version 2" in alone("b").stderr
    manifest.write_text("{}")
    assert "manifest.json: expected the manifest of a bundle, found another text" in alone("b").stderr
    assert not Path("b/out.h5").exists()


def test_a_bundle_runs_without_snnsim(capsys: pytest.CaptureFixture[str]) -> None:
    """The script in it, in an interpreter that has Lava, gives the emulator's spikes and states."""
    made = deploy(sn.load("net.yaml"), "b")
    os.rename("b", "elsewhere")
    assert alone("elsewhere").returncode == 0
    assert main(["info", "elsewhere/out.h5"]) == 2
    assert "found what run.py of a bundle wrote" in capsys.readouterr().err
    found = open_bundle("elsewhere")
    expected = made.report.after
    with h5py.File("elsewhere/out.h5") as file:
        step, unit = file["spikes/step"][()], file["spikes/unit"][()] - found.graph().first[1]
        trace = file["traces/0"][()]
    assert len(step) > 20
    assert [step.tolist(), unit.tolist()] == [part.tolist() for part in expected.steps_of("exc")]
    np.testing.assert_array_equal(trace, expected.trace("exc", "v").data)


def test_the_command_says_that_lava_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the network that stands in the bundle."""
    assert main(["deploy", "net.yaml", "-o", "b", "--run", "lava", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)["run"]
    assert (found["backend"], found["first_difference"], found["trace_error"]) == ("lava", None, 0.0)
    assert found["spikes"] > 20
