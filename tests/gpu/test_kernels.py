"""The kernels of every built-in model and every way to run a network compile for devices that are not here.

They fit a multiprocessor without spilling registers, and their arithmetic is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cache, partial
from itertools import cycle, islice, product
from typing import Any

import coupled
import lava_learning
import learning
import numpy as np
import pytest
from conformance.test_models import WEIGHT
from gpu import engines
from gpu.cubins import ARCHITECTURES, compiled, fitting, needs_nvrtc

import snnsim as sn
from snnsim import configs
from snnsim.backends.cupy.cubin import Resources
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
DEVICES = [arch for arch in ARCHITECTURES if arch in (80, 90, 120)]
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
    for name, target, delay in zip(names, [*names[1:], names[0]], cycle(DELAYS), strict=False):
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
    for port, rate in zip(builtin(name).ports, cycle(["3 kHz", {"uniform": ["1 kHz", "5 kHz"]}]), strict=False):
        weight = _weight(name, port)
        net.input(f"{name}_{port}", type="poisson", rate=rate, to=name, weight=weight, port=port)
        net.input(f"{name}_{port}_given", type="spike_times", times={0: ["1 ms"]}, to=name, weight=weight, port=port)


def _weight(name: str, port: str) -> str:
    kind = builtin(name).ports[port]
    return f"{'-' if kind.negative or port == 'inh' else ''}{WEIGHT[kind.dimension]}"


def rules(number: int, precision: str) -> sn.Network:
    """Some of the rules of plastic synapses."""
    return learning.learning(learning.driven(precision), learning.NETWORKS[number], number)


# name -> what makes the network. Those with plastic synapses and couplings have a set of rules each.
NETWORKS: dict[str, Callable[[], sn.Network]] = {
    **engines.NETWORKS,
    **{f"models {k} {precision}": partial(group, k, precision) for precision in ("single", "double") for k in range(GROUPS)},
    **{f"coupled {name}": partial(make, "single") for name, make in coupled.NETWORKS.items()},
    **{f"coupled {name} double": partial(make, "double") for name, make in coupled.NETWORKS.items()},
    **{f"learning {k}": partial(rules, k, "single") for k in range(len(learning.NETWORKS))},
    **{f"learning {k} double": partial(rules, k, "double") for k in range(len(learning.NETWORKS))},
    **{f"chips {k}": partial(lava_learning.network_of_chips, *case) for k, case in enumerate(lava_learning.CASES[:2])},
    **{f"chips {rule}": partial(lava_learning.network, lava_learning.find(rule, 2)) for rule in ("constants", "three", "short")},
}

@cache
def source_of(name: str) -> KernelSource:
    """Cut as for an H200."""
    plan = make_plan(NETWORKS[name]())
    return KernelSource(plan, Layout.of(plan, 132))


def text_of(source: KernelSource, flags: Flags) -> str:
    """With both types of places in turn."""
    return source.text(flags, list(islice(cycle([np.uint16, np.uint32]), len(source.bundles))))


def fitted(name: str, flags: Flags, arch: int) -> dict[str, Resources]:
    """Kernels with blocks as the engine chooses them; those of 256 threads must have registers for everything."""
    source = copy(source_of(name))
    while True:
        found = fitting(text_of(source, flags), arch, spilled=1 << 20)
        if not any(taken.stack for taken in found.values()):
            return found
        assert source.shrink(), found


def cases() -> list[Any]:
    """Every network with every flag, each for one device in turn; a few of them in each run of the tests."""
    found = []
    for (k, name), (j, flags) in product(enumerate(NETWORKS), enumerate(FLAGS)):
        quick = j == k % len(FLAGS) and "double" not in name
        arch = DEVICES[(k + j) % len(DEVICES)]
        found.append(pytest.param(name, flags, arch, id=f"{name}-{flags}-{arch}", marks=[pytest.mark.slow] * (not quick)))
    return found


@pytest.mark.parametrize("name, flags, arch", cases())
def test_kernels_fit(name: str, flags: str, arch: int) -> None:
    """All kernels of a network, without a warning of the compiler."""
    assert fitted(name, FLAGS[flags], arch).keys() == set(KERNELS)


@pytest.mark.parametrize("name, flags, arch", [
    ("rings", "persistent", 80), ("far", "launches", 90), ("lists", "persistent, all in global memory", 120),
    ("chips three", "persistent", 120)])
def test_arithmetic_is_exact(name: str, flags: str, arch: int) -> None:
    """Hand-written code included, in both precisions. (That of models is looked at one by one in test_emit.)"""
    assert compiled(text_of(source_of(name), FLAGS[flags]), arch).keys() == set(KERNELS)


@pytest.mark.parametrize("arch", [90, *(pytest.param(arch, marks=pytest.mark.long) for arch in DEVICES if arch != 90)])
def test_the_full_microcircuit_in_larger_blocks(arch: int) -> None:
    """A thread for each unit of a part of 585, and registers for everything; sm_120 has no room to share."""
    plan = make_plan(sn.load(configs.path("microcircuit")))
    source = KernelSource(plan, Layout.of(plan, 132))
    assert source.threads == 768
    for name, flags in FLAGS.items():
        if arch < 120 or name == "persistent":
            fitting(text_of(source, flags), arch)


def test_every_model_is_in_a_network() -> None:
    """A new one is compiled without another line here."""
    found = {name for k in range(GROUPS) for name in group(k, "single").populations}
    assert found == set(builtin_names()) - {"spike_times"}
    assert any(p.program.states == {} for p in source_of("given").plan.populations), "spike_times"
