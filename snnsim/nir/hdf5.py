"""Reads a NIR file, which may come from a stranger: the size of everything is checked before memory is taken.

A file is refused whose links lead out of it, whose arrays are larger than what it holds could unpack to, or that nests
without end. No Python object is ever made from what it says but numbers and text. (The ``nir`` library reads all that
a file announces, and refuses graphs of older tools for the shapes they noted, so it is used for writing only.)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnsim.errors import InputError, Problem, did_you_mean
from snnsim.guarded import Guard, member
from snnsim.nir.graph import JOINT, Edges, Graph, Node

LIMIT = 1 << 31        # bytes of all arrays
MOST_NODES = 100_000
MOST_EDGES = 1_000_000
DEEPEST = 16           # subgraphs in subgraphs
MAGIC = b"\x89HDF\r\n\x1a\n"


def read_graph(path: str | Path) -> Graph:
    """The graph of a NIR file, subgraphs taken apart. Raises ``InputError`` where it is no sound NIR file."""
    path = Path(path)
    _check_is_hdf5(path)
    try:
        with h5py.File(path, "r") as file:
            return _Reader(path).graph(file)
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"damaged or unreadable: {error}") from error


def _check_is_hdf5(path: Path) -> None:
    if not path.is_file():
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else [])
        raise InputError("is a folder, expected a NIR file" if path.is_dir() else f"no such file{near}")
    with path.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise InputError("expected a NIR file, which is HDF5, found something else")


class _Reader:
    """Reads one file."""

    def __init__(self, path: Path) -> None:
        self.path, self.guard, self.count = path, Guard(LIMIT), 0

    def graph(self, file: h5py.File) -> Graph:
        root = member(file, "node", "")
        if not isinstance(root, h5py.Group):
            raise InputError(f"expected a NIR graph in a group /node, found {', '.join(file) or 'nothing'}")
        version = member(file, "version", "")
        nodes, edges = self._subgraph(root, "", 0)
        known = version is not None and self._value(version, "version")
        return Graph(self.path, str(known or "unknown"), nodes, edges, self._metadata(root))

    def _subgraph(self, group: h5py.Group, prefix: str, depth: int) -> tuple[dict[str, Node], Edges]:
        """The nodes and edges of a graph with those of the graphs in it."""
        where = prefix.rstrip(".")
        if depth > DEEPEST:
            raise InputError(Problem(where, f"expected at most {DEEPEST} subgraphs in each other, found more"))
        members = member(group, "nodes", where)
        if not isinstance(members, h5py.Group):
            raise InputError(Problem(where, "expected a graph with a group of nodes, found none"))
        nodes: dict[str, Node] = {}
        doors: dict[str, tuple[list[str], list[str]]] = {}
        edges: Edges = []
        for name in members:
            found, inside = self._node(members, name, prefix, depth)
            if clash := sorted(found.keys() & nodes.keys()):
                raise InputError(Problem(clash[0], "expected a name for each node, found two of this name"))
            if inside is not None:
                doors[prefix + name] = _doors(found.values())
                found = {key: _joined(node) for key, node in found.items()}
                edges += inside
            nodes |= found
        return nodes, edges + self._edges(group, nodes, doors, prefix)

    def _node(self, members: h5py.Group, name: str, prefix: str, depth: int) -> tuple[dict[str, Node], Edges | None]:
        """One node, or the nodes and edges of a subgraph."""
        self.count += 1
        if self.count > MOST_NODES:
            raise InputError(f"expected at most {MOST_NODES} nodes, found more")
        full = prefix + name
        group = member(members, name, full)
        kind = self._kind(group, full)
        if kind == "NIRGraph":
            return self._subgraph(group, f"{full}.", depth + 1)
        values = {key: member(group, key, f"{full}.{key}") for key in group if key != "type"}
        read = {key: self._value(item, f"{full}.{key}") for key, item in values.items()
                if isinstance(item, h5py.Dataset)}
        return {full: Node(full, kind, read)}, None

    def _kind(self, group: Any, full: str) -> str:
        item = member(group, "type", f"{full}.type") if isinstance(group, h5py.Group) else None
        kind = self._value(item, f"{full}.type") if isinstance(item, h5py.Dataset) else None
        if not isinstance(kind, str):
            raise InputError(Problem(full, "expected a node with a type, found none"))
        return kind

    def _metadata(self, root: h5py.Group) -> dict[str, Any]:
        group = member(root, "metadata", "metadata")
        if not isinstance(group, h5py.Group):
            return {}
        items = {key: member(group, key, f"metadata.{key}") for key in group if key.startswith("snnsim_")}
        return {key: self._value(item, f"metadata.{key}") for key, item in items.items()
                if isinstance(item, h5py.Dataset)}

    def _edges(self, group: h5py.Group, nodes: dict[str, Node], doors: dict[str, Any], prefix: str) -> Edges:
        item = member(group, "edges", f"{prefix}edges")
        shape = item.shape if isinstance(item, h5py.Dataset) else None
        if shape == (0,):
            return []
        if shape is None or len(shape) != 2 or shape[1] != 2 or shape[0] > MOST_EDGES:
            found = "none" if shape is None else f"an array of shape {shape}"
            raise InputError(Problem(f"{prefix}edges", f"expected up to {MOST_EDGES} pairs of names, found {found}"))
        pairs = self._texts(item, f"{prefix}edges")
        ends = [(prefix + str(a), prefix + str(b)) for a, b in pairs]
        return list(dict.fromkeys(pair for a, b in ends for pair in _through(a, b, nodes, doors)))

    def _value(self, item: h5py.Dataset, where: str) -> Any:
        """A float64 array, or text."""
        if item.shape is None:
            return None
        if item.shape == () and item.dtype.kind in "OS":
            return self._texts(item, where)
        self.guard.take(item, where)
        if item.dtype.kind not in "biuf":
            raise InputError(Problem(where, f"expected numbers or text, found values of type {item.dtype}"))
        return np.asarray(item[()], np.float64)

    def _texts(self, item: h5py.Dataset, where: str) -> Any:
        """Text, or an array of texts."""
        self.guard.take(item, where)
        if item.dtype.kind != "S" and h5py.check_string_dtype(item.dtype) is None:
            raise InputError(Problem(where, f"expected text, found values of type {item.dtype}"))
        try:
            return item.asstr()[()]
        except UnicodeDecodeError as error:
            raise InputError(Problem(where, "expected text, found bytes that are not UTF-8")) from error


def _joined(node: Node) -> Node:
    return Node(node.name, JOINT) if node.kind in ("Input", "Output") else node


def _doors(nodes: Any) -> tuple[list[str], list[str]]:
    """Where edges into a subgraph and out of it are tied: to its Input and Output."""
    listed = list(nodes)
    return [n.name for n in listed if n.kind == "Input"], [n.name for n in listed if n.kind == "Output"]


def _through(a: str, b: str, nodes: dict[str, Node], doors: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """An edge, tied to the nodes inside where it begins or ends at a subgraph."""
    ends = []
    for name, side, what in ((a, 1, "Output"), (b, 0, "Input")):
        if name in doors and len(doors[name][side]) != 1:
            found = len(doors[name][side])
            raise InputError(Problem(name, f"expected a subgraph with one {what} for its edges, found {found}"))
        if name not in doors and name not in nodes:
            raise InputError(Problem(f"edges.{a} -> {b}", f"expected names of nodes, found {name!r}, which is none"
                                                          f"{did_you_mean(name, [*nodes, *doors])}"))
        ends.append(doors[name][side][0] if name in doors else name)
    yield ends[0], ends[1]
