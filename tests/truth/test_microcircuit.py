"""The cortical microcircuit against its publications: parameters, synapses, compensation of scaling, activity."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import snnsim as sn
from snnsim.networks import microcircuit as pd
from snnsim.networks import microcircuit_activity as activity
from snnsim.report import make_report
from snnsim.yamlfile import parse_yaml

FACTS = Path(__file__).parents[3] / "shared" / "data" / "potjans-diesmann-2014" / "pd14.json"
PSC = 87.81   # pA


@pytest.fixture
def facts():
    """The collected numbers of the publications."""
    if not FACTS.is_file():
        pytest.skip(f"{FACTS.name} is not beside this checkout")
    return json.loads(FACTS.read_text())


def test_parameters_are_the_published_ones(facts):
    """Sizes, probabilities, weights, delays and initial potentials are those of the collection."""
    neuron, synapse = facts["neuron"], facts["synapse"]
    assert [list(pd.POPULATIONS), list(pd.SIZES), list(pd.EXTERNAL_INDEGREES)] == [
        facts["populations"], facts["N"], facts["K_ext"]]
    assert [list(row) for row in pd.PROBABILITIES] == facts["conn_prob_target_by_source"]
    assert (pd.THALAMUS, list(pd.THALAMIC_PROBABILITIES)) == (facts["N_thalamus"], facts["conn_prob_thalamus"])
    assert (neuron["C_m_pF"], neuron["tau_m_ms"], neuron["tau_syn_ms"]) == (pd.C_M, pd.TAU_M, pd.TAU_SYN)
    assert (synapse["PSP_exc_mV"], synapse["g"], synapse["L4E_to_L23E_factor"]) == (pd.PSP, pd.G, pd.L4E_TO_L23E)
    assert (synapse["weight_rel_std"], synapse["delay_rel_std"]) == (pd.WEIGHT_SD, pd.DELAY_SD)
    assert (synapse["delay_exc_ms"], synapse["delay_inh_ms"], synapse["delay_min_ms"]) == (*pd.DELAYS, pd.LEAST_DELAY)
    assert facts["background"]["rate_per_synapse_Hz"] == pd.EXTERNAL_RATE
    assert facts["background"]["delay_ms"] == pd.DELAYS[0]
    assert [list(column) for column in zip(*pd.OPTIMIZED, strict=True)] == [
        facts["V0_optimized_mean_mV"], facts["V0_optimized_std_mV"]]
    assert pd.ORIGINAL[0] == (facts["V0_original"]["mean_mV"], facts["V0_original"]["std_mV"])
    pynest, older, *_ = facts["rates_Hz"].values()
    assert [list(pd.RATES["pynest"]), list(pd.RATES["sli"])] == [pynest, older]


def test_the_cells_and_the_pulse_have_the_published_parameters(facts):
    """Defaults of the two models of the builder."""
    cell, pulse = pd.MODELS["lif_psc_exp_one"]["parameters"], pd.PULSE["poisson_pulse"]["parameters"]
    neuron, stimulus = facts["neuron"], facts["thalamic_stimulus"]
    written = {"v_rest": "E_L_mV", "v_th": "V_th_mV", "v_reset": "V_reset_mV", "t_ref": "t_ref_ms"}
    assert {key: float(cell[key]["default"].split()[0]) for key in written} == {
        key: neuron[name] for key, name in written.items()}
    assert {key: float(pulse[key]["default"].split()[0]) for key in pulse} == {
        "rate": stimulus["rate_Hz"], "start": stimulus["start_ms"], "duration": stimulus["duration_ms"]}


def test_reference_tables_are_the_published_ones(facts):
    """Rates, CV and synchrony of every scale that the collection has."""
    def rows(key):
        return {int(scale): tuple(row) for scale, row in facts[key].items()}

    assert {scale: row for scale, row in activity.RATE.items() if scale != 100} == rows(
        "rates_by_scaling_poisson_netpyne (Romaro 2021 Table A.1)")
    cv = {"poisson": rows("cv_isi_by_scaling_poisson (Table A.3)"), "dc": rows("cv_isi_by_scaling_dc (Table A.4)")}
    synchrony = {
        "poisson": rows("synchrony_by_scaling_poisson (Table A.5; variance/mean of 3 ms population histogram)"),
        "dc": rows("synchrony_by_scaling_dc (Table A.6)"),
    }
    assert (cv, synchrony) == (activity.CV, activity.SYNCHRONY)


def test_published_simulations_of_full_scale_differ_by_a_tenth(facts):
    """From PyNEST's, and none by more than the 15 % that is allowed to another simulation."""
    first, *others = facts["rates_Hz"].values()
    far = [abs(x / rate - 1) for row in others for x, rate in zip(row, first, strict=True) if x is not None]
    assert 0.10 < max(far) < 0.11 < activity.RATE_SPREAD


