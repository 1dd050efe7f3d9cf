"""What becomes of random words on the device, the smallest and the largest among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gpu.gxx import needs_gxx
from gpu.host import PlainDevice

import snnsim as sn
from snnsim.backends.cupy.build_job import JOB, source
from snnsim.backends.cupy.draw import Drawer
from snnsim.connect.chance import BELOW_ONE, gaps, gaps_by_log, log_of_rest
from snnsim.distributions import Exponential, Lognormal, Normal, Uniform
from snnsim.lowering import make_plan
from snnsim.random import NumpyWords, Stream, Words, key_of, stream_id
from snnsim.units import TIME

pytestmark = needs_gxx
EXTREME = np.concatenate([np.arange(70), np.linspace(0, 2**32 - 1, 5000), 2**32 - 1 - np.arange(70)]).astype(np.uint32)
OF_WORDS = """
extern "C" __global__ SNN_LAUNCH(32) void snn_values(const Value* value, const unsigned* words, const int* n, double* out) {
    for (int k = (int)threadIdx.x; k < *n; k += (int)blockDim.x) {
        out[k] = distributed(value, ((double)words[k] + 0.5) * PER_WORD);
    }
}
extern "C" __global__ SNN_LAUNCH(32) void snn_gaps(const Job* job, const unsigned* high, const unsigned* low,
                                                   long long* out) {
    out[threadIdx.x] = rare_gap(job, high[threadIdx.x], low[threadIdx.x]);
    out[32 + threadIdx.x] = gap_of(job, 3, threadIdx.x);
}
extern "C" __global__ SNN_LAUNCH(32) void snn_edges(const unsigned* edges, const unsigned* words, int* out) {
    out[threadIdx.x] = (int)not_above(edges, 0, 10, words[threadIdx.x]);
}
"""


def of_words(kernel: str, out: np.ndarray, *given: np.ndarray) -> np.ndarray:
    """`out`, filled by a kernel with what becomes of the words that are given; arrays are those of the host."""
    device = PlainDevice()
    found = device.upload(out)
    kernels = device.module(source() + OF_WORDS, ("snn_values", "snn_gaps", "snn_edges"))
    kernels[kernel](1, 32, (*map(device.upload, given), found))
    return device.download(found)


class GivenWords(NumpyWords):
    """Always the same words."""

    def words(self, key: tuple[int, int], stream: int, start: int, count: int, draw: int = 0) -> Words:
        return EXTREME[start : start + count]


@pytest.mark.parametrize("value", [
    Uniform(TIME, -0.3, 1.7), Normal(TIME, 1.5, 0.75), Normal(TIME, 1.5, 0.75, 0.1), Normal(TIME, 1.5, 0.75, -1.0, 2.0),
    Normal(TIME, 0.0, 1.0, 6.0, 9.0), Normal(TIME, 0.0, 1.0, -30.0, -8.0), Normal(TIME, 2.0, 0.0),
    Normal(TIME, -0.49538027037131405, 0.9845232721242767, 0.16352892863810453, 0.1635292938989466),
    Lognormal(TIME, 0.1, 2.0, -1.0, {}), Exponential(TIME, -3.0),
])
def test_extreme_words(value: Any) -> None:
    """The numbers that the smallest and the largest words become, far into the tails."""
    net = sn.Network(seed=1)
    cells = net.population("cells", 2, "lif_psc_exp")
    net.project(cells, cells, sn.all_to_all(), "1 pA", "1 ms")
    record = np.atleast_1d(Drawer(None, None, make_plan(net).projections[0]).value(value, "weight", None))
    size = np.array([EXTREME.size], np.int32)
    out = of_words("snn_values", np.empty(EXTREME.size), record.view(np.int64), EXTREME, size)
    expected = value.draw(Stream(1, "", GivenWords()), (0, EXTREME.size))
    assert np.array_equal(expected.view(np.int64), out.view(np.int64))


def test_rare_gaps() -> None:
    """The shortest and the longest steps between rare synapses, as long as any population; then a row of three draws."""
    stream, job, p, ahead = Stream((7 << 40) + 8, "rare"), np.zeros(1, JOB), 1e-9, 11
    job["log_rest"], job["most"], job["ahead"] = log_of_rest(p), BELOW_ONE, ahead
    job["key"], job["stream"] = key_of(stream.seed), stream_id(stream.label)
    high, low = (np.resize(x, 32).astype(np.uint32) for x in ([0, 1, 1 << 31, (1 << 32) - 1], [0, (1 << 32) - 1, 7]))
    out = of_words("snn_gaps", np.empty(64, np.int64), job.view(np.int64), high, low)
    assert np.array_equal(gaps_by_log(high, low, p), out[:32]) and out.min() == 1 and out.max() == 2**33 + 1
    row = [gaps(stream, 3, 4, ahead, draw, np.arange(1), p)[0] for draw in range(3)]
    assert np.array_equal(np.concatenate(row)[:32], out[32:])


def test_words_at_edges() -> None:
    """A word that equals an edge has passed it."""
    edges = np.array([0, 1, 5, 5, 5, 9, 1 << 31, 1 << 31, (1 << 32) - 2, (1 << 32) - 1], np.uint32)
    words = np.concatenate([edges, edges + np.uint32(1), edges - np.uint32(1), edges[:2]])
    out = of_words("snn_edges", np.empty(32, np.int32), edges, words)
    assert np.array_equal(np.searchsorted(edges, words, side="right"), out)
