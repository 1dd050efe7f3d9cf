"""The emulator of a chip: what it runs, and what it makes of networks of real numbers."""

from __future__ import annotations

import os

import numpy as np
import pytest

import snnsim as sn


def layers(count: int, n: int = 20) -> sn.Network:
    """A chain of dense layers; the first one is driven."""
    net = sn.Network(dt="1 ms", seed=1)
    for k in range(count):
        net.population(f"layer{k}", n, "loihi_lif", du=2047, dv=200, vth=100, bias_mant=0 if k else 40, bias_exp=6)
        if k:
            net.project(f"layer{k - 1}", f"layer{k}", sn.pairwise(0.5), weight={"discrete": {"values": [-8, 20, 40]}})
    net.record(spikes=list(net.populations))
    return net


@pytest.mark.slow
def test_fifty_layers_in_one_process() -> None:
    """Lava takes 104 processes for them."""
    before = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
    found = sn.run(layers(50), "100 ms", backend="loihi", threads=1)
    assert found.count("layer49") > 0
    assert not before or len(os.listdir("/proc/self/task")) <= before + 4
    expected = sn.run(layers(50), "100 ms", backend="reference")
    for name in expected.populations:
        assert all(np.array_equal(a, b) for a, b in zip(expected.spikes(name), found.spikes(name), strict=True))


def test_real_numbers_are_quantised_and_it_is_said() -> None:
    """A network that was not made for a chip runs, with a note."""
    net = sn.Network(dt="1 ms", seed=2)
    net.population("a", 10, "lif_psc_delta", tau_m="20 ms", t_ref="0 ms")
    net.input("noise", "poisson", "a", rate="900 Hz", weight="2 mV")
    net.record(spikes=["a"])
    program = sn.compile(net, backend="loihi")
    assert [p.model.name for p in program.net.populations.values()] == ["loihi_lif"]
    assert "real numbers were quantised for loihi2; `snnsim deploy` reports what that changed" in program.net.notes
    real, whole = (sn.run(net, "1 s", backend=backend).count("a") for backend in ("cpu", "loihi"))
    assert abs(real - whole) <= 0.1 * real
    net.record(traces={"a": {"variables": ["v"]}})
    assert ("real numbers were quantised for loihi2, and traces are recorded in its whole numbers; `snnsim deploy` "
            "reports what that changed") in sn.compile(net, backend="loihi").net.notes


def test_whole_numbers_stay_as_they_are() -> None:
    """The network is the one that was given."""
    net = layers(2)
    assert sn.compile(net, backend="loihi").net is net


def test_auto_never_takes_the_chip() -> None:
    """It refuses most networks, and those that it runs others run alike."""
    assert sn.compile(layers(1)).backend.name == "cpu"