def test_full_scale_has_299_million_synapses():
    """77 169 neurons, 298.9 million synapses, and a current step of 87.81 pA for 0.15 mV."""
    net = pd.build()
    assert sum(p.n for p in net.populations.values()) == 77169
    assert sum(p.bound.synapses for p in net.projections) == pytest.approx(298.9e6, rel=2e-4)
    assert pytest.approx(PSC, abs=0.005) == pd.PSP * pd.current_per_potential()


@pytest.mark.parametrize("scale", [1.0, 0.3, 0.05])
def test_synapse_numbers_follow_the_formula(scale):
    """Q = ln(1 - C)/ln(1 - 1/(N_pre N_post)) of full scale, times the shares of neurons and of in-degrees."""
    net = pd.build(scale=scale)
    found = {p.label: p.bound.synapses for p in net.projections}
    expected = {
        f"{source}_to_{target}": round(
            scale**2 * math.log(1 - c) / math.log1p(-1 / (pd.SIZES[s] * pd.SIZES[t])))
        for t, target in enumerate(pd.POPULATIONS) for s, source in enumerate(pd.POPULATIONS)
        if (c := pd.PROBABILITIES[t][s])
    }
    assert found == {label: n for label, n in expected.items() if n}
    assert {name: p.n for name, p in net.populations.items()} == {
        name: round(n * scale) for name, n in zip(pd.POPULATIONS, pd.SIZES, strict=True)}


def test_n_and_k_scale_apart():
    """Neurons by n_scaling, in-degrees by k_scaling, weights by 1/sqrt(k_scaling)."""
    net = pd.build(n_scaling=0.1, k_scaling=0.5)
    assert net.populations["L4I"].n == 548
    projection = next(p for p in net.projections if p.name == "L4I_to_L4I")
    assert projection.bound.synapses / 548 == pytest.approx(0.5 * 5223272 / 5479, rel=1e-3)
    assert projection.weight.mean == pytest.approx(-4 * PSC / math.sqrt(0.5), rel=1e-4)


@pytest.fixture(scope="module")
def program():
    """A small network, built."""
    return sn.compile(pd.build(scale=0.03, seed=8), backend="reference")


@pytest.mark.parametrize(("name", "mean"), [
    ("L23E_to_L23E", PSC), ("L4E_to_L23E", 2 * PSC), ("L4I_to_L4E", -4 * PSC), ("L6E_to_L4E", PSC)])
def test_weights_are_normal_and_keep_their_sign(program, name, mean):
    """Mean over sqrt(k), standard deviation 0.1 of it, doubled from L4E to L23E, -4 times as large for inhibition."""
    weights, mean = program.weights(name)["weight"], mean / math.sqrt(0.03)
    error = 5 / math.sqrt(len(weights))
    assert weights.mean() == pytest.approx(mean, rel=0.1 * error + 1e-4)
    assert weights.std() == pytest.approx(0.1 * abs(mean), rel=error)
    assert (np.sign(weights) == np.sign(mean)).all()


