"""Positions of units: grids, random boxes, given points."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snnsim.positions import positions_from_spec
from snnsim.random import Stream

STREAM = Stream(5, "positions")


def test_grid() -> None:
    """The first axis counts fastest; the extent is what a periodic boundary repeats after."""
    placed = positions_from_spec({"grid": [3, 2], "spacing": ["10 um", "0.02 mm"]}, 6).place(STREAM)
    assert placed.points.tolist() == [[0, 0], [10, 0], [20, 0], [0, 20], [10, 20], [20, 20]]
    assert placed.extent is not None
    assert placed.extent.tolist() == [30, 40]


def test_random_positions() -> None:
    """Points fill the box, and depend on the stream only."""
    positions = positions_from_spec({"uniform": {"low": ["-1 um", "0 um"], "high": ["1 um", "1 mm"]}}, 5000)
    points, extent = positions.place(STREAM)
    assert points.shape == (5000, 2)
    assert extent is not None
    assert extent.tolist() == [2, 1000]
    assert np.all((points > [-1, 0]) & (points < [1, 1000]))
    np.testing.assert_allclose(points.mean(axis=0), [0, 500], atol=30)
    assert np.array_equal(points, positions.place(STREAM).points)
    assert not np.array_equal(points, positions.place(Stream(6, "positions")).points)


def test_given_points(tmp_path: Path) -> None:
    """Points come as a list or from a file, in one to three dimensions."""
    np.save(tmp_path / "points.npy", [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    from_file = positions_from_spec({"file": "points.npy", "unit": "mm"}, 2, tmp_path)
    assert from_file.place(STREAM).points.tolist() == [[0, 1000, 2000], [3000, 4000, 5000]]
    assert from_file.place(STREAM).extent is None
    assert from_file.spec == {"file": "points.npy", "unit": "mm"}
    assert positions_from_spec([["1 um"], ["2 um"]], 2).place(STREAM).points.tolist() == [[1], [2]]


def test_canonical_forms() -> None:
    """What is written back gives the same points."""
    for spec in ({"grid": [3, 2], "spacing": "10 um"}, {"uniform": {"low": ["0 um"], "high": ["1 mm"]}},
                 [["1 um", "2 um"]] * 6):
        positions = positions_from_spec(spec, 6)
        again = positions_from_spec(positions.spec, 6)
        assert np.array_equal(positions.place(STREAM).points, again.place(STREAM).points)
        assert positions_from_spec(again, 6) is again
