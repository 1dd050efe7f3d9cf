"""Whatever the network and the chip: every unit has one core, and no limit is broken without a word."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from placements import chip, connection, graph, group, recount

from snnsim.deploy.graph import Connection, Graph
from snnsim.deploy.mapper import Placement, place

KINDS = {"neurons": None, "memory_bits": "synaptic memory (bits)", "axons_in": "axons in", "axons_out": "axons out"}


@st.composite
def connections(draw: Any, sizes: list[int], targets: list[int]) -> Connection:
    """Random synapses between two groups, some of them twice, with one or several delays."""
    source, target = draw(st.integers(0, len(sizes) - 1)), draw(st.sampled_from(targets))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    many = draw(st.integers(0, 3 * sizes[source]))
    pairs = rng.integers(0, [sizes[source], sizes[target]], (many, 2))
    delay = rng.integers(1, draw(st.sampled_from([2, 9])), many)
    return connection(source, target, pairs, delay=delay, num_weight_bits=draw(st.sampled_from([1, 4, 7, 8])))


@st.composite
def networks(draw: Any) -> Graph:
    """Up to four groups, the first of which may be the host's, and up to five connections."""
    sizes = draw(st.lists(st.integers(1, 90), min_size=1, max_size=4))
    host = draw(st.booleans()) and len(sizes) > 1
    groups = [group(f"g{k}", n, "spike_times" if host and k == 0 else "loihi_lif", vth=np.arange(n) % (k + 2))
              for k, n in enumerate(sizes)]
    targets = list(range(1 if host else 0, len(sizes)))
    return graph(groups, draw(st.lists(connections(sizes, targets), max_size=5)))


chips = st.fixed_dictionaries({
    "base": st.sampled_from(["loihi1", "loihi2"]), "neurons_per_core": st.integers(1, 128),
    "memory": st.integers(256, 20_000), "axons_in_per_core": st.integers(1, 100), "axons_out_per_core": st.integers(1, 100),
    "delay_slots_per_core": st.sampled_from([None, 40, 400]),
    "synapse_formats_per_core": st.sampled_from([None, 1, 3]),
})


@settings(max_examples=150)
@given(networks(), chips)
def test_every_unit_has_one_core_within_the_limits(network: Graph, limits: dict[str, Any]) -> None:
    """Counted again synapse by synapse, and held against the limits and the faults that were reported."""
    target = chip(**limits)
    placement = place(network, target)
    _each_unit_once(network, placement)
    most = {"neurons": limits["neurons_per_core"], "memory_bits": limits["memory"],
            "axons_in": limits["axons_in_per_core"], "axons_out": limits["axons_out_per_core"]}
    for core in placement.cores:
        used = recount(network, placement, core)
        assert used == {name: getattr(core, name) for name in used}
        for name, number in used.items():
            if number > most[name]:
                assert core.neurons == 1 and (KINDS[name], f"group {core.shares[0].group}") in _reported(placement)
        delays = [int(one.delay[_onto(network, one, core)].max(initial=1)) for one in network.connections]
        slots = core.neurons * (max(delays, default=1) + 1)
        assert slots <= (limits["delay_slots_per_core"] or slots) or "delay slots" in {kind for kind, _ in _reported(placement)}
        assert core.synapse_formats <= (limits["synapse_formats_per_core"] or 99) or core.neurons == 1
        assert core.settings.get("threshold configurations", 0) <= 8
    assert {kind for kind, _ in _reported(placement)} <= {*KINDS.values(), "delay slots", "synapse formats"}


def _reported(placement: Placement) -> set[tuple[str, str]]:
    return {(violation.kind, violation.where) for violation in placement.violations}


def _onto(network: Graph, one: Connection, core: Any) -> np.ndarray:
    """Which synapses of a connection are on a core."""
    name = network.groups[one.target].name
    return np.any([(share.group == name) & (one.post >= share.start) & (one.post < share.stop) for share in core.shares], axis=0)


def _each_unit_once(network: Graph, placement: Placement) -> None:
    """By the cores' own lists, and by the core of each unit."""
    seen = np.full(network.first[-1], -1)
    for number, core in enumerate(placement.cores):
        for share in core.shares:
            first = network.first[[one.name for one in network.groups].index(share.group)]
            assert (seen[first + share.start : first + share.stop] == -1).all()
            seen[first + share.start : first + share.stop] = number
    assert seen.tolist() == placement.core.tolist()
    on_host = np.concatenate([np.full(one.n, one.model == "spike_times") for one in network.groups])
    assert ((seen == -1) == on_host).all()


@settings(max_examples=50)
@given(networks(), chips)
def test_cores_stand_where_their_numbers_say(network: Graph, limits: dict[str, Any]) -> None:
    """Chips are filled one after the other, and no more cores stand on a tile than it has."""
    placement = place(network, chip(cores_per_chip=5, **limits))
    assert [core.chip for core in placement.cores] == [k // 5 for k in range(len(placement.cores))]
    tiles = [(core.column, core.row) for core in placement.cores]
    assert max((tiles.count(tile) for tile in tiles), default=0) <= 4


@settings(max_examples=50)
@given(networks(), chips)
def test_messages_go_once_to_each_core(network: Graph, limits: dict[str, Any]) -> None:
    """With one spike of each unit, as many as there are pairs of a unit and a core that it sends to."""
    placement = place(network, chip(**limits))
    sent = {(one.source, int(pre), int(placement.core[network.first[one.target] + post]))
            for one in network.connections for pre, post in zip(one.pre, one.post, strict=True)}
    found = placement.messages()
    assert found["total"] + found["from_host"] == len(sent)
    assert found["total"] == sum(core.axons_out for core in placement.cores)
