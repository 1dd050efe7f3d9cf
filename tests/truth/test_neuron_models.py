"""GLIF, MAT, LSNN, Izhikevich (2007) and map neurons and the Hawkes process against closed forms and plain loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import snnsim as sn

DT = 0.1


class Run:
    """One population in double precision: traces of all its variables [steps, units], spike steps and units."""

    def __init__(self, model: str, steps: int, n: int = 1, kick: Any = None, init: Any = None, **params: Any) -> None:
        net = sn.Network(dt=f"{DT} ms", seed=3, precision="double")
        self.model = net.library.neuron(model)
        cells = net.population("cells", n, model, init=init, **params)
        for port, (weight, at) in (kick or {}).items():
            times = [f"{round((step - 1) * DT, 1)} ms" for step in at]
            net.input(port, type="spike_times", times={0: times}, to=cells, weight=weight, delay=f"{DT} ms", port=port)
        states = [name for name in self.model.states if name != "refractory"]
        net.record(spikes=[cells], traces={cells: {"variables": states, "every": f"{DT} ms"}})
        result = sn.run(net, f"{steps * DT} ms", backend="reference")
        times, self.ids = result.spikes("cells")
        self.spikes = np.rint(times / DT).astype(int)
        self.traces = {name: np.asarray(result.trace("cells", name), float) for name in states}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.traces[name]


def test_the_threshold_of_glif_is_strict() -> None:
    """A potential that equals the threshold is no spike; the least above it is one."""
    assert Run("glif1", 20, v_th="-78.85 mV").spikes.size == 0
    assert Run("glif1", 20, v_th="-78.85 mV", i_e="1 fA", t_ref="0 ms").spikes[0] == 1


@pytest.mark.parametrize("decay", [9.43 / 58.72, 0.09, 0.0])
def test_the_threshold_of_glif5_follows_the_potential(decay: float) -> None:
    """With a constant current it has a closed form, also where both rates are equal (there NEST divides by zero)."""
    run = Run("glif5", 400, i_e="100 pA", th_voltage_decay=f"{decay!r}/ms")
    k, a, b, t = 9.43 / 58.72, 0.005, decay, np.arange(1, 401) * DT
    held = t if b == 0 else (1 - np.exp(-b * t)) / b
    lost = t * np.exp(-b * t) if b == k else (np.exp(-k * t) - np.exp(-b * t)) / (b - k)
    assert run["v"][:, 0] == pytest.approx(-78.85 + 100 / 9.43 * (1 - np.exp(-k * t)), abs=1e-11)
    assert run["th_voltage"][:, 0] == pytest.approx(a * 100 / 9.43 * (held - lost), abs=1e-11)


def test_glif_stands_still_while_refractory_but_for_its_synapses() -> None:
    """Potential, after-spike currents and both parts of the threshold keep the values that the spike gave them."""
    run = Run("glif5", 400, kick={"exc": ("300 pA", range(20, 400, 4))})
    first = run.spikes[0] - 1
    for name in ("v", "asc_1", "asc_2", "th_spike", "th_voltage"):
        assert np.ptp(run[name][first : first + 39]) == 0, name
        assert run[name][first + 39] != run[name][first], name
    assert np.ptp(run["i_exc"][first : first + 39]) > 0
    assert (run["asc_1"][first, 0], run["th_spike"][first, 0]) == (-9.18, 0.37)


def test_a_spike_of_mat2_leaves_the_potential_alone() -> None:
    """The threshold alone remembers: 37 and 2 mV per spike, with 10 and 200 ms; the potential is that of a silent cell."""
    run, silent = (Run("mat2_psc_exp", 2000, i_e="600 pA", omega=omega) for omega in ("-51 mV", "0 mV"))
    assert len(run.spikes) > 3
    assert silent.spikes.size == 0
    assert np.array_equal(run["v"], silent["v"])
    late = (np.arange(1, 2001)[:, None] - run.spikes) * DT
    for name, step, tau in (("th_1", 37.0, 10.0), ("th_2", 2.0, 200.0)):
        decayed = np.where(late >= 0, step * np.exp(-np.maximum(late, 0) / tau), 0).sum(axis=1)
        assert run[name][:, 0] == pytest.approx(decayed, abs=1e-10)


@pytest.mark.parametrize("normalised", [0, 1])
def test_adaptive_lif_is_the_recursion_of_lsnns(normalised: int) -> None:
    """v = alpha v + I - v_th z, a = rho a + z (or (1 - rho) z), z = [v >= v_th + beta a], with the arrivals at once."""
    at, beta = range(5, 3000, 7), 1.8 if normalised == 0 else 360.0
    run = Run("adaptive_lif", 3000, kick={"in": ("1.5 mV", at)}, normalised=normalised, beta=f"{beta} mV", i_e="50 pA")
    alpha, rho = math.exp(-DT / 20), math.exp(-DT / 200)
    v = a = z = 0.0
    waits, spikes, trace = 0, [], []
    for step in range(1, 3001):
        v = alpha * v + 50 * 20 / 250 * (1 - alpha) - 10 * z + 1.5 * (step in at)
        a = rho * a + (1 - rho if normalised else 1) * z
        z = float(v >= 10 + beta * a and waits == 0)
        waits = 20 if z else max(0, waits - 1)
        spikes += [step] if z else []
        trace.append((v, a))
    assert len(spikes) > 10
    assert spikes == run.spikes.tolist()
    assert np.column_stack([run["v"], run["a"]]) == pytest.approx(np.array(trace), abs=1e-11)


def slopes(v: float, u: float, current: float) -> tuple[float, float]:
    """The regular spiking cell of Izhikevich (2007), section 8.2.1."""
    return (0.7 * (v + 60) * (v + 40) - u + current) / 100, 0.03 * (-2 * (v + 60) - u)


def regular_spiking(current: float, steps: int, parts: int = 50) -> tuple[list[int], np.ndarray]:
    """Spike steps and potentials by many small midpoint steps; reset at the end of a step, as the model does."""
    v, u, h, spikes, trace = -60.0, 0.0, DT / parts, [], []
    for step in range(1, steps + 1):
        for _ in range(parts):
            dv, du = slopes(v, u, current)
            dv, du = slopes(v + dv * h / 2, u + du * h / 2, current)
            v, u = v + dv * h, u + du * h
        if v >= 35:
            v, u = -50.0, u + 100
            spikes.append(step)
        trace.append(v)
    return spikes, np.array(trace)


@pytest.mark.parametrize("current", [100.0, 200.0])
def test_the_regular_spiking_cell_of_izhikevich_2007(current: float) -> None:
    """The steps of its spikes are those of a fine integration, and its intervals grow (spike-frequency adaptation)."""
    run = Run("izhikevich_2007", 3000, i_e=f"{current} pA")
    spikes, v = regular_spiking(current, 3000)
    assert spikes == run.spikes.tolist()
    assert np.diff(spikes)[0] < np.diff(spikes)[1]
    calm = v < -30
    assert math.sqrt(np.mean((run["v"][:, 0] - v)[calm] ** 2)) < 0.05


def chialvo(x: Any, y: Any, b: float) -> tuple[Any, Any]:
    return x * x * np.exp(y - x) + 0.03, 0.89 * y - b * x + 0.28


def rulkov(x: Any, y: Any, alpha: float) -> tuple[Any, Any]:
    return alpha / (1 + x * x) + y, y - 0.001 * (x + 1)


def rulkov_nonchaotic(x: Any, y: Any, alpha: float) -> tuple[Any, Any]:
    top = np.where(x < alpha + y, alpha + y, -1.0)
    return np.where(x <= 0, alpha / (1 - np.minimum(x, 0)) + y, top), y - 0.001 * (x + 1) + 0.001 * 0.1


MAPS: dict[str, Any] = {
    "chialvo": (chialvo, "b", 0.6), "rulkov": (rulkov, "alpha", 4.1), "rulkov_nonchaotic": (rulkov_nonchaotic, "alpha", 6),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_map_neuron_is_its_map(name: str) -> None:
    """Every step is one iteration of the published map, both right-hand sides with the old values."""
    rule, parameter, value = MAPS[name]
    run = Run(name, 2000, n=20, init={"x": {"uniform": [-1, 1]}}, **{parameter: value})
    x, y = rule(run["x"][:-1], run["y"][:-1], value)
    assert x == pytest.approx(run["x"][1:], abs=1e-12)
    assert y == pytest.approx(run["y"][1:], abs=1e-12)


@pytest.mark.parametrize("name", MAPS)
def test_a_spike_of_a_map_is_an_upward_crossing(name: str) -> None:
    """Spikes are for recording alone; they change nothing."""
    run = Run(name, 3000)
    level = 1.0 if name == "chialvo" else 0.0
    up = np.flatnonzero((run["x"][1:, 0] >= level) & (run["x"][:-1, 0] < level)) + 2
    assert len(up) > 5
    assert up.tolist() == run.spikes.tolist()


@pytest.mark.parametrize(("name", "x", "y", "params"), [
    ("rulkov", -2.0, -2.0 - 4.1 / 5, {"alpha": 4.1, "sigma": -2}),
    ("rulkov_nonchaotic", -1.5, -1.5 - 4 / 2.5, {"alpha": 4, "sigma": -0.5}),
    ("chialvo", 0.0, 0.28 / 0.11, {"k": 0}),
])
def test_fixed_points_of_maps(name: str, x: float, y: float, params: dict[str, Any]) -> None:
    """The rest states that the equations give by hand are where a slightly disturbed cell returns to."""
    run = Run(name, 8000, init={"x": x + 0.001, "y": y}, **params)
    assert (run["x"][-1, 0], run["y"][-1, 0]) == pytest.approx((x, y), abs=1e-6)
    assert run.spikes.size == 0


def exponent(run: Run, jacobian: Any) -> float:
    """The largest Lyapunov exponent per step, from the Jacobians along a trajectory."""
    tangent, total, n = np.array([1.0, 0.3]), 0.0, len(run["x"]) - 1000
    for x, y in zip(run["x"][1000:, 0], run["y"][1000:, 0], strict=True):
        tangent = jacobian(x, y) @ tangent
        size = math.hypot(*tangent)
        total, tangent = total + math.log(size), tangent / size
    return total / n


def test_rulkov_is_chaotic_and_chialvo_may_be() -> None:
    """Positive Lyapunov exponents in the chaotic regimes; a closed orbit of Chialvo's map has one of zero."""
    def rulkov_jacobian(x: float, y: float) -> Any:
        return np.array([[-2 * x * 4.1 / (1 + x * x) ** 2, 1], [-0.001, 1]])

    def chialvo_jacobian(b: float) -> Any:
        return lambda x, y: np.array([[(2 - x) * x * np.exp(y - x), x * x * np.exp(y - x)], [-b, 0.89]])

    assert 0.2 < exponent(Run("rulkov", 8000), rulkov_jacobian) < 0.45
    assert 0.02 < exponent(Run("chialvo", 8000, b=0.18), chialvo_jacobian(0.18)) < 0.1
    assert abs(exponent(Run("chialvo", 8000, b=0.6), chialvo_jacobian(0.6))) < 0.005


