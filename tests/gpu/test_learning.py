"""Learning synapses of Loihi on the GPU engine: what Lava does, and the bits of ``reference`` however a network is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gpu.guard import guarded
from gpu.gxx import needs_gxx
from gpu.host import HostDevice
from gpu.test_group import group
from gpu.test_plastic import WAYS, assert_goes_back, assert_same, engine
from lava_learning import CASES, STDP, TAGGED, assert_as_lava, cases, network_of_chips, of, run
from learning import PAIR

import snnsim as sn
from snnsim.backends.cupy import CupyBackend, source
from snnsim.backends.cupy.learning import LearningArrays, learning_bytes
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.engine import Engine
from snnsim.lowering import make_plan
from snnsim.plan import Plan
from snnsim.program import Program

pytestmark = needs_gxx
PIECES = (70, 1, 79)
Outcome = dict[Any, np.ndarray]


def backend(number: int) -> CupyBackend:
    """Each way to run in turn."""
    strategy, parts, threads = WAYS[number % len(WAYS)]
    return CupyBackend(lambda: HostDevice(seed=1 + number), strategy=strategy, parts=parts, threads=threads)


class Several(CupyBackend):
    """The backend on three devices."""

    def compile(self, plan: Plan, threads: int | None = None) -> Engine:
        return group(plan)


# --- Lava's answers ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [
    pytest.param(k, id=f"{case['rule']}-{case['t_epoch']}", marks=[] if k % 5 == 0 else pytest.mark.slow)
    for k, case in cases(networks=False)])
def test_given_spikes(number: int) -> None:
    """Lava's weights in each step, and its traces and tags at the end, for every rule and epoch."""
    with guarded():
        found = run(number, backend(number))
    assert_as_lava(number, found)


@pytest.mark.slow
@pytest.mark.parametrize("number", [k for k, _ in cases(networks=True)])
def test_networks_of_lava(number: int) -> None:
    """Neurons that learn among themselves spike as Lava's do, with each way to shift weights."""
    found = run(number, backend(number))
    assert np.array_equal(of(number, "spikes"), found.spikes)
    assert_as_lava(number, found)


# --- the bits of the reference -----------------------------------------------------------------------------------------

def synapse(params: dict[str, Any], **init: Any) -> dict[str, Any]:
    return {"model": "loihi_learning", "params": params, "init": init}


def levels() -> sn.Network:
    """Sources that spike in the step of those that drive them, and targets that play spikes; sums of 64 bits."""
    net = network_of_chips(params=TAGGED)
    net.population("relay", 40, "relay")
    net.project("noise", "relay", sn.pairwise(0.2), weight=1, delay="0 ms")
    net.project("relay", "cells", sn.pairwise(0.4), weight={"uniform": [-60, 90]}, synapse=synapse(STDP))
    times = {k: [f"{k + 3 * n + 1} step" for n in range(40)] for k in range(9)}
    net.population("played", 9, "spike_times", times=times)
    net.project("relay", "played", sn.all_to_all(), weight=10, synapse=synapse(TAGGED, tag_1={"uniform": [-40, 90]}))
    return net


def graded() -> sn.Network:
    """Sources whose spikes carry payloads, which count as one."""
    net = network_of_chips()
    net.population("sender", 12, "loihi_graded", vth=3)
    net.project("cells", "sender", sn.pairwise(0.4), weight={"uniform": [-9, 20]}, name="to_sender")
    net.project("sender", "cells", sn.pairwise(0.6), weight={"uniform": [-90, 120]}, name="from_sender",
                synapse=synapse({**STDP, "t_epoch": 2}))
    return net


def beside() -> sn.Network:
    """Plastic synapses of real numbers in the same network, with delays beyond a step."""
    net = network_of_chips(*CASES[3])
    net.population("real", 20, "lif_psc_exp")
    net.input("drive", type="poisson", rate="9 kHz", to="real", weight="90 pA")
    net.project("noise", "real", sn.fixed_indegree(4), weight="60 pA", delay={"uniform": ["2 ms", "5 ms"]}, synapse=PAIR)
    net.project("real", "cells", sn.all_to_all(), weight={"uniform": [-30, 60]}, synapse=synapse(STDP), name="down")
    net.record(weights={"some": {"projection": "down", "every": "3 ms", "synapses": "5:200:7"}})
    return net


