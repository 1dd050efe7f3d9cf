"""The GPU engine on the host: the bits of ``reference``, however a run is cut, in whatever order threads come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gpu import engines
from gpu.engines import NETWORKS, STRATEGIES, assert_equal, assert_same, engine_of, expected, plan_of, run, states_of
from gpu.guard import guarded
from gpu.gxx import needs_gxx
from gpu.host import HostDevice

import snnsim as sn
from snnsim.backends.cupy import CupyBackend, history, source
from snnsim.backends.cupy import strategy as strategies
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.errors import InputError
from snnsim.lowering import make_plan
from snnsim.program import Program

pytestmark = needs_gxx
STEPS = {"graded": 600, "far": 1400}
of_each_network = pytest.mark.parametrize("name", NETWORKS)
with_each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


@pytest.fixture(autouse=True)
def _short_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that these runs are long enough for some."""
    monkeypatch.setattr(strategies, "_GRAPH_EPOCHS", 3)


def steps_of(name: str) -> int:
    """Enough that everything happens in the network."""
    return STEPS.get(name, 320)


def assert_as_reference(make: Callable[[], sn.Network], *pieces: int, **options: Any) -> int:
    """A network that stands in no list; returns its spikes."""
    plan = make_plan(make())
    wanted = run(ReferenceEngine(plan), plan, sum(pieces))
    assert_same(run(engine_of(plan, **options), plan, *pieces), wanted)
    return int(wanted.step.size)


def test_these_networks_use_everything() -> None:
    """Each kind of bundle, width of words and place of a weight; sums of both widths; several levels."""
    layouts = [engine_of(plan_of(name), parts=2).layout for name in NETWORKS]
    bundles = [bundle for layout in layouts for bundle in layout.bundles]
    assert {bundle.kind for bundle in bundles} == {"list", "soon", "late", "now"}
    assert {bundle.word.bits for bundle in bundles} == {16, 32, 64}
    assert {bundle.word.column for bundle in bundles} == {bundle.row_weight is None for bundle in bundles} == {False, True}
    assert {layout.wide for layout in layouts} == {False, True}
    assert {layout.levels for layout in layouts} == {1, 3}


# --- how a run is cut ------------------------------------------------------------------------------------------------


@of_each_network
@with_each_strategy
def test_pieces_of_any_length(name: str, strategy: str) -> None:
    """Also of one step, and of lengths that are no multiples of an epoch or of four steps."""
    steps = steps_of(name)
    wanted = expected(name, steps)
    assert wanted.step.size > 50
    pieces = (1, 1, 2, 3, 17, 64, 5, 131)
    assert_same(run(engine_of(plan_of(name), strategy), plan_of(name), *pieces, steps - sum(pieces)), wanted)


@pytest.mark.parametrize("delay, epoch", [("0.1 ms", 1), ("0.2 ms", 2), ("1.5 ms", 15), ("6.4 ms", 64), ("9 ms", 64)])
@with_each_strategy
def test_epochs_of_any_length(delay: str, epoch: int, strategy: str) -> None:
    """As long as the smallest delay, up to 64 steps."""
    def make() -> sn.Network:
        return engines.driven({"uniform": [delay, "15 ms"]}, engines.NORMAL)

    assert engine_of(make_plan(make()), strategy).layout.epoch == epoch
    assert assert_as_reference(make, 100, 33, 67, strategy=strategy) > 50