@pytest.mark.parametrize(("name", "mean"), [("L23E_to_L23E", 1.5), ("L4I_to_L4E", 0.75)])
def test_delays_are_normal_above_a_step(program, name, mean):
    """Standard deviation half the mean, drawn again below 0.1 ms: the moments of the truncated normal distribution."""
    delays, sd = program.weights(name)["delay"], mean / 2
    edge = (0.1 - mean) / sd
    ratio = math.exp(-edge * edge / 2) / math.sqrt(2 * math.pi) / (0.5 * math.erfc(edge / math.sqrt(2)))
    variance = sd**2 * (1 + edge * ratio - ratio**2) + 0.1**2 / 12   # rounded to steps of 0.1 ms
    error = 5 / math.sqrt(len(delays))
    assert delays.mean() == pytest.approx(mean + sd * ratio, rel=error)
    assert delays.std() == pytest.approx(math.sqrt(variance), rel=error)
    assert delays.min() == pytest.approx(0.1)


def mean_input(name, options, rates):
    """pA that arrive at a neuron on average, synapse by synapse: current x 0.5 ms x rate."""
    t = pd.POPULATIONS.index(name)
    scale = math.sqrt(options.k)
    total = 1600 * options.k * PSC / scale * 0.5 * 0.008 if name == "L23E" and options.drive == "poisson" else 0.0
    for s, source in enumerate(pd.POPULATIONS):
        c = pd.PROBABILITIES[t][s]
        indegree = math.log(1 - c) / math.log1p(-1 / (pd.SIZES[s] * pd.SIZES[t])) / pd.SIZES[t] if c else 0.0
        weight = PSC * (-4 if source.endswith("I") else 2 if (name, source) == ("L23E", "L4E") else 1)
        total += options.k * indegree * weight / scale * 0.5 * rates[s] / 1000
    return total


@pytest.mark.parametrize("rates", ["sli", "pynest"])
@pytest.mark.parametrize("drive", ["poisson", "dc"])
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.1])
def test_the_constant_current_keeps_the_mean_input_of_full_scale(scale, drive, rates):
    """What Poisson trains, recurrent input at the assumed rates and i_e give together does not depend on the scale."""
    full, options = pd.Options(), pd.Options(scale=scale, drive=drive, rates=rates)
    constant = pd.build(scale=scale, drive=drive, rates=rates).populations["L23E"].params["i_e"].constant
    assert mean_input("L23E", options, pd.RATES[rates]) + constant == pytest.approx(
        mean_input("L23E", full, pd.RATES[rates]), abs=0.05)


def test_full_scale_needs_no_constant_current():
    """Nothing is lost that it would replace, unless the Poisson trains are left out: 0.351 pA for each of 1600."""
    assert {p.params["i_e"].constant for p in pd.build().populations.values()} == {0.0}
    assert pd.build(drive="dc").populations["L23E"].params["i_e"].constant == pytest.approx(1600 * 0.35123, rel=1e-4)


@pytest.mark.slow
def test_one_current_does_what_two_do():
    """lif_psc_exp with equal time constants fires the same spikes where its sums are as good as exact."""
    net = pd.build(scale=0.02, precision="double", seed=3)
    net.record(spikes=list(net.populations))
    data = parse_yaml(net.to_yaml(), "net.yaml").data
    shared = {"v_rest": "-65 mV", "v_th": "-50 mV", "v_reset": "-65 mV", "tau_syn_exc": "0.5 ms", "tau_syn_inh": "0.5 ms"}
    for population in data["populations"].values():
        population["model"] = "lif_psc_exp"
        population["params"] |= shared
    one, two = (sn.run(each, "100 ms", backend="reference") for each in (net, sn.loads(json.dumps(data))))
    assert sum(map(one.count, one.populations)) > 200
    for name in pd.POPULATIONS:
        assert [x.tolist() for x in one.steps_of(name)] == [x.tolist() for x in two.steps_of(name)]


