"""What a chip does not hold: the full text of each, and the numbers beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from placements import all_to_all, chip, connection, graph, group

from snnsim.deploy.graph import Graph, Learning
from snnsim.deploy.mapper import Violation, place
from snnsim.deploy.target import Target, load_target


def found(network: Graph, target: Target) -> list[Violation]:
    """Every fault; nothing is placed twice or left out because of them."""
    placement = place(network, target)
    on_core = [one for core in placement.cores for share in core.shares for one in range(share.start, share.stop)]
    assert len(on_core) == (placement.core >= 0).sum()
    return list(placement.violations)


def only(network: Graph, target: Target) -> Violation:
    """The one fault."""
    (violation,) = found(network, target)
    return violation


def pair(n: int = 2, sources: int = 1, **settings: object) -> Graph:
    """Host spikes onto some LIF neurons, all to all."""
    return graph([group("in", sources, "spike_times"), group("a", n)],
                 [connection(0, 1, all_to_all(sources, n), **settings)])


def test_a_model_that_the_chip_has_not() -> None:
    """The chip's own models are listed; the units are placed all the same."""
    violation = only(graph([group("a", 3, "loihi_rf")], []), load_target("loihi1"))
    assert str(violation) == (
        "group a: loihi1 has no neurons of the model loihi_rf; use one of: loihi1_lif, loihi_lif; or list the model below "
        "'models:' in a target of your own, with the bytes that a neuron takes")
    assert (violation.kind, violation.level, violation.used, violation.limit) == ("model", "error", 3, 0)


def test_a_delay_that_is_too_long() -> None:
    """In steps as the network counts them: one more than the chip's own number."""
    violation = only(pair(delay=130), chip(delay_slots_per_core=None))
    assert str(violation) == (
        "connection 0->1: a delay of 130 steps; at most 63; shorten delays to 63 steps, or let 2 more group(s) of neurons "
        "pass the spikes on")
    assert (violation.kind, violation.used, violation.limit, violation.sure) == ("delay", 130, 63, "published")


def test_messages_that_are_too_wide() -> None:
    """Loihi 1 sends spikes without payload; those of the host may come several times in a step."""
    network = graph([group("a", 1), group("b", 1)], [connection(0, 1, [(0, 0)], num_message_bits=8)])
    violation = only(network, load_target("loihi1"))
    assert str(violation) == (
        "connection 0->1: messages of 8 bits; at most 0; set num_message_bits: 0, or choose a target with graded spikes")
    assert (violation.kind, violation.used, violation.limit) == ("message bits", 8, 0)
    assert found(network, load_target("loihi2")) == found(pair(num_message_bits=24), load_target("loihi1")) == []


def test_weights_that_are_too_wide() -> None:
    """A chip of six bits at most."""
    coding = load_target("loihi1").synapses
    narrow = coding.model_copy(update={"weight_bits": coding.weight_bits.model_copy(update={"value": [4, 6]})})
    violation = only(pair(), chip(synapses=narrow.model_dump()).model_copy(update={"synapses": narrow}))
    assert str(violation) == "connection 0->1: weights of 8 bits; at most 6; set num_weight_bits: 6"
    assert (violation.kind, violation.used, violation.limit) == ("weight bits", 8, 6)


def test_synapses_that_learn_where_none_can() -> None:
    """A chip without learning, and epochs longer than there are."""
    network = pair(learning=Learning(dw="x1*y0", t_epoch=70))
    violation = only(network, chip(learning=False))
    assert str(violation) == (
        "connection 0->1: 2 synapses learn; loihi1 has no learning; leave 'synapse:' out, so that the weights stay as they "
        "are")
    violation = only(network, load_target("loihi1"))
    assert str(violation) == "connection 0->1: epochs of 70 steps; at most 63; set t_epoch: 63"


def test_spikes_to_units_of_the_host() -> None:
    """The host only sends."""
    network = graph([group("a", 1), group("in", 2, "relay")], [connection(0, 1, [(0, 0), (0, 1)])])
    violation = only(network, load_target("loihi2"))
    assert str(violation) == (
        "connection 0->1: in is made by the host and receives nothing from the chip; let a group of neurons receive, or "
        "leave the connection out")


def test_a_unit_with_too_many_synapses() -> None:
    """Units 0, 2 and 3 have 16, 20 and 18 sources, each with a list of 64 bits; a core has 1000."""
    network = graph([group("in", 20, "spike_times"), group("a", 4)],
                    [connection(0, 1, [(pre, k) for k, many in enumerate((16, 1, 20, 18)) for pre in range(many)])])
    violation = only(network, chip(memory=1000))
    assert str(violation) == (
        "group a: 3 of 4 units need more synaptic memory (bits) than a core has: unit 2 needs 1,280, a core has 1,000; "
        "spread the inputs of each over 2 units that it adds up")
    assert (violation.kind, violation.used, violation.limit) == ("synaptic memory (bits)", 1280, 1000)


