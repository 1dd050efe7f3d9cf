"""Connection rules, delays, inputs and graph shapes: every backend gives what ``reference`` gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import snnsim as sn


def net_with(connect: Any, weight: Any = "2 mV", delay: Any = "1.5 ms", precision: str = "single") -> sn.Network:
    """Two populations, driven by noise, connected to each other and to themselves by one rule."""
    net = sn.Network(dt="0.1 ms", seed=7, precision=precision)
    exc = net.population("exc", 61, "lif_psc_delta", init={"v": {"uniform": ["0 mV", "20 mV"]}})
    inh = net.population("inh", 61, "lif_psc_delta", init={"v": {"uniform": ["0 mV", "20 mV"]}})
    net.input("noise", type="poisson", rate="8 kHz", to=[exc, inh], weight="0.4 mV", delay="1 ms")
    net.project(exc, [exc, inh], connect, weight=weight, delay=delay)
    net.project(inh, exc, connect, weight="-3 mV", delay=delay)
    return net


RULES = {
    "all_to_all": sn.all_to_all(), "one_to_one": sn.one_to_one(), "indegree": sn.fixed_indegree(7),
    "indegree_distinct": sn.fixed_indegree(7, multapses=False, autapses=False), "outdegree": sn.fixed_outdegree(5),
    "total": sn.fixed_total(333), "total_distinct": sn.fixed_total(333, multapses=False, autapses=False),
    "total_most": sn.fixed_total(3000, multapses=False), "pairwise": sn.pairwise(0.1, autapses=False),
    "explicit": sn.explicit([0, 0, 1, 5, 60], [3, 3, 1, 60, 0]),
}
WEIGHTS = {
    "constant": "2 mV", "normal": {"normal": {"mean": "2 mV", "sd": "0.5 mV"}},
    "wide": {"lognormal": {"mean": "1 mV", "sd": "3 mV"}}, "discrete": {"discrete": {"values": ["0.5 mV", "3 mV"]}},
}
DELAYS = {
    "one_step": "0.1 ms", "spread": {"uniform": ["0.1 ms", "5 ms"]}, "long": {"uniform": ["0.1 ms", "400 ms"]},
    "normal": {"normal": {"mean": "1.5 ms", "sd": "0.75 ms", "low": "0.1 ms"}},
}


@pytest.mark.parametrize("rule", RULES)
def test_rules(agree: Callable[..., Counter[str]], rule: str) -> None:
    """Every connection rule gives the same network on every backend."""
    assert agree(lambda: net_with(RULES[rule]), key=("rule", rule)).total() > 50


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("delay", DELAYS)
def test_weights_and_delays(agree: Callable[..., Counter[str]], weight: str, delay: str) -> None:
    """Weights and delays of their own for each synapse, delays of up to 4 000 steps in one projection."""
    def make() -> sn.Network:
        return net_with(sn.fixed_indegree(9), WEIGHTS[weight], DELAYS[delay])

    assert agree(make, "450 ms" if delay == "long" else "100 ms", key=(weight, delay)).total() > 50


def test_double_precision(agree: Callable[..., Counter[str]]) -> None:
    """Double precision agrees bit for bit, too."""
    assert agree(lambda: net_with(sn.fixed_indegree(9), WEIGHTS["normal"], DELAYS["spread"], "double")).total() > 50


def test_chain_without_delay(agree: Callable[..., Counter[str]]) -> None:
    """Spikes pass a chain of relays without delay within one step."""
    def make() -> sn.Network:
        net = sn.Network(seed=3)
        source = net.population("source", 20, "poisson", rate="200 Hz")
        first = net.population("first", 20, "relay")
        second = net.population("second", 20, "relay")
        net.project(source, first, sn.one_to_one(), delay="0 ms")
        net.project(first, second, sn.one_to_one(), delay="0 ms")
        net.project(source, second, sn.one_to_one(), delay="0.3 ms")
        return net

    assert agree(make).total() > 100


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_poisson_input_begins_after_its_delay(backend: str) -> None:
    """Nothing arrives before the delay has passed, and the first arrival is in the step after it."""
    net = sn.Network(seed=1)
    net.population("cells", 20, "relay")
    net.input("noise", type="poisson", rate="50 kHz", to="cells", delay="3 ms")
    net.record(spikes=["cells"])
    times, _ = sn.run(net, "10 ms", backend=backend).spikes("cells")
    assert times.min() == pytest.approx(3.1)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_graded_outputs_are_recorded(backend: str) -> None:
    """A graded output is recorded like a state, as it is before the reset."""
    net = sn.Network(seed=1)
    net.model("counter", {
        "parameters": {"step": "1 mV"}, "dynamics": "v[n+1] = v + step : mV", "spike": "v >= 3*mV", "reset": {"v": "0*mV"},
        "outputs": {"twice": "2*v"},
    })
    net.population("cells", 4, "counter")
    net.record(traces={"cells": {"variables": ["v", "twice"]}})
    result = sn.run(net, "0.7 ms", backend=backend)
    assert result.trace("cells", "v")[:, 0].tolist() == [1, 2, 0, 1, 2, 0, 1]
    assert result.trace("cells", "twice")[:, 3].tolist() == [2, 4, 6, 2, 4, 6, 2]


def test_inputs(agree: Callable[..., Counter[str]]) -> None:
    """Given spike times, steps of current, noise and Poisson trains together, some of them different for each unit."""
    def make() -> sn.Network:
        net = sn.Network(seed=5)
        cells = net.population("cells", 30, "lif_psc_exp")
        net.input("steps", type="current", to=cells, times=["0 ms", "20 ms", "60 ms"],
                  values=["300 pA", {"uniform": ["0 pA", "900 pA"]}, "500 pA"])
        net.input("noise", type="noise", to=cells, mean="50 pA", sd={"uniform": ["0 pA", "400 pA"]})
        net.input("train", type="spike_times", times={0: ["1 ms", "2.5 ms", "2.5 ms"], 29: ["4 ms"]}, to=cells,
                  weight="900 pA", delay="1 ms")
        net.input("poisson", type="poisson", rate={"uniform": ["0 Hz", "90 kHz"]}, to=cells, weight="20 pA")
        return net

    assert agree(make).total() > 30


@pytest.mark.parametrize("precision", ["single", "double"])
def test_expressions(agree: Callable[..., Counter[str]], precision: str) -> None:
    """Weights and delays computed from units, distances and draws are those of every backend and partition."""
    def make() -> sn.Network:
        net = sn.Network(seed=11, precision=precision)
        exc = net.population("exc", 64, "lif_psc_exp", positions={"grid": [8, 8], "spacing": "50 um"})
        inh = net.population("inh", 16, "lif_psc_exp", positions={"grid": [4, 4], "spacing": "100 um"})
        net.input("noise", type="poisson", rate="20 kHz", to=[exc, inh], weight="25 pA")
        rule = sn.distance({"gaussian": {"p0": 0.9, "sigma": "150 um"}}, "periodic")
        net.project(exc, [exc, inh], rule, {"expression": "90 pA*exp(-d/(200*um))*(1 + 0.2*normal())"},
                    {"expression": "0.3 ms + d/(300 um/ms)"})
        net.project(inh, exc, sn.fixed_indegree(5), {"expression": "-(40 + 3*i)*pA*(0.5 + uniform())"},
                    {"expression": "1 ms + j/n_target*2 ms"})
        return net

    assert agree(make, key=("expressions", precision)).total() > 50
