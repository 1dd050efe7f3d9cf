"""How equations are read, simplified, integrated and turned into instructions."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from snnsim.equations import Model, Parameter, Port, model_from_document
from snnsim.equations.expr import ONE, ZERO, const, make, param, postorder, state, substitute
from snnsim.equations.linear import NotLinearError, in_one, in_states, scale
from snnsim.equations.propagators import System
from snnsim.equations.quantities import dimension_of, quantity
from snnsim.equations.scope import Scope
from snnsim.equations.text import text
from snnsim.equations.typed import Typed
from snnsim.ir import Op, Program
from snnsim.ir.interpret import Effects, Environment, interpret
from snnsim.models import builtin
from snnsim.units import CURRENT, DIMENSIONLESS, RATE, TIME, VOLTAGE, Dimension

V, P, Q = state("v"), param("p"), param("q")


def scope() -> Scope:
    names = Scope()
    for name, expr, dimension in (("v", V, VOLTAGE), ("p", P, DIMENSIONLESS), ("q", Q, DIMENSIONLESS),
                                  ("x", state("x"), DIMENSIONLESS), ("tau", param("tau"), TIME)):
        names.claim(name, "known", Typed(expr, dimension))
    return names


def step(model: Model, values: dict[str, Any] | None = None, states: dict[str, Any] | None = None, **env: Any) -> Effects:
    """One step in double precision with dt = 0.1 ms."""
    params = model.bind(values or {}, 0.1) | {f"quantum.{port}": 1.0 for port in model.ports}
    arrivals = {port: np.int64(env.get(port, 0)) for port in model.ports}
    drives = {name: env.get(name, 0.0) for name in model.drives}
    old = model.initial(values or {}, 0.1) | (states or {})
    return interpret(model.program(), Environment(np.float64, params, old, arrivals, drives, env.get("random")))


def count(program: Program, *ops: Op) -> int:
    return sum(instr.op in ops for instr in program.instrs)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x + 0", "x"), ("x*1", "x"), ("x*0", "0"), ("--x", "x"), ("x/4", "x*0.25"), ("x/p", "x*(1/p)"),
        ("p*x", "x*p"), ("x*p*q", "x*(p*q)"), ("x + p + q", "x + (p + q)"), ("p - (x + q)", "p - q - x"),
        ("-(x - p)/q", "(p - x)*(1/q)"), ("-x + p", "p - x"), ("x - -p*x", "x - x*-p"), ("2*3 + x", "x + 6"),
        ("x**3", "x*(x*x)"), ("x**4", "x*x*(x*x)"), ("x**-1", "1/x"), ("min(x, p, 2)", "min(min(x, p), 2)"),
        ("clip(x, 0, 1)", "min(max(x, 0), 1)"), ("sigmoid(x)", "1/(exp(-x) + 1)"), ("x**p", "exp(log(x)*p)"),
        ("x if x > p else 0", "(x if p < x else 0)"), ("v >= 3 mV", "3 <= v"), ("0.5*mV + v", "v + 0.5"),
        ("not x > p or x != q", "not(p < x) or not(x == q)"), ("0 < x <= 1", "0 < x and x <= 1"),
    ],
)
def test_expressions_are_simplified_without_changing_their_order(source: str, expected: str) -> None:
    """Signs, zeros, ones and constants go away; what depends on parameters alone is gathered."""
    assert expected == text(scope().parse(source).expr)


def test_equal_expressions_are_one_object() -> None:
    """Interning makes sharing visible without comparing trees."""
    assert make(Op.ADD, V, P) is make(Op.ADD, V, P)
    assert const(1.0) is ONE
    assert const(1) is not ONE


def test_shared_parts_do_not_multiply() -> None:
    """A tower of squares stays as small as its description, also as text."""
    value = make(Op.ADD, param("p"), ONE)
    for _ in range(60):
        value = make(Op.MUL, value, value)
    assert len(postorder([value])) == 63
    assert text(value).startswith("expression ")
    assert text(value) != text(value.args[0])


def test_substitution_simplifies_again() -> None:
    """A replaced state may make an expression hoistable."""
    expr = make(Op.MUL, make(Op.SUB, V, P), Q)
    assert substitute(expr, {V: P}) is ZERO
    assert substitute(expr, {V: Q}).hoistable


@pytest.mark.parametrize(
    ("source", "dimension"),
    [("v/tau", VOLTAGE / TIME), ("v*v", VOLTAGE**2), ("sqrt(v*v)", VOLTAGE), ("1/ms", RATE), ("v**-2", VOLTAGE**-2),
     ("abs(v)", VOLTAGE), ("exp(v/mV)", DIMENSIONLESS), ("dt", TIME), ("v > 1*mV", DIMENSIONLESS)],
)
def test_dimensions_follow_the_operations(source: str, dimension: Dimension) -> None:
    """Each operation has a rule for the dimension of its result."""
    assert dimension == scope().parse(source).dimension


def test_a_name_of_the_model_hides_a_unit() -> None:
    """``m`` is a metre until a gate is called m."""
    names = scope()
    assert names.parse("m").dimension != DIMENSIONLESS
    names.claim("m", "a state", Typed(state("m"), DIMENSIONLESS))
    assert names.parse("m").expr is state("m")


@pytest.mark.parametrize(
    ("source", "value", "dimension"),
    [("20 ms", 20.0, TIME), ("0.3 s", 300.0, TIME), ("0.02/ms", 0.02, RATE), ("8 mV/ms", 8.0, VOLTAGE / TIME),
     (3, 3.0, DIMENSIONLESS), ("1e-3 V", 1.0, VOLTAGE), ("-70 mV", -70.0, VOLTAGE)],
)
def test_quantities_of_documents(source: Any, value: float, dimension: Dimension) -> None:
    """Quantities may be written with a unit or as a quotient."""
    assert (value, dimension) == tuple(quantity(source))


def test_units_of_documents() -> None:
    """Products and quotients of units are units."""
    assert dimension_of("pA/ms") == CURRENT / TIME
    assert dimension_of("1") == dimension_of(1) == DIMENSIONLESS


def test_linear_parts_are_found_by_structure() -> None:
    """Coefficients of states, and the constant, come out of a linear right-hand side."""
    terms = in_states(scope().parse("-(x - p)*q + 2*x").expr)
    assert {None if atom is None else text(atom): text(factor) for atom, factor in terms.items()} == {
        "x": "2 - q", None: "p*q"}
    with pytest.raises(NotLinearError):
        in_states(scope().parse("x*x").expr)


def test_conditionally_linear_parts() -> None:
    """a + b x with b of anything but x."""
    a, b = in_one(scope().parse("(1 - x)*exp(v/mV) - x*p").expr, state("x"))
    assert (text(a), text(b)) == ("exp(v)", "-p - exp(v)")
    assert scale(make(Op.MUL, V, P)) == (V, P)
    assert scale(V) == (V, ONE)


def test_the_pattern_of_a_system() -> None:
    """What reaches a variable, what lies between two, and what acts on itself."""
    places = [("v", "v"), ("v", "i"), ("i", "y"), ("i", "i"), ("v", "1")]
    system = System(tuple((place, ONE) for place in places))
    assert set(system.reach()["v"]) == {"v", "i", "y", "1"}
    assert system.between("v", "i") == {"v", "i"}
    assert system.moves("i")
    assert not system.moves("y")
    assert {place for place, _ in system.without(["v"]).entries} == {("i", "y"), ("i", "i")}


def test_the_public_face_of_a_model() -> None:
    """Names, dimensions and defaults are read off the document."""
    model = builtin("lif_psc_exp")
    assert model.parameters["tau_m"] == Parameter(10.0, TIME, "membrane time constant", "positive")
    assert list(model.states) == ["v", "i_exc", "i_inh", "refractory"]
    assert model.ports == {"exc": Port(CURRENT), "inh": Port(CURRENT)}
    assert (model.drives, model.outputs) == ({"i_inj": CURRENT}, {})
    assert (model.integrate, model.spiking, repr(model)) == ("exact", True, "Model('lif_psc_exp')")
    assert model_from_document("again", model.document).program() == model.program()


def test_conductance_ports_take_negative_weights_for_inhibition() -> None:
    """`-=` says that weights of the port are negative on the wire."""
    ports = builtin("lif_cond_exp").ports
    assert (ports["exc"].negative, ports["inh"].negative) == (False, True)


def test_an_absent_input_costs_nothing() -> None:
    """A program for the connected inputs alone has none of the others' instructions."""
    model = builtin("lif_psc_exp")
    assert model.program([]).uses(Op.DRIVE) == []
    assert len(model.program().instrs) - len(model.program([]).instrs) == 4
    assert "P[v,i_inj]" not in model.bind({}, 0.1, [])


