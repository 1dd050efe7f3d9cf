"""Numeric arrays from files: npy, npz, HDF5 and CSV, by ``{file: net.npz, key: weight, unit: pA}``.

The kind of a file is told from its first bytes. Shape and type are read, and the size checked, before any memory is
taken; Python objects are never loaded.
"""

from __future__ import annotations

import csv
import math
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt

from snnsim.errors import InputError, Problem, did_you_mean, unknown
from snnsim.units import DIMENSIONLESS, TIME, Dimension, expect, unit

LIMIT = 1 << 33   # bytes of one array
KEYS = ("file", "key", "unit")
Numbers = npt.NDArray[Any]


def read_numbers(
    spec: Mapping[str, Any], dimension: Dimension, base_dir: Path | None = None, dt: float | None = None
) -> npt.NDArray[np.float64]:
    """The array that ``{file, key?, unit?}`` names, as float64 in the coherent system, in the shape it is stored in.

    `unit` says what one stands for; ``step`` is `dt` (ms). Raises ``InputError``: no such file, key or column, not
    numbers, not finite, too large, wrong unit.
    """
    _check_keys(spec)
    size = _unit_size(str(spec.get("unit", "")), dimension, dt)
    values = read_array(spec, base_dir).astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        raise InputError(f"{_name(spec)}: value number {wrong[0]} is {values.flat[wrong[0]]}, expected finite numbers")
    values *= size
    return values


def read_whole(spec: Any, base_dir: Path | None = None) -> npt.NDArray[np.int64]:
    """Whole numbers >= 0 (ids) from a list, an array or ``{file, key?}``, as int64 [k]."""
    if isinstance(spec, Mapping):
        _check_keys(spec)
        if "unit" in spec:
            raise InputError(Problem("unit", "ids have no unit"))
        found, name = read_array(spec, base_dir), f"{_name(spec)}: "
    else:
        found, name = _listed(spec), ""
    if found.ndim != 1:
        raise InputError(f"{name}expected a list, found an array of shape {found.shape}")
    with np.errstate(invalid="ignore"):
        whole = found.astype(np.int64)
    wrong = np.flatnonzero((whole != found) | (whole < 0))
    if wrong.size:
        raise InputError(f"{name}value number {wrong[0]} is {found[wrong[0]]}, expected whole numbers from 0 on")
    return whole


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
    path, key = find(spec.get("file"), base_dir), spec.get("key")
    try:
        with path.open("rb") as file:
            magic = file.read(8)
            file.seek(0)
            if magic.startswith(b"\x93NUMPY"):
                return _read_npy(file, path, key)
        for start, reader in ((b"PK", _read_npz), (b"\x89HDF\r\n\x1a\n", _read_hdf5)):
            if magic.startswith(start):
                return reader(path, key)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path.name}: damaged or unreadable: {error}") from error
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise InputError(f"{path.name}: expected an npy, npz, HDF5 or CSV file")
    return read_csv(path, key)


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


def _allow(dtype: np.dtype, shape: tuple[int, ...], name: str) -> None:
    """Only numbers, and not too many: asked before anything is allocated."""
    if dtype.hasobject:
        raise InputError(f"{name}: holds Python objects or text, which are not loaded; expected numbers")
    if dtype.kind not in "iuf":
        raise InputError(f"{name}: expected numbers, found values of type {dtype}")
    if (size := math.prod(shape) * dtype.itemsize) > LIMIT:
        raise InputError(f"{name}: {size / 1e9:.1f} GB are more than one array may take ({LIMIT / 1e9:.1f} GB)")


def _read_npy(file: BinaryIO, path: Path, key: Any, stored: int | None = None, name: str = "") -> Numbers:
    if key is not None and not name:
        raise InputError(Problem("key", f"{path.name} holds a single array without a name; leave the key out"))
    name, start = name or path.name, file.tell()
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    _allow(dtype, shape, name)
    there = (path.stat().st_size if stored is None else stored) - file.tell()
    if there < math.prod(shape) * dtype.itemsize:
        raise InputError(f"{name}: cut short: {there} bytes where {math.prod(shape) * dtype.itemsize} are announced")
    file.seek(start)
    return np.lib.format.read_array(file, allow_pickle=False)


def _read_npz(path: Path, key: Any) -> Numbers:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
        key = _only_key(sizes, key, path, "array")
        with archive.open(f"{key}.npy") as file:
            return _read_npy(file, path, key, sizes[key], f"{path.name}, {key}")  # type: ignore[arg-type]


def _read_hdf5(path: Path, key: Any) -> Numbers:
    with h5py.File(path, "r") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        key = _only_key(names, key.strip("/") if isinstance(key, str) else key, path, "dataset")
        data = file[key]
        if data.shape is None:
            raise InputError(f"{path.name}, {key}: is empty")
        _allow(data.dtype, data.shape, f"{path.name}, {key}")
        return np.asarray(data[()])


def _only_key(names: Iterable[str], key: Any, path: Path, kind: str) -> str:
    names = list(names)
    if key is None and len(names) == 1:
        return names[0]
    if key is None:
        raise InputError(Problem("key", f"missing; {path.name} holds {len(names)} {kind}s: {_some(names)}"))
    if str(key) not in names:
        raise InputError(Problem("key", f"no {kind} {key!r} in {path.name}, which holds {_some(names)}"
                                        f"{did_you_mean(str(key), names)}"))
    return str(key)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return (", ".join(names[:10]) or "nothing") + more


def read_columns(path: Path) -> tuple[list[str], str | None, int]:
    """Names of the columns of a CSV file, its delimiter (None: spaces), and the number of lines above the numbers.

    Without a line of names the columns are called "0", "1", ...
    """
    if path.stat().st_size > LIMIT:
        raise InputError(f"{path.name}: {path.stat().st_size / 1e9:.1f} GB are more than may be read")
    with path.open("rb") as file:
        first = file.readline(1 << 16)
    try:
        line = first.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: expected text, found bytes that are not UTF-8") from error
    delimiter = next((mark for mark in ",;\t" if mark in line), None)
    cells = _cells(line, delimiter)
    if not cells:
        raise InputError(f"{path.name}: the first line is empty; expected the names of the columns")
    return ([str(k) for k in range(len(cells))], delimiter, 0) if all(map(_is_number, cells)) else (cells, delimiter, 1)


def _cells(line: str, delimiter: str | None) -> list[str]:
    row = line.split() if delimiter is None else next(csv.reader([line], delimiter=delimiter), [])
    return [cell.strip().strip('"') for cell in row]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_csv(path: Path, key: Any) -> npt.NDArray[np.float64]:
    """The column `key` of a CSV file."""
    names, delimiter, skip = read_columns(path)
    column = names.index(_only_key(names, key, path, "column"))
    try:
        return np.loadtxt(path, np.float64, None, delimiter, skiprows=skip, usecols=column, ndmin=1, quotechar='"',
                          encoding="utf-8-sig")
    except ValueError as error:
        raise InputError(f"{path.name}, {names[column]}: {_where(path, column, delimiter, skip)}") from error


def _where(path: Path, column: int, delimiter: str | None, skip: int) -> str:
    """Which line of a CSV file holds no number."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            row = _cells(line.strip(), delimiter)
            if number > skip and row and (len(row) <= column or not _is_number(row[column])):
                found = repr(row[column]) if len(row) > column else f"{len(row)} columns"
                return f"line {number}: expected a number, found {found}"
    return "expected a column of numbers"
