"""A network in whole numbers does what the float one does, as far as its numbers are those of the float one."""

from __future__ import annotations

import io
import lzma
from pathlib import Path

import numpy as np
import pytest
from quantised import errors, run_both, same_spikes, spikes, time_constant

import snnsim as sn
from snnsim import analysis, configs, nir
from snnsim.nir.models import document

NIR, DIGITS = (Path(__file__).parents[2] / "../shared/data" / name for name in ("nir", "nmnist-1100"))
WEIGHTS = {"lif_psc_delta": ("0.5 mV", "-2 mV", "16 mV"), "lif_psc_exp": ("100 pA", "-200 pA", "2000 pA")}
ALL_SAME = ("lava010", "loihi1")


def network(model: str, t_ref: str = "0 ms") -> sn.Network:
    """Two populations in a loop, with delays of one step and many, noise for one and given spikes for the other.

    Time constants are those of a chip; potentials begin in many places, rest, reset and threshold differ.
    """
    net = sn.Network(dt="0.1 ms", seed=3, precision="double")
    few, many, kick = WEIGHTS[model]
    params = {"tau_m": time_constant(20), "v_rest": "-60 mV", "v_reset": "-58 mV", "v_th": "-42 mV", "t_ref": t_ref,
              "i_e": "60 pA", "init": {"v": {"uniform": ["-75 mV", "-43 mV"]}}}
    if model == "lif_psc_exp":
        params |= {"tau_syn_exc": time_constant(200), "tau_syn_inh": time_constant(200)}
        params["init"]["i_inh"] = {"uniform": ["-100 pA", "0 pA"]}
    exc, inh = net.population("exc", 40, model, **params), net.population("inh", 10, model, **params)
    net.input("noise", "poisson", exc, rate="8 kHz", weight=few, delay="1 ms")
    times = {unit: [f"{1 + unit % 7} ms", "3 ms", "7 ms", "7.5 ms"] for unit in range(10)}
    net.input("kick", "spike_times", inh, times=times, weight=kick, delay="0.1 ms")
    net.project(exc, [exc, inh], sn.fixed_indegree(10), weight=few, delay={"uniform": ["0.1 ms", "2 ms"]})
    net.project(inh, [exc, inh], sn.fixed_indegree(5), weight=many, delay="0.1 ms")
    net.record(spikes=[exc, inh], traces={exc: {"variables": ["v"]}, inh: {"variables": ["v"]}})
    return net


def bound(found, name: str) -> float:
    """How far off a potential may be where weights of synapses are exact: what steps cut, the bias, and what inputs bring,
    which takes the potential less than thrice the way to the threshold."""
    report = next(each for each in found.report.populations if each.population == name)
    inputs = max((abs(each.weight.error) for each in found.report.inputs), default=0.0)
    height = report.threshold.wanted if report.threshold else report.reach
    bias = abs(report.rest.got - report.rest.wanted) if report.rest else 0.0
    return report.rounding + bias + 3 * height * inputs


def weights_are_exact(found) -> bool:
    return all(each.largest < 1e-9 for each in found.report.projections) and \
        all(abs(each.weight.error) < 1e-9 for each in found.report.inputs)


@pytest.mark.parametrize("semantics", ALL_SAME)
def test_jumps_of_the_potential(semantics):
    """With synapses that move the potential at once, spikes are the same, potentials are within what steps cut."""
    found, before, after = run_both(network("lif_psc_delta"), "15 ms", semantics=semantics)
    assert weights_are_exact(found)
    assert found.lags == {"exc": 0, "inh": 0}
    assert same_spikes(found, before, after)
    for name in found.lags:
        assert errors(found, before, after, name).max() <= bound(found, name)


@pytest.mark.parametrize("semantics", ALL_SAME)
def test_synaptic_currents(semantics):
    """With exponential currents the network runs a step ahead of its twin, since Poisson spikes cannot be moved."""
    found, before, after = run_both(network("lif_psc_exp"), "15 ms", semantics=semantics)
    assert weights_are_exact(found)
    assert found.lags == {"exc": -1, "inh": -1}
    for name in found.lags:
        assert len(spikes(before, name)) > 10
        assert errors(found, before, after, name).max() <= bound(found, name)


def test_currents_without_noise_keep_their_steps():
    """Without Poisson input nothing needs to run ahead; delays are one step longer instead."""
    net = network("lif_psc_exp")
    net.inputs.pop("noise")
    net.record(traces={"exc": {"variables": ["i_inh"]}})
    found, before, after = run_both(net, "10 ms")
    assert found.lags == {"exc": 0, "inh": 0}
    assert {(each.added, each.delays) for each in found.report.projections} == {(1, (2, 21)), (1, (2, 2))}
    for name in found.lags:
        assert errors(found, before, after, name).max() <= bound(found, name)


