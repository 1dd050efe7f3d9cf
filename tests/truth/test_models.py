"""Built-in models against closed forms."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest

from snnsim.equations import Model, model_from_document
from snnsim.equations.expr import DT
from snnsim.equations.propagators import exponential
from snnsim.ir import Op, Type, check, exact
from snnsim.ir.interpret import Environment, interpret
from snnsim.models import builtin, builtin_names

DT_MS = 0.1


def run(
    model: Model, values: dict[str, Any], steps: int, arrivals: dict[str, dict[int, int]] | None = None, current: float = 0.0
) -> tuple[dict[str, np.ndarray], list[int]]:
    """States [steps] after every step, and the steps with spikes; weights are whole numbers in units of the port."""
    program, params = model.program(), model.bind(values, DT_MS) | {f"quantum.{port}": 1.0 for port in model.ports}
    states, offsets = stored(model, values), model.offsets(values, DT_MS)
    traces: dict[str, list[float]] = {name: [] for name in states}
    spikes = []
    for step in range(1, steps + 1):
        now = {port: np.int64((arrivals or {}).get(port, {}).get(step, 0)) for port in model.ports}
        env = Environment(np.float64, params, states, now, dict.fromkeys(model.drives, current))
        done = interpret(program, env)
        states = done.stored
        for name, trace in traces.items():
            trace.append(float(states[name] + offsets.get(name, 0)))
        if model.spiking and done.emitted["spikes"]:
            spikes.append(step)
    return {name: np.array(trace) for name, trace in traces.items()}, spikes


def stored(model: Model, values: dict[str, Any], **states: float) -> dict[str, Any]:
    """The initial values, or those in `states`, as a program holds them."""
    offsets = model.offsets(values, DT_MS)
    return {name: value - offsets.get(name, 0) for name, value in (model.initial(values, DT_MS) | states).items()}


@pytest.mark.parametrize("name", builtin_names())
def test_every_built_in_model_keeps_the_vocabulary(name: str) -> None:
    """The program of a built-in model passes the checker before and after lowering, and all its numbers are bound."""
    model = builtin(name)
    program = model.program()
    check(program)
    check(exact.lower(program, np.float32))
    bound = model.bind({}, DT_MS)
    needed = {*program.uses(Op.PARAM), *program.uses(Op.WHOLE), *(mean for _, mean in program.uses(Op.POISSON))}
    assert {name for name in needed if not name.startswith("quantum.")} <= bound.keys()
    assert list(model.states) == list(model.initial({}, DT_MS))


def test_constant_current_charges_the_membrane_exponentially() -> None:
    """v(t) = v_rest + I tau/C (1 - exp(-t/tau))."""
    traces, spikes = run(builtin("lif_psc_exp"), {"i_e": 250.0, "v_th": 0.0}, 300)
    t = np.arange(1, 301) * DT_MS
    assert traces["v"] == pytest.approx(-70.0 + 10.0 * (1 - np.exp(-t / 10.0)), abs=1e-12)
    assert spikes == []


@pytest.mark.parametrize("tau", [2.0, 10.0, 10.0 + 1e-9])
def test_one_arrival_gives_the_closed_form_of_the_psp(tau: float) -> None:
    """An exponential current gives a difference of exponentials, and t exp(-t/tau) where the time constants agree."""
    traces, _ = run(builtin("lif_psc_exp"), {"tau_syn_exc": tau}, 200, {"exc": {1: 100}})
    t = np.arange(200) * DT_MS
    with mpmath.workdps(40):
        a, b = mpmath.mpf(1) / 10, 1 / mpmath.mpf(tau)
        exact_psp = [_psp(mpmath.mpf(float(x)), a, b) * 100 / 250 for x in t]
    assert traces["v"] + 70.0 == pytest.approx(np.array(exact_psp, float), abs=1e-12)


def _psp(t: Any, a: Any, b: Any) -> Any:
    return t * mpmath.exp(-a * t) if a == b else (mpmath.exp(-b * t) - mpmath.exp(-a * t)) / (a - b)


def test_the_weight_of_an_alpha_current_is_its_peak() -> None:
    """An alpha-shaped current peaks after its rise time, at the weight."""
    traces, _ = run(builtin("lif_psc_alpha"), {}, 100, {"exc": {1: 100}})
    t = np.arange(100) * DT_MS
    assert traces["i_exc"] == pytest.approx(100 * t / 2.0 * np.exp(1 - t / 2.0), abs=1e-11)
    assert traces["i_exc"].max() == pytest.approx(100.0, abs=1e-11)


def test_the_peak_of_an_alpha_conductance_is_the_weight_and_positive() -> None:
    """Inhibitory weights are negative on the wire; the conductance is stored positive."""
    traces, _ = run(builtin("lif_cond_alpha"), {}, 100, {"inh": {1: -5}})
    assert traces["g_inh"].max() == pytest.approx(5.0, abs=1e-11)
    assert traces["v"].min() < -70.0


def test_an_arrival_in_a_delta_model_is_tested_in_its_own_step() -> None:
    """Arrivals are in v in their step, cross the threshold at once, and are lost while refractory."""
    traces, spikes = run(builtin("lif_psc_delta"), {"t_ref": 0.5}, 20, {"in": {3: 25, 5: 25, 8: 25, 9: 15}})
    assert spikes == [3]
    assert traces["v"][2:8].tolist() == [0.0] * 6
    assert traces["v"][8] == 15.0
    assert traces["refractory"][2:9].tolist() == [5, 4, 3, 2, 1, 0, 0]


def test_a_current_moves_the_potential_one_step_after_its_arrival() -> None:
    """NEST's order: v is propagated with the current of the step before."""
    traces, _ = run(builtin("lif_psc_exp"), {}, 4, {"exc": {2: 100}})
    assert traces["i_exc"][1] == 100.0
    assert traces["v"][1] == pytest.approx(-70.0, abs=1e-13)
    assert traces["v"][2] > -69.99


