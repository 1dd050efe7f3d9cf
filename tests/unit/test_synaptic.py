"""Weights and delays computed for each synapse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.lowering import make_plan
from snnsim.synaptic import Synaptic

GRID = {"grid": [4, 3], "spacing": "100 um"}


def network(connect: Any, weight: Any, delay: Any = "1 ms", **more: Any) -> sn.Network:
    """Twelve cells on a grid that are connected to themselves."""
    net = sn.Network(seed=3, precision="double")
    cells = net.population("cells", 12, "lif_psc_exp", positions=GRID)
    net.project(cells, cells, connect, weight=weight, delay=delay, **more)
    return net


def weights(connect: Any, weight: Any, delay: Any = "1 ms") -> dict[str, np.ndarray]:
    """The synapses of such a network."""
    return sn.compile(network(connect, weight, delay), backend="reference").weights(0)


def test_units_and_sizes() -> None:
    """i is the number of the source, j that of the target."""
    found = weights(sn.pairwise(0.4), {"expression": "(i + 100*j)*pA"}, {"expression": "(1 + i*n_target + j)*dt"})
    assert len(found["source"]) > 20
    assert found["weight"].tolist() == (found["source"] + 100 * found["target"]).tolist()
    np.testing.assert_allclose(found["delay"], 0.1 * (1 + 12 * found["source"] + found["target"]))


@pytest.mark.parametrize("boundary", ["open", "periodic"])
def test_distance(boundary: str) -> None:
    """d is the distance of the two units, the short way round where the rule is periodic."""
    rule = sn.distance({"disc": {"radius": "1 mm"}}, boundary)
    found = weights(rule, {"expression": "1 pA*d/um"})
    gaps = [np.abs(np.subtract(f(found["source"]), f(found["target"]), dtype=float)) for f in (lambda k: k % 4, lambda k: k // 4)]
    if boundary == "periodic":
        gaps = [np.minimum(gap, size - gap) for gap, size in zip(gaps, (4, 3), strict=True)]
    assert len(found["source"]) == 144
    np.testing.assert_allclose(found["weight"], 100 * np.hypot(*gaps), atol=1e-9)


def test_distance_falls_with_every_rule() -> None:
    """A rule without a boundary of its own measures distances in open space."""
    found = weights(sn.all_to_all(autapses=False), {"expression": "8 pA*exp(-d/(100*um))"})
    assert found["weight"].max() == pytest.approx(8 * np.exp(-1))
    assert found["weight"].min() == pytest.approx(8 * np.exp(-np.hypot(3, 2)))


def test_range_is_that_of_all_synapses() -> None:
    """The quantum and the longest delay come from the values themselves."""
    [projection] = make_plan(network(sn.all_to_all(), {"expression": "(i - 5)*pA"}, {"expression": "(1 + j)*ms"})).projections
    assert (projection.weight.low, projection.weight.high) == (-5, 6)
    assert projection.delays == (10, 120)
    assert projection.ports == ("exc", "inh")


def test_draws_are_keyed_by_the_synapse() -> None:
    """uniform() and normal() give the same synapse the same number in any part of the network."""
    [projection] = make_plan(network(sn.fixed_indegree(5), {"expression": "(uniform() + normal())*pA"})).projections
    whole = np.concatenate([b.weight for b in projection.blocks(0, 12)])
    parts = np.concatenate([b.weight for low, high in ((0, 5), (5, 6), (6, 12)) for b in projection.blocks(low, high)])
    assert whole.tolist() == parts.tolist()
    assert len(set(whole.tolist())) == 60


def test_no_synapse_at_all() -> None:
    """Without synapses there is nothing to be out of range."""
    program = sn.compile(network(sn.pairwise(0.0), {"expression": "1*pA"}, {"expression": "1*ms"}), backend="cpu", threads=1)
    program.run("1 ms")
    assert program.plan.max_delay == 1


def test_lists_without_pairs() -> None:
    """Neither has an empty list of weights or delays a range."""
    net = network(sn.explicit([], [], weight=[], delay=[]), None, None)
    sn.compile(net, backend="cpu", threads=1).run("1 ms")
    assert sn.loads(net.to_yaml()) == net


def test_canonical_form() -> None:
    """The file says the expression again."""
    net = network(sn.all_to_all(), {"expression": "1 pA*i"}, {"expression": "1 ms + j*dt"})
    assert isinstance(net.projections[0].weight, Synaptic)
    assert "weight: {expression: 1 pA*i}" in net.to_yaml()
    assert sn.loads(net.to_yaml()) == net


def test_weights_of_a_list_of_pairs() -> None:
    """A rule that lists pairs may give its weights by an expression."""
    rule = sn.explicit([0, 3], [1, 2], weight={"expression": "1 pA*(i + j)"})
    program = sn.compile(network(rule, None), backend="reference")
    assert sorted(program.weights(0)["weight"].tolist()) == [1, 5]
