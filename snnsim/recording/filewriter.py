"""One HDF5 file being written: everything reaches the disk at each commit, and a kill loses nothing committed.

Single-writer/multiple-reader (SWMR) mode with file format 1.10 keeps the metadata on disk whole at all times; the
lengths in ``/snnsim/committed`` are written after the flush of what they count.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from snnsim.errors import InputError
from snnsim.recording import layout, superblock
from snnsim.recording.layout import FilePlan, RecordingPlan

# A cache of 1 MiB for each data set: what is appended in order needs no more, and a larger one fills up in a long run.
_OPTIONS: dict[str, Any] = {"libver": ("v110", "v110"), "rdcc_nbytes": 1 << 20}
# On Windows a SWMR writer fails at close while readers are open.
_SWMR = os.name != "nt"


class FileWriter:
    """Appends to the groups of one file. Use `create` or `resume`.

    path: the file; part: what it holds; committed, step: lengths of its groups, and the step, at the last commit.
    """

    def __init__(
        self, path: Path, file: h5py.File, part: FilePlan, columns: list[list[h5py.Dataset]], made: Path | None = None,
    ) -> None:
        self.path, self._file, self.part = path, file, part
        # Open all along: a data set that is closed writes what it holds, and cannot say that this failed.
        self._columns = columns
        self._committed: h5py.Dataset = file["snnsim/committed"]
        *self.committed, self.step = (int(n) for n in self._committed[:])
        self._lengths = list(self.committed)
        self._slots = {name: i for i, name in enumerate(part.names)}
        self._begin()
        if made is not None and made != path:
            os.replace(made, path)
        self._lock = hold(path)

    @classmethod
    def create(cls, path: Path, plan: RecordingPlan, part: FilePlan, compress: bool = False) -> FileWriter:
        """A new file, ready for blocks.

        It gets its name when it is whole: a reader that looks for it never meets, or locks, one that is being made.
        """
        made = path.with_name(f".{path.name}.{os.getpid()}.part") if _SWMR else path
        try:
            file = h5py.File(made, "w", **_OPTIONS)
            return cls(path, file, part, layout.create(file, plan, part, compress), made)
        finally:
            if made != path:
                made.unlink(missing_ok=True)

    @classmethod
    def resume(cls, path: Path, part: FilePlan, lengths: list[int], step: int) -> FileWriter:
        """An existing file, to go on after `lengths` and `step`; what lies behind is written over."""
        superblock.clear(path)
        file = h5py.File(path, "r+", **_OPTIONS)
        file["snnsim/committed"][:] = [*lengths, step]
        _set_finished(file, 0)
        file["snnsim/summary"].resize((0,))
        return cls(path, file, part, [layout.columns(file[name]) for name in part.names])

    def _begin(self) -> None:
        self._file.flush()
        if _SWMR:
            self._file.swmr_mode = True

    def spikes(self, population: str, *columns: NDArray[Any]) -> None:
        """Append a block of spikes: times, ids, and payloads where they carry some."""
        self._extend(self._slots[f"/spikes/{population}"], *columns)

    def rows(self, index: int, data: NDArray[np.floating]) -> None:
        """Append rows [T, N] of trace number `index`."""
        self._extend(self._slots[self.part.traces[index]], data)

    def weights(self, index: int, *columns: NDArray[Any]) -> None:
        """Append to weights number `index`: steps, then sources and targets of what is sent, then weights."""
        self._extend(self._slots[self.part.weights[index]], *columns)

    def _extend(self, slot: int, *blocks: NDArray[Any]) -> None:
        old = self._lengths[slot]
        new = old + len(blocks[0])
        for column, block in zip(self._columns[slot], blocks, strict=True):
            if len(column) < new:
                column.resize(new, axis=0)
            column[old:new] = block
        self._lengths[slot] = new

    def commit(self, step: int) -> None:
        """Everything so far reaches the file, then the lengths that count it."""
        self._file.flush()
        self._committed[:] = [*self._lengths, step]
        self._committed.id.flush()
        self.committed, self.step = list(self._lengths), step

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Mark the run as finished and close."""
        text = np.frombuffer(json.dumps(dict(summary)).encode(), dtype="u1")
        stored = self._file["snnsim/summary"]
        stored.resize((len(text),))
        stored.write_direct(text)
        self._file.flush()
        _set_finished(self._file, 1)
        self.close()

    def close(self) -> None:
        """Close the file cut to what was committed; it says of itself that the run is not finished, unless it is."""
        self._stop_times()
        whole = all(len(c) == n for group, n in zip(self._columns, self.committed, strict=True) for c in group)
        self._file.close()
        release(self._lock)
        if not whole:   # data sets cannot be cut while others may read them
            trim(self.path)

    def _stop_times(self) -> None:
        for name, length in zip(self.part.names, self.committed, strict=True):
            if layout.is_trace(name):
                layout.stop_time(self._file[name], length)

    def drop(self) -> None:
        """Let go of a file that cannot be written any more (disk full); what was committed stays readable.

        HDF5 would repeat the failing write at close, and crash. What it still wants to write goes nowhere instead.
        """
        with _nowhere() as nowhere, suppress(OSError, RuntimeError):
            os.dup2(nowhere.fileno(), self._file.id.get_vfd_handle())
            self._file.close()
        release(self._lock)


def _nowhere() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("snnsim"), "w+b")
    return tempfile.TemporaryFile()


def _set_finished(file: h5py.File, value: int) -> None:
    # The low-level call writes in place; h5py's own would make a new attribute, which SWMR mode forbids.
    h5py.h5a.open(file["snnsim"].id, b"finished").write(np.array(value, dtype="u1"))


def trim(path: Path) -> bool:
    """Cut the data sets of a closed file to their committed lengths; false where nothing was beyond."""
    with h5py.File(path, "r") as file:
        if not _beyond(file):
            return False
    with h5py.File(path, "r+", **_OPTIONS) as file:
        for column, length in _beyond(file):
            column.resize(length, axis=0)
    return True


def _beyond(file: h5py.File) -> list[tuple[h5py.Dataset, int]]:
    lengths = file["snnsim/committed"][:-1]
    pairs = zip(layout.names(file), lengths, strict=True)
    return [(c, int(length)) for name, length in pairs for c in layout.columns(file[name]) if len(c) > length]


def hold(path: Path) -> int | None:
    """A shared lock that says "being written" for as long as this process lives; None where locks do not exist."""
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # a file system without locks
        os.close(handle)
        return None
    return handle


def release(lock: int | None) -> None:
    """Give the lock of `hold` back."""
    if lock is not None:
        os.close(lock)


def running(path: Path) -> bool:
    """Whether a process is writing `path` now (as far as locks can tell); false for what is not HDF5."""
    try:
        import fcntl

        if not superblock.flags(path):
            return False
    except (ImportError, InputError):
        return False
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False
