"""Files that a run is going to write: every check that can be made before it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from snnsim.errors import InputError, Problem

LEAST_FREE = 16 << 20  # bytes on the disk below which a run is not begun


def check_folder(path: Path) -> None:
    """``InputError`` where `path` cannot be written, because its folder is missing or closed."""
    parent = path.parent
    if not parent.is_dir():
        raise InputError(Problem(str(path), f"the folder {parent} does not exist"))
    if not os.access(parent, os.W_OK | os.X_OK) or (path.is_dir() and not os.access(path, os.W_OK | os.X_OK)):
        raise InputError(Problem(str(path), f"the folder {path if path.is_dir() else parent} is not writable"))


def check_disk(path: Path, needed: int = LEAST_FREE, what: str = "to begin") -> None:
    """``InputError`` where less than `needed` bytes are free on the disk of `path`."""
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        needs = f"{needed >> 20:,} MiB are needed {what}"
        raise InputError(Problem(str(path), f"the disk is full: {free >> 20:,} MiB are free, {needs}"))


def reason(error: Exception) -> str:
    """Why writing failed, in one line; HDF5 puts the system's number into a long text."""
    number = getattr(error, "errno", None)
    for code in (28, 27, 122, 5):
        if number == code or f"errno = {code}" in str(error):
            return os.strerror(code)
    return str(error).splitlines()[0]


def sync(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    if os.name == "nt" and path.is_dir():  # a folder cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
