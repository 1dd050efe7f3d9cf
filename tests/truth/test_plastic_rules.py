"""Plastic projections against closed forms: short-term plasticity, scaling, modulation, inhibition, given spikes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn

DT = 0.1
BACKENDS = ["reference", "cpu"]
backends = pytest.mark.parametrize("backend", BACKENDS)


def played(net: sn.Network, name: str, steps: list[int], ids: list[int] | None = None, n: int = 1) -> None:
    """A population that spikes in these steps."""
    net.population(name, n, "spike_times", times=[f"{s} step" for s in steps], ids=ids or [0] * len(steps))


def one_synapse(pre: list[int], post: list[int], weight: str, synapse: Any, **more: Any) -> sn.Network:
    """From one unit to another with a delay of one step; what is sent is recorded, and the weight after each step."""
    net = sn.Network(dt=f"{DT} ms", precision="double", **more)
    played(net, "pre", pre)
    played(net, "post", post)
    net.project("pre", "post", sn.one_to_one(), weight=weight, delay="1 step", name="it", synapse=synapse)
    net.record(weights={"sent": {"projection": "it", "on": "pre"}, "course": {"projection": "it", "every": "1 step"}})
    return net


@backends
def test_depression_of_a_regular_train(backend: str) -> None:
    """Tsodyks and Markram without facilitation: x' = 1 + (x(1 - u) - 1) exp(-T/tau_rec); the k-th spike sends w u x_k."""
    u, tau, period, w = 0.4, 50.0, 5.0, 100.0
    net = one_synapse([50 * k for k in range(1, 21)], [], f"{w} pA",
                      {"model": "stp_tsodyks2", "params": {"u_0": u, "tau_rec": f"{tau} ms"}})
    left = math.exp(-period / tau)
    limit = (1 - left) / (1 - (1 - u) * left)          # the fixed point of x
    x = limit + (1 - limit) * ((1 - u) * left) ** np.arange(20)
    sent = sn.run(net, "101 ms", backend=backend).weights("sent")
    np.testing.assert_allclose(sent.values, w * u * x, rtol=1e-12)
    np.testing.assert_allclose(sent.times, 5.0 * np.arange(1, 21), rtol=1e-12)


@backends
@pytest.mark.parametrize("model", ["stp_tsodyks", "stp_tsodyks2"])
def test_facilitation_of_a_regular_train(model: str, backend: str) -> None:
    """With instant recovery what is sent is w u_k, and u approaches its fixed point geometrically."""
    u, tau, period, w = 0.1, 80.0, 10.0, 20.0
    params = {"u_0": u, "tau_fac": f"{tau} ms", "tau_rec": "0.01 ms"} | ({"tau_psc": "0.001 ms"} if model == "stp_tsodyks" else {})
    net = one_synapse([100 * k for k in range(1, 16)], [], f"{w} pA", {"model": model, "params": params})
    left = math.exp(-period / tau)
    limit = u / (1 - (1 - u) * left)
    used = limit + (u - limit) * ((1 - u) * left) ** np.arange(15)
    sent = sn.run(net, "151 ms", backend=backend).weights("sent").values
    np.testing.assert_allclose(sent, w * used, rtol=1e-9)


@backends
def test_short_term_plasticity_leaves_the_weight(backend: str) -> None:
    """What is sent changes, `w` does not; of an inhibitory synapse all of it is negative."""
    net = one_synapse([10, 20, 30], [], "-2 nS", "stp_tsodyks2")
    result = sn.run(net, "4 ms", backend=backend)
    assert set(result.weights("course").values.ravel().tolist()) == {-2.0}
    sent = result.weights("sent").values
    assert sent[0] == -1.0
    assert (sent < 0).all()


@backends
def test_inhibitory_plasticity_strengthens_and_weakens_sizes(backend: str) -> None:
    """Vogels et al. with weights below 0: rules see the size; a lone presynaptic spike takes 2 rho_0 tau eta of it."""
    rule = {"model": "stdp_vogels", "params": {"eta": "4 pA", "w_max": "50 pA", "tau": "20 ms", "rho_0": "5 Hz"}}
    result = sn.run(one_synapse([10, 100], [119], "-30 pA", rule), "13 ms", backend=backend)
    alone = 2 * 0.005 * 20 * 4
    trace = math.exp(-1 / 20 * DT * 20) + math.exp(-1 / 20 * DT * 110)    # the target's spike is at the synapse in step 120
    assert result.weights("sent").values == pytest.approx([-(30 - alone), -(30 - 2 * alone)], abs=1e-12)
    assert result.weights("course").values[-1, 0] == pytest.approx(-(30 - 2 * alone + 4 * trace), abs=1e-12)


