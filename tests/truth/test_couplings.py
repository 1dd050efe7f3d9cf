"""Continuous couplings against closed forms and iterations written here."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import snnsim as sn

backends = pytest.mark.parametrize("backend", ["reference", "cpu"])
TAU, C, G = 10.0, 250.0, 12.0      # ms, pF, nS; the leak conductance is C/TAU = 25 nS
V = np.array([-60.0, -68.0])


def pair(dt: float = 0.1) -> sn.Network:
    """Two cells that a gap junction joins, far from the threshold."""
    net = sn.Network(dt=f"{dt} ms", precision="double")
    net.population("cells", 2, "lif_psc_exp", tau_m=f"{TAU} ms", c_m=f"{C} pF", v_th="1 V", init={"v": [f"{v} mV" for v in V]})
    net.project("cells", "cells", sn.explicit([0, 1], [1, 0]), weight=f"{G} nS", coupling="gap_junction")
    net.record(traces={"cells": {"variables": ["v"]}})
    return net


def course(net: sn.Network, backend: str, duration: str = "20 ms", variable: str = "v") -> np.ndarray:
    return np.asarray(sn.run(net, duration, backend=backend).trace("cells", variable))


@backends
def test_difference_of_two_cells(backend: str) -> None:
    """In each step the current of the step before acts: the difference is multiplied with e - 2 g/g_l (1 - e)."""
    v, left = course(pair(), backend), math.exp(-0.1 / TAU)
    factor = left - 2 * G * TAU / C * (1 - left)
    np.testing.assert_allclose(v[:, 0] - v[:, 1], (V[0] - V[1]) * factor ** np.arange(1, 201), rtol=0, atol=1e-11)


@backends
def test_mean_of_two_cells_is_that_of_uncoupled_ones(backend: str) -> None:
    """A pair of equal weights only exchanges: what one gains the other loses, to the last bit of the sum."""
    v, left = course(pair(), backend), math.exp(-0.1 / TAU)
    np.testing.assert_allclose(v.mean(axis=1), -70 + (V.mean() + 70) * left ** np.arange(1, 201), rtol=0, atol=1e-12)


@backends
def test_error_of_the_exchange_is_of_first_order(backend: str) -> None:
    """The difference decays with g_l + 2 g; the values of the step before cost an error in proportion to dt."""
    errors = []
    for dt in (0.2, 0.1, 0.05):
        v = course(pair(dt), backend, "10 ms")
        true = (V[0] - V[1]) * math.exp(-10 * (C / TAU + 2 * G) / C)
        errors.append(abs(v[-1, 0] - v[-1, 1] - true) / true)
    assert errors[1] < 0.01
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.05)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.05)


@backends
def test_one_way_and_with_other_inputs(backend: str) -> None:
    """A coupling adds to its input like a current: here to a step of current, onto cell 1 alone."""
    net = sn.Network(dt="0.1 ms", precision="double")
    net.population("cells", 2, "lif_psc_exp", tau_m=f"{TAU} ms", c_m=f"{C} pF", v_th="1 V")
    net.project("cells", "cells", sn.explicit([0], [1]), weight=f"{G} nS", coupling={"model": "gap_junction", "variable": "v"})
    net.input("step", type="current", to="cells", times=["1 ms"], values=["100 pA"])
    net.record(traces={"cells": {"variables": ["v"]}})
    found, left = course(net, backend), math.exp(-0.1 / TAU)
    v, rows = np.zeros(2), []
    for step in range(200):
        current = np.array([0.0, G * (v[0] - v[1])]) + (100.0 if step >= 10 else 0.0)
        v = v * left + current * TAU / C * (1 - left)
        rows.append(v)
    np.testing.assert_allclose(found, np.array(rows) - 70, rtol=0, atol=1e-11)


@backends
def test_the_drive_of_a_coupling_is_that_of_the_step_before(backend: str) -> None:
    """A neighbour's jump in step 10 moves the potential first in step 11."""
    net = sn.Network(dt="0.1 ms", precision="double")
    net.population("cells", 2, "lif_psc_delta", v_th="1 V")
    net.input("kick", type="spike_times", times={0: ["9 step"]}, to="cells", weight="5 mV", delay="1 step")
    net.project("cells", "cells", sn.all_to_all(autapses=False), weight="10 nS", coupling="gap_junction")
    net.record(traces={"cells": {"variables": ["v"]}})
    v = course(net, backend, "2 ms")
    assert v[:, 0].nonzero()[0][0] + 1 == 10
    assert v[:, 1].nonzero()[0][0] + 1 == 11


