"""Couplings on the GPU engine: the bits of ``reference`` however a network is cut and run, and what stops a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coupled import NETWORKS, many, noisy, pair, spiking, strong
from gpu.cubins import ARCHITECTURES, INEXACT, needs_nvrtc
from gpu.guard import guarded
from gpu.gxx import needs_gxx
from gpu.host import HostDevice
from gpu.races import needs_tsan, races

import snnsim as sn
from snnsim.backends.cupy import CupyBackend
from snnsim.backends.cupy.compiler import compile, ptx
from snnsim.backends.cupy.coupling import coupled_bytes
from snnsim.backends.cupy.cubin import resources
from snnsim.backends.cupy.engine import GpuEngine, check
from snnsim.backends.cupy.exchange import Copies
from snnsim.backends.cupy.group import GpuGroup
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.checkpoint import load_state
from snnsim.errors import NumericalError
from snnsim.lowering import make_plan
from snnsim.plan import Plan
from snnsim.program import Program

pytestmark = needs_gxx
# Strategy, parts, threads of a block.
WAYS = [("persistent", 1, 32), ("persistent", 4, 64), ("graph", 3, 64), ("launches", 2, 96)]
STEPS = 400
Engine = GpuEngine | GpuGroup | ReferenceEngine
Outcome = dict[Any, np.ndarray]
_known: dict[tuple[str, str], Outcome] = {}


def engine(plan: Plan, strategy: str = "persistent", parts: int = 3, threads: int = 64, seed: int = 1) -> GpuEngine:
    return GpuEngine(plan, HostDevice(seed=seed), parts=parts, threads=threads, strategy=strategy)


def group(plan: Plan, devices: int = 3) -> GpuGroup:
    return GpuGroup(plan, [HostDevice(seed=k) for k in range(devices)], Copies(), parts=2, threads=64)


def outcome(run: Engine, steps: tuple[int, ...] = (STEPS,)) -> Outcome:
    """All spikes and all states."""
    chunks = [run.advance(n) for n in steps]
    assert [chunk.steps for chunk in chunks] == list(steps)
    spikes = {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("step", "unit")}
    return spikes | states(run)


def states(run: Engine) -> Outcome:
    return {(k, s): run.get(k, s) for k, p in enumerate(run.plan.populations) for s in p.program.states}


def assert_same(one: Outcome, other: Outcome) -> None:
    assert one.keys() == other.keys()
    for place, values in one.items():
        assert np.array_equal(values, other[place]), place


def expected(name: str, precision: str) -> Outcome:
    if (name, precision) not in _known:
        _known[name, precision] = outcome(ReferenceEngine(make_plan(NETWORKS[name](precision))))
    return _known[name, precision]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("name", NETWORKS)
def test_bits_of_the_reference(name: str, precision: str, way: tuple[str, int, int]) -> None:
    """States and spikes are those of ``reference``; no kernel leaves its arrays."""
    with guarded():
        found = outcome(engine(make_plan(NETWORKS[name](precision)), *way))
    assert found["step"].size
    assert_same(expected(name, precision), found)


@pytest.mark.parametrize("name", ["many", "spiking"])
def test_several_devices(name: str) -> None:
    """Devices see the variables of each other's units, also where populations have levels."""
    net = NETWORKS[name]("single")
    net.projections[:] = [p for p in net.projections if p.synapse is None]
    plan = make_plan(net)
    assert_same(outcome(ReferenceEngine(plan)), outcome(group(plan), (150, 250)))


@pytest.mark.parametrize("indegree", [1, 5, 20, 100])
def test_threads_that_share_a_target(indegree: int) -> None:
    """However many synapses there are, as many threads as suit them add them up, over several rounds of a block."""
    net = noisy(n=70)
    net.project("a", "a", sn.fixed_indegree(indegree), weight={"uniform": ["0.1 nS", "0.2 nS"]}, coupling="gap_junction")
    plan = make_plan(net)
    found = engine(plan, parts=1)
    each = {1: 1, 5: 2, 20: 8, 100: 32}[indegree]
    assert f"each_target<{each}>" in found.source.couplings.text()
    assert_same(outcome(ReferenceEngine(plan), (60,)), outcome(found, (60,)))


