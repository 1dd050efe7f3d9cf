"""A network running in Lava: started, run, watched and ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from .arrivals import nothing
from .errors import GraphError, HungUp, LavaError, last_line
from .graph import Graph
from .lava_import import import_lava
from .network import Network

PATIENCE_S = 10  # for Lava to end by itself


class Session:
    """A network running in Lava. `listening`: whether it must end when standard input does."""

    def __init__(self, graph: Graph, listening: bool = False) -> None:
        self.lava, self.listening = import_lava(), listening
        self.folder = Path(tempfile.mkdtemp(prefix="snnsim-lava-"))
        self.runtime: Any = None
        try:
            self.network = Network(self.lava, graph, self.folder)
            self.start()
        except BaseException:
            self.kill()
            raise

    def start(self) -> None:
        die_with_this_process()
        host, models = self.network.host, self.network.models
        # Lava looks for models by running every file beside the one that a process is defined in; these are known.
        self.lava.ProcGroupDiGraphs._find_proc_models = staticmethod(lambda proc: [models[type(proc)]])
        try:
            host.create_runtime(run_cfg=self.lava.Loihi2SimCfg(select_tag="fixed_pt"))
        finally:
            self.runtime = host.runtime

    @property
    def children(self) -> list[Any]:
        """The operating-system processes that Lava made."""
        infrastructure = getattr(self.runtime, "_messaging_infrastructure", None)
        return list(infrastructure.actors) if infrastructure else []

    def run(self, steps: int, arrivals: dict[str, np.ndarray] | None) -> None:
        """`steps` steps more; ``GraphError`` before anything has been run, ``LavaError`` if Lava fails."""
        rows, network = self.placed(steps, arrivals), self.network
        network.clock.advance(steps)
        network.feed.give(rows)
        self.runtime.start(self.lava.RunSteps(num_steps=steps, blocking=False))
        self.wait()
        network.feed.path.unlink(missing_ok=True)

    def placed(self, steps: int, arrivals: dict[str, np.ndarray] | None) -> np.ndarray:
        """Step, place and weight [3, arrivals] in the coming steps, sorted by step."""
        if steps < 1:
            raise GraphError(f"expected 1 step or more to run, found {steps}")
        end = self.network.clock.last
        rows = self.network.places.place(arrivals) if arrivals else nothing()
        if rows.size and not end < rows[0].min() <= rows[0].max() <= end + steps:
            raise GraphError(f"expected arrivals in steps {end + 1} to {end + steps}, found some in "
                             f"{rows[0].min()} to {rows[0].max()}")
        return rows[:, np.argsort(rows[0], kind="stable")]

    def wait(self) -> None:
        """Until Lava has answered. It would wait for ever for a process that failed, so the processes are watched."""
        port, answered = self.runtime.service_to_runtime[0], threading.Event()
        port.observer = answered.set
        while not port.probe():
            answered.wait(0.1)
            if not port.probe():
                self.check()
        port.observer = None
        if port.recv()[0] != self.lava.MGMT_RESPONSE.DONE[0]:
            self.explain()

    def explain(self) -> None:
        """Raise why Lava stopped a run: the process that failed is about to say it."""
        for _ in range(100):
            self.check()
            time.sleep(0.02)
        raise LavaError("Lava stopped the run and did not say why")

    def check(self) -> None:
        """Raise what has gone wrong in a process, or if nobody listens any more."""
        for child in self.children:
            if child._pconn.poll():
                raise LavaError(last_line(child._pconn.recv()[0]))
            if not child.is_alive():
                raise LavaError(f"a process of Lava ended with exit code {child.exitcode}")
        if self.listening and hung_up():
            raise HungUp

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None:
            self.stop()
        else:
            self.kill()

    def stop(self) -> None:
        """End Lava's processes as Lava does; kill them if that takes too long."""
        if not self.runtime._is_started:  # Lava stops only what has run
            self.kill()
            return
        timer = threading.Timer(PATIENCE_S, self.leave)
        timer.daemon = True
        timer.start()
        self.runtime.stop()
        timer.cancel()
        shutil.rmtree(self.folder, ignore_errors=True)

    def leave(self) -> None:
        self.kill()
        os._exit(1)

    def kill(self) -> None:
        """End Lava's processes whatever they do."""
        for child in self.children:
            with contextlib.suppress(Exception):
                child.kill()
        with contextlib.suppress(Exception):
            self.runtime._messaging_infrastructure.smm.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


def die_with_this_process() -> None:
    """Let every process forked from now on end when this one does, however it ends (Linux)."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        os.register_at_fork(after_in_child=lambda: prctl(1, signal.SIGKILL))  # PR_SET_PDEATHSIG


def hung_up() -> bool:
    poll = select.poll()
    poll.register(0, 0)  # an end that is gone is always told
    return bool(poll.poll(0))
