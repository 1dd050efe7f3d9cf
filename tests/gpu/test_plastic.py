"""Plastic projections on the GPU engine: the bits of ``reference`` however a network is cut and run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gpu.cubins import ARCHITECTURES, INEXACT, needs_nvrtc
from gpu.guard import guarded
from gpu.gxx import needs_gxx
from gpu.host import HostDevice
from gpu.races import needs_tsan, races
from learning import NETWORKS, PAIR, TIES, driven, learning, mixed, played, repeated, several, sparse, taught

import snnsim as sn
from snnsim.backends.cupy import CupyBackend, plastic_records, source
from snnsim.backends.cupy.compiler import compile, ptx
from snnsim.backends.cupy.engine import GpuEngine
from snnsim.backends.cupy.plastic_build import ranks
from snnsim.backends.cupy.plastic_size import plastic_bytes
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.errors import NumericalError
from snnsim.lowering import make_plan
from snnsim.plan import Plan
from snnsim.program import Program
from snnsim.synapse_rules import Delays

pytestmark = needs_gxx
# Strategy, parts, threads of a block.
WAYS = [("persistent", 1, 32), ("persistent", 4, 64), ("graph", 3, 64), ("launches", 2, 96)]
PIECES = (70, 1, 130)
Outcome = dict[Any, np.ndarray]
_known: dict[str, Outcome] = {}


def late(precision: str = "single") -> sn.Network:
    """No delay is short, so blocks meet every few steps only; events reach synapses late, on both sides."""
    net = driven(precision)
    net.project("exc", "exc", sn.fixed_indegree(5), weight="60 pA", delay={"uniform": ["1.2 ms", "2 ms"]}, name="late",
                synapse={**PAIR, "axonal": "0.5 ms", "tie": "post_first"})
    net.project("source", "inh", sn.fixed_indegree(4), weight="60 pA", delay="1.5 ms", name="own",
                synapse={"model": "own", "params": {"w_max": "120 pA"}, "tie": "pre_first"})
    net.project("exc", "exc", sn.fixed_indegree(3), weight="40 pA", delay="0.8 ms", name="rewarded",
                synapse={"model": "three_factor", "params": {"w_max": "200 pA", "eta": "2 Hz"}, "modulator": "exc.v"})
    net.project("inh", "exc", sn.fixed_indegree(3), weight="40 pA", delay="0.7 ms", name="dopamine",
                synapse={"model": "stdp_dopamine", "params": {"w_max": "200 pA"}, "modulator": "source",
                         "modulator_delay": "1.1 ms"})
    net.record(weights={"sent": {"projection": "late", "on": "pre"}, "course": {"projection": "own", "every": "0.3 ms"}})
    return net


def searched() -> sn.Network:
    """More delays than a target has synapses."""
    net = driven()
    net.project("exc", "exc", sn.fixed_indegree(6), weight="60 pA", delay={"uniform": ["0.5 ms", "12 ms"]}, synapse=PAIR)
    return net


def heard() -> sn.Network:
    """A rule that reads the spikes of its sources and of its modulator in every step, beside sums of weights."""
    net = driven()
    net.model("heard", {
        "kind": "synapse", "parameters": {"tau": "9 ms", "w_max": "weight"}, "states": {"c": 0},
        "traces": {"x": {"on": "pre", "tau": "tau"}, "y": {"on": "post", "tau": "tau"},
                   "m": {"on": "modulator", "tau": "2*tau"}},
        "on_step": "c = c + 0.01*x*y - 0.001*m\nw = clip(w + 0.001*w_max*c, 0, w_max)", "on_pre": "send = w",
        "on_post": "w = clip(w + 0.01*w_max*m*x, 0, w_max)",
        "on_interval": {"every": "1 ms", "do": "w = clip(w - 0.001*sum_w*x*(1 + m)*y, 0, w_max)"}})
    for tie in TIES:
        net.project("source", "exc", sn.fixed_indegree(4), weight="40 pA", delay={"uniform": ["0.4 ms", "1 ms"]}, name=tie,
                    synapse={"model": "heard", "params": {"w_max": "90 pA"}, "modulator": "source", "tie": tie})
    return net


CASES: dict[str, Callable[[], sn.Network]] = {
    **{f"rules {k} {precision}": (lambda k=k, precision=precision:  # type: ignore[misc]
                                  learning(driven(precision), NETWORKS[k], k + 2 * (precision == "double")))
       for k in range(len(NETWORKS)) for precision in ("single", "double")},
    **{f"several {tie}": (lambda tie=tie: several(tie)) for tie in TIES},  # type: ignore[misc]
    "repeated": repeated, "played": played, "sparse": sparse, "mixed": mixed, "taught": taught, "late": late,
    "late double": lambda: late("double"), "searched": searched, "heard": heard,
}


def engine(plan: Plan, strategy: str = "persistent", parts: int = 3, threads: int = 64, seed: int = 1) -> GpuEngine:
    return GpuEngine(plan, HostDevice(seed=seed), parts=parts, threads=threads, strategy=strategy)


def outcome(run: Any, pieces: tuple[int, ...] = PIECES) -> Outcome:
    """All spikes, states, everything of plastic projections, and all recorded weights."""
    chunks = [run.advance(steps) for steps in pieces]
    assert [chunk.steps for chunk in chunks] == list(pieces)
    found: Outcome = {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("step", "unit")}
    for k in range(len(run.plan.weights)):
        parts = [chunk.weights[k] for chunk in chunks]
        columns = zip(*parts, strict=True) if isinstance(parts[0], tuple) else [parts]
        found |= {("weights", k, n): np.concatenate(column) for n, column in enumerate(columns)}
    return found | states(run)


def states(run: Any) -> Outcome:
    """Of populations and of plastic projections."""
    plan = run.plan
    found: Outcome = {(k, s): run.get(k, s) for k, p in enumerate(plan.populations) for s in p.program.states}
    for k, p in enumerate(plan.projections):
        if p.plastic is not None:
            synapses = {f"synapse {name}": values for name, values in run.synapses_of(k).items()}
            found |= {(p.label, name): values for name, values in (run.plasticity(k) | synapses).items()}
    return found


def assert_same(one: Outcome, other: Outcome) -> None:
    assert one.keys() == other.keys()
    for place, values in one.items():
        np.testing.assert_array_equal(values, other[place], str(place))


def expected(name: str) -> Outcome:
    if name not in _known:
        _known[name] = outcome(ReferenceEngine(make_plan(CASES[name]())))
    return _known[name]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_bits_of_the_reference(name: str, way: tuple[str, int, int]) -> None:
    """Spikes, weights, traces, what is under way and records are those of ``reference``; no kernel leaves its arrays."""
    plan = make_plan(CASES[name]())
    with guarded():
        found = outcome(engine(plan, *way))
    assert found["step"].size > 100
    assert_same(expected(name), found)


@pytest.mark.parametrize("name", ["late", "several none", "heard"])
def test_the_cases_learn(name: str) -> None:
    """What is compared has changed: weights or states of each projection, and what is under way."""
    plan = make_plan(CASES[name]())
    before, after = states(ReferenceEngine(plan)), expected(name)
    for label in (p.label for p in plan.projections if p.plastic is not None):
        changed = {key[1] for key in before if key[0] == label and not np.array_equal(before[key], after[key])}
        assert changed & {"w", "x"} and "last" in changed, label
        assert "arrivals" in changed or (after[label, "w"] == 0).mean() > 0.9, label


def test_how_often_blocks_meet() -> None:
    """Only as often as the smallest delay of the part after a synapse demands."""
    assert engine(make_plan(late())).layout.epoch == 7
    plan = make_plan(searched())
    assert Delays.of(plan, plan.projections[0]).groups == 0


@pytest.mark.parametrize("strategy", ["persistent", "graph"])
def test_pieces_do_not_matter(strategy: str) -> None:
    """Chunks of any length leave the same."""
    assert_same(expected("late"), outcome(engine(make_plan(late()), strategy), (1, 2, 97, 3, 98)))


def assert_goes_back(run: Any) -> None:
    run.advance(101)
    saved = run.snapshot()
    once = outcome(run, (100,))
    run.advance(33)
    run.restore(saved)
    assert_same(once, outcome(run, (100,)))


@pytest.mark.parametrize("strategy", ["persistent", "launches"])
def test_going_back(strategy: str) -> None:
    """What follows a snapshot is the same again, after any number of steps."""
    assert_goes_back(engine(make_plan(late()), strategy))


def test_a_state_that_is_set_modulates() -> None:
    """A potential that is changed from outside is what rules read next."""
    plan, found = make_plan(late()), []
    for run in (ReferenceEngine(plan), engine(plan)):
        run.advance(50)
        run.set(0, "v", plan.populations[0].stored("v", np.linspace(-90.0, -52.5, 14)).astype(np.float32))
        found.append(outcome(run, (20,)))
    assert_same(*found)


@pytest.mark.parametrize("name", ["rules 0 single", "rules 2 single", "late", "taught", "heard"])
def test_resumed(name: str, tmp_path: Path) -> None:
    """Saved and resumed, from and to another backend: everything is that of one run."""
    net, path = CASES[name](), tmp_path / "state.ckpt"
    plan, gpu = make_plan(net), CupyBackend(lambda: HostDevice(seed=2), parts=3, threads=64)
    whole = ReferenceEngine(plan)
    whole.advance(201)
    first = Program(net, plan, gpu)
    first.run_steps(67)
    first.save(path)
    second = sn.resume(path, backend="reference")
    assert_same(states(first.engine), states(second.engine))
    second.run_steps(50)
    second.save(path)
    last = Program(net, plan, gpu)
    last.load(path)
    assert_same(states(second.engine), states(last.engine))
    last.run_steps(84)
    assert_same(states(whole), states(last.engine))


def test_sources_and_targets_beyond_65536() -> None:
    """Numbers of units take 4 bytes where they need more than 2."""
    net, n = sn.Network(seed=1), 65537
    net.population("few", 3, "spike_times", times=["0.2 ms", "0.4 ms", "0.4 ms", "1 ms"], ids=[0, 2, 0, 1])
    net.population("many", n, "spike_times", times=["0.1 ms", "0.3 ms", "0.5 ms", "0.9 ms"], ids=[0, n - 1, 65535, n - 1])
    synapse = {"model": "stdp_pair", "params": {"w_max": 4, "lambda": 0.2}}
    for source_name, target, ends in (("many", "few", ([0, 65535, n - 1, n - 1], [0, 1, 2, 0])),
                                      ("few", "many", ([0, 1, 2, 0], [0, 65535, n - 1, n - 1]))):
        net.project(source_name, target, sn.explicit(*ends), weight=1, delay="0.2 ms", synapse=synapse)
    plan = make_plan(net)
    found = engine(plan)
    assert [found.plastic.arrays[k].packed.sources.dtype for k in (0, 1)] == [np.uint32, np.uint16]
    assert [found.plastic.arrays[k].packed.targets.dtype for k in (0, 1)] == [np.uint16, np.uint32]
    wanted = outcome(ReferenceEngine(plan), (15,))
    assert_same(wanted, outcome(found, (15,)))
    assert all((wanted[p.label, "w"] != 1).any() for p in plan.projections)


@pytest.mark.parametrize("threads", [32, 96])
def test_more_spikes_than_a_list_holds(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """They are worked off piece by piece, on both sides of the synapses."""
    monkeypatch.setattr(source, "LIST", 64)
    net = sn.Network(seed=2)
    net.population("source", 150, "poisson", rate="9 kHz")
    net.population("target", 170, "relay")
    net.input("more", type="poisson", rate="7 kHz", to="target")
    for tie in TIES:
        net.project("source", "target", sn.fixed_indegree(3), weight=1, delay={"uniform": ["0.2 ms", "1 ms"]}, name=tie,
                    synapse={"model": "stdp_pair", "params": {"w_max": 4, "lambda": 0.02}, "tie": tie})
    plan = make_plan(net)
    found = engine(plan, parts=2, threads=threads)
    assert "#define SNN_LIST 64\n" in text(found)
    assert_same(outcome(ReferenceEngine(plan), (40,)), outcome(found, (40,)))


def test_logs_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many events there are in a chunk, each is in the record, and the rule ran once."""
    monkeypatch.setattr(plastic_records, "_LOG", 16)
    plan = make_plan(several("none"))
    found = engine(plan)
    assert_same(expected("several none"), outcome(found))
    assert found.plastic.records.logs[0]["log_entry"].size > 16


