"""Plastic projections of one network on several devices: the bits of ``reference``, whoever owns which synapses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coupled import strong
from gpu.guard import guarded
from gpu.gxx import needs_gxx
from gpu.host import HostDevice
from gpu.test_group import group
from gpu.test_plastic import CASES, assert_goes_back, assert_same, expected, growing, late, message, outcome, states
from learning import PAIR, driven, several

import snnsim as sn
from snnsim import configs
from snnsim.backends.cupy import CupyBackend, plastic_records
from snnsim.backends.cupy.exchange import Copies
from snnsim.backends.cupy.group import GpuGroup
from snnsim.backends.cupy.plastic_arrays import PlasticArrays
from snnsim.backends.cupy.plastic_size import plastic_bytes
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.engine import Engine
from snnsim.lowering import make_plan
from snnsim.plan import Plan
from snnsim.program import Program

pytestmark = needs_gxx
# A rule of each kind, delays of all kinds, targets that are fewer than parts, several spikes in a step.
SOME = ["rules 1 double", "rules 2 single", "rules 3 single", "several none", "repeated", "sparse", "taught", "late",
        "heard"]


class Posted:
    """Copies between devices that do not know each other's arrays, over the host."""

    def __init__(self, devices: Sequence[HostDevice]) -> None:
        self.devices = devices

    def share(self, arrays: Sequence[Any], cuts: Sequence[int]) -> None:
        for source, target in permutations(range(len(arrays)), 2):
            own = slice(cuts[source], cuts[source + 1])
            values = self.devices[source].download(arrays[source][own])
            arrays[target][own] = self.devices[target].upload(values)


class Several(CupyBackend):
    """The backend on three devices."""

    def compile(self, plan: Plan, threads: int | None = None) -> Engine:
        return group(plan)


@pytest.mark.parametrize("members", [1, 2, 3])
@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in SOME else pytest.mark.slow) for name in CASES])
def test_bits_of_the_reference(name: str, members: int) -> None:
    """Spikes, weights, traces, what is under way and records do not depend on how many devices there are."""
    with guarded():
        found = outcome(group(make_plan(CASES[name]()), members))
    assert found["step"].size > 100
    assert_same(expected(name), found)


@pytest.mark.parametrize("name", ["rules 2 single", "late"])
def test_devices_that_share_no_memory(name: str) -> None:
    """Nothing of one device is used on another, also where a network is resumed."""
    plan, devices = make_plan(CASES[name]()), [HostDevice(seed=k, index=k) for k in range(3)]
    run = GpuGroup(plan, devices, Posted(devices), parts=1, threads=32)
    for k in (k for k, p in enumerate(plan.projections) if p.plastic is not None):
        run.set_plasticity(k, 0, run.plasticity(k))
    assert_same(expected(name), outcome(run))


def test_synapses_of_one_source_are_everywhere() -> None:
    """What is compared has synapses on each device, between whose numbers are those of the others."""
    run = group(make_plan(late()))
    for number, arrays in run.first.plastic.arrays.items():
        assert all(member.plastic.arrays[number].packed.w.size for member in run.members)
        assert len(set(np.diff(np.concatenate(run.learning._ranks(number)[0])))) > 1, arrays.it.label


