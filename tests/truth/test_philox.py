"""Random words against the known answers of Random123, and against themselves in other partitions."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from snnsim.random import NumpyWords, Stream, key_of, philox, step_words, stream_id

# kat_vectors of Random123, "philox4x32 10": counter, key, result.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def numbers(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_known_answers(counter: str, key: str, result: str) -> None:
    """Philox4x32-10 gives the published words."""
    low, high = numbers(key)
    words = philox([np.array([c], np.uint64) for c in numbers(counter)], (low, high))
    assert numbers(result) == [int(word[0]) for word in words]


def test_layout_of_indexed_draws() -> None:
    """Draw i is word i & 3 of the counter (i >> 2 low, i >> 2 high, draw, stream)."""
    index, seed = (5 << 36) + 7, (9 << 32) + 3
    counter = [index >> 2 & 0xFFFFFFFF, index >> 34, 11, stream_id("here")]
    expected = philox([np.array([c], np.uint64) for c in counter], (3, 9))[3]
    assert expected == Stream(seed, "here").words(index, 1, draw=11)


def test_layout_of_step_draws() -> None:
    """The draw of unit u in step k is word k & 3 of the counter (u, part, k >> 2, stream)."""
    expected = philox([np.array([c], np.uint64) for c in (8, 2, 101, 55)], key_of(6))[3]
    assert expected == step_words(6, 55, 4 * 101 + 3, np.array([8]), part=2)


def test_stream_number_is_blake2b() -> None:
    """A stream's number is the first four bytes of blake2b of its label, little endian."""
    assert int.from_bytes(hashlib.blake2b(b"weight", digest_size=4).digest()[::-1], "big") == stream_id("weight")


@pytest.mark.parametrize("start", [0, 1, 3, 4, 32767, 2**34 - 2])
def test_any_way_of_asking_gives_the_same_words(start: int) -> None:
    """A range, its parts, single indices in order and in disorder: one word per index."""
    stream, count = Stream(7, "x"), 40_001
    words = stream.words(start, count, draw=2)
    parts = [stream.words(start, 17, 2), stream.words(start + 17, count - 17, 2)]
    index = np.arange(start, start + count, dtype=np.uint64)
    shuffled = np.random.default_rng(1).permutation(count)
    assert np.array_equal(words, np.concatenate(parts))
    assert np.array_equal(words, stream.take(index, 2))
    assert np.array_equal(words[shuffled], stream.take(index[shuffled], 2))


def test_no_words() -> None:
    """Asking for nothing gives nothing."""
    assert len(Stream(1, "x").words(5, 0)) == 0
    assert len(Stream(1, "x").take(np.zeros(0, np.uint64))) == 0


def test_seed_label_and_draw_matter() -> None:
    """Another seed (low or high half), label or draw number gives other words."""
    streams = [Stream(1, "a"), Stream(2, "a"), Stream(1 + (1 << 32), "a"), Stream(1, "b")]
    words = [tuple(s.words(0, 8)) for s in streams] + [tuple(streams[0].words(0, 8, draw=1))]
    assert len(words) == len(set(words))


def test_the_source_can_be_replaced() -> None:
    """Every word comes through the source that the stream was given."""

    class Counting(NumpyWords):
        asked = 0

        def words(self, key: tuple[int, int], stream: int, start: int, count: int, draw: int = 0) -> np.ndarray:
            self.asked += count
            return super().words(key, stream, start, count, draw)

    source = Counting()
    assert np.array_equal(Stream(1, "a").uniform(3, 9), Stream(1, "a", source).uniform(3, 9))
    assert source.asked == 9
