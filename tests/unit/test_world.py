"""One process alone, and what launchers say to several."""

from __future__ import annotations

import numpy as np
import pytest

from snnsim.launch import launched
from snnsim.world import ALONE


@pytest.mark.parametrize(("environment", "expected"), [
    ({}, (0, 1)), ({"PMI_RANK": "2", "PMI_SIZE": "4"}, (2, 4)),
    ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "3", "PMIX_RANK": "1"}, (1, 3)),
    ({"PMIX_RANK": "5", "SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8"}, (5, 8)),
    ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, (0, 1)),        # in a batch script, before anything is launched
    ({"PMI_RANK": "2", "PMI_SIZE": "4", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, (2, 4)),    # by mpirun there
    ({"PMI_RANK": "x", "PMI_SIZE": "4"}, (0, 1)),
])
def test_what_launchers_say(environment: dict[str, str], expected: tuple[int, int]) -> None:
    """Which process of how many this is."""
    assert launched(environment) == expected


def test_one_process_alone() -> None:
    """Everything that processes do together is what it has itself."""
    own = np.arange(4)
    assert ALONE.leads
    assert ALONE.most(3, 1) == [3, 1]
    assert ALONE.tell(own) is ALONE.gather(own) is ALONE.share(own) is own
    assert [values.tolist() for values in ALONE.before(own)] == [[0] * 4, [0, 1, 2, 3]]
    assert ALONE.first((2, "x")) == (2, "x")
    with ALONE.agreed():
        ALONE.meet()
