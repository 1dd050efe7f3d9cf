"""The full text of every message about what a chip cannot do."""

from __future__ import annotations

from typing import Any

import pytest

import snnsim as sn
from snnsim import nir  # noqa: F401

NET = """\
snnsim: 1
populations:
  a: {n: 5, model: lif_psc_delta, params: {t_ref: 0 ms}}
  b: {n: 5, model: lif_psc_exp, params: {t_ref: 0 ms}}
inputs:
  noise: {type: poisson, rate: 1 Hz, to: a, weight: 1 mV}
projections:
  - {from: a, to: b, connect: all_to_all, weight: 1 pA, delay: 1 ms}
"""
LIKE = "lif_psc_exp, lif_psc_delta and models like them can be quantised"


def fault(text: str, **options: Any) -> str:
    """What the quantisation of a file is answered with."""
    net = sn.loads(text, file="net.yaml")
    with pytest.raises(sn.InputError) as caught:
        sn.quantize(net, **options)
    return str(caught.value)


NETWORKS: list[tuple[str, str, dict[str, Any], str]] = [
    ("model: lif_psc_exp", "model: lif_psc_alpha", {},
     "net.yaml:4: populations.b.model: lif_psc_alpha is no LIF neuron of a chip: dynamics.i_exc: expected a current that decays "
     f"by itself, found one that reads y_exc; {LIKE}"),
    ("t_ref: 0 ms}}\n  b", "t_ref: 2 ms}}\n  b", {},
     "net.yaml:3: populations.a.params.t_ref: expected 0 ms, since Lava's fixed-point LIF has no refractory time, found 2 ms; "
     "refractory='drop' leaves it out, semantics='loihi1' keeps it"),
    ("t_ref: 0 ms}}\n  b", "t_ref: 20 ms}}\n  b", {"semantics": "loihi1"},
     "net.yaml:3: populations.a.params.t_ref: expected at most 6.3 ms (63 steps), found 20 ms"),
    ("t_ref: 0 ms}}\n  b", "v_reset: 30 mV, t_ref: 0 ms}}\n  b", {},
     "net.yaml:3: populations.a.model: lif_psc_delta is no LIF neuron of a chip: spike: expected a threshold above the reset, "
     f"found one 10 below it for unit 0; {LIKE}"),
    ("delay: 1 ms", "delay: 7 ms", {},
     "net.yaml:8: projections.0.delay: expected at most 6.2 ms, since a delay of the chip has up to 63 steps of 0.1 ms and is 1 "
     "step longer here, found 7 ms; a larger dt reaches further, long_delays='cut' cuts them"),
    ("delay: 1 ms", "delay: {uniform: [1 ms, 7 ms]}", {},
     "net.yaml:8: projections.0.delay: expected at most 6.2 ms, since a delay of the chip has up to 63 steps of 0.1 ms and is 1 "
     "step longer here, found 6.43242 ms; a larger dt reaches further, long_delays='cut' cuts them"),
    ("delay: 1 ms", "delay: 1 ms, synapse: {model: stdp_pair, params: {w_max: 2 pA}}", {},
     "net.yaml:8: projections.0.synapse: expected weights that stay as they are, or loihi_learning, found stdp_pair"),
    ("weight: 1 pA, delay: 1 ms", "weight: 1 nS, coupling: gap_junction", {},
     "net.yaml:8: projections.0.coupling: expected spikes, which are all that a chip sends, found gap_junction"),
    ("inputs:\n", "inputs:\n  n: {type: noise, sd: 1 pA, to: b}\n", {},
     "net.yaml:6: inputs.n.type: expected a constant current or spikes, found noise, which a chip's LIF does not draw; a poisson "
     "input stands for it"),
    ("inputs:\n", "inputs:\n  n: {type: current, times: [0 ms, 5 ms], values: [1 pA, 0 pA], to: b}\n", {},
     "net.yaml:6: inputs.n.times: expected a constant current from 0 ms on, since a bias does not change during a run, found one "
     "that changes until 5 ms; spikes of a spike_times input can do it"),
    ("inputs:\n", "  r: {n: 5, model: loihi1_lif}\ninputs:\n", {},
     "net.yaml:5: populations.r.model: expected a model in whole numbers of lava010, found loihi1_lif of loihi1; "
     "semantics='loihi1' takes it"),
]


