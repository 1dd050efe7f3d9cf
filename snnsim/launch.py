"""What started this process: a user, or a launcher such as mpirun, together with others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from snnsim.errors import UnavailableError

# What launchers tell each process: Hydra (MPICH, Intel MPI) and Slurm with PMI 2, Open MPI, MVAPICH, Slurm.
_PLACES = [("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
           ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")]
_SLURM = ("with srun, take --mpi=pmi2 for MPICH, --mpi=pmix for Open MPI, and where each process is to run a network "
          "of its own, SLURM_STEP_NUM_TASKS=1")
_OTHER = "the launcher belongs to another MPI; take the launcher of that library"
_INSTALL = 'install both with: pip install "snnsim[mpi]"'


def launched(environment: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """Which of how many processes a launcher such as mpirun has started this one as; 0 of 1 where none has."""
    for rank, size in _PLACES:
        if environment.get(size, "").isdecimal() and environment.get(rank, "").isdecimal():
            return int(environment[rank]), int(environment[size])
    return 0, 1


def communicator() -> Any:
    """``MPI.COMM_WORLD`` where a launcher has started several processes, or None.

    Raises ``UnavailableError`` where mpi4py or an MPI library is missing, or belongs to another launcher.
    """
    _, started = launched()
    if started == 1:
        return None
    together = f"{started} processes were started together, and"
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise UnavailableError(f"{together} mpi4py cannot be imported ({error}); {_INSTALL}") from error
    except RuntimeError as error:
        raise UnavailableError(f"{together} mpi4py finds no MPI library ({error}); {_INSTALL}") from error
    if (found := MPI.COMM_WORLD.Get_size()) != started:
        library = " ".join(MPI.Get_library_version().splitlines()[0].strip("\0").split())
        by_slurm = os.environ.get("SLURM_STEP_NUM_TASKS") == str(started)
        raise UnavailableError(f"{together} MPI sees {found}: mpi4py uses {library}; {_SLURM if by_slurm else _OTHER}")
    return MPI.COMM_WORLD
