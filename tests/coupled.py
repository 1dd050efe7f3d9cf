"""Networks with continuous couplings, which the tests of several backends run."""

from __future__ import annotations

from typing import Any

import snnsim as sn

# A coupling of a user's own: something of the source, of the target, of both and of parameters alone.
SMOOTH: dict[str, Any] = {
    "kind": "coupling", "variable": "v", "parameters": {"scale": "10 mV", "gain": 2},
    "adds": "w*gain*tanh((pre - post)/scale)*(1 + exp(-(post/scale)**2))/(2 + sin(pre/scale))",
}
PLASTIC = {"model": "stdp_pair", "params": {"w_max": "120 pA", "lambda": 0.05}}


def noisy(precision: str = "single", n: int = 50) -> sn.Network:
    """Cells that noise keeps spiking, with rests of their own."""
    net = sn.Network(dt="0.1 ms", seed=3, precision=precision)
    net.model("own", SMOOTH)
    net.population("a", n, "lif_psc_exp", init={"v": {"uniform": ["-70 mV", "-55 mV"]}})
    net.population("b", 7, "lif_psc_exp", v_rest={"uniform": ["-70 mV", "-60 mV"]}, t_ref="1 ms")
    net.input("noise", type="poisson", rate="10 kHz", to=["a", "b"], weight="60 pA")
    return net


def pair(precision: str) -> sn.Network:
    net = sn.Network(seed=1, precision=precision)
    net.population("a", 2, "lif_psc_exp", i_e=["900 pA", "0 pA"])
    net.project("a", "a", sn.explicit([0, 1], [1, 0]), weight="5 nS", coupling="gap_junction")
    return net


def many(precision: str) -> sn.Network:
    """Several couplings, constant and drawn weights, onto inputs that also have currents and noise; a repeated pair."""
    net = noisy(precision)
    net.project("a", "a", sn.fixed_indegree(5), weight="2 nS", coupling="gap_junction")
    net.project("b", "a", sn.pairwise(0.3), weight={"uniform": ["0.5 nS", "1 nS"]}, coupling="gap_junction", name="back")
    net.project("a", "b", sn.fixed_total(40), weight={"uniform": ["-20 pA", "60 pA"]}, coupling="own", name="own")
    net.project("b", "b", sn.explicit([0, 0, 3], [1, 1, 3]), weight=["1 nS", "0.5 nS", "2 nS"], coupling="gap_junction",
                name="twice")
    net.project("a", "b", sn.pairwise(0.0), weight="1 nS", coupling="gap_junction", name="none")
    net.input("step", type="current", to="b", times=["3 ms"], values=["200 pA"])
    net.input("wild", type="noise", to="a", sd="50 pA")
    return net


def spiking(precision: str) -> sn.Network:
    """Couplings beside spikes with delays and plastic ones, and beside a population that is acted on without delay."""
    net = noisy(precision)
    net.population("late", 9, "lif_psc_exp", v_th="-69 mV")
    net.project("a", "late", sn.fixed_indegree(4), weight="300 pA", delay="0 ms", name="now")
    net.project("late", "a", sn.fixed_indegree(2), weight="2 nS", coupling="gap_junction", name="from_late")
    net.project("a", "late", sn.fixed_indegree(2), weight="2 nS", coupling="gap_junction", name="to_late")
    net.project("a", "a", sn.fixed_indegree(5), weight="80 pA", delay={"uniform": ["1 ms", "3 ms"]}, name="spikes")
    net.project("a", "b", sn.fixed_indegree(5), weight="30 pA", delay="0.5 ms", synapse=PLASTIC, name="plastic")
    return net


def hodgkin_huxley(precision: str) -> sn.Network:
    net = sn.Network(seed=1, precision=precision)
    net.population("a", 2, "hodgkin_huxley", i_e=["700 pA", "0 pA"])
    net.project("a", "a", sn.all_to_all(autapses=False), weight="30 nS", coupling="gap_junction")
    return net


NETWORKS = {"pair": pair, "many": many, "spiking": spiking, "hodgkin_huxley": hodgkin_huxley}


def strong(rule: str | None = None) -> sn.Network:
    """Cells without threshold whose differences grow in each step until they are too large."""
    net = noisy()
    for name, factor in (("growing", 2), ("exploding", 10000)):
        net.model(name, {"kind": "synapse", "on_pre": f"w = {factor}*w"})
    net.population("c", 7, "lif_psc_exp", v_th="1e12 V", init={"v": {"uniform": ["-70 mV", "-55 mV"]}})
    net.project("a", "b", sn.fixed_indegree(2), weight="0.1 nS", coupling="gap_junction", name="weak")
    net.project("c", "c", sn.fixed_indegree(3), weight="2 uS", coupling="gap_junction", name="strong")
    if rule is not None:
        net.population("played", 1, "spike_times", times=["0.5 ms"], ids=[0])
        net.project("played", "b", sn.all_to_all(), weight="1 pA", synapse=rule, name="plastic")
    return net


# --- for every backend -----------------------------------------------------------------------------------------------

RECTIFYING: dict[str, Any] = {
    "kind": "coupling", "parameters": {"gain": 2, "half": "5 mV"}, "variable": "v",
    "adds": "w*(pre - post)/(1 + abs(pre - post)/half) if pre > post else w*gain*(pre - post)",
}
CONNECT = {"indegree": sn.fixed_indegree(4), "pairwise": sn.pairwise(0.2), "one_to_one": sn.one_to_one(),
           "all_to_all": sn.all_to_all(autapses=False)}


def cells(precision: str) -> sn.Network:
    """Cells with noise, and some that are quiet."""
    net = sn.Network(dt="0.1 ms", seed=6, precision=precision)
    net.model("rectifying", RECTIFYING)
    net.population("a", 21, "lif_psc_exp", t_ref="1 ms", init={"v": {"uniform": ["-70 mV", "-56 mV"]}})
    net.population("b", 21, "lif_psc_delta", v_rest={"uniform": ["-1 mV", "1 mV"]})
    net.input("noise", type="poisson", rate="10 kHz", to="a", weight="90 pA")
    return net


def gap_junctions(rule: str, precision: str) -> sn.Network:
    """Couplings within a population and between two, with weights of their own, beside spikes and noise."""
    net = cells(precision)
    net.project("a", "a", CONNECT[rule], weight={"uniform": ["0.1 nS", "2 nS"]}, coupling="gap_junction")
    net.project("a", "a", sn.fixed_indegree(3), weight="100 pA", delay="1.2 ms")
    net.project("a", "b", CONNECT[rule], weight="1 nS", coupling="rectifying")
    return net


def maps(model: str) -> sn.Network:
    """Maps on a lattice that diffuse, with two couplings onto one input and noise on it."""
    net = sn.Network(dt="1 ms", seed=2)
    net.population("map", 36, model, init={"x": {"uniform": [0.0, 0.5]}}, positions={"grid": [6, 6], "spacing": "1 um"})
    near = sn.distance({"disc": {"p0": 1.0, "radius": "1.1 um"}}, "periodic", autapses=False)
    net.project("map", "map", near, weight=0.03, coupling={"model": "diffusive", "variable": "x"})
    net.project("map", "map", sn.fixed_indegree(2), weight={"normal": {"mean": 0.0, "sd": 0.01}},
                coupling={"model": "diffusive", "variable": "x", "input": "coupling"})
    net.input("noise", type="noise", to="map", sd=0.02)
    return net
