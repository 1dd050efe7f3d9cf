"""Networks that together use every part of the GPU engine, and how its runs are compared with those of ``reference``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import graded
import numpy as np
from gpu.host import HostDevice

import snnsim as sn
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.engine import GpuEngine
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.engine import Engine
from snnsim.lowering import make_plan
from snnsim.plan import Plan

# Of each strategy: another number of parts and of threads.
STRATEGIES = {"persistent": (3, 64), "graph": (2, 96), "launches": (1, 32)}
LAPICQUE: dict[str, Any] = {"init": {"v": {"uniform": ["0 mV", "20 mV"]}}}
NORMAL: dict[str, Any] = {"normal": {"mean": "2 mV", "sd": "0.5 mV"}}


def driven(delay: Any = "1.5 ms", weight: Any = "2 mV", precision: str = "single", n: int = 61) -> sn.Network:
    """Two populations of cells that noise drives, one of them acting on both."""
    net = sn.Network(seed=7, precision=precision)
    exc, inh = (net.population(name, n, "lif_psc_delta", **LAPICQUE) for name in ("exc", "inh"))
    net.input("noise", type="poisson", rate="8 kHz", to=[exc, inh], weight="0.4 mV", delay="1 ms")
    net.project(exc, [exc, inh], sn.fixed_indegree(7), weight=weight, delay=delay)
    net.project(inh, exc, sn.fixed_indegree(7), weight="-3 mV", delay=delay)
    return net


def lists(delay: str = "1.5 ms") -> sn.Network:
    """Two delays, weights of the sources."""
    net = driven(delay)
    net.project("inh", "inh", sn.fixed_indegree(3), weight="-1 mV", delay="4 ms")
    return net


def rings() -> sn.Network:
    """Delays of the synapses' own, soon and late."""
    return driven({"uniform": ["0.5 ms", "6 ms"]}, NORMAL)


def wide() -> sn.Network:
    """64-bit sums, weights in words of 64 bits."""
    return driven({"uniform": ["0.5 ms", "2 ms"]}, NORMAL, "double")


def far() -> sn.Network:
    """64-bit sums, weights beside the words, delays of up to 8 000 steps."""
    return driven({"uniform": ["0.1 ms", "800 ms"]}, NORMAL, "double", 150)


def levels() -> sn.Network:
    """Spikes that pass two populations within one step, several at a time; a Poisson rate of each unit."""
    net = sn.Network(seed=3)
    net.population("source", 70, "poisson", rate={"uniform": ["100 Hz", "20 kHz"]})
    net.population("first", 70, "relay")
    net.population("second", 9, "relay")
    net.population("cells", 40, "lif_psc_delta", **LAPICQUE)
    net.project("source", "first", sn.one_to_one(), delay="0 ms")
    net.project("first", "second", sn.fixed_indegree(3), delay="0 ms")
    net.project("source", "second", sn.fixed_indegree(2), delay={"uniform": ["0 ms", "0.4 ms"]})
    net.project("second", "cells", sn.pairwise(0.5), weight="0.05 mV", delay="0.3 ms")
    net.project("first", "cells", sn.pairwise(0.5), weight=NORMAL, delay={"uniform": ["0.1 ms", "3 ms"]})
    return net


def given() -> sn.Network:
    """Currents in steps, noise, trains of spikes with more arrivals in a step than a block has threads, and traces."""
    net = sn.Network(seed=5)
    cells = net.population("cells", 150, "lif_psc_exp")
    net.population("played", 6, "spike_times", times={0: ["1 ms", "3 ms"], 5: ["3 ms", "3 ms"]})
    net.input("steps", type="current", to=cells, times=["0 ms", "2 ms", "6 ms"],
              values=["300 pA", {"uniform": ["0 pA", "900 pA"]}, "500 pA"])
    net.input("noise", type="noise", to=cells, mean="50 pA", sd={"uniform": ["0 pA", "400 pA"]})
    times = {unit: ["1 ms", "2.5 ms", "2.5 ms"] for unit in range(0, 150, 2)}
    net.input("train", type="spike_times", times=times, to=cells, weight="900 pA", delay="1 ms")
    net.input("poisson", type="poisson", rate={"uniform": ["0 Hz", "90 kHz"]}, to=cells, weight="20 pA")
    net.project("played", cells, sn.pairwise(0.5), weight="90 pA", delay="0.5 ms")
    net.record(traces={"cells": {"variables": ["v", "i_exc"], "units": [0, 3, 77, 149], "every": "0.3 ms"}})
    return net


NETWORKS: dict[str, Callable[[], sn.Network]] = {
    "lists": lists, "rings": rings, "wide": wide, "far": far, "levels": levels, "given": given, "graded": graded.mixed}


@cache
def plan_of(name: str) -> Plan:
    """Of one of ``NETWORKS``."""
    return make_plan(NETWORKS[name]())


def engine_of(plan: Plan, strategy: str | None = None, parts: int | None = None, threads: int | None = None,
              device: Device | None = None) -> GpuEngine:
    """On the host; a few parts and threads, by the strategy."""
    usual = STRATEGIES[strategy or "persistent"]
    return GpuEngine(plan, device or HostDevice(), parts or usual[0], threads or usual[1], strategy)


@dataclass
class Outcome:
    """What some steps gave, and what they left: states by population and name."""

    step: np.ndarray
    unit: np.ndarray
    payload: np.ndarray | None
    traces: list[np.ndarray]
    states: dict[tuple[str, str], np.ndarray]


def run(engine: Engine, plan: Plan, *pieces: int) -> Outcome:
    """Runs so many steps at a time."""
    chunks = []
    for piece in pieces:
        last = engine.done + piece
        while engine.done < last:
            chunks.append(engine.advance(last - engine.done))
    traces = [np.concatenate(rows) for rows in zip(*(chunk.traces for chunk in chunks), strict=True)]
    names = ("step", "unit", "payload") if plan.graded else ("step", "unit")
    step, unit, *payload = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names)
    return Outcome(step, unit, payload[0] if payload else None, traces, states_of(engine, plan))


def states_of(engine: Engine, plan: Plan) -> dict[tuple[str, str], np.ndarray]:
    """Copies of all states."""
    return {(p.name, s): engine.get(k, s) for k, p in enumerate(plan.populations) for s in p.program.states}


@cache
def expected(name: str, steps: int) -> Outcome:
    """What ``reference`` makes of one of ``NETWORKS``."""
    plan = plan_of(name)
    return run(ReferenceEngine(plan), plan, steps)


def assert_same(found: Outcome, wanted: Outcome) -> None:
    """Equal bits."""
    assert_equal([found.step, found.unit, found.payload, *found.traces],
                 [wanted.step, wanted.unit, wanted.payload, *wanted.traces])
    assert found.states.keys() == wanted.states.keys()
    assert_equal(found.states.values(), wanted.states.values())


def assert_equal(found: Iterable[np.ndarray | None], wanted: Iterable[np.ndarray | None]) -> None:
    """Arrays one by one."""
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
