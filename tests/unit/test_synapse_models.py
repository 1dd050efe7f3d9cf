"""Synapse models: what their rules do to one synapse, against formulas written here; bounds, numbers, names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.equations.synapse import SynapseModel, check_synapse_document, synapse_from_document
from snnsim.ir import Op, check
from snnsim.ir.exact import lower
from snnsim.ir.interpret import Effects, Environment, interpret
from snnsim.models import builtin_names, builtin_synapse, synapse_names
from snnsim.units import CURRENT, DIMENSIONLESS, RATE, TIME, VOLTAGE, Dimension

DT = 0.1
NS = CURRENT / VOLTAGE
# Synapses with these weights; traces of either side at them.
W = np.array([0.0, 12.5, 30.0, 59.0, 60.0])
X = np.array([0.0, 0.3, 1.0, 2.5, 0.7])
Y = np.array([1.5, 0.0, 0.2, 1.0, 0.9])
# The rule of docs/models.md and of the interface.
OWN: dict[str, Any] = {
    "kind": "synapse",
    "parameters": {"tau": "20 ms", "a": 0.01, "w_max": "100 pA"},
    "traces": {"x": {"on": "pre", "tau": "tau"}, "y": {"on": "post", "tau": "tau"}},
    "on_pre": "w = clip(w - a*w_max*y, 0, w_max)",
    "on_post": "w = clip(w + a*w_max*x, 0, w_max)",
}


def rule(**parts: Any) -> SynapseModel:
    """OWN with other parts; None takes one away."""
    document = {key: value for key, value in {**OWN, **parts}.items() if value is not None}
    return synapse_from_document("own", document, CURRENT)


def run(model: SynapseModel, event: str, values: dict[str, float], states: dict[str, Any], **drives: Any) -> Effects:
    """One event at all synapses, in double precision, without the library's exp."""
    program = lower(model.program(event, values), np.float64)
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in states.items()}
    return interpret(program, Environment(np.float64, model.bind(values, DT), arrays, drives=drives))


def filled(model: SynapseModel) -> dict[str, float]:
    """Values for the parameters that have no default."""
    return {name: 60.0 for name, p in model.parameters.items() if p.default is None}


@pytest.mark.parametrize("name", synapse_names())
@pytest.mark.parametrize("weight", [DIMENSIONLESS, CURRENT, NS])
def test_built_in_models_fit_every_port(name: str, weight: Dimension) -> None:
    """The programs of each model keep to the vocabulary, and bind() has every number that they read."""
    model = builtin_synapse(name, weight)
    values = filled(model)
    numbers = model.bind(values, DT)
    for event in model.events:
        program = model.program(event, values)
        check(program)
        assert set(program.uses(Op.PARAM)) <= numbers.keys()
        assert set(program.uses(Op.STATE)) | set(program.uses(Op.STORE)) <= {"w", *model.states}
        known = {trace.name for trace in model.traces} | {"since_pre", "modulator", "sum_w"}
        assert set(program.uses(Op.DRIVE)) <= known
    assert model.program("pre", values).uses(Op.OUTPUT) == ["send"]


def test_the_names_of_the_built_in_models() -> None:
    """Models of neurons and synapses are kept apart, and are found by one rule."""
    assert synapse_names() == ("homeostatic_scaling", "static", "stdp_dopamine", "stdp_pair", "stdp_power_law",
                               "stdp_triplet", "stdp_vogels", "stp_tsodyks", "stp_tsodyks2", "three_factor")
    assert not set(synapse_names()) & set(builtin_names())


def test_static_synapses_send_their_weight() -> None:
    """Nothing changes and nothing else is sent."""
    model = builtin_synapse("static", CURRENT)
    done = run(model, "pre", {}, {"w": W})
    assert done.outputs["send"].tolist() == W.tolist()
    assert (done.stored, model.events, model.assigns_weight) == ({}, {"pre"}, False)


