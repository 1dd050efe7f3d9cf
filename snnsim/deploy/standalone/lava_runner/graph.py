"""The graph: groups of units, the connections between them, and what is to be recorded, as the file has them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .errors import GraphError
from .models import ANY_NUMBER, FRACTIONS, MODELS, SIGN_MODES, SOURCES

SETTINGS = ("port", "weight_exp", "num_weight_bits", "sign_mode", "num_message_bits")
SYNAPSE = ("pre", "post", "weight", "delay")
MOST_DELAY = 63  # steps: Lava hangs beyond 64, and chips have 62 and the step that every synapse takes


@dataclass
class Group:
    """params, initial: an array [n] per name. first: the number of the first unit in the whole graph."""

    number: int
    name: str
    n: int
    model: str
    params: dict[str, np.ndarray]
    initial: dict[str, np.ndarray]
    ports: list[str]
    first: int

    def values(self, name: str) -> np.ndarray:
        """The parameter `name` [n] as Lava needs it: whole numbers, or real ones where it takes fractions."""
        if name not in self.params:
            raise GraphError(f"group {self.name}: expected the parameter {name} of {self.model}, found none")
        values = self.params[name]
        if name in FRACTIONS:
            return values.astype(np.float64)
        whole = values.astype(np.int64)
        if np.array_equal(whole, values):
            return whole
        if name in ANY_NUMBER:
            return values
        raise GraphError(f"group {self.name}: {name}: expected whole numbers, found {values[whole != values][0]}")


@dataclass
class Connection:
    """Synapses [S] from units `pre` to units `post`, both counted over the whole graph."""

    number: int
    label: str
    source: Group
    target: Group
    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    settings: dict[str, Any]
    learning: dict[str, Any] | None

    def refuse(self, why: str) -> GraphError:
        return GraphError(f"connection {self.label}: {why}")


@dataclass
class Graph:
    groups: list[Group]
    connections: list[Connection]
    traces: list[dict[str, Any]]
    recorded: dict[int, np.ndarray]

    @property
    def units(self) -> int:
        return sum(group.n for group in self.groups)


def read_graph(path: Path) -> Graph:
    """The graph of a file of snnsim; ``GraphError`` where it is damaged or cannot run in Lava."""
    try:
        with h5py.File(path, "r") as file:
            check_kind(file)
            graph = read_parts(file)
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise GraphError(f"{path}: {error}") from error
    return graph


def check_kind(file: Any) -> None:
    if file.attrs.get("format") != "snnsim-graph" or file.attrs.get("version") != 1:
        raise GraphError(f"{file.filename}: expected a graph of version 1, found {file.attrs.get('format')!r}, "
                         f"version {file.attrs.get('version')}")
    if file.attrs["semantics"] != "lava010":
        raise GraphError(f"{file.filename}: Lava has no rules of {file.attrs['semantics']}, only those of lava010")


def read_parts(file: Any) -> Graph:
    groups = read_groups(file)
    if not sum(group.n for group in groups):
        raise GraphError(f"{file.filename}: expected a graph with units, found none")
    connections = [read_connection(at, k, groups) for k, at in numbered(file, "connections")]
    traces = [{**at.attrs, "units": at["units"][()]} for _, at in numbered(file, "traces")]
    recorded = {int(k): units[()] for k, units in file.get("recorded", {}).items()}
    return Graph(groups, connections, traces, recorded)


def numbered(file: Any, part: str) -> list[tuple[int, Any]]:
    return [(k, file[part][str(k)]) for k in range(len(file.get(part, ())))]


def read_groups(file: Any) -> list[Group]:
    groups: list[Group] = []
    for k, at in numbered(file, "groups"):
        first = groups[-1].first + groups[-1].n if groups else 0
        groups.append(read_group(at, k, first))
    return groups


def read_group(at: Any, number: int, first: int) -> Group:
    name, n, model = str(at.attrs["name"]), int(at.attrs["n"]), str(at.attrs["model"])
    if model not in MODELS and model not in SOURCES:
        raise GraphError(f"group {name}: Lava has no model {model}; it has {', '.join(MODELS)}")
    params, initial = ({key: np.broadcast_to(value[()], n) for key, value in at[kind].items()}
                       for kind in ("params", "initial"))
    return Group(number, name, n, model, params, initial, json.loads(at.attrs["ports"]), first)


def read_connection(at: Any, number: int, groups: list[Group]) -> Connection:
    settings = {name: at.attrs[name] if isinstance(at.attrs[name], str) else int(at.attrs[name]) for name in SETTINGS}
    source, target = groups[at.attrs["source"]], groups[at.attrs["target"]]
    pre, post, weight, delay = (at[name][()].astype(np.int64) for name in SYNAPSE)
    learning = json.loads(at.attrs["learning"]) if "learning" in at.attrs else None
    connection = Connection(number, str(at.attrs["label"]), source, target, pre + source.first, post + target.first,
                            weight, delay, settings, learning)
    check_connection(connection)
    return connection


def check_connection(connection: Connection) -> None:
    """Refuse what Lava would take without a word, or what would break one of its processes."""
    check_port(connection)
    check_units(connection, "pre", connection.pre, connection.source)
    check_units(connection, "post", connection.post, connection.target)
    if (sign_mode := connection.settings["sign_mode"]) not in SIGN_MODES:
        raise connection.refuse(f"sign_mode: expected one of {', '.join(SIGN_MODES)}, found {sign_mode}")
    delay = connection.delay
    if delay.size and not 1 <= delay.min() <= delay.max() <= MOST_DELAY:
        raise connection.refuse(f"expected delays of 1 to {MOST_DELAY} steps, found {delay.min()} to {delay.max()}")


def check_port(connection: Connection) -> None:
    model, port = connection.target.model, connection.settings["port"]
    if model in SOURCES:
        raise connection.refuse(f"{model} sends what the host gives it, and receives nothing in Lava")
    if port not in MODELS[model].ports:
        raise connection.refuse(f"{model} has no port {port}; it has {', '.join(MODELS[model].ports)}")


def check_units(connection: Connection, name: str, units: np.ndarray, group: Group) -> None:
    if units.size and not 0 <= units.min() - group.first <= units.max() - group.first < group.n:
        raise connection.refuse(f"{name}: expected units 0 to {group.n - 1} of {group.name}, found others")
