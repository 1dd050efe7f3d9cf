"""Learning synapses of Loihi: what is read, what is drawn, and runs in pieces on the reference and the cpu backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from lava_learning import CASES, TAGGED, find, network_of_chips, run
from snnsim.lowering import make_plan
from snnsim.loihi_learning import Learning
from snnsim.loihi_parse import read_rules
from snnsim.loihi_rules import Factor, Product, Rules

# --- what is read ------------------------------------------------------------------------------------------------------

def test_a_rule_is_read() -> None:
    """Products in their order, with scale, constants and signs."""
    rules = read_rules({"dw": "-(3*2^2)*x1*y0 + 16*u2*(5 - w)*sgn(t + 1)", "dd": "", "dt": "x0*x0"})
    weight = (Product("y0", -3, 2, (Factor("x1"),)), Product("u", -4, 2, (Factor("w", -5), Factor("t", 1, True))))
    assert rules == Rules({"w": weight, "t": (Product("x0", 1, 0, (Factor("x0"),)),)}, 4)
    assert [(p.right, p.left) for p in weight] == [(0, 9), (7, 9)]


def test_a_network_comes_back_from_yaml() -> None:
    """Also with tags that differ between synapses."""
    net = network_of_chips(sn.all_to_all(), TAGGED, sign_mode="mixed", weight_exp=-1)
    net.project("noise", "cells", sn.pairwise(0.3), weight=3, synapse={
        "model": "loihi_learning", "params": {"dw": "u0*d"}, "init": {"tag_1": -4, "tag_2": {"uniform": [0, 9]}}})
    text = net.to_yaml()
    assert "dw: 2^-2*u1*t*x1" in text
    assert net == sn.loads(text)


def test_only_what_matters_is_kept() -> None:
    """Traces and tags that no rule reads or changes take no memory and no time."""
    learning = make_plan(network_of_chips(params=TAGGED)).projections[0].learning
    assert learning is not None
    assert (learning.states, learning.traces) == (("w", "tag_1"), ("x1", "y1"))


# --- what is drawn -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("epoch", [1, 3])
def test_random_numbers_are_those_of_numpy(epoch: int) -> None:
    """Step by step or many at once, from any step on, they are what one generator after the other would give."""
    learning = Learning({}, read_rules({"dw": "x0"}), {}, {}, epoch, 5)
    rows = np.array(list(_one_by_one(epoch, 5, 60)))
    for first, steps in ((1, 60), (1, 1), (17, 9), (60, 1)):
        draws = np.stack([np.asarray(column, float) for column in learning.draws(first, steps)], axis=1)
        expected = rows[first - 1 : first - 1 + steps]
        assert np.array_equal(expected[:, :5], draws[:, :5])
        ends = (np.arange(first, first + steps) % epoch) == 0
        assert np.array_equal(expected[ends, 5], draws[ends, 5])


def _one_by_one(epoch: int, seed: int, steps: int) -> Any:
    """As Lava draws: all of them once before the first step, and twice in each."""
    kinds = [np.random.default_rng(seed + k) for k in range(4)]
    rounding = np.random.default_rng(2)
    drawn, latest = [_draw(kinds, k) for k in range(4)], rounding.random(1)[0]
    for step in range(1, steps + 1):
        again = [_draw(kinds, k) for k in range(4)][3]
        drawn = [_draw(kinds, k) for k in range(4)]
        latest = rounding.random(1)[0] if step % epoch == 0 else latest
        yield [*drawn, again, np.floor(128 * latest)]


def _draw(kinds: list[np.random.Generator], k: int) -> float:
    return float(kinds[k].integers(0, 128, size=1)[0] if k % 2 else kinds[k].random(1)[0])


# --- runs --------------------------------------------------------------------------------------------------------------

def changed(program: sn.Program) -> dict[str, np.ndarray]:
    """All that a checkpoint holds."""
    states = {state: program["cells"][state] for state in program["cells"]}
    return states | learned(program.engine) | {"counts": program.counts}


def learned(engine: Any) -> dict[str, np.ndarray]:
    """What changes in the first projection, as it is now: columns are read when they are asked for."""
    return {name: np.asarray(values) for name, values in engine.plasticity(0).items()}


def assert_equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert np.array_equal(values, other[name]), name


def ran(net: sn.Network, backend: str, threads: int | None, *steps: int) -> sn.Program:
    program = sn.compile(net, backend=backend, threads=threads)
    for count in steps:
        program.run_steps(count)
    return program


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [("reference", "cpu"), ("cpu", "reference"), ("cpu", "cpu")])
@pytest.mark.parametrize("case", [0, 1])
def test_a_run_in_pieces_is_one_run(case: int, first: str, second: str, tmp_path: Path) -> None:
    """Saved in the middle of an epoch and resumed elsewhere."""
    connect, params, source = CASES[case]
    expected = changed(ran(network_of_chips(connect, params, source), "reference", None, 100))
    half = ran(network_of_chips(connect, params, source), first, None, 1, 46)
    half.save(tmp_path / "state.ckpt")
    rest = sn.resume(tmp_path / "state.ckpt", backend=second)
    assert_equal(changed(half), changed(rest))
    rest.run_steps(53)
    assert_equal(expected, changed(rest))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_chunk_can_be_taken_back(backend: str) -> None:
    """Restored to a snapshot, the same happens again."""
    engine = ran(network_of_chips(*CASES[1]), backend, None, 40).engine
    saved = engine.snapshot()
    engine.advance(35)
    once = learned(engine)
    engine.restore(saved)
    engine.advance(20)
    engine.advance(15)
    assert_equal(once, learned(engine))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_weights_and_tags_can_be_read(backend: str) -> None:
    """With the pairs that they belong to, in order, and as recorded."""
    net = network_of_chips(*CASES[1])
    program = sn.compile(net, backend=backend)
    before = program.weights("learns")
    program.run_steps(98)
    after = program.weights("learns")
    assert list(after) == ["source", "target", "weight", "delay", "tag_1"]
    assert np.array_equal(np.arange(196), after["source"] * 14 + after["target"])
    assert (before["weight"] % 2 == 0).all() and not np.array_equal(before["weight"], after["weight"])
    assert np.any(after["weight"] % 2) and set(after["delay"]) == {1.0}
    recorded = sn.run(net, "98 ms", backend=backend).weights("w")
    assert np.array_equal(recorded.values[-1], after["weight"]) and recorded.values.shape == (14, 196)


def test_pairs_that_lack_a_synapse_do_not_learn() -> None:
    """The dense and the sparse form of a case that Lava ran give the same where there are synapses."""
    number = find("pair", 2)
    dense, sparse = (run(number, "cpu", 2, each) for each in (True, False))
    assert np.array_equal(dense.checks, sparse.checks)
    assert np.array_equal(dense.last["w"], sparse.last["w"])


def test_nothing_to_learn() -> None:
    """A projection without synapses, and threads without targets."""
    net = network_of_chips({"rule": "explicit", "source": [], "target": []})
    assert (ran(net, "cpu", 2, 50).engine.synapses, ran(net, "reference", None, 50).done) == (0, 50)
    expected = changed(ran(network_of_chips({"rule": "explicit", "source": [3], "target": [2]}), "reference", None, 60))
    assert_equal(expected, changed(ran(network_of_chips({"rule": "explicit", "source": [3], "target": [2]}), "cpu", 3, 60)))
