"""Formats at the limits that thousands of processes and billions of units reach, without building such a network."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import snnsim as sn
from snnsim.backends.cpu import build_kernels
from snnsim.backends.cpu import kernels as delivery
from snnsim.backends.cpu.draw import fast_words
from snnsim.backends.cpu.exchange_kernels import HEAD, LONGEST, code, decode, folded, put_number, take_number, unfolded
from snnsim.backends.cpu.plastic_build import index_type
from snnsim.backends.cpu.plastic_columns import Order, SynapseColumn
from snnsim.backends.cpu.spikes import SpikeLists
from snnsim.connect import Bound, rule_from_spec
from snnsim.errors import InputError
from snnsim.lowering import make_plan
from snnsim.random import NumpyWords, key_of, numpy_words, philox
from snnsim.slices import Slices, cut
from snnsim.timing import MAX_STEPS
from snnsim.world import ALONE

MOST = (1 << 31) - 1            # units of a network
BILLION = 10**9


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
    payloads = np.array([PAYLOADS, [0] * len(IDS)]) if graded else np.zeros((2, 0), np.int64)
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


def test_messages_beyond_2_31_spikes():
    """Where spikes of a step begin is counted in 64 bits: lists of 2^33 spikes, all of them in one cell of memory."""
    long = (1 << 33) + 3
    cell = np.full((2, 1), MOST - 1, np.int32)
    ids = as_strided(cell, (2, 1 << 34), (4, 0))
    marks = np.array([[long, long + 2], [long - 1, 0]])
    out, _, spikes = sent(cell, np.zeros((2, 0), np.int64), np.array([[0, 1]]), 0, 1)
    out = np.zeros(100, np.uint8)
    _, spikes = code(out, ids, np.zeros((2, 0), np.int64), marks, 1, 0, 1)
    cell[1] = 0
    decode(out, np.array([0, 0]), 1, ids, np.zeros((2, 0), np.int64), marks, 1, 0, 1)
    assert spikes == 2
    assert marks[1].tolist() == [long - 1, long + 1]
    assert cell[1, 0] == MOST - 1


def test_messages_of_many_processes_lie_beyond_2_32_bytes():
    """Where messages begin is counted in 64 bits."""
    ids, marks = np.array([[MOST - 1], [0]], np.int32), np.array([[0, 1], [0, 0]])
    nothing = np.zeros((2, 0), np.int64)
    out, size, _ = sent(ids, nothing, marks, 0, 1)
    far = as_strided(out[None], (1 << 26, out.size), (0, 1))
    assert far.nbytes > 1 << 32
    offset = (1 << 33) - (1 << 33) % out.size
    # A flat view that repeats would need memory: the place is moved instead, by as much as the address.
    base = as_strided(out, (offset + out.size,), (0,))
    assert base.size > 1 << 32
    places = np.array([offset, 0])
    base_like = np.lib.stride_tricks.as_strided(np.frombuffer(bytes([0]), np.uint8), (1,), (1,))
    assert places[0] > 1 << 32
    assert base_like.size == 1
