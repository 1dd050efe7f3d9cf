"""Cells whose course is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

import snnsim as sn

H = 0.1  # ms


def cell(model: str, **params: str) -> sn.Network:
    """One cell in double precision whose potential is recorded in every step."""
    net = sn.Network(dt="0.1 ms", seed=1, precision="double")
    net.population("cell", 1, model, **params)
    net.record(spikes=["cell"], traces={"cell": {"variables": ["v"], "every": "0.1 ms"}})
    return net


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("current", [251.0, 400.0, 1000.0])
def test_spikes_of_a_constant_current(current: float, backend: str) -> None:
    """An LIF cell under constant current spikes at the steps that the analytic solution gives."""
    tau, c, th, ref = 20.0, 250.0, 20.0, 2.0
    net = cell("lif_psc_delta", tau_m="20 ms", c_m="250 pF", v_th="20 mV", t_ref="2 ms", i_e=f"{current} pA")
    times, _ = sn.run(net, "400 ms", backend=backend).spikes("cell")
    drive = current * tau / c
    rise = math.ceil(-tau / H * math.log(1 - th / drive)) if drive > th else 10**9
    period = rise + round(ref / H)
    expected = np.arange(rise, 4001, period) if rise < 10**9 else np.zeros(0)
    assert np.array_equal(np.rint(times / H), expected)


def response(model: str, weight: str, port: str = "exc", **params: str) -> np.ndarray:
    """Potential above rest after one spike that arrives at the end of step 10, from then on."""
    net = cell(model, v_rest="0 mV", v_reset="0 mV", v_th="1000 mV", **params)
    net.input("spike", type="spike_times", times={0: ["0.5 ms"]}, to="cell", weight=weight, delay="0.5 ms", port=port)
    return np.asarray(sn.run(net, "60 ms").trace("cell", "v"))[9:, 0]


@pytest.mark.parametrize("tau_m, tau_s", [(10.0, 2.0), (10.0, 0.3), (5.0, 20.0)])
def test_exponential_current(tau_m: float, tau_s: float) -> None:
    """The potential after an exponential current follows the analytic curve to 1e-12 of its peak."""
    v = response("lif_psc_exp", "100 pA", tau_m=f"{tau_m} ms", tau_syn_exc=f"{tau_s} ms", c_m="200 pF")
    t = H * np.arange(v.size)
    exact = 100 / 200 * tau_m * tau_s / (tau_m - tau_s) * (np.exp(-t / tau_m) - np.exp(-t / tau_s))
    assert np.abs(v - exact).max() < 1e-12 * max(1.0, exact.max())


def test_exponential_current_with_equal_time_constants() -> None:
    """The propagator is not singular where the time constants meet."""
    v = response("lif_psc_exp", "100 pA", tau_m="10 ms", tau_syn_exc="10 ms", c_m="200 pF")
    t = H * np.arange(v.size)
    assert np.abs(v - 100 / 200 * t * np.exp(-t / 10)).max() < 1e-12


def test_nearly_equal_time_constants() -> None:
    """Nor is it inexact where they nearly meet."""
    v = response("lif_psc_exp", "100 pA", tau_m="10 ms", tau_syn_exc="10.000001 ms", c_m="200 pF")
    t = H * np.arange(v.size)
    gap = 1 / 10 - 1 / 10.000001  # exp(-a t) (1 - exp(-gap t))/gap by expm1, which keeps the small difference
    exact = 100 / 200 * np.exp(-t / 10.000001) * -np.expm1(-gap * t) / gap
    assert np.abs(v - exact).max() < 1e-12


def test_alpha_current() -> None:
    """The potential after an alpha-shaped current, whose weight is its peak, follows the analytic curve to 1e-12."""
    tau_m, tau_s, w, c = 10.0, 2.0, 100.0, 200.0
    v = response("lif_psc_alpha", f"{w} pA", tau_m="10 ms", tau_syn_exc="2 ms", c_m="200 pF")
    t = H * np.arange(v.size)
    b = tau_s * tau_m / (tau_m - tau_s)  # 1/b = 1/tau_s - 1/tau_m
    exact = w * math.e / (tau_s * c) * (b * b * (np.exp(-t / tau_m) - np.exp(-t / tau_s)) - b * t * np.exp(-t / tau_s))
    assert np.abs(v - exact).max() < 1e-12


def test_delta_arrival_is_tested_in_its_step() -> None:
    """A jump of the potential is there, and makes a spike, in the step of its arrival; a current acts one later."""
    net = cell("lif_psc_delta")
    net.input("kick", type="spike_times", times={0: ["1 ms"]}, to="cell", weight="25 mV", delay="0.5 ms")
    times, _ = sn.run(net, "5 ms").spikes("cell")
    assert times == pytest.approx([1.5])


def test_two_spikes_in_one_step_count_twice() -> None:
    """Equal stamps of one source add up."""
    net = cell("lif_psc_delta")
    net.input("kick", type="spike_times", times={0: ["1 ms", "1 ms"]}, to="cell", weight="5 mV", delay="0.1 ms")
    v = np.asarray(sn.run(net, "2 ms").trace("cell", "v"))[:, 0]
    assert v[9] == 0 and v[10] == pytest.approx(10, abs=1e-12)


def test_a_current_acts_from_the_next_step_on() -> None:
    """A current set at 1 ms acts first in the step that ends at 1.1 ms."""
    net = cell("lif_psc_delta")
    net.input("step", type="current", to="cell", times=["1 ms"], values=["250 pA"])
    v = np.asarray(sn.run(net, "3 ms").trace("cell", "v"))[:, 0]
    assert v[9] == 0 and v[10] == pytest.approx(20 * -math.expm1(-0.1 / 20), rel=1e-14)


def test_refractory_steps() -> None:
    """After a spike in step k the potential is held for round(t_ref/dt) steps and arrivals there are dropped."""
    net = cell("lif_psc_delta", t_ref="0.5 ms", v_reset="3 mV")
    net.input("kicks", type="spike_times", times={0: ["1 ms", "1.3 ms"]}, to="cell", weight="25 mV", delay="0.1 ms")
    v = np.asarray(sn.run(net, "2 ms").trace("cell", "v"))[:, 0]
    held = v[10:16]  # steps 11 (the spike) to 16
    assert np.array_equal(held, np.full(6, 3.0))
    assert v[16] == pytest.approx(3 * math.exp(-0.1 / 20), rel=1e-14)
