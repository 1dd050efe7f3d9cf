"""Programs in the place of snnsim/deploy/standalone/run.py: what Lava's process may do that it should not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from snnsim.backends.lava.environment import Interpreter, ask
from snnsim.backends.lava.session import Session
from snnsim.deploy.graph import Graph, Group, Trace

# What all of them begin with. `PIDS`: the file that names every process that was started.
_HEAD = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
FOLDER = Path(sys.argv[2])

def note(pid=None):
    with open(os.environ["PIDS"], "a") as file:
        file.write(f"{pid or os.getpid()}\\n")

def say(**answer):
    print(json.dumps(answer), flush=True)

def child(stubborn="pass", **options):
    # A process that ends by nothing else than a signal, and a stubborn one not by every signal.
    code = f"import signal, time; {stubborn}; print(1, flush=True); time.sleep(600)"
    started = subprocess.Popen([sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE, **options)
    note(started.pid)
    started.stdout.readline()

def ready():
    say(ready=True, lava="0.10.0", processes=3)

def commands():
    return (json.loads(line) for line in sys.stdin)

def save(name, spikes=((), (), ()), traces=()):
    import h5py, numpy as np
    with h5py.File(FOLDER / name, "w") as file:
        for part, values in zip(("step", "unit", "payload"), spikes):
            file[f"spikes/{part}"] = np.array(values, np.int64)
        file.create_group("traces")
        for k, rows in enumerate(traces):
            file[f"traces/{k}"] = np.array(rows, np.int64)
        for name in ("u", "v"):
            file[f"states/cells/{name}"] = np.array([7, 8], np.int64)

STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
note()
"""

# A unit 1 that spikes in every step; v is traced every second step.
GOOD = """
ready()
done = 0
for command in commands():
    if command.get("stop"):
        say(stopped=True)
        break
    steps = range(done + 1, done + 1 + command["run"])
    save(command["out"], (list(steps), [1 for _ in steps], [1 for _ in steps]), [[[7, 8] for s in steps if s % 2 == 0]])
    done += command["run"]
    say(done=command["run"])
"""
FAKES = {
    "good": GOOD,
    "hangs at the start": "time.sleep(600)",
    "hangs in a run": "ready(); child(); next(commands()); time.sleep(600)",
    "hangs with children in sessions of their own": (
        "ready(); child(STUBBORN, start_new_session=True); child(STUBBORN); next(commands()); time.sleep(600)"),
    "hangs and ignores": "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready(); next(commands()); time.sleep(600)",
    "fails at the start": "raise ImportError('no module named lava')",
    "dies in a run": "ready(); child(); next(commands()); print('weights', file=sys.stderr); sys.exit('out of cheese')",
    "is killed": "ready(); child(); next(commands()); os.kill(os.getpid(), signal.SIGKILL)",
    "crashes": "ready(); next(commands()); os.kill(os.getpid(), signal.SIGSEGV)",
    "says nothing and ends": "ready(); next(commands()); sys.exit(0)",
    "says what is no JSON": "ready(); child(); next(commands()); print('Segmentation fault', flush=True); time.sleep(600)",
    "says a list": "ready(); next(commands()); print('[1, 2]', flush=True); time.sleep(600)",
    "says half a line": "ready(); next(commands()); print('{\"done\": ', end='', flush=True); time.sleep(600)",
    "refuses the graph": "say(error='connection 3: no port in', kind='graph')",
    "has no Lava": "say(error='ModuleNotFoundError: lava', kind='lava')",
    "reports an error": "ready(); child(); next(commands()); say(error='ValueError: negative shift'); time.sleep(600)",
    "writes no file": "ready(); next(commands()); say(done=1); time.sleep(600)",
    "writes half a file": "ready(); c = next(commands()); (FOLDER / c['out']).write_text('x'); say(done=1); time.sleep(600)",
    "does not stop": "child(); ready()\nfor command in commands(): pass\ntime.sleep(600)",
}


def here() -> Interpreter:
    """This interpreter, as if it had Lava."""
    import sys

    found = ask(sys.executable)
    assert isinstance(found, Interpreter)
    return Interpreter(found.python, found.version, {**found.packages, "lava-nc": "0.10.0"})


def graph() -> Graph:
    """Two units, and a trace of each."""
    cells = Group("cells", 2, "loihi_lif", {"vth": 10}, {"v": 3}, ("in",))
    return Graph("fake", 1.0, "lava010", (cells,), (), (Trace(0, "v", np.array([0, 1]), 2),), {0: None})


class Fake:
    """A fake runner, and the processes that it has started."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.script, self._pids = folder / "fake.py", folder / "pids"
        self.script.write_text(_HEAD + FAKES[kind])
        os.environ["PIDS"] = str(self._pids)

    def session(self) -> Session:
        """A session with it."""
        return Session(graph(), here(), self.script)

    @property
    def started(self) -> list[int]:
        """Numbers of its processes."""
        return [int(line) for line in self._pids.read_text().split()] if self._pids.exists() else []

    def left(self, seconds: float = 0.0) -> list[int]:
        """Those that are still there after so many seconds, or are not reaped."""
        deadline = time.monotonic() + seconds
        while (left := [pid for pid in self.started if _there(pid)]) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left


def _there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
