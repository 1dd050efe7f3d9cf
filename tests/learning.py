"""Networks that together use every rule of plastic synapses, for several test modules."""

from __future__ import annotations

from itertools import cycle, islice
from typing import Any

import snnsim as sn

# A rule of a user's own: three rules at once, a state, a local name, another trace than those of the built-in models.
OWN: dict[str, Any] = {
    "kind": "synapse",
    "parameters": {"tau": "15 ms", "a": 0.02, "leak": "0.5 Hz", "w_max": "weight"},
    "states": {"calm": 1},
    "traces": {"x": {"on": "pre", "tau": "tau", "add": "1/2"}, "y": {"on": "post", "tau": "2*tau", "pairing": "nearest"}},
    "on_step": "w = w*(1 - leak*dt)",
    "on_pre": "down = a*w_max*y*calm\nw = clip(w - down, 0, w_max)\ncalm = max(calm - 0.01*since_pre/(since_pre + tau), 0)\n"
              "send = w*calm",
    "on_post": "w = clip(w + a*w_max*x, 0, w_max)",
    "on_interval": {"every": "3 ms", "do": "w = clip(w - 0.001*sum_w, 0, w_max)"},
}
PAIR = {"model": "stdp_pair", "params": {"w_max": "120 pA", "lambda": 0.05, "mu_plus": 0.4, "mu_minus": 0.3}}
# name -> target population, sign of the weight, rule.
RULES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "pair": ("exc", 1, PAIR),
    "additive": ("inh", 1, {"model": "stdp_pair",
                            "params": {"w_max": "120 pA", "lambda": 0.02, "mu_plus": 0, "mu_minus": 0}}),
    "triplet": ("exc", 1, {"model": "stdp_triplet", "params": {"w_max": "200 pA", "a2_plus": 0.01}}),
    "power_law": ("exc", 1, {"model": "stdp_power_law", "params": {"w_0": "30 pA"}}),
    "vogels": ("exc", -1, {"model": "stdp_vogels", "params": {"eta": "2 pA", "w_max": "400 pA"}}),
    "dopamine": ("exc", 1, {"model": "stdp_dopamine", "params": {"w_max": "200 pA", "b": "2 Hz"}, "modulator": "source",
                          "modulator_delay": "0 ms"}),
    "late_dopamine": ("inh", 1, {"model": "stdp_dopamine", "params": {"w_max": "200 pA"}, "modulator": "inh",
                                 "modulator_delay": "2.3 ms"}),
    "three_factor": ("exc", 1, {"model": "three_factor", "params": {"w_max": "200 pA", "eta": "2 Hz"},
                                "modulator": "reward.v"}),
    "own_reward": ("exc", 1, {"model": "three_factor", "params": {"w_max": "200 pA", "eta": "0.5 Hz"}, "modulator": "exc.v",
                              "init": {"e": 0.25}}),
    "tsodyks": ("exc", 1, {"model": "stp_tsodyks", "params": {"tau_rec": "30 ms", "tau_fac": "10 ms"}, "init": {"y": 0.1}}),
    "tsodyks2": ("exc", -1, {"model": "stp_tsodyks2", "params": {"tau_rec": "50 ms", "u_0": 0.3}}),
    "scaling": ("exc", 1, {"model": "homeostatic_scaling", "params": {"w_total": "300 pA", "interval": "5 ms"}}),
    "own": ("inh", 1, {"model": "own", "params": {"w_max": "120 pA"}}),
}
NETWORKS = [["pair", "vogels", "tsodyks", "dopamine"], ["triplet", "own", "tsodyks2"],
            ["power_law", "scaling", "three_factor"], ["additive", "own_reward", "late_dopamine"]]
CONNECT = [sn.fixed_indegree(5), sn.pairwise(0.3, autapses=False), sn.fixed_total(70), sn.all_to_all()]
# Delay, and the part of it before the synapse.
DELAYS: list[tuple[Any, str | None]] = [
    ({"uniform": ["0.5 ms", "2 ms"]}, "0.4 ms"), ("0.1 ms", None), ({"uniform": ["0.1 ms", "3 ms"]}, None),
    ("1 ms", "0.9 ms"), ({"discrete": {"values": ["0.2 ms", "1.2 ms"]}}, "0.1 ms"),
]
TIES = ["none", "pre_first", "post_first"]


def driven(precision: str = "single") -> sn.Network:
    """Cells that noise keeps spiking, a source of several spikes per step, a potential that rewards."""
    net = sn.Network(dt="0.1 ms", seed=3, precision=precision)
    net.model("own", OWN)
    cells = {"t_ref": "1 ms", "v_rest": "-60 mV", "v_th": "-52 mV"}
    net.population("exc", 14, "lif_psc_exp", init={"v": {"uniform": ["-60 mV", "-52 mV"]}}, **cells)
    net.population("inh", 5, "lif_psc_exp", **cells)
    net.population("reward", 1, "lif_psc_delta", v_th="1 V")
    net.population("source", 6, "poisson", rate="1 kHz")
    net.input("noise", type="poisson", rate="10 kHz", to=["exc", "inh"], weight="120 pA", delay="0.1 ms")
    net.input("joy", type="poisson", rate="1 kHz", to="reward", weight="0.2 mV")
    return net