@pytest.mark.parametrize(("mu_plus", "mu_minus"), [(0.0, 0.0), (1.0, 1.0), (0.4, 0.3), (0.0, 1.0), (2.0, 0.5)])
def test_stdp_pair(mu_plus: float, mu_minus: float) -> None:
    """Guetig's rule: w/W += lambda (1 - w/W)^mu_plus x, w/W -= alpha lambda (w/W)^mu_minus y, within 0 and W."""
    model, w_max = builtin_synapse("stdp_pair", CURRENT), 60.0
    values = {"lambda": 0.05, "alpha": 1.1, "mu_plus": mu_plus, "mu_minus": mu_minus, "w_max": w_max}
    up = np.minimum(1, W / w_max + 0.05 * (1 - W / w_max) ** mu_plus * X) * w_max
    down = np.maximum(0, W / w_max - 1.1 * 0.05 * (W / w_max) ** mu_minus * Y) * w_max
    assert run(model, "post", values, {"w": W}, x=X).stored["w"] == pytest.approx(up, rel=1e-13, abs=1e-13)
    done = run(model, "pre", values, {"w": W}, y=Y)
    assert done.stored["w"] == pytest.approx(down, rel=1e-13, abs=1e-13)
    assert done.outputs["send"].tolist() == done.stored["w"].tolist()


@pytest.mark.parametrize(("mu", "transcendental"), [(0.0, 0), (1.0, 0), (3.0, 0), (0.4, 2)])
def test_whole_exponents_cost_no_exp(mu: float, transcendental: int) -> None:
    """The additive and the multiplicative rule are multiplications; only other exponents take log and exp."""
    model = builtin_synapse("stdp_pair", CURRENT)
    values = {"mu_plus": mu, "mu_minus": mu, "w_max": 60.0}
    for event in ("pre", "post"):
        found = sum(instr.op in (Op.EXP, Op.LOG) for instr in model.program(event, values).instrs)
        assert found == transcendental
    assert len(model.program("post", {"mu_plus": 0.0, "w_max": 60.0}).instrs) == 10


def test_stdp_triplet() -> None:
    """Pfister and Gerstner: r1 (A2+ + A3+ o2) up, o1 (A2- + A3- r2) down, as fractions of w_max."""
    model = builtin_synapse("stdp_triplet", CURRENT)
    values = {"a2_plus": 0.02, "a3_plus": 0.04, "a2_minus": 0.03, "a3_minus": 0.01, "w_max": 60.0}
    up = np.minimum(60, W + 60 * X * (0.02 + 0.04 * Y))
    down = np.maximum(0, W - 60 * Y * (0.03 + 0.01 * X))
    assert run(model, "post", values, {"w": W}, r1=X, o2=Y).stored["w"] == pytest.approx(up, abs=1e-12)
    assert run(model, "pre", values, {"w": W}, o1=Y, r2=X).stored["w"] == pytest.approx(down, abs=1e-12)
    sides = {trace.name: trace.on for trace in model.traces}
    assert sides == {"r1": "pre", "r2": "pre", "o1": "post", "o2": "post"}
    taus = {"r1": 16.8, "r2": 101.0, "o1": 33.7, "o2": 125.0}
    for name, (decay, add) in model.trace_numbers(values, DT).items():
        assert (decay, add) == (pytest.approx(math.exp(-DT / taus[name]), rel=1e-15), 1.0)


def test_stdp_power_law() -> None:
    """Morrison: w += lambda w0^(1-mu) w^mu x, w -= lambda alpha w y; no weight falls below 0."""
    model = builtin_synapse("stdp_power_law", CURRENT)
    values = {"lambda": 0.1, "alpha": 0.9, "mu": 0.4, "w_0": 2.0}
    up, down = W + 0.1 * 2.0**0.6 * W**0.4 * X, np.maximum(0, W - 0.1 * 0.9 * W * Y)
    assert run(model, "post", values, {"w": W}, x=X).stored["w"] == pytest.approx(up, rel=1e-13)
    assert run(model, "pre", values, {"w": W}, y=Y).stored["w"] == pytest.approx(down, rel=1e-13)
    assert model.weight_bounds(values) == (0.0, None)


