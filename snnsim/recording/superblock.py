"""The first 48 bytes of an HDF5 file: what a killed writer leaves there, and how it is made clean.

Source: HDF5 File Format Specification 3.0, section II.A (superblock versions 2 and 3); the checksum is Bob Jenkins'
lookup3 ``hashlittle`` (burtleburtle.net/bob/c/lookup3.c, public domain).
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

from snnsim.errors import InputError, Problem

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SIZE = 48
WRITING, SWMR = 1, 4  # consistency flags
_MASK = 0xFFFFFFFF


def flags(path: Path) -> int:
    """The consistency flags of a file: 0 when it was closed properly.

    Raises ``InputError`` where the file is missing or not HDF5.
    """
    head = _head(path)
    return head[11] if head[8] >= 2 else 0


def clear(path: Path) -> bool:
    """Mark a file as closed properly, in place; false where it was already."""
    if not flags(path):
        return False
    size = path.stat().st_size
    with path.open("r+b") as file:
        clean = cleaned(file.read(SIZE), size)
        file.truncate(max(size, _end(clean)))
        file.seek(0)
        file.write(clean)
        file.flush()
        os.fsync(file.fileno())
    return True


def cleaned(head: bytes, size: int) -> bytes:
    """`head` with no flags, its end of file not before `size`, and a fitting checksum."""
    body = bytearray(head[: SIZE - 4])
    body[11] = 0
    body[28:36] = max(size, _end(head)).to_bytes(8, "little")
    return bytes(body) + lookup3(bytes(body)).to_bytes(4, "little")


def _end(head: bytes) -> int:
    return int.from_bytes(head[28:36], "little")


def _head(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(Problem(str(path), "no such file"))
    with path.open("rb") as file:
        head = file.read(SIZE)
    if len(head) < SIZE or not head.startswith(SIGNATURE):
        raise InputError(Problem(str(path), "expected an HDF5 file, found something else"))
    return head


class CleanView(io.RawIOBase):
    """A killed file as if it had been closed properly; the file itself is not touched."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        self._size = path.stat().st_size
        self._clean = cleaned(self._file.read(SIZE), self._size)
        self._at = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It has a position."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to `offset` from the start, the position, or the end."""
        self._at = offset + (0, self._at, max(self._size, _end(self._clean)))[whence]
        return self._at

    def tell(self) -> int:
        """The position."""
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` from the position; beyond the end of the file there are zeros."""
        self._file.seek(self._at)
        found = self._file.read(len(buffer)).ljust(len(buffer), b"\0")
        if self._at < SIZE:
            found = (self._clean[self._at :] + found[max(0, SIZE - self._at) :])[: len(buffer)]
        buffer[:] = found
        self._at += len(buffer)
        return len(buffer)

    def close(self) -> None:
        """Close the file behind."""
        self._file.close()
        super().close()


def lookup3(data: bytes) -> int:
    """Jenkins' lookup3 hash of `data` with initial value 0, as HDF5 uses it for its metadata."""
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    while len(data) > 12:
        a, b, c = _mix(*(_add(x, data[4 * i : 4 * i + 4]) for i, x in enumerate((a, b, c))))
        data = data[12:]
    if not data:
        return c
    a, b, c = (_add(x, data[4 * i : 4 * i + 4]) for i, x in enumerate((a, b, c)))
    return _final(a, b, c)


def _add(x: int, word: bytes) -> int:
    return (x + int.from_bytes(word, "little")) & _MASK


def _rotate(x: int, k: int) -> int:
    return ((x << k) | (x >> (32 - k))) & _MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for k in (4, 6, 8, 16, 19, 4):
        a = ((a - c) & _MASK) ^ _rotate(c, k)
        c = (c + b) & _MASK
        a, b, c = b, c, a
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    for k in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotate(b, k)) & _MASK
        a, b, c = b, c, a
    return b
