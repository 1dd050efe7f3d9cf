"""Continuous couplings: every backend gives the spikes and states of ``reference``, bit for bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from coupled import CONNECT, cells, gap_junctions, maps

import snnsim as sn


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("rule", CONNECT)
def test_gap_junctions(agree: Callable[..., Counter[str]], rule: str, precision: str) -> None:
    """By every kind of rule, within a population and between two, with weights of their own, beside spikes and noise."""
    assert agree(lambda: gap_junctions(rule, precision), "20 ms", key=("gap", rule, precision)).total() > 20


@pytest.mark.parametrize("model", ["chialvo", "rulkov", "rulkov_nonchaotic"])
def test_maps(agree: Callable[..., Counter[str]], model: str) -> None:
    """Maps on a lattice that diffuse, with two couplings onto one input and noise on it."""
    assert agree(lambda: maps(model), "150 ms", key=("maps", model)).total() > 5


def test_plastic_and_coupled(agree: Callable[..., Counter[str]]) -> None:
    """Both in one network: a coupling bounds how long threads may go on without a meeting."""
    def make() -> sn.Network:
        net = cells("single")
        net.project("a", "a", sn.fixed_indegree(3), weight="1 nS", coupling="gap_junction")
        net.project("a", "a", sn.fixed_indegree(3), weight="60 pA", delay="1.5 ms", name="it",
                    synapse={"model": "stdp_pair", "params": {"w_max": "120 pA"}})
        net.record(weights={"course": {"projection": "it", "every": "1 ms"}})
        return net

    assert agree(make, "20 ms").total() > 20


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