@pytest.fixture
def _short_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly longer than what synapses need."""
    monkeypatch.setattr(history, "_LEAST_STEPS", 1)
    monkeypatch.setattr(history, "_MOST_STEPS", 1)


@pytest.mark.usefixtures("_short_history")
@of_each_network
@with_each_strategy
def test_the_history_goes_round_many_times(name: str, strategy: str) -> None:
    """A call does as many steps as it has room for; slots of old steps are taken again."""
    engine = engine_of(plan_of(name), strategy)
    steps = steps_of(name)
    chunk = engine.spikes.chunk
    assert chunk < steps / 3
    assert engine.advance(steps).steps == chunk
    engine = engine_of(plan_of(name), strategy)
    assert_same(run(engine, plan_of(name), steps), expected(name, steps))


@pytest.mark.usefixtures("_short_history")
@with_each_strategy
def test_far_delays_round_the_history(strategy: str) -> None:
    """A history hardly longer than a delay of 2 000 steps that all synapses share."""
    def make() -> sn.Network:
        net = engines.driven("200 ms", n=33)
        net.project("inh", "exc", sn.fixed_indegree(3), weight="-2 mV", delay="1.5 ms")
        return net

    assert engine_of(make_plan(make()), strategy).spikes.slots == 2048
    assert assert_as_reference(make, 5000, strategy=strategy) > 50


# --- going back and going on -----------------------------------------------------------------------------------------


@of_each_network
@with_each_strategy
def test_going_back(name: str, strategy: str) -> None:
    """From what was kept, the same follows, cut in another way; what is kept does not change meanwhile."""
    plan, steps = plan_of(name), steps_of(name)
    engine, first = engine_of(plan, strategy), steps // 3 + 2
    run(engine, plan, first)
    saved, before = engine.snapshot(), states_of(engine, plan)
    once = run(engine, plan, steps - first)
    for pieces in ((steps - first,), (1, 6, steps - first - 7)):
        engine.restore(saved)
        assert engine.done == first
        assert_equal(states_of(engine, plan).values(), before.values())
        assert_same(run(engine, plan, *pieces), once)


@with_each_strategy
def test_going_back_to_the_beginning(strategy: str) -> None:
    """Before any step."""
    engine, plan = engine_of(plan_of("rings"), strategy), plan_of("rings")
    saved = engine.snapshot()
    run(engine, plan, 77)
    engine.restore(saved)
    assert_same(run(engine, plan, 320), expected("rings", 320))


@of_each_network
@with_each_strategy
def test_going_on_where_reference_stopped(name: str, strategy: str) -> None:
    """From its states and spikes under way; and ``reference`` goes on from what the engine gives."""
    plan, steps = plan_of(name), steps_of(name)
    for begins, goes_on in ((ReferenceEngine(plan), engine_of(plan, strategy)),
                            (engine_of(plan, strategy), ReferenceEngine(plan))):
        run(begins, plan, steps // 3 + 2)
        for k, population in enumerate(plan.populations):
            for state in population.program.states:
                goes_on.set(k, state, begins.get(k, state))
        goes_on.load(begins.done, *begins.history())
        assert_equal(goes_on.history(), begins.history())
        run(goes_on, plan, steps - goes_on.done)
        assert_equal(states_of(goes_on, plan).values(), expected(name, steps).states.values())


def test_checkpoints_pass_between_engines(tmp_path: Path) -> None:
    """The CPU engine goes on from a file of the GPU engine, and the GPU engine from one of the CPU engine."""
    def program(backend: str) -> Program:
        net = NETWORKS["levels"]()
        if backend == "cpu":
            return sn.compile(net, "cpu", 2)
        return Program(net, make_plan(net), CupyBackend(HostDevice, parts=3, threads=64))

    whole = program("cpu")
    whole.run_steps(320)
    for one, other in (("cpu", "cupy"), ("cupy", "cpu")):
        begins, goes_on = program(one), program(other)
        begins.run_steps(103)
        begins.save(tmp_path / one)
        goes_on.load(tmp_path / one)
        goes_on.run_steps(217)
        assert goes_on.counts.tolist() == whole.counts.tolist()
        assert_equal(goes_on.engine.history(), whole.engine.history())
        assert_equal([values for *_, values in goes_on._states()], [values for *_, values in whole._states()])


def test_states_can_be_set() -> None:
    """Numbers that are read and set between two calls, real and whole ones."""
    plan, engines_ = plan_of("rings"), [ReferenceEngine(plan_of("rings")), engine_of(plan_of("rings"))]
    for engine in engines_:
        run(engine, plan, 50)
        engine.set(0, "v", np.linspace(-3, 19, 61))
        engine.set(1, "refractory", np.arange(61) % 5)
        copy = engine.get(0, "v")
        copy[:] = 1000.0
    assert_same(run(engines_[1], plan, 60), run(engines_[0], plan, 60))


@pytest.mark.parametrize("values, found", [([-1, 3], "-1 to 3"), ([0, 2**31], "0 to 2.14748e+09")])
def test_counts_that_do_not_fit_are_refused(values: list[int], found: str) -> None:
    """As on the CPU; the state stays as it was."""
    engine = engine_of(plan_of("rings"))
    with pytest.raises(InputError) as caught:
        engine.set(0, "refractory", np.resize(values, 61).astype(np.float64))
    assert str(caught.value) == f"refractory: expected counts from 0 to 2147483647, found {found}"
    assert not engine.get(0, "refractory").any()


# --- parts, threads and their order ----------------------------------------------------------------------------------


@of_each_network
@pytest.mark.parametrize("parts, threads", [(1, 512), (2, 32), (5, 160), (16, 64)])
def test_any_number_of_parts_and_threads(name: str, parts: int, threads: int) -> None:
    """Also more parts than a population has units."""
    plan, steps = plan_of(name), min(200, steps_of(name))
    assert_same(run(engine_of(plan, parts=parts, threads=threads), plan, steps), expected(name, steps))


@with_each_strategy
def test_more_parts_than_units(strategy: str) -> None:
    """Parts without any unit wait with the others."""
    def make() -> sn.Network:
        net = engines.driven({"uniform": ["0.5 ms", "3 ms"]}, n=3)
        net.population("one", 1, "relay")
        net.project("exc", "one", sn.all_to_all(), delay="0.5 ms")
        return net

    assert assert_as_reference(make, 300, strategy=strategy, parts=20, threads=32) > 20


@pytest.mark.parametrize("strategy, name", [("persistent", "rings"), ("persistent", "levels"), ("launches", "far"),
                                            ("graph", "given")])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_blocks_and_threads_does_not_matter(strategy: str, name: str, seed: int) -> None:
    """Whoever comes first."""
    engine = engine_of(plan_of(name), strategy, 4, 96, HostDevice(seed=seed))
    assert_same(run(engine, plan_of(name), 100, 60), expected(name, 160))


@of_each_network
@with_each_strategy
def test_no_kernel_leaves_its_arrays(name: str, strategy: str) -> None:
    """Nothing is read or written beyond an array, and nothing that nobody wrote matters."""
    with guarded():
        engine, plan = engine_of(plan_of(name), strategy, 3, 64), plan_of(name)
        found = run(engine, plan, 90)
        engine.load(engine.done, *engine.history())
        run(engine, plan, 20)
    assert_same(found, expected(name, 90))


# --- many spikes -----------------------------------------------------------------------------------------------------


def together(delay: Any) -> sn.Network:
    """More cells that spike in the same steps than a block lists at once; counted spikes beside them."""
    net = sn.Network(seed=1)
    net.population("cells", 1500, "lif_psc_delta", i_e="2 nA")
    net.population("played", 1100, "poisson", rate="30 kHz")
    net.population("target", 70, "lif_psc_delta")
    net.project("cells", "target", sn.fixed_indegree(40), weight=engines.NORMAL, delay=delay)
    net.project("played", "target", sn.fixed_indegree(40), weight="0.01 mV", delay=delay)
    return net


@pytest.mark.parametrize("delay", ["0.5 ms", {"uniform": ["0.5 ms", "3 ms"]}, "0 ms"])
@with_each_strategy
def test_more_spikes_in_a_step_than_the_list_holds(delay: Any, strategy: str) -> None:
    """They are delivered piece by piece."""
    plan = make_plan(together(delay))
    wanted = run(ReferenceEngine(plan), plan, 120)
    of_cells = wanted.step[wanted.unit < 1500]
    assert np.bincount(of_cells).max() == 1500 > source.LIST
    assert_same(run(engine_of(plan, strategy), plan, 120), wanted)


@of_each_network
@with_each_strategy
def test_a_short_list(name: str, strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that only the spikes of one word are sure to fit into."""
    monkeypatch.setattr(source, "LIST", 32)
    assert_same(run(engine_of(plan_of(name), strategy), plan_of(name), 100, 101), expected(name, 201))


