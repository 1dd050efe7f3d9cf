"""What ``snnsim info`` says about a NIR file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from snnsim.errors import InputError, Problem
from snnsim.nir.flow import make_flow, node_faults
from snnsim.nir.graph import JOINT, NEEDS, Node
from snnsim.nir.hdf5 import read_graph
from snnsim.nir.maps import Shape


def file_contents(path: Path) -> dict[str, Any]:
    """Name, version, every node, and whether the graph can be simulated here."""
    graph = read_graph(path)
    faults, given = node_faults(graph), dict[str, Shape]()
    joint = list(faults)
    if not faults:
        try:
            given = make_flow(graph).given
        except InputError as error:   # nodes that are sound, but do not fit together
            joint = list(error.problems)
    return {
        "file": str(path), "format": "NIR", "version": graph.version, "edges": len(graph.edges),
        "can_simulate": "no" if joint else "yes",
        "nodes": [_node(node, faults, given) for node in graph.nodes.values()],
        "notes": [str(problem) for problem in joint],
    }


def _node(node: Node, faults: list[Problem], given: dict[str, Shape]) -> dict[str, Any]:
    places = {node.name, *(f"{node.name}.{key}" for key in (*node.values, *NEEDS.get(node.kind, ())))}
    mine = [p.message for p in faults if p.path in places]
    shape = " x ".join(map(str, given[node.name])) if node.name in given else ""
    return {"name": node.name, "type": "subgraph's border" if node.kind == JOINT else node.kind, "shape": shape,
            "simulated": f"no: {'; '.join(mine)}" if mine else "yes",
            "parameters": ", ".join(_value(key, value) for key, value in node.values.items() if value is not None)}


def _value(key: str, value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return f"{key} {value}"
    if value.size == 0:
        return f"{key} {list(value.shape)}"
    low, high = value.min(), value.max()
    if value.ndim <= 1 and value.size <= 4:
        return f"{key} {' x '.join(f'{x:g}' for x in np.atleast_1d(value))}"
    return f"{key} {list(value.shape)} " + (f"{low:g}" if low == high else f"{low:g} to {high:g}")
