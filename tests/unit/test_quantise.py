"""What becomes of each part of a network when it is quantised."""

from __future__ import annotations

import json

import numpy as np
import pytest
from quantised import errors, run_both, same_spikes, spikes, time_constant

import snnsim as sn
from snnsim.lowering import make_plan

EXACT = {"tau_m": time_constant(20), "t_ref": "0 ms"}


def pair(**weights) -> sn.Network:
    """100 units onto 50, by a projection with these settings."""
    net = sn.Network(dt="0.1 ms", seed=7, precision="double")
    a, b = net.population("a", 100, "lif_psc_delta", **EXACT), net.population("b", 50, "lif_psc_delta", **EXACT)
    net.project(a, b, **{"connect": sn.fixed_indegree(20), "weight": "0.1 mV", "delay": "1 ms", **weights})
    net.record(spikes=[a, b])
    return net


def synapses(net: sn.Network, number: int = 0) -> dict[str, np.ndarray]:
    """All synapses of a projection: source, target, port, weight and delay."""
    plan = make_plan(net)
    projection = plan.projections[number]
    return projection.table(plan.populations[projection.target].n)


def in_order(table: dict[str, np.ndarray]) -> list[tuple[int, ...]]:
    return sorted(zip(*(table[key].tolist() for key in ("source", "target", "delay")), strict=True))


# --- neurons ---------------------------------------------------------------------------------------------------------


def test_units_of_different_kinds():
    """Parameters that differ between units become whole numbers that do; weights stay the same for all."""
    net = sn.Network(dt="0.1 ms", seed=1, precision="double")
    cells = net.population(
        "cells", 6, "lif_psc_exp", t_ref="0 ms", tau_m=[time_constant(k) for k in (10, 20, 30, 10, 20, 30)],
        c_m=["100 pF", "200 pF", "300 pF", "250 pF", "125 pF", "80 pF"], v_th=["-60 mV", *["-58 mV"] * 5],
        tau_syn_exc=time_constant(200), i_e=[f"{k} pA" for k in range(6)])
    net.input("kick", "spike_times", cells, times={k: ["1 ms", "2 ms", "4 ms"] for k in range(6)}, weight="900 pA", delay="0.1 ms")
    net.record(spikes=[cells], traces={cells: {"variables": ["v"]}})
    found, before, after = run_both(net, "20 ms")
    params = found.network.populations["cells"].params
    assert [params[key].size for key in ("dv", "vth", "bias_mant")] == [6, 6, 6]
    assert params["du"].constant == 199
    assert len(spikes(before, "cells")) > 3
    assert same_spikes(found, before, after)
    assert errors(found, before, after, "cells").max() < 0.05


def test_constant_currents_become_a_bias():
    """An amplitude is added to the bias, unit by unit."""
    net = sn.Network(dt="0.1 ms", precision="double")
    cells = net.population("cells", 3, "lif_psc_delta", i_e="100 pA", **EXACT)
    net.input("step", "current", cells, amplitude=["0 pA", "200 pA", "300 pA"])
    net.record(spikes=[cells], traces={cells: {"variables": ["v"]}})
    found, before, after = run_both(net, "30 ms")
    assert same_spikes(found, before, after)
    assert errors(found, before, after, "cells").max() < 0.05
    assert not found.network.inputs


def test_an_unused_current_may_differ():
    """Where nothing arrives at a port, its time constant does not matter."""
    net = sn.Network(dt="0.1 ms")
    cell = net.population("cell", 1, "lif_psc_exp", tau_syn_inh="9 ms", t_ref="0 ms")
    net.input("kick", "spike_times", cell, times={0: ["1 ms"]}, weight="100 pA")
    assert sn.quantize(net).network.populations["cell"].model.name == "loihi_lif"


def test_a_threshold_of_infinity_is_no_threshold():
    """A model that never spikes has the highest threshold, and room below it."""
    net = sn.Network(dt="0.1 ms", precision="double")
    model = {"parameters": {"tau": "10 ms"}, "dynamics": "dv/dt = -v/tau : mV", "receive": {"in": "v += w"}}
    net.model("integrator", model)
    cell = net.population("cell", 1, "integrator", tau=time_constant(41))
    net.input("kick", "spike_times", cell, times={0: ["1 ms", "1.5 ms", "3 ms"]}, weight="2 mV", delay="0.1 ms")
    net.record(traces={cell: {"variables": ["v"]}})
    found, before, after = run_both(net, "6 ms")
    assert found.network.populations["cell"].params["vth"].constant == 131071
    assert before.trace("cell", "v").data.max() > 3
    assert errors(found, before, after, "cell").max() <= found.report.populations[0].rounding


