"""Several machines, as far as one can be several: processes find themselves on hosts with different names.

MPI tells hosts by their names, so such processes share no memory, and each host has a first process and a witness.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ranks.conftest import HERE, launcher, wait_for_steps

import snnsim as sn

CONFIG = HERE.parents[1] / "configs" / "brunel.yaml"
SMALL = ["populations.exc.n=800", "populations.inh.n=200", "projections.0.connect.k=80", "projections.1.connect.k=20"]
REMOTE = """#!/bin/sh
test "$1" = -x && shift    # for ssh: no windows
host=$1
shift
exec unshare --uts sh -c "hostname $host && exec $*"
"""


@pytest.fixture
def on_two_hosts(tmp_path: Path) -> list[str]:
    """An mpirun that starts every other process on another host."""
    program = launcher()
    if "HYDRA" not in subprocess.run([program, "--version"], capture_output=True, text=True).stdout:
        pytest.skip("needs the mpirun of MPICH, which takes any program in place of ssh")
    if subprocess.run(["unshare", "--uts", "hostname", "other"], capture_output=True).returncode:
        pytest.skip("needs the right to name hosts")
    remote = tmp_path / "remote"
    remote.write_text(REMOTE)
    remote.chmod(0o755)
    return [program, "-launcher", "ssh", "-launcher-exec", str(remote), "-hosts", "one,other", "-localhost", "127.0.0.1",
            "-ppn", "1"]


@pytest.mark.slow
def test_the_same_spikes(on_two_hosts: list[str], tmp_path: Path) -> None:
    """As those of one process."""
    out, sets = tmp_path / "out.h5", [word for text in SMALL for word in ("--set", text)]
    command = [*on_two_hosts, "-n", "3", sys.executable, "-m", "snnsim", "run", CONFIG, "-d", "50 ms", "-t", "1", "-o", out]
    done = subprocess.run([*map(str, command), *sets], capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    expected, found = sn.run(sn.load(CONFIG, SMALL), "50 ms", backend="cpu", threads=1), sn.open(out)
    assert found.summary["processes"] == 3
    for name in ("exc", "inh"):
        assert expected.spikes(name)[0].size > 10
        assert all(map(np.array_equal, expected.spikes(name), found.spikes(name)))


@pytest.mark.slow
def test_a_killed_process_is_named_with_its_host(on_two_hosts: list[str], tmp_path: Path) -> None:
    """By the witness of its host."""
    out = tmp_path / "out.h5"
    command = [*on_two_hosts, "-n", "3", sys.executable, str(HERE / "failing.py"), "kill", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and running.stderr is not None
        victim = int(running.stdout.readline())
        wait_for_steps(out)
        os.kill(victim, signal.SIGKILL)
        said = running.stderr.read()
        assert running.wait(60) != 0
    assert (f"rank 1 of 3 (process {victim} on other) ended unexpectedly, so the run ends; {out} holds what was recorded "
            "until then\n") in said
