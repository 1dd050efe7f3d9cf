"""The synapses of a graph in order: those onto each unit of a group, and those of each unit of the graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from snnsim.cachefolder import compiled
from snnsim.deploy.from_plan import SOURCES
from snnsim.deploy.graph import Connection, Graph, Group


def on_host(group: Group) -> bool:
    """Whether the host makes the spikes of the group, so that it needs no core."""
    return group.model in SOURCES


class Incoming(NamedTuple):
    """The synapses onto the units of a group, connection by connection.

    start: int64 [connections, units + 1], where those onto a unit begin in `pre`; pre: int32 [synapses], their units in
    the source group; delay: int32 [units], the largest delay beyond one step of those onto a unit.
    """

    start: np.ndarray
    pre: np.ndarray
    delay: np.ndarray


class Outgoing(NamedTuple):
    """The synapses of all units. start: int64 [units + 1]; target: int32 [synapses], numbers in the whole graph."""

    start: np.ndarray
    target: np.ndarray


def incoming(connections: list[Connection], n: int) -> Incoming:
    """The synapses of `connections`, all onto one group of `n` units."""
    start = np.zeros((len(connections), n + 1), np.int64)
    pre = np.empty(sum(c.pre.size for c in connections), np.int32)
    delay, used = np.zeros(n, np.int32), 0
    for k, connection in enumerate(connections):
        post = _int32(connection.post)
        start[k] = used + _starts([post], n)
        _fill(start[k, :-1].copy(), post, 0, _int32(connection.pre), 0, pre)
        _latest(delay, post, _int32(connection.delay))
        used += post.size
    return Incoming(start, pre, delay)


def outgoing(graph: Graph) -> Outgoing:
    """The synapses of each unit of `graph`, in the order of its connections."""
    first = graph.first
    sources = [_int32(c.pre) for c in graph.connections]
    start = _starts(sources, int(first[-1]), [int(first[c.source]) for c in graph.connections])
    target, place = np.empty(graph.synapses, np.int32), start[:-1].copy()
    for pre, connection in zip(sources, graph.connections, strict=True):
        _fill(place, pre, first[connection.source], _int32(connection.post), first[connection.target], target)
    return Outgoing(start, target)


def _int32(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.int32)


def _starts(keys: Iterable[np.ndarray], n: int, offsets: Iterable[int] = (0,)) -> np.ndarray:
    """Where those of each key below `n` begin once they are in order."""
    many = np.zeros(n + 1, np.int64)
    for key, offset in zip(keys, offsets, strict=True):
        counts = np.bincount(key)
        many[offset + 1 : offset + 1 + counts.size] += counts
    return np.cumsum(many)


@compiled("deploy")
def _fill(place, key, key_offset, value, value_offset, out):  # type: ignore[no-untyped-def]
    """Put each value where its key has a place left."""
    for k in range(key.size):
        at = key[k] + key_offset
        out[place[at]] = value[k] + value_offset
        place[at] += 1


@compiled("deploy")
def _latest(delay, post, steps):  # type: ignore[no-untyped-def]
    for k in range(post.size):
        delay[post[k]] = max(delay[post[k]], steps[k] - 1)
