"""The full text of every message about learning synapses of Loihi."""

from __future__ import annotations

from typing import Any

import pytest

import snnsim as sn
from snnsim import registry
from snnsim.lowering import make_plan

RULE = "2^-2*x1*y0 - 2^-2*y1*x0"
TARGETS: dict[str, tuple[str, dict[str, Any]]] = {
    "chip": ("loihi_lif", {}), "loihi1": ("loihi1_lif", {}), "cells": ("lif_psc_exp", {}),
    "played": ("spike_times", {"times": {0: ["1 ms"]}}),
}


def network(target: str = "chip", **options: Any) -> sn.Network:
    """Two populations and a projection that learns, with other settings."""
    net = sn.Network(dt="1 ms")
    net.population("a", 3, "loihi_lif")
    model, params = TARGETS[target]
    net.population(target, 3, model, **params)
    net.project("a", target, sn.all_to_all(), **{"weight": 10, "synapse": said(dw=RULE), **options})
    return net


def said(keys: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    return {"model": "loihi_learning", "params": params, **(keys or {})}


def fault(target: str = "chip", **options: Any) -> str:
    """What such a network is answered with."""
    with pytest.raises(sn.InputError) as caught:
        network(target, **options)
    return str(caught.value)


RULES: list[tuple[str, str]] = [
    ("x1*y1", "expected one of x0, y0 and u0 to u9 in the product 'x1*y1': nothing says when it counts"),
    ("x0*x1 - 2*y1*w", "expected one of x0, y0 and u0 to u9 in the product '2*y1*w': nothing says when it counts"),
    ("x0*z", "unknown name 'z'; expected one of: d, sgn, t, u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, w, x0, x1, x2, y0, y1, "
             "y2, y3"),
    ("u10*x1", "unknown name 'u10'; expected one of: d, sgn, t, u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, w, x0, x1, x2, y0, "
               "y1, y2, y3 (did you mean u1?)"),
    ("x0/y1", "expected +, - or *, found '/' in column 3 of 'x0/y1'; a power of two such as 2^-3 divides"),
    ("x0 y0", "expected +, - or *, found 'y0' in column 4 of 'x0 y0'"),
    ("9*x0", "expected a scale of -8 to 7 times 2^-7 to 2^8, found 9*2^0 in the product '9*x0'"),
    ("x0 - 2^-8*y0*x1", "expected a scale of -8 to 7 times 2^-7 to 2^8, found -1*2^-8 in the product '2^-8*y0*x1'"),
    ("2^9*x0", "expected a scale of -8 to 7 times 2^-7 to 2^8, found 1*2^9 in the product '2^9*x0'"),
    ("x0*(w + 300)", "expected a whole number of at most 255 beside a name, found 300*2^0"),
    ("x0*(2^-1 + w)", "expected a whole number of at most 255 beside a name, found 1*2^-1"),
    ("x0*(w + y1)", "expected a whole number, found 'y1' in column 9 of 'x0*(w + y1)'"),
    ("x0*(x1*y1)", "expected +, - or ), found '*' in column 7 of 'x0*(x1*y1)'"),
    ("x0*(3 * w)", "expected +, - or ), found '*' in column 7 of 'x0*(3 * w)'"),
    ("x0*(w + 2 + 3)", "expected ), found '+' in column 11 of 'x0*(w + 2 + 3)'"),
    ("x0*(u1 + 3)", "expected a trace, w, d or t beside a number, found u1"),
    ("x0*(-w)", "expected a constant beside w in brackets, found none"),
    ("x1*(x0)", "expected a constant beside x0 in brackets, found none"),
    ("x0*sgn(x1)", "expected one of w, d and t, found 'x1' in column 8 of 'x0*sgn(x1)'"),
    ("x0*sgn(-w)", "expected one of w, d and t, found '-' in column 8 of 'x0*sgn(-w)'"),
    ("x0*u1", "expected u1 before x0: what comes first says when a product counts"),
    ("u1*x0 + u2*y0", "expected one of u0 to u9 in all rules of a projection, found u1 and u2"),
    ("x0*(w + ", "expected a whole number, found the end of 'x0*(w + '"),
    ("x0*", "expected a number or a name, found the end of 'x0*'"),
    ("x0*2^a", "expected a whole number, found 'a' in column 6 of 'x0*2^a'"),
    ("x0*x1 +", "expected a number or a name, found the end of 'x0*x1 +'"),
]


@pytest.mark.parametrize(("rule", "expected"), RULES)
def test_rules(rule: str, expected: str) -> None:
    """A rule that is no sum of products, or that the chip has no bits for, is refused with its place."""
    assert f"projections.0.synapse.params.dw: {expected}" == fault(synapse=said(dw=rule))


PARAMS: list[tuple[dict[str, Any], str]] = [
    ({}, "params: expected a rule for at least one of: dw, dd, dt"),
    ({"dw": " "}, "params: expected a rule for at least one of: dw, dd, dt"),
    ({"dw": 3}, "params.dw: expected text, found 3"),
    ({"dw": "u1*x1", "dt": "u2*y1"}, "params.dt: expected one of u0 to u9 in all rules of a projection, found u1 and u2"),
    ({"dw": RULE, "x1_impulse": -1}, "params.x1_impulse: expected at least 0, found -1"),
    ({"dw": RULE, "y3_impulse": 127.5}, "params.y3_impulse: expected at most 127, found 127.5"),
    ({"dw": RULE, "x2_tau": -0.5}, "params.x2_tau: expected at least 0, found -0.5"),
    ({"dw": RULE, "t_epoch": 0}, "params.t_epoch: expected at least 1, found 0"),
    ({"dw": RULE, "t_epoch": 64}, "params.t_epoch: expected at most 63, found 64"),
    ({"dw": RULE, "t_epoch": 1.5}, "params.t_epoch: expected a whole number, found 1.5"),
    ({"dw": RULE, "rng_seed": -1}, "params.rng_seed: expected at least 0, found -1"),
    ({"dw": RULE, "x1_impuls": 3},
     "params.x1_impuls: unknown key 'x1_impuls'; expected one of: dd, dt, dw, rng_seed, t_epoch, x1_impulse, x1_tau, x2_impulse, "
     "x2_tau, y1_impulse, y1_tau, y2_impulse, y2_tau, y3_impulse, y3_tau (did you mean x1_impulse?)"),
]


@pytest.mark.parametrize(("params", "expected"), PARAMS)
def test_params(params: dict[str, Any], expected: str) -> None:
    """Numbers outside of what the chip holds are refused."""
    assert f"projections.0.synapse.{expected}" == fault(synapse=said(**params))


KEYS: list[tuple[dict[str, Any], str]] = [
    ({"modulator": "a"}, "modulator: loihi_learning makes y1, y2 and y3 of its targets' spikes (Lava's Loihi2FLearningRule); "
                         "there are no rules whose y traces the neuron sends (Loihi3FLearningRule)"),
    ({"tie": "none"}, "tie: unknown key 'tie'; expected one of: init, model, params"),
    ({"params": "x"}, "params: expected a mapping, found the text 'x'"),
    ({"init": {"tag_3": 1}}, "init.tag_3: unknown state of loihi_learning 'tag_3'; expected one of: tag_1, tag_2 (did you mean "
                             "tag_2?)"),
    ({"init": {"tag_1": 300}}, "init.tag_1: expected whole numbers from -256 to 255, found 300 to 300"),
    ({"init": {"tag_2": {"uniform": [-3, 3]}}}, "init.tag_2: expected whole numbers from 0 to 255, found -3 to 3"),
    ({"init": {"tag_1": [1, 2]}}, "init.tag_1: expected 9 values, one for each of the synapses, found 2"),
]


@pytest.mark.parametrize(("keys", "expected"), KEYS)
def test_keys(keys: dict[str, Any], expected: str) -> None:
    """What else stands beside the rules."""
    assert f"projections.0.synapse.{expected}" == fault(synapse=said(keys, dw=RULE) if "params" not in keys else said(keys))


PROJECTION: list[tuple[str, dict[str, Any], str]] = [
    ("chip", {"synapse": "loihi_learning"}, "synapse.params: expected a rule for at least one of: dw, dd, dt"),
    ("chip", {"delay": "2 ms"},
     "delay: expected 1 step (1 ms) for loihi_learning: Lava's learning synapses have no delays, found 2 ms"),
    ("chip", {"delay": {"uniform": ["1 ms", "2 ms"]}},
     "delay: expected 1 step (1 ms) for loihi_learning: Lava's learning synapses have no delays, found delays that differ"),
    ("chip", {"num_message_bits": 8},
     "num_message_bits: expected 0 with loihi_learning: its traces take spikes without payload, found 8"),
    ("chip", {"weight": 300}, "weight: expected whole numbers from -256 to 255 for mixed weights, found 300 to 300"),
    ("chip", {"weight": -3, "sign_mode": "excitatory"},
     "weight: expected whole numbers from 0 to 255 for excitatory weights, found -3 to -3"),
    ("cells", {"weight": "10 pA"}, "synapse.model: loihi_learning: expected a model that computes as lava010, such as loihi_lif, or "
                                   "one that plays given spikes, found lif_psc_exp"),
    ("loihi1", {}, "synapse.model: loihi_learning: expected a model that computes as lava010, such as loihi_lif, or one that plays "
                   "given spikes, found loihi1_lif"),
    ("played", {"weight": "10 pA"}, "weight: expected whole numbers without a unit for loihi_learning, found a current (pA)"),
    ("played", {"weight_exp": -1}, "weight_exp: nothing is sent to played, which plays given spikes; expected 0, found -1"),
]


@pytest.mark.parametrize(("target", "options", "expected"), PROJECTION)
def test_projection(target: str, options: dict[str, Any], expected: str) -> None:
    """What a projection cannot have together with learning."""
    assert f"projections.0.{expected}" == fault(target, **options)


def test_recording_of_what_is_sent() -> None:
    """Only snapshots are recorded."""
    net = network()
    with pytest.raises(sn.InputError) as caught:
        net.record(weights={"w": {"projection": "a->chip", "on": "pre"}})
    expected = "record.weights.w.on: the weights of a->chip learn as on Loihi, and are recorded every so often: every: 100 ms"
    assert expected == str(caught.value)


def test_models_cannot_have_the_name() -> None:
    """A model of the user's would be hidden by it."""
    with pytest.raises(sn.InputError) as caught:
        sn.Network().model("loihi_learning", {"kind": "synapse", "on_pre": "w = w"})
    expected = "models.loihi_learning: loihi_learning is the name of Loihi's learning synapses; give this model another"
    assert expected == str(caught.value)


@pytest.mark.brian2
def test_brian2_lacks_it() -> None:
    """It refuses it by name."""
    if (why := registry.backends()["brian2"].lacks()) is not None:
        pytest.skip(why)
    found = [str(problem) for problem in registry.backends()["brian2"].refuses(make_plan(network("played")))]
    expected = "loihi_learning: Brian2 computes in real numbers, and this model in whole ones"
    assert f"projections.a->played.synapse: {expected}" in found