def test_the_hot_loops_hold_no_needless_work() -> None:
    """Operations of the most used programs: a rise is a loss of speed."""
    arithmetic = (Op.ADD, Op.SUB, Op.MUL, Op.DIV, Op.NEG, Op.MIN, Op.MAX, Op.SELECT, Op.TO_REAL)
    assert count(builtin("lif_psc_delta").program([]), *arithmetic) == 10
    assert count(builtin("lif_psc_exp").program([]), *arithmetic) == 19
    traub = builtin("hh_cond_exp_traub").program([])
    assert count(traub, Op.EXP, Op.EXPREL) == 10
    assert count(traub, Op.DIV) == 4
    assert count(traub, *arithmetic) <= 80


def test_maps_are_sequential_and_see_old_values_otherwise() -> None:
    """`x` and `x[n]` are old, `x[n+1]` is new on later lines."""
    model = model_from_document("map", {"dynamics": "x[n+1] = 2*x + 1 : 1\ny[n+1] = x + 10*x[n+1] + y[n] : 1"})
    stored = step(model, states={"x": 1.0, "y": 5.0}).stored
    assert (stored["x"], stored["y"]) == (3.0, 36.0)
    assert not model.spiking


def test_a_transient_is_what_arrives_in_this_step() -> None:
    """`name = w` is usable in dynamics and spike rule, and gone in the next step."""
    document = {"dynamics": "x[n+1] = x + 2*a : 1", "receive": {"in": "a = 3*w : 1"}, "spike": "a > 4"}
    model = model_from_document("t", document)
    done = step(model, **{"in": 2})
    assert (done.stored["x"], bool(done.emitted["spikes"])) == (12.0, True)
    assert not step(model, **{"in": 1}).emitted["spikes"]


