"""Continuous couplings: every backend gives the spikes and states of ``reference``, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn

OWN: dict[str, Any] = {
    "kind": "coupling", "parameters": {"gain": 2, "half": "5 mV"}, "variable": "v",
    "adds": "w*(pre - post)/(1 + abs(pre - post)/half) if pre > post else w*gain*(pre - post)",
}
CONNECT = {"indegree": sn.fixed_indegree(4), "pairwise": sn.pairwise(0.2), "one_to_one": sn.one_to_one(),
           "all_to_all": sn.all_to_all(autapses=False)}


def cells(precision: str) -> sn.Network:
    """Cells with noise, and some that are quiet."""
    net = sn.Network(dt="0.1 ms", seed=6, precision=precision)
    net.model("rectifying", OWN)
    net.population("a", 21, "lif_psc_exp", t_ref="1 ms", init={"v": {"uniform": ["-70 mV", "-56 mV"]}})
    net.population("b", 21, "lif_psc_delta", v_rest={"uniform": ["-1 mV", "1 mV"]})
    net.input("noise", type="poisson", rate="10 kHz", to="a", weight="90 pA")
    return net


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("rule", CONNECT)
def test_gap_junctions(agree: Callable[..., int], rule: str, precision: str) -> None:
    """By every kind of rule, within a population and between two, with weights of their own, beside spikes and noise."""
    def make() -> sn.Network:
        net = cells(precision)
        net.project("a", "a", CONNECT[rule], weight={"uniform": ["0.1 nS", "2 nS"]}, coupling="gap_junction")
        net.project("a", "a", sn.fixed_indegree(3), weight="100 pA", delay="1.2 ms")
        net.project("a", "b", CONNECT[rule], weight="1 nS", coupling="rectifying")
        return net

    assert agree(make, "20 ms", key=("gap", rule, precision)) > 20


@pytest.mark.parametrize("model", ["chialvo", "rulkov", "rulkov_nonchaotic"])
def test_maps(agree: Callable[..., int], model: str) -> None:
    """Maps on a lattice that diffuse, with two couplings onto one input and noise on it."""
    def make() -> sn.Network:
        net = sn.Network(dt="1 ms", seed=2)
        net.population("map", 36, model, init={"x": {"uniform": [0.0, 0.5]}}, positions={"grid": [6, 6], "spacing": "1 um"})
        near = sn.distance({"disc": {"p0": 1.0, "radius": "1.1 um"}}, "periodic", autapses=False)
        net.project("map", "map", near, weight=0.03, coupling={"model": "diffusive", "variable": "x"})
        net.project("map", "map", sn.fixed_indegree(2), weight={"normal": {"mean": 0.0, "sd": 0.01}},
                    coupling={"model": "diffusive", "variable": "x", "input": "coupling"})
        net.input("noise", type="noise", to="map", sd=0.02)
        return net

    assert agree(make, "150 ms", key=("maps", model)) > 5


def test_plastic_and_coupled(agree: Callable[..., int]) -> None:
    """Both in one network: a coupling bounds how long threads may go on without a meeting."""
    def make() -> sn.Network:
        net = cells("single")
        net.project("a", "a", sn.fixed_indegree(3), weight="1 nS", coupling="gap_junction")
        net.project("a", "a", sn.fixed_indegree(3), weight="60 pA", delay="1.5 ms", name="it",
                    synapse={"model": "stdp_pair", "params": {"w_max": "120 pA"}})
        net.record(weights={"course": {"projection": "it", "every": "1 ms"}})
        return net

    assert agree(make, "20 ms") > 20


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_run_in_pieces_is_one_run(backend: str, tmp_path: Path) -> None:
    """Saved in the middle and resumed, coupled cells go on as if nothing had been."""
    def program() -> sn.Program:
        net = cells("single")
        net.project("a", "a", sn.fixed_indegree(4), weight="2 nS", coupling="gap_junction")
        return sn.compile(net, backend=backend)

    whole, half = program(), program()
    whole.run("10 ms")
    half.run("0.1 ms")
    half.run("4.5 ms")
    half.save(tmp_path / "state.ckpt")
    rest = sn.resume(tmp_path / "state.ckpt", backend=backend)
    rest.run("5.4 ms")
    for state in whole["a"]:
        assert np.array_equal(whole["a"][state], rest["a"][state]), state
    assert whole.counts.tolist() == rest.counts.tolist()
    assert whole.counts.sum() > 0