@backends
@pytest.mark.parametrize("precision", ["single", "double"])
def test_scaling_sums_to_what_is_asked(precision: str, backend: str) -> None:
    """After each interval the weights onto every target sum to w_total, within a quantum for each; ratios stay."""
    net = sn.Network(dt=f"{DT} ms", precision=precision, seed=4)
    net.population("pre", 12, "poisson", rate="1 kHz")
    net.population("post", 5, "lif_psc_exp")
    net.project("pre", "post", sn.pairwise(0.6), weight={"uniform": ["1 pA", "9 pA"]}, delay="1 ms", name="it",
                synapse={"model": "homeostatic_scaling", "params": {"w_total": "70 pA", "interval": "2 ms"}})
    program = sn.compile(net, backend=backend)
    before, quantum = program.weights("it"), program.plan.projections[0].quanta[0]
    program.run("1.9 ms")
    assert np.array_equal(program.weights("it")["weight"], before["weight"])
    program.run("2.2 ms")
    after = program.weights("it")
    sums, earlier = (np.bincount(w["target"], w["weight"], 5) for w in (after, before))
    counts = np.bincount(after["target"], minlength=5)
    rounding = 70 * counts * (2.0**-22 if precision == "single" else 2.0**-50)
    assert (np.abs(sums - 70) <= counts * quantum * 70 / earlier + rounding).all()
    tolerance = 1e-6 if precision == "single" else 1e-12
    np.testing.assert_allclose(after["weight"], before["weight"] * (70 / earlier)[after["target"]], rtol=tolerance)


@backends
@pytest.mark.parametrize("late", [0, 1, 3])
def test_dopamine_comes_late_and_to_all(late: int, backend: str) -> None:
    """Two spikes of any units of the modulator, some steps late: w grows by the integral of c n over each later step."""
    tau_c, tau_n, a, w_max = 100.0, 50.0, 0.01, 100.0
    rule = {"model": "stdp_dopamine", "modulator": "dopamine", "modulator_delay": f"{late} step",
            "params": {"w_max": f"{w_max} pA", "tau_c": f"{tau_c} ms", "tau_n": f"{tau_n} ms", "a_plus": a}}
    net = sn.Network(dt=f"{DT} ms", precision="double")
    played(net, "dopamine", [23 - late] * 2, [0, 2], 3)
    played(net, "pre", [10])
    played(net, "post", [12])
    net.project("pre", "post", sn.one_to_one(), weight="40 pA", delay="1 step", name="it", synapse=rule)
    net.record(weights={"course": {"projection": "it", "every": "1 step"}})
    course = sn.run(net, "8 ms", backend=backend).weights("course").values[:, 0]
    c = a * w_max * math.exp(-3 * DT / 20)              # left by the pair in steps 10 and 13
    assert (course[:23] == 40).all()                    # two spikes reach the synapse in step 23, and act from the next on
    rate = 1 / tau_c + 1 / tau_n
    elapsed = DT * np.arange(1, 58)
    grown = 2 / tau_n * c * math.exp(-10 * DT / tau_c) * (1 - np.exp(-rate * elapsed)) / rate
    np.testing.assert_allclose(course[23:], 40 + grown, rtol=1e-12)


@backends
@pytest.mark.parametrize("n", [1, 3])
def test_a_variable_modulates_all_or_each_its_own_target(n: int, backend: str) -> None:
    """A population of one unit speaks to all targets, one as large as the target unit j to target j, a step late."""
    net = sn.Network(dt=f"{DT} ms", precision="double")
    net.model("levels", {"dynamics": "x[n+1] = x + 1 : 1"})
    net.model("listening", {
        "kind": "synapse", "modulator": "any", "parameters": {"w_max": "weight"}, "on_step": "w = w + modulator*w_max",
        "bounds": {"w": [0, "1e6*w_max"]},
    })
    net.population("voice", n, "levels", init={"x": [100.0 * k for k in range(n)]})
    played(net, "pre", [1])
    net.population("post", 3, "lif_psc_exp")
    net.project("pre", "post", sn.all_to_all(), weight="1 pA", delay="1 step", name="it",
                synapse={"model": "listening", "params": {"w_max": "1 pA"}, "modulator": "voice.x"})
    net.record(weights={"course": {"projection": "it", "every": "1 step"}})
    course = sn.run(net, "0.5 ms", backend=backend).weights("course").values
    steps = np.arange(5.0)[:, None]     # in step k + 1 the voice is at k above where it began
    level = 100.0 * (np.arange(3) if n == 3 else np.zeros(3))
    np.testing.assert_array_equal(course, 1 + np.cumsum(steps + level, axis=0))


