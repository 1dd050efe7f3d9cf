"""Connection rules: a tiny truth through each of them, exact degrees, partitions, flags, and equal chances."""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnsim import connect
from snnsim.connect import Bound, rule_from_spec
from snnsim.connect.chance import gaps_by_log, _by_table
from snnsim.positions import positions_from_spec
from snnsim.random import Stream

N = 40
GRID = positions_from_spec({"grid": [8, 5], "spacing": "10 um"}, N).place(Stream(1, "positions"))
KERNELS: list[dict[str, Any]] = [
    {"gaussian": {"p0": 0.9, "sigma": "20 um"}}, {"exponential": {"lambda": "15 um"}},
    {"disc": {"p0": 0.5, "radius": "25 um"}},
]
EXPLICIT = connect.explicit([3, 0, 39, 3, 7], [39, 5, 5, 39, 0])
SPECS = [
    connect.all_to_all(), connect.all_to_all(autapses=False), connect.one_to_one(),
    connect.fixed_indegree(7), connect.fixed_indegree(7, autapses=False), connect.fixed_indegree(7, multapses=False),
    connect.fixed_indegree(33, autapses=False, multapses=False), connect.fixed_indegree(40, multapses=False),
    connect.fixed_indegree(0), connect.fixed_outdegree(5), connect.fixed_outdegree(5, autapses=False, multapses=False),
    connect.fixed_outdegree(39, autapses=False, multapses=False), connect.fixed_total(300),
    connect.fixed_total(300, autapses=False), connect.fixed_total(300, autapses=False, multapses=False),
    connect.fixed_total(1500, autapses=False, multapses=False), connect.fixed_total(1600, multapses=False),
    connect.fixed_total(0), connect.pairwise(0.1), connect.pairwise(0.1, autapses=False), connect.pairwise(0.9),
    connect.pairwise(1e-4), connect.pairwise(1), connect.pairwise(0), EXPLICIT,
    *(connect.distance(kernel) for kernel in KERNELS), connect.distance(KERNELS[0], "periodic", autapses=False),
]
NAMES = [" ".join(map(str, spec.values())) for spec in SPECS]


def bind(spec: dict[str, Any], n_source: int = N, n_target: int = N, same: bool = True, seed: int = 3) -> Bound:
    return rule_from_spec(spec).bind(n_source, n_target, same, seed, "test", positions=(GRID, GRID))


def synapses(bound: Bound, cuts: list[int] | None = None) -> np.ndarray:
    """Rows (index, source, target) of all synapses, sorted by index, drawn in the parts between `cuts`."""
    parts = [np.zeros((0, 3), np.int64)]
    for low, high in pairwise(cuts or [0, bound.n_target]):
        for block in bound.blocks(low, high):
            index = np.arange(block.index[0], sum(block.index)) if isinstance(block.index, tuple) else block.index
            assert np.all((block.target >= low) & (block.target < high))
            parts.append(np.stack([index.astype(np.int64), block.source, block.target], axis=1))
    rows = np.concatenate(parts)
    return rows[np.argsort(rows[:, 0], kind="stable")]


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_one_source_reaches_exactly_its_targets(spec: dict[str, Any]) -> None:
    """A one-hot source gives each target as many events as the adjacency matrix says, through blocks of any part."""
    bound = bind(spec)
    rows = synapses(bound)
    matrix = np.zeros((N, N), int)
    np.add.at(matrix, (rows[:, 2], rows[:, 1]), 1)
    for source in range(N):
        arrivals = np.zeros(N, int)
        for low, high in pairwise([0, 11, 12, 40]):
            for block in bound.blocks(low, high):
                arrivals += np.bincount(block.target[block.source == source], minlength=N)
        assert np.array_equal(matrix @ np.eye(N, dtype=int)[source], arrivals)


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, N), max_size=6))
def test_every_partition_gives_the_same_synapses(spec: dict[str, Any], cuts: list[int]) -> None:
    """Any split of the targets draws the same set, with the same numbers."""
    assert np.array_equal(synapses(bind(spec)), synapses(bind(spec), [0, *sorted(cuts), N]))


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_numbers_bounds_and_flags(spec: dict[str, Any]) -> None:
    """Numbers of synapses are unique, in-degrees stay within the bound, flags hold, and sizes are as announced."""
    bound = bind(spec)
    rows = synapses(bound)
    pairs = rows[:, 1] * N + rows[:, 2]
    assert len(rows) == len(np.unique(rows[:, 0]))
    assert np.bincount(rows[:, 2], minlength=N).max() <= bound.max_indegree
    assert bound.rule.autapses or not np.any(rows[:, 1] == rows[:, 2])
    assert bound.rule.multapses or len(pairs) == len(np.unique(pairs))
    random = bound.rule.name in ("pairwise", "distance")
    assert abs(len(rows) - bound.synapses) <= (5 * math.sqrt(bound.synapses) + 1 if random else 0)


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_a_rule_can_be_written_back(spec: dict[str, Any]) -> None:
    """The canonical form gives the same rule again."""
    rule = rule_from_spec(spec)
    assert rule.to_spec() == rule_from_spec(rule.to_spec()).to_spec()
    assert spec["rule"] == rule.to_spec()["rule"]