def test_reset_is_simultaneous_and_sees_arrivals() -> None:
    """All right-hand sides of a reset see the values that the spike test saw."""
    document = {"dynamics": "x[n+1] = x : 1\ny[n+1] = y : 1", "receive": {"in": "x += w"}, "spike": "x > 5",
                "reset": {"x": "y", "y": "x"}}
    stored = step(model_from_document("swap", document), states={"x": 1.0, "y": 2.0}, **{"in": 6}).stored
    assert (stored["x"], stored["y"]) == (2.0, 7.0)


@pytest.mark.parametrize("before", ["previous(x)", "x[n]", "old"])
def test_previous_is_the_value_before_the_step(before: str) -> None:
    """An upward crossing is one spike; a sub-expression of such a value stands for the same everywhere."""
    document = {"dynamics": "old = x[n] : 1\nx[n+1] = old + 1 : 1", "spike": f"x > 2 and {before} <= 2"}
    model = model_from_document("up", document)
    assert [bool(step(model, states={"x": x}).emitted["spikes"]) for x in (0.0, 1.5, 2.5)] == [False, True, False]


def test_rules_may_read_a_sub_expression_of_the_new_value_of_a_map() -> None:
    """`x[n+1]` is what `x` is after the step, in spike, reset and outputs, too."""
    document = {"dynamics": "x[n+1] = x + 1 : 1\nmiddle = x[n+1] - 0.5 : 1", "spike": "middle > 2",
                "reset": {"x": "middle"}, "outputs": {"out": "middle"}}
    done = step(model_from_document("middle", document), states={"x": 2.0})
    assert (bool(done.emitted["spikes"]), done.stored["x"], done.outputs["out"]) == (True, 2.5, 2.5)


def test_a_mute_neuron_evolves_without_spiking() -> None:
    """`mute: true` leaves the states alone."""
    document = {"dynamics": "x[n+1] = x + 1 : 1", "spike": "x > 0", "refractory": {"for": "0.3 ms", "mute": True}}
    done = step(model_from_document("mute", document), states={"refractory": 2})
    assert (done.stored["x"], done.stored["refractory"], bool(done.emitted["spikes"])) == (1.0, 1, False)


