"""Plastic projections on the GPU engine: the bits of ``reference`` however a network is cut and run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gpu.gxx import needs_gxx
from gpu.host import HostDevice
from learning import NETWORKS, PAIR, TIES, driven, learning, mixed, played, repeated, several, sparse, taught

import snnsim as sn
from snnsim.backends.cupy.engine import GpuEngine
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.lowering import make_plan
from snnsim.plan import Plan

pytestmark = needs_gxx
# Strategy, parts, threads of a block.
WAYS = [("persistent", 1, 32), ("persistent", 4, 64), ("graph", 3, 64), ("launches", 2, 96)]
PIECES = (70, 1, 130)
Outcome = dict[Any, np.ndarray]


def late(precision: str = "single") -> sn.Network:
    """No delay is short, so blocks meet every few steps only; in one of them events reach synapses late."""
    net = driven(precision)
    del net.inputs["joy"]
    net.project("exc", "exc", sn.fixed_indegree(5), weight="60 pA", delay={"uniform": ["1.2 ms", "2 ms"]}, name="late",
                synapse={**PAIR, "axonal": "0.5 ms", "tie": "post_first"})
    net.project("source", "inh", sn.fixed_indegree(4), weight="60 pA", delay="1.5 ms", name="own",
                synapse={"model": "own", "params": {"w_max": "120 pA"}, "tie": "pre_first"})
    net.project("exc", "exc", sn.fixed_indegree(3), weight="40 pA", delay="0.8 ms", name="rewarded",
                synapse={"model": "three_factor", "params": {"w_max": "200 pA", "eta": "2 Hz"}, "modulator": "exc.v"})
    net.project("inh", "exc", sn.fixed_indegree(3), weight="40 pA", delay="0.7 ms", name="dopamine",
                synapse={"model": "stdp_dopamine", "params": {"w_max": "200 pA"}, "modulator": "source",
                         "modulator_delay": "1.1 ms"})
    net.record(weights={"sent": {"projection": "late", "on": "pre"}, "course": {"projection": "own", "every": "0.3 ms"}})
    return net
