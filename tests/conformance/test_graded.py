"""Spikes with payloads: every backend gives the spikes, payloads and states of ``reference``, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from graded import KINDS, OneHot, learning, mixed, without_delay

import snnsim as sn
from snnsim.recording import Recorder


@pytest.mark.parametrize("precision", ["single", "double"])
def test_graded_and_binary_populations(agree: Callable[..., int], precision: str) -> None:
    """Payloads multiply weights where a projection says so; elsewhere each spike counts as 1, of float targets, too."""
    assert agree(partial(mixed, precision), "60 ms", key=("mixed", precision)) > 2000


@pytest.mark.parametrize("kind", KINDS)
def test_bundles(agree: Callable[..., int], kind: str) -> None:
    """Constant weights, weights of 16 bits and more, delays of many steps."""
    assert agree(lambda: OneHot(kind).net, f"{OneHot.steps} ms", key=("bundle", kind)) > OneHot.n


def test_chain_without_delay(agree: Callable[..., int]) -> None:
    """Payloads act in the step in which they are sent."""
    assert agree(without_delay) > 300


def test_plastic_synapses(agree: Callable[..., int]) -> None:
    """A spike is one event of a plastic synapse and of a modulator, whatever it carries."""
    assert agree(learning, "30 ms") > 200


# --- pieces, checkpoints ---------------------------------------------------------------------------------------------

PLACES = [("reference", None, "reference", None), ("cpu", 2, "cpu", 3), ("cpu", 3, "reference", None),
          ("reference", None, "cpu", 1)]


@pytest.mark.parametrize(("first", "threads", "second", "others"), PLACES, ids=lambda place: str(place))
def test_a_run_in_pieces_is_one_run(
    first: str, threads: int | None, second: str, others: int | None, tmp_path: Path
) -> None:
    """Saved in the middle and resumed, also elsewhere: what is under way, and what it carries, arrives all the same."""
    whole = sn.compile(mixed(), backend="reference")
    whole.run("40 ms")
    half = sn.compile(mixed(), backend=first, threads=threads)
    half.run("0.3 ms")
    half.run("17.4 ms")
    half.save(tmp_path / "state.ckpt")
    rest = sn.resume(tmp_path / "state.ckpt", backend=second, threads=others)
    for one, other in zip(half.engine.history(), rest.engine.history(), strict=True):
        np.testing.assert_array_equal(one, other)
    rest.run("22.3 ms")
    for name in whole.net.populations:
        for state in whole[name]:
            np.testing.assert_array_equal(whole[name][state], rest[name][state], str((name, state)))
    assert whole.counts.tolist() == rest.counts.tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_every_bundle_is_resumed(kind: str, threads: int, tmp_path: Path) -> None:
    """Payloads under way through each kind of bundle, saved after half of the spikes."""
    half = sn.compile(OneHot(kind).net, backend="cpu", threads=threads)
    half.run("50 ms")
    half.save(tmp_path / "state.ckpt")
    rest = sn.resume(tmp_path / "state.ckpt", backend="cpu", threads=3 - threads)
    recorder = Recorder(rest.recording_plan({}))
    rest.run(f"{OneHot.steps - 50} ms", recorder)
    np.testing.assert_array_equal(recorder.close().trace("target", "got").data, OneHot(kind).expected[50:])
