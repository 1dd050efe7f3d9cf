"""Synapses that do not learn: merged into as few processes as their settings allow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from .assembly import Assembly
from .graph import Connection
from .mixins import Keeps


class Wire(NamedTuple):
    """What synapses have in common that share a process.

    source, target: numbers of pools. settings: as pairs. owner: the number of the connection that has it alone, or -1.
    """

    source: int
    target: int
    settings: tuple[tuple[str, Any], ...]
    owner: int


def add_synapses(to: Assembly) -> None:
    """Synapses that may share a sum share a process."""
    wires: dict[Wire, list[np.ndarray]] = {}
    for each in to.graph.connections:
        if not each.learning:
            for wire, columns in wires_of(to, each):
                wires.setdefault(wire, []).append(columns)
    for wire, parts in wires.items():
        add_wire(to, wire, np.concatenate(parts, axis=1))


def wires_of(to: Assembly, each: Connection) -> list[tuple[Wire, np.ndarray]]:
    """A connection cut by pools: pre, post (slots in their pools), weight and delay [4, synapses] per wire."""
    pools, sources = to.pools, to.pools.of[each.pre]
    shifts = each.settings["weight_exp"] < 0  # it shifts its sum to the right, which must not hold others' synapses
    if shifts and (sources != sources[:1]).any():
        raise each.refuse("with weight_exp below 0 its source must be one process in Lava, and is several")
    settings = (*each.settings.items(), ("delayed", bool((each.delay > 1).any())))
    pairs = sources * len(pools) + pools.of[each.post]
    columns = np.stack([pools.slot[each.pre], pools.slot[each.post], each.weight, each.delay])
    return [(Wire(*divmod(int(pair), len(pools)), settings, each.number if shifts else -1),
             chosen(columns, pairs == pair)) for pair in np.unique(pairs)]


def add_wire(to: Assembly, wire: Wire, columns: np.ndarray) -> None:
    """One process, or more where a pair of units has several synapses: Lava would cut their sum, not each."""
    copies = repeats(columns[1] * to.pools[wire.source].size + columns[0])
    if wire.owner >= 0 and copies.any():
        why = "with weight_exp below 0 Lava takes one synapse per pair of units"
        raise to.graph.connections[wire.owner].refuse(why)
    for copy in range(int(copies.max()) + 1):
        add_process(to, wire, chosen(columns, copies == copy))


def add_process(to: Assembly, wire: Wire, columns: np.ndarray) -> None:
    pre, post, weight, delay = columns
    settings = dict(wire.settings)
    shape = (to.pools[wire.target].size, to.pools[wire.source].size)
    options = {"weights": csr_matrix((weight, (post, pre)), shape), **weight_options(to.lava, settings)}
    if delay.max() > 1:
        process = to.lava.DelaySparse(delays=csr_matrix((delay - 1, (post, pre)), shape), **options)
        to.mix(Keeps, process)
    else:
        process = to.lava.Sparse(**options)
    to.pools[wire.source].out.connect(process.s_in)
    process.a_out.connect(to.inputs[wire.target, settings["port"]])


def weight_options(lava: SimpleNamespace, settings: dict[str, Any]) -> dict[str, Any]:
    """What all processes of synapses take."""
    options = {name: settings[name] for name in ("weight_exp", "num_weight_bits", "num_message_bits")}
    return {**options, "sign_mode": lava.SignMode[settings["sign_mode"].upper()]}


def chosen(columns: np.ndarray, here: np.ndarray) -> np.ndarray:
    """The columns that are `here`, not copied where all are."""
    return columns if here.all() else columns[:, here]


def repeats(keys: np.ndarray) -> np.ndarray:
    """For each key how many equal ones come before it."""
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], keys[order])
    counts = np.empty(keys.size, np.int64)
    counts[order] = np.arange(keys.size) - starts
    return counts