def test_sources_beyond_65536() -> None:
    """Numbers of sources take 4 bytes where they need more than 2."""
    net = sn.Network(seed=1)
    net.population("few", 3, "chialvo")
    for n in (65536, 65537):
        net.population(f"p{n}", n, "chialvo", init={"x": {"uniform": [0.0, 0.5]}})
        net.project(f"p{n}", "few", sn.explicit([0, 65535, n - 1], [0, 1, 2]), weight=0.1,
                    coupling={"model": "diffusive", "variable": "x"})
    plan = make_plan(net)
    found = engine(plan)
    assert [found.couplings.packed[k].sources.dtype for k in (0, 1)] == [np.uint16, np.uint32]
    assert_same(outcome(ReferenceEngine(plan), (5,)), outcome(found, (5,)))


def test_an_input_that_is_not_read() -> None:
    """A coupling onto an input that the equations do not have changes nothing, but it may still be too strong."""
    def net(growth: float) -> sn.Network:
        net = sn.Network(dt="1 ms", seed=1)
        net.model("grow", {"parameters": {"f": growth}, "inputs": {"inp": "1"}, "dynamics": "x[n+1] = f*x : 1",
                           "initial": {"x": 1}})
        net.population("p", 3, "grow", init={"x": [1.0, 1.5, 2.0]})
        net.project("p", "p", sn.explicit([2, 1], [0, 0]), weight=1, coupling={"model": "diffusive", "variable": "x"})
        return net

    calm, wild = make_plan(net(1.01)), make_plan(net(10))
    assert_same(outcome(ReferenceEngine(calm), (20,)), outcome(engine(calm), (20,)))
    assert message(engine(wild), 20) == message(ReferenceEngine(wild), 20) == (
        "projection p->p: the coupling of unit 1 to unit 0 became 5e+06 in step 8 (t = 8 ms); a smaller dt or weaker "
        "coupling may help")


@pytest.mark.parametrize("strategy", ["persistent", "graph"])
def test_pieces_do_not_matter(strategy: str) -> None:
    """A call begins with the variables as the states are."""
    assert_same(expected("many", "single"), outcome(engine(make_plan(many("single")), strategy), (1, 2, 97, 300)))


def test_a_state_that_is_set_is_seen_by_others() -> None:
    """In the next step neighbours feel a potential that was changed from outside."""
    plan, found = make_plan(pair("double")), []
    for run in (ReferenceEngine(plan), engine(plan)):
        run.advance(10)
        run.set(0, "v", plan.populations[0].stored("v", np.array([-60.0, -80.0])))
        run.advance(3)
        found.append(states(run))
    assert_same(*found)
    assert plan.populations[0].value("v", found[0][0, "v"])[1] > -79.9


@pytest.mark.parametrize("strategy", ["persistent", "launches"])
def test_numbers_near_zero(strategy: str) -> None:
    """A call begins with the very bits of the states, also where a library of arrays would make them zero."""
    net = sn.Network(seed=1)
    net.population("p", 2, "chialvo")
    net.project("p", "p", sn.one_to_one(), weight=1, coupling={"model": "diffusive", "variable": "x"})
    run, values = engine(make_plan(net), strategy), np.array([1e-40, 0.5], np.float32)
    run.set(0, "x", values)
    run.advance(1)
    assert np.array_equal(run.device.download(run.couplings.published[0, "x"])[0], values)


@pytest.mark.parametrize("strategy", ["persistent", "launches"])
def test_going_back(strategy: str) -> None:
    """What follows a snapshot is the same again, after any number of steps."""
    run = engine(make_plan(spiking("single")), strategy)
    run.advance(101)
    saved = run.snapshot()
    once = outcome(run, (100,))
    run.advance(33)
    run.restore(saved)
    assert_same(once, outcome(run, (100,)))


