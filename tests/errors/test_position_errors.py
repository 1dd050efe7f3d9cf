"""The full text of every message about positions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnsim.errors import InputError
from snnsim.positions import positions_from_spec

CASES: list[tuple[Any, str]] = [
    ({}, "expected positions such as {grid: [10, 10], spacing: 1 um}, found an empty mapping"),
    ({"spacing": "1 um"}, "expected positions such as {grid: [10, 10], spacing: 1 um}, found spacing"),
    ("grid", "expected a list of points such as [[0 um, 0 um], [1 um, 0 um]], found 'grid'"),
    ({"grid": [2, 3]}, "spacing: missing"),
    ({"grid": [2, 0], "spacing": "1 um"}, "grid: expected one to three counts such as [10, 10], found [2, 0]"),
    ({"grid": [2, 2], "spacing": "1 um"}, "grid: expected a grid of 6 units, found 2 x 2 = 4"),
    ({"grid": [2, 3], "spacing": ["1 um"]}, "spacing: expected a list of 2 lengths, found ['1 um']"),
    ({"grid": [2, 3], "spacing": "1 ms"},
     "spacing.0: wrong unit: expected a length (um), found 1 ms (a time (ms))\n"
     "spacing.1: wrong unit: expected a length (um), found 1 ms (a time (ms))"),
    ({"grid": [2, 3], "spacing": "0 um"}, "spacing: expected lengths above 0, found 0 um"),
    ({"uniform": {"low": ["0 um"]}}, "uniform.high: missing"),
    ({"uniform": {"low": "0 um", "high": ["1 um"]}}, "uniform.low: expected a list of some lengths, found '0 um'"),
    ({"uniform": {"low": ["1 um"], "high": ["1 um"]}},
     "uniform: expected low < high along each axis, found ['1 um'] and ['1 um']"),
    ([["1 um"], ["1 um", "2 um"]], "1: expected a list of 1 lengths, found ['1 um', '2 um']"),
    ([["1 um"]], "expected 6 points with 1 to 3 coordinates, found an array of shape (1, 1)"),
    ({"file": "points.npy", "unit": "um"}, "expected 6 points with 1 to 3 coordinates, found an array of shape (6, 4)"),
]


@pytest.mark.parametrize(("spec", "message"), CASES, ids=[message[:60] for _, message in CASES])
def test_wrong_positions(spec: Any, message: str, tmp_path: Path) -> None:
    """Every fault is named with its place, what was expected and what was found."""
    np.save(tmp_path / "points.npy", np.ones((6, 4)))
    with pytest.raises(InputError) as caught:
        positions_from_spec(spec, 6, tmp_path)
    assert str(caught.value) == message