def test_regular_firing_has_the_analytic_interval() -> None:
    """With a constant current the interval is t_ref + tau ln((I R - 0)/(I R - theta)), rounded up to whole steps."""
    _, spikes = run(builtin("lif_psc_exp"), {"i_e": 600.0}, 2000)
    interval = 10.0 * math.log(24.0 / (24.0 - 15.0))
    expected = math.ceil(interval / DT_MS) + 20
    assert set(np.diff(spikes)) == {expected}


def test_the_traub_cell_rests_and_fires() -> None:
    """Without input the COBAHH cell stays near rest; a current makes it cross -20 mV upwards, once per spike."""
    model = builtin("hh_cond_exp_traub")
    quiet, none = run(model, {}, 600)
    assert none == []
    assert -70.0 < quiet["v"][-1] < -60.0
    traces, spikes = run(model, {"i_e": 500.0}, 600)
    crossings = np.flatnonzero((traces["v"][1:] > -20.0) & (traces["v"][:-1] <= -20.0)) + 2
    assert len(spikes) >= 3
    assert spikes == crossings.tolist()


def test_the_rates_of_a_gate_have_no_hole() -> None:
    """At the potentials where the textbook form is 0/0, a step stays finite."""
    model = builtin("hodgkin_huxley")
    for v in (-55.0, -40.0):
        states = stored(model, {}, v=v)
        env = Environment(np.float64, model.bind({}, DT_MS) | {"quantum.exc": 1.0, "quantum.inh": 1.0}, states,
                          {"exc": np.int64(0), "inh": np.int64(0)}, {"i_inj": 0.0})
        assert all(np.isfinite(value) for value in interpret(model.program(), env).stored.values())


def test_gates_start_at_their_steady_state() -> None:
    """The initial gates of the Hodgkin-Huxley neuron are those of its initial potential (NEST: the same numbers)."""
    initial = builtin("hodgkin_huxley").initial({}, DT_MS)
    assert [initial[gate] for gate in "mhn"] == pytest.approx([0.05293248525724958, 0.5961207535084603, 0.3176769140606974])


def test_adex_counts_several_spikes_of_one_step() -> None:
    """With the test inside the sub-steps, a strong current gives more than one spike in a step."""
    model = builtin("adex_cond_exp")
    values = {"i_e": 1e6, "b": 0.0}
    params = model.bind(values, DT_MS) | {"quantum.exc": 1.0, "quantum.inh": 1.0}
    env = Environment(np.float64, params, stored(model, values),
                      {"exc": np.int64(0), "inh": np.int64(0)}, {"i_inj": 0.0})
    assert interpret(model.program(), env).emitted["spikes"] == 2