def test_two_runs_of_the_non_chaotic_map_stay_together() -> None:
    """A disturbance of 1e-9 does not grow as it does in the chaotic map."""
    apart = {name: np.ptp(Run(name, 3000, n=2, init={"x": [-1.0, -1.0 + 1e-9]})["x"], axis=1) for name in list(MAPS)[1:]}
    assert apart["rulkov"].max() > 0.1
    assert np.median(apart["rulkov_nonchaotic"]) < 1e-6


def hawkes(alpha: float, seconds: int = 20) -> np.ndarray:
    """Spike counts [units, windows of 1 s] of processes with a base rate of 10 Hz, after one second."""
    net = sn.Network(dt="0.1 ms", seed=8)
    cells = net.population("cells", 400, "hawkes", alpha=f"{alpha} Hz")
    net.record(spikes=[cells])
    times, ids = sn.run(net, f"{seconds + 1} s", backend="cpu", threads=1).spikes("cells")
    return np.histogram2d(ids, times, bins=[np.arange(401), 1000 * np.arange(1, seconds + 2) + 0.05])[0]


@pytest.mark.parametrize("alpha", [0.0, 12.5, 25.0])
def test_rate_and_variability_of_a_hawkes_process(alpha: float) -> None:
    """Mean rate mu/(1 - n) and, for long windows, variance over mean 1/(1 - n)**2, with n = alpha tau (Hawkes 1971)."""
    counts, n = hawkes(alpha), alpha * 0.02
    assert counts.mean() == pytest.approx(10 / (1 - n), rel=0.02)
    assert counts.var() / counts.mean() == pytest.approx(1 / (1 - n) ** 2, rel=0.1)


def test_the_rate_of_a_hawkes_process_decays_exactly() -> None:
    """The excess of the rate falls by exp(-dt/tau) in every step and grows by alpha at a spike, by the weight at an arrival."""
    run = Run("hawkes", 3000, n=5, kick={"in": ("300 Hz", [100])}, alpha="30 Hz")
    grown = np.zeros((3000, 5))
    np.add.at(grown, (run.spikes - 1, run.ids), 0.03)
    grown[99, 0] += 0.3
    decayed = np.vstack([np.zeros(5), run["s"][:-1]]) * math.exp(-DT / 20)
    assert run.spikes.size > 5
    assert run["s"] == pytest.approx(decayed + grown, abs=1e-13)
