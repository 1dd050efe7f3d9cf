"""Formats at the limits that thousands of processes and billions of units reach, without building such a network."""

from __future__ import annotations

import mmap
import sys
from math import prod
from types import SimpleNamespace

import numpy as np
import pytest

import snnsim as sn
from snnsim.backends.cpu import build_kernels, kernels
from snnsim.backends.cpu.build import lay_out
from snnsim.backends.cpu.draw import fast_words
from snnsim.backends.cpu.exchange_kernels import HEAD, LONGEST, code, decode, folded, put_number, take_number, unfolded
from snnsim.backends.cpu.plastic_build import index_type
from snnsim.backends.cpu.plastic_columns import Order, SynapseColumn
from snnsim.backends.cpu.spikes import SpikeLists
from snnsim.connect import Bound, rule_from_spec
from snnsim.connect.degree import _Rows
from snnsim.errors import InputError
from snnsim.lowering import make_plan
from snnsim.random import Stream, key_of, numpy_words, philox, to_below
from snnsim.slices import Slices, cut
from snnsim.timing import MAX_STEPS
from snnsim.world import ALONE

MOST = (1 << 31) - 1            # units of a network
BILLION = 10**9
FAR = 1 << 33                   # synapses, spikes or bytes that 32 bits cannot count
NO_RESERVE = 0x4000             # of mmap on Linux: addresses are not counted as memory
NOTHING = np.zeros((2, 0), np.int64)


def sparse(shape, dtype):
    """An array of zeros, of which only what is written takes memory."""
    size = prod(shape) * np.dtype(dtype).itemsize
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux promises addresses without memory")
    try:
        memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE)
    except OSError as error:
        pytest.skip(f"no {size >> 30} GiB of addresses: {error}")
    return np.frombuffer(memory, dtype).reshape(shape)