def test_a_refractory_adex_neuron_spikes_once() -> None:
    """From a spike on, the rest of the step and round(t_ref/dt) more steps are refractory."""
    traces, spikes = run(builtin("adex_cond_exp"), {"i_e": 1e6, "b": 0.0, "t_ref": 0.5}, 13)
    assert spikes == [1, 7, 13]
    assert set(traces["v"][:6]) == {-60.0}


def test_relay_emits_as_many_spikes_as_arrive() -> None:
    """A relay passes counts on; nothing is emitted for nothing."""
    model = builtin("relay")
    for weight in (-2, 0, 1, 7):
        env = Environment(np.float64, {"quantum.in": 1.0}, {}, {"in": np.int64(weight)})
        assert interpret(model.program(), env).emitted["spikes"] == max(weight, 0)


def test_poisson_draws_the_mean_of_a_step() -> None:
    """The mean of a Poisson source is rate times dt, also per unit."""
    model = builtin("poisson")
    assert model.program().uses(Op.POISSON) == [("poisson.1", "rate*dt")]
    assert model.bind({"rate": np.array([1.0, 2.0])}, 0.1)["rate*dt"].tolist() == [0.1, 0.2]


@pytest.mark.parametrize("tau", [2.0, 9.999999999, 10.0, 0.01, 1e6])
def test_propagators_have_fourteen_digits(tau: float) -> None:
    """Every entry of exp(A h) for an alpha current into a membrane agrees with 50-digit arithmetic."""
    h, tau_m, c = 0.1, 10.0, 250.0
    names = ["y", "i", "v"]
    a = {("y", "y"): -h / tau, ("i", "i"): -h / tau, ("i", "y"): h, ("v", "v"): -h / tau_m, ("v", "i"): h / c}
    found = exponential(a, names)
    with mpmath.workdps(50):
        matrix = mpmath.matrix(3)
        for (row, column), value in a.items():
            matrix[names.index(row), names.index(column)] = mpmath.mpf(value)
        expected = mpmath.expm(matrix, method="taylor")
        for (row, column), value in found.items():
            true = expected[names.index(row), names.index(column)]
            assert abs(mpmath.mpf(float(value)) - true) <= 1e-14 * abs(true)


def test_propagators_of_a_unit_do_not_depend_on_the_others() -> None:
    """Per-unit parameters give the same bits as each value alone; numbers not concerned stay scalars."""
    model, taus = builtin("lif_psc_exp"), np.array([10.0, 0.05, 300.0])
    together = model.bind({"tau_m": taus}, DT_MS)
    for k, tau in enumerate(taus):
        alone = model.bind({"tau_m": float(tau)}, DT_MS)
        for name, value in together.items():
            assert np.broadcast_to(value, 3)[k] == alone[name]
    assert np.ndim(together["P[v,v]"]) == 1
    assert np.ndim(together["P[i_exc,i_exc]"]) == 0


def test_what_reads_a_held_variable_sees_it_stand_still() -> None:
    """While v is held, a variable that follows it relaxes towards the held value: the second set of propagators."""
    document = {
        "parameters": {"tau": "10 ms"},
        "dynamics": "dv/dt = -v/tau + 3*mV/ms : mV\nda/dt = (v - a)/tau : mV",
        "spike": "v >= 10*mV", "reset": {"v": "-20*mV"}, "refractory": {"for": "3 ms", "hold": "v"},
    }
    traces, spikes = run(model_from_document("x", document), {}, 80)
    first = spikes[0] - 1
    t = np.arange(31) * DT_MS
    held = -20.0 + (traces["a"][first] + 20.0) * np.exp(-t / 10.0)
    assert traces["a"][first : first + 31] == pytest.approx(held, abs=1e-12)


def test_dt_is_one_parameter_of_the_program() -> None:
    """A program does not depend on dt: the same one serves two step sizes."""
    model = builtin("izhikevich")
    assert model.program() is model.program()
    assert (DT.data, DT.type) == ("dt", Type.REAL)
    assert [model.bind({}, dt)["dt"] for dt in (0.1, 1.0)] == [0.1, 1.0]
