"""Networks that run in Lava itself, as the backend lava: what it computes, and how it ends."""

from __future__ import annotations

import gc
import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.backends.lava.environment import fault
from snnsim.errors import EngineError
from snnsim.lowering import make_plan
from snnsim.program import Program
from snnsim.registry import backends

pytestmark = [pytest.mark.slow, pytest.mark.skipif(fault() is not None, reason=str(fault()))]

NETWORK = """
snnsim: 1
name: balanced
seed: 7
dt: 1 ms
duration: 120 ms
populations:
  players: {n: 3, model: spike_times, params: {times: {0: [3 ms, 3 ms, 9 ms], 2: [4 ms]}}}
  poisson: {n: 5, model: poisson, params: {rate: 300 Hz}}
  exc: {n: 40, model: loihi_lif, params: {du: 400, dv: 100, vth: 100, bias_mant: 60, bias_exp: 2}, init: {v: 50, u: -3}}
  inh: {n: 10, model: loihi_lif, params: {du: 400, dv: 100, vth: {discrete: {values: [80, 95, 120]}}}}
  again: {n: 2, model: loihi_lif_reset, params: {bias_mant: 700, vth: 60, reset_interval: 7, reset_offset: 2}}
inputs:
  noise: {type: poisson, rate: 200 Hz, to: [exc], weight: 30, delay: 1 ms}
projections:
  - {from: players, to: exc, connect: {rule: fixed_indegree, k: 2}, weight: 90, delay: 2 ms}
  - {from: poisson, to: inh, connect: {rule: all_to_all}, weight: 20, delay: 1 ms}
  - {from: exc, to: [exc, inh], connect: {rule: fixed_indegree, k: 8}, weight: {uniform: [0, 20]}, delay: {uniform: [1 ms, 6 ms]}}
  - {from: inh, to: [exc, inh], connect: {rule: fixed_indegree, k: 4}, weight: -40, delay: 1 ms}
record:
  spikes: [players, poisson, exc, inh, again]
  traces: {exc: {variables: [u, v], units: '0:4', every: 3 ms}}
"""


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After a test there is no process that was started in it, no folder, and no shared memory."""
    folders = Path(tempfile.mkdtemp(prefix="lava"))
    monkeypatch.setattr(tempfile, "tempdir", str(folders))
    yield
    gc.collect()
    assert processes(folders) == []
    assert list(folders.iterdir()) == []
    folders.rmdir()


def processes(folder: Path) -> list[int]:
    """Those that have the name of a folder in their command."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in command and int(name) != os.getpid():
            found.append(int(name))
    return found


def blocks() -> set[str]:
    """Names of shared memory."""
    return set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()


def program(backend: str = "lava") -> Program:
    """The network of this file."""
    net = sn.loads(NETWORK)
    return Program(net, make_plan(net), backends()[backend])


def states(program: Program) -> dict[tuple[str, str], list[float]]:
    """All states of all populations."""
    return {(name, s): program[name][s].tolist() for name in program.net.populations for s in program[name]}


def test_the_same_in_any_pieces() -> None:
    """Spikes, traces and states are those of the cpu engine, with sources, inputs and delays."""
    expected, found = program("cpu"), program()
    for steps in (1, 50, 13):
        first, second = expected.engine.advance(steps), found.engine.advance(steps)
        assert np.array_equal(first.step, second.step)
        assert np.array_equal(first.unit, second.unit)
        assert all(np.array_equal(a, b) for a, b in zip(first.traces, second.traces, strict=True))
        assert states(expected) == states(found)
    for old, new in zip(expected.engine.history()[:2], found.engine.history()[:2], strict=True):
        assert np.array_equal(old, new)
    found.engine.close()   # type: ignore[attr-defined]


def test_a_run_with_a_file(tmp_path: Path) -> None:
    """`sn.run` records the same as any other backend, and leaves nothing."""
    before = blocks()
    there = sn.run(sn.loads(NETWORK), backend="lava", out=tmp_path / "lava.h5")
    here = sn.run(sn.loads(NETWORK), backend="cpu")
    for name in ("players", "poisson", "exc", "inh", "again"):
        assert all(np.array_equal(a, b) for a, b in zip(there.spikes(name), here.spikes(name), strict=True)), name
    assert len(here.spikes("exc")[0]) > 500
    gc.collect()
    assert blocks() <= before


def test_going_on_elsewhere(tmp_path: Path) -> None:
    """A run that Lava began goes on with the emulator as if it had been one."""
    begun = program()
    begun.run("60 ms")
    begun.save(tmp_path / "saved.h5")
    begun.engine.close()   # type: ignore[attr-defined]
    rest, whole = sn.resume(tmp_path / "saved.h5", backend="loihi"), program("loihi")
    whole.run("120 ms")
    rest.run("60 ms")
    assert states(rest) == states(whole)
    assert rest.counts.tolist() == whole.counts.tolist()


@pytest.mark.parametrize("whom", ["the runner", "a process of Lava"])
def test_killed_in_the_middle(tmp_path: Path, whom: str) -> None:
    """The steps before are recorded, the message says what happened, and nothing stays."""
    before = blocks()

    def progress(done: int, steps: int) -> None:
        mine = sorted(processes(Path(tempfile.gettempdir())))
        mine = [pid for pid in mine if b"keeper.py" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(mine[0] if whom == "the runner" else mine[-1], signal.SIGKILL)
        time.sleep(0.3)

    out = tmp_path / "out.h5"
    with pytest.raises(EngineError) as caught:
        sn.run(sn.loads(NETWORK), backend="lava", out=out, progress=progress)
    said = str(caught.value)
    assert said.startswith("Lava ")
    assert " while running steps 51 to " in said
    assert said.endswith(f"; {out} holds everything up to there")
    expected = sn.run(sn.loads(NETWORK), "50 ms", backend="cpu").spikes("exc")
    assert all(np.array_equal(a, b) for a, b in zip(sn.open(out).spikes("exc"), expected, strict=True))
    gc.collect()
    assert blocks() <= before


def test_a_hang_in_lava(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of Lava that has stopped stops the others; all of them are ended."""
    before = blocks()
    it = program()
    it.run("10 ms")
    for pid in sorted(processes(Path(tempfile.gettempdir())))[2:]:
        os.kill(pid, signal.SIGSTOP)
    monkeypatch.setenv("SNNSIM_LAVA_LIMIT", "1")
    with pytest.raises(EngineError) as caught:
        it.run("10 ms")
    assert re.fullmatch(r"Lava did not answer within 1 s while running steps 11 to \d+, and was ended; "
                        r"SNNSIM_LAVA_LIMIT=SECONDS gives it more time", str(caught.value))
    del caught
    gc.collect()
    assert blocks() <= before


def test_facts() -> None:
    """How many processes there are, of which Lava, and where."""
    it = program()
    facts: dict[str, Any] = it.engine.facts()
    assert facts["lava"] == "0.10.0"
    assert facts["processes"] > 3
    assert facts["how"] == f"{facts['processes']} processes of Lava 0.10.0 in {facts['interpreter']} (Python {facts['how'].split('(Python ')[1]}"
    it.engine.close()   # type: ignore[attr-defined]
