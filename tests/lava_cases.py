"""Fixed-point networks whose states and spikes tools/make_lava_answers.py and tools/make_loihi1_answers.py compute with
Lava and with brian2-loihi, and the tests with snnsim.

Everything is drawn by splitmix64, so that both sides make the same numbers from the name of a case; needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from snnsim.deploy.graph import Connection, Graph, Group

STEPS = 1000
BIG = 1 << 25   # what makes 32 bits wrap around once it is shifted by 6


@dataclass(frozen=True)
class Train:
    """`weight` added to `port` of `unit` of group number `group` in `step` (from 1); step, unit: int64 [arrivals]."""

    group: int
    port: str
    weight: int
    step: np.ndarray
    unit: np.ndarray


@dataclass(frozen=True)
class Case:
    """dense: Lava's Dense in place of Sparse. auto: Lava chooses the sign mode itself."""

    graph: Graph
    trains: tuple[Train, ...]
    dense: bool = False
    auto: bool = False
    steps: int = STEPS


class Draws:
    """Random numbers that are the same everywhere."""

    def __init__(self, name: str) -> None:
        self.state = np.uint64(crc32(name.encode()))

    def words(self, n: int) -> np.ndarray:
        """uint64 [n]."""
        with np.errstate(over="ignore"):
            x = self.state + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            self.state = x[-1] if n else self.state
            x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))

    def real(self, low: float, high: float, n: int) -> np.ndarray:
        """float64 [n] within [low, high)."""
        return low + (high - low) * ((self.words(n) >> np.uint64(11)).astype(np.float64) * 2.0**-53)

    def whole(self, low: int, high: int, n: int) -> np.ndarray:
        """int64 [n] from low to high."""
        return np.floor(self.real(low, high + 1, n)).astype(np.int64)

    def chosen(self, p: float, n: int) -> np.ndarray:
        """Numbers below n, each with probability p."""
        return np.flatnonzero(self.real(0, 1, n) < p)


