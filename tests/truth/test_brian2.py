"""Brian2 as an oracle: its own equations, thresholds, queues and synapses give the spikes of the other backends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.cli import main
from snnsim.errors import InputError, NumericalError
from snnsim.lowering import make_plan
from snnsim.registry import backends

LACKS = backends()["brian2"].lacks() if "brian2" in backends() else "snnsim was installed before it had this backend"
pytestmark = [pytest.mark.brian2, pytest.mark.skipif(LACKS is not None, reason=str(LACKS))]


def spikes(net: sn.Network, backend: str, duration: str) -> dict[str, tuple[Any, Any]]:
    """Steps and units of all spikes."""
    net.record(spikes=list(net.populations))
    result = sn.run(net, duration, backend=backend)
    return {name: result.steps_of(name) for name in net.populations}


def assert_equal(expected: dict[str, tuple[Any, Any]], found: dict[str, tuple[Any, Any]]) -> None:
    for name, (steps, units) in expected.items():
        assert np.array_equal(steps, found[name][0]), name
        assert np.array_equal(units, found[name][1]), name


def dyadic(precision: str = "double") -> sn.Network:
    """100 recurrent LIF cells whose weights are multiples of a power of two, so that sums are exact in any order."""
    net = sn.Network(dt="0.1 ms", seed=42, precision=precision)
    start = {"v": {"uniform": ["0 mV", "20 mV"]}}
    exc = net.population("exc", 80, "lif_psc_delta", init=start)
    inh = net.population("inh", 20, "lif_psc_delta", init=start)
    net.input("noise", type="poisson", rate="6 kHz", to=[exc, inh], weight="0.25 mV", delay="1.5 ms")
    delay = {"uniform": ["0.1 ms", "3 ms"]}
    net.project(exc, [exc, inh], sn.fixed_indegree(16), {"discrete": {"values": ["0.25 mV", "0.5 mV", "0.75 mV"]}}, delay)
    net.project(inh, [exc, inh], sn.fixed_indegree(4), "-2 mV", delay)
    return net


@pytest.mark.slow
def test_a_recurrent_network_has_the_same_spikes_for_a_second() -> None:
    """On `reference`, `cpu` and `brian2`, step by step and unit by unit, in double precision."""
    expected = spikes(dyadic(), "reference", "1 s")
    assert sum(len(steps) for steps, _ in expected.values()) > 1000
    for backend in ("cpu", "brian2"):
        assert_equal(expected, spikes(dyadic(), backend, "1 s"))


def test_single_precision_is_compared_with_double() -> None:
    """The cpu backend in single precision has the spikes that Brian2 has in double."""
    assert_equal(spikes(dyadic("single"), "cpu", "200 ms"), spikes(dyadic("single"), "brian2", "200 ms"))


def test_the_order_of_a_step() -> None:
    """A psc arrival changes the current in its step and v first in the next; a delta arrival is tested at once."""
    net = sn.Network(seed=1, precision="double")
    net.population("source", 1, "spike_times", times={0: ["1 ms"]})
    net.population("psc", 1, "lif_psc_exp")
    net.population("delta", 1, "lif_psc_delta", t_ref="0.3 ms", init={"v": "19 mV"}, v_reset="1 mV")
    net.project("source", "psc", sn.one_to_one(), weight="100 pA", delay="0.5 ms")
    net.project("source", "delta", sn.one_to_one(), weight="8 mV", delay="0.5 ms")
    net.record(traces={"psc": {"variables": ["v", "i_exc"]}, "delta": {"variables": ["v"]}}, spikes=["source", "delta"])
    result = sn.run(net, "2.5 ms", backend="brian2")
    assert result.steps_of("source")[0].tolist() == [10]
    assert np.flatnonzero(result.trace("psc", "i_exc")[:, 0])[0] + 1 == 15
    assert np.flatnonzero(result.trace("psc", "v")[:, 0] != -70)[0] + 1 == 16
    assert result.steps_of("delta")[0].tolist() == [15]
    assert result.trace("delta", "v")[14, 0] == 1


@pytest.mark.parametrize(("t_ref", "held"), [("0 ms", 0), ("0.1 ms", 1), ("0.5 ms", 5)])
def test_refractory_steps(t_ref: str, held: int) -> None:
    """A unit is held for round(t_ref/dt) steps after its spike; arrivals meanwhile are lost, in Brian2 as here."""
    net = sn.Network(seed=1, precision="double")
    net.population("cell", 1, "lif_psc_delta", t_ref=t_ref, init={"v": "21 mV"}, tau_m="1e9 ms")
    net.input("drive", type="spike_times", times={0: [f"{k/10} ms" for k in range(2, 12)]}, to="cell", weight="1 mV")
    net.record(traces={"cell": {"variables": ["v", "refractory"]}}, spikes=["cell"])
    found = [sn.run(net, "1.5 ms", backend=name) for name in ("reference", "brian2")]
    assert found[1].steps_of("cell")[0].tolist() == [1]
    v = found[1].trace("cell", "v")[:, 0]
    assert np.flatnonzero(v > 0.5)[0] == max(held + 1, 2)
    for variable in ("v", "refractory"):
        np.testing.assert_allclose(found[1].trace("cell", variable), found[0].trace("cell", variable), rtol=1e-6)


def test_a_saved_run_goes_on_in_brian2(tmp_path: Path) -> None:
    """Spikes under way and refractory times are carried over from another backend: the same spikes as without a stop."""
    whole = spikes(dyadic(), "cpu", "60 ms")
    first = sn.compile(dyadic(), backend="cpu")
    first.run("30 ms")
    first.save(tmp_path / "half.h5")
    second = sn.compile(dyadic(), backend="brian2")
    second.load(tmp_path / "half.h5")
    chunk = second.engine.advance(300)
    edges = [p.first for p in second.plan.populations]
    found = {name: (chunk.step[mine], chunk.unit[mine] - first) for name, first in zip(("exc", "inh"), edges, strict=True)
             for mine in [(chunk.unit >= edges[1]) == (name == "inh")]}
    late = {name: (steps[steps > 300], units[steps > 300]) for name, (steps, units) in whole.items()}
    assert sum(len(steps) for steps, _ in late.values()) > 20
    assert_equal(late, found)


def test_a_fault_is_explained() -> None:
    """A state that becomes infinite is named with its step, after going back to the last good piece."""
    net = sn.Network(seed=1, precision="double")
    net.model("burst", {"dynamics": "v[n+1] = v*v : 1", "initial": {"v": 10}})
    net.population("cells", 2, "burst")
    with pytest.raises(NumericalError, match=r"population cells, unit 0, v became inf in step 9 \(t = 0.9 ms\)"):
        sn.run(net, "2 ms", backend="brian2")


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`snnsim compare` takes it as any other backend."""
    (tmp_path / "net.yaml").write_text(dyadic().to_yaml())
    assert main(["compare", str(tmp_path / "net.yaml"), "--backends", "cpu,brian2", "--duration", "20 ms", "--quiet",
                 "--json"]) == 0
    out = capsys.readouterr().out
    assert '"backend": "brian2"' in out
    assert '"first_difference": null' in out.split('"brian2"')[1]