@backends
def test_three_factors(backend: str) -> None:
    """With a constant reward the weight grows by eta w_max m times the integral of the eligibility."""
    net = sn.Network(dt=f"{DT} ms", precision="double")
    net.model("level", {"dynamics": "x[n+1] = x : 1"})
    net.population("reward", 1, "level", init={"x": 2})
    played(net, "pre", [10])
    played(net, "post", [14])
    net.project("pre", "post", sn.one_to_one(), weight="40 pA", delay="1 step", name="it",
                synapse={"model": "three_factor", "modulator": "reward.x",
                         "params": {"w_max": "100 pA", "tau_e": "30 ms", "eta": "5 Hz"}})
    net.record(weights={"course": {"projection": "it", "every": "1 step"}})
    course = sn.run(net, "6 ms", backend=backend).weights("course").values[:, 0]
    left = math.exp(-5 * DT / 20)        # the pair: steps 10 and 15; the eligibility acts from step 16 on
    grown = 0.005 * 100 * 2 * left * 30 * (1 - np.exp(-DT * np.arange(1, 46) / 30))
    assert (course[:15] == 40).all()
    np.testing.assert_allclose(course[15:], 40 + grown, rtol=1e-12)


YAML = """\
snnsim: 1
dt: 0.1 ms
duration: 20 ms
seed: 5
populations:
  pre: {n: 4, model: poisson, params: {rate: 500 Hz}}
  post: {n: 3, model: lif_psc_exp}
projections:
  - name: learning
    from: pre
    to: post
    connect: all_to_all
    weight: 30 pA
    delay: 1 ms
    synapse: {model: stdp_pair, params: {w_max: 100 pA, lambda: 0.1}, tie: pre_first, axonal: 0.2 ms}
record:
  spikes: [pre, post]
  weights:
    sent: {projection: learning, on: pre, synapses: [0, 5]}
    course: {projection: pre->post, every: 4 ms}
"""


@backends
def test_weights_are_recorded_as_the_file_asks(backend: str, tmp_path: Path) -> None:
    """In memory, in a file and in a folder: the same rows, with units, times and synapses."""
    net = sn.loads(YAML.replace("pre->post", "learning"))
    results = [sn.run(net, backend=backend, out=out) for out in (None, tmp_path / "out.h5", tmp_path / "out")]
    in_memory = results[0]
    pre, ids = in_memory.spikes("pre")
    for result in (*results, sn.open(tmp_path / "out.h5")):
        course, sent = result.weights("course"), result.weights("sent")
        assert result.weight_names == ["sent", "course"]
        assert (course.unit, sent.unit, course.values.dtype) == ("pA", "pA", np.float32)
        assert course.values.shape == (5, 12)
        assert course.times.tolist() == pytest.approx([4, 8, 12, 16, 20])
        assert course.source.tolist() == np.repeat(range(4), 3).tolist()
        assert course.target.tolist() == [0, 1, 2] * 4
        mine = (ids <= 1) & (pre + 0.2 <= 20)           # synapses 0 (0 to 0) and 5 (1 to 2); axonal: 0.2 ms
        assert np.allclose(np.sort(sent.times), np.sort(pre[mine] + 0.2))
        assert set(zip(sent.source.tolist(), sent.target.tolist(), strict=True)) == {(0, 0), (1, 2)}
        for name in ("course", "sent"):
            assert np.array_equal(result.weights(name).values, in_memory.weights(name).values)
    assert sn.loads(net.to_yaml()) == net


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_two_spikes_of_a_source_in_one_step_deplete_twice(backend: str) -> None:
    """The second one comes 0 ms after the first: nothing recovers between them."""
    net = sn.Network(precision="double")
    net.population("source", 1, "spike_times", times=["1 ms", "1 ms"], ids=[0, 0])
    net.population("target", 1, "lif_psc_exp")
    net.project("source", "target", sn.all_to_all(), weight="100 pA", name="it",
                synapse={"model": "stp_tsodyks2", "params": {"u_0": 0.4}})
    net.record(weights={"sent": {"projection": "it", "on": "pre"}})
    sent = sn.run(net, "2 ms", backend=backend).weights("sent").values
    np.testing.assert_allclose(sent, [100 * 0.4, 100 * (1 - 0.4) * (0.4 + 0.4 * 0.6)], rtol=1e-12)
