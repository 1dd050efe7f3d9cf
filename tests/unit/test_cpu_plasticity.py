"""What the CPU engine promises of plastic projections beyond equal numbers (tests/conformance has those)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.backends.cpu.engine import CpuEngine
from snnsim.backends.cpu.plastic_build import RowPacker, rule_shape
from snnsim.backends.cpu.plastic_emit import RulePrinter
from snnsim.backends.cpu.size import memory
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.lowering import make_plan
from snnsim.plan import Plan
from snnsim.slices import Slices
from snnsim.synapse_rules import Delays, rule_of

PAIR = {"model": "stdp_pair", "params": {"w_max": "120 pA", "lambda": 0.05}}


def learning(synapse: Any, delay: Any = "1 ms", weight: Any = "60 pA", source: str = "cells") -> sn.Network:
    """Twenty cells that noise keeps spiking, connected by one plastic projection."""
    net = sn.Network(seed=4)
    net.population("cells", 20, "lif_psc_exp", v_th="-55 mV", t_ref="1 ms")
    net.population("busy", 8, "poisson", rate="4 kHz")
    net.input("noise", type="poisson", rate="10 kHz", to="cells", weight="100 pA")
    net.project(source, "cells", sn.fixed_indegree(6), weight=weight, delay=delay, synapse=synapse, name="it")
    return net


def run(engine: Any, steps: int) -> int:
    """All steps, in as many pieces as the engine likes; the number of spikes."""
    last, spikes = engine.done + steps, 0
    while engine.done < last:
        spikes += engine.advance(last - engine.done).step.size
    return spikes


def assert_equal(one: Any, other: Any) -> None:
    found, expected = one.plasticity(0), other.plasticity(0)
    assert found.keys() == expected.keys()
    for name in expected:
        assert np.array_equal(expected[name], found[name]), name


def rule_text(plan: Plan) -> str:
    rule = RulePrinter(rule_of(plan.projections[0]), rule_shape(plan, 0, False)).print()
    return "\n".join(rule.functions)


def test_what_a_row_shares_is_computed_once() -> None:
    """The exponentials of short-term plasticity depend on the time since the last event: one for each row."""
    net = learning({"model": "stp_tsodyks2", "params": {"tau_rec": "50 ms"}})
    loop = rule_text(make_plan(net)).split("for j in range(target.size):")
    assert "exact_exp(" in loop[0].rpartition("for k in range(a, b):")[2]
    assert "exact_exp(" not in loop[1].partition("@njit")[0]


def test_clipped_weights_are_not_checked() -> None:
    """Where a rule ends in a clip within its limit, nothing it sends can exceed it."""
    free = {"kind": "synapse", "parameters": {"top": "weight"}, "bounds": {"w": [0, "top"]}, "on_pre": "w = 1.1*w"}
    net = learning(PAIR)
    assert "limit)" not in rule_text(make_plan(net)).split("def pre_")[1].partition("):")[2].partition("@njit")[0]
    net = sn.Network(seed=4)
    net.model("free", free)
    cells = net.population("cells", 5, "lif_psc_exp")
    net.project(cells, cells, sn.all_to_all(), weight="60 pA", synapse={"model": "free", "params": {"top": "70 pA"}})
    assert "<= limit)" in rule_text(make_plan(net))


@pytest.mark.slow
@pytest.mark.parametrize("send", ["", "\nsend = 2*w"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_weight_beyond_its_bounds_stops_the_run(threads: int, send: str) -> None:
    """The first synapse is named, the same one on any number of threads and on ``reference``."""
    def make() -> sn.Network:
        net = learning("static")
        net.model("grows", {"kind": "synapse", "parameters": {"top": "weight"}, "bounds": {"w": [0, "top"]},
                            "on_pre": f"w = 1.5*w{send}"})
        net.project("cells", "cells", sn.fixed_indegree(6), weight="60 pA", delay="1 ms", name="grows",
                    synapse={"model": "grows", "params": {"top": "250 pA"}})
        return net

    messages = []
    for backend, number in (("reference", None), ("cpu", threads)):
        with pytest.raises(sn.RunError) as caught:
            sn.compile(make(), backend, number).run("200 ms")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "expected a weight of at most 250 pA" in messages[0]


@pytest.mark.slow
@pytest.mark.parametrize("source", ["cells", "busy"])
def test_going_back(source: str) -> None:
    """After ``restore`` everything happens again as it did, as often as one likes."""
    engine = CpuEngine(make_plan(learning(PAIR, {"uniform": ["0.5 ms", "2 ms"]}, source=source)), 2)
    run(engine, 157)
    saved = engine.snapshot()
    results = []
    for _ in range(3):
        spikes = run(engine, 211)
        results.append((spikes, {name: np.asarray(values) for name, values in engine.plasticity(0).items()}))
        engine.restore(saved)
    assert results[0][0] > 100
    for spikes, values in results[1:]:
        assert spikes == results[0][0]
        assert all(np.array_equal(values[name], results[0][1][name]) for name in values)


def test_delays_over_more_steps_than_a_target_has_synapses() -> None:
    """Columns are then searched for the synapses whose turn it is."""
    plan = make_plan(learning(PAIR, {"uniform": ["0.5 ms", "20 ms"]}))
    assert Delays.of(plan, plan.projections[0]).groups == 0
    engine, reference = CpuEngine(plan, 3), ReferenceEngine(plan)
    assert run(engine, 600) == run(reference, 600) > 200
    assert_equal(engine, reference)


def test_logs_grow() -> None:
    """However many events there are in a chunk, each is in the record, and the rule ran once."""
    net = learning(PAIR, source="busy")
    net.record(weights={"all": {"projection": "it", "on": "pre"}})
    plan = make_plan(net)
    engine, reference = CpuEngine(plan, 2), ReferenceEngine(plan)
    found, expected = engine.advance(600).weights[0], reference.advance(600).weights[0]
    assert len(expected[0]) > 2 * 4096
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert_equal(engine, reference)


def test_rows_and_columns_hold_the_same_synapses() -> None:
    """Rows are sorted by source, target and delay; columns name each of them once, by target and delay."""
    plan = make_plan(learning(PAIR, {"uniform": ["0.5 ms", "2 ms"]}))
    low, high = Slices.of(plan, 3).bounds(0, 1)
    packed = RowPacker(plan, plan.projections[0], low, high).pack()
    n = packed.w.size
    source = np.repeat(np.arange(20), np.diff(packed.rows.astype(np.int64)))
    key = (source * 100 + packed.targets[:n]) * 100 + packed.delays[:n]
    assert n == 6 * (high - low)
    assert (np.diff(key) >= 0).all()
    positions = packed.positions[:n]
    assert sorted(positions) == list(range(n))
    assert np.array_equal(source[positions], packed.sources)
    groups = Delays.of(plan, plan.projections[0]).groups
    column = np.repeat(np.arange((high - low) * groups), np.diff(packed.columns.astype(np.int64)))
    assert np.array_equal(packed.targets[positions].astype(np.int64) * groups + packed.delays[positions], column)


@pytest.mark.slow
@pytest.mark.parametrize("delay", ["1 ms", {"uniform": ["0.5 ms", "2 ms"]}])
def test_estimate_of_memory(delay: Any) -> None:
    """What an engine takes is known before it is built; a synapse takes 12 bytes, and 2 for a delay of its own."""
    net = sn.Network(seed=1)
    cells = net.population("cells", 500, "lif_psc_exp")
    net.project(cells, cells, sn.fixed_indegree(200), weight="60 pA", delay=delay, synapse=PAIR)
    plan = make_plan(net)
    taken = CpuEngine(plan, 2).memory()
    most = 12.5 if delay == "1 ms" else 14.5
    assert taken["synapses"] < most * 100_000
    assert sum(taken.values()) < memory(plan, 2) < 60 * 2**20 + 30 * sum(taken.values())