# --- what it refuses -----------------------------------------------------------------------------------------------------

LINEAR = {"parameters": {"tau": "10 ms", "tau_s": "5 ms"}, "dynamics": "dv/dt = (x - v)/tau : 1\ndx/dt = -x/tau_s : 1"}
REFUSED = {
    "whole numbers": (
        {"fixed_point": "lava010", "dynamics": "n[n+1] = n + 1 : 1"}, {},
        "Brian2 computes in real numbers, and this model in whole ones (fixed_point)"),
    "sub-step tests": (
        {"dynamics": "dv/dt = (1 - v)/(10*ms) : 1", "integrate": {"rk4": 2, "spike_test": "substep"}, "spike": "v > 2"}, {},
        "brian2 tests for a spike once per step, and this model asks for a test in every sub-step (spike_test)"),
    "exponential sub-steps": (
        {"dynamics": "dv/dt = (1 - v)/(10*ms) : 1", "integrate": {"exponential_euler": 2}}, {},
        "Brian2's exponential Euler has no sub-steps"),
    "not linear in itself": (
        {"dynamics": "dv/dt = (1 - v*v)/(10*ms) : 1", "integrate": "exponential_euler"}, {},
        "Brian2's exponential Euler needs equations that are linear in their own variable, and this is not: v"),
    "no steady state": (
        {"dynamics": "dv/dt = x/(10*ms) : 1\ndx/dt = -x/(5*ms) : 1"}, {},
        "Brian2's exact integration starts from the steady state, and these equations have none"),
    "equal rates": (
        LINEAR, {"tau": "5 ms"},
        "Brian2's exact integration divides by the difference of two rates that are equal here (another time constant, by "
        "0.1 %, helps): v and x"),
    "several draws": (
        {"dynamics": "v[n+1] = normal() + normal() : 1"}, {},
        "snnsim hands its random numbers over to brian2, one of a kind for each unit and step; this model draws more: "
        "normal()"),
    "names": (
        {"dynamics": "_v[n+1] = _v : 1"}, {},
        "Brian2 takes names of ASCII letters, digits and _ that do not begin with _, and this is another: _v"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_named(case: str) -> None:
    """Place and reason of what Brian2 cannot express, before anything is built."""
    document, params, reason = REFUSED[case]
    net = sn.Network(seed=1, precision="double")
    net.model("own", document)
    net.population("cells", 2, "own", **params)
    with pytest.raises(InputError) as error:
        sn.compile(net, backend="brian2")
    assert str(error.value) == f"populations.cells.model: own: {reason}"


def test_the_ledger_is_in_the_docs() -> None:
    """Every row stands in docs/design/brian2.md, no other does, and it has a test above."""
    from snnsim.backends.brian2.ledger import LEDGER

    page = (Path(__file__).parents[2] / "docs" / "design" / "brian2.md").read_text(encoding="utf-8")
    rows = page.split("\n## The ledger\n")[1].split("\n## ")[0].split("|---|---|\n")[1].split("\n\n")[0].splitlines()
    assert [row.split(" | ")[0].removeprefix("| ").split(" (`")[0] for row in rows] == list(LEDGER)
    assert len(LEDGER) == len(REFUSED)


def test_which_built_in_models_are_refused() -> None:
    """Only those that are tested for spikes in sub-steps, and those in whole numbers."""
    from snnsim.models import builtin, builtin_names

    refused = []
    for name in builtin_names():
        net = sn.Network(seed=1)
        net.population("cells", 1, name, **({"times": {0: ["1 ms"]}} if name == "spike_times" else {}))
        if backends()["brian2"].refuses(make_plan(net)):
            refused.append(name)
    assert refused == [name for name in builtin_names()
                       if builtin(name).whole or "spike_test" in str(builtin(name).document.get("integrate", ""))]
