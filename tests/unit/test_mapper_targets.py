"""Targets: the built-in ones, and how a file of a user's own builds on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snnsim.deploy.target import Fact, load_target
from snnsim.schema import Spec


def facts(spec: Any, path: str = "") -> Iterator[tuple[str, Fact]]:
    """Every fact of a target, with its place."""
    if isinstance(spec, Fact):
        yield path, spec
    parts = {name: getattr(spec, name) for name in type(spec).model_fields} if isinstance(spec, Spec) else spec
    for name, part in parts.items() if isinstance(parts, dict) else ():
        yield from facts(part, f"{path}.{name}")


@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
def test_no_number_is_without_a_source(name: str) -> None:
    """Whatever is a number of the chip is a fact, and none of a built-in target is merely given."""
    target = load_target(name)
    found = dict(facts(target))
    assert len(found) > 25
    assert {fact.sure for fact in found.values()} <= {"published", "measured", "assumed"}
    bare = [key for key, value in target.model_dump().items() if isinstance(value, (int, float)) and key != "snnsim"]
    assert bare == []


def test_numbers_of_loihi_1() -> None:
    """Davies et al. (2018): 128 cores of 1024 neurons, 128 KB of synapses, 4096 axons in and out, delays up to 62."""
    target = load_target("loihi1")
    assert (target.cores_per_chip.value, target.neurons_per_core.value) == (128, 1024)
    assert (target.axons_in_per_core.value, target.axons_out_per_core.value) == (4096, 4096)
    assert (target.memory.bits_per_core.value, target.delay.value) == (128 * 1024 * 8, 62)
    assert target.chips is None


def test_energies_of_loihi_2_are_those_of_loihi_1() -> None:
    """Nobody has published any, and the target says whose they are."""
    one, two = load_target("loihi1"), load_target("loihi2")
    assert two.energy == one.energy
    assert two.energy.of == "Loihi 1"


def test_a_file_says_only_what_differs(tmp_path: Path) -> None:
    """A plain number is given by the file; a fact is replaced with its source; the rest is that of the base."""
    path = tmp_path / "board.yaml"
    path.write_text("snnsim: 1\nbase: loihi2\nchips: 8\nmemory:\n  bits_per_core: {value: 1000, source: a letter, sure: assumed}\n"
                    "models: {my_neuron: 12}\nenergy: {static_mw_per_chip: 20.5}\nsynapses: {weight_bits: [4, 8]}\n")
    target, base = load_target(path), load_target("loihi2")
    assert (target.name, target.base) == ("board", "loihi2")
    assert target.chips is not None
    assert (target.chips.value, target.chips.sure, target.chips.source) == (8, "given", "the target's file")
    assert (target.memory.bits_per_core.value, target.memory.bits_per_core.source) == (1000, "a letter")
    assert target.memory.holds_neurons == base.memory.holds_neurons
    assert set(target.models) == {*base.models, "my_neuron"}
    assert target.energy.static_mw_per_chip.value == 20.5
    assert target.energy.events == base.energy.events
    assert target.synapses.weight_bits.value == [4, 8]


def test_a_base_may_be_a_file_beside(tmp_path: Path) -> None:
    """Found beside the file that names it, and may itself have a base."""
    (tmp_path / "board.yaml").write_text("snnsim: 1\nbase: loihi1\nneurons_per_core: 10\nsettings: null\n")
    (tmp_path / "mine.yaml").write_text("snnsim: 1\nbase: board.yaml\nname: other\nchips: 2\n")
    target = load_target(tmp_path / "mine.yaml")
    assert (target.name, target.neurons_per_core.value, target.settings, target.axons_in_per_core.value) == (
        "other", 10, None, 4096)
