"""Couplings on the CPU engine: the bits of ``reference`` on any number of threads, and what stops a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.backends.cpu.engine import CpuEngine
from snnsim.errors import NumericalError, SnnsimError
from snnsim.lowering import make_plan
from snnsim.registry import backends

# A coupling of a user's own: something of the source, of the target, of both and of parameters alone.
OWN: dict[str, Any] = {
    "kind": "coupling", "variable": "v", "parameters": {"scale": "10 mV", "gain": 2},
    "adds": "w*gain*tanh((pre - post)/scale)*(1 + exp(-(post/scale)**2))/(2 + sin(pre/scale))",
}
PLASTIC = {"model": "stdp_pair", "params": {"w_max": "120 pA", "lambda": 0.05}}


def noisy(precision: str = "single", n: int = 50) -> sn.Network:
    """Cells that noise keeps spiking, with rests of their own."""
    net = sn.Network(dt="0.1 ms", seed=3, precision=precision)
    net.model("own", OWN)
    net.population("a", n, "lif_psc_exp", init={"v": {"uniform": ["-70 mV", "-55 mV"]}})
    net.population("b", 7, "lif_psc_exp", v_rest={"uniform": ["-70 mV", "-60 mV"]}, t_ref="1 ms")
    net.input("noise", type="poisson", rate="10 kHz", to=["a", "b"], weight="60 pA")
    return net


def pair(precision: str) -> sn.Network:
    net = sn.Network(seed=1, precision=precision)
    net.population("a", 2, "lif_psc_exp", i_e=["900 pA", "0 pA"])
    net.project("a", "a", sn.explicit([0, 1], [1, 0]), weight="5 nS", coupling="gap_junction")
    return net


def many(precision: str) -> sn.Network:
    """Several couplings, constant and drawn weights, onto inputs that also have currents and noise; a repeated pair."""
    net = noisy(precision)
    net.project("a", "a", sn.fixed_indegree(5), weight="2 nS", coupling="gap_junction")
    net.project("b", "a", sn.pairwise(0.3), weight={"uniform": ["0.5 nS", "1 nS"]}, coupling="gap_junction", name="back")
    net.project("a", "b", sn.fixed_total(40), weight={"uniform": ["-20 pA", "60 pA"]}, coupling="own", name="own")
    net.project("b", "b", sn.explicit([0, 0, 3], [1, 1, 3]), weight=["1 nS", "0.5 nS", "2 nS"], coupling="gap_junction",
                name="twice")
    net.project("a", "b", sn.pairwise(0.0), weight="1 nS", coupling="gap_junction", name="none")
    net.input("step", type="current", to="b", times=["3 ms"], values=["200 pA"])
    net.input("wild", type="noise", to="a", sd="50 pA")
    return net


def spiking(precision: str) -> sn.Network:
    """Couplings beside spikes with delays and plastic ones, and beside a population that is acted on without delay."""
    net = noisy(precision)
    net.population("late", 9, "lif_psc_exp", v_th="-69 mV")
    net.project("a", "late", sn.fixed_indegree(4), weight="300 pA", delay="0 ms", name="now")
    net.project("late", "a", sn.fixed_indegree(2), weight="2 nS", coupling="gap_junction", name="from_late")
    net.project("a", "late", sn.fixed_indegree(2), weight="2 nS", coupling="gap_junction", name="to_late")
    net.project("a", "a", sn.fixed_indegree(5), weight="80 pA", delay={"uniform": ["1 ms", "3 ms"]}, name="spikes")
    net.project("a", "b", sn.fixed_indegree(5), weight="30 pA", delay="0.5 ms", synapse=PLASTIC, name="plastic")
    return net


def hodgkin_huxley(precision: str) -> sn.Network:
    net = sn.Network(seed=1, precision=precision)
    net.population("a", 2, "hodgkin_huxley", i_e=["700 pA", "0 pA"])
    net.project("a", "a", sn.all_to_all(autapses=False), weight="30 nS", coupling="gap_junction")
    return net


NETWORKS = {"pair": pair, "many": many, "spiking": spiking, "hodgkin_huxley": hodgkin_huxley}
Outcome = tuple[list[int], dict[tuple[str, str], np.ndarray], tuple[np.ndarray, np.ndarray]]
_known: dict[tuple[str, str], Outcome] = {}


def outcome(net: sn.Network, backend: str, threads: int | None = None, steps: tuple[int, ...] = (400,)) -> Outcome:
    """Spikes of each population, all states, the latest spikes."""
    program = sn.compile(net, backend=backend, threads=threads)
    for piece in steps:
        program.run_steps(piece)
    states = {(name, state): program[name][state] for name in net.populations for state in program[name]}
    return program.counts.tolist(), states, program.engine.history()


def assert_same(one: Outcome, other: Outcome) -> None:
    assert one[0] == other[0]
    for place, values in one[1].items():
        assert np.array_equal(values, other[1][place]), place
    for mine, yours in zip(one[2], other[2], strict=True):
        assert np.array_equal(mine, yours)


def expected(name: str, precision: str) -> Outcome:
    if (name, precision) not in _known:
        _known[name, precision] = outcome(NETWORKS[name](precision), "reference")
    return _known[name, precision]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("name", NETWORKS)
def test_bits_of_the_reference(name: str, precision: str, threads: int) -> None:
    """States and spikes are those of ``reference``, whoever computes them."""
    reference = expected(name, precision)
    assert sum(reference[0]) > 0
    assert_same(reference, outcome(NETWORKS[name](precision), "cpu", threads))


@pytest.mark.parametrize("name", ["many", "spiking"])
def test_couplings_matter(name: str) -> None:
    """The networks above would do something else without their couplings."""
    net = NETWORKS[name]("single")
    net.projections[:] = [p for p in net.projections if p.coupling is None]
    assert outcome(net, "reference")[0] != expected(name, "single")[0]


@pytest.mark.parametrize("threads", [1, 3])
def test_pieces_do_not_matter(threads: int) -> None:
    """A call begins with the variables as the states are."""
    assert_same(expected("many", "single"), outcome(many("single"), "cpu", threads, (1, 2, 97, 300)))


def test_a_state_that_is_set_is_seen_by_others() -> None:
    """In the next step neighbours feel a potential that was changed from outside."""
    found = []
    for backend in ("reference", "cpu"):
        program = sn.compile(pair("double"), backend=backend, threads=2 if backend == "cpu" else None)
        program.run_steps(10)
        program["a"]["v"] = [-60.0, -80.0]
        program.run_steps(3)
        found.append(program["a"]["v"])
    assert np.array_equal(*found)
    assert found[0][1] > -79.9


@pytest.mark.parametrize(("first", "second"), [("cpu", "reference"), ("reference", "cpu"), ("cpu", "cpu")])
def test_resumed(first: str, second: str, tmp_path: Path) -> None:
    """States are all that couplings need to go on."""
    program = sn.compile(spiking("single"), backend=first)
    program.run_steps(133)
    program.save(tmp_path / "state.ckpt")
    rest = sn.resume(tmp_path / "state.ckpt", backend=second)
    rest.run_steps(267)
    reference = expected("spiking", "single")
    assert rest.counts.tolist() == reference[0]
    for (name, state), values in reference[1].items():
        assert np.array_equal(rest[name][state], values), (name, state)


def test_difference_of_a_pair_decays_as_it_should() -> None:
    """Two passive cells: their difference decays with g + 2 g_gap; a step of dt is off by an error of the first order.

    The current of a gap junction is that of the step before, so over a step the decay is known exactly.
    """
    c, tau, gap, errors = 250.0, 10.0, 5.0, []
    for dt in (0.1, 0.05, 0.025):
        net = sn.Network(dt=f"{dt} ms", precision="double")
        net.population("a", 2, "lif_psc_exp", c_m=f"{c} pF", tau_m=f"{tau} ms", init={"v": ["-70 mV", "-60 mV"]})
        net.project("a", "a", sn.explicit([0, 1], [1, 0]), weight=f"{gap} nS", coupling="gap_junction")
        program = sn.compile(net, backend="cpu", threads=2)
        program.run("5 ms")
        found = float(np.diff(program["a"]["v"])[0])
        leak, decay = c / tau, math.exp(-dt / tau)
        assert found == pytest.approx(10 * (decay - (1 - decay) * 2 * gap / leak) ** round(5 / dt), rel=1e-11)
        errors.append(abs(found - 10 * math.exp(-5 * (leak + 2 * gap) / c)))
    assert [errors[0] / errors[1], errors[1] / errors[2]] == pytest.approx([2, 2], rel=0.01)
    assert errors[-1] < 0.002


# --- what stops a run --------------------------------------------------------------------------------------------------

def strong(rule: str | None = None) -> sn.Network:
    """Cells without threshold whose differences grow in each step until they are too large."""
    net = noisy()
    for name, factor in (("growing", 2), ("exploding", 10000)):
        net.model(name, {"kind": "synapse", "on_pre": f"w = {factor}*w"})
    net.population("c", 7, "lif_psc_exp", v_th="1e12 V", init={"v": {"uniform": ["-70 mV", "-55 mV"]}})
    net.project("a", "b", sn.fixed_indegree(2), weight="0.1 nS", coupling="gap_junction", name="weak")
    net.project("c", "c", sn.fixed_indegree(3), weight="2 uS", coupling="gap_junction", name="strong")
    if rule is not None:
        net.population("played", 1, "spike_times", times=["0.5 ms"], ids=[0])
        net.project("played", "b", sn.all_to_all(), weight="1 pA", synapse=rule, name="plastic")
    return net


def message(net: sn.Network, backend: str, threads: int | None, error: type[Exception] = NumericalError) -> str:
    with pytest.raises(error) as info:
        sn.compile(net, backend=backend, threads=threads).run_steps(40)
    return str(info.value)


@pytest.mark.parametrize(("backend", "threads"), [("reference", None), ("cpu", 1), ("cpu", 2), ("cpu", 3)])
def test_divergence_names_the_first_synapse(backend: str, threads: int | None) -> None:
    """The same step, synapse and number everywhere; first is the synapse of the lowest source, then target."""
    assert message(strong(), backend, threads) == (
        "projection strong: the coupling of unit 0 to unit 1 became 2.42223e+09 in step 15 (t = 1.5 ms); a smaller dt "
        "or weaker coupling may help")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("rule", "place"), [("growing", "projection strong: the coupling"),
                                             ("exploding", "projection plastic: the synapse")])
def test_what_is_wrong_first_stops_a_run(rule: str, place: str, threads: int) -> None:
    """Of a coupling and a plastic synapse, the one that is wrong earlier."""
    text = message(strong(rule), "reference", None, SnnsimError)
    assert text.startswith(place)
    assert message(strong(rule), "cpu", threads, SnnsimError) == text


# --- what an engine says ----------------------------------------------------------------------------------------------

def test_facts_and_sizes() -> None:
    """Synapses are counted, named and measured; one weight takes no memory for each."""
    plan = make_plan(many("single"))
    engine = CpuEngine(plan, 2)
    drawn = [p.table(plan.populations[p.target].n)["source"].size for p in plan.projections]
    assert engine.synapses == sum(drawn)
    assert engine.facts()["bundles"] == ["coupled: a->a", "coupled: back", "coupled: own", "coupled: twice", "coupled: none"]
    assert sum(part["c0_sources"].nbytes + part["c0_weights"].nbytes for part in engine.parts) == 50 * 5 * 2 + 2 * 4
    assert sum(part["c1_weights"].size for part in engine.parts) == drawn[1]


def test_estimate_covers_couplings() -> None:
    """The memory said before building covers the engine that is then built."""
    net = noisy(n=3000)
    weights: dict[str, Any] = {"constant": "0.1 nS", "drawn": {"uniform": ["0.1 nS", "0.2 nS"]}}
    for name, weight in weights.items():
        net.project("a", "a", sn.fixed_indegree(20), weight=weight, coupling="gap_junction", name=name)
    program = sn.compile(net, "cpu", 2)
    taken = sum(program.engine.memory().values())
    assert taken <= backends()["cpu"].memory(program.plan, 2) < 60 * 2**20 + 30 * taken
