"""Groups, data sets and attributes, made with the lower level of h5py.

Its upper level makes every type and every list of properties anew, and asks for each attribute whether it is there.
That takes three times as long, and for a short run making its file is a good part of all work.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5p, h5s, h5t
from numpy.typing import ArrayLike

_TEXT, _SORTING = "text", "sorting"
_SPECIAL = {_TEXT: h5py.string_dtype("utf-8"), _SORTING: h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, "u1")}
_GZIP = 4


@lru_cache
def _types(kind: str) -> tuple[Any, Any]:
    """In the file and in memory. kind: of a NumPy type, or special."""
    dtype = _SPECIAL.get(kind) or np.dtype(kind)
    return h5t.py_create(dtype, logical=True), h5t.py_create(dtype)


@lru_cache
def _properties(chunks: tuple[int, ...] | None, compress: bool) -> Any:
    made = h5p.create(h5p.DATASET_CREATE)
    made.set_obj_track_times(False)
    if chunks is not None:
        made.set_chunk(chunks)
    if compress:
        made.set_shuffle()
        made.set_deflate(_GZIP)
    return made


@lru_cache
def _links(ascii: bool) -> Any:
    made = h5p.create(h5p.LINK_CREATE)
    made.set_create_intermediate_group(True)
    made.set_char_encoding(h5t.CSET_ASCII if ascii else h5t.CSET_UTF8)
    return made


@lru_cache
def _plain_group() -> Any:
    made = h5p.create(h5p.GROUP_CREATE)
    made.set_obj_track_times(False)
    return made


def make_group(parent: h5py.Group, name: str) -> h5py.Group:
    """A new group, and those that its name leads through."""
    return h5py.Group(h5g.create(parent.id, name.encode(), lcpl=_links(name.isascii()), gcpl=_plain_group()))


def make_column(
    parent: h5py.Group, name: str, kind: str, chunks: tuple[int, ...], rest: tuple[int, ...], compress: bool,
) -> h5py.Dataset:
    """A new data set [0, *rest] that grows along its first axis; `parent` is its group."""
    space = h5s.create_simple((0, *rest), (h5s.UNLIMITED, *rest))
    return _dataset(parent, name, kind, space, _properties(chunks, compress))


def keep(parent: h5py.Group, name: str, data: ArrayLike) -> h5py.Dataset:
    """A new data set with the numbers of `data`; all of them are there at once."""
    array = np.ascontiguousarray(data)
    made = _dataset(parent, name, array.dtype.str, h5s.create_simple(array.shape), _properties(None, False))
    made.id.write(h5s.ALL, h5s.ALL, array)
    return made


def _dataset(parent: h5py.Group, name: str, kind: str, space: Any, properties: Any) -> h5py.Dataset:
    links = _links(name.isascii())
    return h5py.Dataset(h5d.create(parent.id, name.encode(), _types(kind)[0], space, properties, links))


def describe(owner: h5py.Group | h5py.Dataset, **attributes: Any) -> None:
    """New attributes: texts, or numbers and arrays of NumPy."""
    for name, value in attributes.items():
        if isinstance(value, str):
            _describe(owner, name, np.array(value, dtype=object), _TEXT)
        else:
            _describe(owner, name, np.asarray(value), np.asarray(value).dtype.str)


def mark_sorted(owner: h5py.Group) -> None:
    """The attribute with which SONATA says that spikes are sorted by time, a number with a name."""
    _describe(owner, "sorting", np.array(2, np.uint8), _SORTING)


def _describe(owner: h5py.Group | h5py.Dataset, name: str, value: np.ndarray, kind: str) -> None:
    stored, given = _types(kind)
    h5a.create(owner.id, name.encode(), stored, h5s.create_simple(value.shape)).write(value, mtype=given)
