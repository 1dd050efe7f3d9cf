"""Numeric arrays from npy, npz, HDF5 and CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from snnsim.files import read_array, read_numbers, read_whole
from snnsim.units import CURRENT, DIMENSIONLESS

VALUES = np.array([1.5, -2.0, 3.25])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the same array in every kind of file."""
    np.save(tmp_path / "w.npy", VALUES)
    np.savez(tmp_path / "w.npz", weight=VALUES, source=[1, 2, 3])
    np.savez_compressed(tmp_path / "one.npz", weight=VALUES)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["edges/weight"] = VALUES
        file.create_dataset("edges/chunked", data=VALUES, chunks=(2,), compression="gzip")
    (tmp_path / "w.csv").write_text("source,weight\n1,1.5\n2,-2\n\n3,3.25\n")
    (tmp_path / "tabs.tsv").write_text("source\t weight\r\n1\t1.5\r\n2\t-2e0\r\n3\t3.25\r\n", newline="")
    (tmp_path / "spaces.txt").write_text("source weight\n1   1.5\n2  -2\n3   3.25")
    (tmp_path / "bare.csv").write_text("1.5\n-2\n3.25\n")
    (tmp_path / "bom.csv").write_bytes(b'\xef\xbb\xbf"weight"\n1.5\n-2\n3.25\n')
    return tmp_path


FORMS: list[dict[str, Any]] = [
    {"file": "w.npy"}, {"file": "w.npz", "key": "weight"}, {"file": "one.npz"},
    {"file": "w.h5", "key": "edges/weight"}, {"file": "w.h5", "key": "/edges/chunked"},
    {"file": "w.csv", "key": "weight"}, {"file": "tabs.tsv", "key": "weight"},
    {"file": "spaces.txt", "key": "weight"}, {"file": "bare.csv"}, {"file": "bare.csv", "key": 0}, {"file": "bom.csv"},
]


@pytest.mark.parametrize("spec", FORMS, ids=str)
def test_every_kind_of_file(spec: dict[str, Any], folder: Path) -> None:
    """The array is the same from every kind of file; the unit says what one stands for."""
    assert np.array_equal(read_array(spec, folder), VALUES)
    assert np.array_equal(read_numbers({**spec, "unit": "nA"}, CURRENT, folder), VALUES * 1000)


def test_whole_numbers(folder: Path) -> None:
    """Ids are int64 from lists, arrays and files, also where a file stores them as reals."""
    np.save(folder / "real.npy", np.array([3.0, 0.0]))
    np.save(folder / "big.npy", np.array([2**62, 0], np.uint64))
    forms = ([3, 0], (3, 0), range(3, -1, -3), np.array([3, 0], np.uint16), {"file": "real.npy"})
    for spec in forms:
        ids = read_whole(spec, folder)
        assert ids.dtype == np.int64
        assert ids.tolist() == [3, 0]
    assert read_whole({"file": "big.npy"}, folder).tolist() == [2**62, 0]
    assert read_whole({"file": "w.csv", "key": "source"}, folder).tolist() == [1, 2, 3]
    assert read_whole([]).tolist() == []


def test_shapes_are_kept(tmp_path: Path) -> None:
    """An array of points [n, d] keeps its shape, in either memory order."""
    points = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    np.save(tmp_path / "points.npy", points)
    assert np.array_equal(read_numbers({"file": "points.npy"}, DIMENSIONLESS, tmp_path), points)


def test_absolute_paths(folder: Path) -> None:
    """A full path needs no folder."""
    assert len(read_array({"file": str(folder / "w.npy")})) == 3
