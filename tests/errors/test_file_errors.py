"""The full text of every message about a file with numbers; nothing is allocated or unpickled on the way."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from snnsim import arrays
from snnsim.errors import InputError
from snnsim.files import read_numbers, read_whole
from snnsim.units import CURRENT, DIMENSIONLESS


def npy_header(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    """The header of an npy file without its numbers."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": dtype, "fortran_order": False, "shape": shape})
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files with something wrong in each."""
    np.save(tmp_path / "weights.npy", np.arange(4.0))
    np.savez(tmp_path / "net.npz", weight=[1.0], delay=[2.0])
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.save(tmp_path / "complex.npy", np.array([1j]))
    np.save(tmp_path / "nan.npy", np.array([1.0, np.nan]))
    (tmp_path / "huge.npy").write_bytes(npy_header((10**7, 10**6)))
    (tmp_path / "short.npy").write_bytes(npy_header((3,)) + bytes(8))
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'shape': (3   ")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.7")
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("a.npy", npy_header((10**13,)))
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["edges/weight"] = [1.0]
        file["edges/name"] = ["a"]
        file.create_dataset("edges/huge", (10**9, 10), np.float64, chunks=(1000, 10))
        file["edges/empty"] = h5py.Empty("f8")
    (tmp_path / "net.csv").write_text("source,weight\n1,2.5\n2,x\n")
    (tmp_path / "ragged.csv").write_text("source,weight\n1,2.5\n2\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "latin.csv").write_bytes(b"gewicht \xb5A\n1\n")
    return tmp_path


CASES: list[tuple[dict[str, Any], str]] = [
    ({"file": 3}, "file: expected the name of a file, found 3"),
    ({"file": "weigths.npy"}, "file: 'weigths.npy' does not exist (did you mean weights.npy?)"),
    ({"file": "data/w.npy"}, "file: no folder 'data' for the file 'w.npy'"),
    ({"file": "."}, "file: '.' is a folder"),
    ({"file": "x" * 300}, f"file: {'x' * 300!r} cannot be opened: File name too long"),
    ({"file": "net.npz", "Key": "weight"}, "unknown key 'Key'; expected one of: file, key, unit (did you mean key?)"),
    ({"file": "weights.npy", "key": "a"},
     "key: weights.npy holds a single array without a name; leave the key out"),
    ({"file": "net.npz"}, "key: missing; net.npz holds 2 arrays: weight, delay"),
    ({"file": "net.npz", "key": "weigth"},
     "key: no array 'weigth' in net.npz, which holds weight, delay (did you mean weight?)"),
    ({"file": "net.h5", "key": "edges"},
     "key: no dataset 'edges' in net.h5, which holds edges/empty, edges/huge, edges/name, edges/weight "
     "(did you mean edges/name?)"),
    ({"file": "net.csv", "key": "delay"}, "key: no column 'delay' in net.csv, which holds source, weight"),
    ({"file": "objects.npy"}, "objects.npy: holds Python objects or text, which are not loaded; expected numbers"),
    ({"file": "text.npy"}, "text.npy: expected numbers, found values of type <U1"),
    ({"file": "complex.npy"}, "complex.npy: expected numbers, found values of type complex128"),
    ({"file": "net.h5", "key": "edges/name"},
     "net.h5, edges/name: holds Python objects or text, which are not loaded; expected numbers"),
    ({"file": "net.h5", "key": "edges/empty"}, "net.h5, edges/empty: is empty"),
    ({"file": "huge.npy"}, "huge.npy: 80000.0 GB are more than one array may take (8.6 GB)"),
    ({"file": "huge.npz"}, "huge.npz, a: 80000.0 GB are more than one array may take (8.6 GB)"),
    ({"file": "net.h5", "key": "edges/huge"}, "net.h5, edges/huge: 80.0 GB are more than one array may take (8.6 GB)"),
    ({"file": "short.npy"}, "short.npy: cut short: 8 bytes where 24 are announced"),
    ({"file": "broken.npz"}, "broken.npz: damaged or unreadable: File is not a zip file"),
    ({"file": "notes.pdf"}, "notes.pdf: expected an npy, npz, HDF5 or CSV file"),
    ({"file": "net.csv", "key": "weight"}, "net.csv, weight: line 3: expected a number, found 'x'"),
    ({"file": "ragged.csv", "key": "weight"}, "ragged.csv, weight: line 3: expected a number, found 1 columns"),
    ({"file": "empty.csv"}, "empty.csv: the first line is empty; expected the names of the columns"),
    ({"file": "latin.csv"}, "latin.csv: expected text, found bytes that are not UTF-8"),
    ({"file": "nan.npy"}, "nan.npy: value number 1 is nan, expected finite numbers"),
]


@pytest.mark.parametrize(("spec", "message"), CASES, ids=[message[:60] for _, message in CASES])
def test_wrong_files(spec: dict[str, Any], message: str, folder: Path) -> None:
    """What is wrong with a file is said in one line, with its name and what it holds."""
    with pytest.raises(InputError) as caught:
        read_numbers(spec, DIMENSIONLESS, folder)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["broken.npy", "broken.h5"])
def test_damaged_files(name: str, folder: Path) -> None:
    """A file that its library cannot read is called damaged, with the reason the library gives."""
    with pytest.raises(InputError) as caught:
        read_numbers({"file": name, "key": "a"} if name.endswith("h5") else {"file": name}, DIMENSIONLESS, folder)
    assert str(caught.value).startswith(f"{name}: damaged or unreadable: ")


def test_wrong_units(folder: Path) -> None:
    """The unit of a file must be there, and of the right dimension."""
    with pytest.raises(InputError) as caught:
        read_numbers({"file": "weights.npy"}, CURRENT, folder)
    assert str(caught.value) == "missing unit: expected a current (pA), found the bare number 1"
    with pytest.raises(InputError) as caught:
        read_numbers({"file": "weights.npy", "unit": "mV"}, CURRENT, folder)
    assert str(caught.value) == "wrong unit: expected a current (pA), found 1 mV (a voltage (mV))"


IDS: list[tuple[Any, str]] = [
    ({"file": "weights.npy", "unit": "ms"}, "unit: ids have no unit"),
    ({"file": "nan.npy"}, "nan.npy: value number 1 is nan, expected whole numbers from 0 on"),
    ({"file": "points.npy"}, "points.npy: expected a list, found an array of 2 dimensions"),
    ([1, 10**30], f"expected a list of whole numbers, found {10**30} in it"),
    ([True], "expected a list of whole numbers, found True in it"),
    (7, "expected a list of whole numbers, found 7"),
    (np.array([0, -1]), "value number 1 is -1, expected whole numbers from 0 on"),
]


@pytest.mark.parametrize(("spec", "message"), IDS, ids=[message for _, message in IDS])
def test_wrong_ids(spec: Any, message: str, folder: Path) -> None:
    """Ids are whole numbers from 0 on."""
    np.save(folder / "points.npy", np.ones((2, 2)))
    with pytest.raises(InputError) as caught:
        read_whole(spec, folder)
    assert str(caught.value) == message


def test_large_text_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a text file is checked before it is read."""
    monkeypatch.setattr(arrays, "LIMIT", 10)
    with pytest.raises(InputError) as caught:
        read_numbers({"file": "net.csv", "key": "source"}, DIMENSIONLESS, folder)
    assert str(caught.value) == "net.csv: 0.0 GB are more than may be read"