def test_a_unit_with_too_many_sources() -> None:
    """Axons of a core are counted by source, whatever the number of synapses."""
    violation = only(pair(1, 9), chip(axons_in_per_core=4))
    assert str(violation) == (
        "group a: 1 of 1 units need more axons in than a core has: unit 0 needs 9, a core has 4; spread the inputs of each "
        "over 3 units that it adds up")


def test_a_unit_that_sends_to_too_many_cores() -> None:
    """One unit, three cores of one unit each."""
    network = graph([group("a", 1), group("b", 3)], [connection(0, 1, all_to_all(1, 3))])
    violation = only(network, chip(neurons_per_core=1, axons_out_per_core=2))
    assert str(violation) == (
        "group a: 1 of 1 units need more axons out than a core has: unit 0 needs 3, a core has 2; let it send to fewer "
        "cores: to fewer units, or through groups that pass its spikes on")


def test_a_unit_with_delays_beyond_the_slots() -> None:
    """A delay of 15 steps takes 16 slots."""
    violation = only(pair(1, delay=15), chip(delay_slots_per_core=10))
    assert str(violation) == (
        "group a: 1 of 1 units need more delay slots than a core has: unit 0 needs 16, a core has 10; shorten its delays "
        "to 9 steps")
    assert found(pair(1, delay=9), chip(delay_slots_per_core=10)) == []


def test_a_unit_with_too_many_formats() -> None:
    """Three connections of different widths onto one unit."""
    network = graph([group("in", 1, "spike_times"), group("a", 1)],
                    [connection(0, 1, [(0, 0)], num_weight_bits=bits) for bits in (2, 4, 6)])
    violation = only(network, chip(synapse_formats_per_core=2))
    assert str(violation) == (
        "group a: 1 of 1 units need more synapse formats than a core has: unit 0 needs 3, a core has 2; give more of its "
        "connections the same weight bits, exponent, sign mode and delays")


def test_limits_that_only_warn() -> None:
    """Named with the core that is worst, and how to have them kept."""
    violations = found(graph([group("a", 5000)], [connection(0, 0, [(k, 0) for k in range(5000)])]), load_target("loihi2"))
    assert [str(violation) for violation in violations] == [
        "network: 1 of 1 cores use more than 4,096 axons in: core 0 uses 5,000; with 'axons_in_per_core: 4096' in a target "
        "of your own it is placed within that",
        "network: 1 of 1 cores use more than 4,096 axons out: core 0 uses 5,000; with 'axons_out_per_core: 4096' in a "
        "target of your own it is placed within that"]
    assert {violation.level for violation in violations} == {"warning"}


def test_more_chips_than_there_are() -> None:
    """Neurons fill the cores: only more chips, or fewer neurons, help."""
    violation = only(graph([group("a", 30)], []), chip(chips=2, cores_per_chip=2, neurons_per_core=5))
    assert str(violation) == (
        "network: 6 cores on 3 chips of 2; there are 2; what fills the cores is neurons (100% on average); take 3 chips or "
        "fewer units and synapses")
    assert (violation.kind, violation.used, violation.limit) == ("chips", 3, 2)


def test_fewer_weight_bits_make_room() -> None:
    """Sixteen lists of 38 and of 22 synapses: 320 and 192 bits each; all 60 take 384 with 6 bits, 256 with 4, 128 with 1."""
    network = pair(60, 16)
    small = {"memory": 16 * 320, "cores_per_chip": 1}
    assert str(only(network, chip(chips=1, **small))) == (
        "network: 2 cores on 2 chips of 1; there are 1; what fills the cores is memory (80% on average); with "
        "num_weight_bits: 4 it takes 1")
    tiny = {"memory": 16 * 64, "cores_per_chip": 1}
    assert str(only(network, chip(chips=1, **tiny))).endswith(
        "what fills the cores is memory (100% on average), even with num_weight_bits: 1 it takes 2; take 10 chips or fewer "
        "units and synapses")


def test_synapses_that_learn_keep_their_bits() -> None:
    """No number of weight bits is proposed for them."""
    network = pair(60, 16, learning=Learning(dw="x1*y0"))
    assert str(only(network, chip(chips=1, memory=16 * 320, cores_per_chip=1))).endswith(
        "what fills the cores is memory (80% on average); take 2 chips or fewer units and synapses")


def test_all_faults_are_found_together() -> None:
    """None hides another."""
    network = graph([group("a", 3, "loihi_rf"), group("b", 2)],
                    [connection(0, 1, all_to_all(3, 2), delay=70, num_message_bits=4, learning=Learning(dw="x1*y0"))])
    target = chip(learning=False, chips=1, cores_per_chip=1, neurons_per_core=2, axons_in_per_core=2)
    kinds = [violation.kind for violation in found(network, target)]
    assert kinds == ["model", "delay", "message bits", "learning", "axons in", "chips"]


def test_weights_are_not_looked_at() -> None:
    """What is stored does not depend on the values of weights."""
    network = pair(5)
    heavier = replace(network, connections=(replace(network.connections[0], weight=np.full(5, 200, np.int32)),))
    one, other = (place(g, load_target("loihi1")).cores[0].synapse_bits for g in (network, heavier))
    assert one == other
