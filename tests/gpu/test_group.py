"""Several devices for one network: here members on one device, which share what they wrote by copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import coupled
import graded
from gpu.gxx import needs_gxx
from gpu.host import HostDevice

import snnsim as sn
from snnsim import configs
from snnsim.backends.cupy.exchange import Copies
from snnsim.backends.cupy.group import GpuGroup
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.lowering import make_plan
from snnsim.plan import Plan

pytestmark = needs_gxx


def small_microcircuit() -> sn.Network:
    """Poisson drive, delays from one step on, eight populations."""
    return sn.load(configs.path("microcircuit"), ["network.scale=0.005"])


def levels() -> sn.Network:
    """Units without delay between them, some of which spike more than once in a step; a recorded state."""
    net = sn.Network(dt="0.1 ms", seed=4)
    source = net.population("source", 30, "poisson", rate="900 Hz")
    relay = net.population("relay", 20, "relay")
    cells = net.population("cells", 25, "lif_psc_exp")
    net.project(source, relay, sn.pairwise(0.2), weight=1, delay="0 ms")
    net.project(relay, cells, sn.pairwise(0.5), weight="120 pA", delay="0 ms")
    net.project(cells, cells, sn.pairwise(0.2), weight="-20 pA", delay={"uniform": ["0.1 ms", "4 ms"]})
    net.record(traces={cells: {"variables": ["v"], "units": [0, 7, 24], "every": "0.3 ms"}})
    return net


NETWORKS: dict[str, Callable[[], sn.Network]] = {
    "microcircuit": small_microcircuit, "levels": levels, "graded": graded.mixed, "learning": graded.learning,
    "pair": lambda: coupled.pair("double"), "noisy": lambda: coupled.many("single"),
}


def group(plan: Plan, members: int = 3, parts: int = 2) -> GpuGroup:
    device = HostDevice(seed=members)
    return GpuGroup(plan, [device] * members, Copies(), parts=parts, threads=32)


def same_chunk(found: Any, expected: Any) -> None:
    assert np.array_equal(found.step, expected.step)
    assert np.array_equal(found.unit, expected.unit)
    assert np.array_equal(found.payload, expected.payload)
    for rows, others in zip(found.traces, expected.traces, strict=True):
        assert np.array_equal(rows, others)


def states(engine: Any, plan: Plan) -> list[np.ndarray]:
    return [engine.get(k, s) for k, p in enumerate(plan.populations) for s in p.program.states]


@pytest.mark.parametrize("members", [1, 2, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_equal_to_reference(name: str, members: int) -> None:
    """Spikes, traces and states do not depend on how many devices there are."""
    plan = make_plan(NETWORKS[name]())
    found, expected = group(plan, members), ReferenceEngine(plan)
    for steps in (37, 120):
        same_chunk(found.advance(steps), expected.advance(steps))
    assert found.done == expected.done == 157
    assert found.synapses == expected.synapses
    for own, other in zip(states(found, plan), states(expected, plan), strict=True):
        assert np.array_equal(own, other)


@pytest.mark.parametrize("name", ["microcircuit", "levels", "graded"])
def test_goes_back_and_takes_over(name: str) -> None:
    """A group can be restored, and goes on from the states and spikes of another engine."""
    plan = make_plan(NETWORKS[name]())
    found, expected = group(plan), ReferenceEngine(plan)
    expected.advance(90)
    for k, population in enumerate(plan.populations):
        for state in population.program.states:
            found.set(k, state, expected.get(k, state))
    found.load(90, *expected.history())
    for own, other in zip(found.history(), expected.history(), strict=True):
        assert np.array_equal(own, other)
    before, then = found.snapshot(), expected.advance(60)
    same_chunk(found.advance(60), then)
    found.restore(before)
    assert found.done == 90
    same_chunk(found.advance(60), then)


def test_memory_and_facts() -> None:
    """They are those of all members."""
    plan = make_plan(levels())
    found = group(plan)
    assert found.facts()["devices"] == 3
    assert found.facts()["strategy"] == "launches"
    assert found.memory()["synapses"] == sum(member.memory()["synapses"] for member in found.members)
