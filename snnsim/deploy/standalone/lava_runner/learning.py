"""Synapses that learn: all pairs of units in one LearningDense, which holds to the synapses that there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from .assembly import Assembly
from .errors import LavaError, last_line
from .graph import Connection
from .mixins import Learns
from .records import Log, shared
from .synapses import weight_options

STATES = ["weights", "tag_1", "tag_2"]
Pair = tuple[np.ndarray, np.ndarray]


def add_learning(to: Assembly) -> dict[int, Log]:
    """The processes of all connections that learn; what is written of each, by its number."""
    return {each.number: add_process(to, each) for each in to.graph.connections if each.learning}


def add_process(to: Assembly, each: Connection) -> Log:
    number = int(to.pools.of[each.target.first])
    source, target = to.pools[to.pools.of[each.source.first]], to.pools[number]
    if (source.size, target.size) != (each.source.n, each.target.n):
        raise each.refuse("it learns, so each of its groups must be one process in Lava, and is several")
    index = to.pools.slot[each.post], to.pools.slot[each.pre]
    weights, synapses = matrices(each, index, (target.size, source.size))
    log = Log(to.clock, STATES, index, shared(len(STATES), each.weight.size))
    process = to.lava.LearningDense(weights=weights, learning_rule=learning_rule(to.lava, each), synapses=synapses,
                                    log=log, **weight_options(to.lava, each.settings))
    to.mix(Learns, process)
    source.out.connect(process.s_in)
    target.out.connect(process.s_in_bap)
    process.a_out.connect(to.inputs[number, each.settings["port"]])
    return log


def matrices(each: Connection, index: Pair, shape: tuple[int, int]) -> Pair:
    """Weights, and 1 where a pair of units has a synapse: both [target, source]."""
    weights, synapses = np.zeros((2, *shape), np.int64)
    np.add.at(synapses, index, 1)
    if (each.delay > 1).any() or (synapses > 1).any():
        raise each.refuse("Lava learns only with delays of 1 step and one synapse per pair of units")
    weights[index] = each.weight
    return weights, synapses


def learning_rule(lava: SimpleNamespace, each: Connection) -> Any:
    rule = each.learning or {}
    texts = {name: rule[name] for name in ("dw", "dd", "dt") if rule[name]} or {"dw": "0 * x0"}
    numbers = {f"{trace}_{kind}": value for kind, part in (("impulse", "impulses"), ("tau", "taus"))
               for trace, value in rule[part].items()}
    try:
        return lava.Loihi2FLearningRule(**texts, **numbers, t_epoch=rule["t_epoch"], rng_seed=rule["rng_seed"])
    except Exception as error:
        raise LavaError(f"connection {each.label}: Lava does not take its learning rule: {last_line(error)}") from error
