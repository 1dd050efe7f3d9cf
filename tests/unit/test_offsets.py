"""States that are stored as differences look absolute from outside, on every backend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import snnsim as sn
from snnsim.lowering import make_plan

REST = [-65.25, -60.0, -70.125]


def network(precision: str = "single") -> sn.Network:
    """Three cells with a resting potential of their own, one of them displaced, and a trace of two of them."""
    net = sn.Network(dt="0.1 ms", seed=2, precision=precision)
    rest = [f"{v} mV" for v in REST]
    cells = net.population("cells", 3, "lif_psc_exp", v_rest=rest, v_reset=rest, i_e="400 pA",
                           init={"v": ["-60 mV", "-60 mV", "-64 mV"]})
    net.input("noise", type="poisson", rate="2 kHz", to=cells, weight="64 pA")
    net.record(spikes=["cells"], traces={"cells": {"variables": ["v"], "units": [2, 0], "every": "0.1 ms"}})
    return net


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_state_is_absolute_to_its_user(backend: str) -> None:
    """A view gives the initial values as they were written, takes absolute ones, and gives them back."""
    program = sn.compile(network(), backend=backend, threads=1)
    assert program.engine.get(0, "v").tolist() == [5.25, 0.0, 6.125]
    assert program["cells"]["v"].tolist() == [-60.0, -60.0, -64.0]
    program["cells"]["v"] = [-61.5, -60.5, -62.0]
    assert program.engine.get(0, "v").tolist() == [3.75, -0.5, 8.125]
    program.run("2 ms")
    held = program.engine.get(0, "v")
    program["cells"]["v"] = program["cells"]["v"]
    assert np.array_equal(held, program.engine.get(0, "v"))
    program["cells"]["i_exc"] = 2.0
    assert program["cells"]["i_exc"].tolist() == [2.0] * 3


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_traces_are_absolute(backend: str) -> None:
    """A recorded trace holds values, each with the offset of its own unit; its last row is what the view shows."""
    net = network()
    program = sn.compile(net, backend=backend, threads=1)
    result = sn.run(net, "20 ms", backend=backend, threads=1)
    program.run("20 ms")
    trace = np.asarray(result.trace("cells", "v"))
    assert trace.dtype == np.float32
    assert np.array_equal(np.sort(trace[-1]), np.sort(program["cells"]["v"][[0, 2]].astype(np.float32)))
    double = np.asarray(sn.run(network("double"), "20 ms", backend=backend, threads=1).trace("cells", "v"))
    assert np.abs(double - trace).max() < 1e-5


def test_a_checkpoint_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """What is stored is saved, so a resumed run ends in the same bits, on the other backend, too."""
    program = sn.compile(network(), backend="cpu", threads=1)
    program.run("5 ms")
    program.save(tmp_path / "state.h5")
    program.run("5 ms")
    for backend in ("reference", "cpu"):
        again = sn.resume(tmp_path / "state.h5", backend=backend, threads=1)
        again.run("5 ms")
        assert np.array_equal(program.engine.get(0, "v"), again.engine.get(0, "v"))


def test_a_parameter_of_zero_costs_nothing() -> None:
    """Without a constant current, its term is not in the program."""
    sizes = [len(make_plan(net).populations[0].program.instrs) for net in (_alone("0 pA"), _alone("1 pA"))]
    assert sizes[0] == sizes[1] - 2


def _alone(current: str) -> sn.Network:
    net = sn.Network(seed=1)
    net.population("cells", 2, "lif_psc_delta", v_reset="1 mV", i_e=current)
    return net