def test_a_refractory_time_can_be_dropped():
    """Lava's neuron has none; leaving it out is said."""
    net = pair()
    net.population("c", 2, "lif_psc_delta", t_ref="2 ms", tau_m=time_constant(20))
    found = sn.quantize(net, refractory="drop")
    assert found.report.populations[2].dropped == 2.0
    assert found.report.notes == ("populations.c: the refractory time of 2 ms is left out",)
    assert found.report.notes[0] in found.network.notes


def test_loihi_1_keeps_a_refractory_time():
    """It is counted in steps there."""
    net = sn.Network(dt="0.1 ms")
    net.population("c", 2, "lif_psc_delta", t_ref="2 ms")
    cells = sn.quantize(net, semantics="loihi1").network.populations["c"]
    assert (cells.model.name, cells.params["t_ref"].constant) == ("loihi1_lif", 20)


def test_a_leak_that_is_lost_is_said():
    """A time constant beyond 8192 steps has no decay."""
    net = sn.Network(dt="0.1 ms")
    net.population("c", 1, "lif_psc_delta", tau_m="2 s", t_ref="0 ms")
    found = sn.quantize(net)
    assert found.network.populations["c"].params["dv"].constant == 0
    assert found.report.notes == ("populations.c: its leak is less than 1/8192 in a step and is lost; a larger dt keeps it",)


def test_decays_are_made_up_for():
    """A steady input takes the potential where it did, unless single jumps are to stay as they were."""
    net = sn.Network(dt="0.1 ms", precision="double")
    cells = net.population("cells", 1, "lif_psc_delta", tau_m="20 ms", t_ref="0 ms", i_e="200 pA")
    net.input("kick", "spike_times", cells, times={0: ["1 ms"]}, weight="1 mV")
    mean, jump = (sn.quantize(net, preserve=word).report.populations[0] for word in ("mean", "jump"))
    assert mean.potential.error == pytest.approx(0.0215, abs=1e-4)
    assert mean.mended == pytest.approx(1 / 1.0214, abs=1e-4)
    assert abs(mean.rest.error) < 1e-4
    assert jump.mended == 1.0
    assert jump.rest.error * 20 == pytest.approx(16 * 0.0214, rel=0.01)


# --- synapses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [
    "0.1 mV", "-0.7 mV", {"uniform": ["0.05 mV", "0.2 mV"]}, {"normal": {"mean": "-0.2 mV", "sd": "0.02 mV"}},
    {"discrete": {"values": ["0.1 mV", "0.3 mV"], "p": [0.5, 0.5]}},
])
@pytest.mark.parametrize("delay", ["1 ms", {"uniform": ["0.3 ms", "2 ms"]}, {"normal": {"mean": "2 ms", "sd": "0.2 ms", "low": "0.1 ms"}}])
def test_rules_are_kept(weight, delay):
    """Where a rule and distributions can say it, they draw the synapses of the float network, with rounded weights."""
    net = pair(weight=weight, delay=delay)
    found = sn.quantize(net)
    assert not found.report.projections[0].listed
    there, here = synapses(net), synapses(found.network)
    for key in ("source", "target", "delay"):
        assert np.array_equal(there[key], here[key])
    port = make_plan(net).populations[1].ports["in"].quantum
    sizes = here["weight"] * 64 / found.report.populations[1].scale
    assert np.allclose(sizes, there["weight"] * port, atol=found.report.projections[0].step * 0.51)


@pytest.mark.parametrize("weight", [
    {"lognormal": {"mean": "0.1 mV", "sd": "0.1 mV"}}, {"exponential": {"mean": "-0.1 mV"}},
    {"expression": "0.1 mV*(1 + i/n_source)"}, {"uniform": ["-0.3 mV", "0.2 mV"]},
])
def test_other_weights_are_listed(weight):
    """Others are drawn once and listed, synapse by synapse what they were."""
    net = pair(weight=weight, delay={"exponential": {"mean": "1 ms"}})
    found = sn.quantize(net, long_delays="cut")
    report, = found.report.projections
    there, here = synapses(net), synapses(found.network)
    assert report.listed
    assert in_order({**there, "delay": np.minimum(there["delay"], 63)}) == in_order(here)
    port = make_plan(net).populations[1].ports["in"].quantum
    wanted = np.sort(there["weight"] * port)
    got = np.sort(here["weight"] * 64 / found.report.populations[1].scale)
    assert np.allclose(got[report.zero > 0:], wanted[report.zero > 0:], atol=max(report.step * 0.51, report.largest * abs(wanted).max() * 1.01))
    assert report.rms < 0.02


def test_signs_of_sources_are_taken_apart():
    """Where each source has one sign, mantissas have no sign bit: the projection becomes two."""
    net = pair(weight={"expression": "0.1 mV*(1 if i < 60 else -4)"})
    found, inhibitory = sn.quantize(net), int((synapses(net)["source"] >= 60).sum())
    assert [(p.projection, p.sign_mode, p.synapses) for p in found.report.projections] == [
        ("a-b_exc", "excitatory", 1000 - inhibitory), ("a-b_inh", "inhibitory", inhibitory)]
    both = in_order(synapses(found.network, 0)) + in_order(synapses(found.network, 1))
    assert sorted(both) == in_order(synapses(net))


