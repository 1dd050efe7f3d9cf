"""Networks built on the device hold the synapses that the projections draw, each in the part that owns its target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gpu.cubins import ARCHITECTURES, compiled, needs_nvrtc
from gpu.gxx import needs_gxx
from gpu.host import HostDevice
from gpu.races import needs_tsan, races
from graded import LEAKY

import snnsim as sn
from snnsim.backends.cupy.build import Table, build, synapse_columns, table_bytes
from snnsim.backends.cupy.build_job import THREADS, source
from snnsim.backends.cupy.draw import from_host
from snnsim.backends.cupy.layout import Bundle, Layout
from snnsim.distributions import Discrete
from snnsim.errors import InputError
from snnsim.lowering import make_plan
from snnsim.plan import Plan, Projection
from snnsim.units import TIME

pytestmark = needs_gxx
N_SOURCE, N_TARGET = 150, 101
ONE_PORT = {"parameters": {"tau": "10 ms"}, "dynamics": "dv/dt = -v/tau : pA", "receive": {"in": "v += w"},
            "spike": "v >= 900*pA", "reset": {"v": "0*pA"}}
GRID = {"grid": [10, 15], "spacing": "10 um"}
RNG = np.random.default_rng(5)
PAIRS = RNG.integers(0, 100, (2, 700))

RULES: dict[str, Any] = {
    "fixed_indegree": sn.fixed_indegree(40), "indegree 2000": sn.fixed_indegree(2000), "indegree 0": sn.fixed_indegree(0),
    "fixed_outdegree": sn.fixed_outdegree(33), "fixed_total": sn.fixed_total(4001), "fixed_total 1": sn.fixed_total(1),
    "pairwise": sn.pairwise(0.1), "pairwise 0.9": sn.pairwise(0.9), "pairwise 0": sn.pairwise(0.0),
    "pairwise 1": sn.pairwise(1.0), "pairwise rare": sn.pairwise(2e-4), "pairwise almost 1": sn.pairwise(1 - 1e-15),
    "all_to_all": sn.all_to_all(), "explicit": sn.explicit(PAIRS[0], PAIRS[1]),
    "indegree without multapses": sn.fixed_indegree(20, multapses=False),
    "total without multapses": sn.fixed_total(3000, multapses=False),
    "outdegree without multapses": sn.fixed_outdegree(20, multapses=False),
}
WEIGHTS: dict[str, Any] = {
    "constant": "50 pA", "negative": "-50 pA", "zero": "0 pA", "uniform": {"uniform": ["-3 pA", "55 pA"]},
    "normal": {"normal": {"mean": "87.8 pA", "sd": "8.78 pA"}},
    "normal of both signs": {"normal": {"mean": "5 pA", "sd": "30 pA"}},
    "bounded below": {"normal": {"mean": "87.8 pA", "sd": "40 pA", "low": "0 pA"}},
    "bounded": {"normal": {"mean": "-350 pA", "sd": "200 pA", "low": "-400 pA", "high": "-100 pA"}},
    "tail": {"normal": {"mean": "-350 pA", "sd": "20 pA", "low": "-250 pA", "high": "0 pA"}},
    "no spread": {"normal": {"mean": "50 pA", "sd": "0 pA"}},
    "lognormal": {"lognormal": {"mean": "20 pA", "sd": "15 pA"}},
    "negative lognormal": {"lognormal": {"mean": "-20 pA", "sd": "15 pA"}},
    "exponential": {"exponential": {"mean": "-20 pA"}},
    "discrete": {"discrete": {"values": ["5 pA", "-30 pA", "7 pA", "8 pA"], "p": [0.5, 0.2, 0.3, 0]}},
    "one value": {"discrete": {"values": ["5 pA"]}},
    "array": [f"{w} pA" for w in RNG.normal(0, 20, 4001)],
    "expression": {"expression": "(i + 2*j + normal())*pA"},
}
DELAYS: dict[str, Any] = {
    "one": "1.5 ms", "short": {"uniform": ["0.001 ms", "0.3 ms"]}, "zero": "0 ms", "normal": {"normal": {"mean": "1.5 ms", "sd": "0.75 ms", "low": "0.1 ms"}},
    "long": {"uniform": ["0.1 ms", "900 ms"]},
    "expression": {"expression": "0.1 ms + i*0.01 ms"}, "lognormal": {"lognormal": {"mean": "2 ms", "sd": "1 ms"}},
}


def plan_of(rule: Any, weight: Any = "50 pA", delay: Any = "1.5 ms", precision: str = "single",
            model: str = "one_port", same: bool = False) -> Plan:
    """Two populations, or one, and one projection."""
    net = sn.Network(seed=(7 << 40) + 8, precision=precision)
    net.model("one_port", ONE_PORT)
    target = net.population("target", N_TARGET, model)
    source = target if same else net.population("source", N_SOURCE, model)
    net.project(source, target, rule, weight, delay)
    return make_plan(net)


def layouts(plan: Plan) -> list[Layout]:
    """One part, several, and two devices that share them."""
    return [Layout.of(plan, 1), Layout.of(plan, 7), Layout.of(plan, 40, range(9)), Layout.of(plan, 40, range(9, 40))]


def unpacked(plan: Plan, layout: Layout, bundle: Bundle, table: Table) -> np.ndarray:
    """Columns (population and unit of the source, population, port and unit of the target, weight, delay), sorted."""
    word, sizes = bundle.word, np.diff(table.at.astype(np.int64), axis=1)
    assert np.array_equal(np.diff(table.base), sizes.sum(axis=1))
    assert not table.at[:, 0].any() and table.base[0] == 0 and table.base[-1] == len(table.words)
    row, part = (np.repeat(x.ravel(), sizes.ravel()) for x in np.indices(sizes.shape))
    place = (table.words & table.words.dtype.type((1 << word.target) - 1)).astype(np.int64)
    delay = (table.words >> word.target).astype(np.int64) & ((1 << word.delay) - 1)
    weight = table.words.view(f"int{word.bits}").astype(np.int64) >> (word.target + word.delay)
    weight = table.weights if word.column else table.row_weights[row] if bundle.row_weight is not None else weight
    rows = np.array([np.zeros(0, np.int64)] * 7)
    for population, first in bundle.first_row.items():
        for (target, port), base in layout.place.items():
            here = (row >= first) & (row < first + plan.populations[population].n)
            here &= (place >= base) & (place < base + layout.slices.largest(target))
            cut = layout.slices.cuts[target][layout.own.start + part[here]]
            unit = place[here] - base + cut
            assert (unit < layout.slices.cuts[target][layout.own.start + part[here] + 1]).all()
            number = list(plan.populations[target].ports).index(port)
            found = np.broadcast_arrays(population, row[here] - first, target, number, unit, weight[here],
                                        delay[here] + bundle.delay)
            rows = np.concatenate([rows, found], axis=1)
    assert rows.shape[1] == len(table.words)
    return rows[:, np.lexsort(rows)]


def columns_of(projection: Projection, low: int, high: int) -> dict[str, np.ndarray]:
    """All synapses onto the targets in [low, high), drawn by NumPy."""
    blocks = [[np.broadcast_to(x, b.source.shape) for x in b] for b in projection.blocks(low, high)]
    empty = [[np.zeros(0, np.int64)] * 5]
    names = ("source", "target", "port", "weight", "delay")
    return {name: np.concatenate(column) for name, column in zip(names, zip(*(blocks or empty), strict=True), strict=True)}


def drawn(plan: Plan, layout: Layout, bundle: Bundle) -> np.ndarray:
    """The same of what the projections draw by NumPy."""
    rows = np.array([np.zeros(0, np.int64)] * 7)
    for projection in bundle.projections:
        names = list(plan.populations[projection.target].ports)
        ports = np.array([names.index(port) for port in projection.ports])
        (low, high), (first, last) = layout.bounds(projection.target), bundle.delays[projection.label]
        table = columns_of(projection, low, high)
        here = (table["delay"] >= first) & (table["delay"] <= last)
        t = {name: column[here].astype(np.int64) for name, column in table.items()}
        found = np.broadcast_arrays(projection.source, t["source"], projection.target, ports[t["port"]], t["target"],
                                    t["weight"], t["delay"])
        rows = np.concatenate([rows, found], axis=1)
    return rows[:, np.lexsort(rows)]


def check(plan: Plan, some: list[Layout] | None = None, device: HostDevice | None = None) -> list[Table]:
    """Every table of every layout."""
    device, tables = device or HostDevice(), []
    for layout in some or layouts(plan):
        assert layout.bundles
        for bundle in layout.bundles:
            tables.append(table := downloaded(device, build(device, plan, layout, bundle)))
            assert np.array_equal(drawn(plan, layout, bundle), unpacked(plan, layout, bundle, table))
            assert table.at.dtype == (np.uint16 if np.diff(table.base).max() < 1 << 16 else np.uint32)
            assert held(table) <= table_bytes(plan, layout, bundle)
    return tables


def downloaded(device: HostDevice, found: Any) -> Any:
    """The same with arrays of the host."""
    fields = vars(found) if isinstance(found, Table) else found._asdict()
    return type(found)(**{name: a if a is None else device.download(a) for name, a in fields.items()})


def held(table: Table) -> int:
    """Bytes of a table, and of the counts that it was made with."""
    arrays = (table.base, table.at, table.words, table.weights, table.row_weights)
    return sum(a.nbytes for a in arrays if a is not None) + 4 * table.at.shape[0] * (table.at.shape[1] - 1)


@pytest.mark.parametrize("rule", RULES)
def test_rules(rule: str) -> None:
    """Each rule, with weights and delays that depend on the number of the synapse."""
    check(plan_of(RULES[rule], WEIGHTS["normal of both signs"], DELAYS["normal"]))


@pytest.mark.parametrize("rule", [name for name in RULES if name not in ("explicit", "indegree 2000")])
def test_rules_without_autapses(rule: str) -> None:
    """From a population to itself, no unit to itself."""
    spec = {**RULES[rule], "autapses": False}
    check(plan_of(spec, WEIGHTS["uniform"], "1.5 ms", same=True))


@pytest.mark.parametrize("model", ["one_port", "lif_psc_exp"])
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_weights(weight: str, precision: str, model: str) -> None:
    """Each kind of weight; of two ports the sign chooses."""
    check(plan_of(sn.fixed_total(4001), WEIGHTS[weight], "1 ms", precision, model))


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("weight", ["constant", "uniform"])
def test_delays(weight: str, delay: str) -> None:
    """Each kind of delay; what arrives without delay, soon and late lies in bundles of its own."""
    check(plan_of(sn.fixed_total(4001), WEIGHTS[weight], DELAYS[delay]))


def test_one_to_one() -> None:
    """Its sources and targets are equal in number."""
    net = sn.Network(seed=3)
    a, b = net.population("a", 70, "lif_psc_exp"), net.population("b", 70, "lif_psc_exp")
    net.project(a, b, sn.one_to_one(), WEIGHTS["uniform"], DELAYS["normal"])
    check(make_plan(net))


def test_delays_from_zero() -> None:
    """What has no delay is split from the rest, which may be one delay or several."""
    plan = plan_of(sn.fixed_total(4001), WEIGHTS["uniform"])
    for values in ((0.0, 0.1), (0.0, 0.1, 3.0)):
        delay = Discrete(TIME, values, tuple(1 / len(values) for _ in values))
        split = replace(plan.projections[0], delay=delay, delays=(0, round(values[-1] / plan.dt)))
        check(replace(plan, projections=[split]))


@pytest.mark.parametrize(("bits", "column", "weight", "delay", "precision"), [
    (16, False, "constant", "1.5 ms", "single"), (16, False, "constant", DELAYS["normal"], "single"),
    (32, False, "uniform", DELAYS["normal"], "single"), (64, False, "uniform", "1.5 ms", "double"),
    (32, True, "wide", DELAYS["normal"], "double"), (64, True, "wide", {"uniform": ["1 ms", "1e8 ms"]}, "double"),
])
def test_widths(bits: int, column: bool, weight: str, delay: Any, precision: str) -> None:
    """Words of each width, with weights from the most negative to the largest; also beside them in a column."""
    values = {**WEIGHTS, "wide": {"uniform": ["-1e6 pA", "1e6 pA"]}}
    plan = plan_of(sn.fixed_total(4001), values[weight], delay, precision)
    if column:
        # Finer than any network would have it.
        split = replace(plan.projections[0], quanta=(2.0**-38, 2.0**-38))
        plan = replace(plan, projections=[split])
    words = [bundle.word for layout in layouts(plan) for bundle in layout.bundles]
    assert (bits, column) in {(word.bits, word.column) for word in words}
    check(plan)


@pytest.mark.parametrize("fixed_point", ["lava010", "loihi1"])
@pytest.mark.parametrize("settings", [
    {}, {"num_weight_bits": 5}, {"weight_exp": 7}, {"weight_exp": -3, "num_weight_bits": 7}, {"num_message_bits": 24},
    {"weight_exp": 7, "num_weight_bits": 8, "sign_mode": "mixed"},
], ids=str)
@pytest.mark.parametrize("weight", [
    {"uniform": [-255, 254]}, {"uniform": [0, 255]}, {"normal": {"mean": -90, "sd": 40, "low": -255, "high": -1}},
    {"discrete": {"values": [-7, 3, -1, 128]}}, [int(w) for w in RNG.integers(-256, 256, 4001)], -33, 200,
], ids=lambda weight: str(weight)[:20])
def test_mantissas(weight: Any, settings: dict[str, int], fixed_point: str) -> None:
    """Weights in whole numbers: cut at their lowest bits, and shifted, as the host does it."""
    net = sn.Network(dt="1 ms", seed=5)
    net.model("leaky", {**LEAKY, "fixed_point": fixed_point})
    source_, target = net.population("source", N_SOURCE, "leaky"), net.population("target", N_TARGET, "leaky")
    net.project(source_, target, sn.fixed_total(4001), weight, {"uniform": ["1 ms", "63 ms"]}, **settings)
    plan = make_plan(net)
    check(plan, [Layout.of(plan, 1), Layout.of(plan, 40, range(9, 40))])


def test_several_projections_in_a_bundle() -> None:
    """Rows of several sources, one of which reaches two populations; weights by source where each has one."""
    for weight in ("50 pA", WEIGHTS["uniform"]):
        net = sn.Network(seed=1)
        a, b, c = (net.population(name, n, "lif_psc_exp") for name, n in (("a", 40), ("b", 33), ("c", 5)))
        for source_, target in ((a, b), (b, c), (a, c), (c, c), (c, a)):
            net.project(source_, target, sn.fixed_indegree(11), weight if source_ is not b else "-20 pA", "1 ms")
        plan = make_plan(net)
        assert [len(bundle.projections) for bundle in Layout.of(plan, 3).bundles] == [5]
        weights = [table.row_weights for table in check(plan)]
        assert all((w is None) == (weight != "50 pA") for w in weights)


@pytest.mark.parametrize("wide", [False, True])
def test_row_weights_are_as_wide_as_the_sums(wide: bool) -> None:
    """32 or 64 bits, for each source."""
    plan = plan_of(sn.fixed_total(4001), "50 pA", precision="double" if wide else "single")
    for table in check(plan):
        assert table.row_weights.dtype == (np.int64 if wide else np.int32) and table.row_weights.shape == (N_SOURCE,)


def test_long_rows() -> None:
    """One source with more synapses than 16 bits count, which several warps draw."""
    net = sn.Network(seed=5)
    source_, target = net.population("source", 1, "lif_psc_exp"), net.population("target", 15, "lif_psc_exp")
    net.project(source_, target, sn.fixed_indegree(5000), WEIGHTS["uniform"], "1 ms")
    plan = make_plan(net)
    assert check(plan, [Layout.of(plan, 4)])[0].at.dtype == np.uint32


@pytest.mark.parametrize(("n", "p"), [(10, 0.0055), (275, 2e-4), (40000, 1e-4)])
def test_walks_of_several_draws(n: int, p: float) -> None:
    """Rows with more synapses than words are asked for at a time, by the table of gaps and by their logarithm."""
    net = sn.Network(seed=5)
    source_, target = net.population("source", n, "lif_psc_exp"), net.population("target", 3000, "lif_psc_exp")
    net.project(source_, target, sn.pairwise(p), WEIGHTS["uniform"], "1 ms")
    plan = make_plan(net)
    assert n == 40000 or np.bincount(plan.projections[0].table(3000)["target"]).max() > 1
    check(plan, [Layout.of(plan, 1), Layout.of(plan, 5, range(2, 4))])


def test_numbers_of_many_bits() -> None:
    """Synapses whose numbers need more than 34 bits, so that the counters of their words need more than 32."""
    net = sn.Network(seed=5)
    cells = net.population("cells", 200_000, "lif_psc_exp")
    net.project(cells, cells, sn.pairwise(1e-6), WEIGHTS["uniform"], DELAYS["normal"])
    plan = make_plan(net)
    check(plan, [Layout.of(plan, 40, range(38, 40))])


def test_order_of_threads() -> None:
    """The same synapses whatever order blocks and threads run in."""
    plan = plan_of(sn.pairwise(0.3), WEIGHTS["normal"], DELAYS["normal"])
    check(plan, device=HostDevice(seed=9))


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("rule", [sn.fixed_total(400), sn.pairwise(0.2), sn.explicit(PAIRS[0][:300] % 50, PAIRS[1][:300] % 50)])
@pytest.mark.parametrize("kind", [{"synapse": {"model": "stdp_pair", "params": {"w_max": "120 pA"}}}, {"coupling": "gap_junction"}])
def test_columns(kind: Any, rule: Any, precision: str) -> None:
    """Plastic projections and couplings, with real weights and the numbers of their synapses."""
    net = sn.Network(seed=4, precision=precision)
    plastic, device = "synapse" in kind, HostDevice()
    cells = net.population("cells", 50, "lif_psc_exp" if plastic else "hh_cond_exp_traub")
    net.project(cells, cells, rule, {"uniform": ["1 pA", "60 pA"] if plastic else ["1 nS", "2 nS"]},
                {"uniform": ["1 ms", "3 ms"]} if plastic else None, **kind)
    plan = make_plan(net)
    projection = plan.projections[0]
    for layout in layouts(plan):
        low, high = layout.bounds(0)
        found = downloaded(device, synapse_columns(device, plan, layout, projection))
        expected = columns_of(projection, low, high)
        numbers = [np.arange(b.index[0], sum(b.index)) if isinstance(b.index, tuple) else b.index
                   for b in projection.bound.blocks(low, high)]
        index = np.concatenate([np.zeros(0, np.uint64), *numbers])
        order, mine = np.lexsort((index,)), np.lexsort((found.index,))
        assert np.array_equal(index[order], found.index[mine])
        assert np.all(np.diff(found.source.astype(int)) >= 0)
        assert found.weight.dtype == plan.dtype
        for name in ("source", "target", "delay"):
            assert np.array_equal(expected[name][order], getattr(found, name)[mine]), name
        assert np.array_equal(expected["weight"][order].astype(plan.dtype), found.weight[mine])


def test_what_comes_from_the_host() -> None:
    """Which projections the host draws, and why."""
    def reason(rule: Any, weight: Any = "1 pA", delay: Any = "1 ms") -> str | None:
        return from_host(plan_of(rule, weight, delay).projections[0])

    drawn_here = [rule for name, rule in RULES.items() if "without" not in name and name != "explicit"]
    assert [reason(rule) for rule in drawn_here] == [None] * len(drawn_here)
    assert reason(RULES["explicit"]) == "the rule explicit is drawn by the host"
    assert reason(sn.fixed_indegree(2, multapses=False)) == "fixed_indegree without multapses is drawn by the host"
    assert reason(sn.fixed_indegree(2), WEIGHTS["expression"]) == \
        "weights that are computed for each synapse are drawn by the host"
    assert reason(sn.fixed_indegree(2), "1 pA", DELAYS["expression"]) == \
        "delays that are computed for each synapse are drawn by the host"


def test_distances() -> None:
    """The rule that needs positions comes from the host."""
    net = sn.Network(seed=3)
    cells = net.population("cells", 150, "lif_psc_exp", positions=GRID)
    net.project(cells, cells, sn.distance({"gaussian": {"p0": 0.5, "sigma": "30 um"}}), WEIGHTS["uniform"], DELAYS["normal"])
    plan = make_plan(net)
    assert from_host(plan.projections[0]) == "the rule distance is drawn by the host"
    check(plan)


def test_too_few_given_weights() -> None:
    """A random number of synapses may need more weights than were given: the host says so, as it does everywhere."""
    plan = plan_of(sn.pairwise(0.1), [f"{w} pA" for w in range(round(0.1 * N_SOURCE * N_TARGET))])
    layout = Layout.of(plan, 2)
    assert from_host(plan.projections[0]) == \
        "weights given one by one for a random number of synapses are drawn by the host"
    with pytest.raises(InputError, match=r"^value number \d+ was asked for, but there are 1515$"):
        build(HostDevice(), plan, layout, layout.bundles[0])


def test_numpy_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the CPU backend cannot be imported, the host draws the same with NumPy."""
    monkeypatch.setitem(__import__("sys").modules, "snnsim.backends.cpu.draw", None)
    check(plan_of(RULES["total without multapses"], WEIGHTS["normal"], DELAYS["normal"]))