@pytest.mark.parametrize(("old", "new", "options", "message"), NETWORKS, ids=[new.strip()[:30] for _, new, _, _ in NETWORKS])
def test_what_a_chip_cannot_do(old, new, options, message):
    """Each message says where, what was expected and found, and what would help."""
    assert NET.count(old) == 1
    assert fault(NET.replace(old, new), **options) == message


def test_a_target_that_the_host_plays():
    """A chip's spikes cannot go where the host makes them."""
    text = NET.replace("inputs:\n", "  r: {n: 5, model: relay}\ninputs:\n")
    assert fault(text.replace("to: b, connect: all_to_all, weight: 1 pA", "to: r, connect: all_to_all, weight: 1")) == (
        "net.yaml:9: projections.0.to: expected neurons of the chip, found r, whose spikes the host makes (relay)")


def test_a_cycle_that_is_too_fast():
    """Each connection takes a step, also those that took none."""
    text = NET.replace("lif_psc_exp", "lif_psc_delta").replace("weight: 1 pA, delay: 1 ms", "weight: 1 mV, delay: 0 ms")
    assert fault(text + "  - {from: b, to: a, connect: all_to_all, weight: 1 mV, delay: 0.1 ms}\n") == (
        "net.yaml:8: projections.0.delay: expected at least one step of 0.1 ms for each connection of the cycle a -> b -> a, "
        "found 1 step too few in all of it")


def test_conductances():
    """The equation that is not linear is named."""
    text = NET.replace("lif_psc_delta, params: {t_ref: 0 ms}", "lif_cond_exp").replace("1 mV", "1 nS")
    assert fault(text) == (
        "net.yaml:3: populations.a.model: lif_cond_exp is no LIF neuron of a chip: dynamics.v: expected a sum of states, arrivals "
        f"and currents with coefficients of parameters, found g_exc*(min(v, v_th) - e_exc); {LIKE}")


def test_two_time_constants():
    """They are said with the currents that have them."""
    text = NET.replace("lif_psc_exp, params: {", "lif_psc_exp, params: {tau_syn_inh: 5 ms, ")
    assert fault(text.replace("weight: 1 pA", "weight: {uniform: [-1 pA, 1 pA]}")) == (
        "net.yaml:4: populations.b.model: lif_psc_exp is no LIF neuron of a chip: dynamics: expected one time constant for all "
        f"synaptic currents, found 2 ms of i_exc and 5 ms of i_inh; {LIKE}")


def test_units_that_take_an_input_differently():
    """An input has one weight, so its effects may differ by one factor only, that of the scales of units."""
    net = sn.Network(dt="0.1 ms")
    net.model("two", {**LIF, "parameters": {**LIF["parameters"], "b": 1.0}, "receive": {"p": "v += w", "q": "v += b*w"}})
    net.population("a", 3, "two", b=[1.0, 2.0, 8.0])
    for port in ("p", "q"):
        net.input(f"to_{port}", "spike_times", "a", times={0: ["1 ms"]}, weight="1 mV", port=port)
    with pytest.raises(sn.InputError) as caught:
        sn.quantize(net)
    assert str(caught.value) == (
        "inputs.to_q.weight: expected units of a that take this weight alike, found effects from 0.5 to 4 times the middle "
        "one; make populations of them")


def test_everything_at_once():
    """All that a network has too much of is said in one go, in the order of the file."""
    text = NET.replace("t_ref: 0 ms}}\n  b", "t_ref: 2 ms}}\n  b").replace("model: lif_psc_exp", "model: lif_psc_alpha")
    text = text.replace("inputs:\n", "inputs:\n  n: {type: noise, sd: 1 pA, to: b}\n").replace("delay: 1 ms", "delay: 9 ms")
    places = [line.split(": ")[:2] for line in fault(text).splitlines()]
    assert places == [["net.yaml:3", "populations.a.params.t_ref"], ["net.yaml:4", "populations.b.model"],
                      ["net.yaml:6", "inputs.n.type"], ["net.yaml:9", "projections.0.delay"]]


# --- models ----------------------------------------------------------------------------------------------------------

LIF = {"parameters": {"tau": "10 ms", "v_th": "10 mV"}, "dynamics": "dv/dt = -v/tau : mV", "receive": {"in": "v += w"},
       "spike": "v >= v_th", "reset": {"v": "0 mV"}}
