"""Coincident spikes of both sides of a plastic synapse, and the order of events in a step, against numbers worked out here."""

from __future__ import annotations

import math
from typing import Any

import pytest

import snnsim as sn

DT = 0.1
W, W_MAX, TAU = 60.0, 100.0, 20.0
UP, DOWN = 0.1 * W_MAX, 0.2 * W_MAX
PARAMS = {"w_max": f"{W_MAX} pA", "lambda": 0.1, "alpha": 2, "mu_plus": 0, "mu_minus": 0}
TIES = ["none", "pre_first", "post_first"]
BACKENDS = ["reference", "cpu"]


def decay(steps: int) -> float:
    """What is left of a trace."""
    return math.exp(-steps * DT / TAU)


def sent(pre: list[int], post: list[int], backend: str, delay: int = 4, **synapse: Any) -> tuple[list[int], list[float], float]:
    """Steps and weights of what one synapse sends, and its weight in the end, for spikes in these steps."""
    net = sn.Network(dt=f"{DT} ms", precision="double")
    net.population("pre", 1, "spike_times", times=[f"{s} step" for s in pre], ids=[0] * len(pre))
    net.population("post", 1, "spike_times", times=[f"{s} step" for s in post], ids=[0] * len(post))
    net.project("pre", "post", sn.one_to_one(), weight=f"{W} pA", delay=f"{delay} step", name="it",
                synapse={"model": "stdp_pair", "params": PARAMS, **synapse})
    net.record(weights={"sent": {"projection": "it", "on": "pre"}, "end": {"projection": "it", "every": "60 step"}})
    result = sn.run(net, "60 step", backend=backend)
    found = result.weights("sent")
    return [round(t / DT) for t in found.times], found.values.tolist(), float(result.weights("end").values[-1, 0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("tie", "expected", "end"), [
    ("none", W, W),                 # neither sees the other
    ("pre_first", W, W + UP),       # the target's spike sees the trace of the source's, which has left
    ("post_first", W - DOWN, W - DOWN),
])
def test_one_coincidence(tie: str, expected: float, end: float, backend: str) -> None:
    """A spike of the target in step 10 is at the synapse in step 14, together with that of the source."""
    assert sent([14], [10], backend, tie=tie) == ([14], [pytest.approx(expected, abs=1e-12)], pytest.approx(end, abs=1e-12))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tie", TIES)
def test_spikes_that_do_not_coincide(tie: str, backend: str) -> None:
    """A step apart, the rule for coincidences does not matter: the source first (13, then 14), or the target (14, then 15)."""
    steps, weights, end = sent([13, 15], [10], backend, tie=tie)
    up = W + UP * decay(1)
    assert steps == [13, 15]
    assert weights == pytest.approx([W, up - DOWN * decay(1)], abs=1e-12)
    assert end == pytest.approx(weights[-1], abs=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tie", TIES)
def test_coincidence_after_earlier_spikes(tie: str, backend: str) -> None:
    """Earlier spikes of both sides count under each rule; a coincidence adds the pair of that step, or does not."""
    steps, weights, end = sent([14, 24], [5, 20], backend, tie=tie)   # the target's at the synapse: 9, 24
    first = W - DOWN * decay(5)
    up, down = UP * decay(10), DOWN * decay(15)
    second, last = {
        "none": (first + up - down, first + up - down),
        "pre_first": (first - down, first - down + up + UP),
        "post_first": (first + up - down - DOWN, first + up - down - DOWN),
    }[tie]
    assert steps == [14, 24]
    assert weights == pytest.approx([first, second], abs=1e-12)
    assert end == pytest.approx(last, abs=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("pairing", "trace"), [("all", decay(10) + decay(5)), ("nearest", decay(5))])
def test_pairing(pairing: str, trace: float, backend: str) -> None:
    """All earlier spikes of the target count, or the latest alone."""
    _, weights, _ = sent([20], [6, 11], backend, pairing=pairing)
    assert weights == pytest.approx([W - DOWN * trace], abs=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("axonal", "pre", "post"), [(None, 20, 16), ("1 step", 19, 17), ("3 step", 17, 19)])
def test_parts_of_the_delay(axonal: str | None, pre: int, post: int, backend: str) -> None:
    """The axonal part moves spikes of the source, the rest those of the target: all of these coincide in step 20."""
    more = {} if axonal is None else {"axonal": axonal}
    steps, weights, end = sent([pre], [post], backend, tie="post_first", **more)
    assert steps == [20]
    assert weights == pytest.approx([W - DOWN], abs=1e-12)
    steps, weights, end = sent([pre], [post], backend, **more)
    assert (weights, end) == ([W], W)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("tie", "expected", "end"), [
    ("none", [W, W], W),
    ("pre_first", [W, W], W + 3 * 2 * 2.0),
    ("post_first", [W - 3 * 4.0, W - 2 * 3 * 4.0], W - 2 * 3 * 4.0),
])
def test_several_spikes_in_the_step_of_a_coincidence(tie: str, expected: list[float], end: float, backend: str) -> None:
    """Two spikes of the source and three of the target: each of them runs its rule, and adds to its trace."""
    params = {**PARAMS, "lambda": 0.02}   # 2 pA up, 4 pA down
    steps, weights, last = sent([14, 14], [10, 10, 10], backend, tie=tie, params=params)
    assert steps == [14, 14]
    assert weights == pytest.approx(expected, abs=1e-12)
    assert last == pytest.approx(end, abs=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_sent_arrives_after_the_dendritic_part(backend: str) -> None:
    """A spike of step 10 with 2 of 5 steps axonal is at the synapse in step 12 and arrives in step 15, as it was sent."""
    net = sn.Network(dt=f"{DT} ms", precision="double")
    net.population("pre", 1, "spike_times", times=["10 step"], ids=[0])
    net.population("post", 1, "lif_psc_exp")
    net.project("pre", "post", sn.one_to_one(), weight=f"{W} pA", delay="5 step", name="it",
                synapse={"model": "stdp_pair", "params": PARAMS, "axonal": "2 step"})
    net.record(weights={"sent": {"projection": "it", "on": "pre"}}, traces={"post": {"variables": ["i_exc"]}})
    result = sn.run(net, "20 step", backend=backend)
    assert [round(t / DT) for t in result.weights("sent").times] == [12]
    assert result.trace("post", "i_exc")[:, 0].nonzero()[0][0] + 1 == 15
    assert result.trace("post", "i_exc")[14, 0] == W
