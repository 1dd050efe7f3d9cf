"""The engine's kernels have no races, and those that are planted into them are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import coupled
import learning
import pytest
from gpu import engines
from gpu.gxx import needs_gxx
from gpu.races import needs_tsan, races

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


def learns() -> sn.Network:
    """Every way in which what the other blocks did matters to plastic synapses."""
    return learning.learning(learning.driven(), ["pair", "tsodyks", "dopamine", "own_reward"], 0)


NETWORKS: dict[str, Callable[[], sn.Network]] = {
    "rings": rings, "lists": lists, "levels": engines.levels, "given": engines.given, "learns": learns,
    "coupled": lambda: coupled.many("single")}


def advance(name: str, strategy: str, mutant: str = "") -> None:
    """Some steps in three blocks, in another order of threads in each launch."""
    if mutant:
        plant(*MUTANTS[mutant][2:])
    from gpu.host import HostDevice

    engine = engines.engine_of(make_plan(NETWORKS[name]()), strategy, 3, 32, HostDevice(seed=3))
    engine.advance(7)
    engine.advance(6)
    engine.load(engine.done, *engine.history())
    engine.advance(2)


def plant(file: str, old: str, new: str) -> None:
    """Replace what must stand exactly once in a file of device code."""
    text = source.device_text(file)
    assert text.count(old) == 1, f"{file} has {text.count(old)} of {old!r}"
    kept = source.device_text
    source.device_text = lambda name: text.replace(old, new) if name == file else kept(name)   # type: ignore[assignment]


@pytest.mark.parametrize("strategy", ["persistent", "launches"])
@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_are_clean(name: str, strategy: str) -> None:
    """Between the threads of a block, between blocks, and between launches."""
    assert races(advance, name, strategy) == []


SYNC = "    __syncthreads();\n"
# What is planted -> network, what is found: a part of a line, then file, text and what stands in its place.
MUTANTS: dict[str, tuple[str, str, str, str, str]] = {
    "a list is used before all have put their rows in": (
        "rings", "list->rows", "step.cuh", f"{SYNC}    memo = Memo{{", "    memo = Memo{"),
    "a list is made anew while others still use it": (
        "lists", "list->", "step.cuh", "LIST / LANES : last;\n        __syncthreads();\n", "LIST / LANES : last;\n"),
    "synapses are delivered before all are looked up": (
        "rings", "list->length[k]", "step.cuh", f"times(f, k);\n    }}\n{SYNC}", "times(f, k);\n    }\n"),
    "a unit is updated before all its arrivals are there": (
        "lists", "atomic", "run.cuh", "            __syncthreads();\n            for (int level", "            for (int level"),
    "arrivals are added while some units are not updated": (
        "lists", "atomic", "run.cuh", "            __syncthreads();\n            if (ends) {\n                keep_variables",
        "            if (ends) {\n                keep_variables"),
    "sums are not atomic": (
        "rings", "*place += more", "step.cuh", "(int* place, int more) { atomicAdd(place, more); }",
        "(int* place, int more) { *place += more; }"),
    "blocks meet alone after an epoch": (
        "rings", "masks", "run.cuh", "        meeting.wait();\n#endif\n    }\n", "        __syncthreads();\n#endif\n    }\n"),
    "blocks meet alone between levels": (
        "levels", "masks", "run.cuh", "                    meeting.wait();\n", "                    __syncthreads();\n"),
    "a block arrives before all of its threads": (
        "rings", "masks", "sync.cuh", "arrive() {\n        __syncthreads();\n", "arrive() {\n"),
    "a block goes on before its first thread has waited": (
        "rings", "masks", "sync.cuh", "            }\n        }\n        __syncthreads();\n    }\n};", "            }\n        }\n    }\n};"),
    "spikes are published after the block arrived": (
        "rings", "masks", "run.cuh", "        for (; done < last; ++done) {\n            f.step += 1;\n",
        "        meeting.arrive(); meeting.goal += gridDim.x;\n        for (; done < last; ++done) {\n            f.step += 1;\n"),
    "the table is read before it is copied": (
        "given", "table[k] = given[k]", "run.cuh", "table[k] = given[k];\n    }\n    __syncthreads();\n",
        "table[k] = given[k];\n    }\n"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_planted_races_are_found(mutant: str) -> None:
    """Whatever the spikes are."""
    name, part = MUTANTS[mutant][:2]
    found = races(advance, name, "persistent", mutant)
    assert any(part in race for race in found), found
