"""The kernels of every built-in model and every way to run a network compile for devices that are not here.

They fit a multiprocessor without spilling registers, and their arithmetic is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import cycle, islice, product

import numpy as np
import pytest
from conformance.test_models import WEIGHT
from gpu import engines
from gpu.cubins import ARCHITECTURES, compiled, needs_nvrtc

import snnsim as sn
from snnsim.backends.cupy import build_job
from snnsim.backends.cupy.engine import KERNELS
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.source import Flags, KernelSource
from snnsim.lowering import make_plan
from snnsim.models import builtin, builtin_names
from snnsim.units import CURRENT, DIMENSIONLESS, RATE, TIME, VOLTAGE

pytestmark = needs_nvrtc

# Every way of keeping inputs and states.
FLAGS = {"persistent": Flags(True, True, True), "persistent, states in global memory": Flags(True, True, False),
         "persistent, inputs in global memory": Flags(True, False, True),
         "persistent, all in global memory": Flags(True, False, False), "launches": Flags(False, False, False)}
MODELS = [name for name in builtin_names() if name != "spike_times"]
GROUPS = 5
CURRENTS = {CURRENT: "700 pA", VOLTAGE / TIME: "10 mV/ms", RATE: "100 Hz", DIMENSIONLESS: 0.01}
DELAYS = ("0.3 ms", {"uniform": ["0.1 ms", "3 ms"]})


def group(number: int, precision: str) -> sn.Network:
    """Some models, each with every kind of input that it takes, and projections in a ring."""
    net = sn.Network(seed=1, precision=precision)
    names = MODELS[number::GROUPS]
    for name in names:
        net.population(name, 3000, name)
    for name, target, delay in zip(names, [*names[1:], names[0]], cycle(DELAYS)):
        _drive(net, target)
        for port in builtin(target).ports if builtin(name).spiking else ():
            net.project(name, target, sn.fixed_indegree(4), weight=_weight(target, port), delay=delay, port=port)
    net.record(traces={name: {"variables": list(builtin(name).states)[:2]} for name in names if builtin(name).states})
    return net


def _drive(net: sn.Network, name: str) -> None:
    """Currents in steps, noise, Poisson trains of one rate and of many, given spikes."""
    for drive, dimension in builtin(name).drives.items():
        net.input(f"{name}_{drive}", type="current", to=name, amplitude=CURRENTS[dimension], input=drive)
        net.input(f"{name}_{drive}_noise", type="noise", to=name, sd=CURRENTS[dimension], input=drive)
    for port, rate in zip(builtin(name).ports, cycle(["3 kHz", {"uniform": ["1 kHz", "5 kHz"]}])):
        weight = _weight(name, port)
        net.input(f"{name}_{port}", type="poisson", rate=rate, to=name, weight=weight, port=port)
        net.input(f"{name}_{port}_given", type="spike_times", times={0: ["1 ms"]}, to=name, weight=weight, port=port)


def _weight(name: str, port: str) -> str:
    kind = builtin(name).ports[port]
    return f"{'-' if kind.negative or port == 'inh' else ''}{WEIGHT[kind.dimension]}"
