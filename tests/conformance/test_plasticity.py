"""Plastic projections: every backend gives the spikes, weights, states and records of ``reference``, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.models import synapse_names
from snnsim.recording import Recorder

from .conftest import changes, weights

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


def test_every_rule_is_in_a_network() -> None:
    """No built-in model is left out below."""
    assert sorted(RULES) == sorted(name for names in NETWORKS for name in names)
    assert {rule["model"] for _, _, rule in RULES.values()} == {*synapse_names(), "own"} - {"static"}


@pytest.mark.parametrize(("number", "precision"), [(0, "single"), (1, "single"), (2, "single"), (3, "single"),
                                                   (0, "double"), (1, "double"), (2, "double"), (3, "double")])
def test_rules(agree: Callable[..., int], number: int, precision: str) -> None:
    """Every rule in a network that spikes on both sides, with other delays, ties and connections in each precision."""
    def make() -> sn.Network:
        return learning(driven(precision), NETWORKS[number], number + 2 * (precision == "double"))

    assert agree(make, "20.1 ms", key=("rules", number, precision)) > 50


@pytest.mark.parametrize("tie", TIES)
def test_several_spikes_in_a_step(agree: Callable[..., int], tie: str) -> None:
    """Each spike of a step counts on both sides: sources are Poisson populations, targets relays of what arrives."""
    def make() -> sn.Network:
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

    assert agree(make, "10 ms", key=("several", tie)) > 500


def test_one_to_one_autapses_and_repeated_pairs(agree: Callable[..., int]) -> None:
    """Synapses of a unit onto itself, and two of the same pair with the same delay, are told apart by their order."""
    def make() -> sn.Network:
        net = driven()
        net.project("exc", "exc", sn.one_to_one(), weight="50 pA", delay="0.3 ms", synapse={**PAIR, "tie": "pre_first"},
                    name="selves")
        net.project("exc", "inh", sn.explicit([3, 3, 3, 0], [1, 1, 1, 4]), weight=["50 pA", "60 pA", "55 pA", "10 pA"],
                    delay=["1 ms", "1 ms", "0.5 ms", "2 ms"], synapse=PAIR, name="twice")
        net.record(weights={"few": {"projection": "twice", "on": "pre", "synapses": [1, 3]},
                            "some": {"projection": "selves", "every": "0.2 ms", "synapses": "2:9:3"}})
        return net

    assert agree(make, "20 ms") > 50


def test_synapses_onto_given_spikes(agree: Callable[..., int]) -> None:
    """A target that plays a list receives nothing, but the rule runs."""
    def make() -> sn.Network:
        net = driven("double")
        net.population("played", 3, "spike_times", times=["2 ms", "2 ms", "2.1 ms", "7 ms"], ids=[0, 0, 2, 1])
        net.project("exc", "played", sn.all_to_all(), weight="3 nS", delay={"uniform": ["0.1 ms", "2 ms"]}, name="it",
                    synapse={"model": "stdp_pair", "params": {"w_max": "10 nS"}})
        net.record(weights={"sent": {"projection": "it", "on": "pre"}})
        return net

    assert agree(make, "10 ms") > 50


def test_populations_smaller_than_threads_and_rules_without_synapses(agree: Callable[..., int]) -> None:
    """Nothing to learn, or only at one unit: some threads, some targets or a whole projection have no synapses."""
    def make() -> sn.Network:
        net = driven()
        net.population("one", 1, "lif_psc_exp", v_th="-69 mV")
        net.project("exc", "one", sn.all_to_all(), weight="50 pA", synapse=PAIR, name="few")
        net.project("exc", "inh", sn.pairwise(0.0), weight="50 pA", synapse=PAIR, name="none")
        scaled = {"model": "homeostatic_scaling", "params": {"w_total": "80 pA", "interval": "1 ms"}}
        net.project("source", "inh", sn.explicit([0, 1], [3, 3]), weight="50 pA", synapse=scaled, name="sparse")
        net.record(weights={"all": {"projection": "sparse", "every": "0.5 ms"}})
        return net

    assert agree(make, "10 ms") > 20


def test_plastic_and_static_spikes_arrive_together(agree: Callable[..., int]) -> None:
    """Weights of a port have one quantum, whoever sends them; a port may be reached by plastic synapses alone."""
    def make() -> sn.Network:
        net = driven()
        net.project("exc", ["exc", "inh"], sn.fixed_indegree(4), weight={"normal": {"mean": "30 pA", "sd": "3 pA"}}, delay="1 ms")
        net.project("exc", ["exc", "inh"], sn.fixed_indegree(4), weight="30 pA", delay="0.2 ms", synapse=PAIR, name="learning")
        net.project("inh", "exc", sn.fixed_indegree(2), weight="-200 pA", delay="0.4 ms",
                    synapse={"model": "stdp_vogels", "params": {"eta": "2 pA", "w_max": "400 pA"}})
        return net

    assert agree(make, "20 ms") > 50


# --- pieces, checkpoints, recordings -----------------------------------------------------------------------------------

def ran(net: sn.Network, backend: str, threads: int | None, *durations: str) -> sn.Program:
    program = sn.compile(net, backend=backend, threads=threads)
    for duration in durations:
        program.run(duration)
    return program


def assert_same(one: sn.Program, other: sn.Program) -> None:
    """All that a checkpoint holds is equal."""
    for name in one.net.populations:
        for state in one[name]:
            assert np.array_equal(one[name][state], other[name][state]), (name, state)
    for place, values in changes(one).items():
        assert np.array_equal(values, changes(other)[place]), place


PLACES = [("reference", None, "reference", None), ("cpu", 2, "cpu", 3), ("cpu", 3, "reference", None),
          ("reference", None, "cpu", 2)]


@pytest.mark.parametrize(("first", "threads", "second", "others"), PLACES, ids=lambda place: str(place))
@pytest.mark.parametrize("number", [0, 2])
def test_a_run_in_pieces_is_one_run(
    number: int, first: str, threads: int | None, second: str, others: int | None, tmp_path: Path
) -> None:
    """Saved in the middle and resumed, also elsewhere: weights, traces, what is under way and spikes are those of one run."""
    def make() -> sn.Network:
        return learning(driven(), NETWORKS[number], number)

    whole = ran(make(), "reference", None, "20.1 ms")
    half = ran(make(), first, threads, "0.1 ms", "9.4 ms")
    half.save(tmp_path / "state.ckpt")
    rest = sn.resume(tmp_path / "state.ckpt", backend=second, threads=others)
    assert_same(half, rest)
    rest.run("10.6 ms")
    assert_same(whole, rest)
    assert whole.counts.tolist() == rest.counts.tolist()


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_modulator_that_is_an_output_is_resumed(backend: str, tmp_path: Path) -> None:
    """What a rule listens to may be an output of a population, which is no state."""
    def make() -> sn.Network:
        net = driven()
        net.model("teacher", {"dynamics": "x[n+1] = x + dt/ms : 1", "outputs": {"error": "1 + sin(x)"}})
        net.population("teacher", 14, "teacher")
        net.project("exc", "exc", sn.fixed_indegree(4), weight="30 pA", delay="0.4 ms", name="it",
                    synapse={"model": "three_factor", "params": {"w_max": "200 pA", "eta": "20 Hz"}, "modulator": "teacher.error"})
        return net

    whole = ran(make(), "reference", None, "10 ms")
    half = ran(make(), backend, None, "5 ms")
    half.save(tmp_path / "state.ckpt")
    rest = sn.resume(tmp_path / "state.ckpt", backend=backend)
    rest.run("5 ms")
    assert_same(whole, rest)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_recordings_do_not_depend_on_pieces(backend: str, tmp_path: Path) -> None:
    """Records of weights in pieces of a few steps, in memory or in a file, are those of one piece."""
    def recorded(steps: list[int], out: Path | None) -> dict[tuple[str, str], np.ndarray]:
        program = sn.compile(learning(driven(), NETWORKS[1], 1), backend=backend)
        recorder = Recorder(program.recording_plan({}), out)
        for piece in steps:
            program.run_steps(piece, recorder)
        return weights(recorder.close())

    expected = recorded([100], None)
    assert len(expected["own_sent", "values"]) > 50
    for found in (recorded([1, 6, 7, 50, 36], None), recorded([64, 36], tmp_path / "out.h5")):
        assert expected.keys() == found.keys()
        for place, values in expected.items():
            assert np.array_equal(values, found[place]), place
