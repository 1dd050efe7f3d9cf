"""What each rank runs: ``lists.py FOLDER``, a network whose synapses stand in files; prints what each rank holds of them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import snnsim as sn
from snnsim import arrays
from snnsim.backends.cpu.parts import PartMaker
from snnsim.connect import listed
from snnsim.distributions import value

N, SYNAPSES = 300, 40_000


def network(folder: Path) -> sn.Network:
    """Driven neurons, connected by lists of pairs, weights and delays, and by a list of plastic synapses."""
    net = sn.Network(seed=5, base_dir=folder)
    cells = net.population("cells", N, "lif_psc_delta")
    net.input("noise", type="poisson", rate="12 kHz", to=cells, weight="0.3 mV", delay="1 ms")
    lists = {key: {"file": "net.h5", "key": key} for key in ("source", "target", "weight", "delay")}
    chosen = sn.explicit(lists["source"], lists["target"])
    net.project(cells, cells, chosen, weight={**lists["weight"], "unit": "mV"}, delay={**lists["delay"], "unit": "ms"})
    learning = net.project(cells, cells, chosen, weight="0.02 mV", delay="1 ms",
                           synapse={"model": "stdp_pair", "params": {"w_max": "0.04 mV"}})
    net.project(cells, cells, sn.fixed_total(500, multapses=False), weight="-0.5 mV", delay="1 ms")
    net.record(spikes=cells, weights={"all": {"projection": learning[0].label, "every": "10 ms"},
                                      "sent": {"projection": learning[0].label, "on": "pre"}})
    return net


def held(engine: PartMaker) -> list[int]:
    """Pairs, and weights, in the memory of this rank, as its parts begin to be made."""
    first, third = engine.plan.projections[0], engine.plan.projections[2]
    weight: value.Array = first.weight  # type: ignore[assignment]
    assert weight._held is None
    return [first.bound.cache["prepared"].row.size, sum(values.size for _, values in weight._kept.values()), third.bound.cache["prepared"].source.size]


if __name__ == "__main__":
    from mpi4py import MPI

    listed._HELD = value._HELD = 1000
    arrays.PIECE = 1024
    make, found = PartMaker.__init__, []

    def noted(self: PartMaker, *given: object) -> None:
        """As it is, and look."""
        make(self, *given)  # type: ignore[arg-type]
        found.extend(MPI.COMM_WORLD.allgather(held(self)))

    PartMaker.__init__ = noted  # type: ignore[method-assign]
    folder = Path(sys.argv[1])
    sn.run(network(folder), "60 ms", backend="cpu", threads=1, out=folder / "ranks.h5", comm=MPI.COMM_WORLD)
    if MPI.COMM_WORLD.Get_rank() == 0:
        print(np.sum(found, axis=0).tolist(), np.max(found, axis=0).tolist())