def test_the_current_of_one_port_is_u():
    """A current that is alone has a state on the chip, which shows it a step later."""
    net = sn.Network(dt="0.1 ms", precision="double")
    tau = {"tau_m": time_constant(20), "tau_syn_exc": time_constant(200)}
    cell = net.population("cell", 2, "lif_psc_exp", t_ref="0 ms", init={"i_exc": ["0 pA", "50 pA"]}, **tau)
    net.input("kick", "spike_times", cell, times={0: ["1 ms", "1.2 ms"], 1: ["2 ms"]}, weight="100 pA", delay="0.3 ms")
    net.record(spikes=[cell], traces={cell: {"variables": ["v", "i_exc"]}})
    found, before, after = run_both(net, "5 ms")
    assert before.trace("cell", "i_exc").data.max() > 100
    each_step_cuts = 4096 / 200   # units of u, at most, that are missing of a current that decays by 200 parts
    assert errors(found, before, after, "cell", "i_exc", shift=1).max() < found.scales["cell", "i_exc"].size * each_step_cuts
    assert errors(found, before, after, "cell").max() < found.report.populations[0].rounding


@pytest.mark.parametrize("model", WEIGHTS)
def test_refractory_times_of_loihi_1(model):
    """Loihi 1 holds the potential for as many steps as the float neuron does."""
    found, before, after = run_both(network(model, t_ref="0.7 ms"), "15 ms", semantics="loihi1")
    for name in found.lags:
        assert len(spikes(after, name)) > 10
        assert errors(found, before, after, name).max() <= bound(found, name)
    assert model != "lif_psc_delta" or same_spikes(found, before, after)


@pytest.mark.slow
def test_the_shipped_network_fires_as_its_float_twin():
    """Rates within 2 %, irregularity within 0.03, with all weights exact and the same noise."""
    net = sn.load(configs.path("brunel_loihi"))
    found, before, after = run_both(net, "3 s", backend="cpu")
    assert weights_are_exact(found)
    for name in ("exc", "inh"):
        rates = [result.summary["rates_hz"][name] for result in (before, after)]
        assert rates[1] == pytest.approx(rates[0], rel=0.02)
        cv = [np.nanmean(analysis.cv_isi(*result.spikes(name), net.populations[name].n)) for result in (before, after)]
        assert cv[1] == pytest.approx(cv[0], abs=0.03)


# --- NIR -------------------------------------------------------------------------------------------------------------


def chip_network() -> tuple[sn.Network, np.ndarray]:
    """The neuron of NIR's paper with the input of its traces, and the trace of a Loihi 2: input, potential, spikes."""
    if not NIR.is_dir():
        pytest.skip(f"needs the data set {NIR.name}")
    chip = np.loadtxt(NIR / "01_lif_traces/lif_lava_loihi_fixed.csv", delimiter=",")
    net = nir.read(NIR / "lif_norse.nir", dt="0.1 ms", reading="euler")
    rows = np.flatnonzero(chip[:, 0])
    net.input("data", "spike_times", "input", ids=[0] * len(rows), times=[f"{row + 1} step" for row in rows], delay="0 ms")
    net.record(traces={"n1": {"variables": ["v"]}})
    return net, chip


def test_a_neuron_of_nir_on_a_chip():
    """Quantised by the rules here, the neuron of NIR's paper spikes in the steps in which a Loihi 2 spiked."""
    net, chip = chip_network()
    found, _, after = run_both(net, f"{len(chip)} step")
    steps, _ = after.steps_of("n1")
    assert steps.tolist() == (np.flatnonzero(chip[:, 2]) + 1).tolist()
    # That quantisation had its own recipe: a decay of 163 in place of 163.8, and a threshold of 25 units of 64.
    v = after.trace("n1", "v").data[:, 0] * found.scales["n1", "v"].size
    there = chip[:, 1] / 640 * 0.04   # a spike of its input is 640, and 0.04 of r I
    silent = chip[:, 2] == 0
    assert np.abs(v - there)[silent].max() < 0.05 * 0.1


# Type of the node, reading of a spike: a weight that makes three spikes reach the threshold.
KINDS = {
    ("LIF", "impulse"): 4e-3, ("LIF", "pulse"): 40.0, ("LIF", "euler"): 40.0, ("CubaLIF", "impulse"): 4e-3,
    ("CubaLIF", "euler"): 40.0, ("IF", "impulse"): 0.4, ("IF", "euler"): 4000.0,
    ("LI", "euler"): 12.0, ("CubaLI", "impulse"): 4e-3, ("CubaLI", "euler"): 40.0, ("I", "pulse"): 4000.0,
}


