"""The full text of every message about a model document and its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.equations import model_from_document
from snnsim.errors import InputError
from snnsim.models import builtin, builtin_names

GOOD: dict[str, Any] = {
    "parameters": {"tau": "10 ms", "v_th": "20 mV", "c": "250 pF"},
    "dynamics": "dv/dt = -v/tau + i/c : mV\ndi/dt = -i/tau : pA\n",
    "receive": {"in": "i += w"},
    "spike": "v >= v_th",
    "reset": {"v": "0 mV"},
    "refractory": {"for": "2 ms", "hold": "v"},
}

# What is changed in GOOD, and what is said.
FAULTS: list[tuple[dict[str, Any], str]] = [
    (
        {"dynamics": "dv/dt = -v/tau + i : mV\ndi/dt = -i/tau : pA"},
        "dynamics: line 1: cannot add a quantity in mV/ms and a current (pA): -v / tau and i",
    ),
    (
        {"dynamics": "dv/dt = -v/tua : mV\ndi/dt = -i/tau : pA"},
        "dynamics: line 1: unknown name 'tua'; expected one of: c, dt, i, tau, v, v_th (did you mean tau?)",
    ),
    (
        {"dynamics": "dv/dt = -v/tau : pA\ndi/dt = -i/tau : pA"},
        "spike: cannot compare a current (pA) and a voltage (mV): v and v_th\nreset.v: expected a current "
        "(pA), found a voltage (mV)",
    ),
    (
        {"dynamics": "dv/dt = -v/tau\ndi/dt = -i/tau : pA"},
        "dynamics: line 1: expected a unit after a colon at the end (1 for none), found 'dv/dt = -v/tau'",
    ),
    (
        {"dynamics": "v' = -v/tau : mV\ndi/dt = -i/tau : pA"},
        "dynamics: line 1: expected 'dx/dt = ... : unit', 'x[n+1] = ... : unit' or 'x = ... : unit', found "
        "\"v' = -v/tau : mV\"",
    ),
    (
        {"dynamics": "dv/dt = a : mV\na = b : mV/ms\nb = a : mV/ms\ndi/dt = -i/tau : pA"},
        "dynamics: line 3: a depends on itself: a -> b -> a",
    ),
    (
        {"dynamics": "dv/dt = -v*v/(tau*v_th) : mV\ndi/dt = -i/tau : pA"},
        "integrate: exact (the default) needs linear equations with constant coefficients, but dv/dt holds "
        "v*v; choose one of: euler, exponential_euler, rk4",
    ),
    (
        {"dynamics": "dv/dt = -v/tau : mV\ndv/dt = -v/tau : mV\ndi/dt = -i/tau : pA"},
        "dynamics: line 2: v is already a state",
    ),
    (
        {"dynamics": "dv/dt = exp(v)/tau*v : mV\ndi/dt = -i/tau : pA"},
        "dynamics: line 1: exp(...) takes a number without unit, found a voltage (mV): v",
    ),
    (
        {"dynamics": "dv/dt = foo(v)/tau : mV\ndi/dt = -i/tau : pA"},
        "dynamics: line 1: unknown function 'foo'; expected one of: abs, clip, cos, exp, exprel, floor, log, "
        "max, min, normal, poisson, previous, sigmoid, sin, sqrt, tanh, uniform (did you mean floor?)",
    ),
    (
        {"dynamics": "dv/dt = __import__('os').system('x') : mV\ndi/dt = -i/tau : pA"},
        "dynamics: line 1: unknown function \"__import__('os').system\"; expected one of: abs, clip, cos, exp, "
        "exprel, floor, log, max, min, normal, poisson, previous, sigmoid, sin, sqrt, tanh, uniform",
    ),
    (
        {"dynamics": "dv/dt = (lambda x: x)(v)/tau : mV\ndi/dt = -i/tau : pA"},
        "dynamics: line 1: unknown function 'lambda x: x'; expected one of: abs, clip, cos, exp, exprel, "
        "floor, log, max, min, normal, poisson, previous, sigmoid, sin, sqrt, tanh, uniform",
    ),
    (
        {"dynamics": "dv/dt = -v/ : mV\ndi/dt = -i/tau : pA"},
        "dynamics: line 1: not an expression: '-v/'",
    ),
    (
        {"receive": {"in": "i += w*w"}},
        "receive.in: expected something linear in the weight w, found w*w",
    ),
    (
        {"receive": {"in": "i += w + 1"}},
        "receive.in: expected something proportional to the weight w, found w + 1",
    ),
    (
        {"receive": {"in": "q += w"}},
        "receive.in: += needs a state on its left, found q; states are: v, i",
    ),
    (
        {"receive": {"in": ["i += w", "v += w"]}},
        "receive.in: the weight w is a current (pA) in one statement and a voltage (mV) in another",
    ),
    (
        {"receive": {"in": ["i += w", "i -= w"]}},
        "receive.in: a port either adds (+=) or subtracts (-=) its weights, not both",
    ),
    (
        {"receive": {"in": "i"}},
        "receive.in: expected 'x += ...', 'x -= ...' or 'x = ... : unit' with the weight w, found 'i'",
    ),
    (
        {"receive": "in"},
        "receive: expected a mapping such as {exc: i_exc += w}, found 'in'",
    ),
    (
        {"spike": "v"},
        "spike: expected a condition such as v >= v_th or a count, found a voltage (mV)",
    ),
    (
        {"spike": "v >= 3"},
        "spike: cannot compare a voltage (mV) and a number without unit: v and 3",
    ),
    (
        {"spike": "vv > v_th"},
        "spike: unknown name 'vv'; expected one of: c, dt, i, tau, v, v_th (did you mean v?)",
    ),
    (
        {"reset": {"x": "0 mV"}},
        "reset.x: unknown state 'x'; expected one of: i, v",
    ),
    (
        {"reset": {"v": "3 pA"}},
        "reset.v: expected a voltage (mV), found a current (pA)",
    ),
    (
        {"reset": {"v": 0}},
        "reset.v: expected a voltage (mV), found a number without unit",
    ),
    (
        {"reset": {"v": "v > v_th"}},
        "reset.v: expected a voltage (mV), found a number without unit",
    ),
    (
        {"refractory": {"for": "2 mV", "hold": "v"}},
        "refractory: for: expected a time (ms), found a voltage (mV)",
    ),
    (
        {"refractory": {"for": "2 ms", "hold": "u"}},
        "refractory: hold: unknown state 'u'; expected one of: i, v",
    ),
    (
        {"refractory": {"for": "2 ms"}},
        "refractory: expected for: and one of hold: v, mute: true, freeze: all",
    ),
    (
        {"refractory": {"for": "2 ms", "kold": "v"}},
        "refractory: unknown key 'kold'; expected one of: for, freeze, hold, mute (did you mean hold?)",
    ),
    (
        {"refractory": "2 ms"},
        "refractory: expected a mapping such as {for: t_ref, hold: v}, found '2 ms'",
    ),
    (
        {"refractory": {"for": "v/v_th*ms", "hold": "v"}},
        "refractory: for: expected a time from parameters alone, found v*(1/v_th)",
    ),
    (
        {"integrate": "rk5"},
        "integrate: unknown method 'rk5'; expected one of: euler, exact, exponential_euler, rk4 (did you "
        "mean rk4?)",
    ),
    (
        {"integrate": {"rk4": 0}},
        "integrate: expected a number of sub-steps from 1 to 64, found 0",
    ),
    (
        {"integrate": {"rk4": 4, "test": 1}},
        "integrate: expected a method or {rk4: 4, spike_test: substep}, found {'rk4': 4, 'test': 1}",
    ),
    (
        {"parameters": {"tau": "10 msx", "v_th": "20 mV", "c": "250 pF"}},
        "parameters.tau: unknown unit 'msx' (did you mean ms?)",
    ),
    (
        {"parameters": {"exp": "10 ms", "v_th": "20 mV", "c": "250 pF", "tau": "1 ms"}},
        "parameters.exp: exp has a meaning of its own in equations: choose another name",
    ),
    (
        {"parameters": {"tau": {"about": "x"}, "v_th": "20 mV", "c": "250 pF"}},
        "parameters.tau: expected a quantity or {default: ..., about: ..., must_be: ..., range: ...}, found {'about': 'x'}",
    ),
    (
        {"parameters": {"tau": {"default": "1 ms", "must_be": "negative"}, "v_th": "20 mV", "c": "250 pF"}},
        "parameters.tau: unknown must_be 'negative'; expected one of: not negative, positive, whole (did you mean not negative?)",
    ),
    (
        {"parameters": {"1x": "2 ms", "tau": "1 ms", "v_th": "20 mV", "c": "250 pF"}},
        "parameters.1x: expected a name of letters, digits and _, found '1x'",
    ),
    (
        {"parameters": {"v": "2 ms", "tau": "1 ms", "v_th": "20 mV", "c": "250 pF"}},
        "dynamics: line 1: v is already a parameter",
    ),
    (
        {"inputs": {"k": "xyz"}},
        "inputs.k: unknown unit 'xyz'",
    ),
    (
        {"initial": {"v": "i/c*ms", "i": "v*c/ms"}},
        "initial: the initial values of v, i depend on each other",
    ),
    (
        {"initial": {"z": 0}},
        "initial.z: unknown state 'z'; expected one of: i, v",
    ),
    (
        {"initial": {"v": "normal()*mV"}},
        "initial: v: expected an expression of parameters, found normal()",
    ),
    (
        {"outputs": {"o": "v + i"}},
        "outputs.o: cannot add a voltage (mV) and a current (pA): v and i",
    ),
    (
        {"relative": {"z": "v_th"}},
        "relative.z: unknown state 'z'; expected one of: i, v",
    ),
    (
        {"relative": {"v": "tau"}},
        "relative.v: expected a voltage (mV), found a time (ms)",
    ),
    (
        {"relative": {"v": "v_th + v"}},
        "relative.v: expected an expression of parameters, found v + v_th",
    ),
    (
        {"relative": ["v"]},
        "relative: expected a mapping such as {v: v_rest}, found ['v']",
    ),
    (
        {"schedule": "x"},
        "schedule: unknown port 'x'; expected one of: in",
    ),
    (
        {"spik": "v"},
        "spik: unknown key of a model 'spik'; expected one of: about, dynamics, fixed_point, initial, inputs, "
        "integrate, kind, outputs, parameters, receive, refractory, relative, reset, schedule, send, source, spike "
        "(did you mean spike?)",
    ),
    (
        {"spike": "poisson(v/v_th)"},
        "spike: the mean of poisson(...) must depend on parameters and dt alone, found v / v_th",
    ),
    (
        {"spike": "v >= v_th and 2"},
        "spike: expected a condition such as v >= v_th, found the number 2",
    ),
    (
        {"spike": "v if v else v"},
        "spike: expected a condition such as v >= v_th, found the number v",
    ),
    (
        {"spike": "max(v) > v_th"},
        "spike: max(...) takes 2 to 8 arguments, found 1",
    ),
    (
        {"spike": "v**v_th > v"},
        "spike: an exponent takes a number without unit, found a voltage (mV): v_th",
    ),
    (
        {"spike": "v @ v > 1"},
        "spike: the operator in 'v @ v' is not allowed; use + - * / **",
    ),
    (
        {"spike": "v is v_th"},
        "spike: only < <= > >= == != compare values",
    ),
    (
        {"spike": "v[n-1] > v_th"},
        "spike: v[n - 1] is not known here; x[n] is the value before the step, x[n+1] the new value of a map "
        "that stands on an earlier line",
    ),
    (
        {"spike": "previous(c) > v_th"},
        "spike: previous(...) takes the name of a state, found previous(c)",
    ),
    (
        {"spike": "exp > 1"},
        "spike: exp is a function: expected exp(...)",
    ),
    (
        {"spike": "exp(x=1)>2"},
        "spike: exp(...) takes plain arguments only",
    ),
    (
        {"spike": "'a' > v"},
        "spike: expected a number, found 'a'",
    ),
    (
        {"spike": "~v > v_th"},
        "spike: the operator ~ is not allowed in an expression",
    ),
    (
        {"spike": "previous > v_th"},
        "spike: previous is a function: expected previous(...)",
    ),]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[str(k) for k in range(len(FAULTS))])
def test_a_fault_in_a_model_is_told_in_full(change: dict[str, Any], message: str) -> None:
    """Each fault says its place, what was expected and what was found."""
    with pytest.raises(InputError) as caught:
        model_from_document("x", GOOD | change)
    assert message == str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    """Faults in different parts of a document come together."""
    document = GOOD | {"dynamics": "dv/dt = -v/tua : mV\ndi/dt = -i/ : pA\n", "reset": {"u": "0 mV"}, "integrate": "rk5"}
    with pytest.raises(InputError) as caught:
        model_from_document("x", document)
    assert [p.path for p in caught.value.problems] == ["dynamics", "dynamics", "integrate", "reset.u"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "expected dynamics, a spike rule or both"),
        ({}, "expected dynamics, a spike rule or both"),
        ([], "expected a mapping such as {parameters: ..., dynamics: ...}, found []"),
        ({"dynamics": 3}, "dynamics: expected lines of text, found 3"),
    ],
)
def test_what_is_no_model_document(document: Any, message: str) -> None:
    """Anything but a mapping with some behaviour is refused."""
    with pytest.raises(InputError) as caught:
        model_from_document("x", document)
    assert message == str(caught.value)


# lif_psc_exp as a user may write it, without the signs of its parameters.
FREE = dict(builtin("lif_psc_exp").document)
FREE["parameters"] = {name: entry["default"] for name, entry in FREE["parameters"].items()}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tau_m": 0.0}, "tau_m: -(1/tau_m)*dt is not finite with tau_m = 0, dt = 0.1"),
        ({"tau_m": np.array([1.0, 0.0])}, "tau_m: -(1/tau_m)*dt is not finite with tau_m = 0, dt = 0.1 (unit 1)"),
        ({"t_ref": -5.0}, "t_ref: floor(t_ref/dt + 0.5) must not be negative, found -50"),
        ({"c_m": float("nan")}, "c_m: expected a number, found nan"),
        ({"tau_m": -1e-9}, "v grows beyond all numbers within one step: is a time constant negative?"),
        ({"taum": 3.0}, "taum: unknown parameter 'taum'; expected one of: c_m, i_e, t_ref, tau_m, tau_syn_exc, "
                        "tau_syn_inh, v_reset, v_rest, v_th (did you mean tau_m?)"),
    ],
)
def test_numbers_that_no_program_can_use(values: dict[str, Any], message: str) -> None:
    """bind() names the parameter and the expression that went wrong."""
    with pytest.raises(InputError) as caught:
        model_from_document("free", FREE).bind(values, 0.1)
    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tau_m": -10.0}, "tau_m: expected a value above 0, found -10 ms"),
        ({"c_m": 0.0}, "c_m: expected a value above 0, found 0 pF"),
        ({"tau_m": np.array([1.0, 0.0])}, "tau_m: expected a value above 0, found 0 ms for unit 1"),
        ({"t_ref": -5.0, "tau_m": -1.0}, "t_ref: expected at least 0, found -5 ms\n"
                                         "tau_m: expected a value above 0, found -1 ms"),
        ({"t_ref": 1e12}, "t_ref: floor(t_ref/dt + 0.5) must be at most 2147483647, found 1e+13"),
    ],
)
def test_signs_of_built_in_parameters(values: dict[str, Any], message: str) -> None:
    """Time constants and capacitances are positive, refractory times not negative; the document says so."""
    with pytest.raises(InputError) as caught:
        builtin("lif_psc_exp").bind(values, 0.1)
    assert message == str(caught.value)


DECAY: dict[str, Any] = {"parameters": {"tau": "0.2 ms"}, "dynamics": "dv/dt = -v/tau : mV"}
PULLED = {"dynamics": "dv/dt = abs(x)/tau - v/tau : mV\ndx/dt = -x/tau : mV"}


@pytest.mark.parametrize(
    ("document", "values", "dt", "message"),
    [
        ({"integrate": "euler"}, {}, 1.0,
         "euler is unstable with steps of 1 ms: v decays with a time constant of 0.2 ms and needs at most about 0.4 ms; "
         "choose a smaller dt, integrate: {euler: 3} or integrate: exact"),
        ({"integrate": {"euler": 2}}, {"tau": np.array([1.0, 0.1])}, 1.0,
         "euler is unstable with sub-steps of 0.5 ms: v decays with a time constant of 0.1 ms (unit 1) and needs at most "
         "about 0.2 ms; choose a smaller dt, integrate: {euler: 5} or integrate: exact"),
        ({"integrate": "euler"}, {}, 30.0,
         "euler is unstable with steps of 30 ms: v decays with a time constant of 0.2 ms and needs at most about 0.4 ms; "
         "choose a smaller dt or integrate: exact"),
        (PULLED | {"integrate": "rk4"}, {}, 0.6,
         "rk4 is unstable with steps of 0.6 ms: v decays with a time constant of 0.2 ms and needs at most about 0.557 ms; "
         "choose a smaller dt, integrate: {rk4: 2} or integrate: exponential_euler"),
    ],
)
def test_a_step_that_is_too_long_for_the_method(
    document: dict[str, Any], values: dict[str, Any], dt: float, message: str
) -> None:
    """Where parameters alone decide that a method is unstable, bind() says so, with the limit and what to do."""
    with pytest.raises(InputError) as caught:
        model_from_document("x", DECAY | document).bind(values, dt)
    assert message == str(caught.value)


def test_an_unstable_step_is_told_when_the_population_is_made() -> None:
    """The message names the population."""
    net = sn.Network(dt="1 ms")
    net.model("fast", DECAY | {"integrate": "euler"})
    with pytest.raises(InputError) as caught:
        net.population("cells", 4, "fast")
    assert str(caught.value) == (
        "populations.cells.params: euler is unstable with steps of 1 ms: v decays with a time constant of 0.2 ms and needs "
        "at most about 0.4 ms; choose a smaller dt, integrate: {euler: 3} or integrate: exact"
    )


def test_an_unknown_built_in_model_gets_the_nearest_name() -> None:
    """A misspelt model name lists what exists."""
    with pytest.raises(InputError) as caught:
        builtin("lif_psc_ex")
    listed = ", ".join(builtin_names())
    assert str(caught.value) == f"unknown model 'lif_psc_ex'; expected one of: {listed} (did you mean lif_psc_exp?)"


@pytest.mark.parametrize("text", ["(" * 500 + "v" + ")" * 500, "v" + "+v" * 3000, "-" * 400 + "v", "1e999*v", "v**v"])
def test_hostile_text_is_refused(text: str) -> None:
    """Deep, long or huge expressions end in a message, not in a crash or a hang."""
    with pytest.raises(InputError):
        model_from_document("x", GOOD | {"spike": f"{text} > v_th"})
