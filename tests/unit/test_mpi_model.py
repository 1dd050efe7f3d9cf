"""The model of many ranks counts as the engine does, where both can be asked."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import snnsim as sn
from snnsim import configs
from snnsim.backends.cpu.build import _scattered, meeting_interval
from snnsim.lowering import make_plan
from snnsim.slices import Slices


@pytest.fixture(scope="module")
def model():
    """tools/mpi_model.py as a module."""
    place = Path(__file__).parents[2] / "tools" / "mpi_model.py"
    spec = importlib.util.spec_from_file_location("mpi_model", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mpi_model"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["mpi_model"]


NETWORKS = [("brunel", "brunel", []), ("microcircuit-0.1", "microcircuit", ["network.scale=0.1", "network.rates=pynest"])]


@pytest.mark.parametrize(("name", "config", "overrides"), NETWORKS)
def test_memory_and_epoch(model, name, config, overrides):
    """Synapses with their tables take what the model says to one per cent; the units and the epoch are the network's."""
    program = sn.compile(sn.load(configs.path(config), overrides), backend="cpu", threads=2)
    case = model.CASES[name]
    held = model.memory(case, 1, 2)
    assert program.engine.memory()["synapses"] == pytest.approx(held["synapses"] + held["tables"], rel=0.01)
    assert program.plan.neurons == case.n
    assert program.engine.epoch == model.epoch(case, 2)


@pytest.mark.parametrize("parts", [1, 16, 256, 1024, 65_536])
def test_when_synapses_go_through_a_ring(model, parts):
    """As the engine has it, for a population as large as the largest."""
    for case in model.CASES.values():
        sources = round(case.largest * case.n)
        ring = _scattered((1, case.groups), round(sources * case.indegree), sources, parts)
        assert model.pieces_of(case, parts) == (1 if ring else case.groups)


@pytest.mark.parametrize("parts", [1, 4, 64])
def test_epoch_of_many_units(model, parts):
    """As many steps as the lists of spikes have room for."""
    net = sn.Network(dt="0.1 ms", seed=1)
    cells = net.population("cells", 10_000_000, "lif_psc_delta")
    net.project(cells, cells, sn.fixed_indegree(1), weight="1 mV", delay="1.5 ms")
    plan = make_plan(net)
    expected = meeting_interval(plan, Slices.of(plan, parts))
    assert model.epoch(model.Case(10_000_000, 4.0, 1), parts) == expected


def test_time_is_the_sum_of_what_it_goes_into(model):
    """Each row adds up, and one rank alone exchanges nothing."""
    for row in model.time_rows():
        parts = [row[key] for key in model.COLUMNS if key not in ("network", "ranks", "rtf", "most")]
        assert sum(parts) == pytest.approx(row["rtf"])
        assert row[row["most"]] == max(parts)
        if row["ranks"] == 1:
            assert row["calls"] == row["latency"] == row["bytes"] == row["coding"] == 0