def test_the_single_current_leaves_room_for_16_bits():
    """Weights are stored in 16 bits, rounded by less than 0.2 % of an ordinary one."""
    from snnsim.lowering import make_plan

    ports = [p.ports["in"] for p in make_plan(pd.build(scale=0.5)).populations]
    assert {port.stored for port in ports} == {16}
    assert max(port.quantum for port in ports) / 2 < 0.002 * PSC


def test_the_thalamus_fires_in_its_pulse():
    """Units at 120 Hz for 10 ms, as Poisson trains, and never before or after; in-degrees scale by k."""
    data = parse_yaml(pd.build(scale=0.5, thalamus=True).to_yaml(), "net.yaml").data
    data["populations"] = {"thalamus": data["populations"]["thalamus"] | {
        "n": 18040, "params": {"start": "7 ms", "duration": "10 ms"}}}
    data |= {"inputs": {}, "projections": [], "record": {"spikes": ["thalamus"]}}
    times, _ = sn.run(sn.loads(json.dumps(data)), "30 ms", backend="reference").spikes("thalamus")
    assert len(times) == pytest.approx(18040 * 1.2, abs=5 * math.sqrt(18040 * 1.2))
    assert (times.min(), times.max()) == (pytest.approx(7.1), pytest.approx(17.0))


def test_the_thalamus_reaches_layers_4_and_6():
    """With the synapse numbers of its connection probabilities, and the weight of every excitatory synapse."""
    net = pd.build(scale=0.5, thalamus=True)
    reached = {p.target.name: p for p in net.projections if p.source.name == "thalamus"}
    assert (net.populations["thalamus"].n, sorted(reached)) == (451, ["L4E", "L4I", "L6E", "L6I"])
    full = math.log(1 - 0.0983) / math.log1p(-1 / (902 * 21915))
    assert reached["L4E"].bound.synapses == round(full / 4)
    assert reached["L4E"].weight.mean == pytest.approx(PSC / math.sqrt(0.5), rel=1e-4)


@pytest.mark.parametrize(("scale", "row"), [(1.0, 100), (0.9, 100), (0.85, 80), (0.11, 10), (0.06, 5), (0.001, 1)])
def test_the_nearest_published_scale_is_the_reference(scale, row):
    """Nearest by ratio; its bands span the neighbouring rows."""
    band = activity.reference(scale, "poisson").bands["rate_hz"]["L5E"]
    assert band.value == activity.RATE[row][4]


def test_bands_span_neighbouring_rows():
    """At 10 %: L5E as far as the rows of 20 and 5 %, L4I 15 % to both sides, the CV 0.05, the synchrony a factor of 2."""
    bands = activity.reference(0.1, "poisson").bands
    assert bands["rate_hz"]["L5E"] == (6.55, pytest.approx(6.55 * 0.85), 9.66)
    assert bands["rate_hz"]["L4I"] == (6.2, pytest.approx(6.2 * 0.85), pytest.approx(6.2 * 1.15))
    assert bands["cv_isi"]["L5E"] == (0.853, 0.797, pytest.approx(0.903))
    assert bands["synchrony"]["L6I"] == (1.0, 0.5, 2.0)


def test_nothing_was_published_of_other_networks():
    """Of a pulse of the thalamus, or neurons and in-degrees scaled apart."""
    assert pd.published(pd.Options(thalamus=True)) is None
    assert pd.published(pd.Options(n_scaling=0.5)) is None
    assert pd.published(pd.Options(drive="dc")).bands["rate_hz"] == {}


@pytest.mark.slow
def test_a_tenth_of_the_network_is_as_active_as_published():
    """Rates, CV and synchrony of 20 s are within the bands of the published tenth, all 24 of them."""
    net = pd.build(scale=0.1, seed=55)
    net.record(spikes=list(net.populations))
    report = make_report(sn.run(net, "20 s", backend="cpu"))
    assert len(report.comparisons) == 24
    assert [each for each in report.comparisons if not each.within] == []