def test_all_to_all_is_all() -> None:
    """Each pair once; without autapses all but the diagonal."""
    rows = synapses(bind(connect.all_to_all(), 3, 2, same=False))
    assert [(s, t) for _, s, t in rows.tolist()] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]
    rows = synapses(bind(connect.all_to_all(autapses=False), 3, 3))
    assert [(s, t) for _, s, t in rows.tolist()] == [(1, 0), (2, 0), (0, 1), (2, 1), (0, 2), (1, 2)]


def test_autapses_matter_within_a_population_only() -> None:
    """Between two populations, equal numbers are different units."""
    assert len(synapses(bind(connect.all_to_all(autapses=False), 4, 4, same=False))) == 16


@pytest.mark.parametrize("autapses", [True, False])
@pytest.mark.parametrize("multapses", [True, False])
def test_degrees_are_exact(autapses: bool, multapses: bool) -> None:
    """fixed_indegree, fixed_outdegree and fixed_total keep their numbers for each target, each source and in all."""
    flags = {"autapses": autapses, "multapses": multapses}
    assert np.all(np.bincount(synapses(bind(connect.fixed_indegree(9, **flags)))[:, 2], minlength=N) == 9)
    assert np.all(np.bincount(synapses(bind(connect.fixed_outdegree(9, **flags)))[:, 1], minlength=N) == 9)
    assert len(synapses(bind(connect.fixed_total(901, **flags)))) == 901


def test_explicit_keeps_the_given_pairs() -> None:
    """Synapse k is pair k of the lists, whatever the order of the targets."""
    rows = synapses(bind(EXPLICIT))
    assert rows.tolist() == [[0, 3, 39], [1, 0, 5], [2, 39, 5], [3, 3, 39], [4, 7, 0]]


@pytest.mark.parametrize("rule", [connect.fixed_indegree, connect.fixed_outdegree])
def test_distinct_choices_are_equally_likely(rule: Any) -> None:
    """Without multapses every subset has the same chance, for few and for most of the choices."""
    for k in (2, 3):
        sizes = (5, 20_000) if rule is connect.fixed_indegree else (20_000, 5)
        rows = synapses(bind(rule(k, multapses=False), *sizes, same=False))
        own, other = (2, 1) if rule is connect.fixed_indegree else (1, 2)
        chosen = 2 ** rows[np.lexsort((rows[:, other], rows[:, own]))][:, other].reshape(20_000, k)
        counts = [np.sum(chosen.sum(axis=1) == sum(2**m for m in subset)) for subset in combinations(range(5), k)]
        assert sum(counts) == 20_000
        assert ((np.array(counts) - 2000) ** 2 / 2000).sum() < 9 + 5 * math.sqrt(18)


