"""How the GPU engine chooses the way it runs a network, what it says about that, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from gpu.engines import NETWORKS, STRATEGIES, assert_same, engine_of, expected, plan_of, run
from gpu.gxx import needs_gxx
from gpu.host import H200, HostDevice

import snnsim as sn
from snnsim import size as memory
from snnsim.backends.cupy import CupyBackend, size, strategy
from snnsim.backends.cupy.engine import GpuEngine
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.shared import lay_out_shared
from snnsim.backends.cupy.size import device_bytes
from snnsim.backends.cupy.source import Flags, KernelSource
from snnsim.backends.cupy.strategy import parts_of
from snnsim.errors import InputError
from snnsim.lowering import make_plan
from snnsim.memory import in_words

pytestmark = needs_gxx

# What a block keeps in shared memory, and in what words.
HOMES = {
    Flags(True, True, True): "inputs and states in shared memory",
    Flags(True, True, False): "inputs in shared memory, states in global memory",
    Flags(True, False, True): "inputs in global memory, states in shared memory",
    Flags(True, False, False): "inputs and states in global memory",
}


def shared_bytes(name: str, flags: Flags, parts: int = 3) -> int:
    """Of a block."""
    layout = Layout.of(plan_of(name), parts)
    return lay_out_shared(KernelSource(plan_of(name), layout), layout, flags).bytes


def device(**limits: Any) -> HostDevice:
    return HostDevice(limits=replace(H200, **limits))


@pytest.mark.parametrize("flags", HOMES, ids=HOMES.values())
@pytest.mark.parametrize("name", NETWORKS)
def test_shared_memory_is_used_as_far_as_it_goes(name: str, flags: Flags) -> None:
    """Whatever lies there, the spikes are those of ``reference``."""
    room = shared_bytes(name, flags)
    first = next(other for other in HOMES if shared_bytes(name, other) <= room)
    engine = engine_of(plan_of(name), "persistent", device=device(shared=room))
    assert engine.fit.flags == first
    assert engine.facts()["why"] == (f"{HOMES[first]}; {shared_bytes(name, first):,} of {room:,} bytes of shared memory "
                                     "per block")
    assert_same(run(engine, plan_of(name), 50, 3, 100), expected(name, 153))


def test_graphs_are_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are recorded once, when they are first needed; what is too short for one is launched as it is."""
    monkeypatch.setattr(strategy, "_GRAPH_EPOCHS", 4)
    calls = []
    captured = HostDevice.capture
    monkeypatch.setattr(HostDevice, "capture", lambda self, launches: calls.append(1) or captured(self, launches))
    engine, plan = engine_of(plan_of("rings"), "graph"), plan_of("rings")
    assert engine.layout.epoch == 5
    start = engine.snapshot()
    run(engine, plan, 24)
    assert calls == []
    engine.restore(start)
    assert_same(run(engine, plan, 24, 25, 101, 3, 167), expected("rings", 320))
    assert calls == [1]


# --- choices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits, resident, why", [
    ({"cooperative": False}, 132, "the device cannot run blocks that wait for each other"),
    ({"multiprocessors": 2}, 132, "3 parts, but 2 multiprocessors"),
    ({}, 2, "the device runs 2 of its 3 blocks at the same time"),
])
def test_why_a_network_does_not_run_in_one_launch(limits: dict[str, Any], resident: int, why: str) -> None:
    """The next strategy is taken and the reason is told; where none other is wanted, it is an error."""
    def here() -> HostDevice:
        return HostDevice(limits=replace(H200, **limits), resident=resident)

    engine = GpuEngine(plan_of("rings"), here(), 3, 64)
    facts = engine.facts()
    assert (facts["strategy"], facts["not"]) == ("graph", [f"persistent: {why}"])
    assert_same(run(engine, plan_of("rings"), 100), expected("rings", 100))
    with pytest.raises(InputError) as caught:
        GpuEngine(plan_of("rings"), here(), 3, 64, "persistent")
    assert str(caught.value) == f"no way to run this network on the device fits: persistent: {why}"


def test_too_little_shared_memory_for_any() -> None:
    """All reasons are told."""
    persistent, plain = (shared_bytes("rings", Flags(stays, False, False)) for stays in (True, False))
    with pytest.raises(InputError) as caught:
        GpuEngine(plan_of("rings"), device(shared=1000), 3, 64)
    rest = "of 1,000 bytes of shared memory per block"
    assert str(caught.value) == (
        "no way to run this network on the device fits: "
        f"persistent: inputs and states in global memory; {persistent:,} {rest}; "
        f"graph: launches recorded as a graph; {plain:,} {rest}; launches: one launch an epoch; {plain:,} {rest}")


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_that_is_wanted_is_taken(name: str) -> None:
    """Also where a better one fits."""
    facts = engine_of(plan_of("rings"), name).facts()
    assert (facts["strategy"], facts["not"]) == (name, [])