def test_stdp_vogels() -> None:
    """w += eta x at a post spike, w += eta (y - 2 rho_0 tau) at a pre spike, capped at w_max before the constant part."""
    model = builtin_synapse("stdp_vogels", CURRENT)
    values = {"tau": 20.0, "eta": 0.5, "rho_0": 0.003, "w_max": 60.0}
    up = np.minimum(60, W + 0.5 * X)
    both = np.maximum(0, np.minimum(60, W + 0.5 * Y) - 0.5 * 0.12)
    assert run(model, "post", values, {"w": W}, x=X).stored["w"] == pytest.approx(up, abs=1e-13)
    assert run(model, "pre", values, {"w": W}, y=Y).stored["w"] == pytest.approx(both, abs=1e-13)
    assert model.weight_bounds(values) == (0.0, 60.0)


def test_stdp_dopamine() -> None:
    """Pairs change the eligibility; a step adds the exact integral of c (n - b), as Potjans et al. give it."""
    model = builtin_synapse("stdp_dopamine", CURRENT)
    values = {"a_plus": 0.01, "a_minus": 0.02, "tau_c": 1000.0, "tau_n": 200.0, "b": 0.001, "w_max": 60.0}
    c, n = np.array([0.0, 5.0, -3.0, 2000.0, 1.0]), 0.015
    start = {"w": W, "c": c}
    assert run(model, "post", values, start, x=X).stored["c"] == pytest.approx(c + 0.6 * X, abs=1e-12)
    done = run(model, "pre", values, start, y=Y)
    assert done.stored["c"] == pytest.approx(c - 1.2 * Y, abs=1e-12)
    assert done.outputs["send"].tolist() == W.tolist()
    s = (1000.0 + 200.0) / (1000.0 * 200.0)
    change = c * (n * (1 - math.exp(-s * DT)) / s - 0.001 * 1000.0 * (1 - math.exp(-DT / 1000.0)))
    done = run(model, "step", values, start, n=n)
    assert done.stored["w"] == pytest.approx(np.clip(W + change, 0, 60), rel=1e-11, abs=1e-11)
    assert done.stored["c"] == pytest.approx(c * math.exp(-DT / 1000.0), rel=1e-15)
    assert model.trace_numbers(values, DT)["n"] == (pytest.approx(math.exp(-DT / 200.0)), 1 / 200.0)
    assert (model.uses_modulator_spikes, model.modulator, model.initial(values, DT)) == (True, None, {"c": 0.0})


def test_three_factor() -> None:
    """The modulator times the mean of the eligibility over the step, times eta w_max dt."""
    model = builtin_synapse("three_factor", CURRENT)
    values = {"a_plus": 0.5, "a_minus": 0.25, "eta": 0.002, "tau_e": 50.0, "w_max": 60.0}
    e, start = np.array([0.0, 1.0, -1.0, 2.0, 0.5]), {"w": W, "e": np.array([0.0, 1.0, -1.0, 2.0, 0.5])}
    assert run(model, "post", values, start, x=X).stored["e"] == pytest.approx(e + 0.5 * X, abs=1e-15)
    assert run(model, "pre", values, start, y=Y).stored["e"] == pytest.approx(e - 0.25 * Y, abs=1e-15)
    done = run(model, "step", values, start, modulator=np.array(-2.0))
    change = -2.0 * e * 0.002 * 60.0 * 50.0 * (1 - math.exp(-DT / 50.0))
    assert done.stored["w"] == pytest.approx(np.clip(W + change, 0, 60), abs=1e-11)
    assert done.stored["e"] == pytest.approx(e * math.exp(-DT / 50.0), rel=1e-15)
    assert (model.modulator, model.uses_modulator_spikes) == ("any", False)


def test_homeostatic_scaling() -> None:
    """w times w_total over the sum, for every target; targets whose weights are all 0 stay so."""
    model = builtin_synapse("homeostatic_scaling", CURRENT)
    values = {"w_total": 90.0, "interval": 250.0}
    done = run(model, "interval", values, {"w": np.array([10.0, 20.0, 0.0])}, sum_w=np.array([30.0, 30.0, 0.0]))
    assert done.stored["w"] == pytest.approx([30.0, 60.0, 0.0], rel=1e-15)
    assert (model.interval(values, DT), model.weight_bounds(values)) == (250.0, (0.0, 90.0))
    assert (model.interval({"w_total": 1.0}, DT), builtin_synapse("static", CURRENT).interval({}, DT)) == (1000.0, 0.0)


