"""Spikes that carry payloads: each receiver gets weight times payload, exactly, whichever way they take."""

from __future__ import annotations

import numpy as np
import pytest
from graded import KINDS, MOST, OneHot, network

import snnsim as sn

ENGINES = [("reference", None), ("cpu", 1), ("cpu", 2), ("cpu", 3)]


@pytest.mark.parametrize(("backend", "threads"), ENGINES)
@pytest.mark.parametrize("bits", [24, 0])
@pytest.mark.parametrize("kind", KINDS)
def test_one_hot(kind: str, bits: int, backend: str, threads: int | None) -> None:
    """Unit i sends payload i after delays of 1 to 63 (200) steps, up to 24 bits; without bits each counts as 1."""
    it = OneHot(kind, bits)
    result = sn.run(it.net, f"{it.steps} ms", backend=backend, threads=threads)
    np.testing.assert_array_equal(result.trace("target", "got").data, it.expected)
    steps, ids = result.steps_of("source")
    np.testing.assert_array_equal(ids, np.arange(1, it.n))   # a payload of 0 is no spike
    np.testing.assert_array_equal(steps, it.when[1:])
    np.testing.assert_array_equal(result.payloads("source"), it.value[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_one_hot_goes_through_each_kind_of_bundle(kind: str) -> None:
    """The networks are what the test above takes them for."""
    for bits in (0, 24):
        facts = sn.compile(OneHot(kind, bits).net, backend="cpu", threads=1).engine.facts()
        assert facts["bundles"] == [f"{kind}: source->target"]


@pytest.mark.parametrize(("backend", "threads"), ENGINES)
def test_sums_beyond_32_bits(backend: str, threads: int | None) -> None:
    """The largest payloads times the largest weights, from many units at once."""
    net = network()
    net.population("source", 50, "once", value=np.where(np.arange(50) < 30, MOST, -MOST))
    net.population("target", 3, "sink")
    net.project("source", "target", sn.all_to_all(), weight=255, weight_exp=7, num_message_bits=24, delay="2 ms")
    net.record(traces={"target": {"variables": ["got"]}})
    got = sn.run(net, "4 ms", backend=backend, threads=threads).trace("target", "got").data
    assert got.tolist() == [[0] * 3, [0] * 3, [10 * MOST * (255 << 7)] * 3, [0] * 3]


@pytest.mark.parametrize(("backend", "threads"), ENGINES)
def test_a_negative_exponent_shifts_the_sum(backend: str, threads: int | None) -> None:
    """As Lava does it: payloads times weights are summed, then shifted right, rounded down."""
    net = network()
    net.population("source", 4, "once", value=[1, 2, -5, 7])
    net.population("target", 1, "sink")
    net.project("source", "target", sn.all_to_all(), weight=[3, 1, 2, 5], weight_exp=-3, num_message_bits=24, delay="1 ms")
    net.record(traces={"target": {"variables": ["got"]}})
    got = sn.run(net, "2 ms", backend=backend, threads=threads).trace("target", "got").data
    assert got[1, 0] == (3 + 2 - 10 + 35) >> 3


@pytest.mark.parametrize(("backend", "threads"), ENGINES)
def test_bits_of_messages_of_a_source_that_sends_none(backend: str, threads: int | None) -> None:
    """A binary spike carries a 1, and several of them in one step are as many."""
    net = network()
    net.population("played", 2, "spike_times", times={0: ["1 ms"], 1: ["1 ms", "1 ms", "1 ms"]})
    net.population("source", 2, "once", value=9)
    net.population("target", 2, "sink")
    net.project(["played", "source"], "target", sn.one_to_one(), weight=20, num_message_bits=24, delay="1 ms")
    net.record(traces={"target": {"variables": ["got"]}}, spikes=["played", "source"])
    result = sn.run(net, "2 ms", backend=backend, threads=threads)
    assert result.trace("target", "got")[1].tolist() == [20 + 180, 60 + 180]
    assert result.graded == ["source"]
    assert (result.payloads("played").tolist(), result.payloads("source").tolist()) == ([1] * 4, [9, 9])
