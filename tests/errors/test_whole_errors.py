"""The full text of every message about models in whole numbers and the weights that reach them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.equations import model_from_document
from snnsim.errors import InputError

GOOD: dict[str, Any] = {
    "fixed_point": "lava010",
    "parameters": {"top": {"default": 10, "must_be": "whole", "range": [0, 100]}, "half": 0.5},
    "receive": {"in": "a = w : 1"},
    "dynamics": "x[n+1] = x[n] + a : 1",
    "spike": "x > top",
    "reset": {"x": 0},
}
# What is changed in GOOD, and what is said.
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"fixed_point": "loihi3"}, "fixed_point: unknown fixed_point 'loihi3'; expected one of: lava010, loihi1 (did you mean loihi1?)"),
    ({"dynamics": "dx/dt = a*(1/ms) : 1"},
     "fixed_point: expected maps such as v[n+1] = v + 1 : 1, found differential equations"),
    ({"dynamics": "x[n+1] = x[n]/2 + a : 1"}, "dynamics: line 1: 'x[n] / 2' has no place in whole numbers"),
    ({"dynamics": "x[n+1] = x[n]*0.5 + a : 1"}, "dynamics.x: expected whole numbers, found 0.5"),
    ({"dynamics": "x[n+1] = 3/(x[n] + 1) + a : 1"},
     "dynamics: line 1: '3 / (x[n] + 1)' has no place in whole numbers"),
    ({"dynamics": "x[n+1] = exp(x[n]) + a : 1"}, "dynamics: line 1: 'exp(x[n])' has no place in whole numbers"),
    ({"dynamics": "x[n+1] = x[n] + a*mV : mV", "spike": None, "reset": None},
     "fixed_point: x: expected a number without unit, found a voltage (mV)"),
    ({"dynamics": "x[n+1] = trunc(x[n]) + a : 1"},
     "dynamics.x: trunc(...) takes a product with an expression of parameters, found trunc(x)"),
    ({"spike": "x > 1.5"}, "spike: expected whole numbers, found 1.5"),
    ({"refractory": {"for": "2 ms", "hold": "x"}}, "fixed_point: refractory has no place in a model in whole numbers"),
    ({"inputs": {"i": "1"}}, "fixed_point: continuous inputs have no place in a model in whole numbers"),
    ({"send": "x", "spike": None, "reset": None}, "send: a payload needs spike: ... and fixed_point: ..."),
    ({"send": "x", "fixed_point": None}, "send: a payload needs spike: ... and fixed_point: ..."),
    ({"parameters": {"top": {"default": 10, "range": [5]}}}, "parameters.top: range: expected [lowest, highest], found [5]"),
    ({"parameters": {"top": {"default": 10, "range": [5, 1]}}},
     "parameters.top: range: expected two ascending values of a number without unit, found [5, 1]"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_in_a_model_in_whole_numbers(change: dict[str, Any], message: str) -> None:
    """Each names its place and what was expected."""
    document = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(InputError) as caught:
        model_from_document("m", document)
    assert str(caught.value) == message


@pytest.mark.parametrize(("expression", "message"), [
    ("v >> 2", "'v >> 2' needs fixed_point: a model in whole numbers"),
    ("shrink(v, 2)", "'shrink(v, 2)' needs fixed_point: a model in whole numbers"),
])
def test_other_models_have_no_shifts(expression: str, message: str) -> None:
    """A model of real numbers that shifts is told what it takes."""
    with pytest.raises(InputError) as caught:
        model_from_document("m", {"dynamics": f"v[n+1] = {expression} : 1"})
    assert str(caught.value) == f"dynamics: line 1: {message}"


@pytest.mark.parametrize(("values", "message"), [
    ({"top": 101}, "top: expected a value from 0 to 100, found 101"),
    ({"top": 1.5}, "top: expected a whole number, found 1.5"),
    ({"top": np.array([1, 2, -3])}, "top: expected a value from 0 to 100, found -3 for unit 2"),
])
def test_parameters_are_whole_and_in_range(values: dict[str, Any], message: str) -> None:
    """Lava would wrap them without a word."""
    model = model_from_document("m", {**GOOD, "parameters": {"top": GOOD["parameters"]["top"]}})
    with pytest.raises(InputError) as caught:
        model.bind(values, 1.0)
    assert str(caught.value) == message


def test_a_number_of_the_host_that_is_not_whole() -> None:
    """Its expression and its value are named."""
    model = model_from_document("m", {**GOOD, "dynamics": "x[n+1] = x[n]*half + a : 1"})
    with pytest.raises(InputError) as caught:
        model.bind({}, 1.0)
    assert str(caught.value) == "half: half is 0.5, expected a whole number below 2^53"


@pytest.mark.parametrize(("settings", "message"), [
    ({"weight": 300}, "projections.0.weight: expected whole numbers from 0 to 255 for excitatory weights, found 300 to 300"),
    ({"weight": 1.5}, "projections.0.weight: expected a whole number, found 1.5; weight_exp shifts it"),
    ({"weight": {"uniform": [-300, 3]}},
     "projections.0.weight: expected whole numbers from -256 to 255 for mixed weights, found -300 to 3"),
    ({"weight": -1, "sign_mode": "excitatory"},
     "projections.0.weight: expected whole numbers from 0 to 255 for excitatory weights, found -1 to -1"),
    ({"weight": 1, "weight_exp": 9}, "projections.0.weight_exp: expected at most 7, found 9"),
    ({"weight": 1, "num_weight_bits": 0}, "projections.0.num_weight_bits: expected at least 1, found 0"),
    ({"weight": 1, "num_message_bits": 25},
     "projections.0.num_message_bits: expected at most 24, found 25"),
    ({"weight": 1, "weight_ex": 1}, "projections.0.weight_ex: unknown key 'weight_ex'"),
])
def test_weights_beyond_their_bits(settings: dict[str, Any], message: str) -> None:
    """Named where Lava clips or wraps."""
    net = sn.Network(dt="1 ms")
    net.population("a", 2, "loihi_lif")
    with pytest.raises(InputError) as caught:
        net.project("a", "a", sn.all_to_all(), **settings)
    assert str(caught.value).startswith(message)


def test_settings_of_whole_numbers_onto_real_ones() -> None:
    """They would do nothing."""
    net = sn.Network()
    net.population("a", 2, "lif_psc_exp")
    with pytest.raises(InputError) as caught:
        net.project("a", "a", sn.all_to_all(), weight="1 pA", weight_exp=2)
    assert str(caught.value) == ("projections.0.weight_exp: is for models in whole numbers such as loihi_lif, "
                                 "found lif_psc_exp")
