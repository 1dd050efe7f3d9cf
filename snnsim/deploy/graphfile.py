"""A graph as an HDF5 file: numbers and short texts only, readable without snnsim."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnsim.deploy.graph import Connection, Graph, Group, Learning, Trace

FORMAT, VERSION = "snnsim-graph", 1
_ARRAYS = ("pre", "post", "weight", "delay")
_SETTINGS = ("label", "source", "target", "port", "weight_exp", "num_weight_bits", "sign_mode", "num_message_bits")


def save_graph(graph: Graph, path: str | Path) -> None:
    """Write `graph`: one HDF5 group for each group, connection and trace, named by its number."""
    with h5py.File(path, "w") as file:
        file.attrs.update(format=FORMAT, version=VERSION, name=graph.name, dt_ms=graph.dt, semantics=graph.semantics)
        for k, group in enumerate(graph.groups):
            _save_group(file.create_group(f"groups/{k}"), group)
        for k, connection in enumerate(graph.connections):
            _save_connection(file.create_group(f"connections/{k}"), connection)
        for k, trace in enumerate(graph.traces):
            at = file.create_group(f"traces/{k}")
            at.attrs.update(group=trace.group, variable=trace.variable, every=trace.every)
            at["units"] = np.asarray(trace.units, np.int64)
        for k, units in graph.recorded.items():
            file[f"recorded/{k}"] = np.arange(graph.groups[k].n) if units is None else np.asarray(units, np.int64)


def _save_group(at: h5py.Group, group: Group) -> None:
    at.attrs.update(name=group.name, n=group.n, model=group.model, ports=json.dumps(group.ports))
    for kind in ("params", "initial"):
        part = at.create_group(kind)
        for name, value in getattr(group, kind).items():
            part[name] = np.asarray(value)


def _save_connection(at: h5py.Group, connection: Connection) -> None:
    at.attrs.update({name: getattr(connection, name) for name in _SETTINGS})
    if connection.learning is not None:
        at.attrs["learning"] = json.dumps(asdict(connection.learning))
    for name in _ARRAYS:
        at.create_dataset(name, data=np.asarray(getattr(connection, name), np.int32), compression="gzip", shuffle=True)


def load_graph(path: str | Path) -> Graph:
    """The graph of a file that ``save_graph`` wrote; ``ValueError`` where it is none or of another version."""
    with h5py.File(path, "r") as file:
        if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
            raise ValueError(f"expected a {FORMAT} file of version {VERSION}, found "
                             f"{file.attrs.get('format')!r} of version {file.attrs.get('version')}")
        return Graph(
            str(file.attrs["name"]), float(file.attrs["dt_ms"]), str(file.attrs["semantics"]),
            tuple(_group(at) for at in _numbered(file, "groups")),
            tuple(_connection(at) for at in _numbered(file, "connections")),
            tuple(Trace(int(at.attrs["group"]), str(at.attrs["variable"]), at["units"][()], int(at.attrs["every"]))
                  for at in _numbered(file, "traces")),
            {int(k): units[()] for k, units in file.get("recorded", {}).items()},
        )


def _numbered(file: h5py.File, part: str) -> list[h5py.Group]:
    return [file[part][str(k)] for k in range(len(file.get(part, ())))]


def _group(at: h5py.Group) -> Group:
    params, initial = ({name: _number(value[()]) for name, value in at[kind].items()} for kind in ("params", "initial"))
    return Group(str(at.attrs["name"]), int(at.attrs["n"]), str(at.attrs["model"]), params, initial,
                 tuple(json.loads(at.attrs["ports"])))


def _number(value: Any) -> Any:
    return value if np.ndim(value) else value.item()


def _connection(at: h5py.Group) -> Connection:
    settings = {name: _plain(at.attrs[name]) for name in _SETTINGS}
    learning = Learning(**json.loads(at.attrs["learning"])) if "learning" in at.attrs else None
    return Connection(**settings, **{name: at[name][()] for name in _ARRAYS}, learning=learning)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else int(value)
