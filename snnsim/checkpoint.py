"""A container for the full state of a program: named arrays and some JSON, checked and replaced as a whole."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from snnsim.errors import InputError, Problem, RunError, did_you_mean
from snnsim.target import check_folder, reason, sync

VERSION = 1


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


def save_state(path: str | Path, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> None:
    """Write `arrays` (numbers or booleans, any shape) and `meta` (what JSON can say) to `path`.

    The old file stays until the new one is complete on disk. Raises ``InputError`` where `path` cannot be a checkpoint
    or an array is of another kind, ``RunError`` where writing fails.
    """
    path = Path(path)
    check_target(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _write(part, {name: _plain(name, array) for name, array in arrays.items()}, json.dumps(dict(meta)))
        os.replace(part, path)
        sync(path.parent)
    except (OSError, RuntimeError) as error:
        why = reason(error)
        raise RunError(f"{path}: the checkpoint could not be written ({why}); an earlier one is untouched") from error
    finally:
        part.unlink(missing_ok=True)


def load_state(path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the JSON that `save_state` wrote.

    Raises ``InputError`` where `path` is missing, no checkpoint, of a later version, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(Problem(str(path), "expected a checkpoint, found a folder"))
    if not path.is_file():
        near = did_you_mean(path.name, [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else [])
        raise InputError(Problem(str(path), f"no such file{near}"))
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file)
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise InputError(Problem(str(path), "expected a checkpoint, found something else or a damaged file")) from error


def _plain(name: str, array: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise InputError(Problem(name, f"expected numbers in a checkpoint, found an array of {array.dtype}"))
    # The same bytes, and the same checksum, on every machine.
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _write(path: Path, arrays: dict[str, NDArray[Any]], meta: str) -> None:
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["snnsim_checkpoint"] = VERSION
        file.attrs["meta"] = meta
        file.attrs["sha256"] = _digest(arrays, meta)
        group = file.create_group("arrays", track_order=True)
        for number, (name, array) in enumerate(arrays.items()):
            # Numbered, because a name may be the beginning of another one's path.
            group.create_dataset(str(number), data=array).attrs["name"] = name
    sync(path)


def _read(path: Path, file: h5py.File) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    version = file.attrs.get("snnsim_checkpoint")
    if version is None:
        raise InputError(Problem(str(path), "expected a checkpoint, found another HDF5 file"))
    if version > VERSION:
        raise InputError(Problem(str(path), f"is a checkpoint of version {version}; this snnsim reads up to {VERSION}"))
    stored = [file[f"arrays/{number}"] for number in range(len(file["arrays"]))]
    arrays = {data.attrs["name"]: data[()] if data.shape else np.asarray(data[()]) for data in stored}
    if _digest(arrays, file.attrs["meta"]) != file.attrs["sha256"]:
        raise InputError(Problem(str(path), "the checkpoint is damaged: its checksum does not fit"))
    return arrays, json.loads(file.attrs["meta"])


def _digest(arrays: dict[str, NDArray[Any]], meta: str) -> str:
    digest = hashlib.sha256(meta.encode())
    for name, array in arrays.items():
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
