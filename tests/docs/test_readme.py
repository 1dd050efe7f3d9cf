"""The README is true: its network, its script, its error messages, its table of commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import snnsim
from snnsim.cli.app import COMMANDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The contents of the fenced blocks of a language ("" for none)."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def test_network_in_yaml_and_in_python_are_the_same():
    """The two forms of the example build equal networks, and the script runs."""
    [text], [script] = blocks("yaml"), blocks("python")
    names: dict[str, object] = {}
    exec(script, names)
    from_yaml, in_python = snnsim.loads(text), names["net"]
    times, ids = snnsim.run(from_yaml, backend="cpu").spikes("exc")
    assert len(from_yaml.projections) == len(in_python.projections)
    assert times.tolist() == names["times"].tolist()
    assert ids.tolist() == names["ids"].tolist()


def test_errors_are_those_of_the_program():
    """The shown messages are what the two mistakes in the shown network give."""
    [text] = blocks("yaml")
    wrong = text.replace("tau_m: 20 ms", "tau: 20 ms", 1).replace("20 kHz", "20 ms")
    with pytest.raises(snnsim.InputError) as caught:
        snnsim.loads(wrong, file="small.yaml")
    assert str(caught.value).splitlines() == blocks("")[0].splitlines()


def test_every_command_is_in_the_table():
    """The table names the commands that exist, and no others."""
    named = re.findall(r"^\| `snnsim (\w+)", README, re.MULTILINE)
    assert sorted(named) == sorted(COMMANDS)


def test_links_lead_somewhere():
    """Every file that the README links to is there."""
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_set_up_commands_are_two():
    """One command runs the main job on a fresh machine, one passes the tests."""
    assert [len(block.splitlines()) for block in blocks("sh")] == [1, 1]