@pytest.mark.parametrize("n, parts", [(1, 1), (64, 1), (65, 2), (6400, 100), (77_169, 132)])
def test_how_many_parts_there_are(n: int, parts: int) -> None:
    """One for each multiprocessor, fewer where they would have too little to do."""
    net = sn.Network(seed=1)
    net.population("cells", n, "relay")
    assert parts_of(make_plan(net), H200) == parts


def test_facts() -> None:
    """What is said of a run: parts, seconds of compiling, the strategy, and how each projection is stored."""
    facts = engine_of(plan_of("far")).facts()
    assert facts["threads"] == 3 and facts["compile_s"] > 0
    projections = "exc->exc, exc->inh, inh->exc"
    assert facts["bundles"] == [f"late, 32 bits: {projections}", f"soon, 64 bits: {projections}"]


# --- memory ----------------------------------------------------------------------------------------------------------


class Full(HostDevice):
    """A device with some memory where nothing may be made."""

    there = 0

    @property
    def xp(self) -> Any:   # type: ignore[override]
        raise AssertionError("something is allocated")

    def upload(self, values: Any) -> Any:
        raise AssertionError("something is allocated")

    def free(self) -> int:
        return self.there


def large() -> sn.Network:
    """10 000 million synapses, as a description."""
    net = sn.Network(seed=1)
    net.population("a", 1_000_000, "lif_psc_exp")
    net.project("a", "a", sn.fixed_indegree(10_000), weight="1 pA", delay="1 ms")
    return net


@pytest.mark.parametrize("there, rest", [
    (20 << 30, "20.0 GiB of its 141.0 GiB are free; about {share} % of the network would fit"),
    (100 << 20, "100 MiB of its 141.0 GiB are free; even an empty network would not fit"),
])
def test_a_network_too_large_is_refused_before_anything_is_allocated(
    there: int, rest: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With what it needs, what there is, and how much would fit."""
    monkeypatch.setattr(memory, "available", lambda: 1 << 40)
    plan, here = make_plan(large()), Full()
    here.there = there
    layout = Layout.of(plan, 132)
    needed = device_bytes(plan, layout, KernelSource(plan, layout)) + size._LIBRARIES
    assert 20e9 < needed < 60e9
    with pytest.raises(InputError) as caught:
        GpuEngine(plan, here)
    share = int(100 * (there - size._LIBRARIES) / needed)
    assert str(caught.value) == (
        "network too large for the memory of the device: 1,000,000 neurons and 10,000,000,000 synapses need about "
        f"{in_words(needed)}, {rest.format(share=share)}")


def test_synapses_on_a_gpu_need_no_room_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU with more memory than its host can hold a network that the host cannot."""
    monkeypatch.setattr(memory, "available", lambda: 8 << 30)
    plan = make_plan(large())
    assert CupyBackend(HostDevice).memory(plan) < 1 << 30


@pytest.mark.parametrize("name", NETWORKS)
def test_what_a_network_is_said_to_need_is_enough(name: str) -> None:
    """An upper estimate of the arrays that stay."""
    engine = engine_of(plan_of(name))
    assert device_bytes(plan_of(name), engine.layout, engine.source) >= sum(engine.memory().values())


def test_blocks_shrink_where_registers_lie_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are compiled anew with fewer threads, until nothing is spilled."""
    found = []

    class Spilling(HostDevice):
        """As if each thread of a block of more than 300 needed more registers than there are."""

        def module(self, source: str, kernels: tuple[str, ...]) -> dict[str, Any]:
            made = super().module(source, kernels)
            if "snn_run" in made:
                found.append(made["snn_run"].most)
            return {name: replace(kernel, spilled=8 * (kernel.most > 300)) for name, kernel in made.items()}

    engine = GpuEngine(plan_of("lists"), Spilling(), parts=2)
    assert found == [512, 256]
    assert engine.block_threads == 256
    assert "2 blocks of 256 threads" in engine.facts()["how"]
    assert_same(run(engine, plan_of("lists"), 50, 103), expected("lists", 153))


def test_too_many_threads_are_refused() -> None:
    with pytest.raises(InputError, match=r"^threads: expected at most 512 for this network, found 1024$"):
        GpuEngine(plan_of("lists"), HostDevice(), threads=1024)


def test_what_the_host_draws_is_said() -> None:
    """With the reason; what is drawn on the device is not listed."""
    net = sn.Network(seed=2)
    cells = net.population("cells", 9, "lif_psc_exp")
    net.project(cells, cells, sn.fixed_indegree(3, multapses=False), weight="1 pA", name="distinct")
    net.project(cells, cells, sn.fixed_indegree(3), weight="1 pA", name="drawn")
    (line,) = GpuEngine(make_plan(net), HostDevice()).facts()["from_host"]
    assert line.startswith("distinct: ")
    assert "multapses" in line
