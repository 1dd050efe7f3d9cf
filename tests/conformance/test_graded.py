"""Spikes with payloads: every backend gives the spikes, payloads and states of ``reference``, bit for bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from graded import KINDS, LEAKY, OneHot, learning, mixed, network, without_delay

import snnsim as sn
from snnsim.errors import NumericalError
from snnsim.lowering import make_plan
from snnsim.program import Program
from snnsim.recording import Recorder

from .conftest import CLOSE, backend_of


@pytest.mark.parametrize("precision", ["single", "double"])
def test_graded_and_binary_populations(agree: Callable[..., Counter[str]], precision: str) -> None:
    """Payloads multiply weights where a projection says so; elsewhere each spike counts as 1, of float targets, too."""
    assert agree(partial(mixed, precision), "60 ms", key=("mixed", precision)).total() > 2000


@pytest.mark.parametrize("kind", KINDS)
def test_bundles(agree: Callable[..., Counter[str]], kind: str) -> None:
    """Constant weights, weights of 16 bits and more, delays of many steps."""
    assert agree(lambda: OneHot(kind).net, f"{OneHot.steps} ms", key=("bundle", kind)).total() > OneHot.n


def test_chain_without_delay(agree: Callable[..., Counter[str]]) -> None:
    """Payloads act in the step in which they are sent."""
    assert agree(without_delay).total() > 300


def test_plastic_synapses(agree: Callable[..., Counter[str]]) -> None:
    """A spike is one event of a plastic synapse and of a modulator, whatever it carries."""
    assert agree(learning, "30 ms").total() > 200


@pytest.mark.parametrize(("factor", "found"), [(4, "40000000 in step 6 (t = 6 ms)"), (500, "more than 31 bits in step 6 (t = 6 ms)")])
def test_a_payload_of_too_many_bits(other: tuple[str, int | None], factor: int, found: str) -> None:
    """The run ends with the same words everywhere."""
    if other[0] in CLOSE:
        pytest.skip(f"{other[0]} computes in real numbers")
    net = network()
    net.population("first", 3, "once", value=[5, 10**7, -3], when=[1, 4, 2])
    net.model("grow", {**LEAKY, "dynamics": "x[n+1] = a*factor : 1", "spike": "x != 0", "send": "x",
                       "parameters": {"factor": {"default": factor, "must_be": "whole"}}})
    net.population("second", 3, "grow")
    net.project("first", "second", sn.one_to_one(), weight=1, delay="2 ms", num_message_bits=24)
    program = Program(net, make_plan(net), backend_of(other[0]), other[1])
    with pytest.raises(NumericalError) as caught:
        program.run("20 ms")
    assert str(caught.value) == (f"population second, unit 1 sent {found}, expected -16777215 to 16777215: a payload has "
                                 "24 bits and a sign")


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
