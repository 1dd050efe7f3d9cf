"""Uniform, normal and Poisson numbers against their distributions."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from snnsim.normal import normal_quantile
from snnsim.random import Stream, poisson_parts, poisson_thresholds, step_words, to_below, to_uniform

STREAM = Stream(20240607, "test")


def chi_square(observed: np.ndarray, expected: np.ndarray) -> float:
    """Chi-square in units of its standard deviation, from its mean; above 5 is no chance."""
    freedom = len(observed) - 1
    return (((observed - expected) ** 2 / expected).sum() - freedom) / math.sqrt(2 * freedom)


def test_uniform_is_open_and_symmetric() -> None:
    """The smallest and largest words give 2^-33 and 1 - 2^-33."""
    ends = to_uniform(np.array([0, 2**32 - 1], np.uint32))
    assert ends.tolist() == [2.0**-33, 1 - 2.0**-33]


def test_uniform_is_uniform() -> None:
    """A million numbers fill 1000 bins evenly."""
    counts = np.histogram(STREAM.uniform(0, 1_000_000), 1000, (0, 1))[0]
    assert abs(chi_square(counts, np.full(1000, 1000.0))) < 5


def test_below() -> None:
    """Whole numbers below n: the ends are reached, all are equally likely, n may differ from number to number."""
    assert to_below(np.array([0, 2**32 - 1], np.uint32), 7).tolist() == [0, 6]
    counts = np.bincount(STREAM.below(0, 700_000, 7), minlength=7)
    assert abs(chi_square(counts, np.full(7, 100_000.0))) < 5
    assert to_below(np.array([2**31, 2**31], np.uint32), np.array([10, 20], np.uint64)).tolist() == [5, 10]


def test_quantile_of_the_normal_distribution() -> None:
    """The inverse agrees with the standard library from 1e-300 to 1 - 1e-15."""
    p = np.concatenate([np.logspace(-300, -1, 400), np.linspace(0.001, 0.999, 801), 1 - np.logspace(-15, -2, 50)])
    expected = np.array([NormalDist().inv_cdf(float(x)) for x in p])
    np.testing.assert_allclose(normal_quantile(p), expected, rtol=4e-15, atol=1e-16)


def test_normal_is_normal() -> None:
    """A million numbers fill 200 bins of equal probability evenly."""
    edges = normal_quantile(np.arange(1, 200) / 200)
    counts = np.bincount(np.searchsorted(edges, STREAM.normal(0, 1_000_000)), minlength=200)
    assert abs(chi_square(counts, np.full(200, 5000.0))) < 5


@pytest.mark.parametrize("mean", [1e-9, 1e-3, 0.8, 3.7, 8.0])
def test_poisson_thresholds_are_the_distribution(mean: float) -> None:
    """Probabilities of the table are right to 2^-32."""
    edges = np.concatenate([[0.0], poisson_thresholds(mean).astype(float), [2.0**32]]) / 2**32
    expected = [math.exp(-mean) * mean**k / math.factorial(k) for k in range(len(edges) - 2)]
    np.testing.assert_allclose(np.diff(edges)[:-1], expected, rtol=0, atol=2.0**-32)


def test_poisson_of_zero_is_zero() -> None:
    """A mean of 0 has no thresholds, so every count is 0."""
    assert len(poisson_thresholds(0.0)) == 0


def test_poisson_counts_of_steps() -> None:
    """Counts by the table over units and steps have mean and variance of the distribution."""
    words = np.concatenate([step_words(3, 4, step, np.arange(5000)) for step in range(1, 41)])
    counts = np.searchsorted(poisson_thresholds(2.5), words, side="right")
    assert counts.mean() == pytest.approx(2.5, abs=5 * math.sqrt(2.5 / len(counts)))
    assert counts.var() == pytest.approx(2.5, rel=0.03)


def test_parts_of_large_means() -> None:
    """A mean is drawn in the fewest equal parts of at most 8."""
    assert [poisson_parts(mean) for mean in (0.0, 0.5, 8.0, 8.1, 100.0)] == [1, 1, 1, 2, 13]


def test_poisson_table_refuses_what_it_cannot_hold() -> None:
    """Means outside [0, 8] are an error of the caller."""
    with pytest.raises(ValueError, match=r"^expected a mean in \[0, 8\], found 8\.5$"):
        poisson_thresholds(8.5)
