"""The checkpoint container gives back exactly what went in, whether as a whole or in pieces."""

from __future__ import annotations

import gc
import hashlib
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from snnsim.checkpoint import load_state, save_state

ARRAYS: dict[str, NDArray] = {
    "exc.v": np.array([np.nan, -0.0, 1e-310]), "exc.v/ring": np.arange(6, dtype=np.int16).reshape(2, 3),
    "seed": np.array(2**64 - 1, dtype=np.uint64), "on": np.array([True, False]), "empty": np.empty((0, 4), np.float32),
    "no columns": np.empty((3, 0)), "other order": np.arange(24.0).reshape(2, 3, 4).T, "other end": np.arange(5, dtype=">i4"),
}


@dataclass
class Pieces:
    """A column of some rows at a time. make: the rows from one number up to another."""

    shape: tuple[int, ...]
    dtype: np.dtype
    make: Callable[[int, int], NDArray]
    rows: int
    asked: int = 0

    @classmethod
    def of(cls, array: NDArray, rows: int) -> Pieces:
        return cls(array.shape, array.dtype, lambda low, high: array[low:high] if array.ndim else array, rows)

    def pieces(self) -> Iterator[NDArray]:
        self.asked += 1
        for low in range(0, self.shape[0] if self.shape else 1, self.rows):
            yield self.make(low, min(low + self.rows, self.shape[0] if self.shape else 1))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        raise AssertionError("nobody needs the whole")


def test_arrays_and_meta_come_back_bit_for_bit(tmp_path: Path) -> None:
    """Every dtype, shape, NaN, scalar and empty array survives, in order, whatever the names."""
    save_state(tmp_path / "a.ckpt", ARRAYS, {"step": 12, "network": "name: x\n"})
    arrays, meta = load_state(tmp_path / "a.ckpt")
    assert meta == {"step": 12, "network": "name: x\n"}
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype.newbyteorder("<"), array.shape)
        assert arrays[name].nbytes == array.nbytes
        same = array.astype(array.dtype.newbyteorder("<")).tobytes()
        assert np.asarray(arrays[name]).tobytes() == arrays[name][()].tobytes() == same


def test_saving_again_replaces_the_old_one(tmp_path: Path) -> None:
    """A second save leaves one file, the new one, also while the first is still read from."""
    for step in (1, 2):
        save_state(tmp_path / "a.ckpt", {"v": np.full(3, step)}, {"step": step})
        if step == 1:
            first, _ = load_state(tmp_path / "a.ckpt")
    second, meta = load_state(tmp_path / "a.ckpt")
    assert (meta, first["v"][()].tolist(), second["v"][()].tolist()) == ({"step": 2}, [1, 1, 1], [2, 2, 2])
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"]