def test_resumed(tmp_path: Path) -> None:
    """States are all that couplings need to go on, from and to another backend."""
    net, path = spiking("single"), tmp_path / "state.ckpt"
    plan, gpu = make_plan(net), CupyBackend(lambda: HostDevice(seed=2), parts=3, threads=64)
    whole = sn.compile(net, backend="reference")
    whole.run_steps(STEPS)
    first = Program(net, plan, gpu)
    first.run_steps(133)
    first.save(path)
    second = sn.resume(path, backend="reference")
    second.run_steps(67)
    second.save(path)
    last = Program(net, plan, gpu)
    last.load(path)
    last.run_steps(200)
    last.save(path)
    saved = load_state(path)[0]
    whole.save(path)
    for name, values in load_state(path)[0].items():
        assert np.array_equal(values, saved[name]), name


# --- what stops a run --------------------------------------------------------------------------------------------------

def message(run: Engine, steps: int = 40) -> str:
    with pytest.raises(NumericalError) as info:
        run.advance(steps)
    return str(info.value)


@pytest.mark.parametrize("way", WAYS)
def test_divergence_names_the_first_synapse(way: tuple[str, int, int]) -> None:
    """The same step, synapse and number everywhere; first is the synapse of the lowest source, then target."""
    assert message(engine(make_plan(strong()), *way), 200) == (
        "projection strong: the coupling of unit 0 to unit 1 became 2.42223e+09 in step 15 (t = 1.5 ms); a smaller dt "
        "or weaker coupling may help")


@pytest.mark.parametrize("strategy", ["persistent", "launches"])
@pytest.mark.parametrize(("rule", "place"), [("growing", "projection strong: the coupling"),
                                             ("exploding", "projection plastic: the synapse")])
def test_what_is_wrong_first_stops_a_run(rule: str, place: str, strategy: str) -> None:
    """Of a coupling and a plastic synapse, the one that is wrong earlier."""
    plan = make_plan(strong(rule))
    text = message(ReferenceEngine(plan))
    assert text.startswith(place)
    assert message(engine(plan, strategy)) == text


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_divergence_on_several_devices(devices: int) -> None:
    """All stop in the same step, whoever finds something wrong, and what is named is the first of all."""
    plan = make_plan(strong())
    assert message(group(plan, devices), 100) == message(ReferenceEngine(plan), 100)


@pytest.mark.parametrize("cells", [[0, 3, 6], [6, 3, 0]])
def test_nobody_goes_on(cells: list[int]) -> None:
    """A device that found nothing wrong keeps what others need to say what was."""
    net = strong()
    net.projections.clear()
    net.project("c", "c", sn.explicit(cells[:2], cells[1:]), weight=["10 uS", "20 uS"], coupling="gap_junction")
    plan = make_plan(net)
    for run in (engine(plan), engine(plan, "launches"), group(plan)):
        assert message(run, 100) == message(ReferenceEngine(plan), 100)


def test_device_and_host_disagree() -> None:
    """A run that stopped for no reason that the host can find is not taken for one that went on."""
    run = engine(make_plan(pair("single")))
    run.couplings.open(0)
    run.couplings.diverged[0] = 7
    with pytest.raises(AssertionError, match=r"^a coupling was wrong in step 7 on the device, and on the host it is not$"):
        check([run])


def test_divergence_after_other_calls() -> None:
    """The step is counted from the beginning of the run, also beyond 32 bits."""
    run = engine(make_plan(strong()))
    run.advance(9)
    assert "in step 15 (t = 1.5 ms)" in message(run)
    none = np.zeros(0, np.int64)
    run = engine(make_plan(strong()))
    run.load((1 << 32) - 8, none, none)
    assert f"in step {(1 << 32) + 7} (t = " in message(run)


def test_a_number_that_is_none() -> None:
    """What is not a number stops a run like what is too large."""
    plan, found = make_plan(pair("single")), []
    for run in (ReferenceEngine(plan), engine(plan)):
        run.set(0, "v", np.array([np.nan, 0], np.float32))
        found.append(message(run))
    assert found[0] == found[1] == (
        "projection a->a: the coupling of unit 0 to unit 1 became nan in step 1 (t = 0.1 ms); a smaller dt or weaker "
        "coupling may help")