def test_mixed_weights_are_even_or_split():
    """Sources with both signs have even mantissas, or two projections with one bit more."""
    net = pair(weight={"uniform": ["-0.3 mV", "0.2 mV"]})
    mixed, = sn.quantize(net).report.projections
    exc, inh = sn.quantize(net, split_signs=True).report.projections
    assert (mixed.sign_mode, exc.sign_mode, inh.sign_mode) == ("mixed", "excitatory", "inhibitory")
    assert not (synapses(sn.quantize(net).network)["weight"] % 2).any()
    assert max(exc.step, inh.step) < mixed.step


def test_pairs_of_a_named_entry():
    """Their connections are those that their common name has drawn."""
    net = sn.Network(dt="0.1 ms", seed=3)
    cells = [net.population(name, 20, "lif_psc_delta", **EXACT) for name in "ab"]
    net.project(cells, cells, sn.fixed_indegree(3), weight="1 mV", name="all")
    found = sn.quantize(net)
    assert [p.projection for p in found.report.projections] == ["all_a_a", "all_a_b", "all_b_a", "all_b_b"]
    for k in range(4):
        assert in_order(synapses(net, k)) == in_order(synapses(found.network, k))


def test_long_delays_can_be_cut():
    """The part that is cut is reported."""
    net = pair(delay={"uniform": ["5 ms", "7 ms"]})
    found = sn.quantize(net, long_delays="cut")
    report, = found.report.projections
    assert report.delays[1] == 63
    assert report.too_long == pytest.approx(0.35, abs=0.05)
    assert sn.quantize(pair(delay="8 ms"), long_delays="cut").report.projections[0].delays == (63, 63)


def test_large_lists_go_to_a_file(tmp_path):
    """A file of one's own, if one is named, so that the network stays short."""
    net = pair(connect=sn.all_to_all(), weight={"lognormal": {"mean": "0.1 mV", "sd": "0.1 mV"}})
    found = sn.quantize(net, arrays=tmp_path / "arrays.npz")
    assert (tmp_path / "arrays.npz").exists()
    assert len(found.network.to_yaml()) < 5000
    assert synapses(sn.loads(found.network.to_yaml()))["weight"].size == 5000


# --- inputs and sources ----------------------------------------------------------------------------------------------


def test_targets_of_an_input_share_its_weight():
    """A Poisson input stays one, so that its spikes stay the same; its targets share their scale."""
    net = pair()
    net.input("noise", "poisson", ["a", "b"], rate="1 kHz", weight="0.3 mV")
    net.project("b", "a", sn.all_to_all(), weight="-3 mV")
    found = sn.quantize(net)
    assert list(found.network.inputs) == ["noise"]
    assert {each.whole for each in found.report.inputs} == {found.report.inputs[0].whole}


def two_ports() -> sn.Network:
    """Two populations with two ports each; the second is twice and three times the first."""
    net = sn.Network(dt="0.1 ms", seed=1, precision="double")
    net.model("two", {
        "parameters": {"a": 1.0, "b": 2.0, "tau": "20 ms"}, "dynamics": "dv/dt = -v/tau : mV", "spike": "v >= 20 mV",
        "reset": {"v": "0 mV"}, "receive": {"p": "v += a*w", "q": "v += b*w"}})
    net.population("a", 20, "two", tau=time_constant(20))
    net.population("b", 20, "two", tau=time_constant(20), b=3.0)
    net.input("noise", "poisson", ["a", "b"], rate="20 kHz", weight="0.5 mV", port="p")
    return net


def test_gains_that_differ():
    """Weights onto units with different gains are listed; each synapse does what it did."""
    net = two_ports()
    net.population("c", 20, "two", tau=time_constant(20), b=[1 + k / 10 for k in range(20)])
    net.input("more", "poisson", "c", rate="20 kHz", weight="0.5 mV", port="p")
    net.project("a", "c", sn.fixed_indegree(5), weight="-0.3 mV", port="q")
    for _ in range(2):
        net.project("b", "a", sn.fixed_indegree(5), weight={"expression": "0.3 mV*(1 if i < 10 else -1)"}, port="q", delay="1 ms")
    net.record(spikes=["a", "c"])
    found, before, after = run_both(net, "20 ms")
    assert [p.projection for p in found.report.projections] == ["a->c", "b-a_exc", "b-a_inh", "b-a_exc_2", "b-a_inh_2"]
    assert max(p.rms for p in found.report.projections) < 0.005
    for name in ("a", "c"):
        assert len(spikes(before, name)) > 20
        assert len(spikes(after, name)) == pytest.approx(len(spikes(before, name)), rel=0.05)


