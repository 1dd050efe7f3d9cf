"""A small network on its way to a chip, made by hand: graph, arrivals, placement and report of a bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from snnsim.deploy.bundle import Content
from snnsim.deploy.graph import Arrivals, Connection, Graph, Group, Learning, Trace


def ints(*values: int) -> np.ndarray:
    """int32 [values]."""
    return np.array(values, np.int32)


def a_graph() -> Graph:
    """Two sources onto three cells, which inhibit each other; one connection learns."""
    groups = (
        Group("sources", 2, "spike_times"),
        Group("cells", 3, "loihi_lif", {"du": 4095, "dv": np.array([1, 2, 3]), "vth": 100}, {"v": 5}, ("in",)),
    )
    connections = (
        Connection("sources/cells", 0, 1, "in", ints(0, 1, 1), ints(0, 1, 2), ints(10, 20, 30), ints(1, 2, 1),
                   sign_mode="excitatory"),
        Connection("cells/cells", 1, 1, "in", ints(0), ints(2), ints(-7), ints(1), learning=Learning(dw="x1*y0", t_epoch=2)),
    )
    return Graph("tiny", 0.1, "lava010", groups, connections, (Trace(1, "v", np.array([0, 2]), 2),), {1: None})


def some_arrivals() -> Arrivals:
    """Three of them in ten steps."""
    return Arrivals(*(np.array(column, np.int64) for column in ([1, 4, 4], [1, 1, 1], [0, 0, 0], [0, 1, 2], [640, 64, -64])))


def content(**changes: Any) -> Content:
    """A bundle's content, with changes."""
    whole = Content(a_graph(), some_arrivals(), 10, "loihi2", {"chips": 1}, {"fits": True}, "<p>page</p>\n",
                    "snnsim: 1\n", "snnsim: 1\nname: fixed\n")
    return replace(whole, **changes)