def chialvo(x: np.ndarray, y: np.ndarray, added: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x * x * np.exp(y - x) + 0.03 + added, 0.89 * y - 0.6 * x + 0.28


def rulkov(x: np.ndarray, y: np.ndarray, added: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 4.1 / (1 + x * x) + y + added, y - 0.001 * (x + 1)


Map = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@backends
@pytest.mark.parametrize(("model", "step", "x", "y", "n"), [
    ("chialvo", chialvo, np.linspace(0.1, 2.0, 6), np.linspace(1.0, 2.5, 6), 60),
    ("rulkov", rulkov, np.linspace(-1.5, 0.5, 6), np.full(6, -3.0), 12),
])
def test_coupled_maps(model: str, step: Map, x: np.ndarray, y: np.ndarray, n: int, backend: str) -> None:
    """A ring of maps that diffuse into their neighbours follows the iteration in NumPy (a chaotic one for some steps)."""
    net = sn.Network(dt="1 ms", precision="double")
    net.population("cells", 6, model, init={"x": x.tolist(), "y": y.tolist()})
    units = np.arange(6)
    ring = sn.explicit(np.concatenate([units, units]), np.concatenate([(units + 1) % 6, (units - 1) % 6]))
    net.project("cells", "cells", ring, weight=0.05, coupling={"model": "diffusive", "variable": "x"})
    net.record(traces={"cells": {"variables": ["x"]}})
    found = course(net, backend, f"{n} ms", "x")
    rows = []
    for _ in range(n):
        added = 0.05 * (np.roll(x, 1) - x) + 0.05 * (np.roll(x, -1) - x)
        x, y = step(x, y, added)
        rows.append(x)
    assert np.ptp(rows[-1]) > 0.001
    np.testing.assert_allclose(found, np.array(rows), rtol=0, atol=1e-12 if model == "chialvo" else 1e-10)


@backends
def test_a_form_of_ones_own(backend: str) -> None:
    """A Kuramoto network: phases that pull each other by the sine of their difference."""
    net = sn.Network(dt="0.1 ms", precision="double")
    net.model("phase", {"parameters": {"omega": "0.5/ms"}, "inputs": {"pull": "1/ms"}, "dynamics": "dp/dt = omega + pull : 1",
                        "integrate": "euler"})
    net.model("kuramoto", {"kind": "coupling", "variable": "p", "parameters": {"lag": 0.1}, "adds": "w*sin(pre - post - lag)"})
    start, omega = np.array([0.0, 1.0, 2.5]), np.array([0.4, 0.5, 0.7])
    net.population("cells", 3, "phase", omega=[f"{o}/ms" for o in omega], init={"p": start.tolist()})
    net.project("cells", "cells", sn.all_to_all(), weight="0.3/ms", coupling={"model": "kuramoto", "params": {"lag": 0.2}})
    net.record(traces={"cells": {"variables": ["p"]}})
    p, rows = start, []
    for _ in range(100):
        p = p + 0.1 * (omega + 0.3 * np.sin(p[None, :] - p[:, None] - 0.2).sum(axis=1))
        rows.append(p)
    np.testing.assert_allclose(course(net, backend, "10 ms", "p"), rows, rtol=0, atol=1e-10)


@backends
def test_sums_do_not_depend_on_the_order_of_synapses(backend: str) -> None:
    """The same pairs listed in another order give the same bits, and so do several projections in place of one."""
    def found(parts: list[np.ndarray]) -> np.ndarray:
        net = sn.Network(dt="0.1 ms", seed=2)
        net.population("cells", 9, "lif_psc_exp", v_th="1 V", init={"v": [f"{-70 + 1.37 * k} mV" for k in range(9)]})
        for chosen in parts:
            net.project("cells", "cells", sn.explicit(source[chosen], target[chosen]), coupling="gap_junction",
                        weight=[f"{w} nS" for w in weight[chosen]])
        net.record(traces={"cells": {"variables": ["v"]}})
        return course(net, backend, "5 ms")

    source, target = (pairs.ravel() for pairs in np.indices((9, 9)))
    weight = 0.1 + 0.37 * np.arange(81) % 1.3
    order = np.random.default_rng(1).permutation(81)
    listed = found([np.arange(81)])
    assert np.array_equal(listed, found([order]))
    assert np.array_equal(listed, found([order[:40], order[40:]]))
