"""Learning synapses are those of Lava 0.10, in every step: tools/make_lava_learning.py wrote what Lava did."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lava_learning import answers, assert_as_lava, cases, find, of, run
from snnsim.errors import InputError
from snnsim.loihi_parse import read_rules


def named(case: Any) -> str | None:
    return f"{case['rule']}-{case['t_epoch']}" if isinstance(case, dict) else None


@pytest.mark.parametrize(("number", "case"), cases(networks=False), ids=named)
def test_given_spikes(number: int, case: dict[str, Any]) -> None:
    """The reference has Lava's weights in each step, and its traces and tags at the end, for every rule and epoch."""
    assert_as_lava(number, run(number, "reference"))


@pytest.mark.parametrize(("number", "case"), cases(networks=True), ids=named)
@pytest.mark.parametrize(("backend", "threads"), [("reference", None), ("cpu", 1), ("cpu", 2)])
def test_networks(number: int, case: dict[str, Any], backend: str, threads: int | None) -> None:
    """Neurons that learn among themselves spike as Lava's do over 1000 steps, with each way to shift weights."""
    found = run(number, backend, threads, dense=case["share"] == 1)
    assert np.array_equal(of(number, "spikes"), found.spikes) and len(found.spikes) > 300
    assert_as_lava(number, found)


# What is compiled depends on the rule, on whether an epoch is one step, and on whether all pairs have a synapse.
COMPILED = [("triplet", 1, False), ("three", 1, True), ("pair", 2, True), ("tagged", 3, False), ("wrapping", 2, False),
            ("own_side", 3, True)]
MORE = [("pair", 1, True), ("constants", 1, False), ("coincident", 1, True), ("inhibitory", 1, False), ("pair", 4, True),
        ("tagged", 4, False), ("coincident", 4, True), ("short", 2, False), ("decaying", 3, False)]


@pytest.mark.parametrize(("rule", "epoch", "dense"), [
    *COMPILED, *(pytest.param(*case, marks=pytest.mark.long) for case in MORE)])
def test_compiled_loops(rule: str, epoch: int, dense: bool) -> None:
    """So do the loops of the cpu backend, on one to three threads, with lists of synapses and without."""
    number = find(rule, epoch)
    assert_as_lava(number, run(number, "cpu", 1 + number % 3, dense))


# Lava drops the minus and the name in brackets, takes any operator for a plus, overlooks what it cannot place.
REFUSED = {"(-w)*x0", "sgn(-w)*x0", "x0*(w*2)", "x0*(w+2+3)", "2x0x1", "x0 x1", "x0**w", "u10*x1", "x0*(2^-1+w)", "x0*(x0)",
           "x0*(w+300)"}


def test_rules_are_read_as_lava_reads_them() -> None:
    """Of rules drawn at random each product is Lava's, or both refuse; what Lava reads in an odd way is refused."""
    read = 0
    for text, expected in answers()["texts"]:
        try:
            products = read_rules({"dw": text}).products["w"]
        except InputError:
            odd = any(f"({name})" in text for name in ("x0", "y0", "u0", "u3"))
            assert expected is None or text in REFUSED or odd, text
            continue
        found = [[p.when, p.mantissa, p.left, [[f.name, f.constant, f.sign] for f in p.factors]] for p in products]
        assert expected == found, text
        read += 1
    assert read > 150
