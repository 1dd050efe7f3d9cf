"""What Lava cannot run is refused before anything is started, each thing with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

import snnsim as sn
from snnsim.backends.lava.ledger import LEDGER, runnable
from snnsim.lowering import make_plan
from snnsim.models import builtin, builtin_names
from snnsim.registry import backends

CELLS = """
snnsim: 1
name: cells
seed: 1
dt: 1 ms
populations:
  cells: {n: 4, model: loihi_lif}
"""
OWN = """
models:
  mine:
    fixed_point: lava010
    receive: {in: "a = w : 1"}
    dynamics: "v[n+1] = v[n] + a : 1"
    spike: v > 10
    outputs: {twice: 2*v}
"""
LEARNING = """
projections:
  - from: cells
    to: cells
    connect: {rule: one_to_one}
    weight: 4
    delay: 1 ms
    synapse: {model: loihi_learning, params: {dw: x0*y1, y1_impulse: 16, y1_tau: 10}%s}
"""
ONTO = "projections:\n  - {from: cells, to: cells, connect: {rule: one_to_one}, weight: 4, delay: 2 ms}\n"


def refused(text: str) -> list[str]:
    """The messages for a network."""
    return [str(problem) for problem in backends()["lava"].refuses(make_plan(sn.loads(text)))]


def test_what_lava_can_run() -> None:
    """Nothing is said about it."""
    assert refused(CELLS + ONTO) == []


REFUSED = {
    "another arithmetic": (
        CELLS.replace("loihi_lif", "loihi1_lif"),
        "populations.cells.model: Lava computes as lava010, and loihi1_lif computes as loihi1"),
    "models of one's own": (
        CELLS.replace("loihi_lif", "mine") + OWN,
        f"populations.cells.model: Lava has processes for the built-in models {', '.join(runnable())}; mine has equations of its own"),
    "traces of outputs": (
        CELLS.replace("loihi_lif", "mine") + OWN + "record: {traces: {cells: {variables: [twice]}}}\n",
        "record.traces.cells: Lava shows the states of a population, and this is none of them: twice"),
    "tags at the beginning": (
        CELLS + LEARNING % ", init: {tag_1: 3}",
        "projections.cells->cells.synapse.init: Lava's learning synapses begin with tags of 0, found values for tag_1"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_refused(row: str) -> None:
    """The message of a row, with the place in the file."""
    text, message = REFUSED[row]
    assert message in refused(text)


def test_learning_is_not_refused() -> None:
    """Lava has the same rule, and weights over time can be recorded."""
    assert refused(CELLS + LEARNING % "" + "record: {weights: {learnt: {projection: cells->cells, every: 2 ms}}}\n") == []


def test_what_no_chip_runs_is_refused_as_well() -> None:
    """The rows of ``snnsim.deploy.limits`` are Lava's, too."""
    floating = CELLS.replace("loihi_lif", "lif_psc_delta")
    assert [message.partition(" computes ")[0] for message in refused(floating)] == ["populations.cells.model: lif_psc_delta"]
    late = CELLS + ONTO.replace("2 ms", "64 ms")
    assert len(refused(late)) == 1


def test_models() -> None:
    """Lava has a process for each built-in model in its arithmetic."""
    assert runnable() == [name for name in builtin_names() if name.startswith("loihi_")]
    assert all(builtin(name).fixed_point for name in runnable())


def test_the_ledger_is_in_the_docs() -> None:
    """Every row stands in docs/design/lava.md, and no other does."""
    page = (Path(__file__).parents[2] / "docs" / "design" / "lava.md").read_text(encoding="utf-8")
    rows = page.split("\n## The ledger\n")[1].split("\n## ")[0].split("|---|---|\n")[1].split("\n\n")[0].splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(LEDGER)
    assert set(REFUSED) == set(LEDGER)
