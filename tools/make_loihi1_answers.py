"""Write what brian2-loihi 0.5.2 computes for the Loihi 1 cases of tests/lava_cases.py, to tests/truth/lava/.

    PYTHONPATH=.:tests PYTHON tools/make_loihi1_answers.py

PYTHON: an interpreter with brian2-loihi (pip install brian2 brian2-loihi==0.5.2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from brian2 import prefs
from brian2_loihi import (
    LoihiNetwork, LoihiNeuronGroup, LoihiSpikeGeneratorGroup, LoihiSpikeMonitor, LoihiStateMonitor, LoihiSynapses,
)
from lava_cases import LOIHI1, Case, digest, signature

from snnsim.deploy.graph import Connection, Group

FOLDER = Path("tests/truth/lava")
SAMPLED = 100
MODES = {"mixed": 1, "excitatory": 2, "inhibitory": 3}


def cells(case: Case, number: int, group: Group) -> Any:
    """A group; spikes of its inputs take a step to arrive, as all others do."""
    if group.model == "spike_times":
        train = next(train for train in case.trains if train.group == number)
        # A spike of step k arrives in step k + delay; here steps are counted from 0, and arrive after the delay less 1.
        return LoihiSpikeGeneratorGroup(group.n, train.unit, train.step)
    p = group.params
    return LoihiNeuronGroup(group.n, refractory=p.get("t_ref", 0) + 1, threshold_v_mant=p["vth"], decay_v=p["decay_v"],
                            decay_I=p["decay_u"])


def synapses(it: Connection, made: list[Any]) -> Any:
    """The synapses of a connection with one delay."""
    found = LoihiSynapses(made[it.source], made[it.target], delay=int(it.delay[0]) - 1, w_exp=it.weight_exp,
                          sign_mode=MODES[it.sign_mode], num_weight_bits=it.num_weight_bits)
    found.connect(i=it.pre, j=it.post)
    found.w = it.weight
    return found


def columns(case: Case) -> dict[str, np.ndarray]:
    """Potentials and spikes of each group of cells, [steps, n]."""
    groups = case.graph.groups
    made = [cells(case, k, group) for k, group in enumerate(groups)]
    joined = [synapses(it, made) for it in case.graph.connections]
    probes = {group.name: (LoihiSpikeMonitor(m), LoihiStateMonitor(m, "v"))
              for group, m in zip(groups, made, strict=True) if group.params}
    LoihiNetwork(*made, *joined, *(m for pair in probes.values() for m in pair)).run(case.steps)
    found = {}
    for group in groups:
        if group.name in probes:
            spikes, potential = probes[group.name]
            sent = np.zeros((case.steps, group.n), np.int64)
            sent[np.rint(np.asarray(spikes.t)).astype(int), spikes.i[:]] = 1   # in steps
            found |= {f"{group.name}.v": np.asarray(potential.v).T.astype(np.int64), f"{group.name}.payload": sent}
    return found


def main() -> None:
    """Write the answers to all cases."""
    prefs.codegen.target = "numpy"
    for name, case in LOIHI1.items():
        found = columns(case)
        np.savez_compressed(FOLDER / f"{name}.npz", signature=signature(case), digest=digest(list(found.values())),
                            spikes=sum(int(column.sum()) for key, column in found.items() if key.endswith("payload")),
                            **{key: column[::-SAMPLED][::-1] for key, column in found.items()})


if __name__ == "__main__":
    main()
