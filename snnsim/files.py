"""Numeric arrays from files: npy, npz, HDF5 and CSV, by ``{file: net.npz, key: weight, unit: pA}``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snnsim.arrays import Numbers, array_pieces, cut
from snnsim.errors import InputError, Problem, did_you_mean, unknown
from snnsim.units import DIMENSIONLESS, TIME, Dimension, expect, unit

KEYS = ("file", "key", "unit")


def read_numbers(
    spec: Mapping[str, Any], dimension: Dimension, base_dir: Path | None = None, dt: float | None = None
) -> npt.NDArray[np.float64]:
    """The array that ``{file, key?, unit?}`` names, as float64 in the coherent system, in the shape it is stored in.

    `unit` says what one stands for; ``step`` is `dt` (ms). Raises ``InputError``: no such file, key or column, not
    numbers, not finite, too large, wrong unit.
    """
    return _joined(number_pieces(spec, dimension, base_dir, dt))


def number_pieces(
    spec: Mapping[str, Any], dimension: Dimension, base_dir: Path | None = None, dt: float | None = None
) -> Iterator[npt.NDArray[np.float64]]:
    """The same in pieces along the first axis, so that it need not be in memory as a whole."""
    _check_keys(spec)
    size, before = _unit_size(str(spec.get("unit", "")), dimension, dt), 0
    for piece in read_pieces(spec, base_dir):
        values = piece.astype(np.float64)
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            found = f"value number {before + wrong[0]} is {values.flat[wrong[0]]}"
            raise InputError(f"{_name(spec)}: {found}, expected finite numbers")
        values *= size
        before += values.size
        yield values


def read_whole(spec: Any, base_dir: Path | None = None) -> npt.NDArray[np.int64]:
    """Whole numbers >= 0 (ids) from a list, an array or ``{file, key?}``, as int64 [k]."""
    return _joined(whole_pieces(spec, base_dir))


def whole_pieces(spec: Any, base_dir: Path | None = None) -> Iterator[npt.NDArray[np.int64]]:
    """The same in pieces of ``PIECE`` numbers, the last one shorter."""
    name, before = "", 0
    if isinstance(spec, Mapping):
        _check_keys(spec)
        if "unit" in spec:
            raise InputError(Problem("unit", "ids have no unit"))
        found, name = read_pieces(spec, base_dir), f"{_name(spec)}: "
    else:
        found = cut(_listed(spec))
    for piece in found:
        if piece.ndim != 1:
            raise InputError(f"{name}expected a list, found an array of {piece.ndim} dimensions")
        yield _whole(piece, name, before)
        before += piece.size


def _whole(found: Numbers, name: str, before: int) -> npt.NDArray[np.int64]:
    with np.errstate(invalid="ignore"):
        whole = found.astype(np.int64)
    wrong = np.flatnonzero((whole != found) | (whole < 0))
    if wrong.size:
        number, value = before + wrong[0], found[wrong[0]]
        raise InputError(f"{name}value number {number} is {value}, expected whole numbers from 0 on")
    return whole


def _joined(pieces: Iterable[Numbers]) -> Numbers:
    found = list(pieces)
    return found[0] if len(found) == 1 else np.concatenate(found)


def _listed(spec: Any) -> Numbers:
    if isinstance(spec, np.ndarray) and spec.dtype.kind in "iuf":
        return spec
    if isinstance(spec, (str, bytes)) or not isinstance(spec, Iterable):
        raise InputError(f"expected a list of whole numbers, found {spec!r}")
    items = list(spec)
    for item in items:
        number = isinstance(item, (int, float, np.integer, np.floating)) and not isinstance(item, bool)
        if not number or abs(float(item)) >= 2**63:
            raise InputError(f"expected a list of whole numbers, found {item!r} in it")
    return np.array(items) if items else np.zeros(0, np.int64)


def read_array(spec: Mapping[str, Any], base_dir: Path | None = None) -> Numbers:
    """The array as it is stored: whole or real numbers of any shape."""
    return _joined(read_pieces(spec, base_dir))


def read_pieces(spec: Mapping[str, Any], base_dir: Path | None = None) -> Iterator[Numbers]:
    """The same in pieces of about ``PIECE`` numbers along the first axis; one at least."""
    return array_pieces(find(spec.get("file"), base_dir), spec.get("key"))


def find(name: Any, base_dir: Path | None = None) -> Path:
    """The existing file `name`, relative to `base_dir` (the folder of the config)."""
    if not isinstance(name, (str, Path)) or not str(name):
        raise InputError(Problem("file", f"expected the name of a file, found {name!r}"))
    path = (base_dir or Path()) / name
    try:
        if path.is_file():
            return path
    except OSError as error:
        raise InputError(Problem("file", f"{str(name)!r} cannot be opened: {error.strerror}")) from error
    if not path.parent.is_dir():
        raise InputError(Problem("file", f"no folder {str(Path(name).parent)!r} for the file {Path(name).name!r}"))
    what = "is a folder" if path.is_dir() else "does not exist"
    near = did_you_mean(path.name, [p.name for p in path.parent.iterdir() if p.is_file()])
    raise InputError(Problem("file", f"{str(name)!r} {what}{near}"))


def _check_keys(spec: Mapping[str, Any]) -> None:
    faults = [Problem("", unknown("key", str(key), KEYS)) for key in spec if key not in KEYS]
    if faults:
        raise InputError(faults)


def _name(spec: Mapping[str, Any]) -> str:
    return f"{Path(spec['file']).name}" + (f", {spec['key']}" if "key" in spec else "")


def _unit_size(name: str, dimension: Dimension, dt: float | None) -> float:
    if name in ("step", "steps") and dimension == TIME and dt is not None:
        return dt
    if not name and dimension != DIMENSIONLESS:
        expect(1, dimension)
    expect(f"1 {name}".strip(), dimension)
    return float(unit(name).size)
