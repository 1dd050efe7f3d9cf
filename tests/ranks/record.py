"""What each rank runs: ``record.py FOLDER THREADS CASES [RESUME]`` records every case of a JSON list to a file.

A case: name, config, set (overrides), duration. With RESUME, the cases go on from the checkpoints in that folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mpi4py import MPI

import snnsim as sn

folder, threads, cases = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
before = Path(sys.argv[4]) if len(sys.argv) > 4 else None
for case in cases:
    net = sn.load(case["config"], case.get("set", []))
    result = sn.run(net, case["duration"], backend="cpu", threads=threads, out=folder / f"{case['name']}.h5",
                    checkpoint=folder / f"{case['name']}.ckpt", comm=MPI.COMM_WORLD,
                    resume_from=before / f"{case['name']}.ckpt" if before else None)
    assert result.summary.get("processes", 1) == MPI.COMM_WORLD.Get_size()
    if MPI.COMM_WORLD.Get_rank() == 0:
        result.rates()
