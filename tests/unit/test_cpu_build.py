"""Networks built in compiled loops are those that NumPy draws, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.backends.cpu import draw
from snnsim.backends.cpu import build
from snnsim.backends.cpu.build import Bundle, lay_out, make_bundles
from snnsim.backends.cpu.draw import fast_words
from snnsim.backends.cpu.pack import Packer
from snnsim.connect import Block
from snnsim.lowering import make_plan
from snnsim.plan import Plan, Projection
from snnsim.random import NumpyWords, Stream, Words, key_of
from snnsim.slices import Slices

KEY = key_of(12345678901234567890)
WORDS = np.concatenate([np.arange(5), np.linspace(0, 2**32 - 1, 5000), 2**32 - 1 - np.arange(5)]).astype(np.uint32)
VALUES: dict[str, Any] = {
    "normal": {"normal": {"mean": "87.8 pA", "sd": "8.78 pA"}},
    "lower": {"normal": {"mean": "87.8 pA", "sd": "40 pA", "low": "0 pA"}},
    "between": {"normal": {"mean": "-350 pA", "sd": "200 pA", "low": "-400 pA", "high": "-100 pA"}},
    "tail": {"normal": {"mean": "-350 pA", "sd": "20 pA", "low": "-250 pA", "high": "0 pA"}},
    "one": {"normal": {"mean": "50 pA", "sd": "0 pA"}}, "uniform": {"uniform": ["-3 pA", "55 pA"]},
    "discrete": {"discrete": {"values": ["5 pA", "30 pA"]}},
}
DELAYS: dict[str, Any] = {
    "normal": {"normal": {"mean": "1.5 ms", "sd": "0.75 ms", "low": "0.1 ms"}}, "uniform": {"uniform": ["0 ms", "3 ms"]},
    "long": {"uniform": ["0.1 ms", "90 ms"]}, "one": "1.5 ms",
}
ONE_PORT = {"parameters": {"tau": "10 ms"}, "dynamics": "dv/dt = -v/tau : pA", "receive": {"in": "v += w"},
            "spike": "v >= 900*pA", "reset": {"v": "0*pA"}}


class GivenWords(NumpyWords):
    """Always the same words, the extreme ones among them."""

    def words(self, key: tuple[int, int], stream: int, start: int, count: int, draw: int = 0) -> Words:
        return WORDS[start : start + count]


def plan_with(weight: Any, delay: Any = "1 ms", precision: str = "single", model: str = "one_port") -> Plan:
    """Two populations, the second of which receives."""
    net = sn.Network(seed=8, precision=precision)
    net.model("one_port", ONE_PORT)
    source, target = net.population("source", 300, model), net.population("target", 101, model)
    net.project(source, target, sn.fixed_total(20000), weight, delay)
    return make_plan(net)


@pytest.mark.parametrize("start", [0, 1, 6, (1 << 34) + 3])
def test_words_are_those_of_numpy(start: int) -> None:
    """By range and by number, below and beyond 2^32 counters."""
    numpy = NumpyWords()
    index = np.random.default_rng(1).integers(start, start + 50, 200).astype(np.uint64)
    for each in (0, 3):
        assert np.array_equal(numpy.words(KEY, 7, start, 1001, each), fast_words.words(KEY, 7, start, 1001, each))
        assert np.array_equal(numpy.words_at(KEY, 7, index, each), fast_words.words_at(KEY, 7, index, each))


def test_tally_counts_what_below_gives() -> None:
    """The compiled count of random targets, that of NumPy, and the numbers themselves agree."""
    stream = Stream(3, "targets")
    expected = np.bincount(stream.below(0, 300_001, 77), minlength=77)
    assert np.array_equal(expected, stream.tally(300_001, 77))
    assert np.array_equal(expected, Stream(3, "targets", fast_words).tally(300_001, 77))


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("model", ["one_port", "lif_psc_exp"])
@pytest.mark.parametrize("weight", VALUES)
def test_weights_are_those_of_the_projection(weight: str, model: str, precision: str) -> None:
    """Port and quanta of each synapse, from ordinary and from extreme words."""
    projection = plan_with(VALUES[weight], "1 ms", precision, model).projections[0]
    block = Block(WORDS, WORDS, (0, WORDS.size))
    for words in (GivenWords(), fast_words):
        expected, found = projection.weights(block, words), draw.weights(projection, block, words)
        assert np.array_equal(expected[0], found[0])
        assert np.array_equal(expected[1], found[1])


@pytest.mark.parametrize("delay", DELAYS)
def test_delays_are_those_of_the_projection(delay: str) -> None:
    """Steps of each synapse, also where some have none."""
    projection = plan_with("50 pA", DELAYS[delay]).projections[0]
    block = Block(WORDS, WORDS, (0, WORDS.size))
    for words in (GivenWords(), fast_words):
        assert np.array_equal(projection.steps(block, words), draw.delays(projection, block, words))


def unpacked(plan: Plan, bundle: Bundle, threads: int) -> np.ndarray:
    """Rows (source, target, weight, delay) of the packed synapses of a bundle, sorted."""
    slices = Slices.of(plan, threads)
    places, parts = lay_out(plan, slices), []
    for thread in range(threads):
        packed = Packer(plan, slices, places, bundle, thread).pack()
        sizes = np.diff(packed.rows.astype(np.int64))
        row = np.repeat(np.arange(sizes.size), sizes)
        pairs, ring = bundle.kind == "pairs", bundle.kind == "ring"
        target = packed.targets & 0xFFFF if pairs else packed.targets
        weight = packed.targets.view(np.int32) >> 16 if pairs else packed.weights
        weight = weight[row // bundle.groups] if bundle.kind == "rows" else weight
        delay = packed.delays if ring else np.array(bundle.delays)[row % bundle.groups]
        low, _ = slices.bounds(1, thread)
        start = places.base[thread][1, next(iter(plan.populations[1].ports))] - packed.base
        target = target.astype(np.int64) - start + low
        parts.append(np.stack([row // bundle.groups, target, weight, delay]))
    rows = np.concatenate(parts, axis=1).astype(np.int64)
    return rows[:, np.lexsort(rows)]


def drawn(projection: Projection, n: int) -> np.ndarray:
    """The same of the synapses that a projection draws with NumPy."""
    blocks = [[np.broadcast_to(x, b.source.shape) for x in (b.source, b.target, b.weight, b.delay)]
              for b in projection.blocks(0, n)]
    rows = np.concatenate(blocks, axis=1).astype(np.int64)
    return rows[:, np.lexsort(rows)]


@pytest.mark.parametrize(("kind", "weight", "delay", "precision"), [
    ("rows", "50 pA", DELAYS["normal"], "single"), ("rows", "50 pA", "1 ms", "single"),
    ("pairs", VALUES["normal"], DELAYS["normal"], "single"), ("pairs", VALUES["between"], "1 ms", "single"),
    ("synapses", VALUES["normal"], DELAYS["normal"], "double"), ("ring", VALUES["normal"], DELAYS["long"], "single"),
    ("ring", "50 pA", DELAYS["long"], "double"),
])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_packed_synapses_are_those_drawn(kind: str, weight: Any, delay: Any, precision: str, threads: int) -> None:
    """Every kind of bundle holds each synapse once, in the thread that owns its target, in the row of its delay."""
    plan = plan_with(weight, delay, precision)
    bundle = make_bundles(plan, lay_out(plan, Slices.of(plan, threads)), threads)[0]
    assert bundle.kind == kind
    assert np.array_equal(drawn(plan.projections[0], 101), unpacked(plan, bundle, threads))


@pytest.mark.parametrize(("delays", "synapses", "sources", "parts", "expected"), [
    ((1, 64), 299_000_000, 77_169, 2, False),           # the microcircuit in two threads: 1900 synapses of a source
    ((1, 64), 299_000_000, 77_169, 1024, True),         # four synapses, 64 pieces
    ((15, 15), 10**12, 10**8, 65_536, False),           # one delay: one piece for each source
    ((1, 30), 1000, 100, 4, False),                     # too small to matter
    ((1, 400), 3000, 100, 1, True),                     # more delays than synapses
])
def test_delays_that_would_make_large_tables(
    delays: tuple[int, int], synapses: int, sources: int, parts: int, expected: bool
) -> None:
    """Where most pieces of rows would be empty, synapses go through a ring."""
    assert build._scattered(delays, synapses, sources, parts) is expected
