"""Each limit of a core by a network small enough to place by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from placements import all_to_all, chip, connection, graph, group

from snnsim.deploy.graph import Graph, Learning
from snnsim.deploy.mapper import Activity, Placement, place
from snnsim.deploy.target import load_target
from snnsim.errors import InputError


def shares(placement: Placement) -> list[list[tuple[str, int, int]]]:
    """What is on each core, in the order of the units."""
    return sorted([(one.group, one.start, one.stop) for one in core.shares] for core in placement.cores)


def source_and(n: int, pairs: list[tuple[int, int]], sources: int = 1, **settings: object) -> Graph:
    """Spikes from the host onto one group of LIF neurons."""
    return graph([group("in", sources, "spike_times"), group("a", n)], [connection(0, 1, pairs, **settings)])


def test_neurons_fill_a_core_before_the_next_begins() -> None:
    """Ten units on cores of four: 4, 4 and 2, and no fault."""
    placement = place(graph([group("a", 10)], []), chip(neurons_per_core=4))
    assert shares(placement) == [[("a", 0, 4)], [("a", 4, 8)], [("a", 8, 10)]]
    assert placement.fits and placement.violations == ()
    assert placement.core.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_units_of_the_host_need_no_core() -> None:
    """Sources are on no core, and their lists are counted where they arrive."""
    placement = place(source_and(3, all_to_all(2, 3), 2), load_target("loihi1"))
    assert placement.core.tolist() == [-1, -1, 0, 0, 0]
    assert placement.cores[0].axons_in == 2 and placement.cores[0].axons_out == 0
    assert placement.cores[0].synapses == 6


@pytest.mark.parametrize(("n", "pairs", "settings", "bits"), [
    (6, all_to_all(1, 6), {}, 64),                                # dense: 6*8 + 10 = 58
    (7, all_to_all(1, 7), {}, 128),                               # dense: 7*8 + 10 = 66
    (60, [(0, 59)], {}, 64),                                      # sparse: 8 + 6 + 10 = 24; dense would be 512
    (64, [(0, k) for k in range(3)], {}, 64),                     # sparse: 3*14 + 10 = 52
    (64, [(0, k) for k in range(4)], {}, 128),                    # sparse: 4*14 + 10 = 66
    (64, [(0, k) for k in range(13)], {}, 192),                   # an index of 6 bits: 13*14 + 10 = 192
    (65, [(0, k) for k in range(13)], {}, 256),                   # of 7 bits: 13*15 + 10 = 205
    (200, [(0, k) for k in range(3)], {}, 64),                    # of 8 bits: 3*16 + 10 = 58
    (600, [(0, k) for k in range(3)], {}, 64),                    # of 10 bits: 3*18 + 10 = 64
    (600, [(0, k) for k in range(3)], {"delay": 2}, 128),         # and one of delay: 3*19 + 10 = 67
    (64, all_to_all(1, 64), {}, 576),                             # a full block: 64*8 + 10 = 522
    (65, all_to_all(1, 65), {}, 640),                             # and one of one synapse: 18
    (5, all_to_all(1, 5), {"delay": 5}, 128),                     # 3 bits of delay: 5*11 + 10 = 65
    (5, all_to_all(1, 5), {"delay": 4}, 64),                      # 2 bits of delay: 5*10 + 10 = 60
    (9, all_to_all(1, 9), {"num_weight_bits": 6}, 64),            # 9*6 + 10 = 64
    (7, all_to_all(1, 7), {"num_weight_bits": 7}, 128),           # 7 weight bits are stored in 8
    (2, [(0, 0), (0, 0), (0, 1)], {}, 64),                        # twice the same pair: only sparse, 3*14 + 10 = 52
    (6, [*all_to_all(1, 6), (0, 0)], {}, 128),                    # 7*14 + 10 = 108; a dense list would take 64
])
def test_bits_of_synapses(n: int, pairs: list[tuple[int, int]], settings: dict[str, int], bits: int) -> None:
    """Lists of synapses in blocks of up to 64 with a header, in words; dense or sparse, whichever is less."""
    placement = place(source_and(n, pairs, **settings), load_target("loihi1"))
    assert sum(core.synapse_bits for core in placement.cores) == bits


@pytest.mark.parametrize(("learning", "bits"), [
    (Learning(dw="2^-2*x1*y0"), 8),
    (Learning(dw="2^-2*x1*y0", dt="y0*x1"), 8 + 9),    # a tag beside the weight
    (Learning(dw="2^-2*x1*y0*t"), 8 + 9),
    (Learning(dd="x1*y0"), 8 + 6),                     # any delay can come about
])
def test_synapses_that_learn_store_what_the_rule_names(learning: Learning, bits: int) -> None:
    """Three synapses of one unit from three sources: dense lists of one synapse each would hide the width, so 6 units."""
    network = source_and(6, all_to_all(1, 6), num_weight_bits=2, learning=learning)
    expected = -(-(6 * bits + 10) // 64) * 64
    assert place(network, load_target("loihi1")).cores[0].synapse_bits == expected


def test_synaptic_memory_ends_a_piece() -> None:
    """Three dense lists take 64 bits each up to six units, so 192 bits hold six."""
    placement = place(source_and(14, all_to_all(3, 14), 3), chip(memory=192))
    assert shares(placement) == [[("a", 0, 6)], [("a", 6, 12)], [("a", 12, 14)]]
    assert [core.synapse_bits for core in placement.cores] == [192, 192, 192]
    assert placement.fits


def test_neurons_share_the_memory_where_the_chip_says_so() -> None:
    """On Loihi 2 a LIF neuron takes 24 bytes of it: 6*192 + 64 bits hold six units and a list."""
    placement = place(source_and(8, all_to_all(1, 8)), chip("loihi2", memory=6 * 192 + 64))
    assert shares(placement) == [[("a", 0, 6)], [("a", 6, 8)]]
    assert [core.memory_bits for core in placement.cores] == [6 * 192 + 64, 2 * 192 + 64]


def test_axons_in_end_a_piece() -> None:
    """Each unit listens to two sources, one of them shared with the unit before: four units have five sources."""
    pairs = [(k + j, k) for k in range(8) for j in range(2)]
    placement = place(source_and(8, pairs, 9), chip(axons_in_per_core=5))
    assert shares(placement) == [[("a", 0, 4)], [("a", 4, 8)]]
    assert [core.axons_in for core in placement.cores] == [5, 5]


def test_axons_out_split_a_piece() -> None:
    """Four units that send to two cores each need eight axons; with five of them there is room for two units."""
    network = graph([group("a", 4), group("b", 4)], [connection(0, 1, all_to_all(4, 4))])
    target = chip(neurons_per_core=4, axons_out_per_core=5, settings=None, memory=4 * 64)
    narrow = target.model_copy(update={"axons_in_per_core": chip(axons_in_per_core=4).axons_in_per_core})
    assert shares(place(network, narrow)) == [[("a", 0, 4)], [("b", 0, 4)]]
    halves = chip(neurons_per_core=2, axons_out_per_core=3)
    placement = place(network, halves)
    assert shares(placement) == [[("a", 0, 1)], [("a", 1, 2)], [("a", 2, 3)], [("a", 3, 4)], [("b", 0, 2)], [("b", 2, 4)]]
    assert max(core.axons_out for core in placement.cores) == 2


def test_long_delays_leave_room_for_fewer_neurons() -> None:
    """A delay of 15 steps needs 16 slots, so 64 slots hold four units and 63 three; without delays, 32."""
    target = chip(delay_slots_per_core=64)
    assert shares(place(source_and(8, all_to_all(1, 8), delay=15), target)) == [[("a", 0, 4)], [("a", 4, 8)]]
    assert shares(place(source_and(6, all_to_all(1, 6), delay=15), chip(delay_slots_per_core=63))) == [
        [("a", 0, 3)], [("a", 3, 6)]]
    assert shares(place(source_and(8, all_to_all(1, 8), delay=1), target)) == [[("a", 0, 8)]]


def test_different_settings_end_a_piece() -> None:
    """Loihi 1 has eight thresholds on a core; nine units with one each need two cores."""
    placement = place(graph([group("a", 9, vth=np.arange(9), du=3)], []), load_target("loihi1"))
    assert shares(placement) == [[("a", 0, 8)], [("a", 8, 9)]]
    assert [core.settings["threshold configurations"] for core in placement.cores] == [8, 1]
    assert [core.settings["compartment configurations"] for core in placement.cores] == [1, 1]


def test_different_formats_end_a_piece() -> None:
    """Unit k listens by a connection of k + 1 weight bits: a core with three formats holds three units."""
    one_each = [connection(0, 1, [(0, k)], num_weight_bits=k + 1) for k in range(6)]
    network = graph([group("in", 1, "spike_times"), group("a", 6)], one_each)
    placement = place(network, chip(synapse_formats_per_core=3))
    assert shares(placement) == [[("a", 0, 3)], [("a", 3, 6)]]
    assert [core.synapse_formats for core in placement.cores] == [3, 3]


def test_small_groups_share_a_core() -> None:
    """The largest first: 6 + 2 and 5 + 3 units on cores of eight."""
    network = graph([group(name, n) for name, n in (("a", 3), ("b", 6), ("c", 2), ("d", 5))], [])
    assert shares(place(network, chip(neurons_per_core=8))) == [
        [("a", 0, 3), ("d", 0, 5)], [("b", 0, 6), ("c", 0, 2)]]


def test_groups_of_like_size_share_a_core_with_their_neighbours() -> None:
    """By strictly falling size it would be 8 + 8, 7 + 7 and 6 + 6 units."""
    network = graph([group(name, n) for name, n in zip("abcdef", (8, 6, 7, 8, 6, 7), strict=True)], [])
    placement = place(network, chip(neurons_per_core=16))
    assert [[one.group for one in core.shares] for core in placement.cores] == [["a", "b"], ["c", "d"], ["e", "f"]]


def test_groups_of_too_many_settings_do_not_share_a_core() -> None:
    """Five and four thresholds are one too many, though not if one of them is the same."""
    def network(first: int) -> Graph:
        return graph([group("a", 5, vth=np.arange(5)), group("b", 4, vth=first + np.arange(4))], [])

    assert shares(place(network(5), load_target("loihi1"))) == [[("a", 0, 5)], [("b", 0, 4)]]
    assert shares(place(network(4), load_target("loihi1"))) == [[("a", 0, 5), ("b", 0, 4)]]


def test_groups_whose_delays_need_too_many_slots_do_not_share_a_core() -> None:
    """Two units with delays of 15 steps and three without: five times 16 slots, where each alone needs less."""
    network = graph([group("in", 1, "spike_times"), group("a", 2), group("b", 3)],
                    [connection(0, 1, all_to_all(1, 2), delay=15), connection(0, 2, all_to_all(1, 3))])
    assert shares(place(network, chip(delay_slots_per_core=79))) == [[("a", 0, 2)], [("b", 0, 3)]]
    assert shares(place(network, chip(delay_slots_per_core=80))) == [[("a", 0, 2), ("b", 0, 3)]]


def test_a_limit_that_only_warns_does_not_shape_the_placement() -> None:
    """Loihi 2 has axons for 4096 sources as far as anybody knows: more are reported and placed."""
    network = source_and(2, [(k, k % 2) for k in range(5000)], 5000)
    placement = place(network, load_target("loihi2"))
    assert shares(placement) == [[("a", 0, 2)]]
    assert placement.fits
    assert [(v.level, v.kind, v.used, v.limit) for v in placement.violations] == [("warning", "axons in", 5000, 4096)]


def ring(cores: int) -> Graph:
    """Group k sends to group 7 k + 1 (mod cores), each of one unit."""
    return graph([group(f"g{k}", 1) for k in range(cores)],
                 [connection(k, (k + 7) % cores, [(0, 0)]) for k in range(cores)])


def test_cores_that_exchange_most_are_neighbours() -> None:
    """On a ring of twenty cores that was numbered otherwise, almost all messages go one core further."""
    placement = place(ring(20), chip(neurons_per_core=1))
    number = placement.core
    steps = sorted(abs(int(number[k] - number[(k + 7) % 20])) for k in range(20))
    assert steps == [1] * 19 + [19]


def test_places_run_to_and_fro_along_the_rows() -> None:
    """Eight tiles of four cores in a row, then back; the next chip stands to the east."""
    placement = place(graph([group("a", 130)], []), chip(neurons_per_core=1))
    found = [(core.chip, core.column, core.row) for core in placement.cores]
    assert [found[k] for k in (0, 3, 4, 31, 32, 36, 63, 64, 127, 128)] == [
        (0, 0, 0), (0, 0, 0), (0, 1, 0), (0, 7, 0), (0, 7, 1), (0, 6, 1), (0, 0, 1), (0, 0, 2), (0, 0, 3), (1, 8, 0)]
    assert placement.chips == 2


def test_messages_follow_what_was_counted() -> None:
    """Two units send to the other core, one of them 30 times in 10 steps, and one sends to its own."""
    network = graph([group("a", 2), group("b", 2)], [connection(0, 1, [(0, 0), (1, 0), (1, 1)]), connection(1, 1, [(0, 1)])])
    target = chip(neurons_per_core=2)
    silent = place(network, target).messages()
    assert (silent["rates"], silent["total"], silent["within_core"]) == ("one spike of each unit in each step", 3.0, 1.0)
    counted = place(network, target, Activity(np.array([30, 0, 5, 0]), 10))
    assert counted.messages() == {
        "rates": "counted", "total": 3.5, "from_host": 0.0, "within_core": 0.5, "between_chips": 0.0, "mean_hops": 0.0,
        "top": [{"from": int(counted.core[0]), "to": int(counted.core[2]), "messages": 3.0, "hops": 0}]}
    assert place(network, target, Activity({"a": 60}, 10)).messages()["total"] == 6.0


def test_hops_are_counted_in_tiles() -> None:
    """Core 0 is in the first tile, core 4 in the one east of it, core 127 in the last row of the first column."""
    network = graph([group("a", 128)], [connection(0, 0, [(0, 4), (0, 127)])])
    placement = place(network, chip(neurons_per_core=1))
    far = {int(core): (placement.cores[core].column, placement.cores[core].row) for core in placement.routes.place}
    own = placement.cores[placement.core[0]]
    distances = [abs(own.column - column) + abs(own.row - row) for column, row in far.values()]
    assert placement.messages()["mean_hops"] == sum(distances) / 2


def test_the_same_graph_is_placed_the_same_way() -> None:
    """Nothing random, and nothing that depends on the order of memory."""
    rng = np.random.default_rng(3)
    network = graph([group("a", 300), group("b", 200)],
                    [connection(k, j, rng.integers(0, 200, (2000, 2))) for k in (0, 1) for j in (0, 1)])
    first, second = (place(network, chip(neurons_per_core=40)) for _ in range(2))
    assert json.dumps(first.to_dict()) == json.dumps(second.to_dict())


def test_what_a_file_holds() -> None:
    """Cores, groups, use of each limit, messages and faults, in the types of JSON."""
    placement = place(source_and(6, all_to_all(1, 6)), chip(neurons_per_core=4))
    data = json.loads(json.dumps(placement.to_dict()))
    assert sorted(data) == ["chips", "cores", "fits", "graph", "groups", "messages", "target", "use", "violations"]
    assert data["groups"] == {"a": [0, 1]}
    assert data["use"]["neurons"] == {"limit": 4, "mean": 3.0, "largest": 4, "sure": "given", "source": "a test", "warn": False}
    assert data["cores"][0]["shares"] == [{"group": "a", "start": 0, "stop": 4}]


def test_a_graph_without_units_that_need_cores() -> None:
    """Nothing to place is no fault."""
    placement = place(graph([group("in", 3, "spike_times")], []), load_target("loihi2"))
    assert (placement.cores, placement.chips, placement.fits) == ((), 0, True)
    assert placement.to_dict()["messages"]["total"] == 0.0


@pytest.mark.parametrize(("activity", "message"), [
    (Activity(np.zeros(3), 10), "expected the spikes of 2 units, found float64 of shape (3,)"),
    (Activity(np.array(["a", "b"]), 10), "expected the spikes of 2 units, found <U1 of shape (2,)"),
    (Activity(np.array([1, -1]), 10), "expected numbers of spikes, found one that is negative or not finite"),
    (Activity(np.array([1, np.nan]), 10), "expected numbers of spikes, found one that is negative or not finite"),
    (Activity(np.zeros(2), 0), "expected at least one step, found 0"),
    (Activity({"exc": 3}, 1), "unknown group 'exc'; expected one of: exec"),
])
def test_activity_of_another_graph(activity: Activity, message: str) -> None:
    """What does not belong to the graph is refused."""
    with pytest.raises(InputError) as caught:
        place(graph([group("exec", 2)], []), load_target("loihi2"), activity)
    assert str(caught.value).removesuffix(" (did you mean exec?)") == message