def test_the_same_state_gives_the_same_file(tmp_path: Path) -> None:
    """Two saves of one state are equal byte for byte."""
    for name in ("a", "b"):
        save_state(tmp_path / name, ARRAYS, {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_pieces_make_the_same_file_as_the_whole(tmp_path: Path, rows: int) -> None:
    """Byte for byte; columns are asked in the order of their names, each once."""
    arrays = ARRAYS | {"long": np.random.default_rng(1).random((301, 41)).astype(np.float32)}
    columns = {name: Pieces.of(array, rows) for name, array in arrays.items()}
    order: list[str] = []
    for name, column in columns.items():
        column.make = lambda low, high, name=name, make=column.make: (order.append(name), make(low, high))[1]
    save_state(tmp_path / "whole", arrays, {"step": 1})
    save_state(tmp_path / "pieces", columns, {"step": 1})
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "pieces").read_bytes()
    assert {column.asked for column in columns.values()} == {1}
    assert list(dict.fromkeys(order)) == [name for name, array in arrays.items() if not array.shape or array.shape[0]]


def test_arrays_are_read_in_pieces(tmp_path: Path) -> None:
    """Contiguous, in order, of as many rows as one asks for; or only some rows, or the whole."""
    array = np.arange(70.0).reshape(10, 7)
    save_state(tmp_path / "a.ckpt", {"array": array, "number": np.array(3), "none": array[:0]}, {})
    stored, _ = load_state(tmp_path / "a.ckpt")
    pieces = list(stored["array"].pieces(4))
    assert [piece.shape for piece in pieces] == [(4, 7), (4, 7), (2, 7)]
    assert all(piece.flags.c_contiguous for piece in pieces)
    np.testing.assert_array_equal(np.concatenate(pieces), array)
    assert [piece.shape for piece in stored["array"].pieces()] == [(10, 7)]
    assert [piece.tolist() for piece in stored["number"].pieces()] == [3]
    assert list(stored["none"].pieces()) == []
    np.testing.assert_array_equal(stored["array"][3:5], array[3:5])
    np.testing.assert_array_equal(np.asarray(stored["array"], np.float32), array)


def test_what_was_read_is_a_column_to_save(tmp_path: Path) -> None:
    """A checkpoint written from what another one holds is the same file."""
    save_state(tmp_path / "a.ckpt", ARRAYS, {"step": 3})
    save_state(tmp_path / "b.ckpt", *load_state(tmp_path / "a.ckpt"))
    assert (tmp_path / "a.ckpt").read_bytes() == (tmp_path / "b.ckpt").read_bytes()


def test_the_file_is_open_as_long_as_somebody_can_read_from_it(tmp_path: Path) -> None:
    """And no longer; also where it holds nothing or is refused."""
    def in_use() -> int:
        gc.collect()
        return int(h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_ALL))

    before = in_use()
    save_state(tmp_path / "a.ckpt", ARRAYS, {})
    arrays, _ = load_state(tmp_path / "a.ckpt")
    left = arrays.pop("exc.v")
    del arrays
    assert in_use() > before
    assert np.isnan(left[()][0])
    del left
    assert in_use() == before
    save_state(tmp_path / "none.ckpt", {}, {})
    load_state(tmp_path / "none.ckpt")
    with h5py.File(tmp_path / "a.ckpt", "r+") as file:
        file["arrays/1"][0, 0] = 5
    with pytest.raises(ValueError, match="checksum"):
        load_state(tmp_path / "a.ckpt")
    assert in_use() == before


def test_checkpoints_of_the_first_snnsim(tmp_path: Path) -> None:
    """Its layout and checksum, which stand as long as the version is 1."""
    arrays, meta = {"v": np.array([1.5, -2.0]), "n": np.arange(6).reshape(2, 3)}, json.dumps({"done": 7})
    digest = hashlib.sha256(meta.encode())
    for name, array in arrays.items():
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode() + array.tobytes())
    with h5py.File(tmp_path / "a.ckpt", "w") as file:
        file.attrs["snnsim_checkpoint"], file.attrs["meta"], file.attrs["sha256"] = 1, meta, digest.hexdigest()
        for number, (name, array) in enumerate(arrays.items()):
            file.create_dataset(f"arrays/{number}", data=array).attrs["name"] = name
    found, known = load_state(tmp_path / "a.ckpt")
    assert ({name: values[()].tolist() for name, values in found.items()}, known) == (
        {"v": [1.5, -2.0], "n": [[0, 1, 2], [3, 4, 5]]}, {"done": 7})
    save_state(tmp_path / "b.ckpt", arrays, {"done": 7})
    with h5py.File(tmp_path / "b.ckpt") as file:
        assert file.attrs["sha256"] == digest.hexdigest()


@pytest.mark.slow
def test_pieces_take_little_memory(tmp_path: Path) -> None:
    """200 MB go to the disk and back through a tenth of that."""
    n, rows = 50_000_000, 1_000_000
    column = Pieces((n,), np.dtype(np.float32), lambda low, high: np.arange(low, high, dtype=np.float32), rows)
    tracemalloc.start()
    try:
        save_state(tmp_path / "a.ckpt", {"w": column}, {})
        stored, _ = load_state(tmp_path / "a.ckpt")
        assert all(piece[0] == k * rows for k, piece in enumerate(stored["w"].pieces(rows)))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stored["w"].nbytes == 200_000_000
    assert most < 20_000_000
