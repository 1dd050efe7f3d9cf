"""Models in whole numbers: shifts and rounding of the language, weights with bits and exponents, ports of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import snnsim as sn
from snnsim.distributions import Constant
from snnsim.equations import model_from_document
from snnsim.fixed_weights import FixedWeights
from snnsim.ir.interpret import Environment, interpret
from snnsim.ir.ops import Type
from snnsim.lowering import make_plan
from snnsim.models import builtin, builtin_names
from snnsim.units import DIMENSIONLESS

WHOLE = st.integers(-(1 << 40), 1 << 40)


def computed(expression: str, x: int, **params: float) -> int:
    """What a model in whole numbers makes of state x."""
    parameters = {name: {"default": value} for name, value in params.items()}
    model = model_from_document("m", {"fixed_point": "lava010", "parameters": parameters,
                                      "dynamics": f"x[n+1] = {expression} : 1"})
    env = Environment(np.float64, model.bind({}, 1.0), {"x": np.array([x])})
    stored = interpret(model.program(), env).stored["x"]
    assert np.asarray(stored).dtype == np.int64
    return int(np.broadcast_to(stored, 1)[0])


@given(WHOLE, st.integers(0, 20))
def test_shrink_rounds_toward_zero(x: int, k: int) -> None:
    """As sign(x) (|x| >> k)."""
    assert computed(f"shrink(x[n], {k})", x) == (abs(x) >> k) * (1 if x >= 0 else -1)


@given(WHOLE, st.integers(1, 40))
def test_wrap_keeps_the_lowest_bits(x: int, k: int) -> None:
    """The number that they stand for in two's complement."""
    assert computed(f"wrap(x[n], {k})", x) == (x + (1 << (k - 1))) % (1 << k) - (1 << (k - 1))


@given(WHOLE, st.integers(0, 12))
def test_shifts_are_those_of_python(x: int, k: int) -> None:
    """To the right they round down."""
    assert computed("x[n] >> k", x, k=k) == x >> k
    assert computed("x[n] << k", x, k=k) == x << k


@given(st.integers(-(1 << 24), 1 << 24), st.floats(0, 5000))
def test_trunc_is_a_real_product_toward_zero(x: int, c: float) -> None:
    """In double precision, as int() of it."""
    assert computed("trunc(x[n]*c)", x, c=c) == int(x * c)


@given(st.integers(-4, 4), st.floats(-100, 100))
def test_parameters_alone_may_be_compared_and_cut(kind: int, c: float) -> None:
    """The host computes what depends on nothing else."""
    assert computed("x[n] + trunc(c*64) if kind > 0 else x[n]", 5, kind=kind, c=c) == 5 + (int(c * 64) if kind > 0 else 0)


def test_all_that_a_model_in_whole_numbers_keeps_is_whole() -> None:
    """States are whole numbers, and so is what the host binds."""
    for name in builtin_names():
        if (model := builtin(name)).whole:
            assert {s.kind for s in model.states.values()} <= {Type.INT}
            assert model.program().whole


@pytest.mark.parametrize(("mode", "semantics", "bits", "kept"), [
    ("mixed", "lava010", 8, {-255: -256, -3: -4, -1: -2, 1: 0, 3: 2, 255: 254}),
    ("mixed", "loihi1", 8, {-255: -254, -3: -2, -1: 0, 1: 0, 3: 2, 255: 254}),
    ("excitatory", "lava010", 8, {0: 0, 1: 1, 255: 255}),
    ("inhibitory", "lava010", 8, {0: 0, -1: -1, -255: -255}),
    ("excitatory", "lava010", 6, {3: 0, 7: 4, 255: 252}),
    ("inhibitory", "lava010", 6, {-3: 0, -7: -4, -255: -252}),
    ("mixed", "lava010", 6, {-9: -16, -7: -8, 7: 0, 9: 8}),
])
def test_mantissas_lose_their_lowest_bits(mode: str, semantics: str, bits: int, kept: dict[int, int]) -> None:
    """As Lava's truncate_weights does it; on Loihi 1 mixed weights go toward zero."""
    fixed = FixedWeights(semantics, mode, num_weight_bits=bits)
    assert {w: int(fixed.kept(np.array(w))) for w in kept} == kept


@given(st.integers(0, 255), st.integers(-8, 7))
def test_exponents_shift(w: int, exponent: int) -> None:
    """To the right each weight for itself on Loihi 1; Lava shifts the sum instead."""
    lava, loihi1 = (FixedWeights(s, "excitatory", weight_exp=exponent) for s in ("lava010", "loihi1"))
    assert lava.whole(w) == (w << exponent if exponent > 0 else w)
    assert loihi1.whole(w) == min(w << exponent if exponent > 0 else w >> -exponent, (1 << 15) - 1)
    assert lava.largest(Constant(DIMENSIONLESS, float(w))) == lava.whole(w)


def two(weight: Any = 1, **settings: Any) -> sn.Network:
    """Sources that spike in step 1, onto one receiver that only adds up."""
    net = sn.Network(dt="1 ms")
    net.model("adder", {"fixed_point": "lava010", "receive": {"in": "a = w : 1"}, "dynamics": "x[n+1] = x[n] + a : 1"})
    net.population("from", 3, "spike_times", times={k: ["1 ms"] for k in range(3)})
    net.population("to", 1, "adder")
    net.project("from", "to", sn.all_to_all(), weight=weight, **settings)
    return net


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_negative_exponent_shifts_the_sum(backend: str) -> None:
    """3 + 3 + 3 shifted right by 1 is 4; each for itself would make 3. A port of its own collects them."""
    net = two(3, weight_exp=-1)
    assert list(make_plan(net).populations[1].ports) == ["in of from->to"]
    program = sn.compile(net, backend=backend)
    program.run("5 ms")
    assert program["to"]["x"].tolist() == [4]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_sums_of_64_bits(backend: str) -> None:
    """A state beyond 32 bits stays exact, and is recorded exactly."""
    net = two(255, weight_exp=7)
    net.model("big", {"fixed_point": "lava010", "receive": {"in": "a = w : 1"},
                      "dynamics": "x[n+1] = x[n]*8 + a : 1"})
    net.population("far", 1, "big")
    net.project("from", "far", sn.all_to_all(), weight=255, weight_exp=7)
    net.record(traces={"far": {"variables": "x"}})
    result = sn.run(net, "12 ms", backend=backend)
    expected = [0] + [3 * 255 * 128 * 8**k for k in range(11)]
    assert result.trace("far", "x")[:, 0].tolist() == expected


def test_settings_of_weights_survive_yaml() -> None:
    """What was given is written back, and nothing else."""
    net = two({"discrete": {"values": [-3, 2]}}, weight_exp=2, sign_mode="mixed", num_weight_bits=7)
    text = net.to_yaml()
    assert sn.loads(text) == net
    assert "num_message_bits" not in text and "weight_exp: 2" in text