def lif(draws: Draws, n: int, vth: int = 400) -> dict[str, Any]:
    """Parameters of a loihi_lif that differ from unit to unit."""
    return {"du": draws.whole(0, 4095, n), "dv": draws.whole(0, 600, n), "vth": draws.whole(vth // 4, vth, n),
            "bias_mant": draws.whole(-40, 60, n), "bias_exp": draws.whole(0, 6, n)}


def ternary(draws: Draws, n: int, vth: int = 400) -> dict[str, Any]:
    """Parameters of a loihi_ternary_lif; its thresholds are shared."""
    own = {key: value for key, value in lif(draws, n).items() if key != "vth"}
    return own | {"vth_hi": vth, "vth_lo": -vth // 2}


def atrlif(draws: Draws, n: int) -> dict[str, Any]:
    """Parameters of a loihi_atrlif; the step of the threshold is shared."""
    fractions = {key: draws.real(0, 0.5, n) for key in ("delta_v", "delta_theta", "delta_r")}
    return {**fractions, "delta_i": draws.real(0, 1, n), "theta_0": draws.real(5, 50, n), "theta_step": 3.75,
            "bias_mant": draws.whole(-40, 60, n), "bias_exp": draws.whole(0, 3, n)}


def trains(draws: Draws, group: int, n: int, weights: Sequence[int], p: float, port: str = "in") -> list[Train]:
    """Each of `weights` arrives at each unit in a share p of the steps."""
    found = []
    for weight in weights:
        step, unit = np.divmod(draws.chosen(p, STEPS * n), n)
        found.append(Train(group, port, weight, step + 1, unit))
    return found


def alone(
    name: str, model: str, params: Mapping[str, Any], weights: Sequence[int], p: float = 0.1, n: int = 24,
    ports: tuple[str, ...] = ("in",), initial: Mapping[str, int] | None = None,
) -> Case:
    """Units of one model that only their own arrivals reach."""
    draws = Draws(name)
    given = {key: value(draws, n) if callable(value) else value for key, value in params.items()}
    group = Group("cells", n, model, given, initial or {}, ports)
    fed = [train for port in ports for train in trains(draws, 0, n, weights, p, port)]
    return Case(Graph(name, 1.0, "lava010", (group,), ()), tuple(fed))


RANGE = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}


def synapses(
    draws: Draws, label: str, ends: tuple[int, int], sizes: tuple[int, int], p: float, delays: tuple[int, int] = (1, 1),
    port: str = "in", limit: int = 256, most: int = 255, **settings: Any,
) -> Connection:
    """Random synapses of a connection; `limit`: of the size of its mantissas, `most`: of their value."""
    mode = settings.setdefault("sign_mode", "mixed")
    pre, post = np.divmod(draws.chosen(p, sizes[0] * sizes[1]), sizes[1])
    low, high = (max(-limit, min(limit, most, end)) for end in RANGE[mode])
    weight, delay = draws.whole(low, high, pre.size), draws.whole(*delays, pre.size)
    pre, post, weight, delay = (column.astype(np.int32) for column in (pre, post, weight, delay))
    return Connection(label, *ends, port, pre, post, weight, delay, **settings)


def recurrent(
    name: str, params: Any = lif, model: str = "loihi_lif", dense: bool = False, auto: bool = False, p: float = 0.3,
    weights: Sequence[int] = (60, 200, -30), vth: int = 400, back: Mapping[str, Any] | None = None, **settings: Any,
) -> Case:
    """Two groups that reach each other and the first itself; `back`: settings of what leads back, if they differ."""
    draws, sizes = Draws(name), (30, 20)
    made = [params(draws, n, vth) if params in (lif, ternary) else params(draws, n) for n in sizes]
    groups = tuple(Group(key, n, model, values, {}, ("in",)) for key, n, values in zip("ab", sizes, made, strict=True))
    pairs = [synapses(draws, f"{'ab'[s]}_{'ab'[t]}", (s, t), (sizes[s], sizes[t]), p, **(back or settings if s else settings))
             for s, t in ((0, 0), (0, 1), (1, 0))]
    fed = [train for k, n in enumerate(sizes) for train in trains(draws, k, n, weights, 0.02)]
    return Case(Graph(name, 1.0, "lava010", groups, tuple(pairs)), tuple(fed), dense, auto)


def chain(
    name: str, groups: Sequence[tuple[str, Mapping[str, Any]]], links: Sequence[Mapping[str, Any]],
    weights: Sequence[int], n: int = 16, p: float = 0.3, dense: bool = False,
) -> Case:
    """Groups in a row, each of n units; `links`: the settings of what leads from one to the next."""
    draws = Draws(name)
    made = tuple(Group(f"g{k}", n, model, params, {}, ("in",)) for k, (model, params) in enumerate(groups))
    pairs = tuple(synapses(draws, f"link{k}", (k, k + 1), (n, n), 0.3, **link) for k, link in enumerate(links))
    return Case(Graph(name, 1.0, "lava010", made, pairs), tuple(trains(draws, 0, n, weights, p)), dense)


def two_ports(name: str, model: str, params: Mapping[str, Any], ports: tuple[str, str], **settings: Any) -> Case:
    """A group of each of two ports sends to it: spikes of a loihi_lif, or, where messages have bits, what arrives."""
    draws, n = Draws(name), 16
    graded = settings.get("num_message_bits", 0) > 0
    sources = [Group(f"s{k}", n, "loihi_graded", {"vth": 3}, {}, ("in",)) if graded
               else Group(f"s{k}", n, "loihi_lif", lif(draws, n), {}, ("in",)) for k in range(2)]
    target = Group("cells", n, model, params, {}, ports)
    pairs = [synapses(draws, port, (k, 2), (n, n), 0.4, port=port, **settings) for k, port in enumerate(ports)]
    fed = [train for k in range(2) for train in trains(draws, k, n, (90, -40, 7), 0.1)]
    return Case(Graph(name, 1.0, "lava010", (*sources, target), tuple(pairs)), tuple(fed))


SMALL, LARGER = (40, 7, -12, -90), (300, 90, -60, 7)
HUGE = (BIG, -BIG, 3 * BIG + 12345, 77)
SIGMA_DELTA = {"vth": 12, "bias": lambda d, n: d.whole(-100, 100, n), "spike_exp": 2, "state_exp": 3}
DELTA = {"vth": 20, "spike_exp": 1, "state_exp": 2}
RF = {"period": lambda d, n: d.real(2, 60, n), "alpha": lambda d, n: d.real(0, 0.2, n)}
RESONATOR = ("real", "imag")
LIF = {key: (lambda d, n, key=key: lif(d, n)[key]) for key in ("du", "dv", "vth", "bias_mant", "bias_exp")}
TERNARY = {key: value for key, value in LIF.items() if key != "vth"} | {"vth_hi": 300, "vth_lo": -200}
ATRLIF = {key: (lambda d, n, key=key: atrlif(d, n)[key])
          for key in ("delta_i", "delta_v", "delta_theta", "delta_r", "theta_0", "theta_step", "bias_mant", "bias_exp")}


def _neurons() -> list[Case]:
    lasting = {"du": 5, "dv": 3, "vth": 131071, "bias_mant": -4096, "bias_exp": 7}
    ends = {"du": lambda d, n: np.array([0, 4095] * (n // 2)), "dv": lambda d, n: np.array([0, 0, 4095, 4095] * (n // 4))}
    return [
        alone("lif", "loihi_lif", LIF, LARGER),
        alone("lif_defaults", "loihi_lif", {}, (20, -5), initial={"u": -999, "v": 641}),
        alone("lif_extreme_decays", "loihi_lif", ends, SMALL),
        alone("lif_overflow", "loihi_lif", LIF | lasting, HUGE),
        alone("lif_wraps_once", "loihi_lif", {"du": 0, "vth": 131071}, (1 << 17, -(1 << 16), 130000), 0.5),
        alone("lif_reset", "loihi_lif_reset", LIF | {"reset_interval": 7, "reset_offset": 3}, LARGER),
        alone("lif_reset_every_step", "loihi_lif_reset", LIF, (400, 90, -12)),
        alone("lif_reset_late", "loihi_lif_reset", LIF | {"reset_interval": 50, "reset_offset": 1234}, LARGER),
        alone("ternary", "loihi_ternary_lif", TERNARY, SMALL),
        alone("ternary_crossed", "loihi_ternary_lif", TERNARY | {"vth_hi": 100, "vth_lo": 100, "bias_mant": 0}, SMALL),
        alone("ternary_overflow", "loihi_ternary_lif", TERNARY | {"vth_hi": 131071, "vth_lo": -131072}, HUGE),
        alone("atrlif", "loihi_atrlif", ATRLIF, (40, 12, -9)),
        alone("atrlif_defaults", "loihi_atrlif", {}, (4, 2, -1)),
        alone("atrlif_overflow", "loihi_atrlif", ATRLIF, HUGE),
        alone("atrlif_large", "loihi_atrlif", {"delta_i": 0.0, "delta_v": 0.001, "delta_theta": 0.001, "delta_r": 0.02,
              "theta_0": 20000, "theta_step": 9000, "bias_mant": 4095, "bias_exp": 7}, (1 << 12, 3, -(1 << 11)), 0.5),
        *(alone(f"sigma_delta_{relu}{cumulative}", "loihi_sigma_delta",
                SIGMA_DELTA | {"relu": relu, "cum_error": cumulative}, (900, 400, -1290)) for relu in (0, 1) for cumulative in (0, 1)),
        alone("sigma_delta_defaults", "loihi_sigma_delta", {}, (1, -1)),
        *(alone(f"sigma_delta_overflow_{cumulative}", "loihi_sigma_delta",
                {"vth": 100000, "bias": -32768, "spike_exp": 7, "state_exp": 7, "relu": 0, "cum_error": cumulative}, HUGE)
          for cumulative in (0, 1)),
        *(alone(f"delta_{cumulative}", "loihi_delta", DELTA | {"cum_error": cumulative}, (9, 14, -8)) for cumulative in (0, 1)),
        *(alone(f"delta_overflow_{cumulative}", "loihi_delta", {"vth": 9000, "spike_exp": 7, "state_exp": 7,
                                                                "cum_error": cumulative}, HUGE) for cumulative in (0, 1)),
        alone("sigma", "loihi_sigma", {}, SMALL),
        alone("sigma_overflow", "loihi_sigma", {}, HUGE),
        *(alone(f"{model}_{bits}_{exponent}", f"loihi_{model}",
                RF | {"decay_bits": bits, "state_exp": exponent, "vth": 30}, SMALL, ports=RESONATOR)
          for model in ("rf", "rf_iz") for bits, exponent in ((12, 0), (12, 6), (7, 3), (15, 1))),
        *(alone(f"{model}_overflow", f"loihi_{model}", RF | {"state_exp": 7, "vth": 500}, HUGE, ports=RESONATOR)
          for model in ("rf", "rf_iz")),
        *(alone(f"{model}_whole_periods", f"loihi_{model}",
                {"period": lambda d, n: np.arange(2.0, n + 2), "alpha": lambda d, n: np.repeat([0.0, 0.07], n // 2)},
                SMALL, ports=RESONATOR) for model in ("rf", "rf_iz")),
        *(alone(model, f"loihi_{model}", {"vth": 9}, SMALL) for model in ("graded", "graded_relu")),
        *(alone(f"{model}_overflow", f"loihi_{model}", {"vth": 9}, (*HUGE, 1 << 30, -1 << 31)) for model in ("graded", "graded_relu")),
        alone("product", "loihi_product", {"vth": 50}, SMALL, 0.3, ports=("in1", "in2")),
        alone("product_shifted", "loihi_product", {"vth": 7, "shift": 5}, SMALL, 0.3, ports=("in1", "in2")),
        alone("product_overflow", "loihi_product", {"vth": 7, "shift": 3}, HUGE, 0.3, ports=("in1", "in2")),
    ]


def _networks() -> list[Case]:
    exc, inh = {"sign_mode": "excitatory"}, {"sign_mode": "inhibitory"}
    return [
        *(recurrent(f"{kind}_mixed", dense=kind == "dense") for kind in ("dense", "sparse")),
        *(recurrent(f"{kind}_signs", dense=kind == "dense", auto=True, weight_exp=1, back=inh, **exc)
          for kind in ("dense", "sparse")),
        *(recurrent(f"{kind}_{bits}_bits", dense=kind == "dense", num_weight_bits=bits)
          for kind, bits in (("dense", 1), ("sparse", 5), ("sparse", 7))),
        recurrent("excitatory_3_bits", weight_exp=2, num_weight_bits=3, back={**inh, "num_weight_bits": 4, "weight_exp": 3}, **exc),
        *(recurrent(f"{kind}_exponent_{exponent}", dense=kind == "dense", weight_exp=exponent, vth=1000 if exponent > 0 else 100)
          for kind, exponent in (("dense", -8), ("sparse", -3), ("dense", -1), ("sparse", 3), ("dense", 7))),
        recurrent("wraps", weight_exp=7, weights=(20000, 9000, -3000), vth=60000, p=0.6),
        *(recurrent(f"{kind}_delays", dense=kind == "dense", delays=(1, 63)) for kind in ("dense", "sparse")),
        recurrent("short_delays", delays=(1, 3), weight_exp=2, num_weight_bits=6),
        *(recurrent(f"{kind}_late_shifted", dense=kind == "dense", delays=(40, 40), weight_exp=-2, vth=100)
          for kind in ("dense", "sparse")),
        recurrent("one_bit_messages", num_message_bits=1, delays=(1, 8)),
        *(recurrent(f"ternary_{bits}_bits", ternary, "loihi_ternary_lif", num_message_bits=bits) for bits in (0, 1, 8)),
        recurrent("ternary_delays", ternary, "loihi_ternary_lif", num_message_bits=2, delays=(1, 20), dense=True),
        recurrent("atrlif_recurrent", atrlif, "loihi_atrlif"),
        recurrent("lif_reset_recurrent", lambda d, n: {**lif(d, n), "reset_interval": 20}, "loihi_lif_reset"),
        *(chain(f"{kind}_sigma_delta", [("loihi_delta", {**DELTA, "state_exp": 0}),
                                         ("loihi_sigma_delta", {"vth": 40, "spike_exp": 2, "state_exp": 2}),
                                         ("loihi_sigma_delta", {"vth": 9, "bias": -5, "cum_error": 1}), ("loihi_sigma", {})],
                [{"num_message_bits": 16, "limit": 20}, {"num_message_bits": 24, "limit": 8, "delays": (1, 5)},
                 {"num_message_bits": 8, "limit": 4}], (60, -35), p=0.05, dense=kind == "dense")
          for kind in ("dense", "sparse")),
        chain("graded_shifted", [("loihi_graded", {"vth": 5}), ("loihi_graded_relu", {"vth": 100}), ("loihi_graded", {})],
              [{"num_message_bits": 16, "weight_exp": -3}, {"num_message_bits": 24, "weight_exp": -6}], SMALL),
        chain("graded_overflow", [("loihi_graded", {"vth": 5}), ("loihi_graded", {"vth": 100}), ("loihi_graded", {})],
              [{"num_message_bits": 24, "weight_exp": -2}, {"num_message_bits": 24, "weight_exp": 5}],
              (8_000_000, -8_388_607, 5_000_001)),
        two_ports("product_network", "loihi_product", {"vth": 50, "shift": 4}, ("in1", "in2"), num_message_bits=8),
        *(two_ports(f"{model}_network", f"loihi_{model}", {"period": 12.5, "alpha": 0.05, "vth": 60}, RESONATOR, weight_exp=-2)
          for model in ("rf", "rf_iz")),
    ]


def loihi_1(name: str, params: Mapping[str, int], entry: Mapping[str, Any], **settings: Any) -> Case:
    """Inputs onto the first of two groups of Loihi 1; `entry`: settings of what leads from them."""
    draws, sizes = Draws(name), (25, 30, 20)
    groups = [Group("inputs", sizes[0], "spike_times")]
    groups += [Group(key, n, "loihi1_lif", params, {}, ("in",)) for key, n in zip("ab", sizes[1:], strict=True)]
    pairs = [synapses(draws, f"from_{s}_to_{t}", (s, t), (sizes[s], sizes[t]), 0.3, most=254, **(settings if s else entry))
             for s, t in ((0, 1), (1, 1), (1, 2), (2, 1))]
    return Case(Graph(name, 1.0, "loihi1", tuple(groups), tuple(pairs)), tuple(trains(draws, 0, sizes[0], (1,), 0.05, "")),
                steps=500)


def _loihi_1() -> list[Case]:
    exc, inh, slow = {"sign_mode": "excitatory"}, {"sign_mode": "inhibitory"}, {"decay_u": 400, "decay_v": 120, "vth": 200}
    return [
        loihi_1("loihi1_mixed", slow, exc),
        loihi_1("loihi1_refractory", {**slow, "t_ref": 4}, exc, delays=(3, 3)),
        loihi_1("loihi1_longest_refractory", {"decay_u": 4096, "decay_v": 0, "vth": 100, "t_ref": 63}, exc, num_weight_bits=3),
        loihi_1("loihi1_shifted", {**slow, "vth": 40}, {**exc, "weight_exp": -2}, weight_exp=-3, num_weight_bits=7, delays=(63, 63)),
        loihi_1("loihi1_limited", {"decay_u": 4096, "decay_v": 4096, "vth": 30000}, {**exc, "weight_exp": 7}, weight_exp=7),
        loihi_1("loihi1_inhibited", {"decay_u": 1, "decay_v": 4095, "vth": 10}, {**exc, "num_weight_bits": 5}, weight_exp=-1, **inh),
    ]


LOIHI1: dict[str, Case] = {case.graph.name: case for case in _loihi_1()}
CASES: dict[str, Case] = {case.graph.name: case for case in (*_neurons(), *_networks())}


@dataclass(frozen=True)
class ConvCase:
    """weight: [filters, x, y, channels / groups]. inputs: messages [steps, x, y, channels]."""

    weight: np.ndarray
    settings: dict[str, Any]
    inputs: np.ndarray
    num_message_bits: int


def _convolution(name: str, kernel: tuple[int, ...], shape: tuple[int, ...], most: int = 1, **settings: Any) -> ConvCase:
    draws, size = Draws(name), int(np.prod(shape))
    weight = draws.whole(-128, 127, int(np.prod(kernel))).reshape(kernel)
    inputs = draws.whole(-most if most > 1 else 0, most, 4 * size).reshape(4, *shape)
    return ConvCase(weight, settings, inputs, 24 if most > 1 else 0)


CONVOLUTIONS: dict[str, ConvCase] = {
    name: _convolution(name, *arguments, **settings) for name, arguments, settings in (
        ("plain", ((4, 3, 3, 2), (7, 6, 2)), {}),
        ("padded", ((3, 3, 2, 1), (5, 6, 1)), {"padding": (2, 1)}),
        ("strided", ((2, 4, 3, 3), (11, 9, 3)), {"stride": (3, 2), "padding": 1}),
        ("dilated", ((2, 2, 3, 1), (8, 9, 1)), {"dilation": (3, 2), "padding": (1, 2), "stride": 2}),
        ("grouped", ((6, 3, 3, 2), (6, 6, 6)), {"groups": 3}),
        ("single_step", ((5, 4, 4, 2), (4, 4, 2)), {}),
        ("payloads", ((3, 3, 3, 2), (6, 7, 2), 5000), {"padding": 1}),
        ("wraps", ((3, 5, 5, 2), (6, 7, 2), 1 << 20), {"padding": 2, "stride": (1, 2)}),
    )
}


def digest(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One number for each step, uint32 [steps], of columns [steps, n]: states in the order of their names, and payloads."""
    whole = np.concatenate([np.asarray(column).astype("<i8") for column in columns], axis=1)
    return np.array([crc32(row.tobytes()) for row in whole], np.uint32)


def signature(case: Case | dict[str, ConvCase]) -> int:
    """A number that changes when the case does."""
    crc, parts = 0, case
    if isinstance(case, Case):
        parts = [case.steps, case.dense, case.auto, case.graph.groups, case.graph.connections, case.trains]
    for part in _flat(parts):
        crc = crc32(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode(), crc)
    return crc


def _flat(part: Any) -> list[Any]:
    if isinstance(part, (list, tuple)):
        return [leaf for each in part for leaf in _flat(each)]
    if isinstance(part, dict):
        return _flat([(key, part[key]) for key in sorted(part)])
    return _flat(vars(part)) if hasattr(part, "__dict__") else [part]
