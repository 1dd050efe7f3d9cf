"""Couplings on the CPU engine: the bits of ``reference`` on any number of threads, and what stops a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coupled import NETWORKS, many, noisy, pair, spiking, strong

import snnsim as sn
from snnsim.backends.cpu.engine import CpuEngine
from snnsim.errors import NumericalError, SnnsimError
from snnsim.lowering import make_plan
from snnsim.registry import backends

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


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("precision", ["single", pytest.param("double", marks=pytest.mark.long)])
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