NETWORKS: dict[str, Callable[[], sn.Network]] = {
    **{f"case {k}": (lambda k=k: network_of_chips(*CASES[k])) for k in range(len(CASES))},  # type: ignore[misc]
    "shifted": lambda: network_of_chips(*CASES[1], weight_exp=3), "levels": levels, "graded": graded, "beside": beside}
_known: dict[str, Outcome] = {}


def outcome(run: Any, pieces: tuple[int, ...] = PIECES) -> Outcome:
    """All spikes, states, everything of projections that learn, and all recorded weights."""
    chunks = [run.advance(steps) for steps in pieces]
    found: Outcome = {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("step", "unit")}
    for k in range(len(run.plan.weights)):
        found["weights", k] = np.concatenate([chunk.weights[k] for chunk in chunks])
    return found | states(run)


def states(run: Any) -> Outcome:
    """Of populations and of projections."""
    found: Outcome = {(k, s): run.get(k, s) for k, p in enumerate(run.plan.populations) for s in p.program.states}
    for k, p in enumerate(run.plan.projections):
        if p.rule is not None:
            synapses = {f"synapse {name}": values for name, values in run.synapses_of(k).items()}
            found |= {(p.label, name): values for name, values in (run.plasticity(k) | synapses).items()}
    return found


def expected(name: str) -> Outcome:
    if name not in _known:
        _known[name] = outcome(ReferenceEngine(make_plan(NETWORKS[name]())))
    return _known[name]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * name.startswith("case")) for name in NETWORKS])
def test_bits_of_the_reference(name: str, way: tuple[str, int, int]) -> None:
    """Spikes, weights, tags, traces, moments and records; no kernel leaves its arrays."""
    plan = make_plan(NETWORKS[name]())
    with guarded():
        found = outcome(engine(plan, *way))
    assert found["step"].size > 100
    assert_same(expected(name), found)


@pytest.mark.parametrize("members", [1, 2, 3])
@pytest.mark.parametrize("name", ["case 1", "levels", "beside"])
def test_several_devices(name: str, members: int) -> None:
    """What sources show is seen by all devices, whoever owns which synapses."""
    with guarded():
        found = outcome(group(make_plan(NETWORKS[name]()), members))
    assert_same(expected(name), found)