def test_recorded_twice() -> None:
    """Several records of one projection, of all or of some of its synapses, each in the order in which it was asked."""
    net = driven()
    net.project("exc", "exc", sn.fixed_indegree(5), weight="60 pA", delay="1 ms", synapse=PAIR, name="it")
    net.record(weights={"all": {"projection": "it", "on": "pre"}, "some": {"projection": "it", "on": "pre", "synapses": "3:40:5"},
                        "course": {"projection": "it", "every": "1 ms", "synapses": [2, 7, 50]}})
    plan = make_plan(net)
    assert_same(outcome(ReferenceEngine(plan)), outcome(engine(plan)))


# --- what stops a run --------------------------------------------------------------------------------------------------

def growing(send: str = "", sender: str = "exc") -> sn.Network:
    """Weights that grow beyond their bounds."""
    net = driven()
    net.model("grows", {"kind": "synapse", "parameters": {"top": "weight"}, "bounds": {"w": [0, "top"]},
                        "on_pre": f"w = 1.5*w{send}"})
    net.project(sender, "exc", sn.fixed_indegree(6), weight="60 pA", delay="1 ms", name="grows",
                synapse={"model": "grows", "params": {"top": "250 pA"}})
    return net


def message(run: Any, steps: int = 400) -> str:
    with pytest.raises(NumericalError) as info:
        run.advance(steps)
    return str(info.value)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("send", "sender"), [("", "exc"), ("\nsend = 2*w", "exc"), ("", "source")])
