"""The full text of every message about a synapse model and its numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

import snnsim as sn
from snnsim.equations.synapse import SynapseModel, check_synapse_document, synapse_from_document
from snnsim.errors import InputError
from snnsim.models import builtin_names, builtin_synapse
from snnsim.units import CURRENT

GOOD: dict[str, Any] = {
    "kind": "synapse",
    "parameters": {"tau": "20 ms", "a": 0.01, "w_max": "100 pA"},
    "states": {"c": "0 weight", "u": "a"},
    "traces": {"x": {"on": "pre", "tau": "tau"}, "y": {"on": "post", "tau": "tau"}},
    "on_pre": "w = clip(w - a*w_max*y, 0, w_max)",
    "on_post": "w = clip(w + a*w_max*x, 0, w_max)",
}

# What is changed in GOOD (None: taken away), and what is said.
FAULTS: list[tuple[dict[str, Any], str]] = [
    (
        {"on_pr": "w = y"},
        "on_pr: unknown key of a synapse model 'on_pr'; expected one of: about, bounds, kind, modulator, "
        "on_interval, on_post, on_pre, on_step, parameters, source, states, traces (did you mean on_pre?)",
    ),
    ({"on_pre": None, "on_post": None}, "expected at least one of: on_pre, on_post, on_step, on_interval"),
    ({"on_pre": 3}, "on_pre: expected lines such as 'w = ...', found 3"),
    ({"on_pre": ""}, "on_pre: expected lines such as 'w = ...', found ''"),
    ({"on_pre": "# nothing"}, "on_pre: expected lines such as 'w = ...', found '# nothing'"),
    (
        {"on_pre": "w = clip(w - a*w_max*z, 0, w_max)"},
        "on_pre: line 1: unknown name 'z'; expected one of: a, c, dt, since_pre, tau, u, w, w_max, x, y",
    ),
    (
        {"on_pre": "w -= a*w_max*y\nw = clip(w, 0, w_mx)"},
        "on_pre: line 2: unknown name 'w_mx'; expected one of: a, c, dt, since_pre, tau, u, w, w_max, x, y "
        "(did you mean w_max?)",
    ),
    ({"on_pre": "w"}, "on_pre: line 1: expected 'x = ...', 'x += ...' or 'x -= ...', found 'w'"),
    ({"on_pre": "w == 3"}, "on_pre: line 1: expected 'x = ...', 'x += ...' or 'x -= ...', found 'w == 3'"),
    ({"on_pre": "w *= 2"}, "on_pre: line 1: expected 'x = ...', 'x += ...' or 'x -= ...', found 'w *= 2'"),
    ({"on_pre": "w = y"}, "on_pre: line 1: w must be a current (pA), found a number without unit"),
    ({"on_pre": "w += y"}, "on_pre: line 1: cannot add a current (pA) and a number without unit: w and y"),
    ({"on_pre": "u = w"}, "on_pre: line 1: u must be a number without unit, found a current (pA)"),
    ({"on_pre": "send = y"}, "on_pre: line 1: send must be a current (pA), found a number without unit"),
    ({"on_pre": "send += w"}, "on_pre: line 1: send has no value yet: expected send = ..."),
    ({"on_pre": "w = send"}, "on_pre: line 1: send has no value yet: expected send = ... on a line above"),
    (
        {"on_post": "send = w"},
        "on_post: line 1: send is what a presynaptic spike transmits: it can be set in on_pre alone",
    ),
    ({"on_post": "w = send"}, "on_post: line 1: send is known in on_pre alone"),
    ({"on_post": "w = w if since_pre > 1 ms else 0*w"}, "on_post: line 1: since_pre is known in on_pre alone"),
    ({"on_post": "w = w*w_max/sum_w"}, "on_post: line 1: sum_w is known in on_interval alone"),
    (
        {"on_pre": "wt = clip(w - a*w_max*y, 0, w_max)"},
        "on_pre: line 1: wt is never read; a rule can change: w, c, u, send (did you mean w?)",
    ),
    ({"on_pre": "k = 2*u\nk = 3*u\nw = w*k"}, "on_pre: line 1: k is never read; a rule can change: w, c, u, send"),
    (
        {"on_pre": "k = q\nw = w*k"},
        "on_pre: line 1: unknown name 'q'; expected one of: a, c, dt, since_pre, tau, u, w, w_max, x, y",
    ),
    ({"on_pre": "k = 2*u\nw = w*k\nk = 3*u"}, "on_pre: line 3: k is never read; a rule can change: w, c, u, send"),
    ({"on_pre": "a = 3"}, "on_pre: line 1: a is a parameter; a rule can change: w, c, u, send"),
    ({"on_pre": "x = 3"}, "on_pre: line 1: x is a trace; a rule can change: w, c, u, send"),
    ({"on_pre": "exp = 3"}, "on_pre: line 1: exp has a meaning of its own in equations: choose another name"),
    (
        {"on_pre": "since_pre = 3 ms"},
        "on_pre: line 1: since_pre is the time since the previous presynaptic spike; a rule can change: w, "
        "c, u, send",
    ),
    ({"on_pre": "dt = 3 ms"}, "on_pre: line 1: dt has a meaning of its own in equations: choose another name"),
    ({"on_pre": "k += 1\nw = w*k"}, "on_pre: line 1: k has no value yet: expected k = ..."),
    (
        {"on_pre": "w = w*modulator"},
        "on_pre: line 1: modulator is not declared: add 'modulator: any' to the model, or its unit",
    ),
    (
        {"on_pre": "w = w + weight"},
        "on_pre: line 1: weight is a unit, known in parameters and states; the weight itself is w",
    ),
    ({"on_pre": "w = w*uniform()"}, "on_pre: line 1: uniform(...) is not available in a synapse model"),
    ({"on_pre": "w = w*normal()"}, "on_pre: line 1: normal(...) is not available in a synapse model"),
    ({"on_pre": "w = w*poisson(3)"}, "on_pre: line 1: poisson(...) is not available in a synapse model"),
    (
        {"on_pre": "w = previous(w)"},
        "on_pre: line 1: previous(...) is not available in a synapse model: a line sees what the lines above "
        "it changed",
    ),
    (
        {"on_pre": "w = w[n+1]"},
        "on_pre: line 1: x[n] is not available in a synapse model: a line sees what the lines above it "
        "changed",
    ),
    (
        {"on_pre": "w = w[n]"},
        "on_pre: line 1: x[n] is not available in a synapse model: a line sees what the lines above it "
        "changed",
    ),
    ({"on_pre": "w = w > 3 pA"}, "on_pre: line 1: w must be a current (pA), found a number without unit"),
    ({"on_pre": "w = w*(1 if x else 2)"}, "on_pre: line 1: expected a condition such as v >= v_th, found the number x"),
    (
        {"on_pre": "w = clip(w, 0, 1)"},
        "on_pre: line 1: cannot take the min of a current (pA) and a number without unit: w and 1",
    ),
    (
        {"on_pre": "w = min(w, 3)"},
        "on_pre: line 1: cannot take the min of a current (pA) and a number without unit: w and 3",
    ),
    ({"on_pre": "w = w*exp(w)"}, "on_pre: line 1: exp(...) takes a number without unit, found a current (pA): w"),
    ({"on_pre": "w = w +"}, "on_pre: line 1: not an expression: 'w +'"),
    (
        {"states": {"c": "1 weight"}},
        "states.c: only 0 is the same in all units of a weight, found '1 weight': name the unit, such as pA",
    ),
    ({"states": {"c": "weight"}}, "states.c: expected an initial value such as '0 weight', found 'weight'"),
    ({"states": {"c": "x"}}, "states.c: unknown name 'x'; expected one of: a, dt, tau, w_max"),
    ({"states": {"c": "0 pB"}}, "states.c: not an expression: '0 pB'"),
    ({"states": {"w": 1}}, "states.w: w is already the weight"),
    ({"states": {"tau": 1}}, "states.tau: tau is already a parameter"),
    ({"states": {"c": None}}, "states.c: expected an expression, found None"),
    ({"states": {"c": "w"}}, "states.c: unknown name 'w'; expected one of: a, dt, tau, w_max"),
    ({"states": [1]}, "states: expected a mapping such as {u: u_0}, found [1]"),
    ({"states": {"a b": 1}}, "states.a b: expected a name of letters, digits and _, found 'a b'"),
    (
        {"states": {"refractory": 1}},
        "states.refractory: refractory has a meaning of its own in equations: choose another name",
    ),
    ({"states": {"c": 1, "u": "c"}}, "states.u: unknown name 'c'; expected one of: a, dt, tau, w_max"),
    ({"states": {"c": "uniform()"}}, "states.c: expected an expression of parameters, found uniform()"),
    (
        {"parameters": {"tau": "20 ms", "a": 0.01, "w_max": "2 weight"}},
        "parameters.w_max: only 0 is the same in all units of a weight, found '2 weight': name the unit, "
        "such as pA",
    ),
    (
        {"parameters": {"tau": "20 ms", "a": 0.01, "w_max": "wieght"}},
        "parameters.w_max: expected a number with a unit such as '20 ms', found 'wieght'",
    ),
    (
        {"parameters": {"tau": "20 ms", "a": 0.01, "w_max": "weight", "weight": 1}},
        "parameters.weight: weight is already the unit of weights",
    ),
    (
        {"parameters": {"tau": "20 ms", "a": {"about": "x"}, "w_max": "weight"}},
        "parameters.a: expected a quantity or {default: ..., about: ..., must_be: ..., range: ...}, found {'about': 'x'}",
    ),
    (
        {"parameters": {"tau": "20 ms", "a": 0.01, "w_max": "weight/foo"}},
        "parameters.w_max: unknown name 'foo'; expected one of: weight",
    ),
    (
        {"parameters": {"tau": "20 ms", "a": 0.01, "w_max": "weight", "send": 1}},
        "parameters.send: send is already what a presynaptic spike transmits",
    ),
    (
        {"parameters": {"tau": "20 ms", "a": 0.01, "w_max": "weight", "class": 1}},
        "parameters.class: expected a name of letters, digits and _, found 'class'",
    ),
    (
        {"parameters": {"tau": "20 ms", "a": 0.01, "w_max": "5 ms"}},
        "on_pre: line 1: cannot subtract a current (pA) and a time (ms): w and a * w_max * y\n"
        "on_post: line 1: cannot add a current (pA) and a time (ms): w and a * w_max * x",
    ),
    (
        {"traces": {"x": {"on": "per", "tau": "tau"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x.on: unknown side 'per'; expected one of: modulator, post, pre (did you mean pre?)",
    ),
    (
        {"traces": {"x": {"on": "pre"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x: missing key 'tau': expected a mapping such as {on: pre, tau: tau}",
    ),
    (
        {"traces": {"x": {"tau": "tau"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x: missing key 'on': expected a mapping such as {on: pre, tau: tau}",
    ),
    (
        {"traces": {"x": {"on": "pre", "tau": "a"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x.tau: expected a time (ms), found a number without unit",
    ),
    (
        {"traces": {"x": {"on": "pre", "tau": "taau"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x.tau: unknown name 'taau'; expected one of: a, dt, tau, w_max (did you mean tau?)",
    ),
    (
        {"traces": {"x": {"on": "pre", "tau": "tau", "add": "w"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x.add: unknown name 'w'; expected one of: a, dt, tau, w_max",
    ),
    (
        {"traces": {"x": {"on": "pre", "tau": "tau", "ad": "w"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x: unknown key 'ad'; expected one of: add, on, pairing, tau (did you mean add?)",
    ),
    (
        {"traces": {"x": {"on": "pre", "tau": "tau", "pairing": "some"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x.pairing: unknown pairing 'some'; expected one of: all, nearest",
    ),
    (
        {"traces": {"x": {"on": True, "tau": "tau"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x.on: unknown side 'True'; expected one of: modulator, post, pre (did you mean pre?)",
    ),
    (
        {"traces": {"x": {True: "pre", "tau": "tau"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x: expected a mapping such as {on: pre, tau: tau}, found {True: 'pre', 'tau': 'tau'}",
    ),
    (
        {"traces": {"x": "pre", "y": {"on": "post", "tau": "tau"}}},
        "traces.x: expected a mapping such as {on: pre, tau: tau}, found 'pre'",
    ),
    (
        {"traces": {"x": {"on": "pre", "tau": "tau"}, "y": {"on": "post", "tau": "tau"}, "c": {"on": "post", "tau": "tau"}}},
        "traces.c: c is already a state",
    ),
    (
        {"traces": {"x": {"on": "pre", "tau": "a if tau > 1 ms else 2"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x.tau: expected a time (ms), found a number without unit",
    ),
    (
        {"traces": {"x": {"on": "pre", "tau": "tau > 1 ms"}, "y": {"on": "post", "tau": "tau"}}},
        "traces.x.tau: expected a time (ms), found a number without unit",
    ),
    (
        {"traces": {"x": {"on": ["pre"], "tau": "tau"}, "y": {"on": "post", "tau": "tau"}}},
        'traces.x.on: unknown side "[\'pre\']"; expected one of: modulator, post, pre (did you mean pre?)',
    ),
    ({"modulator": "mq"}, "modulator: unknown unit 'mq' (did you mean um?)"),
    (
        {"modulator": "mV", "on_post": "w += a*w_max*modulator"},
        "on_post: line 1: cannot add a current (pA) and a quantity in mV*pA: w and a * w_max * modulator",
    ),
    ({"modulator": 3}, "modulator: expected a unit such as pA, found 3"),
    (
        {"modulator": "any", "traces": {"x": {"on": "pre", "tau": "tau"}, "y": {"on": "modulator", "tau": "tau"}}},
        "modulator: a model has either traces of the modulator's spikes or its variable, not both",
    ),
    ({"on_interval": "w = w"}, "on_interval: expected a mapping such as {every: 1 s, do: w = ...}, found 'w = w'"),
    (
        {"on_interval": {"every": "tau"}},
        "on_interval: expected a mapping such as {every: 1 s, do: w = ...}, found {'every': 'tau'}",
    ),
    (
        {"on_interval": {"every": "a", "do": "w = w_max"}},
        "on_interval.every: expected a time (ms), found a number without unit",
    ),
    (
        {"on_interval": {"every": "tau", "do": "w = z"}},
        "on_interval.do: line 1: unknown name 'z'; expected one of: a, c, dt, sum_w, tau, u, w, w_max, x, y",
    ),
    (
        {"on_interval": {"every": "tau", "do": "w = since_pre*w/(1 ms)"}},
        "on_interval.do: line 1: since_pre is known in on_pre alone",
    ),
    (
        {"on_interval": {"every": "w", "do": "w = w_max"}},
        "on_interval.every: unknown name 'w'; expected one of: a, dt, tau, w_max",
    ),
    (
        {"on_interval": {"every": "1 s", "do": "w = w_max", "x": 1}},
        "on_interval: expected a mapping such as {every: 1 s, do: w = ...}, found {'every': '1 s', 'do': 'w "
        "= w_max', 'x': 1}",
    ),
    ({"bounds": 3}, "bounds: expected a mapping such as {w: [0, w_max]}, found 3"),
    ({"bounds": {"w": 3}}, "bounds: expected a mapping such as {w: [0, w_max]}, found {'w': 3}"),
    ({"bounds": {"w": [0]}}, "bounds: expected a mapping such as {w: [0, w_max]}, found {'w': [0]}"),
    ({"bounds": {"u": [0, 1]}}, "bounds: expected a mapping such as {w: [0, w_max]}, found {'u': [0, 1]}"),
    ({"bounds": {"w": [0, "1"]}}, "bounds.w: expected a current (pA), found a number without unit"),
    ({"bounds": {"w": [0, "x"]}}, "bounds.w: unknown name 'x'; expected one of: a, dt, tau, w_max"),
    (
        {"bounds": {"w": [0, "w_maxx"]}},
        "bounds.w: unknown name 'w_maxx'; expected one of: a, dt, tau, w_max (did you mean w_max?)",
    ),
]


def changed(parts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**GOOD, **parts}.items() if value is not None}


def message_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(("parts", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_in_a_model_is_told_in_full(parts: dict[str, Any], message: str) -> None:
    """Each fault says where it is, what was expected and what was found."""
    assert message == message_of(synapse_from_document, "own", changed(parts), CURRENT)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (3, "expected a mapping such as {kind: synapse, on_pre: ..., on_post: ...}, found 3"),
        ({"kind": "synapse"}, "expected at least one of: on_pre, on_post, on_step, on_interval"),
    ],
)
def test_what_is_no_model_at_all(document: Any, message: str) -> None:
    """A document is a mapping with at least one rule."""
    assert message == message_of(synapse_from_document, "own", document, CURRENT)


def test_the_first_fault_hides_none_of_the_others() -> None:
    """All faults of a document are told at once; what follows from one is not."""
    document = changed({"on_pre": "k = q\nk += 1\nw += k*w\nw -= y\nj = 2\nw = w*normal()*j", "on_post": "w = z", "bounds": {"w": [0, "b"]}})
    assert message_of(synapse_from_document, "own", document, CURRENT) == (
        "on_pre: line 1: unknown name 'q'; expected one of: a, c, dt, since_pre, tau, u, w, w_max, x, y\n"
        "on_pre: line 4: cannot subtract a current (pA) and a number without unit: w and y\n"
        "on_pre: line 6: normal(...) is not available in a synapse model\n"
        "on_post: line 1: unknown name 'z'; expected one of: a, c, dt, tau, u, w, w_max, x, y\n"
        "bounds.w: unknown name 'b'; expected one of: a, dt, tau, w_max"
    )


def test_faults_are_told_for_the_weight_that_suits_best() -> None:
    """Before a projection is known, a rule in pA is not blamed for its unit; its other faults show."""
    document = changed({"on_pre": "w = clip(w - a*w_max*z, 0, w_max)"})
    assert message_of(check_synapse_document, "own", document) == (
        "on_pre: line 1: unknown name 'z'; expected one of: a, c, dt, since_pre, tau, u, w, w_max, x, y")


def own(**parameters: Any) -> SynapseModel:
    return synapse_from_document("own", changed({"parameters": {**GOOD["parameters"], **parameters}}), CURRENT)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "w_max: missing: expected a current (pA)"),
        ({"w_max": 0.0}, "w_max: expected a value above 0, found 0 pA"),
        ({"w_max": math.nan}, "w_max: expected a number, found nan"),
        ({"w_max": math.inf}, "w_max: lambda*w_max is not finite with lambda = 0.01, w_max = inf"),
        ({"w_max": 1.0, "tau_plus": -1.0}, "tau_plus: expected a value above 0, found -1 ms"),
        ({"wmax": 1.0}, "wmax: unknown parameter 'wmax'; expected one of: alpha, lambda, mu_minus, mu_plus, tau_minus, "
                        "tau_plus, w_max (did you mean w_max?)\nw_max: missing: expected a current (pA)"),
    ],
)
def test_numbers_that_no_rule_can_use(values: dict[str, float], message: str) -> None:
    """bind() names the parameter and what is wrong with it."""
    assert message == message_of(builtin_synapse("stdp_pair", CURRENT).bind, values, 0.1)


def test_time_constants_intervals_and_bounds() -> None:
    """What must be positive or ascend is told with the parameter that decides it."""
    assert message_of(own().trace_numbers, {"tau": 0.0}, 0.1) == (
        "tau: the time constant of trace x must be above 0 ms, found 0 ms")
    regular = synapse_from_document("own", changed({"on_interval": {"every": "2*tau", "do": "w = 0.9*w"}}), CURRENT)
    assert message_of(regular.interval, {"tau": -1.0}, 0.1) == "tau: the interval must be above 0 ms, found -2 ms"
    stated = synapse_from_document("own", changed({"bounds": {"w": [0, "w_max"]}}), CURRENT)
    assert message_of(stated.weight_bounds, {"w_max": -5.0}) == (
        "w_max: the bounds of w must ascend, found 0 pA and -5 pA")


def test_an_unknown_synapse_model_gets_the_nearest_name() -> None:
    """A misspelt name lists the models of synapses."""
    assert message_of(builtin_synapse, "stdp_pairs", CURRENT) == (
        "unknown synapse model 'stdp_pairs'; expected one of: homeostatic_scaling, static, stdp_dopamine, stdp_pair, "
        "stdp_power_law, stdp_triplet, stdp_vogels, stp_tsodyks, stp_tsodyks2, three_factor (did you mean stdp_pair?)")


NET = """\
snnsim: 1
models:
  mine:
    kind: synapse
    parameters: {a: 0.5}
    on_pre: |
      send = a*w
      w = a*b
populations:
  cells: {n: 1, model: stdp_pair}
"""


def test_faults_in_a_file_have_its_lines() -> None:
    """A line of a rule is a line of the file; a population with a model of synapses is told what it is."""
    assert message_of(sn.loads, NET) == (
        "<text>:8: models.mine.on_pre: unknown name 'b'; expected one of: a, dt, send, since_pre, w\n"
        "<text>:10: populations.cells.model: stdp_pair is a model of synapses, for `synapse:` of a projection; expected "
        f"one of: {', '.join(builtin_names())}")
