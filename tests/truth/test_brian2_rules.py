"""Brian2 as an oracle of rules: plastic synapses and couplings written out from their text, in Brian2's own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.cli import main
from snnsim.errors import InputError, NumericalError
from snnsim.registry import backends

LACKS = backends()["brian2"].lacks() if "brian2" in backends() else "snnsim was installed before it had this backend"
pytestmark = [pytest.mark.brian2, pytest.mark.skipif(LACKS is not None, reason=str(LACKS))]

# What the language has and the built-in rules have not: conditions with names, names that change, extremes of several.
WORDS: dict[str, Any] = {
    "kind": "synapse",
    "parameters": {"lambda": 0.05, "w_max": "weight", "tau": "20 ms", "half": 0.5},
    "states": {"c": "0 weight", "n": 0},
    "traces": {"x": {"on": "pre", "tau": "max(tau, 0)", "add": "1/tau"}, "y": {"on": "post", "tau": "tau/2"}},
    "on_pre": "soon = since_pre < 5 ms\nfull = w > half*w_max or not soon\nagain = full if soon else n > 2\n"
              "down = lambda*w_max*y\ndown = down*sigmoid(n) if again and not full else max(down, 0)\n"
              "w -= down\nw = clip(w, 0, w_max)\nn += 1\nsend = min(w, w_max/2, w_max*exp(-n/50))",
    "on_post": "c += lambda*w_max*x*tau**2/(20 ms)\nw = w + c if 0*w_max <= w + c <= w_max else w",
    "on_step": "c = c*exp(-dt/tau)*exprel(-dt/tau)",
    "bounds": {"w": [0, "w_max"]},
}


def learning(**synapse: Any) -> sn.Network:
    """Poisson sources of several spikes per step onto cells, with one plastic projection, recorded."""
    net = sn.Network(dt="0.1 ms", seed=5, precision="double")
    net.model("words", WORDS)
    net.model("teacher", {"dynamics": "x[n+1] = x + dt/ms : 1", "outputs": {"error": "1 + sin(x)"}})
    net.population("source", 4, "poisson", rate="0.4 kHz")
    net.population("cell", 3, "lif_psc_exp", v_th="-60 mV", t_ref="0.5 ms")
    net.population("teacher", 3, "teacher")
    net.input("noise", type="poisson", rate="10 kHz", to="cell", weight="120 pA")
    net.project("source", "cell", sn.all_to_all(), weight={"uniform": ["20 pA", "60 pA"]}, name="it",
                delay={"uniform": ["0.3 ms", "1.5 ms"]}, synapse={"params": {"w_max": "100 pA"}, "axonal": "0.2 ms", **synapse})
    net.record(weights={"sent": {"projection": "it", "on": "pre"}, "course": {"projection": "it", "every": "0.5 ms"}},
               spikes=["source", "cell"])
    return net


def assert_near(one: sn.Program, other: sn.Program) -> None:
    """The same spikes, and all that a plastic projection has within 1e-12."""
    assert one.counts.tolist() == other.counts.tolist()
    expected, found = (program.engine.plasticity(0) for program in (one, other))
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, 1e-12, 1e-12, err_msg=name)


def ran(net: sn.Network, backend: str, duration: str) -> sn.Program:
    program = sn.compile(net, backend=backend)
    program.run(duration)
    return program


@pytest.mark.parametrize("tie", ["none", "pre_first", "post_first"])
def test_all_words_of_the_language(tie: str) -> None:
    """Every form of a statement means the same in Brian2."""
    programs = [ran(learning(model="words", tie=tie), name, "10 ms") for name in ("reference", "brian2")]
    assert_near(*programs)
    start, w = (table["w"] for table in (sn.compile(learning(model="words")).engine.synapses_of(0),
                                         programs[1].engine.synapses_of(0)))
    assert np.count_nonzero(w != start) > 6


def test_ties_and_parts_of_the_delay_matter() -> None:
    """Networks that differ in them alone end with other weights, so that comparisons with the reference can tell."""
    pair = {"model": "stdp_pair", "params": {"w_max": "100 pA", "lambda": 0.1}}
    choices: list[dict[str, Any]] = [{}, {"tie": "pre_first"}, {"tie": "post_first"}, {"axonal": "0.1 ms"}, {"pairing": "nearest"}]
    ends = [ran(learning(**{**pair, **each}), "brian2", "20 ms").engine.synapses_of(0)["w"] for each in choices]
    assert all(np.abs(a - b).max() > 1e-3 for k, a in enumerate(ends) for b in ends[:k])


def by_hand(pre: np.ndarray, post: np.ndarray, steps: int, late: int) -> np.ndarray:
    """Weights [2, 2] after the usual script of a user of Brian2, with event-driven traces. pre, post: [2, n] steps."""
    import brian2 as b

    clock, scope = b.Clock(dt=0.1 * b.ms), {"tau": 20 * b.ms}
    b.prefs.codegen.target = "numpy"   # nothing to compile
    groups = [b.SpikeGeneratorGroup(2, np.repeat([0, 1], each.shape[1]), each.ravel() * 0.1 * b.ms, clock=clock)
              for each in (pre, post)]
    made = b.Synapses(
        *groups, "w : 1\ndx/dt = -x/tau : 1 (event-driven)\ndy/dt = -y/tau : 1 (event-driven)", namespace=scope, clock=clock,
        on_pre="x += 1\nw = clip(w - 0.1*w*y, 0, 10)", on_post="y += 1\nw = clip(w + 0.1*(10 - w)*x, 0, 10)")
    made.connect()
    made.w, made.post.delay = 5, late * 0.1 * b.ms
    b.Network(*groups, made).run((steps + late) * 0.1 * b.ms)
    return np.array(made.w).reshape(2, 2)


def test_pre_first_is_what_brian2_does_by_itself() -> None:
    """A script that a user of Brian2 would write, which nothing here has translated, ends with the same weights."""
    steps, late, random = 200, 3, np.random.default_rng(7)
    pre, post = (np.stack([np.sort(random.choice(np.arange(5, steps), 40, replace=False)) for _ in range(2)]) for _ in range(2))
    assert np.intersect1d(pre[0], post[0] + late).size > 3
    net = sn.Network(dt="0.1 ms", seed=1, precision="double")
    for name, spikes in (("pre", pre), ("post", post)):
        net.population(name, 2, "spike_times", times=[f"{k} step" for k in spikes.ravel()], ids=np.repeat([0, 1], 40).tolist())
    net.project("pre", "post", sn.all_to_all(), weight=5, delay=f"{late} step", name="it",
                synapse={"model": "stdp_pair", "params": {"w_max": 10, "lambda": 0.1}, "tie": "pre_first"})
    expected = by_hand(pre, post, steps, late)
    for backend in ("reference", "cpu", "brian2"):
        w = ran(net, backend, f"{steps + late} step").engine.synapses_of(0)["w"]
        np.testing.assert_allclose(w.reshape(2, 2), expected, 1e-12, err_msg=backend)


@pytest.mark.parametrize("synapse", [
    {"model": "stdp_dopamine", "params": {"w_max": "100 pA"}, "modulator": "cell", "modulator_delay": "1 ms"},
    {"model": "three_factor", "params": {"w_max": "100 pA", "eta": "20 Hz"}, "modulator": "teacher.error"},
    {"model": "stp_tsodyks", "params": {}},
], ids=lambda synapse: synapse["model"])
@pytest.mark.parametrize(("first", "second"), [("brian2", "reference"), ("reference", "brian2"), ("brian2", "brian2")])
def test_a_run_is_saved_and_goes_on(synapse: dict[str, Any], first: str, second: str, tmp_path: Path) -> None:
    """Traces of units become those of synapses and back; spikes under way to rules, and weights to targets, arrive."""
    half = ran(learning(**synapse), first, "5 ms")
    half.save(tmp_path / "half.ckpt")
    rest = sn.resume(tmp_path / "half.ckpt", backend=second)
    assert_near(half, rest)
    rest.run("5 ms")
    assert_near(ran(learning(**synapse), "reference", "10 ms"), rest)


def test_what_leaves_its_bounds_is_named() -> None:
    """A weight above its bounds stops the run with the message of the reference."""
    rule = {"kind": "synapse", "on_pre": "w = w*2"}
    messages = []
    for name in ("reference", "brian2"):
        net = learning(model="stp_tsodyks", params={})
        net.model("double", rule)
        net.project("source", "cell", sn.all_to_all(), weight="10 pA", synapse="double", name="more")
        with pytest.raises(NumericalError) as error:
            sn.run(net, "50 ms", backend=name)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert "projection more: the synapse from unit " in messages[0]


def test_a_coupling_that_diverges_is_named() -> None:
    """A coupling that adds too much stops the run with the message of the reference."""
    messages = []
    for name in ("reference", "brian2"):
        net = sn.Network(dt="1 ms", seed=2, precision="double")
        net.model("grow", {"dynamics": "x[n+1] = 3*x + inp : 1", "inputs": {"inp": "1"}, "initial": {"x": 1}})
        net.population("cells", 2, "grow", init={"x": [1, -1]})
        net.project("cells", "cells", sn.all_to_all(), weight=-1.0, coupling={"model": "diffusive", "variable": "x"}, name="near")
        with pytest.raises(NumericalError) as error:
            sn.run(net, "50 ms", backend=name)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert "projection near: the coupling of unit 0 to unit 1 became " in messages[0]


def test_compare_prints_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Recorded weights of brian2 are those of the reference but for rounding."""
    (tmp_path / "net.yaml").write_text(learning(model="stdp_triplet", params={"w_max": "100 pA"}).to_yaml())
    assert main(["compare", str(tmp_path / "net.yaml"), "--backends", "reference,brian2", "--duration", "10 ms", "--quiet",
                 "--json"]) == 0
    row = json.loads(capsys.readouterr().out)[1]
    assert row["first_difference"] is row["first_weight"] is None
    assert 0 <= row["weight_error"] < 1e-11


@pytest.mark.parametrize(("document", "key", "name"), [
    ({"kind": "synapse", "states": {"_c": 0}, "on_pre": "send = w*(1 - _c)"}, "synapse", "_c"),
    ({"kind": "synapse", "on_pre": "_gain = 2\nsend = w*_gain"}, "synapse", "_gain"),
    ({"kind": "coupling", "parameters": {"_g": 1}, "variable": "v", "adds": "w*_g*(pre - post)"}, "coupling", "_g"),
])
def test_names_that_are_refused(document: dict[str, Any], key: str, name: str) -> None:
    """A rule's names are held to those of Brian2, with the place and the reason in the ledger."""
    net = sn.Network(seed=1, precision="double")
    net.model("own", document)
    net.population("cells", 2, "lif_psc_exp")
    net.project("cells", "cells", sn.all_to_all(), name="all", weight="1 pA" if key == "synapse" else "1 nS", **{key: "own"})
    with pytest.raises(InputError) as error:
        sn.compile(net, backend="brian2")
    assert str(error.value) == (f"projections.all.{key}: own: Brian2 takes names of ASCII letters, digits and _ that do not "
                                f"begin with _, and this is another: {name}")
