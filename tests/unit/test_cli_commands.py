"""What each command does with a small network."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import snnsim
from snnsim import configs
from snnsim.cli import main
from snnsim.recording import Recorder, RecordingPlan, WeightPlan

NETWORK = """\
snnsim: 1
name: small
seed: 3
duration: 20 ms
populations:
  cells: {n: 4, model: lif_psc_delta, params: {tau_m: 10 ms, v_th: 15 mV}}
inputs:
  kick: {type: spike_times, times: {0: [1 ms, 10 ms], 1: [5 ms]}, to: cells, weight: 20 mV}
record:
  spikes: [cells]
"""
SUMMARY = [
    "backend", "threads", "neurons", "synapses", "steps", "dt_ms", "spikes", "rates_hz", "build_s", "compile_s",
    "run_s", "rtf", "peak_mb", "out",
]


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A config in an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(NETWORK)
    return "net.yaml"


def run(*words):
    """Run on the reference backend, which needs no compilation; the code must be 0."""
    assert main([*words, *(() if "--backend" in words else ("--backend", "reference"))]) == 0


def answer(capsys):
    """The JSON that was printed."""
    return json.loads(capsys.readouterr().out)


def test_run_prints_a_summary(config, capsys):
    """`run` says backend, sizes, spikes and mean rates."""
    run("run", config, "-o", "out.h5")
    text = capsys.readouterr().out
    assert "backend      reference\n" in text
    assert "network      4 neurons, 0 synapses\n" in text
    assert "simulated    0.02 s in 200 steps, 3 spikes\n" in text
    assert "recorded to  out.h5\n" in text
    assert text.endswith("population  mean rate [Hz]\ncells                 37.5\n")


def test_json_summary_has_the_names_that_tools_rely_on(config, capsys):
    """`run --json` prints one object with the agreed keys."""
    run("run", config, "--json")
    found = answer(capsys)
    assert list(found) == SUMMARY
    assert (found["spikes"], found["rates_hz"], found["out"]) == (3, {"cells": 37.5}, None)


def test_run_records(config):
    """`-o` writes what the network records."""
    run("run", config, "-o", "out.h5", "--quiet")
    times, ids = snnsim.open("out.h5").spikes("cells")
    assert ids.tolist() == [0, 1, 0]
    assert len(times) == 3


def test_output_is_replaced_only_when_asked(config, capsys):
    """An existing file is an error, and is replaced with --overwrite."""
    run("run", config, "-o", "out.h5")
    assert main(["run", config, "-o", "out.h5", "--backend", "reference"]) == 2
    assert "out.h5: exists already" in capsys.readouterr().err
    run("run", config, "-o", "out.h5", "--overwrite")


def test_set_duration_and_seed_change_the_run(config, capsys):
    """Options win over the config."""
    run("run", config, "--set", "populations.cells.n=6", "--duration", "5 ms", "--seed", "9", "-o", "out.h5", "--json")
    found = answer(capsys)
    assert (found["neurons"], found["steps"]) == (6, 50)
    assert snnsim.open("out.h5").provenance["seed"] == 9


def test_repeat_numbers_the_files_and_counts_the_seed(config, capsys):
    """Repetition k has the seed plus k and a file of its own."""
    run("run", config, "--repeat", "2", "-o", "out.h5", "--json")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["out"] for line in lines] == ["out-1.h5", "out-2.h5"]
    assert [snnsim.open(line["out"]).provenance["seed"] for line in lines] == [3, 4]


@pytest.mark.parametrize("again", [["net.yaml"], []])
def test_resumed_run_equals_one_run(config, again):
    """A checkpoint continues, with or without naming its config, and the file is the same as that of one run."""
    run("run", config, "-o", "whole.h5")
    run("run", config, "-d", "3 ms", "-o", "out.h5", "--checkpoint", "a.ckpt")
    run("run", *again, "--resume", "a.ckpt", "-o", "out.h5")
    whole, parts = (snnsim.open(name).spikes("cells") for name in ("whole.h5", "out.h5"))
    assert [part.tolist() for part in parts] == [part.tolist() for part in whole]


def test_validate(config, capsys):
    """A valid config is said to be, with its size."""
    assert main(["validate", config]) == 0
    assert capsys.readouterr().out == "net.yaml: valid; 4 neurons in 1 population, 0 projections\n"


def test_validate_json_lists_every_problem(config, capsys):
    """`validate --json` gives file, line, path and message of each problem, and exit code 2."""
    assert main(["validate", config, "--set", "populations.cells.n=0", "--set", "dt=3 mV", "--json"]) == 2
    found = answer(capsys)
    assert found["ok"] is False
    assert len(found["problems"]) == 2
    assert set(found["problems"][0]) == {"path", "message", "file", "line"}


def test_info_of_a_config(config, capsys):
    """`info` counts neurons and synapses and says which backends can run it."""
    assert main(["info", config, "--json"]) == 0
    found = answer(capsys)
    assert (found["neurons"], found["synapses"]) == (4, 0)
    assert {"name": "reference", "can_run": "yes", "reason": ""} in found["backends"]


@pytest.mark.parametrize("out", ["out.h5", "out/"])
def test_info_of_a_recording(config, capsys, out):
    """`info` of a file or a folder gives spikes and rates of each population."""
    run("run", config, "-o", out, "--json")
    capsys.readouterr()
    assert main(["info", out, "--json"]) == 0
    found = answer(capsys)
    assert found["finished"] is True
    assert found["populations"] == [{"name": "cells", "n": 4, "recorded": 4, "spikes": 3, "rate_hz": 37.5}]


def test_info_of_recorded_weights(tmp_path, capsys):
    """`info` says of which synapses weights were recorded, when, and how many rows there are."""
    two = np.arange(2)
    weights = [WeightPlan("sent", two, two, True, 0, "pA", False, "ee"), WeightPlan("course", two, two, False, 5, "pA", False, "ee")]
    recorder = Recorder(RecordingPlan(0.2, {}, weights=weights), tmp_path / "out.h5")
    recorder.write_weights(0, ([1, 3, 9], [0, 1, 0], [0.5, 0.5, 0.5]))
    recorder.write_weights(1, [[1.0, 2.0]])
    recorder.commit(9)
    recorder.close()
    assert main(["info", f"{tmp_path}/out.h5", "--json"]) == 0
    same = {"projection": "ee", "synapses": 2, "unit": "pA"}
    assert answer(capsys)["weights"] == [
        {"name": "sent", **same, "on": "pre", "every_ms": None, "rows": 3},
        {"name": "course", **same, "on": None, "every_ms": 1.0, "rows": 1},
    ]
    assert main(["info", f"{tmp_path}/out.h5"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "sent    ee                 2  pA    pre               3",
        "course  ee                 2  pA         1            1",
    ]


def test_info_as_text(config, capsys):
    """Without --json the same comes as lines and tables."""
    assert main(["info", config]) == 0
    text = capsys.readouterr().out
    assert "neurons      4\n" in text
    assert "\npopulations:\nname   n  model\ncells  4  lif_psc_delta\n" in text


def test_backends(capsys):
    """The reference backend is usable everywhere."""
    assert main(["backends", "--json"]) == 0
    assert {backend["name"]: backend["usable"] for backend in answer(capsys)}["reference"] is True


def test_models(capsys):
    """`models` lists each built-in model with a sentence, those of neurons first."""
    assert main(["models"]) == 0
    neurons, synapses, couplings = (part.splitlines() for part in capsys.readouterr().out.split("\n\n"))
    assert neurons[0].split() == ["model", "about"]
    assert synapses[0].split() == ["synapse", "model", "about"]
    assert couplings[0].split() == ["coupling", "about"]
    for lines in (neurons, synapses, couplings):
        assert [line.split()[0] for line in lines[1:]] == sorted(line.split()[0] for line in lines[1:])
    assert "stdp_pair" in {line.split()[0] for line in synapses}


def test_models_for_machines(capsys):
    """`models --json` says of each which kind it is."""
    assert main(["models", "--json"]) == 0
    kinds = {model["name"]: model["kind"] for model in answer(capsys)}
    assert (kinds["lif_psc_exp"], kinds["stp_tsodyks2"], kinds["diffusive"]) == ("neuron", "synapse", "coupling")


def test_one_synapse_model(capsys):
    """`models NAME` shows the rules of a synapse, and which parameters have the unit of the weight."""
    assert main(["models", "stdp_dopamine"]) == 0
    text = capsys.readouterr().out
    assert "on_post: c += a_plus*w_max*x\n" in text
    assert "w_min      0 weight              smallest weight\n" in text
    assert text.endswith("w_max      to be given (weight)  largest weight\n")


def test_one_coupling(capsys):
    """`models NAME` shows what a coupling adds."""
    assert main(["models", "gap_junction"]) == 0
    assert capsys.readouterr().out.endswith("\nkind: coupling\nvariable: v\nadds: w*(pre - post)\n")


def test_one_model(capsys):
    """`models NAME` shows the equations, and each parameter with its default and unit."""
    assert main(["models", "lif_psc_delta"]) == 0
    text = capsys.readouterr().out
    assert "dynamics: dv/dt = -(v - v_rest)/tau_m + (i_e + i_inj)/c_m : mV\n" in text
    assert "tau_m      20 ms    membrane time constant\n" in text
    assert text.endswith("port  unit of the weight\nin    mV\n")


def test_compare_of_equal_backends(config, capsys):
    """Two backends with the same spikes have no first difference and distance 0."""
    assert main(["compare", config, "--backends", "reference,reference", "--json"]) == 0
    rows = answer(capsys)
    assert [(row["spikes"], row["first_difference"], row["spike_distance"]) for row in rows] == [(3, None, 0.0)] * 2


def test_first_difference_names_population_unit_and_time(config):
    """The earliest spike that only one result has is named."""
    from snnsim.cli.compare import first_difference

    more = NETWORK.replace("1: [5 ms]", "1: [5 ms], 2: [4 ms]")
    results = [snnsim.run(snnsim.loads(text), backend="reference") for text in (NETWORK, more)]
    assert first_difference(results[0], results[0]) is None
    assert first_difference(*results) == "cells[2] at 4.1 ms"


PLASTIC = """
snnsim: 1
precision: double
dt: 0.1 ms
populations:
  a: {n: 2, model: spike_times, params: {times: [1 ms, 3 ms, 3 ms], ids: [0, 0, 1]}}
  b: {n: 1, model: spike_times, params: {times: [2 ms], ids: [0]}}