def learning(net: sn.Network, rules: list[str], shift: int) -> sn.Network:
    """With one projection for each rule, connected, delayed and recorded in different ways."""
    parts = zip(*(islice(cycle(values), shift, None) for values in (CONNECT, DELAYS, TIES, ["all", "nearest"])), strict=False)
    for name, (connect, (delay, axonal), tie, pairing) in zip(rules, parts, strict=False):
        target, sign, rule = RULES[name]
        weight = {"uniform": sorted([f"{sign * 20} pA", f"{sign * 60} pA"], reverse=sign < 0)}
        synapse = {**rule, "tie": tie, "pairing": pairing, **({"axonal": axonal} if axonal else {})}
        net.project("source" if name == "own" else "exc", target, connect, weight=weight, delay=delay, name=name, synapse=synapse)
        net.record(weights={f"{name}_sent": {"projection": name, "on": "pre"},
                            f"{name}_course": {"projection": name, "every": "0.7 ms"}})
    return net


def several(tie: str) -> sn.Network:
    """Sources are Poisson populations, targets relays of what arrives."""
    net = sn.Network(seed=2)
    net.population("source", 7, "poisson", rate="8 kHz")
    net.population("target", 5, "relay")
    net.input("more", type="poisson", rate="5 kHz", to="target")
    synapse = {"model": "stdp_pair", "params": {"w_max": 4, "lambda": 0.2}, "tie": tie}
    net.project("source", "target", sn.fixed_indegree(3), weight=2, delay={"uniform": ["0.1 ms", "1 ms"]}, name="it",
                synapse=synapse)
    net.project("source", "target", sn.fixed_indegree(2), weight=2, name="tired", synapse="stp_tsodyks2")
    net.record(weights={name: {"projection": name, "on": "pre"} for name in ("it", "tired")})
    return net


def repeated() -> sn.Network:
    """Synapses of units onto themselves, and several of one pair."""
    net = driven()
    net.project("exc", "exc", sn.one_to_one(), weight="50 pA", delay="0.3 ms", synapse={**PAIR, "tie": "pre_first"},
                name="selves")
    net.project("exc", "inh", sn.explicit([3, 3, 3, 0], [1, 1, 1, 4]), weight=["50 pA", "60 pA", "55 pA", "10 pA"],
                delay=["1 ms", "1 ms", "0.5 ms", "2 ms"], synapse=PAIR, name="twice")
    net.record(weights={"few": {"projection": "twice", "on": "pre", "synapses": [1, 3]},
                        "some": {"projection": "selves", "every": "0.2 ms", "synapses": "2:9:3"}})
    return net


def played() -> sn.Network:
    """Targets that play a list."""
    net = driven("double")
    net.population("played", 3, "spike_times", times=["2 ms", "2 ms", "2.1 ms", "7 ms"], ids=[0, 0, 2, 1])
    net.project("exc", "played", sn.all_to_all(), weight="3 nS", delay={"uniform": ["0.1 ms", "2 ms"]}, name="it",
                synapse={"model": "stdp_pair", "params": {"w_max": "10 nS"}})
    net.record(weights={"sent": {"projection": "it", "on": "pre"}})
    return net


def sparse() -> sn.Network:
    """One target, no synapse, two onto one of five targets."""
    net = driven()
    net.population("one", 1, "lif_psc_exp", v_th="-69 mV")
    net.project("exc", "one", sn.all_to_all(), weight="50 pA", synapse=PAIR, name="few")
    net.project("exc", "inh", sn.pairwise(0.0), weight="50 pA", synapse=PAIR, name="none")
    scaled = {"model": "homeostatic_scaling", "params": {"w_total": "80 pA", "interval": "1 ms"}}
    net.project("source", "inh", sn.explicit([0, 1], [3, 3]), weight="50 pA", synapse=scaled, name="sparse")
    net.record(weights={"all": {"projection": "sparse", "every": "0.5 ms"}})
    return net


def mixed() -> sn.Network:
    """Static and plastic synapses onto the same ports."""
    net = driven()
    net.project("exc", ["exc", "inh"], sn.fixed_indegree(4), weight={"normal": {"mean": "30 pA", "sd": "3 pA"}}, delay="1 ms")
    net.project("exc", ["exc", "inh"], sn.fixed_indegree(4), weight="30 pA", delay="0.2 ms", synapse=PAIR, name="learning")
    net.project("inh", "exc", sn.fixed_indegree(2), weight="-200 pA", delay="0.4 ms",
                synapse={"model": "stdp_vogels", "params": {"eta": "2 pA", "w_max": "400 pA"}})
    return net


def taught() -> sn.Network:
    """A modulator that is an output of a population, for each target its own."""
    net = driven()
    net.model("teacher", {"dynamics": "x[n+1] = x + dt/ms : 1", "outputs": {"error": "1 + sin(x)"}})
    net.population("teacher", 14, "teacher")
    net.project("exc", "exc", sn.fixed_indegree(4), weight="30 pA", delay="0.4 ms", name="it",
                synapse={"model": "three_factor", "params": {"w_max": "200 pA", "eta": "20 Hz"}, "modulator": "teacher.error"})
    return net
