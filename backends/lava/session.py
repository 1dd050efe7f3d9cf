"""A graph that Lava runs, in a process of its own: ``snnsim/deploy/standalone``, with files in between."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnsim.backends.lava.environment import ADVICE, Interpreter
from snnsim.backends.lava.process import Process
from snnsim.deploy.arrivalsfile import save_arrivals
from snnsim.deploy.graph import Arrivals, Graph
from snnsim.deploy.graphfile import save_graph
from snnsim.deploy.standalone import RUNNER, copy_runner
from snnsim.errors import EngineError, InputError, Problem, UnavailableError
from snnsim.target import reason


@dataclass(frozen=True)
class Outcome:
    """What Lava computed in some steps, all int64.

    step, unit, payload: messages sorted by (step, unit), units counted over the whole graph. traces: [rows, units] per
    trace of the graph. states: (group, state) -> [n] after the last step. weights: number of a learning connection ->
    weight, tag_1 and tag_2, [synapses] each, after the last step.
    """

    step: np.ndarray
    unit: np.ndarray
    payload: np.ndarray
    traces: list[np.ndarray]
    states: dict[tuple[str, str], np.ndarray]
    weights: dict[int, dict[str, np.ndarray]]


class Session:
    """Lava with a graph in it, ready to run from step 1 on. processes, lava: how many Lava made of it, its version.

    Raises ``InputError`` where Lava cannot run the graph, ``UnavailableError`` where there is no Lava, ``EngineError``
    where it fails; then, as after ``close`` and the end of this object or of Python, nothing of it is left.
    """

    def __init__(self, graph: Graph, interpreter: Interpreter, runner: Path = RUNNER) -> None:
        self.graph, self.done, self._runs = graph, 0, 0
        self._folder = Path(tempfile.mkdtemp(prefix="snnsim-lava-"))
        try:
            with self._writing():
                save_graph(graph, self._folder / "graph.h5")
                # Beside nothing else that Python could import.
                script = copy_runner(self._folder, runner)
            command = [interpreter.python, "-E", str(script), "serve", str(self._folder)]
            self._process = Process(interpreter.python, command, self._folder)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._begin(interpreter)

    def _begin(self, interpreter: Interpreter) -> None:
        parts, synapses = self._size()
        answer = self._process.ask(None, 120 + 2*parts + 1e-5*synapses, "it was being started")
        if "error" in answer:
            self._process.close()
            raise _refused(answer, interpreter)
        self.processes, self.lava = int(answer.get("processes", 0)), str(answer.get("lava", ""))

    @property
    def ended(self) -> bool:
        """Whether it has been closed, or has failed."""
        return self._process.ended

    def close(self) -> None:
        """Stop Lava; nothing of it is left."""
        self._process.close()

    def run(self, steps: int, arrivals: Arrivals | None) -> Outcome:
        """The next steps, with what arrives in them from outside."""
        doing = f"running steps {self.done + 1} to {self.done + steps}"
        if self.ended:
            raise EngineError("Lava has been ended; build the network again to run it from the beginning")
        self._runs += 1
        into, out = f"in-{self._runs}.h5", f"out-{self._runs}.h5"
        if arrivals is not None:
            with self._writing():
                save_arrivals(arrivals, self._folder / into)
        command = {"run": steps, "arrivals": None if arrivals is None else into, "out": out}
        self._check(self._process.ask(command, self._limit(steps), doing), doing)
        outcome = self._read(self._folder / out, doing)
        for name in (into, out):
            (self._folder / name).unlink(missing_ok=True)
        self.done += steps
        return outcome

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EngineError(f"what Lava is to read cannot be written to {self._folder} ({reason(error)}); "
                              "TMPDIR=FOLDER chooses another place") from error

    def _check(self, answer: dict[str, Any], doing: str) -> None:
        if "error" in answer:
            self._process.kill()
            raise EngineError(f"Lava was ended, because while {doing} it reported: {answer['error']}")

    def _read(self, path: Path, doing: str) -> Outcome:
        try:
            with h5py.File(path, "r") as file:
                return _outcome(file, len(self.graph.traces))
        except (OSError, KeyError) as error:
            self._process.kill()
            text = f"Lava was ended, because what it wrote while {doing} cannot be read ({str(error).splitlines()[0]})"
            raise EngineError(text) from error

    def _size(self) -> tuple[int, int]:
        return len(self.graph.groups) + len(self.graph.connections), self.graph.synapses

    def _limit(self, steps: int) -> float:
        """Seconds: some twenty times what Lava takes on a machine with nothing else to do."""
        parts, synapses = self._size()
        learning = sum(self.graph.groups[c.source].n * self.graph.groups[c.target].n
                       for c in self.graph.connections if c.learning is not None)
        return 60 + steps * (0.02 + 0.01*parts + 1e-7*synapses + 2e-6*learning)


def _refused(answer: dict[str, Any], interpreter: Interpreter) -> InputError:
    """Lava itself, or this network in it, could not be started."""
    if answer.get("kind") == "graph":
        return InputError(Problem("backend", f"Lava cannot run this network: {answer['error']}"))
    return UnavailableError(Problem("backend", f"Lava does not start in {interpreter.python} (Python "
                                               f"{interpreter.called}): {answer['error']}; {ADVICE}"))


def _outcome(file: h5py.File, traces: int) -> Outcome:
    states = {(group, name): values[()] for group, each in file["states"].items() for name, values in each.items()}
    weights = {int(k): {name: values[()] for name, values in each.items()}
               for k, each in file.get("weights", {}).items()}
    step, unit, payload = (file["spikes"][name][()] for name in ("step", "unit", "payload"))
    return Outcome(step, unit, payload, [file[f"traces/{k}"][()] for k in range(traces)], states, weights)