def test_a_weight_beyond_its_bounds(send: str, sender: str, way: tuple[str, int, int]) -> None:
    """The first synapse is named, with what it would send, the same one however the network is cut."""
    plan = make_plan(growing(send, sender))
    assert message(engine(plan, *way)) == message(ReferenceEngine(plan))


def test_the_message() -> None:
    """Its full text; a run that went back before it may go on with other weights."""
    plan = make_plan(growing())
    run = engine(plan)
    saved = run.snapshot()
    assert message(run) == (
        "projection grows: the synapse from unit 12 to unit 4 left its bounds in step 92 (t = 9.2 ms): expected a weight of "
        "at most 250 pA in size, found 303.75 pA; let grows clip the weight, or give it wider `bounds`")
    run.restore(saved)
    values = run.plasticity(0)
    run.set_plasticity(0, 0, values | {"w": np.zeros_like(values["w"])})
    assert run.advance(400).steps == 400


def test_several_faults_in_a_step() -> None:
    """Of several spikes of a source in one step, the first event that sends too much is named."""
    net = sn.Network(seed=2)
    net.population("source", 7, "poisson", rate="30 kHz")
    net.population("target", 5, "relay")
    net.model("grows", {"kind": "synapse", "parameters": {"top": "weight"}, "bounds": {"w": [0, "top"]}, "on_pre": "w = 2*w"})
    net.project("source", "target", sn.all_to_all(), weight=1, delay="0.5 ms",
                synapse={"model": "grows", "params": {"top": 3}})
    plan = make_plan(net)
    assert message(engine(plan)) == message(ReferenceEngine(plan))


