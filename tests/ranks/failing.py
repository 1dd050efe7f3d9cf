"""What each rank runs in the tests of failures: ``failing.py WHAT OUT``."""

from __future__ import annotations

import os
import sys

from mpi4py import MPI

import snnsim as sn
from snnsim.backends.cpu.engine import CpuEngine
from snnsim.errors import RunError
from snnsim.recording import Recorder

what, out, rank = sys.argv[1], sys.argv[2], MPI.COMM_WORLD.Get_rank()
net = sn.Network(seed=1)
cells = net.population("cells", 200, "lif_psc_delta")
net.input("noise", type="poisson", rate="20 kHz", to=cells, weight="0.5 mV")
net.project(cells, cells, sn.fixed_indegree(20), weight="0.1 mV", delay="1 ms")
net.record(spikes=[cells])
if what == "raise" and rank == 1:
    def fail(self: CpuEngine, steps: int) -> None:
        """Only here."""
        raise MemoryError("no room")

    CpuEngine.advance = fail  # type: ignore[assignment,method-assign]
if what == "record":
    def refuse(self: Recorder, *_: object) -> None:
        """As where a disk is full."""
        raise RunError("the disk is full")

    Recorder.commit = refuse  # type: ignore[method-assign]
if what == "diverge":
    net.model("bad", {"dynamics": "dv/dt = v*v/(1*mV*ms) : mV", "integrate": "euler"})
    net.population("bad", 9, "bad", init={"v": {"expression": "i*1 mV"}})
if rank == 1:
    print(os.getpid(), flush=True)
try:
    sn.run(net, "1000 s" if what == "kill" else "1 s", backend="cpu", threads=1, out=out, comm=MPI.COMM_WORLD)
except sn.SnnsimError as error:
    sys.stderr.write(f"{rank}: {type(error).__name__}: {error}\n")    # at once: lines of ranks mix
    sys.exit(1)
