"""The host's side: a process that feeds ports and sends for sources, one that takes spikes, and the traces."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from .arrivals import Feed
from .assembly import Assembly
from .errors import GraphError
from .graph import Group
from .mixins import Gives, Takes
from .pools import Pool
from .records import Rows, Sampled


def add_host(to: Assembly) -> tuple[Any, Feed]:
    """One process that sends to every port, and from every source; and what it sends."""
    sizes = [to.pools[number].size for number, _ in to.inputs]
    spans = [slice(*span) for span in pairwise(np.cumsum([0, *sizes]).tolist())]
    feed = Feed(to.clock, to.folder, spans, np.repeat([not name for _, name in to.inputs], sizes))
    host = to.own_process("Host", Gives, to.lava.OutPort, to.lava.PyOutPort, sizes, feed=feed)
    for k, ((number, name), port) in enumerate(to.inputs.items()):
        if name:
            getattr(host, f"port_{k}").connect(port)
        else:
            to.pools[number].out = getattr(host, f"port_{k}")
    return host, feed


def add_sink(to: Assembly) -> Rows:
    """A process that writes the recorded spikes: step, unit and payload."""
    rows, wanted = Rows(to.folder / "spikes.bin", to.clock, 3), recorded(to)
    pools = [pool for pool in to.pools.all if (wanted[pool.units] >= 0).any()]
    if pools:
        units = [wanted[pool.units] for pool in pools]
        sizes = [each.size for each in units]
        sink = to.own_process("Sink", Takes, to.lava.InPort, to.lava.PyInPort, sizes, units=units, rows=rows)
        for k, pool in enumerate(pools):
            pool.out.connect(getattr(sink, f"port_{k}"))
    return rows


def recorded(to: Assembly) -> np.ndarray:
    """The number of each unit whose spikes are recorded, -1 of the others [units]."""
    wanted = np.full(to.graph.units, -1)
    for k, units in to.graph.recorded.items():
        wanted[to.graph.groups[k].first + units] = to.graph.groups[k].first + units
    return wanted


def add_traces(to: Assembly) -> list[list[Sampled]]:
    return [add_trace(to, k, trace) for k, trace in enumerate(to.graph.traces)]


def add_trace(to: Assembly, number: int, trace: dict[str, Any]) -> list[Sampled]:
    """A trace, in as many parts as its units have processes."""
    group, variable, parts = to.graph.groups[trace["group"]], str(trace["variable"]), []
    units = group.first + trace["units"]
    for k in np.unique(to.pools.of[units]):
        columns, pool = np.flatnonzero(to.pools.of[units] == k), to.pools[k]
        check_trace(group, pool, variable)
        rows = Rows(to.folder / f"trace-{number}-{k}.bin", to.clock, columns.size)
        parts.append(Sampled(variable, to.pools.slot[units[columns]], int(trace["every"]), columns, rows))
        pool.log.traces.append(parts[-1])
    return parts


def check_trace(group: Group, pool: Pool, variable: str) -> None:
    if pool.log is None or variable not in pool.log.names:
        raise GraphError(f"trace of {group.name}: Lava's {group.model} has no state {variable}")
