"""Small graphs and chips for the tests of the mapper, and what a core uses, counted in the plainest way."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from snnsim.deploy.graph import Connection, Graph, Group
from snnsim.deploy.mapper import Core, Placement
from snnsim.deploy.target import Count, Fact, Limit, Target, load_target

GIVEN = {"source": "a test", "sure": "given"}


def chip(base: str = "loihi1", memory: int | None = None, **limits: Any) -> Target:
    """A built-in target with other numbers; `memory` in bits of a core, None for a limit that is not there."""
    target = load_target(base)
    changed = {name: _changed(name, getattr(target, name), value) for name, value in limits.items()}
    if memory is not None:
        changed["memory"] = target.memory.model_copy(update={"bits_per_core": Limit(value=memory, **GIVEN)})
    return target.model_copy(update=changed)


def _changed(name: str, before: Any, value: Any) -> Any:
    if value is None or isinstance(value, (dict, Fact)):
        return value
    if isinstance(value, bool):
        return before.model_copy(update={"value": value})
    return (Count if name in ("chips", "cores_per_chip", "neurons_per_core") else Limit)(value=value, **GIVEN)


def group(name: str, n: int, model: str = "loihi_lif", **params: Any) -> Group:
    """A group of LIF neurons unless it says otherwise."""
    return Group(name, n, model, params, {}, ("in",))


def connection(source: int, target: int, pairs: Any, **settings: Any) -> Connection:
    """Synapses of weight 1 and delay 1 between these pairs of units, or of the delays that are given."""
    pre, post = np.array(list(pairs), np.int32).reshape(-1, 2).T
    delay = np.broadcast_to(np.array(settings.pop("delay", 1), np.int32), pre.shape)
    return Connection(f"{source}->{target}", source, target, "in", pre, post, np.ones_like(pre), delay, **settings)


def graph(groups: list[Group], connections: list[Connection]) -> Graph:
    """A graph of these."""
    return Graph("small", 1.0, "lava010", tuple(groups), tuple(connections))


def all_to_all(sources: int, targets: int) -> list[tuple[int, int]]:
    """Every pair of units."""
    return [(pre, post) for pre in range(sources) for post in range(targets)]


def recount(network: Graph, placement: Placement, core: Core) -> dict[str, int]:
    """What `core` uses, synapse by synapse, with the numbers of the chips' coding written out here once more.

    On Loihi 1 seven weight bits are stored in eight; on Loihi 2 neurons take 24 bytes of the memory each.
    """
    bits, second = {}, placement.target.name == "loihi2"
    for share in core.shares:
        number = [one.name for one in network.groups].index(share.group)
        for k, one in enumerate(network.connections):
            on = (one.post >= share.start) & (one.post < share.stop) & (one.target == number)
            if on.any():
                weight = 8 if one.num_weight_bits == 7 and not second else one.num_weight_bits
                bits[share, k] = _bits(one, on, share.stop - share.start, weight)
    place = {unit: int(at) for unit, at in enumerate(placement.core)}
    me = placement.cores.index(core)
    edges = {(network.first[one.source] + pre, place[network.first[one.target] + post])
             for one in network.connections for pre, post in zip(one.pre, one.post, strict=True)}
    neurons = sum(share.stop - share.start for share in core.shares)
    return {
        "neurons": neurons,
        "memory_bits": sum(bits.values()) + second * 192 * neurons,
        "axons_in": sum(at == me for _, at in edges),
        "axons_out": sum(place[unit] == me and at >= 0 for unit, at in edges),
    }


def _bits(one: Connection, on: np.ndarray, units: int, weight: int) -> int:
    lists = Counter(one.pre[on].tolist())
    synapse = weight + int(one.delay.max() - 1).bit_length()
    index = max(6, (units - 1).bit_length())
    sparse = sum(_list(many, synapse + index) for many in lists.values())
    double = len(set(zip(one.pre[on].tolist(), one.post[on].tolist(), strict=True))) < on.sum()
    return sparse if double else min(sparse, len(lists) * _list(units, synapse))


def _list(synapses: int, bits: int) -> int:
    """Blocks of up to 64 synapses with 10 bits before them, each in whole words of 64 bits."""
    total = 0
    while synapses > 0:
        total += -(-(min(synapses, 64) * bits + 10) // 64) * 64
        synapses -= 64
    return total
