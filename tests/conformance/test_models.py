"""Every built-in model, driven by noise and by spikes: every backend gives what ``reference`` gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import snnsim as sn
from snnsim.models import builtin, builtin_names
from snnsim.units import CURRENT, DIMENSIONLESS, RATE, TIME, VOLTAGE

WEIGHT = {VOLTAGE: "3 mV", CURRENT: "100 pA", CURRENT / VOLTAGE: "4 nS", VOLTAGE / TIME: "3 mV/ms", RATE: "5 Hz",
          DIMENSIONLESS: 1}

# By default it is reset in every step, before anything can come together.
PARAMS = {"loihi_lif_reset": {"reset_interval": 50}}


def network(name: str, precision: str, dt: str = "0.1 ms") -> sn.Network:
    """A few cells of one model, connected at random, with Poisson input to each port."""
    net = sn.Network(dt=dt, seed=11, precision=precision)
    model = builtin(name)
    if name == "spike_times":
        net.population("cells", 20, name, times={0: ["1 ms", "3 ms"], 7: ["3 ms", "3 ms"]})
        return net
    if name == "poisson":
        net.population("cells", 40, name, rate={"uniform": ["0 Hz", "300 Hz"]})
        return net
    cells = net.population("cells", 40, name, **PARAMS.get(name, {}))
    for name_, dimension in model.drives.items():
        value = {CURRENT: "700 pA", VOLTAGE / TIME: "10 mV/ms", RATE: "100 Hz", DIMENSIONLESS: 0.01}[dimension]
        net.input(f"current_{name_}", type="current", to=cells, amplitude=value, input=name_)
    for port, kind in model.ports.items():
        weight = WEIGHT[kind.dimension]
        if kind.negative or port == "inh":
            weight = f"-{weight}"
        net.input(f"noise_{port}", type="poisson", rate="1 kHz" if port == "inh" else "3 kHz", to=cells, weight=weight,
                  port=port)
        if name == "relay":  # a loop of relays would multiply spikes without end
            continue
        net.project(cells, cells, sn.fixed_indegree(4), weight=weight, delay={"uniform": ["0.1 ms", "3 ms"]}, port=port)
    return net


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("name", builtin_names())
def test_model(agree: Callable[..., int], other: tuple[str, int | None], name: str, precision: str) -> None:
    """States and spikes are equal bit for bit, exp and friends included."""
    if other[0] == "brian2" and builtin(name).integrate == "rk4":
        # Brian2's Runge-Kutta method also advances what is linear, which snnsim solves exactly: so in small steps.
        spikes = agree(lambda: network(name, precision, "0.02 ms"), "20 ms", key=(name, precision), tolerance=1e-4)
    else:
        spikes = agree(lambda: network(name, precision), "60 ms", key=(name, precision))
    assert spikes > 0 or not builtin(name).spiking
