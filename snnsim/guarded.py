"""HDF5 files that may come from a stranger: sizes are checked before memory is taken, and no link is followed."""

from __future__ import annotations

import math
from typing import Any

import h5py

from snnsim.errors import InputError, Problem

RATIO = 1100  # deflate packs at most 1032 bytes into one
DEEPEST = 8  # groups in groups


class Guard:
    """Counts what the arrays of one file take, in bytes. limit: of all arrays together."""

    def __init__(self, limit: int) -> None:
        self.limit, self.bytes = limit, 0

    def take(self, item: h5py.Dataset, where: str) -> None:
        """Count what an array will take; ``InputError`` where it is too much or not in the file."""
        if item.is_virtual or item.external:
            raise InputError(Problem(where, "lies in another file, which is not opened"))
        size, stored = math.prod(item.shape or ()) * max(item.dtype.itemsize, 8), item.id.get_storage_size()
        if size > RATIO * stored + 8:
            raise InputError(Problem(where, f"announces {size} bytes, but {stored} are stored"))
        self.bytes += size
        if self.bytes > self.limit:
            raise InputError(Problem(where, f"expected at most {self.limit / 1e9:.1f} GB of arrays in all, found more"))

    def take_all(self, group: h5py.Group, where: str = "", depth: int = 0) -> None:
        """Count all arrays below a group; only numbers may be among them."""
        if depth > DEEPEST:
            raise InputError(Problem(where, f"expected at most {DEEPEST} groups in each other, found more"))
        for name in group:
            place = f"{where}/{name}"
            item = member(group, name, place)
            if isinstance(item, h5py.Group):
                self.take_all(item, place, depth + 1)
            elif isinstance(item, h5py.Dataset):
                self._take_numbers(item, place)
            else:
                raise InputError(Problem(place, "expected an array, found none"))

    def _take_numbers(self, item: h5py.Dataset, where: str) -> None:
        if item.dtype.kind not in "biuf":
            raise InputError(Problem(where, f"expected numbers, found values of type {item.dtype}"))
        self.take(item, where)


def member(group: h5py.Group, name: str, where: str) -> Any:
    """What a group holds under a name, None if nothing; never what a link leads to."""
    link = group.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise InputError(Problem(where or name, "is a link to another place or file, which is not followed"))
    return group[name]
