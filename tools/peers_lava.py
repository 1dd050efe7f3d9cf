"""The networks of ``tools/bench loihi`` as a user of Lava writes them; run by an interpreter that holds Lava.

    PYTHON tools/peers_lava.py graph.h5 1000

Reads the groups and connections of a graph, runs so many steps with a Monitor on the spikes of each group, and prints
one JSON object: seconds of the run, seconds to fetch what the monitors hold, spikes, processes of the system.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.sparse import csr_matrix

sys.path.append(str(Path(__file__).parents[1] / "snnsim" / "deploy" / "standalone"))
from lava_runner.lava_import import hashable_dataclasses

with hashable_dataclasses():  # Lava needs help on Python 3.11 and newer
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.lif.process import LIF
    from lava.proc.monitor.process import Monitor
    from lava.proc.sparse.process import Sparse
    from lava.utils.weightutils import SignMode


def neurons(group: Any) -> LIF:
    """A population with a number for each unit where they differ."""
    params = {name: value[()] for name, value in group["params"].items()}
    return LIF(shape=(int(group.attrs["n"]),), **params)


def synapses(connection: Any, groups: list[LIF]) -> Sparse:
    """The matrix between two populations, connected to them."""
    source, target = (groups[connection.attrs[end]] for end in ("source", "target"))
    shape = (target.proc_params["shape"][0], source.proc_params["shape"][0])
    weights = csr_matrix((connection["weight"][()], (connection["post"][()], connection["pre"][()])), shape=shape)
    made = Sparse(weights=weights, weight_exp=int(connection.attrs["weight_exp"]),
                  sign_mode=SignMode[connection.attrs["sign_mode"].upper()])
    source.s_out.connect(made.s_in)
    made.a_out.connect(target.a_in)
    return made


def children() -> int:
    """How many processes this one has begun."""
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return len(found.read_text().split()) if found.exists() else 0


def main(path: str, steps: int) -> dict[str, Any]:
    """Run the network of a file; times are wall-clock seconds, the first step is not counted."""
    with h5py.File(path) as file:
        groups = [neurons(file["groups"][str(k)]) for k in range(len(file["groups"]))]
        kept = [synapses(each, groups) for each in file.get("connections", {}).values()]
    monitors = [Monitor() for _ in groups]
    for monitor, group in zip(monitors, groups, strict=True):
        monitor.probe(group.s_out, steps + 1)
    config = Loihi2SimCfg(select_tag="fixed_pt")
    began = time.perf_counter()
    groups[0].run(RunSteps(1), config)
    try:
        start = time.perf_counter()
        groups[0].run(RunSteps(steps), config)
        ran, processes = time.perf_counter(), children()
        data = [next(iter(next(iter(monitor.get_data().values())).values())) for monitor in monitors]
        fetched = time.perf_counter()
    finally:
        groups[0].stop()
    return {"start_s": start - began, "run_s": ran - start, "fetch_s": fetched - ran, "processes": processes,
            "connections": len(kept), "spikes": int(sum(np.count_nonzero(each[1:]) for each in data))}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
