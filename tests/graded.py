"""Networks whose spikes carry payloads, for several test modules."""

from __future__ import annotations

from typing import Any

import numpy as np

import snnsim as sn

WHOLE: dict[str, Any] = {"must_be": "whole"}
# A unit that sends `value` in step `when` and never again; one that keeps what arrives; one that passes it on.
ONCE: dict[str, Any] = {
    "fixed_point": "lava010", "parameters": {"value": {"default": 1, **WHOLE}, "when": {"default": 1, **WHOLE}},
    "dynamics": "step[n+1] = step + 1 : 1", "spike": "step == when", "send": "value",
}
SINK: dict[str, Any] = {"fixed_point": "lava010", "receive": {"in": "a = w : 1"}, "dynamics": "got[n+1] = a : 1",
                        "spike": "a != 0"}
PASS: dict[str, Any] = {**SINK, "send": "a"}
# A unit that decays, and sends what it has where that is much.
LEAKY: dict[str, Any] = {
    "fixed_point": "lava010", "parameters": {"top": {"default": 3000, **WHOLE}}, "receive": {"in": "a = w : 1"},
    "dynamics": "x[n+1] = clip(shrink(x[n]*3900, 12) + (a << 6), -8388607, 8388607) : 1",
    "spike": "abs(x) > top", "send": "x >> 8", "reset": {"x": 0},
}
KINDS = ("rows", "pairs", "synapses", "ring")
MOST = (1 << 24) - 1


def network(dt: str = "1 ms", **options: Any) -> sn.Network:
    """An empty one that knows these models."""
    net = sn.Network(dt=dt, seed=5, **options)
    for name, document in {"once": ONCE, "sink": SINK, "pass": PASS, "leaky": LEAKY}.items():
        net.model(name, document)
    return net


class OneHot:
    """Unit i sends payload i, alone in its step; the synapses are known, and so is what each target receives.

    kind: the bundle that the CPU engine puts them in. net: the network. expected: [steps, targets].
    """

    n, targets, each, steps = 32, 23, 60, 330

    def __init__(self, kind: str, bits: int = 24) -> None:
        rng = np.random.default_rng(KINDS.index(kind))
        self.value = np.arange(self.n) * np.where(np.arange(self.n) % 3, 1, -1)
        self.value[-2:] = MOST, -MOST
        self.when = 1 + 3 * np.arange(self.n)
        self.source = np.repeat(np.arange(self.n), self.each)
        self.target = rng.integers(0, self.targets, self.source.size)
        self.delay = rng.integers(1, 201 if kind == "ring" else 64, self.source.size)
        self.weight = np.full(self.source.size, 7) if kind == "rows" else rng.integers(0, 256, self.source.size)
        self.bits, self.large = bits, 40000 * (kind == "synapses")
        self.net = self._network()

    def _network(self) -> sn.Network:
        net = network()
        net.population("source", self.n, "once", value=self.value, when=self.when)
        net.population("target", self.targets, "sink")
        weight = 7 if np.all(self.weight == 7) else self.weight
        net.project("source", "target", sn.explicit(self.source, self.target), weight=weight, weight_exp=7,
                    delay=[f"{d} ms" for d in self.delay], num_message_bits=self.bits, sign_mode="excitatory")
        if self.large:   # a weight of more than 16 bits onto the port, once
            net.input("large", type="spike_times", times={3: ["4 ms"]}, to="target", weight=self.large, delay="1 ms")
        net.record(traces={"target": {"variables": ["got"]}}, spikes=["source"])
        return net

    @property
    def expected(self) -> np.ndarray:
        got = np.zeros((self.steps, self.targets))
        factor = self.value if self.bits else self.value != 0
        rows = self.when[self.source] + self.delay - 1
        np.add.at(got, (rows, self.target), (self.weight << 7) * factor[self.source])
        got[4, 3] += self.large
        return got


