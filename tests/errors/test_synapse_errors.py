"""The full text of every message about a plastic projection, the recording of its weights, and its run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import snnsim as sn
from snnsim import registry
from snnsim.backends.reference import backend as reference
from snnsim.errors import InputError, NumericalError, Problem

NET = """\
snnsim: 1
models:
  own:
    kind: synapse
    parameters: {tau: 20 ms, w_max: 100 pA}
    traces: {x: {on: pre, tau: tau}}
    on_post: w = clip(w + 0.1*w_max*x, 0, w_max)
  listener:
    kind: synapse
    modulator: mV
    on_step: w = w*(1 + modulator/(1000 mV))
  quiet: {dynamics: "dx/dt = -x/(5 ms) : mV"}
populations:
  a: {n: 5, model: lif_psc_exp}
  b: {n: 4, model: lif_cond_exp}
  chain: {n: 3, model: relay}
  played: {n: 2, model: spike_times, params: {times: {0: [1 ms]}}}
  silent: {n: 1, model: quiet}
projections:
  - from: a
    to: a
    connect: all_to_all
    weight: 50 pA
    delay: 1 ms
"""


def fault(changes: dict[str, str], more: str = "") -> str:
    """What the network with other values in its projection (`-`: without) is answered with, when it is compiled at last."""
    text = NET
    for key, value in changes.items():
        text = re.sub(rf"^    {key}: .*\n", "", text, flags=re.MULTILINE)
        text += f"    {key}: {value}\n" if value != "-" else ""
    with pytest.raises(sn.InputError) as caught:
        sn.compile(sn.loads(text + more, file="net.yaml"), "reference")
    return re.sub(r"^net.yaml:\d+: ", "", str(caught.value), flags=re.MULTILINE)


MODELS: list[tuple[dict[str, str], str]] = [
    ({"synapse": "stdp_pear"},
     "projections.0.synapse.model: unknown synapse model 'stdp_pear'; expected one of: homeostatic_scaling, "
     "listener, loihi_learning, own, static, stdp_dopamine, stdp_pair, stdp_power_law, stdp_triplet, stdp_vogels, "
     "stp_tsodyks, stp_tsodyks2, three_factor (did you mean stdp_pair?)"),
    ({"synapse": "lif_psc_exp"},
     "projections.0.synapse.model: lif_psc_exp is a model of neurons, for a population; expected one of: "
     "homeostatic_scaling, listener, loihi_learning, own, static, stdp_dopamine, stdp_pair, stdp_power_law, stdp_triplet, "
     "stdp_vogels, stp_tsodyks, stp_tsodyks2, three_factor"),
    ({"synapse": "gap_junction"},
     "projections.0.synapse.model: gap_junction is a model of couplings, for `coupling:` of a projection; "
     "expected one of: homeostatic_scaling, listener, loihi_learning, own, static, stdp_dopamine, stdp_pair, stdp_power_law, "
     "stdp_triplet, stdp_vogels, stp_tsodyks, stp_tsodyks2, three_factor"),
    ({"synapse": "5"},
     "projections.0.synapse: expected the name of a synapse model, or a mapping such as {model: stdp_pair}, "
     "found 5"),
    ({"synapse": "[stdp_pair]"},
     "projections.0.synapse: expected the name of a synapse model, or a mapping such as {model: stdp_pair}, "
     "found a list"),
    ({"synapse": "{}"},
     "projections.0.synapse: missing key 'model'"),
    ({"synapse": "{model: 3}"},
     "projections.0.synapse.model: expected text, found 3"),
    ({"synapse": "{model: stdp_pair, colour: red}"},
     "projections.0.synapse.colour: unknown key 'colour'; expected one of: axonal, init, model, modulator, "
     "modulator_delay, pairing, params, tie"),
    ({"synapse": "stdp_pair"},
     "projections.0.synapse.params.w_max: missing: expected a current (pA); stdp_pair has no default for what "
     "is in the unit of the weight"),
    ({"synapse": "stdp_vogels"},
     "projections.0.synapse.params.eta: missing: expected a current (pA); stdp_vogels has no default for what "
     "is in the unit of the weight\nprojections.0.synapse.params.w_max: missing: expected a current (pA); "
     "stdp_vogels has no default for what is in the unit of the weight"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 nS}}"},
     "projections.0.synapse.params.w_max: wrong unit: expected a current (pA), found 100 nS (a conductance (nS))"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100}}"},
     "projections.0.synapse.params.w_max: missing unit: expected a current (pA), found the bare number 100"),
    ({"synapse": "{model: stdp_pair, params: {w_max: -3 pA}}"},
     "projections.0.synapse.params.w_max: expected a value above 0, found -3 pA"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA, lamda: 1}}"},
     "projections.0.synapse.params.lamda: unknown parameter of stdp_pair 'lamda'; expected one of: alpha, "
     "lambda, mu_minus, mu_plus, tau_minus, tau_plus, w_max (did you mean lambda?)"),
    ({"synapse": "{model: stdp_pair, params: {w_max: {uniform: [1 pA, 2 pA]}}}"},
     "projections.0.synapse.params.w_max: expected one value for the whole projection, found a mapping"),
    ({"synapse": "{model: stdp_pair, params: {w_max: [1 pA, 2 pA]}}"},
     "projections.0.synapse.params.w_max: expected one value for the whole projection, found a list"),
    ({"synapse": "{model: stdp_pair, params: w_max}"},
     "projections.0.synapse.params: expected a mapping, found the text 'w_max'"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, init: {u: 3}}"},
     "projections.0.synapse.init.u: unknown state of stdp_pair 'u'; expected one of: none"),
    ({"synapse": "{model: stp_tsodyks2, init: {z: 3}}"},
     "projections.0.synapse.init.z: unknown state of stp_tsodyks2 'z'; expected one of: u, x"),
    ({"synapse": "{model: stp_tsodyks2, init: {u: 3 ms}}"},
     "projections.0.synapse.init.u: wrong unit: expected a number without unit, found 3 ms (a time (ms))"),
    ({"synapse": "{model: stp_tsodyks2, init: {u: {normal: {mean: 1, sd: 1}}}}"},
     "projections.0.synapse.init.u: expected one value for the whole projection, found a mapping"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, pairing: some}"},
     "projections.0.synapse.pairing: expected 'all' or 'nearest', found the text 'some'"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, tie: both}"},
     "projections.0.synapse.tie: expected 'none', 'pre_first' or 'post_first', found the text 'both'"),
    ({"synapse": "{model: homeostatic_scaling, params: {w_total: 100 pA, interval: 0 ms}}"},
     "projections.0.synapse.params.interval: expected a value above 0, found 0 ms"),
    ({"to": "b", "weight": "1 nS", "port": "exc", "synapse": "own"},
     "projections.0.synapse.model: own is not for weights that are a conductance (nS): on_post: line 1: "
     "cannot add a conductance (nS) and a current (pA): w and 0.1 * w_max * x"),
]
PLACES: list[tuple[dict[str, str], str]] = [
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, axonal: 1 ms}"},
     "projections.0.synapse.axonal: expected at least one step less than the shortest delay, 1 ms, found 1 ms"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, axonal: -1 ms}"},
     "projections.0.synapse.axonal: expected a time of at least 0 ms, found -1 ms"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, axonal: 3 mV}"},
     "projections.0.synapse.axonal: wrong unit: expected a time (ms), found 3 mV (a voltage (mV))"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, axonal: 0.5 ms}", "delay": "{uniform: [0.2 ms, 4 ms]}"},
     "projections.0.synapse.axonal: expected at least one step less than the shortest delay, 0.2 ms, found 0.5 ms"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, axonal: 0.25 ms}", "delay": "0.3 ms"},
     "projections.0.synapse.axonal: expected at least one step less than the shortest delay, 0.3 ms, found 0.25 ms"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, axonal: 0.5 ms}", "delay": "{expression: 0.2 ms*(1 + i)}"},
     "projections.0.synapse.axonal: expected at least one step less than the shortest delay, 0.2 ms, found 0.5 ms"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}}", "delay": "{expression: 0.2 ms*i}"},
     "projections.0.delay.expression: expected delays above 0 ms, found 0 ms for the synapse from unit 0 to "
     "unit 0: 0.2 ms*i"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}}", "delay": "0 ms"},
     "projections.0.delay: expected a delay above 0 ms for plastic synapses, found 0 ms"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}}", "weight": "{uniform: [-10 pA, 10 pA]}"},
     "projections.0.weight: expected weights of one sign for stdp_pair, found -10 pA to 10 pA"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}}", "weight": "{expression: 10 pA*(j - 2)}"},
     "projections.0.weight: expected weights of one sign for stdp_pair, found -20 pA to 20 pA"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}}", "weight": "150 pA"},
     "projections.0.weight: expected weights of at most 100 pA in size for stdp_pair, found 150 pA"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}}", "weight": "-150 pA"},
     "projections.0.weight: expected weights of at most 100 pA in size for stdp_pair, found 150 pA"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}}", "weight": "{uniform: [50 pA, 150 pA]}"},
     "projections.0.weight: expected weights of at most 100 pA in size for stdp_pair, found 150 pA"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}}", "weight": "{expression: 60 pA*j}"},
     "projections.0.weight: expected weights of at most 100 pA in size for stdp_pair, found 240 pA"),
    ({"synapse": "{model: stdp_dopamine, params: {w_max: 100 pA, w_min: 60 pA}, modulator: a}"},
     "projections.0.weight: expected weights of at least 60 pA in size for stdp_dopamine, found 50 pA"),
    ({"to": "played", "weight": "-", "synapse": "own"},
     "projections.0: missing key 'weight': the initial weight of the synapses, in any unit"),
    ({"to": "played", "weight": "3 furlongs", "synapse": "own"},
     "projections.0.synapse.model: own is not for weights that are a length (um): on_post: line 1: cannot add "
     "a length (um) and a current (pA): w and 0.1 * w_max * x"),
    ({"to": "played", "weight": "{uniform: [3 pA, 3 ms]}", "synapse": "own"},
     "projections.0.weight.uniform.1: wrong unit: expected a current (pA), found 3 ms (a time (ms))"),
    ({"to": "played", "weight": "{expression: 3 pA/i}", "synapse": "own"},
     "projections.0.weight: unknown unit 'pA/i' (did you mean pA?)"),
    ({"to": "played", "weight": "3 nS", "synapse": "own"},
     "projections.0.synapse.model: own is not for weights that are a conductance (nS): on_post: line 1: "
     "cannot add a conductance (nS) and a current (pA): w and 0.1 * w_max * x"),
    ({"to": "silent", "synapse": "own"},
     "projections.0.to: quiet receives no spikes"),
]
MODULATORS: list[tuple[dict[str, str], str]] = [
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, modulator: a}"},
     "projections.0.synapse.modulator: stdp_pair has no modulator"),
    ({"synapse": "{model: stdp_dopamine, params: {w_max: 100 pA}}"},
     "projections.0.synapse.modulator: missing: stdp_dopamine needs a population, such as dopamine"),
    ({"synapse": "{model: three_factor, params: {w_max: 100 pA}}"},
     "projections.0.synapse.modulator: missing: three_factor needs a variable, such as reward.v"),
    ({"synapse": "{model: stdp_dopamine, params: {w_max: 100 pA}, modulator: dopa}"},
     "projections.0.synapse.modulator: unknown population 'dopa'; expected one of: a, b, chain, played, silent"),
    ({"synapse": "{model: stdp_dopamine, params: {w_max: 100 pA}, modulator: a.v}"},
     "projections.0.synapse.modulator: expected a population, whose spikes modulate stdp_dopamine, found 'a.v'"),
    ({"synapse": "{model: stdp_dopamine, params: {w_max: 100 pA}, modulator: silent}"},
     "projections.0.synapse.modulator: quiet, the model of silent, does not spike"),
    ({"synapse": "{model: three_factor, params: {w_max: 100 pA}, modulator: a}"},
     "projections.0.synapse.modulator: expected a variable of a, such as a.v, to modulate three_factor, found 'a'"),
    ({"synapse": "{model: three_factor, params: {w_max: 100 pA}, modulator: dopa.v}"},
     "projections.0.synapse.modulator: unknown population 'dopa'; expected one of: a, b, chain, played, silent"),
    ({"synapse": "{model: three_factor, params: {w_max: 100 pA}, modulator: a.u}"},
     "projections.0.synapse.modulator: unknown variable 'a.u'; expected one of: a.i_exc, a.i_inh, a.v (did "
     "you mean a.v?)"),
    ({"synapse": "{model: three_factor, params: {w_max: 100 pA}, modulator: a.refractory}"},
     "projections.0.synapse.modulator: unknown variable 'a.refractory'; expected one of: a.i_exc, a.i_inh, a.v"),
    ({"synapse": "{model: three_factor, params: {w_max: 100 pA}, modulator: b.v}"},
     "projections.0.synapse.modulator: expected a population of 1 unit, or of 5 as a has, found 4 units of b"),
    ({"synapse": "{model: listener, modulator: b.g_exc}"},
     "projections.0.synapse.modulator: listener expects a voltage (mV) as modulator, found a conductance "
     "(nS): b.g_exc"),
    ({"synapse": "{model: listener, modulator: a.v, modulator_delay: 2 ms}"},
     "projections.0.synapse.modulator_delay: expected a modulator that spikes; a variable acts one step late"),
    ({"synapse": "{model: stdp_pair, params: {w_max: 100 pA}, modulator_delay: 2 ms}"},
     "projections.0.synapse.modulator_delay: expected a modulator that spikes; a variable acts one step late"),
    ({"synapse": "{model: stdp_dopamine, params: {w_max: 100 pA}, modulator: a, modulator_delay: -2 ms}"},
     "projections.0.synapse.modulator_delay: expected a time of at least 0 ms, found -2 ms"),
    ({"synapse": "{model: stdp_dopamine, params: {w_max: 100 pA}, modulator: a, modulator_delay: 1e12 s}"},
     "projections.0.synapse.modulator_delay: expected at most 8589934592 steps of 0.1 ms, found "
     "1000000000000000 ms"),
]


def _id(part: Any) -> str:
    return "; ".join(part.values()) if isinstance(part, dict) else ""


@pytest.mark.parametrize(("changes", "message"), [*MODELS, *PLACES, *MODULATORS], ids=_id)
def test_wrong_rules(changes: dict[str, str], message: str) -> None:
    """Each fault is named with its place in the file, what was expected and what was found."""
    assert fault(changes) == message


PLASTIC = """\
  - {from: a, to: a, connect: {rule: pairwise, p: 0.5}, weight: 50 pA, name: random, synapse: {model: own}}
  - {from: a, to: chain, connect: all_to_all, weight: 1, name: one, synapse: {model: stdp_pair, params: {w_max: 2}}}
  - {from: [a, b], to: a, connect: all_to_all, weight: 1 pA, name: pairs, synapse: own}