def test_a_frozen_neuron_keeps_everything() -> None:
    """`freeze: all` holds every state and drops arrivals."""
    document = {"dynamics": "x[n+1] = x + 1 : 1\ny[n+1] = x : 1", "receive": {"in": "y += w"}, "spike": "x > 0",
                "refractory": {"for": "0.3 ms", "freeze": "all"}}
    stored = step(model_from_document("ice", document), states={"x": 4.0, "refractory": 1}, **{"in": 3}).stored
    assert (stored["x"], stored["y"], stored["refractory"]) == (4.0, 0.0, 0)


def test_outputs_see_what_the_spike_test_sees() -> None:
    """Graded outputs are computed before the reset."""
    document = {"dynamics": "x[n+1] = x + 1 : 1", "spike": "x > 1", "reset": {"x": "0"}, "outputs": {"out": "2*x"}}
    done = step(model_from_document("out", document), states={"x": 3.0})
    assert (done.outputs["out"], done.stored["x"]) == (8.0, 0.0)


def test_noise_is_drawn_once_per_occurrence() -> None:
    """Draws are labelled in the order of the text; an alias is one draw wherever it is used."""
    document = {"dynamics": "a = normal() : 1\nx[n+1] = a + a + uniform() + normal() : 1"}
    program = model_from_document("noise", document).program()
    assert program.uses(Op.NORMAL) == ["normal.1", "normal.2"]
    assert program.uses(Op.UNIFORM) == ["uniform.1"]


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("exponential_euler", 1), ("rk4", 4)])
def test_the_order_of_a_method(method: str, order: int) -> None:
    """Halving the step of x' = -x^2 + y, y' = -y, divides the error by 2^order."""
    document = {"parameters": {"tau": "1 ms"}, "dynamics": "dx/dt = (y - x*x)/tau : 1\ndy/dt = -y*(1 + x*x)/tau : 1",
                "initial": {"x": 2, "y": 1}, "integrate": method}
    coarse, fine, best = (_after(model_from_document("o", document), dt) for dt in (0.05, 0.025, 0.05 / 16))
    ratio = abs(coarse - best) / abs(fine - best)
    assert ratio == pytest.approx(2.0**order, rel=0.25)


def _after(model: Model, dt: float) -> float:
    """x after 0.8 ms."""
    states, params = model.initial({}, dt), model.bind({}, dt)
    for _ in range(round(0.8 / dt)):
        states = interpret(model.program(), Environment(np.float64, params, states)).stored
    return float(states["x"])


def test_substeps_are_the_same_as_smaller_steps() -> None:
    """`{rk4: 4}` with dt equals four steps of dt/4."""
    document = {"dynamics": "dx/dt = -x*x/ms : 1", "initial": {"x": 2}}
    four = model_from_document("four", document | {"integrate": {"rk4": 4}})
    one = model_from_document("one", document | {"integrate": "rk4"})
    states = one.initial({}, 0.025)
    for _ in range(4):
        states = interpret(one.program(), Environment(np.float64, one.bind({}, 0.025), states)).stored
    assert float(step(four).stored["x"]) == pytest.approx(float(states["x"]), rel=1e-15)


def test_exponential_euler_is_exact_for_a_linear_equation_and_safe_at_zero() -> None:
    """With b = 0 the step is Euler's."""
    document = {"dynamics": "dx/dt = (1 - k*x)/ms : 1\nk[n+1] = k : 1", "integrate": "exponential_euler"}
    model = model_from_document("exp", document)
    assert float(step(model, states={"x": 0.5, "k": 0.0}).stored["x"]) == pytest.approx(0.6)
    assert float(step(model, states={"x": 0.5, "k": 2.0}).stored["x"]) == 0.5


def test_initial_values_may_use_each_other() -> None:
    """A state in an initial value stands for its initial value."""
    model = model_from_document("init", {"parameters": {"p": 3}, "dynamics": "x[n+1] = x : 1\ny[n+1] = y : 1",
                                         "initial": {"y": "2*x", "x": "p + 1"}})
    assert model.initial({}, 0.1) == {"x": 4.0, "y": 8.0}
    per_unit = model.initial({"p": np.array([1.0, 2.0])}, 0.1)["y"]
    assert np.asarray(per_unit).tolist() == [4.0, 6.0]


