"""A fixed-point network as plain arrays: what is mapped to cores, bundled, and handed to Lava.

Units are counted per group from 0, and over the whole graph as ``first[group] + unit``. Steps count from 1, as in Lava.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

Numbers = int | float | np.ndarray


@dataclass(frozen=True)
class Group:
    """N units of one fixed-point model, or of one that only sends spikes that the host makes.

    params, initial: numbers, or arrays [n] where they differ between units; states that begin at 0 are left out.
    ports: names in the order that arrivals count them.
    """

    name: str
    n: int
    model: str
    params: Mapping[str, Numbers] = field(default_factory=dict)
    initial: Mapping[str, Numbers] = field(default_factory=dict)
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Learning:
    """A sum-of-products learning rule in the form of Lava's ``Loihi2FLearningRule``; empty rules change nothing."""

    dw: str = ""
    dd: str = ""
    dt: str = ""
    impulses: Mapping[str, float] = field(default_factory=dict)   # x1, x2, y1, y2, y3
    taus: Mapping[str, float] = field(default_factory=dict)       # the same names, in steps
    t_epoch: int = 1
    rng_seed: int = 0


@dataclass(frozen=True)
class Connection:
    """Synapses between two groups with shared settings.

    pre, post: int32 [synapses], units of the groups `source` and `target` (numbers of groups). weight: int32
    [synapses], mantissas as the network gives them, before the chip cuts them to `num_weight_bits`. delay: int32
    [synapses], steps, at least 1. sign_mode: excitatory, inhibitory or mixed. num_message_bits: 0 for messages that
    count as 1.
    """

    label: str
    source: int
    target: int
    port: str
    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    weight_exp: int = 0
    num_weight_bits: int = 8
    sign_mode: str = "mixed"
    num_message_bits: int = 0
    learning: Learning | None = None


@dataclass(frozen=True)
class Trace:
    """Record a state of some units of a group every `every` steps."""

    group: int
    variable: str
    units: np.ndarray
    every: int


@dataclass(frozen=True)
class Arrivals:
    """What the host adds to ports: `weight` to port number `port` of `unit` of `group` in `step`.

    int64 [arrivals], sorted by step.
    """
    step: np.ndarray
    group: np.ndarray
    port: np.ndarray
    unit: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Graph:
    """A whole fixed-point network. recorded: group -> units whose spikes are kept (None: all)."""

    name: str
    dt: float
    semantics: str
    groups: tuple[Group, ...]
    connections: tuple[Connection, ...]
    traces: tuple[Trace, ...] = ()
    recorded: Mapping[int, Any] = field(default_factory=dict)

    @cached_property
    def first(self) -> np.ndarray:
        """The number of the first unit of each group, and the number of all units, int64 [groups + 1]."""
        return np.cumsum([0, *(group.n for group in self.groups)])

    @property
    def synapses(self) -> int:
        return sum(connection.pre.size for connection in self.connections)
