"""However many processes run a network, and with however many threads: what they record and save is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from ranks import lists
from ranks.conftest import HERE, Start

import snnsim as sn

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = ["populations.exc.n=2000", "populations.inh.n=500"]
CASES: list[dict[str, Any]] = [
    {"name": "brunel", "config": "brunel", "duration": "150 ms",
     "set": [*SMALL, 'record.traces={"exc": {"variables": ["v"], "units": "0:2000:7", "every": "0.5 ms"}}']},
    {"name": "microcircuit", "config": "microcircuit", "duration": "60 ms", "set": ["network.scale=0.05"]},
    {"name": "plastic", "config": "brunel_stdp", "duration": "60 ms", "set": SMALL},
]
for case in CASES:
    case["config"] = str(CONFIGS / f"{case['config']}.yaml")
PLACES = [(2, 1), (3, 1), (4, 1), (2, 2)]
NOTES = {"snnsim/summary"}      # seconds, memory, processes


def contents(path: Path) -> dict[str, np.ndarray]:
    """All data sets of a file, but for notes on how the run went."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return {name: values for name, values in found.items() if name not in NOTES}


def assert_same(one: Path, other: Path) -> None:
    """Two folders hold the same recordings and checkpoints."""
    for path in sorted(one.iterdir()):
        expected, found = contents(path), contents(other / path.name)
        assert list(expected) == list(found), path.name
        for name, values in expected.items():
            assert values.dtype == found[name].dtype, (path.name, name)
            assert np.array_equal(values, found[name]), (path.name, name)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process records."""
    folder = tmp_path_factory.mktemp("alone")
    for case in CASES:
        sn.run(sn.load(case["config"], case["set"]), case["duration"], backend="cpu", threads=1,
               out=folder / f"{case['name']}.h5", checkpoint=folder / f"{case['name']}.ckpt")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("ranks", "threads"), PLACES)
def test_files_do_not_depend_on_processes(
    mpirun: Start, alone: Path, tmp_path: Path, ranks: int, threads: int
) -> None:
    """Spikes, traces, weights and checkpoints of a balanced, a cortical and a plastic network."""
    done = mpirun(ranks, HERE / "record.py", tmp_path, threads, json.dumps(CASES))
    assert (done.returncode, done.stderr) == (0, "")
    assert_same(alone, tmp_path)


@pytest.mark.slow
def test_a_checkpoint_goes_on_in_other_processes(mpirun: Start, alone: Path, tmp_path: Path) -> None:
    """Saved by three processes, gone on with by two of two threads, then by one: as if nothing had been."""
    folders = [tmp_path / name for name in ("third", "half", "whole")]
    for folder in folders:
        folder.mkdir()
    for folder, before, ranks, threads, share in zip(folders, [None, *folders], (3, 2, 1), (1, 2, 3), (1, 2, 3), strict=False):
        cases = [{**case, "duration": f"{int(case['duration'].split()[0]) * share // 3} ms"} for case in CASES]
        done = mpirun(ranks, HERE / "record.py", folder, threads, json.dumps(cases), *([before] if before else []))
        assert (done.returncode, done.stderr) == (0, "")
    for case in CASES:
        name = f"{case['name']}.ckpt"
        expected, found = contents(alone / name), contents(folders[-1] / name)
        assert list(expected) == list(found)
        for place, values in expected.items():
            assert np.array_equal(values, found[place]), (name, place)


@pytest.mark.slow
def test_lists_in_files(mpirun: Start, tmp_path: Path) -> None:
    """Each process reads its own synapses only, and holds no more of them; what is recorded is the same."""
    rng = np.random.default_rng(2)
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["source"], file["target"] = rng.integers(0, lists.N, (2, lists.SYNAPSES))
        file["weight"], file["delay"] = rng.normal(0.1, 0.05, lists.SYNAPSES), rng.uniform(0.5, 3, lists.SYNAPSES)
    sn.run(lists.network(tmp_path), "60 ms", backend="cpu", threads=2, out=tmp_path / "alone.h5")
    done = mpirun(3, HERE / "lists.py", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    total, most = map(json.loads, done.stdout.splitlines()[-1].replace("] [", "]\n[").splitlines())
    assert total == [lists.SYNAPSES, lists.SYNAPSES, 500]
    assert all(0 < own < whole / 2 for own, whole in zip(most, total, strict=True))
    expected, found = (contents(tmp_path / f"{name}.h5") for name in ("alone", "ranks"))
    assert len(sn.open(tmp_path / "ranks.h5").spikes("cells")[0]) > 100
    assert list(expected) == list(found)
    assert all(np.array_equal(values, found[name]) for name, values in expected.items())


@pytest.mark.slow
def test_lists_that_are_full(mpirun: Start) -> None:
    """Spikes that there is no room for wait in the message, or the steps are done again."""
    done = mpirun(3, HERE / "full.py")
    assert (done.returncode, done.stderr) == (0, "")
    spikes, left = zip(*(map(int, line.split()) for line in done.stdout.splitlines()), strict=True)
    assert min(spikes) > 10_000
    assert left[0] > 0      # over a delay
    assert left[2] > 0      # within a step