def test_estimate_is_near() -> None:
    """What is asked for before building exceeds what is then held by a few per cent, for synapses in plenty."""
    net = sn.Network(seed=5)
    a = net.population("a", 300, "lif_psc_exp")
    net.project(a, a, sn.fixed_total(1_000_000), WEIGHTS["uniform"], "1 ms")
    plan = make_plan(net)
    layout = Layout.of(plan, 4)
    estimate = table_bytes(plan, layout, layout.bundles[0])
    table, = check(plan, [layout])
    assert held(table) <= estimate <= 1.05 * held(table) + (1 << 20)


@needs_nvrtc
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_compiles(arch: int) -> None:
    """Its registers let two blocks and more run on a multiprocessor, and nothing is spilled."""
    taken = compiled(source(), arch)
    assert {resources.threads for resources in taken.values()} == {THREADS}
    assert max(resources.registers for resources in taken.values()) <= 80


def build_some() -> None:
    """Many synapses of few sources in 16 bits, so that neighbours in memory are of different threads."""
    net = sn.Network(seed=5)
    source_, target = net.population("source", 3, "lif_psc_exp"), net.population("target", 9, "lif_psc_exp")
    for rule in (sn.fixed_total(200), sn.pairwise(0.5)):
        net.project(source_, target, rule, "5 pA", "1 ms")
    plan = make_plan(net)
    assert {table.words.itemsize for table in check(plan, [Layout.of(plan, 2)])} == {2}


@pytest.mark.slow
@needs_tsan
def test_no_races() -> None:
    """Threads of one launch write to the same place by atomic operations only."""
    assert races(build_some) == []