def first_and_later(model: SynapseModel, values: dict[str, float], gaps: list[float], init: dict[str, float]
                    ) -> tuple[list[float], dict[str, float]]:
    """What a synapse of weight 10 sends at its first spike and at those after `gaps`, and its states in the end."""
    states, sent = {"w": 10.0, **init}, []
    for gap in [1e9, *gaps]:
        done = run(model, "pre", values, states, since_pre=gap)
        sent.append(float(done.outputs["send"]))
        states |= {name: float(value) for name, value in done.stored.items()}
    return sent, {name: states[name] for name in model.states}


@pytest.mark.parametrize("tau_fac", [0.0, 530.0])
@pytest.mark.parametrize("u", [0.2, 0.7])
def test_stp_tsodyks2(tau_fac: float, u: float) -> None:
    """x and u recover between spikes; the first spike sees the initial ones."""
    model, gaps = builtin_synapse("stp_tsodyks2", CURRENT), [1.5, 20.0, 0.1, 5000.0]
    values, x = {"u_0": 0.2, "tau_rec": 130.0, "tau_fac": tau_fac}, 1.0
    expected = [10 * x * u]
    assert model.initial(values, DT) == {"x": 1.0, "u": 0.2}
    found, states = first_and_later(model, values, gaps, {"x": 1.0, "u": u})
    for gap in gaps:
        x = 1 + (x - x * u - 1) * math.exp(-gap / 130.0)
        u = 0.2 + u * (1 - 0.2) * (math.exp(-gap / tau_fac) if tau_fac else 0.0)
        expected.append(10 * x * u)
    assert found == pytest.approx(expected, rel=1e-13)
    assert states == pytest.approx({"x": x, "u": u}, rel=1e-13)


@pytest.mark.parametrize("tau_fac", [0.0, 50.0])
def test_stp_tsodyks(tau_fac: float) -> None:
    """The three-state model with the propagators of NEST's tsodyks_synapse."""
    model, gaps = builtin_synapse("stp_tsodyks", CURRENT), [1.5, 20.0, 0.1, 700.0]
    psc, rec, u_0 = 3.0, 130.0, 0.45
    x, y, u, expected = 1.0, 0.0, 0.0, []
    for gap in [0.0, *gaps]:
        u *= math.exp(-gap / tau_fac) if tau_fac else 0.0
        p_yy, p_zz = math.exp(-gap / psc), math.expm1(-gap / rec)
        p_xy = (p_zz * rec - (p_yy - 1) * psc) / (psc - rec)
        x, y = x + p_xy * y - p_zz * (1 - x - y), y * p_yy
        u += u_0 * (1 - u)
        x, y = x - u * x, y + u * x
        expected.append(10 * u * x / (1 - u))   # what was released was u times the x before
    values = {"tau_psc": psc, "tau_rec": rec, "tau_fac": tau_fac, "u_0": u_0}
    found, states = first_and_later(model, values, gaps, model.initial(values, DT))
    assert found == pytest.approx(expected, rel=1e-11)
    assert states == pytest.approx({"x": x, "y": y, "u": u}, rel=1e-11)


def test_stp_tsodyks_with_equal_time_constants() -> None:
    """Where tau_psc is tau_rec the textbook form divides by 0; ours is the limit."""
    model, gaps = builtin_synapse("stp_tsodyks", CURRENT), [1.5, 20.0, 0.1, 1e6]

    def sent(tau_rec: float) -> list[float]:
        return first_and_later(model, {"tau_psc": 5.0, "tau_rec": tau_rec}, gaps, {"x": 1.0, "y": 0.0, "u": 0.0})[0]

    assert sent(5.0) == pytest.approx(sent(5.0 + 1e-9), rel=1e-8)
    assert sent(5.0) == pytest.approx(sent(5.0 - 1e-9), rel=1e-8)


