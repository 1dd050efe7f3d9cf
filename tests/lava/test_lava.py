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
from snnsim.recording import Recorder
from snnsim.registry import backends

pytestmark = [pytest.mark.slow, pytest.mark.skipif(fault() is not None, reason=str(fault())),
              pytest.mark.skipif(not os.path.isdir("/proc"), reason="processes are looked for in /proc")]

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


class Watch:
    """What a test has started. shared: names of the shared memory that was seen in its processes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.shared = folder, set[str]()

    def __call__(self, *_: int) -> list[int]:
        """Numbers of the processes there are now: the keeper and the runner first."""
        found = processes(self.folder)
        for pid in found:
            maps = Path(f"/proc/{pid}/maps").read_text()
            self.shared |= set(re.findall(r"/dev/shm/(psm_\w+)", maps))
        return found


@pytest.fixture(autouse=True)
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """After a test there is no process that was started in it, no folder, and no shared memory."""
    folder = Path(tempfile.mkdtemp(prefix="lava"))   # names of sockets below it must be short, so not in tmp_path
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    it = Watch(folder)
    yield it
    gc.collect()
    assert processes(folder) == []
    assert list(folder.iterdir()) == []
    assert [name for name in it.shared if Path("/dev/shm", name).exists()] == []
    folder.rmdir()


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
    return sorted(found)


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


def test_a_run_with_a_file(tmp_path: Path, watch: Watch) -> None:
    """`sn.run` records the same as any other backend, and leaves nothing."""
    there = sn.run(sn.loads(NETWORK), backend="lava", out=tmp_path / "lava.h5", progress=watch)
    here = sn.run(sn.loads(NETWORK), backend="cpu")
    for name in ("players", "poisson", "exc", "inh", "again"):
        assert all(np.array_equal(a, b) for a, b in zip(there.spikes(name), here.spikes(name), strict=True)), name
    assert len(here.spikes("exc")[0]) > 500
    assert watch.shared


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


GRADED = """
snnsim: 1
name: graded
seed: 4
dt: 1 ms
duration: 60 ms
populations:
  ternary: {n: 12, model: loihi_ternary_lif, params: {du: 300, dv: 200, vth_hi: 60, vth_lo: -60, bias_mant: 500}}
  sigma: {n: 10, model: loihi_sigma_delta, params: {vth: 3}}
  graded: {n: 6, model: loihi_graded, params: {vth: 2}}
  turning: {n: 5, model: loihi_rf, params: {period: 9, alpha: 0.05, vth: 30}}
projections:
  - {from: ternary, to: sigma, connect: {rule: all_to_all}, weight: {uniform: [-20, 20]}, num_message_bits: 8, delay: 1 ms}
  - {from: sigma, to: graded, connect: {rule: all_to_all}, weight: 6, num_message_bits: 24, delay: 3 ms}
  - {from: graded, to: turning, connect: {rule: all_to_all}, weight: 1, num_message_bits: 16, port: real, delay: 1 ms}
record: {spikes: [ternary, sigma, graded, turning], traces: {sigma: {variables: [sigma]}, turning: {variables: [real, imag]}}}
"""
LEARNING = """
snnsim: 1
name: learning
seed: 4
dt: 1 ms
duration: 90 ms
populations:
  from: {n: 8, model: loihi_lif, params: {du: 4095, vth: 20, bias_mant: {discrete: {values: [90, 130, 210]}}}}
  noise: {n: 4, model: poisson, params: {rate: 300 Hz}}
  to: {n: 6, model: loihi_lif, params: {du: 1000, dv: 200, vth: 120, bias_mant: 100}}
projections:
  - from: [from, noise]
    to: to
    connect: {rule: all_to_all}
    weight: {discrete: {values: [-20, 10, 32]}}
    sign_mode: mixed
    delay: 1 ms
    synapse: {model: loihi_learning, params: {dw: "2*x1*y0 - y1*x0", dt: x0*y1, x1_impulse: 16, x1_tau: 10, y1_impulse: 16, y1_tau: 10}}
record: {spikes: [from, noise, to], weights: {learnt: {projection: from->to, every: 20 ms}}}
"""


@pytest.mark.parametrize("text", [GRADED, LEARNING], ids=["graded", "learning"])
def test_payloads_and_learning(text: str) -> None:
    """What a chip can do besides is the same, too: spikes, traces, weights over time and at the end."""
    there, here = (sn.compile(sn.loads(text), backend) for backend in ("lava", "loihi"))
    results = []
    for each in (there, here):
        recorder = Recorder(each.recording_plan({}))
        each.run_steps(each.net.steps, recorder)
        results.append(recorder.close())
    assert there.counts.tolist() == here.counts.tolist()
    assert there.counts.min() > 10
    assert states(there) == states(here)
    for name in there.net.populations:
        assert all(np.array_equal(a, b) for a, b in zip(*(result.spikes(name) for result in results), strict=True))
    if "learnt" in results[0].weight_names:
        first, second = (result.weights("learnt").values for result in results)
        assert np.array_equal(first, second)
        assert first.shape == (4, 48)
        assert len({row.tobytes() for row in first}) == 4
    for k, projection in enumerate(there.plan.projections):
        assert projection.learning is None or np.array_equal(there.weights(k)["weight"], here.weights(k)["weight"])
    there.engine.close()   # type: ignore[attr-defined]


@pytest.mark.parametrize("whom", ["the runner", "a process of Lava"])
def test_killed_in_the_middle(tmp_path: Path, watch: Watch, whom: str) -> None:
    """The steps before are recorded, the message says what happened, and nothing stays."""

    def progress(done: int, steps: int) -> None:
        _, runner, *others = watch()
        os.kill(runner if whom == "the runner" else others[-1], signal.SIGKILL)
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


def test_a_hang_in_lava(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of Lava that has stopped stops the others; all of them are ended."""
    it = program()
    it.run("10 ms")
    for pid in watch()[2:]:
        os.kill(pid, signal.SIGSTOP)
    monkeypatch.setenv("SNNSIM_LAVA_LIMIT", "1")
    with pytest.raises(EngineError) as caught:
        it.run("10 ms")
    assert re.fullmatch(r"Lava did not answer within 1 s while running steps 11 to \d+, and was ended; "
                        r"SNNSIM_LAVA_LIMIT=SECONDS gives it more time", str(caught.value))


def test_facts() -> None:
    """How many processes there are, of which Lava, and where."""
    it = program()
    facts: dict[str, Any] = it.engine.facts()
    assert facts["lava"] == "0.10.0"
    assert facts["processes"] > 3
    assert facts["how"] == f"{facts['processes']} processes of Lava 0.10.0 in {facts['interpreter']} (Python {facts['how'].split('(Python ')[1]}"
    it.engine.close()   # type: ignore[attr-defined]