def test_a_pair_that_is_coupled_twice() -> None:
    """Of synapses between the same units, the first that was drawn is named."""
    net = sn.Network(seed=1)
    net.population("a", 2, "lif_psc_exp", init={"v": ["-70 mV", "1e12 mV"]}, v_th="1e12 V")
    net.project("a", "a", sn.explicit([1, 0, 1], [0, 1, 0]), weight=["3 nS", "2 nS", "1 nS"], coupling="gap_junction")
    plan = make_plan(net)
    assert message(engine(plan)) == message(ReferenceEngine(plan))
    assert "of unit 0 to unit 1" in message(engine(plan))
    net.projections.clear()
    net.project("a", "a", sn.explicit([1, 1], [0, 0]), weight=["3 nS", "2 nS"], coupling="gap_junction")
    plan = make_plan(net)
    assert "of unit 1 to unit 0 became 3e+12 in" in message(engine(plan))
    assert message(engine(plan)) == message(ReferenceEngine(plan))


# --- what an engine says ----------------------------------------------------------------------------------------------

def test_facts_and_sizes() -> None:
    """Synapses are counted, named and measured; one weight takes no memory for each."""
    plan = make_plan(many("single"))
    run = engine(plan)
    drawn = [p.table(plan.populations[p.target].n)["source"].size for p in plan.projections]
    assert run.synapses == sum(drawn)
    assert run.facts()["bundles"] == ["coupled: a->a", "coupled: back", "coupled: own", "coupled: twice", "coupled: none"]
    packed = run.couplings.packed
    assert packed[0].sources.nbytes + packed[0].weights.nbytes == 50 * 5 * 2 + 4
    assert packed[1].weights.size == drawn[1]
    assert run.memory()["synapses"] == run.couplings.memory()


def test_synapses_by_target() -> None:
    """Each part's synapses are those of the projection, sorted by target, source and number."""
    plan = make_plan(many("double"))
    found = engine(plan).couplings
    for k, projection in enumerate(plan.projections):
        table = projection.table(plan.populations[projection.target].n)
        order = np.lexsort((table["source"], table["target"]))
        for name, values in found.table(k).items():
            assert np.array_equal(values, table[name][order]), (projection.label, name)


def test_estimate_covers_couplings() -> None:
    """The memory said before building covers the couplings that are then built, and is not far from it."""
    net = noisy(n=3000)
    weights: dict[str, Any] = {"constant": "0.1 nS", "drawn": {"uniform": ["0.1 nS", "0.2 nS"]}}
    for name, weight in weights.items():
        net.project("a", "a", sn.fixed_indegree(20), weight=weight, coupling="gap_junction", name=name)
    run = engine(make_plan(net))
    held = run.couplings.memory() + sum(a.nbytes for a in (*run.couplings.published.values(), *run.couplings.sums.values()))
    assert held <= coupled_bytes(run.plan, run.layout) < 60 * 2**20 + 30 * held


# --- kernels ----------------------------------------------------------------------------------------------------------

def text(plan: Plan, strategy: str) -> str:
    run = engine(plan, strategy)
    return run.source.text(run.fit.flags, [table.at.dtype for table in run.tables])


@needs_nvrtc
@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_compiled_for_devices(arch: int) -> None:
    """The text compiles, nothing in it is approximate, and couplings leave no number in local memory."""
    for strategy in ("persistent", "launches"):
        source = text(make_plan(many("double")), strategy)
        assert INEXACT.findall(ptx(source, arch)) == []
        assert resources(compile(source, arch).data)["snn_run"].stack == 0


def run_for_races(strategy: str) -> None:
    """Calm steps, then some until a coupling diverges."""
    engine(make_plan(many("single")), strategy).advance(12)
    message(engine(make_plan(strong()), strategy), 20)


@needs_tsan
@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["persistent", "launches"])
def test_no_races(strategy: str) -> None:
    """Blocks read what others publish only after they met, and stop together."""
    assert races(run_for_races, strategy) == []