# --- what an engine says ----------------------------------------------------------------------------------------------

def test_facts_and_sizes() -> None:
    """Synapses are counted and named, and measured as what they take."""
    plan = make_plan(late())
    run, drawn = engine(plan), [p.table(plan.populations[p.target].n)["source"].size for p in plan.projections]
    assert run.synapses == sum(drawn)
    assert run.facts()["bundles"] == ["plastic: late", "plastic: own", "plastic: rewarded", "plastic: dopamine"]
    assert run.memory()["synapses"] == run.plastic.memory() > 4 * sum(drawn)


@pytest.mark.parametrize("parts", [1, 3])
def test_rows_and_columns_hold_the_same_synapses(parts: int) -> None:
    """Rows are sorted by source, target and delay; columns name each synapse once, by target and delay."""
    plan = make_plan(late())
    run = engine(plan, parts=parts)
    packed, groups = run.plastic.arrays[0].packed, Delays.of(plan, plan.projections[0]).groups
    names = ("rows", "targets", "delays", "columns", "positions", "sources")
    rows, targets, delays, columns, places, sources = (
        run.device.download(getattr(packed, name)).astype(np.int64) for name in names)
    assert sorted(np.concatenate(ranks(rows))) == list(range(packed.w.size))
    for part, (low, high) in enumerate(zip(packed.base[:-1], packed.base[1:], strict=True)):
        own = np.repeat(np.arange(14), np.diff(rows[part]))
        target, delay, positions = targets[low:high], delays[low:high], places[low:high]
        assert (np.diff((own * 100 + target) * 100 + delay) >= 0).all()
        assert sorted(positions) == list(range(high - low))
        assert np.array_equal(sources[low:high], own[positions])
        begin = np.searchsorted(columns, np.arange(low, high), side="right") - 1
        assert np.array_equal(begin, target[positions] * groups + delay[positions])


