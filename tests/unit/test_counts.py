"""How many synapses there are: the number that was built after a run, the mean of a random number before it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import snnsim
from snnsim.cli import main
from snnsim.cli.contents import network_contents, show

NETWORK = """\
snnsim: 1
seed: 5
duration: 1 ms
populations:
  exc: {n: 100, model: lif_psc_exp, positions: {grid: [10, 10], spacing: 50 um}}
  inh: {n: 25, model: lif_psc_exp, positions: {uniform: {low: [0 um, 0 um], high: [500 um, 500 um]}}}
projections:
  - name: near
    from: exc
    to: [exc, inh]
    connect: {rule: distance, kernel: {gaussian: {p0: 0.8, sigma: 100 um}}, boundary: periodic, autapses: false}
    weight: {expression: "50 pA*exp(-d/(200 um))"}
    delay: {expression: 0.5 ms + d/(300 um/ms)}
  - {name: chance, from: inh, to: exc, connect: {rule: pairwise, p: 0.3}, weight: -50 pA, delay: {uniform: [1 ms, 20 ms]}}
  - {name: fixed, from: inh, to: inh, connect: {rule: fixed_indegree, k: 3}, weight: -50 pA}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config with random numbers of synapses, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NETWORK)
    return Path("net.yaml")


@pytest.mark.parametrize(("backend", "threads"), [("reference", 1), ("cpu", 1), ("cpu", 2)])
def test_summary_counts_what_was_built(
    config: Path, capsys: pytest.CaptureFixture[str], backend: str, threads: int
) -> None:
    """`run --json` gives the exact number, also where the rule's is random."""
    assert main(["run", str(config), "--backend", backend, "--threads", str(threads), "--json"]) == 0
    program = snnsim.compile(snnsim.load(config), backend="reference")
    built = [len(program.weights(k)["source"]) for k in range(len(program.plan.projections))]
    assert json.loads(capsys.readouterr().out)["synapses"] == sum(built)
    assert sum(built) != sum(p.bound.synapses for p in program.plan.projections)


def test_info_says_what_is_a_mean(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`info` says `about` before a mean, and in JSON which numbers are exact."""
    found = network_contents(config, ())
    rows = {row["name"]: (row["synapses"], row["synapses_exact"]) for row in found["projections"]}
    assert rows["chance"] == (750, False)
    assert rows["fixed"] == (75, True)
    assert not rows["near/exc->exc"][1]
    assert not found["synapses_exact"]
    show(found)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["synapses", "about", str(found["synapses"])] in lines
    assert ["chance", "pairwise", "about", "750"] in [line[:4] for line in lines]
    assert ["fixed", "fixed_indegree", "75", "3"] in [line[:4] for line in lines]


def test_rules_of_distance_see_both_populations(config: Path) -> None:
    """Positions of the source and the target reach the rule, and space is closed where it is periodic."""
    net = snnsim.load(config)
    program = snnsim.compile(net, backend="reference")
    for label, target in (("near/exc->exc", "exc"), ("near/exc->inh", "inh")):
        found = program.weights(label)
        a, b = (net.populations[name].placed.points[found[end]] for name, end in (("exc", "source"), (target, "target")))
        gap = np.abs(a - b)
        distance = np.hypot(*np.minimum(gap, 500 - gap).T)
        assert len(distance) > 50
        assert np.median(distance) < 150 < np.abs(a - b).max() < 500
        np.testing.assert_allclose(found["weight"], 50 * np.exp(-distance / 200), rtol=1e-3)
        np.testing.assert_allclose(found["delay"], 0.5 + distance / 300, atol=0.051)