# --- what is recorded and played -------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", ["0.1 ms", "0.7 ms", "5 ms"])
@with_each_strategy
def test_traces(every: str, strategy: str) -> None:
    """Of some units or all, every so often, also where a piece of a run has none; states and graded outputs."""
    def make() -> sn.Network:
        net = engines.driven(n=40)
        net.model("counter", {
            "parameters": {"step": "1 mV"}, "dynamics": "v[n+1] = v + step : mV", "spike": "v >= 3*mV",
            "reset": {"v": "0*mV"}, "outputs": {"twice": "2*v"}})
        net.population("graded", 40, "counter", step={"uniform": ["0.1 mV", "2 mV"]})
        net.record(traces={"exc": {"variables": ["v", "refractory"], "units": [0, 39, 13], "every": every},
                           "graded": {"variables": ["v", "twice"]}, "inh": {"variables": ["v"], "every": "1.1 ms"}})
        return net

    assert assert_as_reference(make, 3, 20, 64, 2, 100, strategy=strategy) > 50


def test_what_the_engine_holds() -> None:
    """All synapses, and bytes of them and of the rest."""
    for name in NETWORKS:
        engine, reference = engine_of(plan_of(name)), ReferenceEngine(plan_of(name))
        assert engine.synapses == sum(rows["source"].size for rows in reference.rows.values())
        memory = engine.memory()
        assert memory.keys() == {"synapses", "other"}
        assert memory["synapses"] >= sum(b.word.bytes for b in engine.layout.bundles) and memory["other"] > 0
