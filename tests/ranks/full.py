"""What each rank runs: units that spike in most steps, with lists that are full after a few; prints how often they were."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

import snnsim as sn
from snnsim.backends.cpu import spikes
from snnsim.backends.cpu.exchange import Exchange
from snnsim.backends.cpu.exchange_kernels import PENDING

COMM, full = MPI.COMM_WORLD, []
close = Exchange.close


def counted(self: Exchange, lists: spikes.SpikeLists, row: int) -> bool:
    """As it is, and note whether spikes were left where they came."""
    full.append(int(self.state[PENDING]))
    return close(self, lists, row)


def network(delay: str, rate: str) -> sn.Network:
    """Sources and relays, with and without levels."""
    net = sn.Network(seed=3)
    source = net.population("source", 70, "poisson", rate=rate)
    relay = net.population("relay", 50, "relay")
    net.project(source, relay, sn.fixed_indegree(2), delay=delay)
    net.record(spikes=[source, relay])
    return net


spikes.SPARE, Exchange.close = 0, counted  # type: ignore[method-assign]
for delay, rate in (("0.7 ms", "6 kHz"), ("0 ms", "6 kHz"), ("0 ms", "60 kHz")):
    found = sn.run(network(delay, rate), "100 ms", backend="cpu", threads=1, comm=COMM)
    if COMM.Get_rank() == 0:
        expected = sn.run(network(delay, rate), "100 ms", backend="cpu", threads=2)
        for name in ("source", "relay"):
            for one, other in zip(found.spikes(name), expected.spikes(name), strict=True):
                assert np.array_equal(one, other), name
        print(len(found.spikes("relay")[0]), sum(full))
    full.clear()
