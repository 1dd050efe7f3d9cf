"""Statistics of spike trains against their definitions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnsim.analysis import cv_isi, dispersion, isi, lz_complexity, rates, spike_distance, synchrony

TRAIN = st.lists(st.integers(0, 400).map(lambda k: k / 4), max_size=12)


def test_rates_count_spikes_per_second() -> None:
    """Two spikes in half a second are 4 Hz; the start is exclusive, the end inclusive, silent units are zero."""
    assert rates([0, 100, 500, 501], [1, 1, 1, 1], n=3, duration=500).tolist() == [0, 4, 0]


def test_intervals_stay_within_a_unit() -> None:
    """Intervals are of one unit each, whatever the order of the spikes."""
    assert isi([3, 1, 10, 4, 30], [0, 0, 1, 0, 1]).tolist() == [2, 1, 20]
    assert isi([1, 2, 4]).tolist() == [1, 2]
    assert isi([]).tolist() == []


def test_cv_of_a_clock_is_zero_and_of_poisson_one() -> None:
    """CV is 0 for a clock, sd/mean by hand for a known train, about 1 for a Poisson process, NaN for two spikes."""
    assert cv_isi(np.arange(10) * 5.0) == pytest.approx(0, abs=1e-12)
    assert cv_isi([0, 1, 4]) == pytest.approx(1 / 2)
    poisson = np.cumsum(np.random.default_rng(1).exponential(10, 20_000))
    assert cv_isi(poisson) == pytest.approx(1, abs=0.02)
    found = cv_isi([0, 1, 4, 7, 8], [2, 2, 2, 0, 0], n=4)
    assert np.array_equal(found, [np.nan, np.nan, 0.5, np.nan], equal_nan=True)


def test_synchrony_is_one_for_copies_and_small_for_strangers() -> None:
    """Golomb's chi is 1 for identical units, about 1/sqrt(n) for independent ones, NaN for silence."""
    rng, n = np.random.default_rng(2), 100
    one = rng.uniform(0, 2000, 60)
    ids = np.repeat(np.arange(n), 60)
    assert synchrony(np.tile(one, n), ids, n, 2000) == pytest.approx(1)
    assert synchrony(rng.uniform(0, 2000, 60 * n), ids, n, 2000) == pytest.approx(0.1, rel=0.2)
    assert np.isnan(synchrony([], [], n, 2000))


def test_dispersion_is_one_for_poisson_and_grows_with_the_number_of_copies() -> None:
    """Variance over mean by hand, 1 for independent Poisson trains, n for n copies of one, NaN for silence; a spike at a
    border ends the window before it, and what is left after the last whole window does not count."""
    assert dispersion([3.0, 3.1, 6.0, 9.5, 11.9], duration=10.9, window=3.0) == pytest.approx(np.var([1, 2, 0]) / 1)
    assert dispersion([13.0, 13.1, 16.0], duration=6.0, window=3.0, start=10.0) == pytest.approx(np.var([1, 2]) / 1.5)
    rng = np.random.default_rng(3)
    one = rng.uniform(0, 60_000, rng.poisson(6000))
    assert dispersion(one, 60_000) == pytest.approx(1, abs=0.05)
    assert dispersion(np.tile(one, 7), 60_000) == pytest.approx(7 * dispersion(one, 60_000))
    assert np.isnan(dispersion([], 100))


@given(TRAIN, TRAIN, st.sampled_from([0.5, 10.0, 300.0]))
def test_van_rossum_is_the_sum_of_exponentials(a: list[float], b: list[float], tau: float) -> None:
    """The distance in linear time equals the double sum over all pairs of spikes."""

    def pairs(x: list[float], y: list[float]) -> float:
        return float(np.exp(-np.abs(np.subtract.outer(x, y)) / tau).sum())

    # Squares are compared: the root of what is left when equal sums cancel has half of their digits.
    expected = (pairs(a, a) + pairs(b, b) - 2 * pairs(a, b)) / 2
    assert spike_distance(a, b, tau) ** 2 == pytest.approx(expected, abs=1e-9)
    assert spike_distance(a, a, tau) == 0


@given(TRAIN, TRAIN, st.sampled_from([0.5, 10.0, 300.0]))
def test_victor_purpura_is_the_least_cost(a: list[float], b: list[float], tau: float) -> None:
    """The distance by rows equals the recursive definition of the edit cost."""
    a, b = sorted(a), sorted(b)

    @lru_cache(None)
    def cost(i: int, j: int) -> float:
        if not i or not j:
            return i + j
        shift = cost(i - 1, j - 1) + abs(a[i - 1] - b[j - 1]) / tau
        return min(cost(i - 1, j) + 1, cost(i, j - 1) + 1, shift)

    assert spike_distance(a, b, tau, kind="victor_purpura") == pytest.approx(cost(len(a), len(b)))


def test_one_spike_more_has_a_known_distance() -> None:
    """A single spike against none: sqrt(1/2) (van Rossum), 1 (Victor and Purpura)."""
    assert spike_distance([5.0], []) == pytest.approx(np.sqrt(0.5))
    assert spike_distance([5.0], [], kind="victor_purpura") == 1


@pytest.mark.parametrize("kind", ["van_rossum", "victor_purpura"])
def test_distance_of_populations_keeps_units_apart(kind: str) -> None:
    """The same spike in another unit is as far as two spikes of different trains."""
    one, other = ([5.0], [0]), ([5.0], [1])
    assert spike_distance(one, one, kind=kind) == 0
    assert spike_distance(one, other, kind=kind) == pytest.approx(1 if kind == "van_rossum" else 2)


@pytest.mark.parametrize(
    ("bits", "words"),
    [("0001101001000101", 6), ("", 0), ("0", 1), ("0000000000", 2), ("0101010101", 3), ("010", 3), ("0110", 3)],
)
def test_lz_complexity_of_known_sequences(bits: str, words: int) -> None:
    """Lempel and Ziv's own example, 0.001.10.100.1000.101, has six words; constants have two."""
    assert lz_complexity(bits) == words


@given(st.text("01", max_size=80) | st.text("abc", max_size=80))
def test_lz_complexity_is_the_exhaustive_history(bits: str) -> None:
    """The automaton counts the words that the definition gives."""
    words = start = 0
    while start < len(bits):
        length = 1
        while start + length <= len(bits) and bits.find(bits[start : start + length], 0, start + length - 1) >= 0:
            length += 1
        words, start = words + 1, start + length
    assert lz_complexity(bits) == words


def test_normalized_lz_complexity_of_random_bits_is_about_one() -> None:
    """c log2(n)/n tends to 1 for fair coin flips and to 0 for a constant; arrays of any shape and kind are read."""
    bits = np.random.default_rng(3).integers(0, 2, (100, 200))
    assert lz_complexity(bits, normalized=True) == pytest.approx(1, abs=0.06)
    assert lz_complexity(bits) == lz_complexity(bits.astype(bool)) == lz_complexity("".join(map(str, bits.ravel())))
    assert lz_complexity(np.zeros(10_000), normalized=True) < 0.003