def test_an_input_that_has_to_be_two():
    """Where targets need different weights, an input becomes several, and its spikes are others."""
    net = two_ports()
    net.input("more", "poisson", ["a", "b"], rate="1 kHz", weight="0.5 mV", port="q")
    found = sn.quantize(net)
    assert list(found.network.inputs) == ["noise", "more", "more_b"]
    assert found.report.notes == ("inputs.more: its spikes are drawn anew for all targets but the first",)
    wholes = {(each.input, each.target): each.whole for each in found.report.inputs}
    assert wholes["more", "b"] * 2 == pytest.approx(wholes["more", "a"] * 3, abs=2)


def test_sources_stay():
    """Populations whose spikes the host makes are taken over, with their spikes."""
    net = sn.Network(dt="0.1 ms", seed=2, precision="double")
    relay, noise = net.population("relay", 2, "relay"), net.population("noise", 5, "poisson", rate="300 Hz")
    given = net.population("given", 2, "spike_times", times={0: ["1 ms"], 1: ["1.2 ms", "2 ms"]})
    cells = net.population("cells", 4, "lif_psc_exp", tau_syn_exc=time_constant(200), v_th="-69 mV", **EXACT)
    net.input("kick", "spike_times", relay, times={0: ["0.5 ms"], 1: ["0.7 ms"]}, delay="0.1 ms")
    for source in (relay, noise, given):
        net.project(source, cells, sn.all_to_all(), weight="90 pA", delay="0.2 ms")
    net.record(spikes=[relay, noise, given, cells])
    found, before, after = run_both(net, "8 ms")
    assert len(spikes(before, "cells")) > 3
    assert same_spikes(found, before, after)


def test_networks_in_whole_numbers_stay():
    """What is in whole numbers already is left as it is."""
    net = sn.Network(dt="1 ms", seed=2)
    a = net.population("a", 10, "loihi_lif", vth=100, dv=400)
    net.project(a, a, sn.fixed_indegree(3), weight=20, weight_exp=2, delay="2 ms")
    net.input("kick", "spike_times", a, times={0: ["1 ms"]}, weight=300)
    net.record(spikes=[a])
    found = sn.quantize(net)
    assert found.network == net
    assert found.report.populations == ()


# --- report ----------------------------------------------------------------------------------------------------------


def test_report_is_plain_data():
    """The report can be written as JSON, the network as YAML."""
    net = pair(weight={"lognormal": {"mean": "0.1 mV", "sd": "0.1 mV"}})
    net.input("noise", "poisson", "a", rate="1 kHz", weight="0.3 mV")
    found = sn.quantize(net)
    data = json.loads(json.dumps(found.report.to_dict()))
    assert [one["population"] for one in data["populations"]] == ["a", "b"]
    assert data["projections"][0]["mantissas"][1] > 127
    assert sn.loads(found.network.to_yaml()) == found.network


def test_room_of_a_run():
    """A run of the float network shows how far potentials and currents go, and so how fine the numbers can be."""
    net = pair(weight="-1 mV")
    net.input("noise", "poisson", "a", rate="20 kHz", weight="0.3 mV")
    plain, measured = sn.quantize(net), sn.quantize(net, measure="20 ms")
    assert plain.report.populations[1].reach == 40.0
    assert measured.report.populations[1].reach > 60


def test_bits_that_no_weight_needs_are_room():
    """A weight with an exponent needs no finer scale: what is given up of it, potential and current may use."""
    net = pair(weight="10 mV")
    report = sn.quantize(net).report
    assert report.populations[1].spared == 2
    assert report.populations[1].lowest < -300
    assert 20 / 1024 / 2 < report.populations[1].rounding < 20 / 1024
    assert sn.quantize(pair(weight="0.05 mV")).report.populations[1].spared == 0


def test_overflow_is_counted():
    """How many of the largest weights in one step would turn the sign of the current."""
    net = pair(weight="1 mV")
    report = sn.quantize(net).report
    most = report.populations[1].overflow
    weight = report.populations[1].scale * 1.0
    assert most * weight <= 2**23 - 1 < (most + 1) * weight


def test_records_that_have_no_state_are_said():
    """Two currents become one on the chip."""
    net = sn.Network(dt="0.1 ms")
    cell = net.population("cell", 1, "lif_psc_exp", t_ref="0 ms")
    for weight in ("100 pA", "-100 pA"):
        net.project(cell, cell, sn.all_to_all(), weight=weight)
    net.record(traces={cell: {"variables": ["v", "i_exc"]}})
    found = sn.quantize(net)
    assert [trace.variable for trace in found.network.recording.traces] == ["v"]
    assert found.report.notes == ("record.traces.cell: i_exc has no state of its own on the chip and is not recorded",)
