"""A container for the full state of a program: named arrays and some JSON, checked and replaced as a whole."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from snnsim.columns import Column, as_column, places
from snnsim.errors import InputError, Problem, RunError, did_you_mean
from snnsim.memory import refuse_array
from snnsim.target import check_folder, reason, sync

VERSION = 1
_DAMAGED, _NUMBERS = "the checkpoint is damaged", "biuf"


@dataclass(frozen=True, eq=False)
class Stored:
    """An array of a checkpoint, a ``Column`` that reads from the file; the last one to go closes it.

    ``np.asarray(stored)`` and ``stored[()]`` give the whole, ``stored[low:high]`` some rows; ``InputError`` where the
    whole does not fit into memory.
    """

    path: Path
    name: str
    data: h5py.Dataset

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        shape: tuple[int, ...] = self.data.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """As of an array."""
        dtype: np.dtype[Any] = self.data.dtype
        return dtype

    @property
    def nbytes(self) -> int:
        """Of the whole."""
        return math.prod(self.shape) * self.dtype.itemsize

    def pieces(self, rows: int | None = None) -> Iterator[NDArray[Any]]:
        """All, in order. rows: of each piece but the last; None for some MiB."""
        for place in places(self.shape, self.dtype, rows):
            yield np.asarray(self.data[place])

    def __getitem__(self, place: slice | tuple[()]) -> NDArray[Any]:
        return np.asarray(self) if place == () else np.asarray(self.data[place])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        refuse_array(self.nbytes, f"the {math.prod(self.shape):,} numbers of {self.name}", str(self.path))
        return np.asarray(self.data[()], dtype)


def check_target(path: Path) -> None:
    """``InputError`` where no checkpoint can be written to `path`, or something else is there; asked before a run."""
    if path.is_dir():
        raise InputError(Problem(str(path), "expected the name of a file for the checkpoint, found a folder"))
    check_folder(path)
    if path.exists() and not _is_checkpoint(path):
        raise InputError(Problem(str(path), "exists already and is not a checkpoint; choose another name"))


def _is_checkpoint(path: Path) -> bool:
    try:
        with h5py.File(path, "r") as file:
            return "snnsim_checkpoint" in file.attrs
    except OSError:
        return False


def save_state(path: str | Path, arrays: Mapping[str, NDArray[Any] | Column], meta: Mapping[str, Any]) -> None:
    """Write `arrays` (numbers or booleans, any shape) and `meta` (what JSON can say) to `path`.

    Arrays are written in their order, columns piece by piece as they come, which is the same file as if they were
    given as a whole. The old file stays until the new one is complete on disk. Raises ``InputError`` where `path`
    cannot be a checkpoint, an array is of another kind or pieces do not make the whole, ``RunError`` where writing
    fails.
    """
    path = Path(path)
    check_target(path)
    columns = {name: _numbers(name, as_column(values)) for name, values in arrays.items()}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _write(part, columns, json.dumps(dict(meta)))
        os.replace(part, path)
        sync(path.parent)
    except (OSError, RuntimeError) as error:
        why = reason(error)
        raise RunError(f"{path}: the checkpoint could not be written ({why}); an earlier one is untouched") from error
    finally:
        part.unlink(missing_ok=True)


def load_state(path: str | Path, verify: bool = True) -> tuple[dict[str, Stored], dict[str, Any]]:
    """The arrays, checked and left in the file, and the JSON that `save_state` wrote.

    verify: read all of it to compare the checksum, which need be done once where several processes take a checkpoint.
    Raises ``InputError`` where `path` is missing, no checkpoint, of a later version, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(Problem(str(path), "expected a checkpoint, found a folder"))
    if not path.is_file():
        near = did_you_mean(path.name, [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else [])
        raise InputError(Problem(str(path), f"no such file{near}"))
    try:
        with ExitStack() as opened:
            found = _read(path, opened.enter_context(h5py.File(path, "r")), verify)
            opened.pop_all()   # HDF5 closes a file when nothing in it is in use any more
            return found
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(Problem(str(path), "expected a checkpoint, found something else or a damaged file")) from error


def _numbers(name: str, column: Column) -> Column:
    if column.dtype.kind not in _NUMBERS:
        raise InputError(Problem(name, f"expected numbers in a checkpoint, found an array of {column.dtype}"))
    return column


# --- writing ----------------------------------------------------------------------------------------------------------

def _write(path: Path, columns: Mapping[str, Column], meta: str) -> None:
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["snnsim_checkpoint"] = VERSION
        file.attrs["meta"] = meta
        group, digest = file.create_group("arrays", track_order=True), _Digest(meta)
        for number, (name, column) in enumerate(columns.items()):
            # Numbered, because a name may be the beginning of another one's path. The bytes, and the checksum, are
            # the same on every machine.
            shape, dtype = tuple(map(int, column.shape)), column.dtype.newbyteorder("<")
            data = group.create_dataset(str(number), shape, dtype)
            data.attrs["name"] = name
            digest.begin(name, shape, dtype)
            for place, piece in _placed(name, column):
                plain = np.asarray(piece, dtype, order="C")
                data[place] = plain
                digest.add(plain)
        file.attrs["sha256"] = digest.text()
    sync(path)


def _placed(name: str, column: Column) -> Iterator[tuple[slice | tuple[()], NDArray[Any]]]:
    """The pieces, and where each belongs; ``InputError`` where they are not what the column says that it is."""
    rows, low = column.shape[0] if column.shape else 1, 0
    for piece in column.pieces():
        high = low + (piece.shape[0] if piece.ndim else 1)
        if piece.ndim != len(column.shape) or piece.shape[1:] != column.shape[1:] or high > rows:
            raise _other_pieces(name, column, f"one of shape {piece.shape} after {low}")
        if piece.dtype != column.dtype:
            raise _other_pieces(name, column, f"one of {piece.dtype}")
        yield slice(low, high) if piece.ndim else (), piece
        low = high
    if low != rows:
        raise _other_pieces(name, column, f"{low} rows")


def _other_pieces(name: str, column: Column, found: str) -> InputError:
    return InputError(Problem(name, f"expected pieces of an array {column.shape} of {column.dtype}, found {found}"))


class _Digest:
    """The checksum of the arrays that follow one after the other, and of the JSON before them."""

    def __init__(self, meta: str) -> None:
        self._sha = hashlib.sha256(meta.encode())

    def begin(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """The numbers of this array follow."""
        self._sha.update(f"\0{name}\0{dtype.str}\0{shape}\0".encode())

    def add(self, piece: NDArray[Any]) -> None:
        """The next rows."""
        self._sha.update(np.ascontiguousarray(piece).data)

    def text(self) -> str:
        """Of all so far."""
        return self._sha.hexdigest()


# --- reading ----------------------------------------------------------------------------------------------------------

def _read(path: Path, file: h5py.File, verify: bool) -> tuple[dict[str, Stored], dict[str, Any]]:
    version = file.attrs.get("snnsim_checkpoint")
    if version is None:
        raise InputError(Problem(str(path), "expected a checkpoint, found another HDF5 file"))
    if version > VERSION:
        raise InputError(Problem(str(path), f"is a checkpoint of version {version}; this snnsim reads up to {VERSION}"))
    arrays = [_stored(path, file[f"arrays/{number}"]) for number in range(len(file["arrays"]))]
    meta = str(file.attrs["meta"])
    if verify and _digest_of(arrays, meta) != file.attrs["sha256"]:
        raise InputError(Problem(str(path), f"{_DAMAGED}: its checksum does not fit"))
    return {array.name: array for array in arrays}, json.loads(meta)


def _stored(path: Path, data: Any) -> Stored:
    """An array of the file: one of numbers, with as many bytes there as it needs, so that nobody reads without end."""
    if (found := _kind(data)) is not None:
        raise InputError(Problem(str(path), f"{_DAMAGED}: expected numbers in {data.name}, found {found}"))
    stored, size = Stored(path, str(data.attrs["name"]), data), data.id.get_storage_size()
    if size != stored.nbytes:
        text = f"{_DAMAGED}: expected {stored.nbytes:,} bytes of {stored.name}, found {size:,}"
        raise InputError(Problem(str(path), text))
    return stored


def _kind(data: Any) -> str | None:
    """What is there in the place of numbers; None where they are there."""
    if not isinstance(data, h5py.Dataset):
        return "a group"
    return "nothing" if data.shape is None else None if data.dtype.kind in _NUMBERS else f"an array of {data.dtype}"


def _digest_of(arrays: list[Stored], meta: str) -> str:
    digest = _Digest(meta)
    for array in arrays:
        digest.begin(array.name, array.shape, array.dtype)
        for piece in array.pieces():
            digest.add(piece)
    return digest.text()
