"""What a run gave, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .errors import GraphError
from .graph import Group
from .models import MODELS
from .network import Network


def save(network: Network, path: Path) -> None:
    """What the last run gave; ``GraphError`` where the file cannot be written."""
    try:
        with h5py.File(path, "w") as file:
            file.attrs["format"] = "snnsim-lava-run"
            save_spikes(network, file.create_group("spikes"))
            save_traces(network, file.create_group("traces"))
            save_states(network, file.create_group("states"))
            for k, log in network.learned.items():
                file[f"weights/{k}/weight"], file[f"weights/{k}/tag_1"], file[f"weights/{k}/tag_2"] = log.values
    except OSError as error:
        raise GraphError(f"{path}: {error}") from error


def save_spikes(network: Network, at: Any) -> None:
    rows = network.spikes.read() if network.spikes.path.exists() else np.zeros((0, 3), np.int64)
    at["step"], at["unit"], at["payload"] = rows[np.lexsort((rows[:, 1], rows[:, 0]))].T


def save_traces(network: Network, at: Any) -> None:
    clock = network.clock
    for k, (trace, parts) in enumerate(zip(network.graph.traces, network.traces, strict=True)):
        every = int(trace["every"])
        values = np.zeros((clock.last // every - (clock.first - 1) // every, len(trace["units"])), np.int64)
        for part in parts:
            values[:, part.columns] = part.rows.read()
        at[str(k)] = values


def save_states(network: Network, at: Any) -> None:
    for group in network.graph.groups:
        model = MODELS.get(group.model)
        for j, name in enumerate(model.states.split() if model else ()):
            at[f"{group.name}/{name}"] = state(network, group, j)


def state(network: Network, group: Group, number: int) -> np.ndarray:
    """The state of that number of a group [n], gathered from its pools."""
    units, values = group.first + np.arange(group.n), np.zeros(group.n, np.int64)
    pools = network.pools.of[units]
    for k in np.unique(pools):
        here = pools == k
        values[here] = network.pools[k].log.values[number, network.pools.slot[units[here]]]
    return values