projections:
  - {name: ab, from: a, to: b, connect: {rule: all_to_all}, weight: 1, delay: 0.1 ms,
     synapse: {model: stdp_pair, params: {w_max: 2, lambda: 0.01}}}
record: {weights: {sent: {projection: ab, on: pre}, course: {projection: ab, every: 0.5 ms}}}
duration: 5 ms
"""


@pytest.mark.parametrize(("was", "becomes", "error", "first"), [
    ("0.01", "0.01", 0.0, None),
    ("0.01", "0.02", 0.00956, "course[0->0] at 2.5 ms"),     # the first pair is that of the spikes at 1 and 2 ms
    ("0.01", "0.01000001", 1e-8, None),                    # below the tolerance
    ("[0, 0, 1]", "[0, 1, 1]", 0.0095, "course[0->0] at 3 ms"),
    ("[1 ms, 3 ms, 3 ms]", "[1 ms, 3 ms, 1.4 ms]", 0.0192, "sent[1->0] at 1.4 ms"),
])
def test_weights_are_compared(was, becomes, error, first):
    """The largest difference of recorded weights, and the first that differs or that only one has."""
    from snnsim.cli.compare import _weight_error, first_weight

    results = [snnsim.run(snnsim.loads(text), backend="reference") for text in (PLASTIC, PLASTIC.replace(was, becomes))]
    assert _weight_error(*results) == pytest.approx(error, rel=0.05)
    assert first_weight(*results) == first


def test_plot_convert_recover(config, capsys, tmp_path):
    """The commands on files write theirs and print its name."""
    run("run", config, "-o", "out.h5")
    capsys.readouterr()
    assert main(["plot", "out.h5"]) == 0
    assert main(["convert", "out.h5", "out.csv"]) == 0
    assert main(["recover", "out.h5"]) == 0
    expected = "out.png\nout.csv\nout.h5: was whole already: 3 spikes up to step 200 (20 ms)\n"
    assert capsys.readouterr().out == expected
    assert (tmp_path / "out.png").stat().st_size > 1000


@pytest.mark.slow
def test_demo_draws_a_raster(tmp_path, monkeypatch, capsys):
    """`demo` runs anywhere, leaves a raster, and says what to try next."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    assert (tmp_path / "demo.png").exists()
    assert f"snnsim run {configs.path('demo')} --seed 2 -o out.h5" in capsys.readouterr().out


def recorded(path):
    """Steps in a file that another process may just be creating."""
    try:
        return snnsim.open(path).steps
    except snnsim.InputError:
        return 0


@pytest.mark.slow
def test_interrupted_run_says_what_is_saved_and_can_be_resumed(config):
    """After Ctrl-C the exit code is 1, the recording is readable and the checkpoint goes on."""
    words = ["run", config, "-d", "1000 s", "-o", "out.h5", "--checkpoint", "a.ckpt", "--backend", "reference"]
    process = subprocess.Popen([sys.executable, "-m", "snnsim", *words], stderr=subprocess.PIPE, text=True)
    try:
        while process.poll() is None and not recorded("out.h5"):
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, said.startswith("stopped by Ctrl-C")) == (1, True), said
    reached = snnsim.open("out.h5").duration
    assert said == (
        f"stopped by Ctrl-C at {reached:g} ms of 1e+06 ms; out.h5 holds everything up to there; "
        "go on with --resume a.ckpt\n"
    )
    run("run", config, "-d", f"{reached + 1} ms", "-o", "out.h5", "--resume", "a.ckpt")
    assert snnsim.open("out.h5").finished
