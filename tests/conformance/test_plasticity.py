"""Plastic projections: every backend gives the spikes, weights, states and records of ``reference``, bit for bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from learning import NETWORKS, RULES, TIES, driven, learning, mixed, played, repeated, several, sparse, taught

import snnsim as sn
from snnsim.models import synapse_names
from snnsim.recording import Recorder

from .conftest import changes, weights


def test_every_rule_is_in_a_network() -> None:
    """No built-in model is left out below."""
    assert sorted(RULES) == sorted(name for names in NETWORKS for name in names)
    assert {rule["model"] for _, _, rule in RULES.values()} == {*synapse_names(), "own"} - {"static"}


@pytest.mark.parametrize(("number", "precision"), [
    (0, "single"), (1, "single"), (2, "single"), (3, "single"), (2, "double"),
    *(pytest.param(number, "double", marks=pytest.mark.long) for number in (0, 1, 3))])
def test_rules(agree: Callable[..., Counter[str]], number: int, precision: str) -> None:
    """Every rule in a network that spikes on both sides, with other delays, ties and connections in each precision."""
    def make() -> sn.Network:
        return learning(driven(precision), NETWORKS[number], number + 2 * (precision == "double"))

    assert agree(make, "20.1 ms", key=("rules", number, precision)).total() > 50


@pytest.mark.parametrize("tie", TIES)
def test_several_spikes_in_a_step(agree: Callable[..., Counter[str]], tie: str) -> None:
    """Each spike of a step counts on both sides: sources are Poisson populations, targets relays of what arrives."""
    assert agree(lambda: several(tie), "10 ms", key=("several", tie)).total() > 500


def test_one_to_one_autapses_and_repeated_pairs(agree: Callable[..., Counter[str]]) -> None:
    """Synapses of a unit onto itself, and two of the same pair with the same delay, are told apart by their order."""
    assert agree(repeated, "20 ms").total() > 50


def test_synapses_onto_given_spikes(agree: Callable[..., Counter[str]]) -> None:
    """A target that plays a list receives nothing, but the rule runs."""
    assert agree(played, "10 ms").total() > 50


def test_populations_smaller_than_threads_and_rules_without_synapses(agree: Callable[..., Counter[str]]) -> None:
    """Nothing to learn, or only at one unit: some threads, some targets or a whole projection have no synapses."""
    assert agree(sparse, "10 ms").total() > 20


def test_plastic_and_static_spikes_arrive_together(agree: Callable[..., Counter[str]]) -> None:
    """Weights of a port have one quantum, whoever sends them; a port may be reached by plastic synapses alone."""
    assert agree(mixed, "20 ms").total() > 50


# --- pieces, checkpoints, recordings -----------------------------------------------------------------------------------

def ran(net: sn.Network, backend: str, threads: int | None, *durations: str) -> sn.Program:
    program = sn.compile(net, backend=backend, threads=threads)
    for duration in durations:
        program.run(duration)
    return program


def assert_same(one: sn.Program, other: sn.Program) -> None:
    """All that a checkpoint holds is equal."""
    for name in one.net.populations:
        for state in one[name]:
            assert np.array_equal(one[name][state], other[name][state]), (name, state)
    for place, values in changes(one).items():
        assert np.array_equal(values, changes(other)[place]), place


PLACES = [("reference", None, "reference", None), ("cpu", 2, "cpu", 3), ("cpu", 3, "reference", None),
          ("reference", None, "cpu", 2)]


@pytest.mark.parametrize(("first", "threads", "second", "others"), PLACES, ids=lambda place: str(place))
@pytest.mark.parametrize("number", [0, 2])
def test_a_run_in_pieces_is_one_run(
    number: int, first: str, threads: int | None, second: str, others: int | None, tmp_path: Path
) -> None:
    """Saved in the middle and resumed, also elsewhere: weights, traces, what is under way and spikes are those of one run."""
    def make() -> sn.Network:
        return learning(driven(), NETWORKS[number], number)

    whole = ran(make(), "reference", None, "20.1 ms")
    half = ran(make(), first, threads, "0.1 ms", "9.4 ms")
    half.save(tmp_path / "state.ckpt")
    rest = sn.resume(tmp_path / "state.ckpt", backend=second, threads=others)
    assert_same(half, rest)
    rest.run("10.6 ms")
    assert_same(whole, rest)
    assert whole.counts.tolist() == rest.counts.tolist()


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_modulator_that_is_an_output_is_resumed(backend: str, tmp_path: Path) -> None:
    """What a rule listens to may be an output of a population, which is no state."""
    whole = ran(taught(), "reference", None, "10 ms")
    half = ran(taught(), backend, None, "5 ms")
    half.save(tmp_path / "state.ckpt")
    rest = sn.resume(tmp_path / "state.ckpt", backend=backend)
    rest.run("5 ms")
    assert_same(whole, rest)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_recordings_do_not_depend_on_pieces(backend: str, tmp_path: Path) -> None:
    """Records of weights in pieces of a few steps, in memory or in a file, are those of one piece."""
    def recorded(steps: list[int], out: Path | None) -> dict[tuple[str, str], np.ndarray]:
        program = sn.compile(learning(driven(), NETWORKS[1], 1), backend=backend)
        recorder = Recorder(program.recording_plan({}), out)
        for piece in steps:
            program.run_steps(piece, recorder)
        return weights(recorder.close())

    expected = recorded([100], None)
    assert len(expected["own_sent", "values"]) > 50
    for found in (recorded([1, 6, 7, 50, 36], None), recorded([64, 36], tmp_path / "out.h5")):
        assert expected.keys() == found.keys()
        for place, values in expected.items():
            assert np.array_equal(values, found[place]), place
