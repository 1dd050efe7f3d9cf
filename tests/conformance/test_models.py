"""Every built-in model, driven by noise and by spikes: every backend gives what ``reference`` gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, product
from typing import Any

import pytest

import snnsim as sn
from snnsim.deploy.from_plan import SOURCES
from snnsim.models import builtin, builtin_names
from snnsim.units import CURRENT, DIMENSIONLESS, RATE, TIME, VOLTAGE

WEIGHT = {VOLTAGE: "3 mV", CURRENT: "100 pA", CURRENT / VOLTAGE: "4 nS", VOLTAGE / TIME: "3 mV/ms", RATE: "5 Hz",
          DIMENSIONLESS: 1}

# By default it is reset in every step, before anything can come together.
PARAMS = {"loihi_lif_reset": {"reset_interval": 50}}


def network(names: Sequence[str], precision: str, dt: str = "0.1 ms") -> sn.Network:
    """A few cells of each model, connected at random, with Poisson input to each port."""
    net = sn.Network(dt=dt, seed=11, precision=precision)
    for name in names:
        add(net, name)
    return net


def add(net: sn.Network, name: str) -> None:
    """A population of one model."""
    model = builtin(name)
    if name == "spike_times":
        net.population(name, 20, name, times={0: ["1 ms", "3 ms"], 7: ["3 ms", "3 ms"]})
        return
    if name == "poisson":
        net.population(name, 40, name, rate={"uniform": ["0 Hz", "300 Hz"]})
        return
    cells = net.population(name, 40, name, **PARAMS.get(name, {}))
    for drive, dimension in model.drives.items():
        value = {CURRENT: "700 pA", VOLTAGE / TIME: "10 mV/ms", RATE: "100 Hz", DIMENSIONLESS: 0.01}[dimension]
        net.input(f"{name}_{drive}", type="current", to=cells, amplitude=value, input=drive)
    for port, kind in model.ports.items():
        weight = WEIGHT[kind.dimension]
        if kind.negative or port == "inh":
            weight = f"-{weight}"
        net.input(f"{name}_{port}", type="poisson", rate="1 kHz" if port == "inh" else "3 kHz", to=cells, weight=weight,
                  port=port)
        if name == "relay":  # a loop of relays would multiply spikes without end
            continue
        net.project(cells, cells, sn.fixed_indegree(4), weight=weight, delay={"uniform": ["0.1 ms", "3 ms"]}, port=port)


def batches() -> Iterator[Any]:
    """Models by sixes, which share a compilation, in each precision; together only where they compute alike.

    Whole numbers make a network double, and what counts spikes makes its sums wide. Of those that would be compiled a
    second time for double precision, and by Brian2, some are left to the long run.
    """
    def kind(name: str) -> tuple[bool, bool, bool]:
        return name in SOURCES, builtin(name).whole, builtin(name).integrate == "rk4"

    for (_, whole, _), group in groupby(sorted(builtin_names(), key=kind), kind):
        names = list(group)
        for k, precision in product(range(0, len(names), 6), ["double"] if whole else ["single", "double"]):
            marks = [pytest.mark.long] if precision == "double" and names[k] in ("adaptive_lif", "glif5") else []
            yield pytest.param(names[k : k + 6], precision, id=f"{'+'.join(names[k : k + 6])}-{precision}", marks=marks)


@pytest.mark.parametrize(("names", "precision"), list(batches()))
def test_models(
    agree: Callable[..., Counter[str]], takes: Callable[..., bool], other: tuple[str, int | None], names: list[str], precision: str,
) -> None:
    """States and spikes are equal bit for bit, exp and friends included."""
    taken = [name for name in names if takes(network([name], precision))] or names
    if other[0] == "brian2" and builtin(names[0]).integrate == "rk4":
        # Brian2's Runge-Kutta method also advances what is linear, which snnsim solves exactly: so in small steps.
        spikes = agree(lambda: network(taken, precision, "0.02 ms"), "20 ms", key=(*taken, precision), tolerance=1e-4)
    else:
        spikes = agree(lambda: network(taken, precision), "60 ms", key=(*taken, precision))
    assert [name for name in taken if builtin(name).spiking and not spikes[name]] == []
