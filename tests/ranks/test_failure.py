"""Where a process of several fails, is killed or is asked to stop, all end within seconds, and it is said why."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ranks.conftest import HERE, Start, launcher, wait_for_steps

import snnsim as sn
from snnsim.recording import UnfinishedWarning

HOST = socket.gethostname()


@pytest.mark.slow
def test_a_killed_process_ends_the_run(tmp_path: Path) -> None:
    """It is named, and the file holds what was committed."""
    out = tmp_path / "out.h5"
    command = [launcher(), "-n", "3", sys.executable, str(HERE / "failing.py"), "kill", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and running.stderr is not None
        victim = int(running.stdout.readline())
        wait_for_steps(out)
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        said = running.stderr.read()
        assert running.wait(60) != 0
    assert time.monotonic() - began < 30    # a busy machine; some 3 s elsewhere
    assert (f"rank 1 of 3 (process {victim} on {HOST}) ended unexpectedly, so the run ends; {out} holds what was "
            "recorded until then\n") in said
    with pytest.warns(UnfinishedWarning):
        found = sn.open(out)
    assert found.steps > 0
    assert found.spikes("cells")[0].max() <= found.steps * 0.1 + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize(("what", "expected"), [
    ("raise", ["rank 1 of 3 (process PID on HOST): MemoryError: no room"]),
    ("record", ["0: RunError: the disk is full", "1: RunError: rank 0 of 3: the disk is full",
                "2: RunError: rank 0 of 3: the disk is full"]),
    ("diverge", [
        f"{rank}: NumericalError: population bad, unit 8, v became inf in step 8 (t = 0.8 ms); a smaller dt or another "
        f"`integrate:` may help{more}" for rank, more in enumerate(["; OUT holds everything up to there", "", ""])]),
])
def test_a_fault_of_one_ends_all(mpirun: Start, tmp_path: Path, what: str, expected: list[str]) -> None:
    """What one meets alone, and what all agree on; nothing is said twice."""
    out = tmp_path / "out.h5"
    done = mpirun(3, HERE / "failing.py", what, out, timeout=120)
    assert done.returncode == 1
    said = re.sub(r"process \d+ on \S+\)", "process PID on HOST)", done.stderr.replace(str(out), "OUT"))
    assert sorted(line for line in said.splitlines() if line and "MPI_Abort" not in line) == expected


@pytest.mark.slow
def test_asked_to_stop(tmp_path: Path) -> None:
    """Ctrl-C at the launcher: one message, a readable file, and a checkpoint to go on from."""
    out, checkpoint = tmp_path / "out.h5", tmp_path / "a.ckpt"
    config = Path(__file__).parents[2] / "configs" / "brunel.yaml"
    words = ["-m", "snnsim", "run", config, "-d", "100 s", "-t", "1", "-o", out, "--checkpoint", checkpoint]
    command = [launcher(), "-n", "2", sys.executable, *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        wait_for_steps(out)
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        said = running.stderr.read()
        assert running.wait(60) == 1
    line = next(line for line in said.splitlines() if line.startswith("stopped"))
    reached = re.fullmatch(rf"stopped by Ctrl-C at (\S+) ms of 100000 ms; {out} holds everything up to there; go on with "
                           rf"--resume {checkpoint}", line)
    assert reached is not None, said
    assert said.count("stopped") == 1
    assert sn.open(out).steps * 0.1 == pytest.approx(float(reached[1]))
    assert sn.resume(checkpoint).time == pytest.approx(float(reached[1]))