def test_estimate_covers_plastic_synapses() -> None:
    """The memory said before building covers what is then built, and is not far from it."""
    net = sn.Network(seed=1)
    net.population("cells", 3000, "lif_psc_exp")
    net.project("cells", "cells", sn.fixed_indegree(30), weight={"uniform": ["1 pA", "2 pA"]},
                delay={"uniform": ["0.5 ms", "2 ms"]}, synapse=PAIR)
    run = engine(make_plan(net))
    arrays = [array for array in run.plastic.arrays[0].values.values() if not isinstance(array, int | float)]
    held = sum(array.nbytes for array in arrays) + 2 * sum(array.nbytes for array in run.plastic.changing())
    assert held <= plastic_bytes(run.plan, run.layout) < 60 * 2**20 + 12 * held


# --- kernels ----------------------------------------------------------------------------------------------------------

def text(run: GpuEngine) -> str:
    return run.source.text(run.fit.flags, [table.at.dtype for table in run.tables])


def test_clipped_weights_are_not_checked() -> None:
    """Where a rule ends in a clip within its limit, nothing it sends can exceed it."""
    assert "worst.note" not in engine(make_plan(searched())).source.plastic.text()
    assert "worst.note" in engine(make_plan(growing())).source.plastic.text()


def test_equal_rules_share_their_text() -> None:
    """Projections that differ in numbers only are advanced by one function."""
    net = driven()
    for name, weight in (("one", "50 pA"), ("other", "20 pA")):
        net.project("exc", "exc", sn.fixed_indegree(5), weight=weight, delay="1 ms", synapse=PAIR, name=name)
    rules = engine(make_plan(net)).source.plastic.rules
    assert rules[0].name == rules[1].name


@needs_nvrtc
@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_compiled_for_devices(arch: int) -> None:
    """The text compiles, and nothing in it is approximate."""
    code = text(engine(make_plan(late("double"))))
    assert compile(code, arch).log == ""
    assert INEXACT.findall(ptx(code, arch)) == []


def run_for_races(name: str, strategy: str) -> None:
    outcome(engine(make_plan(CASES[name]()), strategy), (23,))


@needs_tsan
@pytest.mark.slow
@pytest.mark.parametrize(("name", "strategy"), [("late", "persistent"), ("rules 1 single", "launches"),
                                                ("heard", "persistent")])
def test_no_races(name: str, strategy: str) -> None:
    """Blocks read what others show only after they met; phases of a rule do not overlap."""
    assert races(run_for_races, name, strategy) == []