def test_distinct_pairs_of_fixed_total_are_equally_likely() -> None:
    """Over many seeds each pair is chosen equally often, for few and for most of the pairs."""
    for n in (5, 8):
        counts = np.zeros(12)
        for seed in range(300):
            rows = synapses(bind(connect.fixed_total(n, multapses=False), 4, 3, False, seed))
            counts[rows[:, 1] * 3 + rows[:, 2]] += 1
        expected = 300 * n / 12
        assert ((counts - expected) ** 2 / (expected * (1 - n / 12))).sum() < 11 + 5 * math.sqrt(22)


def test_fixed_total_is_multinomial() -> None:
    """With multapses in- and out-degrees have the variance of independent pairs."""
    rows = synapses(bind(connect.fixed_total(200_000), 500, 400, same=False))
    for column, n in ((1, 500), (2, 400)):
        counts = np.bincount(rows[:, column], minlength=n)
        assert ((counts - 200_000 / n) ** 2).sum() / (200_000 / n) == pytest.approx(n - 1, abs=5 * math.sqrt(2 * n))


@pytest.mark.parametrize("p", [0.003, 0.1, 0.5, 0.97])
def test_pairwise_has_the_given_probability(p: float) -> None:
    """The number of synapses, and its spread over targets and over sources, are those of independent pairs."""
    rows = synapses(bind(connect.pairwise(p), 700, 600, same=False))
    assert len(rows) == pytest.approx(p * 420_000, abs=5 * math.sqrt(p * (1 - p) * 420_000))
    for column, n, tries in ((1, 700, 600), (2, 600, 700)):
        counts = np.bincount(rows[:, column], minlength=n)
        chi = ((counts - p * tries) ** 2).sum() / (p * (1 - p) * tries)
        assert chi == pytest.approx(n, abs=5 * math.sqrt(2 * n))


def test_gaps_by_table_and_by_logarithm_are_geometric() -> None:
    """P(gap <= g) = 1 - (1 - p)^g, for probabilities on both sides of where the method changes."""
    stream, count = Stream(9, "gaps"), 400_000
    table = _by_table(stream.words(0, count), 0.01)
    logarithm = gaps_by_log(stream.words(0, count, 1), stream.words(0, count, 2), 2e-4)
    for gaps, p in ((table, 0.01), (logarithm, 2e-4)):
        for share in (0.01, 0.1, 0.5, 0.9, 0.99):
            g = round(math.log1p(-share) / math.log1p(-p))
            expected = 1 - (1 - p) ** g
            assert np.mean(gaps <= g) == pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / count))


@pytest.mark.parametrize("kernel", KERNELS, ids=[next(iter(kernel)) for kernel in KERNELS])
def test_distance_has_the_probability_of_the_kernel(kernel: dict[str, Any]) -> None:
    """Over many seeds, pairs at each distance are connected as often as the kernel says."""
    found, seeds = np.zeros((N, N)), 150
    for seed in range(seeds):
        rows = synapses(bind(connect.distance(kernel), seed=seed))
        found[rows[:, 1], rows[:, 2]] += 1
    gap = np.linalg.norm(GRID.points[:, None] - GRID.points[None], axis=2)
    gaussian = 0.9 * np.exp(-((gap / 20) ** 2) / 2)
    p = {"gaussian": gaussian, "exponential": np.exp(-gap / 15), "disc": 0.5 * (gap <= 25)}[next(iter(kernel))]
    for d in np.unique(gap.round(6)):
        pairs = np.isclose(gap, d)
        expected, tries = p[pairs][0], pairs.sum() * seeds
        reach = 5 * math.sqrt(expected * (1 - expected) / tries)
        assert found[pairs].sum() / tries == pytest.approx(expected, abs=reach)


def test_periodic_distance_goes_around() -> None:
    """With a periodic boundary the two ends of a row are neighbours."""
    kernel = {"disc": {"radius": "10 um"}}
    rows = synapses(bind(connect.distance(kernel, "periodic", autapses=False)))
    assert np.all(np.bincount(rows[:, 2], minlength=N) == 4)
    assert sorted(rows[rows[:, 2] == 0][:, 1]) == [1, 7, 8, 32]