record:
  weights:
"""
RECORDS = [
    ("{projection: a->a, on: pre}",
     "record.weights.course.projection: the weights of a->a do not change: give it a `synapse:`; plastic ones "
     "are: random, one, pairs/a->a, pairs/b->a"),
    ("{projection: rando, on: pre}",
     "record.weights.course.projection: unknown projection 'rando'; expected one of: one, pairs/a->a, "
     "pairs/b->a, random (did you mean random?)"),
    ("{projection: pairs, on: pre}",
     "record.weights.course.projection: expected one projection; pairs stands for pairs/a->a, pairs/b->a"),
    ("{projection: random}",
     "record.weights.course: expected one of: on: pre (what is sent), every: 100 ms (all of them, so often)"),
    ("{projection: random, on: pre, every: 1 ms}",
     "record.weights.course: expected one of: on: pre (what is sent), every: 100 ms (all of them, so often)"),
    ("{projection: random, on: post, every: 1 ms}",
     "record.weights.course.on: expected 'pre', found the text 'post'"),
    ("{projection: random, every: 0 ms}",
     "record.weights.course.every: expected a time above 0, found 0 ms"),
    ("{projection: random, every: 3 mV}",
     "record.weights.course.every: wrong unit: expected a time (ms), found 3 mV (a voltage (mV))"),
    ("{projection: random, on: pre, synapses: [0]}",
     "record.weights.course.synapses: expected 'all', since the number of synapses is random"),
    ("{projection: one, on: pre, synapses: [15]}",
     "record.weights.course.synapses: expected ids from 0 to 14, found 15"),
    ("{projection: one, on: pre, synapses: '3:99'}",
     "record.weights.course.synapses: expected a slice within 0:15, found '3:99'"),
    ("{projection: one, on: pre, synapses: [1, 1]}",
     "record.weights.course.synapses: expected different ids, found 1 more than once"),
    ("{projection: one, on: pre, synapses: []}",
     "record.weights.course.synapses: expected at least one id, found none"),
    ("{projection: one, every: 1 ms, units: all}",
     "record.weights.course.units: unknown key 'units'; expected one of: every, on, projection, synapses"),
    ("{on: pre}",
     "record.weights.course: missing key 'projection'"),
    ("random",
     "record.weights.course: expected a mapping, found the text 'random'"),
]


@pytest.mark.parametrize(("weights", "message"), RECORDS)
def test_wrong_recordings_of_weights(weights: str, message: str) -> None:
    """Projections are named by their labels; a recording says either what is sent, or how often all of them."""
    assert fault({}, f"{PLASTIC}    course: {weights}\n") == message


def test_recordings_where_nothing_is_plastic() -> None:
    """A name given to nothing plastic, a wrong name, no mapping."""
    assert fault({}, "record: {weights: {x: {projection: a->a, on: pre}}}\n") == (
        "record.weights.x.projection: the weights of a->a do not change: give it a `synapse:`; there is no "
        "plastic one")
    assert fault({}, PLASTIC + "    a b: {projection: random, on: pre}\n") == (
        "record.weights.a b: expected a name of letters, digits, _ and - that begins with a letter or _, "
        "found 'a b'")
    assert fault({}, "record: {weights: [{projection: random, on: pre}]}\n") == (
        "record.weights: expected a mapping, found a list")


def test_no_synapse_to_record() -> None:
    """A random rule may make none: that is only known when they are drawn."""
    net = sn.Network(duration="1 ms")
    net.population("a", 3, "lif_psc_exp")
    net.project("a", "a", sn.pairwise(0.0), weight="1 pA", name="none", synapse={"model": "stdp_pair", "params": {"w_max": "2 pA"}})
    net.record(weights={"sent": {"projection": "none", "on": "pre"}})
    with pytest.raises(sn.InputError) as caught:
        sn.run(net, backend="reference")
    assert str(caught.value) == "record.weights.sent: projection none has no synapse to record"


def test_trace_that_does_not_exist() -> None:
    """A rule that reads another name than the model has is named with file, line and the nearest name."""
    text = NET.replace("on_post: w = clip(w + 0.1*w_max*x, 0, w_max)",
                       "on_post: |\n      up = 0.1*w_max*xx\n      w = clip(w + up, 0, w_max)")
    with pytest.raises(sn.InputError) as caught:
        sn.loads(text, file="net.yaml")
    assert str(caught.value) == (
        "net.yaml:8: models.own.on_post: unknown name 'xx'; expected one of: dt, tau, w, w_max, x (did you mean x?)")


def test_all_faults_of_a_projection_at_once() -> None:
    """One call names everything that can be found."""
    assert fault({"synapse": "{model: stdp_pair, params: {tau_plus: 1, mu: 2}, init: {u: 1}, axonal: 3, modulator: a}"}) == (
        "projections.0.synapse.params.tau_plus: missing unit: expected a time (ms), found the bare number 1\n"
        "projections.0.synapse.params.mu: unknown parameter of stdp_pair 'mu'; expected one of: alpha, lambda, mu_minus, "
        "mu_plus, tau_minus, tau_plus, w_max\n"
        "projections.0.synapse.params.w_max: missing: expected a current (pA); stdp_pair has no default for what is in the "
        "unit of the weight\n"
        "projections.0.synapse.init.u: unknown state of stdp_pair 'u'; expected one of: none\n"
        "projections.0.synapse.axonal: missing unit: expected a time (ms), found the bare number 3\n"
        "projections.0.synapse.modulator: stdp_pair has no modulator")


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize(("weight", "rule", "step", "limit", "found"), [
    ("50 pA", "w = 3*w", 7, "51200 pA", "109350 pA"),
    ("-2 pA", "w = 3*w", 7, "2048 pA", "4374 pA"),
    ("50 pA", "w = w*(w/(w - w))", 1, "51200 pA", "inf pA"),
    ("50 pA", "w = w*log(-w/w)", 1, "51200 pA", "nan pA"),
])
def test_weight_that_leaves_its_bounds(
    weight: str, rule: str, step: int, limit: str, found: str, backend: str, tmp_path: Path
) -> None:
    """A rule without bounds may grow 1024-fold; then the run stops, and all before that step is recorded."""
    net = sn.Network(duration="1 ms")
    net.model("growing", {"kind": "synapse", "on_pre": rule})
    net.population("a", 3, "spike_times", times=[f"{k} step" for k in (1, 2, 3, 4, 5, 6, 7, 7)], ids=[1] * 7 + [2])
    net.population("b", 2, "lif_psc_exp")
    net.project("a", "b", sn.all_to_all(), weight=weight, synapse="growing", name="it")
    net.record(spikes=["a"], weights={"sent": {"projection": "it", "on": "pre"}})
    out = tmp_path / "out.h5"
    with pytest.raises(NumericalError) as caught:
        sn.run(net, backend=backend, out=out)
    assert str(caught.value) == (
        f"projection it: the synapse from unit 1 to unit 0 left its bounds in step {step} (t = {step / 10:g} ms): expected "
        f"a weight of at most {limit} in size, found {found}; let growing clip the weight, or give it wider `bounds`; "
        f"{out} holds everything up to there")
    result = sn.open(out)
    assert (result.steps, result.finished) == (step - 1, False)
    assert len(result.spikes("a")[0]) == step - 1
    assert len(result.weights("sent").values) == 2 * (step - 1)


class _Static:
    """A backend that runs no plastic projection."""

    name, about, rank = "static", "", 99

    def lacks(self) -> None:
        """Nothing."""

    def refuses(self, plan: Any) -> list[Problem]:
        return [Problem(f"projections.{p.label}.synapse", "static runs static synapses only")
                for p in plan.projections if p.plastic is not None]


def test_backend_without_plasticity(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a backend cannot run is named with the projection, before anything is built; `auto` takes another one."""
    monkeypatch.setattr(registry, "backends", lambda: {"static": _Static(), "reference": reference})
    net = sn.loads(NET + "    name: learning\n    synapse: own\n", file="net.yaml")
    with pytest.raises(sn.InputError) as caught:
        sn.compile(net, backend="static")
    assert str(caught.value) == "net.yaml:19: projections.learning.synapse: static runs static synapses only"
    assert sn.compile(net).backend is reference


def test_a_faulty_model_is_the_only_fault(tmp_path: Path) -> None:
    """Neither the projection that uses it nor the recording of its weights adds another message."""
    (tmp_path / "net.yaml").write_text("""\
snnsim: 1
populations: {a: {n: 2, model: lif_psc_exp}}
models:
  mine: {kind: synapse, parameters: {w_max: 9 pA}, on_pre: "w = clip(z, 0, w_max)"}
  gap: {kind: coupling, variable: v, adds: w*(pre - pst)}
projections:
  - {name: it, from: a, to: a, connect: {rule: one_to_one}, weight: 1 pA, synapse: mine}
  - {from: a, to: a, connect: {rule: one_to_one}, weight: 1 nS, coupling: gap}
record: {weights: {course: {projection: it, every: 1 ms}}}
""")
    with pytest.raises(InputError) as error:
        sn.load(tmp_path / "net.yaml")
    assert str(error.value).replace(str(tmp_path), "") == "\n".join([
        "/net.yaml:4: models.mine.on_pre: line 1: unknown name 'z'; expected one of: dt, since_pre, w, w_max",
        "/net.yaml:5: models.gap.adds: unknown name 'pst'; expected one of: dt, post, pre, w (did you mean post?)"])
