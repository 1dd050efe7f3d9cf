"""A bundle on the other side: Lava runs it, with snnsim and without, and has the emulator's spikes."""

from __future__ import annotations

import json
import os
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


def test_a_bundle_runs_without_snnsim() -> None:
    """The script in it, in an interpreter that has Lava, gives the emulator's spikes and states."""
    made = deploy(sn.load("net.yaml"), "b")
    os.rename("b", "elsewhere")
    words = [interpreter().python, "run.py", "--steps", "80", "-o", "out.h5"]
    subprocess.run(words, cwd="elsewhere", check=True, capture_output=True, timeout=300)
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