@pytest.mark.parametrize(("name", "shown"), [("late", "trace"), ("late", "last"), ("rules 2 single", "variable")])
def test_members_need_what_others_show(name: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of the rings that are shared, devices learn something else."""
    published = PlasticArrays.published.fget
    assert published is not None
    monkeypatch.setattr(PlasticArrays, "published", property(lambda self: {
        ring: k for ring, k in published(self).items() if not ring.startswith(shown)}))
    with pytest.raises(AssertionError):
        assert_same(expected(name), outcome(group(make_plan(CASES[name]()))))


def test_pieces_do_not_matter() -> None:
    """Chunks of any length leave the same."""
    assert_same(expected("late"), outcome(group(make_plan(late())), (1, 2, 97, 3, 98)))


@pytest.mark.parametrize("name", ["rules 2 single", "late"])
def test_going_back(name: str) -> None:
    """What follows a snapshot is the same again, after any number of steps."""
    assert_goes_back(group(make_plan(CASES[name]())))


@pytest.mark.parametrize(("name", "population"), [("late", "exc"), ("rules 2 single", "reward")])
def test_a_state_that_is_set_modulates(name: str, population: str) -> None:
    """A potential that is changed from outside is what rules read next, also on devices that do not own it."""
    plan, found = make_plan(CASES[name]()), []
    k = [p.name for p in plan.populations].index(population)
    values = plan.populations[k].stored("v", np.linspace(-60.0, -52.5, plan.populations[k].n)).astype(np.float32)
    for run in (ReferenceEngine(plan), group(plan)):
        run.advance(50)
        run.set(k, "v", values)
        found.append(outcome(run, (20,)))
    assert_same(*found)


@pytest.mark.parametrize("name", ["rules 0 single", "rules 2 single", "late", "taught", "heard"])
def test_resumed(name: str, tmp_path: Path) -> None:
    """Saved and resumed, from and to other engines: everything is that of one run."""
    net, path = CASES[name](), tmp_path / "state.ckpt"
    plan, one = make_plan(net), CupyBackend(lambda: HostDevice(seed=2), parts=3, threads=64)
    whole = ReferenceEngine(plan)
    whole.advance(201)
    first = Program(net, plan, Several())
    first.run_steps(67)
    first.save(path)
    second = sn.resume(path, backend="reference")
    assert_same(states(first.engine), states(second.engine))
    second.run_steps(33)
    second.save(path)
    third = Program(net, plan, Several())
    third.load(path)
    assert_same(states(second.engine), states(third.engine))
    third.run_steps(17)
    third.save(path)
    last = Program(net, plan, one)
    last.load(path)
    assert_same(states(third.engine), states(last.engine))
    last.run_steps(84)
    assert_same(states(whole), states(last.engine))


def test_logs_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the log of one device is too short, all go back, and the rule ran once."""
    monkeypatch.setattr(plastic_records, "_LOG", 50)
    run = group(make_plan(several("none")), 2)
    assert_same(expected("several none"), outcome(run))
    rooms = [member.plastic.records.logs[0]["log_entry"].size for member in run.members]
    assert max(rooms) > 50


@pytest.mark.parametrize("members", [2, 3])
def test_recorded_twice(members: int) -> None:
    """Several records of one projection, of all or of some of its synapses, each in the order in which it was asked."""
    net = driven()
    net.project("exc", "exc", sn.fixed_indegree(5), weight="60 pA", delay="1 ms", synapse=PAIR, name="it")
    net.record(weights={"all": {"projection": "it", "on": "pre"}, "some": {"projection": "it", "on": "pre", "synapses": "3:40:5"},
                        "one": {"projection": "it", "every": "0.5 ms", "synapses": [69]},
                        "course": {"projection": "it", "every": "1 ms", "synapses": [2, 7, 50]}})
    plan = make_plan(net)
    assert_same(outcome(ReferenceEngine(plan)), outcome(group(plan, members)))


# --- what stops a run --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("members", [1, 2, 3])
@pytest.mark.parametrize(("send", "sender"), [("", "exc"), ("\nsend = 2*w", "exc"), ("", "source")])
def test_a_weight_beyond_its_bounds(send: str, sender: str, members: int) -> None:
    """The first synapse is named, whichever device has it."""
    plan = make_plan(growing(send, sender))
    assert message(group(plan, members)) == message(ReferenceEngine(plan))


def test_the_first_of_all_devices() -> None:
    """Its full text, where the fault of another device comes before that of the first one."""
    run = group(make_plan(growing()))
    assert message(run) == (
        "projection grows: the synapse from unit 12 to unit 4 left its bounds in step 92 (t = 9.2 ms): expected a weight of "
        "at most 250 pA in size, found 303.75 pA; let grows clip the weight, or give it wider `bounds`")
    found = [min(member.plastic.faults()) for member in run.members if member.plastic.faults()]
    assert len(found) > 1


@pytest.mark.parametrize(("rule", "kind"), [("growing", "coupling"), ("exploding", "synapse")])
def test_a_fault_of_either_kind(rule: str, kind: str) -> None:
    """Whichever of a coupling and a plastic synapse was wrong first is named."""
    plan = make_plan(strong(rule))
    found = message(group(plan))
    assert f": the {kind} " in found
    assert found == message(ReferenceEngine(plan))


# --- sizes ------------------------------------------------------------------------------------------------------------

def test_estimate_covers_each_member() -> None:
    """The memory said before building is that of each device."""
    net = sn.Network(seed=1)
    net.population("cells", 3000, "lif_psc_exp")
    net.project("cells", "cells", sn.fixed_indegree(30), weight={"uniform": ["1 pA", "2 pA"]},
                delay={"uniform": ["0.5 ms", "2 ms"]}, synapse=PAIR)
    run = group(make_plan(net))
    assert run.synapses == 90000
    for member in run.members:
        arrays = [array for array in member.plastic.arrays[0].values.values() if not isinstance(array, int | float)]
        held = sum(array.nbytes for array in arrays) + 2 * sum(array.nbytes for array in member.plastic.changing())
        assert held <= plastic_bytes(run.plan, member.layout) < 20 * 2**20 + 12 * held


def test_nothing_is_refused() -> None:
    """Plastic synapses run on several GPUs."""
    plan = make_plan(sn.load(configs.path("brunel_stdp")))
    assert CupyBackend(places=(0, 1)).refuses(plan) == []


# --- what is shared ---------------------------------------------------------------------------------------------------

class Counted(Copies):
    """Notes the sizes of what is shared."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def share(self, arrays: Sequence[np.ndarray], cuts: Sequence[int]) -> None:
        self.sizes.append(arrays[0].size)
        super().share(arrays, cuts)


def test_only_what_others_read_is_shared() -> None:
    """Spikes and counts of each step, and of each ring a row: not of a variable that each target has for itself."""
    run, exchange = group(make_plan(late())), Counted()
    rings = {arrays.it.label: sorted(arrays.published) for arrays in run.first.plastic.arrays.values()}
    assert rings == {"late": ["trace_x"], "own": ["last", "trace_x"], "rewarded": ["trace_x"], "dopamine": ["trace_x"]}
    run.exchange = exchange
    run.advance(14)
    assert len(exchange.sizes) == 2 * 14 + 5 * (14 + 1)
