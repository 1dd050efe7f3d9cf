"""The conformance suite over several processes: the same cases, every rank running them, the first one comparing."""

from __future__ import annotations

from pathlib import Path

import pytest
from ranks.conftest import Start

SUITE = Path(__file__).parents[1] / "conformance"
OPTIONS = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-o",
           "addopts=--strict-markers --import-mode=importlib")
# Each way in which processes tell each other something: spikes over long and short delays, within a step, with payloads,
# coupled variables, plastic synapses of all kinds with modulators. Recorded weights are in test_files.
CHOSEN = ("chain or spread-wide or (networks and pairwise) or inputs or plastic_and_coupled or "
          "(test_rules and 2-single)")


def run(mpirun: Start, ranks: int, chosen: str, markers: str) -> None:
    """Compare in `ranks` processes."""
    done = mpirun(ranks, *OPTIONS, "-m", markers, SUITE, "-k", chosen, timeout=1500)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    assert " passed" in done.stdout and "failed" not in done.stdout


@pytest.mark.slow
def test_three_processes_agree_with_the_reference(mpirun: Start) -> None:
    """Some of every kind of network."""
    run(mpirun, 3, f"ranks-1 and not double and ({CHOSEN})", "not long")


@pytest.mark.long
@pytest.mark.parametrize(("ranks", "threads"), [(3, 1), (2, 2)])
@pytest.mark.parametrize("suite", ["networks", "plasticity", "couplings", "learning", "graded", "models"])
def test_all_agree_with_the_reference(mpirun: Start, ranks: int, threads: int, suite: str) -> None:
    """All of them."""
    run(mpirun, ranks, f"ranks-{threads} and test_{suite}", "")