# --- who owns what -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("n", "parts", "ranks"), [
    (BILLION, 1, 65_536), (BILLION, 64, 1024), (MOST, 1, 65_536), (MOST, 1024, 65_536), (BILLION + 1, 3, 21_845),
])
def test_slices_of_many_units(n, parts, ranks):
    """The parts of all processes follow each other without gap or overlap, and differ by one unit at most."""
    chosen = sorted({0, 1, ranks // 2, ranks - 2, ranks - 1})
    cuts = [cut(n, parts, rank, ranks) for rank in chosen]
    assert all(each.dtype == np.int64 and (np.diff(each) >= 0).all() for each in cuts)
    assert (cuts[0][0], cuts[-1][-1]) == (0, n)
    sizes = np.concatenate([np.diff(each) for each in cuts])
    assert set(sizes.tolist()) <= {n // (parts * ranks), -(-n // (parts * ranks))}
    assert all(cut(n, parts, rank + 1, ranks)[0] == cut(n, parts, rank, ranks)[-1] for rank in chosen[:-1])


def test_slices_sum_up():
    """65 536 slices of a billion units make a billion."""
    ends = np.array([cut(BILLION, 1, rank, 65_536)[-1] for rank in range(65_536)])
    assert np.diff(ends, prepend=0).sum() == BILLION
    assert np.diff(ends, prepend=0).min() == BILLION // 65_536


def test_largest_slice():
    """No part has more units than `most` says, which is exact where one population is cut."""
    cuts = [cut(MOST, 64, 1023, 1024)]
    slices = Slices(64, cuts, [MOST], 1023, 1024)
    assert slices.largest(0) <= slices.most == -(-MOST // 65_536)
    assert slices.owned(0, 1023) == slices.own(0) == (int(cuts[0][0]), MOST)


# --- messages ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("value", [0, 127, 128, (1 << 31) - 1, 1 << 32, (1 << 35) - 1, (1 << 63) - 1])
def test_numbers_of_all_sizes(value):
    """A number takes 7 bits of each byte, and comes back."""
    out = np.zeros(LONGEST, np.uint8)
    end = put_number(out, 0, value)
    assert end == max(1, -(-value.bit_length() // 7))
    assert take_number(out, 0) == (value, end)


@pytest.mark.parametrize("value", [0, -1, 1, MOST, -MOST, (1 << 63) - 1, -(1 << 63)])
def test_folding(value):
    """A number with a sign comes back, the largest and the smallest of 64 bits, too."""
    out = np.zeros(LONGEST, np.uint8)
    end = put_number(out, 0, folded(value))
    assert end <= LONGEST
    assert unfolded(take_number(out, 0)[0]) == value


IDS = [0, MOST - 1, 0, 1, MOST - 1, MOST // 2, MOST - 2]
PAYLOADS = [0, -(1 << 31), (1 << 31) - 1, (1 << 63) - 1, -(1 << 63), 1, -1]


def sent(ids, payloads, marks, first=0, last=3):
    """The message of one list, and its bytes."""
    out = np.zeros(8 * HEAD + LONGEST * (2 * ids.shape[1] + marks.shape[1]), np.uint8)
    size, spikes = code(out, ids, payloads, marks, 1, first, last)
    return out, size, spikes


@pytest.mark.parametrize("graded", [False, True])
def test_messages_with_the_largest_numbers(graded):
    """Units up to 2^31 - 2 and payloads of 64 bits arrive as they are, whether numbers rise or fall."""
    ids = np.array([IDS, [0] * len(IDS)], np.int32)
    payloads = np.array([PAYLOADS, [0] * len(IDS)]) if graded else NOTHING
    marks = np.array([[0, 2, 2, 7], [0, 0, 0, 0]])
    out, size, spikes = sent(ids, payloads, marks)
    assert spikes == 7
    widest = 5 if not graded else 5 + LONGEST
    assert size <= 8 * HEAD + 3 + 7 * widest        # what the buffers of an exchange are made for
    decode(out, np.array([0, 0]), 1, ids, payloads, marks, 1, 0, 3)
    assert ids[1].tolist() == IDS
    assert marks[1].tolist() == [0, 2, 2, 7]
    if graded:
        assert payloads[1].tolist() == PAYLOADS


def test_lists_and_messages_longer_than_2_32():
    """Where spikes of a step and messages begin is counted in 64 bits."""
    ids, marks = sparse((2, FAR), np.int32), np.array([[FAR - 3, FAR - 1], [FAR - 5, 0]])
    ids[0, FAR - 3 : FAR - 1] = MOST - 1, 7
    message = sparse((FAR,), np.uint8)
    size, spikes = code(message[FAR - 100 :], ids, NOTHING, marks, 1, 0, 1)
    decode(message, np.array([FAR - 100, 0]), 1, ids, NOTHING, marks, 1, 0, 1)
    assert (size, spikes) == (8 * HEAD + 1 + 5 + 5, 2)
    assert marks[1].tolist() == [FAR - 5, FAR - 3]
    assert ids[1, FAR - 5 : FAR - 3].tolist() == [MOST - 1, 7]


# --- spikes of a chunk ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("done", [BILLION, 1 << 32, MAX_STEPS])
@pytest.mark.parametrize("graded", [False, True])
def test_spikes_late_in_the_largest_network(done, graded):
    """Spikes are sorted by step and unit in the last steps that a run may have, with as many units as there may be."""
    lists = SpikeLists(2, MOST, 1, 4, graded)
    lists.put(done - 2, np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64) if graded else None)
    lists.open(done - 2, 2)
    for t, units in enumerate(([MOST - 1, 5, 6], [MOST - 2])):
        lists.ids[t, : len(units)] = units
        if graded:
            lists.payloads[t, : len(units)] = units
    lists.start[:, -2:] = [[1, 3], [1, 1]]
    found = lists.gather(done, 2)
    assert found.step.tolist() == [done - 1, done - 1, done, done]
    assert found.unit.tolist() == [MOST - 2, MOST - 1, 5, 6]
    assert found.payload is None or found.payload.tolist() == found.unit.tolist()


# --- synapses of a process -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("count", "kind"), [
    (1 << 16, np.uint16), ((1 << 16) + 1, np.uint32), (1 << 32, np.uint32), ((1 << 32) + 1, np.uint64),
])
def test_widths(count, kind):
    """Numbers below `count` fit into the type, and those of one more would not."""
    assert index_type(count) is kind
    assert np.iinfo(kind).max >= count - 1


def test_rows_of_the_last_source():
    """Looked up in tables that 32 bits do not count, with synapses beyond 2^32."""
    groups = 64
    rows, parts = sparse((MOST * groups + 1,), np.uint64), np.zeros((3, 4), np.int64)
    rows[-2:] = FAR, FAR + 5
    ids = np.array([0, MOST - 1], np.int32)
    assert kernels.list_parts(rows.view(np.int64), groups, groups - 1, ids, 0, 2, parts, 0) == (1, 2)
    assert parts[:, 0].tolist() == [FAR, FAR + 5, MOST - 1]


def test_delivery_beyond_2_32_synapses():
    """The last synapses of a process with more than 2^32 arrive where they shall."""
    parts, acc = np.array([[FAR - 2], [FAR], [MOST - 1]]), np.zeros(9, np.int32)
    targets, weights = sparse((FAR,), np.uint16), sparse((MOST,), np.int32)
    targets[-2:], weights[-1] = (3, 4), 7
    kernels.deliver_rows(acc, targets, weights, parts, 1)
    words = sparse((FAR,), np.uint32)
    words[-2:] = 5 | 10 << 16, 6 | (1 << 32) - (9 << 16)
    kernels.deliver_pairs(acc, words, weights, parts, 1)
    own = sparse((FAR,), np.int16)
    own[-2:] = 30, -30
    kernels.deliver_synapses(acc, targets, own, parts, 1)
    assert acc.tolist() == [0, 0, 0, 37, -23, 10, -9, 0, 0]


def test_packing_beyond_2_32_synapses():
    """The row of the last source begins beyond 2^32: synapses are counted, placed and sorted there."""
    counts, source = sparse((MOST + 1,), np.int64), np.array([2, 2, 2], np.uint32)
    build_kernels.count_sources(counts, MOST - 2, source)
    assert counts[MOST] == 3
    counts[MOST] = FAR - 3
    order = np.zeros(3, np.int64)
    build_kernels.place_rows(counts, MOST - 2, source, order)
    assert order.tolist() == [FAR - 3, FAR - 2, FAR - 1]
    values, groups = sparse((FAR,), np.uint16), sparse((FAR,), np.uint8)
    build_kernels.scatter(order, np.array([1, 2, 3], np.uint16), values)
    build_kernels.scatter(order, np.array([1, 0, 1], np.uint8), groups)
    starts, rows = np.array([FAR - 3, FAR]), np.zeros(3, np.int64)
    build_kernels.count_groups(starts, groups, 2, rows)
    build_kernels.sort_rows(starts, groups, 2, rows, values, 3)
    assert rows.tolist() == [FAR - 3, FAR - 2, FAR]
    assert values[FAR - 3 :].tolist() == [2, 1, 3]


def plan_of(*sizes, ports=3):
    """What ``lay_out`` looks at."""
    return SimpleNamespace(populations=[SimpleNamespace(n=n, ports=dict.fromkeys("abc"[:ports])) for n in sizes])


def test_more_inputs_than_targets_can_name():
    """A thread with more than 2^32 places is refused, before anything is made; with two threads they fit."""
    plan = plan_of(MOST)
    with pytest.raises(InputError) as caught:
        lay_out(plan, Slices.of(plan, 1))
    assert str(caught.value) == (
        "threads: each would have 6,442,450,941 inputs of units, expected at most 4,294,967,296; more threads or processes "
        "have fewer each")
    assert max(lay_out(plan, Slices.of(plan, 2)).totals) == 3 << 30


# --- the order of synapses -----------------------------------------------------------------------------------------------

LONG = 3_000_000                # synapses of a source in each of two parts
MANY = 1000                     # sources


@pytest.fixture(scope="module")
def order():
    """Two parts with 6 billion synapses."""
    return Order([np.arange(MANY + 1) * LONG, np.arange(MANY + 1) * LONG], ALONE)


def test_order_of_six_billion_synapses(order):
    """Their numbers follow each other by source and part."""
    assert order.total == 2 * LONG * MANY > 1 << 32
    low = order.total - 10
    where, numbers, sources = order.within(1, low, order.total)
    assert (where.start, where.stop) == (LONG * MANY - 10, LONG * MANY)
    assert numbers.tolist() == list(range(10))
    assert set(sources.tolist()) == {MANY - 1}
    nowhere, numbers, _ = order.within(0, low, order.total)
    assert nowhere.start == nowhere.stop == LONG * MANY
    assert numbers.size == 0


def test_piece_across_parts_and_sources(order):
    """A piece that ends one source and begins the next is put together of both parts, whatever the rows' length."""
    low = 2 * LONG * (MANY - 1) - 4
    found = [order.within(part, low, low + 8) for part in (0, 1)]
    assert [(where.start, where.stop) for where, *_ in found] == [
        (LONG * (MANY - 1), LONG * (MANY - 1) + 4), (LONG * (MANY - 1) - 4, LONG * (MANY - 1))]
    assert [numbers.tolist() for _, numbers, _ in found] == [[4, 5, 6, 7], [0, 1, 2, 3]]
    assert [set(sources.tolist()) for *_, sources in found] == [{MANY - 1}, {MANY - 2}]


def test_synapses_found_by_number(order):
    """Number 2^32 and the last one are where they are counted."""
    wanted = np.array([1 << 32, order.total - 1])
    source, place = divmod(1 << 32, 2 * LONG)
    here = int(place >= LONG)
    own, positions = order.find(here, wanted[:1])
    assert own.tolist() == [0]
    assert positions.tolist() == [source * LONG + place - here * LONG]
    assert order.find(1, wanted)[1].tolist()[-1] == LONG * MANY - 1
    assert order.find(0, wanted[1:])[0].size == 0


def test_column_of_six_billion_numbers(order):
    """A column says how long it is, and its first piece is made of that piece alone."""
    column = SynapseColumn(order, ALONE, np.dtype(np.int64), lambda part, where, sources: np.arange(where.start, where.stop))
    assert column.shape == (6 * BILLION,)
    first = next(column.pieces())
    np.testing.assert_array_equal(first, np.arange(first.size))


# --- what is drawn -------------------------------------------------------------------------------------------------------

def bound_of(spec, n_source=BILLION, n_target=BILLION, same=True):
    return rule_from_spec(spec).bind(n_source, n_target, same, 5, "huge")


def drawn(bound: Bound, low: int, high: int, words=fast_words):
    """Source, target and number of the synapses onto some targets."""
    blocks = list(bound.blocks(low, high, words))
    index = [np.arange(b.index[0], sum(b.index), dtype=np.uint64) if isinstance(b.index, tuple) else b.index for b in blocks]
    return [np.concatenate(parts) for parts in ([b.source for b in blocks], [b.target for b in blocks], index)]


RULES = [
    {"rule": "fixed_indegree", "k": 10_000}, {"rule": "fixed_indegree", "k": 10_000, "multapses": False, "autapses": False},
    {"rule": "pairwise", "p": 1e-5}, {"rule": "pairwise", "p": 2.0**-12, "autapses": False}, {"rule": "one_to_one"},
]


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: "-".join(map(str, spec.values())))
def test_the_last_targets_of_a_billion(spec):
    """Synapses number 10^13 or 10^18 and beyond are the same alone, with others, and with words made by NumPy."""
    bound = bound_of(spec)
    low = BILLION - 3
    together = drawn(bound, low, BILLION)
    alone = [drawn(bound, t, t + 1) for t in range(low, BILLION)]
    for whole, *pieces, other in zip(together, *alone, drawn(bound, low, BILLION, numpy_words), strict=True):
        np.testing.assert_array_equal(whole, np.concatenate(pieces))
        np.testing.assert_array_equal(whole, other)
    source, target, index = together
    assert set(target.tolist()) == set(range(low, BILLION))
    assert source.max() < BILLION
    assert index.min() >= low * (index.size // 3 if spec["rule"] != "pairwise" else BILLION - 1)
    assert np.unique(index).size == index.size


def test_numbers_of_synapses():
    """10^13 and 10^18 synapses are counted exactly."""
    assert bound_of({"rule": "fixed_indegree", "k": 10_000}).synapses == 10**13
    assert bound_of("all_to_all").synapses == 10**18


def test_total_numbers_beyond_2_32():
    """Targets whose synapses begin beyond 2^32 draw their sources by those numbers."""
    bound = bound_of({"rule": "fixed_total", "n": FAR + 5}, n_target=2)
    bound.cache["prepared"] = _Rows(np.array([0, FAR, FAR + 5]), None)
    source, target, index = drawn(bound, 1, 2)
    words = Stream(5, "huge/connect", numpy_words).words(FAR, 5)
    assert index.tolist() == list(range(FAR, FAR + 5))
    assert target.tolist() == [1] * 5
    np.testing.assert_array_equal(source, to_below(words, BILLION))


@pytest.mark.parametrize("start", [(1 << 32) - 2, (1 << 34) - 2, 10**13, 10**18, (1 << 62) - 6])
def test_random_words_beyond_2_32(start):
    """The upper half of a counter is used, the same by NumPy and by compiled loops, in ranges and by number."""
    index = np.arange(start, start + 6, dtype=np.uint64)
    expected = []
    for i in index.tolist():
        counter = [np.array([part], np.uint64) for part in (i >> 2 & 0xFFFFFFFF, i >> 34, 3, 9)]
        expected.append(int(philox(counter, key_of(7))[i & 3][0]))
    for words in (numpy_words, fast_words):
        assert words.words(key_of(7), 9, start, 6, 3).tolist() == expected
        assert words.words_at(key_of(7), 9, index, 3).tolist() == expected


# --- what is refused -----------------------------------------------------------------------------------------------------

def test_more_units_than_numbers():
    """A network has at most 2^31 - 1 units, which is said before anything is drawn."""
    net = sn.Network(dt="0.1 ms", seed=1)
    net.population("a", 1 << 30, "lif_psc_exp")
    net.population("b", 1 << 30, "lif_psc_exp")
    with pytest.raises(InputError) as caught:
        make_plan(net)
    assert str(caught.value) == "populations: expected at most 2147483647 units in all, found 2147483648"