def test_the_rule_of_a_user() -> None:
    """A document in a unit of its own works at ports of that unit."""
    model = rule()
    values = {"a": 0.1}
    done = run(model, "pre", values, {"w": np.array([5.0, 50.0])}, y=np.array([1.0, 2.0]))
    assert done.outputs["send"].tolist() == [0.0, 30.0]
    done = run(model, "post", values, {"w": np.array([5.0, 95.0])}, x=np.array([1.0, 2.0]))
    assert done.stored["w"].tolist() == [15.0, 100.0]
    assert model.bind(values, DT) == {"a*w_max": 10.0, "w_max": 100.0}
    assert model.trace_numbers(values, DT) == {name: (pytest.approx(math.exp(-DT / 20)), 1.0) for name in "xy"}
    assert (model.events, model.assigns_weight, repr(model)) == ({"pre", "post"}, True, "SynapseModel('own')")


def test_statements_see_what_those_above_them_changed() -> None:
    """`=`, `+=`, `-=` and names of one's own are carried out in order; `send` may differ from `w`."""
    model = rule(states={"c": "0 weight", "n": 2}, on_post=None, on_pre="""
        step = a*w_max      # read below
        w += step
        c = w - step        # w is the new one
        c -= 0.5*c
        n += 1
        n = n*n
        send = w*n if since_pre > 1 ms else 0*w_max
    """)
    start = {"w": np.array([10.0, 20.0]), "c": 1.0, "n": 2.0}
    done = run(model, "pre", {}, start, since_pre=np.array([0.5, 3.0]))
    assert done.stored["w"].tolist() == [11.0, 21.0]
    assert done.stored["c"].tolist() == [5.0, 10.0]
    assert float(done.stored["n"]) == 9.0
    assert done.outputs["send"].tolist() == [0.0, 189.0]
    assert model.initial({}, DT) == {"c": 0.0, "n": 2.0}
    assert model.states == {"c": CURRENT, "n": DIMENSIONLESS}


def test_what_stays_as_it_is_is_not_stored() -> None:
    """Programs store what a rule changes, and a rule that changes nothing sends `w`."""
    model = rule(states={"c": 0}, on_pre="c = c", on_post="w = w + 0*w_max")
    assert model.program("pre", {}).uses(Op.STORE) == []
    assert (model.events, model.assigns_weight) == ({"pre"}, False)


@pytest.mark.parametrize(
    ("on_pre", "on_post", "bounds"),
    [
        ("w = clip(w - y*w_max, 0, w_max)", "w = min(w + x*w_max, 2*w_max)", (None, 200.0)),
        ("w = max(w - y*w_max, -w_max)", "w = max(w + x*w_max, 0)", (-100.0, None)),
        ("w = clip(w - y*w_max, 0, w_max)", "w = w if x > 1 else clip(w, a*w_max, 50 pA)", (0.0, 100.0)),
        ("w = min(clip(w, 0, w_max), 70 pA) if y > 0 else 20 pA", None, (0.0, 70.0)),
        ("w = max(min(w, w_max), w)", None, (None, None)),
        ("w = min(max(w - y*w_max, 5 pA), w)", None, (None, None)),
        ("w = max(w, 5 pA)", None, (5.0, None)),
        ("w += y*w_max", "w = clip(w, 0, w_max)", (None, None)),
        ("w = w_max*a", None, (1.0, 1.0)),
        ("send = w*y", None, (None, None)),
    ],
)
def test_bounds_are_read_off_the_rules(on_pre: str, on_post: str | None, bounds: tuple[float, float]) -> None:
    """Every assignment of the weight must say a bound; the widest holds."""
    assert rule(on_pre=on_pre, on_post=on_post).weight_bounds({}) == bounds


def test_bounds_may_be_stated() -> None:
    """`bounds` takes the place of what the rules say; one side may be left open."""
    free = {"on_pre": "w = w - a*w_max*y", "on_post": None}
    assert rule(**free, bounds={"w": [0, "2*w_max"]}).weight_bounds({"w_max": 3.0}) == (0.0, 6.0)
    assert rule(**free, bounds={"w": [None, "w_max"]}).weight_bounds({}) == (None, 100.0)