def node(kind: str, reading: str) -> sn.Network:
    """Three neurons with a leak and a bias, and given spikes to each."""
    net = sn.Network(dt="0.1 ms", seed=1, precision="double")
    model = net.model("node", document(kind, reading, "set"))
    exact = {name: time_constant(parts) for name, parts in (("tau", 41), ("tau_mem", 41), ("tau_syn", 410))}
    if reading == "euler":   # dt/tau in parts of 4096
        exact = {"tau": "10.24 ms", "tau_mem": "10.24 ms", "tau_syn": "1.024 ms"}
    params = {name: value for name, value in {**exact, "v_leak": 0.5, "bias": 0.25}.items() if name in model.parameters}
    cells = net.population("cells", 3, "node", **params)
    times = {0: ["1 ms", "1.1 ms", "2 ms"], 1: ["0.5 ms"], 2: ["3 ms", "3.1 ms", "3.2 ms", "3.3 ms"]}
    net.input("kick", "spike_times", cells, times=times, weight=KINDS[kind, reading], delay="0.1 ms")
    variables = ["v", *(["i"] if "i" in model.states else [])]
    net.record(spikes=[cells] if model.spiking else [], traces={cells: {"variables": variables}})
    return net


@pytest.mark.parametrize(("kind", "reading"), KINDS, ids=[" ".join(kind) for kind in KINDS])
def test_every_neuron_of_nir(kind, reading):
    """Each kind of node that leaks or sums, in each reading of what a spike is: potentials, currents and spikes."""
    found, before, after = run_both(node(kind, reading), "6 ms")
    assert np.ptp(before.trace("cells", "v").data) > 0.3
    drift = 61 if kind in ("IF", "I") else 1   # without a leak, what the bias is off adds up over all steps
    assert errors(found, before, after, "cells").max() <= bound(found, "cells") * drift
    assert not before.populations or same_spikes(found, before, after)
    if ("cells", "i") in before.traces:
        late = found.scales["cells", "i"].late
        assert late == (reading == "impulse")
        error = errors(found, before, after, "cells", "i", shift=late).max()
        assert error < 2e-3 * np.ptp(before.trace("cells", "i").data)


@pytest.mark.slow
def test_a_trained_network_of_nir():
    """A recurrent network with trained weights of both signs keeps the number of its spikes, within a tenth."""
    if not NIR.is_dir():
        pytest.skip(f"needs the data set {NIR.name}")
    net = nir.read(NIR / "braille_noDelay_bias_zero.nir", dt="0.1 ms", reading="euler")
    rng = np.random.default_rng(0)
    ids, rows = rng.integers(0, 12, 400), np.sort(rng.integers(1, 200, 400))
    net.input("data", "spike_times", "input", ids=ids.tolist(), times=[f"{row} step" for row in rows], delay="0 ms")
    net.record(spikes=list(net.populations.values()))
    found, before, after = run_both(net, "20 ms", split_signs=True)
    assert found.lags == {"input": 0, "lif1_lif": 1, "lif2": 2}
    assert spikes(before, "input") == spikes(after, "input")
    for name in ("lif1_lif", "lif2"):
        assert len(spikes(after, name)) == pytest.approx(len(spikes(before, name)), rel=0.1)


@pytest.mark.long
def test_digits_on_a_chip():
    """A trained convolutional network of NIR's paper names the digits of recordings, in whole numbers as before."""
    if not NIR.is_dir() or not DIGITS.is_dir():
        pytest.skip(f"needs the data sets {NIR.name} and {DIGITS.name}")
    data = np.load(io.BytesIO(lzma.decompress((DIGITS / "nmnist_test.npz.xz").read_bytes())))
    polarity = np.unpackbits(data["p"])
    for number in range(0, 100, 10):
        mine = slice(*data["offsets"][number : number + 2])
        rows = np.cumsum(data["dt"][mine], dtype=np.int64) // 1000
        ids = (polarity[mine].astype(int) * 34 + data["y"][mine]) * 34 + data["x"][mine]
        net = nir.read(NIR / "cnn_sinabs.nir", dt="1 ms", reading="impulse")
        times = [f"{row + 1} step" for row in rows[rows < 300]]
        net.input("data", "spike_times", "input", ids=ids[rows < 300].tolist(), times=times, delay="0 ms")
        net.record(spikes=["n12"])
        _, before, after = run_both(net, "305 ms", backend="cpu")
        for result in (before, after):
            assert np.bincount(result.spikes("n12")[1], minlength=10).argmax() == data["label"][number]


def test_a_neuron_of_nir_against_its_float_twin():
    """In the steps of its twin, one later for the way from its input."""
    net, _ = chip_network()
    found, before, after = run_both(net, "100 ms")
    assert found.lags == {"n1": 1, "input": 0}
    assert same_spikes(found, before, after)
