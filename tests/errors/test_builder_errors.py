"""Faults of networks that come from a builder: each message with its place."""

from __future__ import annotations

import pytest

from snnsim.config import loads
from snnsim.errors import InputError
from snnsim.networks import microcircuit

FILE = """\
snnsim: 1
name: net
network:
  builder: microcircuit
  scale: 0.01
record: {spikes: [L4E]}
"""
OPTIONS = "drive, initial, k_scaling, n_scaling, rates, scale, thalamus"
PARAMETERS = "c_m, i_e, t_ref, tau_m, tau_syn, v_reset, v_rest, v_th"


@pytest.mark.parametrize(("old", "new", "message"), [
    ("scale: 0.01", "scale: 0", "net.yaml:5: network.scale: expected a number above 0, found 0"),
    ("scale: 0.01", "scale: -1.5", "net.yaml:5: network.scale: expected a number above 0, found -1.5"),
    ("scale: 0.01", "scale: 2", "net.yaml:5: network.scale: expected at most 1, found 2"),
    ("scale: 0.01", "scale: .nan", "net.yaml:5: network.scale: expected a finite number, found nan"),
    ("scale: 0.01", "scale: true", "net.yaml:5: network.scale: expected a number, found true"),
    ("scale: 0.01", "scale: full", "net.yaml:5: network.scale: expected a number, found the text 'full'"),
    ("scale: 0.01", "scale: 0.0001",
     "net.yaml:5: network.scale: expected at least 0.00047, so that every population has a neuron, found 0.0001"),
    ("scale: 0.01", "n_scaling: 0.0001",
     "net.yaml:5: network.n_scaling: expected at least 0.00047, so that every population has a neuron, found 0.0001"),
    ("scale: 0.01", "scal: 1",
     f"net.yaml:5: network.scal: unknown key 'scal'; expected one of: {OPTIONS} (did you mean scale?)"),
    ("scale: 0.01", "drive: pois",
     "net.yaml:5: network.drive: expected 'poisson' or 'dc', found the text 'pois' (did you mean poisson?)"),
    ("scale: 0.01", "thalamus: 1", "net.yaml:5: network.thalamus: expected true or false, found 1"),
    ("builder: microcircuit", "builder: microcircut",
     "net.yaml:4: network.builder: unknown builder 'microcircut'; expected one of: microcircuit (did you mean microcircuit?)"),
    ("builder: microcircuit", "builder: microcircuit_activity",
     "net.yaml:4: network.builder: unknown builder 'microcircuit_activity'; expected one of: microcircuit "
     "(did you mean microcircuit?)"),
    ("builder: microcircuit", "builder: ../microcircuit",
     "net.yaml:4: network.builder: unknown builder '../microcircuit'; expected one of: microcircuit "
     "(did you mean microcircuit?)"),
    ("builder: microcircuit", "builder: 3", "net.yaml:4: network.builder: expected the name of a builder, found 3"),
    ("  builder: microcircuit\n", "", "net.yaml:3: network: missing key 'builder'; expected one of: microcircuit"),
    ("network:\n  builder: microcircuit\n  scale: 0.01", "network: microcircuit",
     "net.yaml:3: network: expected a mapping with the key 'builder', found the text 'microcircuit'"),
    ("record:", "origin: 3\nrecord:", None),
    ("record:", "populations: {L4E: {params: {tau: 5 ms}}}\nrecord:",
     "net.yaml:6: populations.L4E.params.tau: unknown parameter of lif_psc_exp_one 'tau'; "
     f"expected one of: {PARAMETERS} (did you mean tau_m?)"),
])
def test_fault(old: str, new: str, message: str | None) -> None:
    """File and line of the option, or of what the file says itself; the origin of such a file is never its own."""
    assert old in FILE
    if message is None:
        loads(FILE.replace(old, new), file="net.yaml")
        return
    with pytest.raises(InputError) as caught:
        loads(FILE.replace(old, new), file="net.yaml")
    assert str(caught.value) == message


def test_every_fault_of_the_options_comes_at_once() -> None:
    """Each with its line."""
    with pytest.raises(InputError) as caught:
        loads(FILE.replace("scale: 0.01", "scale: 0\n  drive: ac"), file="net.yaml")
    assert str(caught.value).splitlines() == [
        "net.yaml:5: network.scale: expected a number above 0, found 0",
        "net.yaml:6: network.drive: expected 'poisson' or 'dc', found the text 'ac' (did you mean dc?)",
    ]


@pytest.mark.parametrize(("override", "message"), [
    ("network.scale=0", "--set network.scale=0: network.scale: expected a number above 0, found 0"),
    ("network.scal=1", "--set network.scal=1: network.scal: unknown key 'scal'; "
                       f"expected one of: {OPTIONS} (did you mean scale?)"),
    ("network.scale.x=1", "--set network.scale.x=1: network.scale.x: no such path: network.scale is no mapping"),
    ("network=3", "--set network=3: network: expected a mapping with the key 'builder', found 3"),
    ("populations.L4F.n=3", "--set populations.L4F.n=3: populations.L4F.n: no such path: populations has L23E, L23I, L4E, "
                            "L4I, L5E, L5I, L6E, L6I (did you mean populations.L4I.n?)"),
])
def test_override(override: str, message: str) -> None:
    """Faults of ``--set`` name it."""
    with pytest.raises(InputError) as caught:
        loads(FILE, overrides=[override], file="net.yaml")
    assert str(caught.value) == message


def test_a_fault_in_a_built_part_stands_where_the_builder_is_named() -> None:
    """What the file does not say itself has the line of ``network:``."""
    with pytest.raises(InputError) as caught:
        loads(FILE + "models: {lif_psc_exp_one: {parameters: {tau_m: 1 pA}}}\n", file="net.yaml")
    assert str(caught.value).splitlines()[0].startswith("net.yaml:")


def test_origin_is_a_mapping() -> None:
    """In a file without a builder."""
    with pytest.raises(InputError) as caught:
        loads("snnsim: 1\norigin: 3\n", file="net.yaml")
    assert str(caught.value) == "net.yaml:2: origin: expected a mapping, found 3"


@pytest.mark.parametrize(("settings", "message"), [
    ({"scale": 0}, "scale: expected a number above 0, found 0"),
    ({"scale": 1e-5}, "scale: expected at least 0.00047, so that every population has a neuron, found 1e-05"),
    ({"size": 1}, f"size: unknown key 'size'; expected one of: {OPTIONS}"),
    ({"scale": 0.01, "dt": "1 mV"}, "dt: wrong unit: expected a time (ms), found 1 mV (a voltage (mV))"),
])
def test_fault_in_python(settings: dict[str, object], message: str) -> None:
    """The name of the argument."""
    with pytest.raises(InputError) as caught:
        microcircuit.build(**settings)
    assert str(caught.value) == message
