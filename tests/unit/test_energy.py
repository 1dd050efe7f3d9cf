"""Events of small networks counted by hand, and what they cost."""

from __future__ import annotations

import json

import numpy as np
import pytest
from placements import chip, connection, graph, group

from snnsim.deploy.energy import Energy, estimate
from snnsim.deploy.graph import Graph, Learning
from snnsim.deploy.mapper import place
from snnsim.deploy.target import Target, load_target
from snnsim.errors import InputError


def run(network: Graph, target: Target, spikes: list[float], steps: int) -> Energy:
    """The estimate of a run on the chip where the network is placed."""
    return estimate(network, place(network, target), target, np.array(spikes), steps)


def line(**settings: object) -> Graph:
    """A source of the host, to two units, the first of which sends to both and to a third."""
    return graph([group("in", 1, "spike_times"), group("a", 2), group("b", 1)], [
        connection(0, 1, [(0, 0), (0, 1)]), connection(1, 1, [(0, 0), (0, 1)]), connection(1, 2, [(0, 0)], **settings)])


def test_events_are_counted() -> None:
    """In 10 steps the source sends 4 spikes and unit 0 sends 3: 4*2 + 3*3 synaptic operations."""
    found = run(line(), chip(neurons_per_core=2), [4, 3, 0, 1], 10)
    assert found.counts == {
        "synaptic_operation": 17,
        "neuron_active": 10 + 7 + 4,    # 4 + 3 + 3, 4 + 3, 3 + 1 steps with a spike that arrives or leaves
        "neuron_inactive": 0 + 3 + 6,
        "spike": 4,
        "axon_out": 6,                  # unit 0 sends to both cores, three times
        "learning_update": 0,
        "message": 10, "message_from_host": 4, "message_between_chips": 0,
        "hop_east_west": 0, "hop_north_south": 0, "barrier": 10,
    }


def test_a_unit_is_active_at_most_in_every_step() -> None:
    """However many spikes arrive."""
    found = run(line(), load_target("loihi1"), [400, 3, 0, 1], 10)
    assert (found.counts["neuron_active"], found.counts["neuron_inactive"]) == (10 + 10 + 4, 6)


def test_updates_of_synapses_that_learn() -> None:
    """In 10 steps there are 3 epochs of 3 steps, in which synapses whose source has sent are updated."""
    network = graph([group("a", 2), group("b", 2)], [
        connection(0, 1, [(0, 0), (0, 1), (1, 1)], learning=Learning(dw="x1*y0", t_epoch=3))])
    assert run(network, load_target("loihi2"), [5, 0, 1, 1], 10).counts["learning_update"] == 6
    assert run(network, load_target("loihi2"), [5, 1, 1, 1], 10).counts["learning_update"] == 9


def test_hops_of_each_message_are_counted() -> None:
    """One core to a tile of Loihi 2: the next stands one tile to the east, and a chip of one core ends there."""
    network = graph([group("a", 2)], [connection(0, 0, [(0, 1)])])
    near = run(network, chip("loihi2", neurons_per_core=1), [3, 0], 5)
    assert (near.counts["hop_east_west"], near.counts["hop_north_south"]) == (3, 0)
    assert near.counts["message_between_chips"] == 0
    far = run(network, chip("loihi2", neurons_per_core=1, cores_per_chip=1), [3, 0], 5)
    assert (far.counts["hop_east_west"], far.counts["message_between_chips"]) == (3 * 8, 3)


def test_energy_is_counts_times_constants() -> None:
    """With the numbers of Davies et al. (2018), Table 2, written out here once more."""
    found = run(line(), chip(neurons_per_core=2), [4, 3, 0, 1], 10)
    assert found.pj == pytest.approx({
        "synaptic_operation": 17 * 23.6, "neuron_active": 21 * 81, "neuron_inactive": 9 * 52, "spike": 4 * 69.3,
        "axon_out": 6 * 111, "learning_update": 0, "message": 10 * 1.7, "hop_east_west": 0, "hop_north_south": 0})
    assert found.dynamic_pj == pytest.approx(17 * 23.6 + 21 * 81 + 9 * 52 + 4 * 69.3 + 6 * 111 + 10 * 1.7)
    assert found.static_pj == pytest.approx(104.4 * found.step_ns * 10)


def test_a_step_lasts_as_long_as_on_the_busiest_core() -> None:
    """The core of the first two units has 14 synaptic operations, 17 active updates, 3 inactive, 3 spikes, 6 axons."""
    found = run(line(), chip(neurons_per_core=2), [4, 3, 0, 1], 10)
    assert found.step_ns == pytest.approx((14 * 3.5 + 17 * 8.4 + 3 * 5.3 + 3 * 30 + 6 * 5.1) / 10 + 465)
    assert found.busiest == place(line(), chip(neurons_per_core=2)).core[1]


def test_each_constant_names_its_source() -> None:
    """Those of Loihi 1 are called so on either chip."""
    for name in ("loihi1", "loihi2"):
        found = run(line(), load_target(name), [0, 0, 0, 0], 1)
        assert found.label == "Loihi 1 constants"
        assert all(constant.source and constant.sure in ("published", "measured") for constant in found.constants)
        assert [c.event for c in found.constants if c.pj is None] == ["barrier"]
    costs = {constant.event: (constant.pj, constant.ns) for constant in found.constants}
    assert costs["synaptic_operation"] == (23.6, 3.5)


def test_what_a_file_holds() -> None:
    """Counts first, in the types of JSON."""
    data = json.loads(json.dumps(run(line(), load_target("loihi2"), [4, 3, 0, 1], 10).to_dict()))
    assert list(data)[:3] == ["label", "steps", "counts"]
    assert data["dynamic_pj_per_step"] == pytest.approx(sum(data["pj"].values()) / 10)


def test_without_units_on_the_chip() -> None:
    """Only the barrier is left."""
    found = run(graph([group("in", 2, "spike_times")], []), load_target("loihi1"), [3, 4], 10)
    assert (found.busiest, found.step_ns, found.dynamic_pj) == (-1, 465.0, 0.0)


@pytest.mark.parametrize(("spikes", "steps", "message"), [
    ([1, 2], 10, "expected the spikes of 4 units, found int64 of shape (2,)"),
    ([1, 2, 3, -4], 10, "expected numbers of spikes, found one that is negative or not finite"),
    ([1, 2, 3, 4], 0, "expected at least one step, found 0"),
])
def test_counts_of_another_graph(spikes: list[float], steps: int, message: str) -> None:
    """What does not belong to the graph is refused."""
    with pytest.raises(InputError) as caught:
        run(line(), load_target("loihi1"), spikes, steps)
    assert str(caught.value) == message