def test_traces_have_a_pairing_of_their_own_or_none() -> None:
    """`pairing` and `add` of a trace; the unit of `add` is that of the trace."""
    model = rule(traces={"x": {"on": "pre", "tau": "2*tau", "add": "a/tau", "pairing": "nearest"},
                         "y": {"on": "post", "tau": "tau"}}, on_post="w += w_max*x*tau")
    x, y = model.traces
    assert (x.name, x.on, x.pairing, x.dimension) == ("x", "pre", "nearest", RATE)
    assert (y.name, y.on, y.pairing, y.dimension) == ("y", "post", None, DIMENSIONLESS)
    assert model.trace_numbers({}, DT)["x"] == (pytest.approx(math.exp(-DT / 40)), 0.01 / 20)


def test_an_infinite_time_constant_keeps_a_trace() -> None:
    """The decay is then 1."""
    assert rule().trace_numbers({"tau": math.inf}, DT)["x"] == (1.0, 1.0)


def test_lambda_is_a_name_like_others() -> None:
    """Python's keyword is a parameter where a model declares it, in every form of an expression."""
    model = rule(parameters={"lambda": 0.5, "w_max": "8 pA", "tau": "1 ms"}, on_post=None,
                 on_pre="w = clip((lambda)*w_max*lambda**2 - lambda *w + y*0*w_max, 0, lambda*w_max)")
    assert float(run(model, "pre", {}, {"w": 1.0}, y=0.0).stored["w"]) == 0.5
    assert model.weight_bounds({"lambda": 0.25}) == (0.0, 2.0)
    assert model.parameters["lambda"].default == 0.5


def test_parameters_in_the_unit_of_the_weight() -> None:
    """`weight` must be given; `0 weight` is a default that fits every port; units of time may follow."""
    model = rule(parameters={"w_max": "weight", "low": "0 weight", "rate": {"default": "weight/ms"}, "tau": "5 ms"},
                 on_pre="w = clip(w - rate*dt*y, low, w_max)", on_post=None)
    found = {name: (p.default, p.dimension) for name, p in model.parameters.items()}
    assert found == {"w_max": (None, CURRENT), "low": (0.0, CURRENT), "rate": (None, CURRENT / TIME), "tau": (5.0, TIME)}
    assert [model.default_text(name) for name in found] == ["to be given (weight)", "0 weight", "to be given (weight/ms)",
                                                            "5 ms"]


def test_modulators() -> None:
    """A variable with its unit or any; spikes through a trace."""
    step = {"on_step": "w += a*w_max*modulator*dt/tau", "on_pre": None, "on_post": None}
    assert rule(**step, modulator=1).modulator == DIMENSIONLESS
    assert rule(**step, modulator="any").modulator == "any"
    model = rule(modulator="mV", on_pre=None, on_post=None, on_step="w += a*w_max*modulator/(1 mV)")
    assert (model.modulator, model.uses_modulator_spikes) == (VOLTAGE, False)
    assert float(run(model, "step", {}, {"w": 1.0}, modulator=-3.0).stored["w"]) == -2.0
    assert rule().modulator is None


def test_documents_are_checked_for_the_weights_that_suit_them() -> None:
    """A rule in pA, one in mV/ms and one in the unit of the weight are all right before a projection is known."""
    for unit in ("100 pA", "1 nS", "3 mV", "2 mV/ms", "5 Hz", "1", "weight"):
        check_synapse_document("own", OWN | {"parameters": {"tau": "20 ms", "a": 0.01, "w_max": unit}})


def test_networks_keep_models_of_synapses_apart() -> None:
    """`kind: synapse` goes to the synapse models, and comes back in the YAML; `kind: neuron` may be said, too."""
    net = sn.Network()
    assert net.model("own", OWN) is None
    neuron = net.model("cell", {"kind": "neuron", "dynamics": "x[n+1] = x : 1"})
    assert neuron is not None
    assert (list(net.library.neurons), list(net.library.synapses)) == (["cell"], ["own"])
    assert net.library.synapse("own", CURRENT).bind({}, DT) == rule().bind({}, DT)
    assert net.library.synapse("stdp_pair", NS) is builtin_synapse("stdp_pair", NS)
    again = sn.loads(net.to_yaml())
    assert again == net
    assert dict(again.library.synapses["own"]) == OWN