TWO = {"dynamics": "dv/dt = (i - v)/tau : mV\ndi/dt = -i/(5 ms) : mV", "receive": {"in": "i += w"}}
COMPARED = "expected one state compared with a threshold of parameters, such as v >= v_th"
MODELS: list[tuple[dict[str, Any], str]] = [
    ({"spike": "v >= v_th and previous(v) < v_th"}, f"spike: {COMPARED}, found v_th <= v and previous v < v_th"),
    ({**TWO, "spike": "v >= v_th + i"}, f"spike: {COMPARED}, found v and i in it"),
    ({"spike": "v*v >= v_th*v_th"}, f"spike: {COMPARED}, found v*v"),
    ({"spike": "-v >= -v_th"}, "spike: expected a spike where v is high, found one where it is low"),
    ({"spike": "max(v/v_th, 0)"}, "spike: expected a condition, found a number of spikes"),
    ({"reset": {"v": "v - v_th"}}, "reset.v: expected a value of parameters alone, since a chip's neuron begins anew after a spike, "
                                   "found v - v_th"),
    ({**TWO, "reset": {"i": "0 mV"}}, "reset: expected a value that a spike sets v to, found none"),
    ({**TWO, "reset": {"v": "0 mV", "i": "0 mV"}}, "reset.i: expected i to go on after a spike, found a reset of it"),
    ({"dynamics": "dv/dt = v/tau : mV"}, "dynamics.v: expected what is left of v after a step to be between 0 and 1 times what it "
                                         "was, found 1.01005 times"),
    ({"dynamics": "v[n+1] = v*0.5 + normal()*mV : mV"}, "dynamics.v: expected a sum of states, arrivals and currents with "
                                                        "coefficients of parameters, found normal()"),
    ({**TWO, "dynamics": TWO["dynamics"].replace("-i/(5 ms)", "1 mV/ms")}, "dynamics.i: expected a current that settles, found one "
                                                                           "that a constant drives on"),
    ({**TWO, "dynamics": TWO["dynamics"].replace("-i", "(v - i)")}, "dynamics.i: expected a current that decays by itself, found one "
                                                                  "that reads v"),
    ({"dynamics": "dv/dt = -v/tau : mV\ndz/dt = -z/tau : mV", "receive": {"in": "z += w"}},
     "receive.in: expected arrivals that act on v, found none"),
    ({"dynamics": TWO["dynamics"].replace("(i - v)", "(i + a - v)"), "receive": {"in": ["a = w : mV", "i += w"]}},
     "receive.in: expected arrivals that act on v either at once, or through a current, found both in a ratio that one decaying "
     "current does not have"),
    ({"integrate": {"rk4": 2, "spike_test": "substep"}}, "integrate: expected one spike test in each step, found spike_test: substep"),
]


def test_ports_at_different_times():
    """A neuron of the chip adds all that arrives in one step."""
    net = sn.Network(dt="0.1 ms")
    net.model("own", {**LIF, **TWO, "receive": {"fast": "v += w", "slow": "i += w"}})
    net.population("a", 2, "own")
    for port in ("fast", "slow"):
        net.input(port, "spike_times", "a", times={0: ["1 ms"]}, weight="1 mV", port=port)
    with pytest.raises(sn.InputError) as caught:
        sn.quantize(net)
    assert str(caught.value).splitlines() == [
        f"populations.a.model: own is no LIF neuron of a chip: {message}; {LIKE}" for message in (
            "receive.fast: expected arrivals that act on v either at once, or through a current, found both in a ratio that one "
            "decaying current does not have",
            "receive: expected all ports to act on v in the same step, found fast at once and slow one step later")]


@pytest.mark.parametrize(("changes", "message"), MODELS, ids=[message[:40] for _, message in MODELS])
def test_models_that_are_no_lif(changes, message):
    """The rule of the model that has no place on a chip is named."""
    net = sn.Network(dt="0.1 ms")
    net.model("own", {**LIF, **changes})
    net.population("a", 2, "own")
    net.input("kick", "spike_times", "a", times={0: ["1 ms"]}, weight="1 mV")
    with pytest.raises(sn.InputError) as caught:
        sn.quantize(net)
    assert str(caught.value) == f"populations.a.model: own is no LIF neuron of a chip: {message}; {LIKE}"
