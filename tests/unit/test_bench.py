"""The benchmark's networks are what they are called."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

import snnsim
from snnsim import configs


@pytest.fixture(scope="module")
def bench():
    """tools/bench as a module."""
    loader = SourceFileLoader("bench", str(Path(__file__).parents[2] / "tools" / "bench"))
    spec = importlib.util.spec_from_loader("bench", loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench"] = module
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    yield module
    del sys.modules["bench"]


@pytest.mark.parametrize(("name", "neurons", "indegree"), [
    ("brunel", 12500, 1250), ("cuba", 4000, 80), ("cuba-100k", 100_000, 80), ("coba", 4000, 80), ("cobahh", 4000, 80),
    ("cobahh-100k", 100_000, 80), ("million", 1_000_000, 1000),
])
def test_sizes(bench, name, neurons, indegree):
    """Each case has the neurons and the mean in-degree of the network that the peers run."""
    case = bench.CASES[name]
    network = snnsim.load(configs.path(case.config), case.overrides)
    assert sum(population.n for population in network.populations.values()) == neurons
    assert sum(p.bound.synapses for p in network.projections) / neurons == pytest.approx(indegree, rel=1e-3)


def test_table_shows_the_median_and_what_is_missing(bench):
    """The row in the middle by real-time factor is shown, with dashes for what a tool does not tell."""
    rows = [{"network": "cuba", "tool": "x", "threads": 1, "rtf": factor} for factor in (3.0, 1.0, 2.0)]
    lines = list(bench.table([bench.median(rows)]))
    assert lines[2] == "| cuba | x | 1 | - | - | 2 | - | - | - | - |"
