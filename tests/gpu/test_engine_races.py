"""The engine's kernels have no races, and those that are planted into them are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import coupled
import graded
import learning
import pytest
from gpu import engines
from gpu.gxx import needs_gxx
from gpu.races import needs_tsan, races
from lava_learning import CASES, network_of_chips

import snnsim as sn
from snnsim.backends.cupy import source
from snnsim.lowering import make_plan

pytestmark = [needs_gxx, needs_tsan, pytest.mark.slow]


def busy(delay: Any, other: Any) -> sn.Network:
    """Cells that spike as often as they can, so that several reach one target in a step."""
    net = engines.driven(delay, engines.NORMAL, n=40)
    net.input("more", type="poisson", rate="20 kHz", to=["exc", "inh"], weight="5 mV")
    net.project("inh", ["exc", "inh"], sn.fixed_indegree(20), weight="-1 mV", delay=other)
    return net


def rings() -> sn.Network:
    """Delivery into a ring of inputs, soon and late, and drawn arrivals."""
    return busy({"uniform": ["0.2 ms", "1.5 ms"]}, {"uniform": ["0.2 ms", "0.8 ms"]})


def lists() -> sn.Network:
    """Several delays, each shared by all synapses."""
    return busy("0.2 ms", "0.3 ms")


def volleys() -> sn.Network:
    """More spikes in a step than the list of rows holds, which is short here."""
    net = engines.driven("0.2 ms", n=40)
    net.population("played", 150, "spike_times", times=["0.2 ms"] * 150, ids=list(range(150)))
    net.project("played", ["exc", "inh"], sn.fixed_indegree(20), weight="0.1 mV", delay="0.3 ms")
    return net


def learns() -> sn.Network:
    """Every way in which what the other blocks did matters to plastic synapses."""
    return learning.learning(learning.driven(), ["pair", "tsodyks", "dopamine", "own_reward"], 0)


NETWORKS: dict[str, Callable[[], sn.Network]] = {
    "rings": rings, "lists": lists, "volleys": volleys, "levels": engines.levels, "given": engines.given, "learns": learns,
    "coupled": lambda: coupled.many("single"), "graded": graded.mixed,
    "chips": lambda: network_of_chips(*CASES[0]), "epochs": lambda: network_of_chips(*CASES[3])}


def advance(name: str, strategy: str, mutant: str = "") -> None:
    """Some steps in three blocks, in another order of threads in each launch."""
    from gpu.host import HostDevice

    source.LIST = 64
    if mutant:
        plant(*MUTANTS[mutant][2:])
    engine = engines.engine_of(make_plan(NETWORKS[name]()), strategy, 3, 32, HostDevice(seed=3))
    engine.advance(7)
    engine.advance(6)
    engine.load(engine.done, *engine.history())
    engine.advance(2)


def plant(file: str, *changes: tuple[str, str]) -> None:
    """Replace texts, each of which must stand exactly once in a file of device code."""
    text, kept = source.device_text(file), source.device_text
    for old, new in changes:
        assert text.count(old) == 1, f"{file} has {text.count(old)} of {old!r}"
        text = text.replace(old, new)
    source.device_text = lambda name: text if name == file else kept(name)   # type: ignore[assignment]


@pytest.mark.parametrize("name, strategy", [*((name, "persistent") for name in NETWORKS), ("levels", "launches")])
def test_kernels_are_clean(name: str, strategy: str) -> None:
    """Between the threads of a block, between blocks, and between launches."""
    assert races(advance, name, strategy) == []


ARRIVE = "#if SNN_PERSISTENT\n        meeting.arrive();\n#endif\n"
STEPS = "        for (; done < last; ++done) {\n"
# What is planted -> network, what is found: a part of a line; file, texts and what stands in their place. Several barriers
# are needed in some networks only, because what comes before or after them has one of its own: each stands with such a one.
MUTANTS: dict[str, tuple[Any, ...]] = {
    "a list is used before all have put their rows in": (
        "rings", "list->rows", "step.cuh", ("    __syncthreads();\n    memo = Memo{", "    memo = Memo{")),
    "a list is made anew while others still count it": (
        "volleys", "list->count[memo.turn ^ 1] = 0", "step.cuh",
        ("LIST / LANES : last;\n        __syncthreads();\n", "LIST / LANES : last;\n")),
    "synapses are delivered before all are looked up": (
        "rings", "list->length[k]", "step.cuh", ("times(f, k);\n    }\n    __syncthreads();\n", "times(f, k);\n    }\n")),
    "a unit is updated before its sums are there": (
        "coupled", "sums[low + i] = total", "run.cuh", ("            __syncthreads();\n            for (int level", "            for (int level")),
    "a unit is recorded before it is updated": (
        "given", "(real)values[", "run.cuh", ("            __syncthreads();\n            if (ends) {\n                keep", "            if (ends) {\n                keep")),
    "sums are not atomic": (
        "rings", "*place += more", "step.cuh",
        ("(int* place, int more) { atomicAdd(place, more); }", "(int* place, int more) { *place += more; }")),
    "blocks meet alone after an epoch": (
        "rings", "masks", "run.cuh", ("        meeting.wait();\n#endif\n    }\n", "        __syncthreads();\n#endif\n    }\n")),
    "blocks meet alone between levels": (
        "levels", "masks", "run.cuh", ("                    meeting.wait();\n", "                    __syncthreads();\n")),
    "a block arrives before all of its threads": (
        "levels", "f.counts(f.step)[", "sync.cuh", ("arrive() {\n        __syncthreads();\n", "arrive() {\n")),
    "a block goes on before its first thread has waited": (
        "rings", "masks", "sync.cuh", ("            }\n        }\n        __syncthreads();\n    }\n};", "            }\n        }\n    }\n};")),
    "spikes are published after the block has arrived": (
        "rings", "masks", "run.cuh", (STEPS, f"{ARRIVE}{STEPS}"), (f"        }}\n{ARRIVE}        if (ends)", "        }\n        if (ends)")),
    "what sources show of an epoch is written over in the next": (
        "chips", "past[", "learning.cuh", ("    return step / x[L_EPOCH] & 1;", "    return 0;")),
    "the table is read before it is copied": (
        "given", "table[k] = given[k]", "run.cuh",
        ("table[k] = given[k];\n    }\n    __syncthreads();\n", "table[k] = given[k];\n    }\n")),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_planted_races_are_found(mutant: str) -> None:
    """Whatever the spikes are."""
    name, part = MUTANTS[mutant][:2]
    found = races(advance, name, "persistent", mutant)
    assert any(part in race for race in found), found
