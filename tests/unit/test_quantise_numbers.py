"""Whole numbers from real ones: decays, thresholds, biases, mantissas, scales and lags."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnsim.deploy.quantise.integers import best_exponent, bias, decay, mantissas, most_bias, quantised, threshold
from snnsim.deploy.quantise.scale import Load, Room, best_scale
from snnsim.deploy.quantise.timing import REFERENCE, Edge, lags


@pytest.mark.parametrize(("left", "current", "parts", "got"), [
    (0.96, False, 164, 1 - 164 / 4096), (1.0, False, 0, 1.0), (0.0, False, 4095, 1 / 4096),
    (0.96, True, 163, 1 - 164 / 4096), (1.0, True, 0, 4095 / 4096), (0.0, True, 4095, 0.0),
])
def test_decays_of_lava(left, current, parts, got):
    """Lava adds 1 to the decay of a current, which so always leaks; a potential never loses all in one step."""
    assert decay(left, "lava010", current) == (parts, got)


@pytest.mark.parametrize(("left", "parts"), [(0.96, 164), (1.0, 0), (0.0, 4096)])
def test_decays_of_loihi_1(left, parts):
    """On Loihi 1 both decays are what they say."""
    assert decay(left, "loihi1", True) == decay(left, "loihi1", False) == (parts, 1 - parts / 4096)


def test_decays_of_units():
    """Units may differ."""
    parts, got = decay(np.array([0.5, 0.75]), "lava010", False)
    assert parts.tolist() == [2048, 1024]
    assert got.tolist() == [0.5, 0.75]


@given(st.floats(64, 131071 * 64), st.booleans())
def test_threshold_is_the_nearest(height, strict):
    """The least potential that spikes is at most half a unit of the threshold off, a whole one where it is meant exactly."""
    vth = int(threshold(height, strict))
    exact = abs(height / 64 - round(height / 64)) < 1e-6
    first = np.floor(height) + 1 if strict else np.ceil(height)
    assert abs(64 * vth + 1 - first) <= (64 if exact else 33)
    if exact:
        reached = 64 * round(height / 64)
        assert (reached > 64 * vth) == (not strict)


@given(st.floats(-4096 * 128, 4095 * 128))
def test_bias_is_the_nearest(value):
    """A bias is off by at most half of what its exponent says, which is no larger than it must be."""
    mantissa, exponent = (int(part) for part in bias(value))
    assert -4096 <= mantissa <= 4095
    assert 0 <= exponent <= 7
    assert abs(mantissa * 2**exponent - value) <= 2**exponent / 2
    assert exponent == 0 or abs(round(value / 2 ** (exponent - 1))) > 4095


def test_largest_bias():
    """Beyond the largest bias there is none."""
    assert [int(part) for part in bias(10.0 * most_bias())] == [4095, 7]


def test_mixed_mantissas_are_even():
    """Weights of both signs have even mantissas, to the nearest."""
    assert mantissas(np.array([-3.1, -1.0, 0.9, 1.1, 5.0, 300.0, -300.0]), 0, True).tolist() == [-4, 0, 0, 2, 4, 254, -254]


def test_exponent_of_least_error():
    """The exponent suits all weights, not the largest alone: 256 is cut to 255 rather than all halved."""
    weights = np.concatenate([np.arange(1.0, 255.0, 2.0), [256.0]])
    assert best_exponent(weights, False) == 0
    assert quantised(weights, False).whole[-1] == 255
    assert best_exponent(weights, False, largest=256.0) == 1


@given(st.lists(st.floats(-30000, 30000), min_size=1, max_size=20), st.booleans())
def test_no_exponent_is_better(weights, mixed):
    """No other exponent has a smaller sum of squared errors."""
    values = np.array(weights)
    errors = [float(np.sum((mantissas(values, e, mixed) * 2.0**e - values) ** 2)) for e in range(8)]
    found = quantised(values, mixed)
    assert float(np.sum((found.sizes - values) ** 2)) <= min(errors) * (1 + 1e-9) + 1e-9


def test_scale_that_makes_weights_exact():
    """Of the scales that fit, one is taken on which all weights have mantissas."""
    loads = [Load(np.array([0.1]), 20.0, 100.0), Load(np.array([-0.5]), 20.0, 25.0), Load(np.array([0.15]), 20.0, 9.0, synapse=False)]
    scale = best_scale(loads, 3300.0)
    assert 1650 < scale <= 3300
    for load in loads:
        assert np.allclose(load.rounded(scale, 0), load.weights, rtol=1e-12)


def test_scale_of_nothing_is_the_largest():
    """Where nothing arrives, the scale is as large as it can be."""
    assert best_scale([], 1234.5) == 1234.5


def test_room_names_what_limits():
    """What limits the scale is known by name."""
    assert Room(20.0, 40.0, 0.0, 0.0, 0.0).limits() == {"threshold": 131071 / 20, "potential": (2**23 - 1) / 64 / 40}
    limits = Room(1.0, 1.0, 1.0, 1.0, 1000.0).limits()
    assert min(limits, key=limits.__getitem__) == "weights"


def test_lags_stay_where_they_can():
    """Nothing moves where all constraints hold."""
    assert lags({"a": 0, "b": 0}, [Edge("a", "b", -3), Edge("b", "a", 0)]) == {"a": 0, "b": 0}


def test_lags_along_a_chain():
    """Each connection without a delay puts its target one step behind."""
    assert lags({"a": 0, "b": 0, "c": 0}, [Edge("a", "b", 1), Edge("b", "c", 1)]) == {"a": 0, "b": 1, "c": 2}


def test_lag_of_a_clock():
    """Where the target is bound to the clock, the source goes ahead."""
    edges = [Edge(REFERENCE, "b", 0), Edge("b", REFERENCE, 0), Edge("a", "b", 1)]
    assert lags({"a": 0, "b": 0}, edges) == {"a": -1, "b": 0}


def test_lags_of_a_fast_cycle():
    """A cycle without enough delay is found."""
    found = lags({"a": 0, "b": 0, "c": 0}, [Edge("a", "b", 1), Edge("b", "a", 0), Edge("b", "c", 1)])
    assert isinstance(found, list)
    assert {(edge.source, edge.target) for edge in found} == {("a", "b"), ("b", "a")}
