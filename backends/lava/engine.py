"""A plan that Lava runs: an engine whose steps are computed in another process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.backends.lava.environment import Interpreter
from snnsim.backends.lava.session import RUNNER, Outcome, Session
from snnsim.deploy.graph import Arrivals, Connection, Graph
from snnsim.engine import LONGEST_CHUNK, Chunk, InOneProcess, Spikes
from snnsim.errors import InputError, Problem
from snnsim.plan import Plan
from snnsim.requests import WeightRequest

# (first, steps) -> what the host adds in the steps first .. first + steps - 1.
Feed = Callable[[int, int], Arrivals]
# Lava's own count of steps.
_PHASE = ("loihi_lif_reset", "phase")
_NONE = np.zeros(0, np.int64)
_NOTHING = Spikes(_NONE, _NONE, _NONE)


class LavaEngine(InOneProcess):
    """Runs a plan's graph in Lava.

    Lava begins at step 1 and only goes on: its processes keep what is under way to themselves. So states can be set
    before the first step, and saved after any; to go on from a saved step is refused by name.
    """

    threads = 1
    overlaps, longest = False, LONGEST_CHUNK

    def __init__(self, plan: Plan, graph: Graph, feed: Feed, interpreter: Interpreter, runner: Path = RUNNER) -> None:
        began = time.perf_counter()
        # The summary of a run counts the spikes of all populations.
        self.plan, self.graph = plan, replace(graph, recorded=dict.fromkeys(range(len(graph.groups))))
        self.done, self.interpreter, self._feed, self._runner = 0, interpreter, feed, runner
        self._states = {(group.name, name): _array(value, group.n)
                        for group in graph.groups for name, value in group.initial.items()}
        self._weights: dict[int, dict[str, np.ndarray]] = {}
        self._recent = _NOTHING
        self._session: Session | None = None
        session = self._running()
        self._facts = {"processes": session.processes, "lava": session.lava}
        self._took = time.perf_counter() - began

    @property
    def synapses(self) -> int:
        return self.graph.synapses

    # --- running -----------------------------------------------------------------------------------------------------

    def advance(self, steps: int) -> Chunk:
        """Run `steps` steps, or as far as weights are to be recorded; see ``snnsim.engine``.

        Raises ``EngineError`` where Lava fails; it has been ended then.
        """
        steps = min([steps, *(w.every - self.done % w.every for w in self.plan.weights)])
        arrivals = self._feed(self.done + 1, steps)
        outcome = self._running().run(steps, arrivals if arrivals.step.size else None)
        self.done += steps
        self._states, self._weights = outcome.states, outcome.weights
        spikes = self._counted(outcome)
        self._remember(spikes)
        traces = [rows.astype(self.plan.dtype) for rows in outcome.traces]
        weights = [self._recorded(request) for request in self.plan.weights]
        return Chunk(steps, spikes.step, spikes.unit, traces, weights, self._payloads(spikes))

    def _running(self) -> Session:
        """Lava, started again where states have been set since."""
        if self._session is None:
            self._session = Session(self.graph, self.interpreter, self._runner)
        return self._session

    def _counted(self, outcome: Outcome) -> Spikes:
        """Spikes with their payloads; what a source of the host sends is how often it spikes."""
        graded = np.repeat([p.graded for p in self.plan.populations], [p.n for p in self.plan.populations])
        sent = np.where(graded[outcome.unit], outcome.payload, 1)
        times = np.where(graded[outcome.unit], 1, outcome.payload)
        return Spikes(*(np.repeat(column, times) for column in (outcome.step, outcome.unit, sent)))

    def _remember(self, spikes: Spikes) -> None:
        columns = [np.concatenate([old, new]) for old, new in zip(self._recent, spikes, strict=True)]
        late = columns[0] > self.done - self.plan.max_delay
        self._recent = Spikes(*(column[late] for column in columns))

    def _recorded(self, request: WeightRequest) -> np.ndarray:
        """Weights of some synapses after this step, where they are due: [1 or 0, synapses]."""
        due = self.done % request.every == 0
        weights = self.synapses_of(request.projection)["w"][request.numbers]
        return np.tile(weights.astype(self.plan.dtype), (int(due), 1))

    def _payloads(self, spikes: Spikes) -> np.ndarray | None:
        return spikes.payload if self.plan.graded else None

    # --- states ------------------------------------------------------------------------------------------------------

    def get(self, population: int, state: str) -> np.ndarray:
        """A copy of a state, [n]."""
        it, found = self.plan.populations[population], self._states
        if (self.graph.groups[population].model, state) == _PHASE:
            return _array(self.done % it.values["reset_interval"], it.n)
        if self.done and (it.name, state) not in found:
            raise InputError(Problem(f"populations.{it.name}", f"Lava does not keep a state {state}"))
        return found.get((it.name, state), np.zeros(it.n, np.int64)).copy()

    def set(self, population: int, state: str, values: np.ndarray) -> None:
        """Overwrite a state, [n]; ``InputError`` after the first step."""
        if self.done:
            raise InputError(Problem(f"{self.plan.populations[population].name}.{state}", _ONLY_AT_FIRST))
        self._begin_with({(population, state): values})

    def _begin_with(self, values: Mapping[tuple[int, str], np.ndarray]) -> None:
        """Lava will be started with other initial states."""
        groups = list(self.graph.groups)
        for (number, state), numbers in values.items():
            group, whole = groups[number], _array(np.rint(numbers), groups[number].n)
            others = {name: value for name, value in group.initial.items() if name != state}
            groups[number] = replace(group, initial=others | ({state: whole} if whole.any() else {}))
            self._states[group.name, state] = whole
        self.graph = replace(self.graph, groups=tuple(groups))
        self.close()

    def close(self) -> None:
        """Stop Lava, and leave nothing of it; the end of this object does the same."""
        if self._session is not None:
            self._session.close()
        self._session = None

    # --- saved runs --------------------------------------------------------------------------------------------------

    def history(self) -> Spikes:
        """Spikes of the last ``plan.max_delay`` steps."""
        return self._recent._replace(payload=self._payloads(self._recent))

    def load(self, done: int, step: np.ndarray, unit: np.ndarray, payload: np.ndarray | None = None) -> None:
        """Nothing at step 0; ``InputError`` at any other."""
        if done:
            raise InputError(Problem("backend", f"lava cannot go on from step {done}: {_FROM_THE_BEGINNING}"))

    def snapshot(self) -> Any:
        """The step, and at the beginning the states."""
        return self.done, dict(self._states) if self.done == 0 else {}

    def restore(self, saved: Any) -> None:
        """Start again at the beginning, or stay; ``InputError`` for any other step."""
        done, states = saved
        if done == self.done:
            return
        self.load(done, *_NOTHING)
        self.done, self._recent = 0, _NOTHING
        number = {group.name: k for k, group in enumerate(self.graph.groups)}
        self._begin_with({(number[group], state): values for (group, state), values in states.items()})

    # --- learning ----------------------------------------------------------------------------------------------------

    def plasticity(self, projection: int) -> dict[str, np.ndarray]:
        """``InputError``: traces of learning synapses stay in Lava's processes."""
        raise InputError(Problem(f"projections.{self.plan.projections[projection].label}", (
            "lava keeps the traces of learning synapses to itself, so such a run cannot be saved; "
            "take --backend loihi for that")))

    def set_plasticity(self, projection: int, done: int, values: Mapping[str, np.ndarray]) -> None:
        """``InputError``; see ``plasticity``."""
        self.plasticity(projection)

    def synapses_of(self, projection: int) -> dict[str, np.ndarray]:
        """source, target, delay (steps) and w of a learning projection's synapses as they are, in their order."""
        number, it = self._connection(projection)
        fixed = self.plan.projections[projection].fixed
        assert fixed is not None
        weight = self._weights[number]["weight"] if number in self._weights else fixed.kept(it.weight)
        order = np.lexsort((it.delay, it.post, it.pre))
        columns = {"source": it.pre, "target": it.post, "delay": it.delay, "w": weight}
        return {name: column[order].astype(np.int64) for name, column in columns.items()}

    def _connection(self, projection: int) -> tuple[int, Connection]:
        label = self.plan.projections[projection].label
        return next((k, c) for k, c in enumerate(self.graph.connections) if c.label == label)

    # --- about -------------------------------------------------------------------------------------------------------

    def memory(self) -> dict[str, int]:
        """Bytes of the graph here; Lava's processes hold it once more."""
        arrays = (array for c in self.graph.connections for array in (c.pre, c.post, c.weight, c.delay))
        return {"synapses": sum(array.nbytes for array in arrays),
                "states": sum(values.nbytes for values in self._states.values())}

    def facts(self) -> dict[str, Any]:
        """How many processes Lava made, of which version, in which interpreter; the time is that of starting them."""
        where = f"{self.interpreter.python} (Python {self.interpreter.called})"
        how = f"{self._facts['processes']} processes of Lava {self._facts['lava']} in {where}"
        return {"threads": 1, "compile_s": self._took, "how": how, "interpreter": self.interpreter.python,
                **self._facts}


_FROM_THE_BEGINNING = "its processes begin at step 1; run from the beginning, or go on with --backend loihi"
_ONLY_AT_FIRST = "lava can set states before the first step only; take --backend loihi, or set it before the run"


def _array(values: Any, n: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(values), (n,)).astype(np.int64)