@pytest.mark.parametrize("first", [0, 1])
def test_members_need_what_others_show(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without when sources spiked, or without their traces, devices learn something else."""
    shown = LearningArrays.shown_in
    chosen = slice(1, None) if first == 0 else slice(1)
    monkeypatch.setattr(LearningArrays, "shown_in", lambda self, step: shown(self, step)[chosen])
    with pytest.raises(AssertionError):
        assert_same(expected("case 1"), outcome(group(make_plan(NETWORKS["case 1"]()))))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_networks_learn(name: str) -> None:
    """What is compared changes in each projection."""
    before, after = states(ReferenceEngine(make_plan(NETWORKS[name]()))), expected(name)
    for label in {key[0] for key in before if key[1] == "moment.pre"}:
        assert not np.array_equal(before[label, "w"], after[label, "w"]), label
        assert any(after[key].any() for key in after if key[0] == label and str(key[1]).startswith("trace")), label


def test_sums_are_wide() -> None:
    """What is compared has sums of either width."""
    assert [engine(make_plan(NETWORKS[name]())).layout.wide for name in ("shifted", "levels")] == [False, True]


@pytest.mark.parametrize("strategy", ["persistent", "graph"])
def test_pieces_do_not_matter(strategy: str) -> None:
    """Chunks may end anywhere in an epoch."""
    assert_same(expected("case 1"), outcome(engine(make_plan(NETWORKS["case 1"]()), strategy), (1, 2, 64, 3, 80)))


@pytest.mark.parametrize("make", [engine, group])
def test_going_back(make: Callable[[Plan], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a snapshot is the same again, after any number of steps."""
    monkeypatch.setattr("gpu.test_plastic.outcome", outcome)
    assert_goes_back(make(make_plan(NETWORKS["beside"]())))


@pytest.mark.parametrize("name", ["case 0", "case 3"])
def test_resumed(name: str, tmp_path: Path) -> None:
    """Saved in the middle of an epoch and resumed, from and to other engines: everything is that of one run."""
    net, path = NETWORKS[name](), tmp_path / "state.ckpt"
    plan = make_plan(net)
    first = Program(net, plan, backend(1))
    first.run_steps(49)
    first.save(path)
    second = sn.resume(path, backend="reference")
    assert_same(states(first.engine), states(second.engine))
    second.run_steps(15)
    second.save(path)
    third = Program(net, plan, Several())
    third.load(path)
    assert_same(states(second.engine), states(third.engine))
    third.run_steps(12)
    third.save(path)
    last = Program(net, plan, backend(3))
    last.run_steps(7)
    last.load(path)
    assert_same(states(third.engine), states(last.engine))
    last.run_steps(74)
    assert_same({key: values for key, values in expected(name).items() if key in states(last.engine)}, states(last.engine))


def test_targets_beyond_65536() -> None:
    """Numbers of targets take 4 bytes where they need more than 2."""
    net, n = sn.Network(dt="1 ms", seed=1), 65537
    net.population("few", 3, "spike_times", times={0: ["2 step", "3 step", "5 step"], 2: ["4 step"]})
    net.population("many", n, "spike_times", times={0: ["3 step"], n - 1: ["4 step", "6 step"]})
    net.project("few", "many", sn.explicit([0, 1, 2, 0], [0, 65535, n - 1, n - 1]), weight=100, synapse=synapse(STDP), name="x")
    plan = make_plan(net)
    found = engine(plan)
    assert found.plastic.arrays[0].values["targets"].dtype == np.uint32
    wanted = outcome(ReferenceEngine(plan), (15,))
    assert_same(wanted, outcome(found, (15,)))
    assert (wanted["x", "w"] != 100).any()


@pytest.mark.parametrize("threads", [32, 96])
def test_more_spikes_than_a_list_holds(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """They are sent piece by piece."""
    monkeypatch.setattr(source, "LIST", 64)
    net = network_of_chips()
    net.population("crowd", 150, "poisson", rate="600 Hz")
    net.project("crowd", "cells", sn.fixed_indegree(40), weight=2, synapse=synapse(STDP))
    plan = make_plan(net)
    assert_same(outcome(ReferenceEngine(plan), (40,)), outcome(engine(plan, parts=2, threads=threads), (40,)))


def test_nothing_to_learn() -> None:
    """A projection without synapses, and parts without targets."""
    net = network_of_chips(sn.explicit([], []))
    net.population("one", 1, "loihi_lif", vth=20)
    net.project("cells", "one", sn.all_to_all(), weight=60, synapse=synapse(STDP))
    plan = make_plan(net)
    assert_same(outcome(ReferenceEngine(plan)), outcome(engine(plan)))


# --- what an engine says -----------------------------------------------------------------------------------------------

def test_facts_and_sizes() -> None:
    """Synapses are counted and named, and measured as what they take: the estimate before building covers that."""
    net = network_of_chips()
    net.population("crowd", 2000, "poisson", rate="1 Hz")
    net.project("crowd", "cells", sn.all_to_all(), weight=2, synapse=synapse(TAGGED), name="big")
    found = engine(make_plan(net))
    assert found.facts()["bundles"] == ["learning: learns", "learning: big"]
    assert "big: synapses that learn in whole numbers are drawn by the host" in found.facts()["from_host"]
    assert found.synapses == ReferenceEngine(found.plan).synapses
    assert found.memory()["synapses"] == found.plastic.memory() > 6 * found.synapses
    arrays = [array for each in found.plastic.arrays.values() for array in each.values.values()
              if not isinstance(array, int | float)]
    held = sum(array.nbytes for array in arrays) + 2 * sum(array.nbytes for array in found.plastic.changing())
    assert held <= learning_bytes(found.plan, found.layout) < 3 * 2**20 + 2 * held


def test_equal_rules_share_their_text() -> None:
    """Epochs, time constants, seeds and shifts are numbers in the table."""
    net = network_of_chips()
    other = {**STDP, "t_epoch": 4, "x1_tau": 3, "rng_seed": 9}
    net.project("noise", "cells", sn.all_to_all(), weight=5, weight_exp=2, sign_mode="mixed", synapse=synapse(other))
    rules = engine(make_plan(net)).source.plastic.rules
    assert rules[0].name == rules[1].name
