"""Arrays of numbers in npy, npz, HDF5 and CSV files, read in pieces.

The kind of a file is told from its first bytes. Shape and type are read, and the size checked, before any memory is
taken; Python objects are never loaded.
"""

from __future__ import annotations

import csv
import math
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
import numpy.typing as npt

from snnsim.errors import InputError, Problem, did_you_mean

LIMIT = 1 << 33   # bytes of one array
PIECE = 1 << 20   # numbers that are read at a time
Numbers = npt.NDArray[Any]


def array_pieces(path: Path, key: Any) -> Iterator[Numbers]:
    """The array `key` of a file in pieces of about ``PIECE`` numbers along the first axis; one at least."""
    try:
        yield from _reader(path)(path, key)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path.name}: damaged or unreadable: {error}") from error


def cut(values: Numbers) -> Iterator[Numbers]:
    """Pieces of ``PIECE`` numbers of a list; one at least."""
    if values.ndim != 1:
        yield values
        return
    for low in range(0, max(1, values.size), PIECE):
        yield values[low : low + PIECE]


def _reader(path: Path) -> Callable[[Path, Any], Iterator[Numbers]]:
    with path.open("rb") as file:
        magic = file.read(8)
    for start, reader in ((b"\x93NUMPY", _read_npy), (b"PK", _read_npz), (b"\x89HDF\r\n\x1a\n", _read_hdf5)):
        if magic.startswith(start):
            return reader
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise InputError(f"{path.name}: expected an npy, npz, HDF5 or CSV file")
    return lambda path, key: cut(read_csv(path, key))


def _allow(dtype: np.dtype, shape: tuple[int, ...], name: str) -> None:
    """Only numbers, and not too many: asked before anything is allocated."""
    if dtype.hasobject:
        raise InputError(f"{name}: holds Python objects or text, which are not loaded; expected numbers")
    if dtype.kind not in "iuf":
        raise InputError(f"{name}: expected numbers, found values of type {dtype}")
    if (size := math.prod(shape) * dtype.itemsize) > LIMIT:
        raise InputError(f"{name}: {size / 1e9:.1f} GB are more than one array may take ({LIMIT / 1e9:.1f} GB)")


def _read_npy(path: Path, key: Any) -> Iterator[Numbers]:
    if key is not None:
        raise InputError(Problem("key", f"{path.name} holds a single array without a name; leave the key out"))
    with path.open("rb") as file:
        yield from _npy_pieces(file, path.stat().st_size, path.name)


def _read_npz(path: Path, key: Any) -> Iterator[Numbers]:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
        key = _only_key(sizes, key, path, "array")
        with archive.open(f"{key}.npy") as file:
            yield from _npy_pieces(file, sizes[key], f"{path.name}, {key}")


def _npy_pieces(file: IO[bytes], stored: int, name: str) -> Iterator[Numbers]:
    """stored: bytes of the file with its head."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, columns_first, dtype = read(file)
    _allow(dtype, shape, name)
    there, announced = stored - file.tell(), math.prod(shape) * dtype.itemsize
    if there < announced:
        raise InputError(f"{name}: cut short: {there} bytes where {announced} are announced")
    if columns_first or not shape:
        yield np.frombuffer(file.read(announced), dtype).reshape(shape, order="F")
        return
    row, rows = math.prod(shape[1:]), _rows(shape)
    for low in range(0, max(1, shape[0]), rows):
        count = min(rows, shape[0] - low)
        yield np.frombuffer(file.read(count * row * dtype.itemsize), dtype).reshape(count, *shape[1:])


def _read_hdf5(path: Path, key: Any) -> Iterator[Numbers]:
    with h5py.File(path, "r") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        key = _only_key(names, key.strip("/") if isinstance(key, str) else key, path, "dataset")
        data = file[key]
        if data.shape is None:
            raise InputError(f"{path.name}, {key}: is empty")
        _allow(data.dtype, data.shape, f"{path.name}, {key}")
        if not data.shape:
            yield np.asarray(data[()])
            return
        rows = _rows(data.shape)
        for low in range(0, max(1, len(data)), rows):
            yield data[low : low + rows]


def _rows(shape: tuple[int, ...]) -> int:
    """Rows of a piece."""
    return max(1, PIECE // max(1, math.prod(shape[1:])))


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