def test_long_lines_may_be_broken_inside_brackets() -> None:
    """An open bracket joins the next line on; comments go."""
    model = model_from_document("x", {"dynamics": "x[n+1] = (x  # old\n  + 1) : 1\n\n# nothing\n"})
    assert float(step(model).stored["x"]) == 1.0


def test_built_in_models_load_without_heavy_libraries() -> None:
    """Neither sympy nor pint is imported for built-in models."""
    code = ("import sys; from snnsim.models import builtin, builtin_names; "
            "[builtin(n).bind({}, 0.1) for n in builtin_names()]; print({'sympy', 'pint', 'scipy'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


RELATIVE = {
    "parameters": {"tau": "10 ms", "v_rest": "-65 mV", "v_th": "-50 mV", "e": "0 mV"},
    "dynamics": """
      u = min(v, v_th) : mV
      dv/dt = ((v_rest - u) + g*(e - u) - (x - v if x > v else 0*mV))/tau : mV
      x[n+1] = v + 0.5*(x - previous(v)) : mV
      y[n+1] = x[n+1] - v if y > x[n+1] else v_th - v_rest : mV
      g[n+1] = g*0.5 : 1
    """,
    "receive": {"in": ["v += w", "g += w/mV*(v - v_rest)/v_th"]},
    "spike": "v >= v_th or previous(v) > v + 3*mV or exp(v/v_th) < 0.5",
    "reset": {"v": "v_rest + 1*mV", "x": "max(v, x)", "y": "-v"},
    "outputs": {"distance": "v_th - v"},
    "initial": {"v": "v_rest", "x": "v_rest + 1*mV", "y": "v_rest"},
    "integrate": "rk4",
}


def test_relative_states_change_the_numbers_held_but_no_value() -> None:
    """With `relative`, a program holds differences; values, spikes and outputs are those without it."""
    plain = model_from_document("plain", RELATIVE)
    model = model_from_document("relative", RELATIVE | {"relative": {"v": "v_rest", "x": "v_rest - 1*mV"}})
    values = {"v_rest": np.array([-65.0, -60.0, -49.0])}
    offsets = model.offsets(values, 0.1)
    assert {name: np.asarray(offset).tolist() for name, offset in offsets.items()} == {
        "v": [-65.0, -60.0, -49.0], "x": [-66.0, -61.0, -50.0]}
    old = {"v": np.array([-51.0, -60.0, -49.5]), "x": np.array([-50.0, -70.0, -49.0]), "g": np.array([1.0, 0.0, 2.0])}
    for arrivals in (0, 1, 4):
        expected = step(plain, values, old, **{"in": arrivals})
        held = model.initial(values, 0.1) | old
        found = step(model, values, {name: held[name] - offsets.get(name, 0) for name in held}, **{"in": arrivals})
        for name, value in expected.stored.items():
            assert np.asarray(found.stored[name] + offsets.get(name, 0)) == pytest.approx(value, abs=1e-12)
        assert np.array_equal(expected.emitted["spikes"], found.emitted["spikes"])
        assert found.outputs["distance"] == pytest.approx(expected.outputs["distance"], abs=1e-12)


@pytest.mark.parametrize(("name", "expected"), [("lif_psc_delta", 13), ("lif_psc_exp", 21), ("lif_cond_exp", 65)])
def test_a_relative_state_costs_nothing(name: str, expected: int) -> None:
    """Differences of parameters are numbers of the host; no operation is spent on going back to absolute values."""
    model = builtin(name)
    leaves = (Op.STATE, Op.PARAM, Op.CONST, Op.WHOLE, Op.ARRIVAL, Op.TO_REAL, Op.STORE, Op.EMIT)
    document = {key: value for key, value in model.document.items() if key != "relative"}
    relative, plain = (len(m.program(()).instrs) - count(m.program(()), *leaves)
                       for m in (model, model_from_document(name, document)))
    assert relative == expected
    assert relative <= plain


def test_a_threshold_may_be_infinite() -> None:
    """An infinite threshold is never met; a sum of parameters may be infinite where one of them is."""
    model = builtin("lif_psc_delta")
    assert model.bind({"v_th": np.inf}, 0.1)["v_th - v_rest"] == np.inf
    assert not step(model, {"v_th": np.inf}, {"v": 1e9}).emitted["spikes"]
