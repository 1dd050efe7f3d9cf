"""Networks in several processes: these tests start them with mpirun, and are left out where there is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

import snnsim as sn

Start = Callable[..., "subprocess.CompletedProcess[str]"]
HERE = Path(__file__).parent


@lru_cache(maxsize=1)
def launcher() -> str:
    """The mpirun that belongs to this Python, or the first on the path; skips where MPI is missing."""
    found = shutil.which("mpirun", path=str(Path(sys.executable).parent)) or shutil.which("mpirun")
    if found is None:
        pytest.skip("mpirun is missing; pip install 'snnsim[mpi]' brings one")
    probe = subprocess.run([sys.executable, "-c", "from mpi4py import MPI"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"mpi4py cannot be used: {probe.stderr.strip().splitlines()[-1]}")
    return found


def wait_for_steps(out: Path) -> None:
    """Until something is recorded."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if out.exists() and sn.open(out).steps > 0:
            return
        time.sleep(0.1)
    pytest.fail("nothing was recorded")


@pytest.fixture
def mpirun() -> Start:
    """``mpirun(n, *words)``: `n` processes of this Python with these arguments."""
    program = launcher()

    def start(n: int, *words: str | Path, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        command = [program, "-n", str(n), sys.executable, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout)

    return start
