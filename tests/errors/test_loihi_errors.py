"""The full text of what the backend of a chip refuses, each with its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

import snnsim as sn
from snnsim import registry
from snnsim.errors import InputError
from snnsim.lowering import make_plan


def chip(**settings: object) -> sn.Network:
    """Two neurons of a chip that excite each other."""
    net = sn.Network(dt="1 ms")
    net.population("a", 2, "loihi_lif")
    net.project("a", "a", sn.all_to_all(), weight=10, **settings)
    return net


def real_neurons() -> sn.Network:
    """One population of real numbers beside the chip's."""
    net = chip()
    net.population("b", 2, "lif_psc_exp")
    return net


def coupled() -> sn.Network:
    """Two populations that a chip knows nothing of."""
    net = real_neurons()
    net.project("b", "b", sn.all_to_all(), weight="1 nS", coupling="gap_junction")
    return net


def onto_the_host() -> sn.Network:
    """Spikes that leave the chip."""
    net = chip()
    net.population("relay", 2, "relay")
    net.project("a", "relay", sn.one_to_one(), weight=1)
    return net


def of_both_chips() -> sn.Network:
    """The arithmetic of two chips in one network."""
    net = chip()
    net.population("old", 2, "loihi1_lif")
    net.project("a", "old", sn.all_to_all(), weight=10)
    return net


def signed(model: str) -> sn.Network:
    """Messages with a sign onto a projection that takes each as 1."""
    net = chip()
    net.population("source", 2, model)
    net.project("source", "a", sn.all_to_all(), weight=10)
    return net


FAULTS: list[tuple[Callable[[], sn.Network], str]] = [
    (real_neurons,
     "populations.b.model: lif_psc_exp computes in real numbers, expected a fixed-point model such as loihi_lif; "
     "`snnsim deploy` or sn.quantize makes whole numbers of it"),
    (lambda: chip(delay="70 ms"), "projections.a->a: expected delays from 1 to 63 steps, found 70 to 70"),
    (lambda: chip(delay={"uniform": ["1 ms", "4 ms"]}, weight_exp=-2),
     "projections.a->a: Lava shifts the sum of each delay by itself where weight_exp is below 0; give each delay a "
     "projection of its own, or a weight_exp of at least 0"),
    *((partial(signed, model),
       f"projections.source->a: {model} sends negative messages, and with num_message_bits: 0 each counts as +1; "
       "expected num_message_bits from 1 to 24")
      for model in ("loihi_ternary_lif", "loihi_sigma_delta", "loihi_graded", "loihi_product")),
    (onto_the_host, "projections.a->relay: its target is a relay, which the host plays; expected one on the chip"),
    (of_both_chips, "projections.a->old: its target follows Loihi 1 and others follow Lava 0.10; expected one of them"),
    (coupled,
     "populations.b.model: lif_psc_exp computes in real numbers, expected a fixed-point model such as loihi_lif; "
     "`snnsim deploy` or sn.quantize makes whole numbers of it\n"
     "projections.b->b: gap_junction: a chip has no continuous couplings"),
]


@pytest.mark.parametrize(("make", "message"), FAULTS, ids=range(len(FAULTS)))
def test_what_no_chip_does(make: Callable[[], sn.Network], message: str) -> None:
    """All of it at once, before anything is computed."""
    refused = registry.backends()["loihi"].refuses(make_plan(make()))
    assert "\n".join(map(str, refused)) == message


@pytest.mark.parametrize("model", ["loihi_lif", "loihi_graded_relu", "loihi_rf"])
def test_messages_without_a_sign(model: str) -> None:
    """They may count as 1."""
    assert registry.backends()["loihi"].refuses(make_plan(signed(model))) == []


def test_a_network_that_cannot_be_quantised() -> None:
    """The backend tries, and says what stands in the way."""
    net = sn.Network(dt="1 ms")
    net.population("a", 2, "hodgkin_huxley")
    with pytest.raises(InputError) as caught:
        sn.run(net, "10 ms", backend="loihi")
    assert str(caught.value).startswith("populations.a.model: hodgkin_huxley is no LIF neuron of a chip: ")


@pytest.mark.parametrize("where", ["gpu", "cpu:1", ""])
def test_engines_that_there_are_not(where: str) -> None:
    """The emulator runs on two engines."""
    with pytest.raises(InputError) as caught:
        sn.run(chip(), "10 ms", backend=f"loihi:{where}")
    assert str(caught.value) == f"backend: expected one of cpu and cupy (or cupy:1, ...) after loihi:, found {where!r}"
