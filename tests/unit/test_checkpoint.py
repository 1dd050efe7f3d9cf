"""The checkpoint container gives back exactly what went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnsim.checkpoint import load_state, save_state

ARRAYS: dict[str, NDArray] = {
    "exc.v": np.array([np.nan, -0.0, 1e-310]), "exc.v/ring": np.arange(6, dtype=np.int16).reshape(2, 3),
    "seed": np.array(2**64 - 1, dtype=np.uint64), "on": np.array([True, False]), "empty": np.empty((0, 4), np.float32),
}


def test_arrays_and_meta_come_back_bit_for_bit(tmp_path: Path) -> None:
    """Every dtype, shape, NaN, scalar and empty array survives, in order, whatever the names."""
    save_state(tmp_path / "a.ckpt", ARRAYS, {"step": 12, "network": "name: x\n"})
    arrays, meta = load_state(tmp_path / "a.ckpt")
    assert meta == {"step": 12, "network": "name: x\n"}
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()


def test_saving_again_replaces_the_old_one(tmp_path: Path) -> None:
    """A second save leaves one file, the new one."""
    for step in (1, 2):
        save_state(tmp_path / "a.ckpt", ARRAYS, {"step": step})
    assert load_state(tmp_path / "a.ckpt")[1] == {"step": 2}
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"]


def test_the_same_state_gives_the_same_file(tmp_path: Path) -> None:
    """Two saves of one state are equal byte for byte."""
    for name in ("a", "b"):
        save_state(tmp_path / name, ARRAYS, {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
