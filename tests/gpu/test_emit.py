"""The update functions that the GPU backend writes give the bits of the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu import cubins
from gpu.cubins import needs_nvrtc
from gpu.gxx import needs_gxx
from gpu.units import Case, Inputs, assert_same, compiled

import snnsim as sn
from snnsim.backends.cupy.emit import emit_function, emit_update, function_name
from snnsim.ir import Builder, Op, Program, Type
from snnsim.ir.ops import EFFECTS, SIGNATURES, TRANSCENDENTAL
from snnsim.lowering import make_plan
from snnsim.models import builtin, builtin_names
from snnsim.plan import Plan, Population
from snnsim.units import CURRENT, DIMENSIONLESS, RATE, TIME, VOLTAGE


PRECISIONS = [pytest.param(np.float32, id="single"), pytest.param(np.float64, id="double")]
N, STEPS = 64, 50

# --- the models ------------------------------------------------------------------------------------------------------

_CURRENT = {CURRENT: "700 pA", VOLTAGE / TIME: "10 mV/ms", RATE: "100 Hz", DIMENSIONLESS: 0.01}
_WEIGHT = {VOLTAGE: "3 mV", CURRENT: "100 pA", CURRENT / VOLTAGE: "4 nS", VOLTAGE / TIME: "3 mV/ms", RATE: "5 Hz",
           DIMENSIONLESS: 1}


def plan_of(name: str, precision: str) -> Plan:
    """A population of one model with every kind of input."""
    net = sn.Network(seed=3, precision=precision)
    model = builtin(name)
    given = {"spike_times": {"times": {0: ["1 ms"]}}, "poisson": {"rate": "100 Hz"}}.get(name, {})
    cells = net.population("cells", N, name, **given)
    for drive, dimension in model.drives.items():
        net.input(f"current_{drive}", type="current", to=cells, amplitude=_CURRENT[dimension], input=drive)
        if dimension == CURRENT:
            net.input(f"noise_{drive}", type="noise", to=cells, mean="500 pA", sd="100 pA", input=drive)
    for port, kind_ in model.ports.items():
        weight = _WEIGHT[kind_.dimension]
        weight = f"-{weight}" if kind_.negative or port == "inh" else weight
        net.input(f"noise_{port}", type="poisson", rate="3 kHz", to=cells, weight=weight, port=port)
        net.project(cells, cells, sn.fixed_indegree(4), weight=weight, delay="1 ms", port=port)
    return make_plan(net)


def cases_of(plan: Plan, random: np.random.Generator) -> list[Case]:
    """The program with numbers and with arrays for parameters, with 32-bit sums where they hold, and with 64-bit ones."""
    population = plan.populations[0]
    needed = any(port.bound >= 1 << 31 for port in population.ports.values())
    wides: list[Any] = [set(population.ports)] if needed or not population.ports else [set(), set(population.ports)]
    per_unit = {name: varied(name, value, random) for name, value in population.params.items()}
    return [Case(population.program, plan.dtype, params, wide) for params in (population.params, per_unit)
            for wide in wides]


def varied(name: str, value: Any, random: np.random.Generator) -> Any:
    """A parameter by unit; the weights of inputs are the same for all."""
    if name.endswith(".weight"):
        return value
    if isinstance(value, int):
        return value + random.integers(0, 3, N)
    return value * random.uniform(0.8, 1.2, N)


def drawn(case: Case, population: Population, states: dict[str, np.ndarray], random: np.random.Generator) -> Inputs:
    """Random inputs of a step, and large arrivals where there is room for their sums."""
    program = case.program
    weights = [abs(value) for name, value in population.params.items() if name.endswith(".weight")]
    most = int(min(20, (1 << (55 if case.wide else 28)) // max([1, *weights])))
    size = 1 << int(random.choice([4, 20, 50 if case.wide else 29]))
    # Where arrivals are counted, counts beyond those that the plan allows would not be numbers of 32 bits; in whole
    # numbers, products of such would not be numbers of 64.
    bounded = case.update.counted or program.whole
    sizes = {name: min(size, port.bound) if bounded else size for name, port in population.ports.items()}
    return Inputs(
        states, {port: random.integers(-sizes[port], sizes[port], N) for port in program.uses(Op.ARRIVAL)},
        {drive: random.normal(0, 500, N).astype(case.dtype) for drive in program.uses(Op.DRIVE)},
        {data: random.integers(0, most + 1, N) for data in program.uses(Op.POISSON)},
        {label: random.integers(0, 1 << 32, N, dtype=np.uint32) for op in (Op.UNIFORM, Op.NORMAL)
         for label in program.uses(op)},
    )


def begun(case: Case, population: Population, random: np.random.Generator) -> dict[str, np.ndarray]:
    """States around their initial values."""
    kinds = {Type.REAL: case.dtype, Type.INT: case.whole}
    return {name: (np.asarray(population.initial[name]) + random.integers(0, 4, N) * random.uniform(0, 5)).astype(kinds[kind])
            for name, kind in case.program.states.items()}


def disturb(case: Case, states: dict[str, np.ndarray], random: np.random.Generator) -> None:
    """NaN, infinity, denormal and large numbers in some units."""
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, np.finfo(case.dtype).smallest_subnormal, 1e30, -1e-30], case.dtype)
    for values in states.values():
        if values.dtype == case.dtype:
            values[random.integers(0, N, odd.size)] = odd


@needs_gxx
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("name", builtin_names())
def test_models(tmp_path: Path, name: str, precision: str) -> None:
    """Every model, with any kind of parameters and sums, from states that no run would reach."""
    plan, random = plan_of(name, precision), np.random.default_rng(5)
    population, cases = plan.populations[0], cases_of(plan, random)
    for case, function in zip(cases, compiled(cases, tmp_path), strict=True):
        states = begun(case, population, random)
        for step in range(STEPS):
            if step == STEPS // 2:
                disturb(case, states, random)
            inputs = drawn(case, population, states, random)
            found = case.run(function, inputs, N)
            assert_same(found, case.expected(inputs, N), f"{case.update.name}, step {step}")
            states = {name: found.states[name].copy() for name in states}


@needs_nvrtc
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("name", builtin_names())
def test_machine_code(name: str, precision: str) -> None:
    """NVRTC takes the text of every model, rounds every operation, and computes nothing in another precision."""
    for case in cases_of(plan_of(name, precision), np.random.default_rng(5))[-1:]:
        cubins.compiled(case.kernel(), 90)
        other = ".f64" if case.dtype == np.float32 else ".f32"
        assert other not in cubins.ptx(case.kernel(), 90)


# --- single operations -----------------------------------------------------------------------------------------------

_WHOLE = [0, 1, -1, 2, 7, -7, 1000, 2**31 - 1, -(2**31), 2**24 + 1]


def numbers(dtype: Any) -> np.ndarray:
    """Real numbers at which arithmetic could go wrong."""
    info = np.finfo(dtype)
    positive = [0.0, 1, 0.5, 1.5, 2.5, 0.1, 3, 7.99, 88.3, 88.4, 87, 709.5, 1e4, 2**24 + 1, info.max, info.tiny,
                info.smallest_subnormal, info.tiny * 0.75, np.inf, 1 + info.eps, 1e-5, np.nan]
    return np.array([*positive, *(-x for x in positive)], dtype)


def operands(op: Op, kinds: tuple[Type, ...], dtype: Any) -> list[np.ndarray]:
    """All combinations of operands for which an operation is defined, a row of units for each argument."""
    sets = {Type.REAL: numbers(dtype), Type.INT: np.array(_WHOLE), Type.BOOL: np.array([False, True])}
    rows = [row.ravel() for row in np.meshgrid(*(sets[kind] for kind in kinds))]
    if op is Op.SCALE2:
        scales = np.arange(*((-126, 128) if dtype == np.float32 else (-1022, 1024)), 9).astype(dtype)
        rows = [row.ravel() for row in np.meshgrid(numbers(dtype), scales)]
    if op in (Op.SHL, Op.SHR):
        rows = [row.ravel() for row in np.meshgrid(_WHOLE, np.arange(32))]
    keep = np.ones(rows[0].size, bool)
    if op in (Op.EXPONENT, Op.MANTISSA):
        keep = (rows[0] >= np.finfo(dtype).tiny) & (rows[0] < np.inf)
    if op is Op.TO_INT and kinds == (Type.REAL,):
        keep = np.abs(rows[0]) < 2**31
    return [row[keep] for row in rows]


def single(op: Op, kinds: tuple[Type, ...], result: Type) -> Program:
    """One operation on states; decisions are read from and stored as whole numbers."""
    b = Builder({**{f"x{k}": Type.REAL if kind is Type.REAL else Type.INT for k, kind in enumerate(kinds)},
                 "y": Type.REAL if result is Type.REAL else Type.INT})
    args = [b(Op.STATE, data=f"x{k}") for k in range(len(kinds))]
    args = [b(Op.LT, b.const(0), a) if kind is Type.BOOL else a for a, kind in zip(args, kinds, strict=True)]
    value = b(op, *args)
    b(Op.STORE, b(Op.TO_INT, value) if result is Type.BOOL else value, data="y")
    return b.build()


# Of real numbers these are for the host alone.
HOST = {Op.TRUNC, Op.SHL, Op.SHR}
FORMS = [(op, kinds, result) for op, forms in SIGNATURES.items() for kinds, result in forms
         if kinds and op not in EFFECTS and not (op in HOST and Type.REAL in kinds)]


def stored(kind: Type, row: np.ndarray) -> np.ndarray:
    return row if kind is Type.REAL else row.astype(np.int32)


@needs_gxx
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_single_operations(tmp_path: Path, dtype: Any) -> None:
    """Every operation of the vocabulary at zeros, infinities, NaN, denormal numbers and the ends of ranges."""
    cases = [Case(single(*form), dtype) for form in FORMS]
    for case, function, (op, kinds, result) in zip(cases, compiled(cases, tmp_path), FORMS, strict=True):
        rows = operands(op, kinds, dtype)
        n = rows[0].size
        states = {f"x{k}": stored(kind, row) for k, (kind, row) in enumerate(zip(kinds, rows, strict=True))}
        inputs = Inputs({**states, "y": np.zeros(n, dtype if result is Type.REAL else np.int32)})
        assert_same(case.run(function, inputs, n), case.expected(inputs, n), f"{op.name} {kinds}")


def test_every_operation_is_covered() -> None:
    """What is not among the single operations are the leaves and effects, which random programs have."""
    assert {op for op, _, _ in FORMS} | set(LEAVES) | EFFECTS == set(Op) - {Op.TRUNC}


@needs_gxx
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_constants(tmp_path: Path, dtype: Any) -> None:
    """A constant in the text is the number in the precision of the run."""
    rng = np.random.default_rng(1)
    values = [*numbers(np.float64).tolist(), *(rng.normal(size=200) * 10.0 ** rng.integers(-44, 38, 200)).tolist()]
    b = Builder({})
    for k, value in enumerate(values):
        b(Op.OUTPUT, b.const(value), data=f"y{k}")
    for k, whole in enumerate(_WHOLE):
        b(Op.OUTPUT, b(Op.TO_REAL, b.const(whole)), data=f"n{k}")
    case = Case(b.build(), dtype)
    (function,) = compiled([case], tmp_path)
    assert_same(case.run(function, Inputs(), 2), case.expected(Inputs(), 2), "constants")


# --- random programs -------------------------------------------------------------------------------------------------

LEAVES = {Op.CONST: None, Op.PARAM: "p", Op.WHOLE: "q", Op.STATE: "x", Op.ARRIVAL: "in", Op.DRIVE: "d",
          Op.POISSON: ("noise", "m"), Op.UNIFORM: "u", Op.NORMAL: "z"}
_MOST = 1 << 30     # what whole numbers stay below, so that they need no more than 32 bits
_SHIFT = 9          # most bits to shift by


class Grown:
    """Grows a program from random choices; knows the type of each value, and how large whole numbers may be."""

    def __init__(self, choices: list[tuple[int, int, int, int]]) -> None:
        self.b = Builder({"x": Type.REAL, "k": Type.INT, "y": Type.REAL})
        self.values: dict[Type, list[int]] = {Type.REAL: [], Type.INT: [], Type.BOOL: []}
        self.bound: dict[int, int] = {}
        self._leaves()
        for number, *args in choices:
            self._grow(*FORMS[number % len(FORMS)], args)
        self._effects()

    def _leaves(self) -> None:
        b = self.b
        reals = [b(Op.PARAM, data="p"), b(Op.PARAM, data="p_each"), b(Op.STATE, data="x"), b(Op.DRIVE, data="d"),
                 b(Op.UNIFORM, data="u"), b(Op.NORMAL, data="z"), b.const(0.1), b.const(1.0), b.const(-3.7)]
        wholes = {b(Op.WHOLE, data="q"): 100, b(Op.WHOLE, data="q_each"): 100, b(Op.STATE, data="k"): 100,
                  b(Op.ARRIVAL, data="in"): 1 << 26, b(Op.POISSON, data=("noise", "m")): 20, b.const(7): 7}
        weighted = b(Op.MUL, b(Op.POISSON, data=("noise", "m")), b(Op.WHOLE, data="q"))
        self.bound = {**wholes, weighted: 2000}
        self.values = {Type.REAL: reals, Type.INT: list(self.bound), Type.BOOL: [b(Op.LT, reals[0], reals[2]), b.const(True)]}

    def _grow(self, op: Op, kinds: tuple[Type, ...], result: Type, choice: list[int]) -> None:
        args = [self.values[kind][-1 - choice[k] % len(self.values[kind])] for k, kind in enumerate(kinds)]
        if result is Type.INT and (bound := self._bound(op, kinds, args)) >= _MOST:
            return
        value = self.b(op, *self._within(op, kinds, args))
        self.values[result].append(value)
        if result is Type.INT:
            self.bound[value] = bound

    def _bound(self, op: Op, kinds: tuple[Type, ...], args: list[int]) -> int:
        if op is Op.TO_INT:
            return 1 << 20
        bounds = [self.bound[a] for a, kind in zip(args, kinds, strict=True) if kind is Type.INT]
        if op in (Op.SHL, Op.SHR):
            return bounds[0] << (_SHIFT if op is Op.SHL else 0)
        return bounds[0] * bounds[1] if op is Op.MUL else sum(bounds)

    def _within(self, op: Op, kinds: tuple[Type, ...], args: list[int]) -> list[int]:
        """The arguments in the range for which the operation is defined."""
        if op in (Op.EXPONENT, Op.MANTISSA):
            return [self._between(1e-30, self.b(Op.ABS, args[0]), 1e30)]
        if op is Op.SCALE2:
            return [args[0], self.b(Op.FLOOR, self._between(-126.0, args[1], 127.0))]
        if op is Op.TO_INT and kinds == (Type.REAL,):
            return [self._between(-1e6, args[0], 1e6)]
        if op in (Op.SHL, Op.SHR):
            return [args[0], self._between(0, args[1], _SHIFT)]
        return args

    def _between(self, low: float, value: int, high: float) -> int:
        return self.b(Op.MIN, self.b(Op.MAX, value, self.b.const(low)), self.b.const(high))

    def _effects(self) -> None:
        """Every value shows: as an output."""
        b, (reals, wholes, bools) = self.b, self.values.values()
        for k, value in enumerate([*reals, *(b(Op.TO_REAL, v) for v in (*wholes, *bools))]):
            b(Op.OUTPUT, value, data=f"y{k}")
        b(Op.STORE, wholes[-1], data="k")
        b(Op.STORE, reals[-1], data="y")
        b(Op.EMIT, wholes[-2] if len(wholes) % 2 else bools[-1], data="spikes")


def random_inputs(dtype: Any, random: np.random.Generator) -> tuple[dict[str, Any], Inputs]:
    """Parameters and inputs of a random program."""
    x = random.choice(numbers(dtype), N)
    x[::2] = random.normal(0, 3, N // 2)
    params = {"p": 1.25, "p_each": random.normal(0, 50, N), "q": 31, "q_each": random.integers(-100, 101, N), "m": 1.0}
    return params, Inputs(
        {"x": x, "k": random.integers(-100, 101, N).astype(np.int32), "y": np.zeros(N, dtype)},
        {"in": random.integers(-(1 << 26), 1 << 26, N)}, {"d": random.normal(0, 1, N).astype(dtype)},
        {("noise", "m"): random.integers(0, 21, N)},
        {label: random.integers(0, 1 << 32, N, dtype=np.uint32) for label in "uz"})


@needs_gxx
@pytest.mark.parametrize("dtype", PRECISIONS)
@given(choices=st.lists(st.tuples(*[st.integers(0, 10**6)] * 4), min_size=30, max_size=120), wide=st.booleans())
@settings(max_examples=40)
def test_random_programs(tmp_path_factory: pytest.TempPathFactory, dtype: Any, choices: Any, wide: bool) -> None:
    """Any program that the vocabulary admits."""
    random = np.random.default_rng(len(choices))
    params, inputs = random_inputs(dtype, random)
    case = Case(Grown(choices).b.build(), dtype, params, {"in"} if wide else ())
    (function,) = compiled([case], tmp_path_factory.mktemp("random"))
    assert_same(case.run(function, inputs, N), case.expected(inputs, N), str(case.program))


# --- the text --------------------------------------------------------------------------------------------------------


def small(emitted: Type | None) -> Program:
    """Adds what arrives to a state."""
    b = Builder({"v": Type.REAL})
    v = b(Op.ADD, b(Op.STATE, data="v"), b(Op.MUL, b(Op.TO_REAL, b(Op.ARRIVAL, data="in")), b(Op.PARAM, data="q")))
    b(Op.STORE, v, data="v")
    if emitted is not None:
        fired = b(Op.LT, b(Op.PARAM, data="v_th"), v)
        b(Op.EMIT, fired if emitted is Type.BOOL else b(Op.TO_INT, fired), data="spikes")
    return b.build()


def test_text() -> None:
    """The whole text of a small function."""
    update = emit_update(small(Type.BOOL), np.float32, {"v_th"}, {"in"})
    body = """(int i, float *state0, long long *arrival1, const float *scalars2, const float *param3)
{
    const float v3 = scalars2[0];
    const float v0 = state0[i];
    const long long v1 = arrival1[i];
    const float v2 = (float)v1;
    const float v4 = v2 * v3;
    const float v5 = v0 + v4;
    const float v7 = param3[i];
    const bool v8 = v7 < v5;
    arrival1[i] = 0;
    state0[i] = v5;
    return v8 ? 1 : 0;
}
"""
    assert update.source == f"static __device__ __forceinline__ int {update.name}{body}"
    assert update.arguments == (("state", "v"), ("arrival", "in"), ("scalars", ""), ("param", "v_th"))
    assert update.scalars == ("q",) and update.wholes == () and update.functions == ()


@pytest.mark.parametrize(("emitted", "counted"), [(None, None), (Type.BOOL, False), (Type.INT, True)])
def test_counted(emitted: Type | None, counted: bool | None) -> None:
    """Whether the function returns marks or counts."""
    assert emit_update(small(emitted), np.float64, (), ()).counted is counted


def test_equal_programs_share_a_function() -> None:
    """The name comes from the text, so it is another one for another precision."""
    names = [emit_update(small(Type.BOOL), dtype, (), ()).name for dtype in (np.float32, np.float32, np.float64)]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("op", sorted(TRANSCENDENTAL, key=lambda op: op.name), ids=lambda op: op.name)
def test_functions_of_both_precisions_can_be_in_one_program(op: Op) -> None:
    """Their names differ, and single precision has no constant of another."""
    single_text, double_text = emit_function(op, np.float32), emit_function(op, np.float64)
    assert f" {function_name(op, np.float32)}(float x)" in single_text and "double" not in single_text
    assert f" {function_name(op, np.float64)}(double x)" in double_text and "float" not in double_text
    assert function_name(op, np.float32) != function_name(op, np.float64)
