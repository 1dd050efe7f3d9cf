"""Spike times from SONATA files in both layouts, and from CSV."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from snnsim.spike_files import read_spikes

REPOSITORY = Path(__file__).parents[2]
FOLDERS = [Path(os.environ.get("SNNSIM_TEST_DATA", "")), REPOSITORY / "shared/data", REPOSITORY.parent / "shared/data"]
SONATA = next((folder / "sonata" for folder in FOLDERS if (folder / "sonata").is_dir()), None)
real = pytest.mark.skipif(SONATA is None, reason="no folder with SONATA files (set SNNSIM_TEST_DATA to its parent)")


def write(path: Path, group: str, ids_name: str, unit: str | bytes | None = "ms") -> None:
    """Three spikes out of order."""
    with h5py.File(path, "a") as file:
        file[f"{group}/{ids_name}"] = np.array([4, 2, 1], np.uint64)
        file[f"{group}/timestamps"] = [2.5, 1.0, 2.5]
        if unit is not None:
            file[f"{group}/timestamps"].attrs["units"] = unit


@pytest.mark.parametrize(("group", "ids_name"), [("spikes", "gids"), ("spikes/v1", "node_ids"), ("spikes", "node_ids")])
def test_layouts(group: str, ids_name: str, tmp_path: Path) -> None:
    """The old and the new layout are read, sorted by time, then id."""
    write(tmp_path / "spikes.h5", group, ids_name)
    times, ids = read_spikes("spikes.h5", tmp_path)
    assert times.tolist() == [1.0, 2.5, 2.5]
    assert ids.tolist() == [2, 1, 4]
    assert (times.dtype, ids.dtype) == (np.float64, np.int64)


@pytest.mark.parametrize(("unit", "size"), [(None, 1), ("milliseconds", 1), (b"ms", 1), ("s", 1000), ("seconds", 1000)])
def test_units(unit: str | bytes | None, size: float, tmp_path: Path) -> None:
    """Times are in the unit that the file names, ms where it names none."""
    write(tmp_path / "spikes.h5", "spikes/v1", "node_ids", unit)
    assert read_spikes("spikes.h5", tmp_path)[0].tolist() == [size, 2.5 * size, 2.5 * size]


def test_one_of_several_populations(tmp_path: Path) -> None:
    """A population is chosen by its name."""
    write(tmp_path / "spikes.h5", "spikes/v1", "node_ids")
    write(tmp_path / "spikes.h5", "spikes/lgn", "node_ids", "s")
    assert read_spikes("spikes.h5", tmp_path, "lgn")[0].tolist() == [1000, 2500, 2500]


@pytest.mark.parametrize("text", [
    "timestamps,node_ids\n2.5,4\n1,2\n2.5,1\n", "ids;times\n4;2.5\n2;1\n1;2.5\n",
    "timestamps population node_ids\n2.5 v1 4\n1.0 v1 2\n2.5 v1 1\n",
])
def test_csv(text: str, tmp_path: Path) -> None:
    """Columns are found by their names, in any order and with any delimiter."""
    (tmp_path / "spikes.csv").write_text(text)
    times, ids = read_spikes("spikes.csv", tmp_path)
    assert times.tolist() == [1.0, 2.5, 2.5]
    assert ids.tolist() == [2, 1, 4]


def test_csv_with_populations(tmp_path: Path) -> None:
    """A column of populations is a choice, too."""
    (tmp_path / "spikes.csv").write_text("timestamps population node_ids\n2.5 v1 4\n1.0 lgn 2\n")
    assert read_spikes("spikes.csv", tmp_path, "lgn")[1].tolist() == [2]


def test_no_spikes(tmp_path: Path) -> None:
    """A file without spikes is a file like any other."""
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["spikes/v1/node_ids"], file["spikes/v1/timestamps"] = np.zeros(0, np.uint64), np.zeros(0)
    assert [len(array) for array in read_spikes("none.h5", tmp_path)] == [0, 0]


@real
def test_published_output() -> None:
    """The published spikes of the 300 integrate-and-fire cells: new layout."""
    times, ids = read_spikes("300_intfire_reference_spikes_first1500ms.h5", SONATA)
    assert len(times) == len(ids) == 1961
    assert np.all(np.diff(times) >= 0)
    assert times[-1] < 1500
    assert ids.max() < 300


@real
def test_published_input(tmp_path: Path) -> None:
    """The input spikes of the same network: old layout."""
    assert SONATA is not None
    with tarfile.open(SONATA / "300_intfire.tar.xz") as archive:
        member = archive.extractfile("300_intfire/inputs/lgn_spikes.h5")
        assert member is not None
        data = member.read()
    (tmp_path / "lgn_spikes.h5").write_bytes(data)
    times, ids = read_spikes("lgn_spikes.h5", tmp_path)
    with h5py.File(io.BytesIO(data)) as file:
        assert len(times) == len(file["spikes/gids"]) == 2738
        assert sorted(ids.tolist()) == sorted(file["spikes/gids"][()].tolist())
        assert times.sum() == pytest.approx(file["spikes/timestamps"][()].sum())
