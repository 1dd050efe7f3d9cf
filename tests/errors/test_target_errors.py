"""The full text of every message about a target's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnsim.deploy.target import load_target
from snnsim.errors import InputError

HEAD = "snnsim: 1\nbase: loihi2\n"
KEYS = ("about, axons_in_per_core, axons_out_per_core, base, chips, cores_per_chip, delay, delay_slots_per_core, energy, "
        "epoch, learning, memory, mesh, message_bits, models, name, neurons_per_core, settings, snnsim, "
        "synapse_formats_per_core, synapses")
EVENTS = ("axon_out, barrier, hop_east_west, hop_north_south, learning_update, message, neuron_active, neuron_inactive, "
          "spike, synaptic_operation")

# What follows HEAD in my_chip.yaml, and what is said behind its name.
FAULTS: list[tuple[str, str]] = [
    ("neurons: 3", f":3: neurons: unknown key 'neurons'; expected one of: {KEYS} (did you mean neurons_per_core?)"),
    ("memory: {bit: 3}", ":3: memory.bit: unknown key 'bit'; expected one of: bits_per_core, holds_neurons"),
    ("memory: 3", ":3: memory: expected a mapping, found 3"),
    ("energy:\n  events:\n    hop: 3", f":5: energy.events.hop: unknown key 'hop'; expected one of: {EVENTS}"),
    ("energy: {events: {spike: 3}}", ":3: energy.events.spike: expected a mapping, found 3"),
    ("energy: {events: {spike: {pj: -1, source: me, sure: given}}}",
     ":3: energy.events.spike.pj: expected at least 0, found -1"),
    ("energy: {events: {spike: {pj: much, source: me, sure: given}}}",
     ":3: energy.events.spike.pj: expected a number, found the text 'much'"),
    ("chips: 0", ":3: chips.value: expected at least 1, found 0"),
    ("chips: many", ":3: chips.value: expected a whole number, found the text 'many'"),
    ("chips: true", ":3: chips.value: expected a whole number, found true"),
    ("chips: {value: 3}", ":3: chips: missing key 'source'\nmy_chip.yaml:3: chips: missing key 'sure'"),
    ("chips: {value: 3, source: '', sure: given}", ":3: chips.source: expected at least 1 character, found the text ''"),
    ("chips: {value: 3, source: me, sure: publishd}",
     ":3: chips.sure: expected 'published', 'measured', 'assumed' or 'given', found the text 'publishd' (did you mean "
     "published?)"),
    ("learning: 1", ":3: learning.value: expected true or false, found 1"),
    ("delay: -1", ":3: delay.value: expected at least 0, found -1"),
    ("axons_in_per_core: {value: 3, source: me, sure: given, warns: true}",
     ":3: axons_in_per_core.warns: unknown key 'warns'; expected one of: source, sure, value, warn (did you mean warn?)"),
    ("mesh: {columns: 8, rows: 16, cores_per_tile: 1, source: me, sure: given}", ":3: mesh: missing key 'chip_columns'"),
    ("cores_per_chip: 200", ":3: cores_per_chip: 200 cores do not fit the mesh: 8 x 16 tiles, cores of a tile: 1"),
    ("synapses: {weight_bits: 8}", ":3: synapses.weight_bits.value: expected a list, found 8"),
    ("synapses: {weight_bits: [8, 4]}",
     ":3: synapses.weight_bits: expected numbers of bits in rising order, found [8, 4]"),
    ("synapses: {weight_bits: []}", ":3: synapses.weight_bits: expected numbers of bits in rising order, found []"),
    ("synapses: {weight_bits: [4, 80]}", ":3: synapses.weight_bits.value.1: expected at most 64, found 80"),
    ("synapses: {index_bits: [6, 7]}", ":3: synapses.index_bits: 7 bits cannot tell 8192 neurons of a core apart"),
    ("settings: {thresholds: {value: 8, source: me, sure: given, params: 3}}",
     ":3: settings.thresholds.params: expected a name or a list of names, found 3"),
    ("models: {loihi_lif: small}", ":3: models.loihi_lif.value: expected a whole number, found the text 'small'"),
    ("name: my chip",
     ":3: name: expected a name of letters, digits, _ and - that begins with a letter or _, found the text 'my chip'"),
]


def _said(folder: Path, text: str, name: str = "my_chip.yaml") -> str:
    (folder / name).write_text(text)
    with pytest.raises(InputError) as caught:
        load_target(folder / name)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_faults_of_a_target(tmp_path: Path, text: str, said: str) -> None:
    """Each with its line, what was expected and what was found."""
    assert _said(tmp_path, HEAD + text + "\n") == "my_chip.yaml" + said


@pytest.mark.parametrize(("text", "said"), [
    ("", "my_chip.yaml: the file is empty: expected a mapping that begins with 'snnsim: 1'"),
    ("- 1\n", "my_chip.yaml:1: expected a mapping, found a list"),
    ("base: loihi2\nsnnsim: 2\n", "my_chip.yaml:2: snnsim: expected 1, found 2"),
    ("snnsim: 1\nbase: 3\n", "my_chip.yaml:2: base: expected the name of a target or a file, found 3"),
    ("snnsim: 1\nbase: loihi3\n", "my_chip.yaml:2: base: unknown target 'loihi3'; expected one of: loihi1, loihi2, or a "
                                  "YAML file (did you mean loihi2?)"),
    ("snnsim: 1\nbase: board.yaml\n", "my_chip.yaml:2: base: no such file: board.yaml"),
    ("snnsim: 1\nbase: my_chip.yaml\n", "my_chip.yaml:2: base: goes round in a circle: my_chip.yaml -> my_chip.yaml"),
    ("snnsim: 1\nbase: loihi2\nchips: 1\nchips: 2\n",
     "my_chip.yaml:4: chips: duplicate key 'chips'; it is already given in line 3"),
])
def test_faults_of_a_whole_file(tmp_path: Path, text: str, said: str) -> None:
    """No mapping, no base, or one that leads back."""
    assert _said(tmp_path, text) == said


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """In the order of the file, those of the base with its own name."""
    (tmp_path / "board.yaml").write_text("snnsim: 1\nbase: loihi1\ndelay: x\n")
    assert _said(tmp_path, "snnsim: 1\nbase: board.yaml\nepoch: y\nchips: 0\n") == (
        "board.yaml:3: delay.value: expected a whole number, found the text 'x'\n"
        "my_chip.yaml:3: epoch.value: expected a whole number, found the text 'y'\n"
        "my_chip.yaml:4: chips.value: expected at least 1, found 0")


def test_everything_that_is_missing_is_named(tmp_path: Path) -> None:
    """Without a base a target says all of it."""
    assert _said(tmp_path, "snnsim: 1\n").splitlines()[:2] == [
        "my_chip.yaml:1: missing key 'cores_per_chip'", "my_chip.yaml:1: missing key 'mesh'"]


@pytest.mark.parametrize(("name", "said"), [
    ("loihi3", "unknown target 'loihi3'; expected one of: loihi1, loihi2, or a YAML file (did you mean loihi2?)"),
    ("truenorth", "unknown target 'truenorth'; expected one of: loihi1, loihi2, or a YAML file"),
    ("nowhere/chip.yaml", "nowhere/chip.yaml: no such file"),
])
def test_no_such_target(name: str, said: str) -> None:
    """The built-in ones are listed."""
    with pytest.raises(InputError) as caught:
        load_target(name)
    assert str(caught.value) == said