def mixed(precision: str = "single") -> sn.Network:
    """Graded and binary populations of both kinds of numbers, connected in all ways that there are."""
    net = network("0.1 ms", precision=precision)
    net.population("graded", 37, "leaky", top={"discrete": {"values": [4000, 9000]}})
    net.population("passing", 11, "pass")
    net.population("binary", 29, "loihi_lif", du=900, dv=300, vth=1500)
    net.population("counting", 13, "relay")
    net.population("real", 17, "lif_psc_delta", v_th="-68 mV")
    net.input("noise", type="poisson", rate="2 kHz", to=["graded", "binary"], weight=40, delay="0.1 ms")
    small = {"discrete": {"values": [-6, -2, 4, 8]}}
    net.project("graded", "graded", sn.fixed_indegree(5), weight=small, weight_exp=-6, delay={"uniform": ["0.1 ms", "6 ms"]},
                num_message_bits=24, name="recurrent")
    net.project("graded", "graded", sn.fixed_indegree(3), weight=-9, weight_exp=-2, delay={"uniform": ["0.1 ms", "40 ms"]},
                num_message_bits=24, name="late")
    net.project("graded", "passing", sn.fixed_indegree(2), weight=2, delay="0.3 ms", num_message_bits=1, name="passed")
    net.project("passing", "graded", sn.fixed_indegree(2), weight={"uniform": [-9, 9]}, weight_exp=-7, delay="0.2 ms", num_message_bits=16)
    net.project("graded", "binary", sn.fixed_indegree(4), weight={"uniform": [0, 60]}, delay="0.5 ms", name="unmultiplied")
    net.project("binary", "graded", sn.fixed_indegree(4), weight=3, weight_exp=1, delay="0.7 ms", num_message_bits=8)
    net.project("graded", "counting", sn.fixed_indegree(2), weight=1, delay="0.1 ms")
    net.project("passing", "counting", sn.fixed_indegree(1), weight=2, delay="0.4 ms")
    net.project("counting", "binary", sn.fixed_indegree(2), weight=11, delay="0.2 ms")
    net.project("graded", "real", sn.fixed_indegree(4), weight="0.4 mV", delay="1 ms")
    net.project("real", "binary", sn.fixed_indegree(2), weight=25, delay="0.3 ms")
    return net


def without_delay() -> sn.Network:
    """Payloads pass a chain of units within one step, and one beside it."""
    net = network()
    net.population("source", 20, "leaky", top=900)
    net.population("first", 20, "pass")
    net.population("second", 20, "pass")
    net.population("counts", 20, "relay")
    net.input("noise", type="poisson", rate="300 Hz", to="source", weight=20)
    net.project("source", "first", sn.one_to_one(), weight=3, delay="0 ms", num_message_bits=24)
    net.project("first", "second", sn.fixed_indegree(2), weight={"uniform": [-5, 5]}, delay="0 ms", num_message_bits=24)
    net.project("source", "second", sn.one_to_one(), weight=2, delay="3 ms", num_message_bits=24)
    net.project("second", "counts", sn.one_to_one(), weight=1, delay="0 ms")
    return net


def learning() -> sn.Network:
    """Plastic synapses of graded sources: each spike is one event, whatever it carries."""
    net = network("0.1 ms")
    net.population("source", 20, "leaky", top=2000)
    net.population("cells", 10, "lif_psc_exp", v_rest="-60 mV", v_th="-55 mV")
    net.input("noise", type="poisson", rate="2 kHz", to="source", weight=40)
    net.input("more", type="poisson", rate="20 kHz", to="cells", weight="60 pA")
    rule = {"model": "stdp_pair", "params": {"w_max": "200 pA", "lambda": 0.1}}
    net.project("source", "cells", sn.all_to_all(), weight="50 pA", delay="0.4 ms", synapse=rule, name="learning")
    taught = {"model": "stdp_dopamine", "params": {"w_max": "200 pA"}, "modulator": "source"}
    net.project("cells", "cells", sn.fixed_indegree(3), weight="20 pA", delay="1 ms", synapse=taught, name="taught")
    net.record(weights={"sent": {"projection": "learning", "on": "pre"}})
    return net
