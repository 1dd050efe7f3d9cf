"""A plan as a Brian2 network, and the same order of events in a step.

snnsim's step k is Brian2's step k - 1: what Brian2 computes from t = (k - 1) h on is the state at k h. In each step:

    start        inputs of the step (``inputs``)
    due          synapses: the spikes of the step before are put into Brian2's queue, what is due joins the arrivals
    instant      synapses without delay from populations of a lower level; then, for that level,
    before       previous values are kept, maps computed
    groups       refractoriness, then Brian2's state updater
    jumps        maps take their new values, arrivals act (in Brian2's default schedule they would after the thresholds)
    thresholds, outputs, resets
    learn        plastic synapses (``plastic``)

A spike of step k is put into the queue in step k + 1, so a delay of D steps is D - 1 steps there. Brian2 lets a unit go
at the first step with ``t - lastspike >= refractory``, one step before snnsim for the same time, so it is given one
step more.

Brian2's ``Network.run`` prepares all code again at each call. Programs run in pieces, so it is called once, for no
time; the loop over steps is the one of ``Network.run``, here. Code is written for NumPy: nothing has to be compiled,
which takes half a minute for a small network in Cython, and a step costs about a millisecond.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2 import Clock, Network, NetworkOperation, second
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.base import BrianObjectException

from snnsim.backends.brian2 import neurons, plastic, synapses
from snnsim.backends.brian2.document import counts
from snnsim.backends.brian2.emission import Emission
from snnsim.backends.brian2.inputs import Feed
from snnsim.backends.brian2.language import own
from snnsim.backends.brian2.learning import Learning
from snnsim.backends.brian2.wiring import Wiring, sums
from snnsim.engine import LONGEST_CHUNK, Chunk, InOneProcess, Spikes, rows_between
from snnsim.errors import InputError, Problem
from snnsim.plan import Plan, Population
from snnsim.plastic import Sent, WeightLog

REFRACTORY = "refractory"


class Brian2Engine(InOneProcess):
    """Runs a plan in Brian2, in this process and in double precision."""

    threads = 1
    overlaps, longest = False, LONGEST_CHUNK

    def __init__(self, plan: Plan) -> None:
        began = time.perf_counter()
        self.plan, self.done = plan, 0
        self.clock = Clock(dt=plan.dt * second, name="clock*")
        self.groups = [neurons.group(p, k, self.clock, NumpyCodeObject, sums(plan, k))
                       for k, p in enumerate(plan.populations)]
        self.wiring = Wiring(plan, self.groups, self.clock, NumpyCodeObject)
        self.learning = Learning(plan, self.wiring.plastic, self._variable, self._counted)
        self.feeds = [Feed(plan, k, group) for k, group in enumerate(self.groups)]
        self.emissions = [Emission(group, self.wiring.pathways, p.model is not None and counts(p.model))
                          for group, p in zip(self.groups, plan.populations, strict=True)]
        self.network = Network(*self.groups, *self.wiring.links, *self._operations())
        self.network.schedule = self._schedule()
        self.recent: dict[int, np.ndarray] = {}
        self._start()
        self._prepare()
        for emission in self.emissions:
            emission()
        self._objects = [self.wiring.runners.get(each.name, each) for each in self.network.sorted_objects
                         if each.active]
        self._took = time.perf_counter() - began

    def _operations(self) -> list[NetworkOperation]:
        feed = NetworkOperation(self._feed, clock=self.clock, when="start")
        listen = NetworkOperation(self._listen, clock=self.clock, when=plastic.LEARN)
        return [feed, listen, *(NetworkOperation(emission, clock=self.clock, when=neurons.slot("outputs", p.level))
                                for emission, p in zip(self.emissions, self.plan.populations, strict=True))]

    def _schedule(self) -> list[str]:
        levels = range(1 + max(p.level for p in self.plan.populations))
        slots = [neurons.slot(name, level) for level in levels for name in neurons.SLOTS]
        # Brian2 wants the names of its own slots in every schedule.
        return ["start", synapses.DUE, *slots, plastic.LEARN, "groups", "thresholds", "synapses", "resets", "end"]

    def _start(self) -> None:
        for k, population in enumerate(self.plan.populations):
            for state in population.program.states:
                self.set(k, state, np.broadcast_to(population.initial[state], population.n))

    def _prepare(self) -> None:
        try:
            self.network.run(0*second, namespace={})
        except BrianObjectException as error:
            raise InputError(self._problem(error)) from error

    def _problem(self, error: Any) -> Problem:
        """A fault that Brian2 found only when it wrote its code."""
        parts, cause = str(getattr(error, "_brian_objname", "")).split("_"), error.__cause__ or error
        place = ""
        if parts[0] == "population":
            place = f"populations.{self.plan.populations[int(parts[1])].name}"
        elif parts[0] == "projection":
            place = f"projections.{self.plan.projections[int(parts[1])].label}"
        return Problem(place, f"Brian2 cannot run this: {' '.join(str(cause).split())}")

    # --- running -----------------------------------------------------------------------------------------------------

    def advance(self, steps: int) -> Chunk:
        """Run `steps` steps; see ``snnsim.engine``."""
        first = self.done
        traces = [np.zeros((rows_between(first, steps, t.every), t.units.size), self.plan.dtype)
                  for t in self.plan.traces]
        logs = [WeightLog(request, self.wiring.plastic[request.projection]) for request in self.plan.weights]
        for _ in range(steps):
            sent = self._step()
            for log in logs:
                log.note(self.done, sent)
            for out, trace in zip(traces, self.plan.traces, strict=True):
                if self.done % trace.every == 0:
                    row = self.done // trace.every - first // trace.every - 1
                    out[row] = self._recorded(trace.population, trace.variable)[trace.units]
        spikes = _sorted({step: units for step, units in self.recent.items() if step > first})
        self.recent = {step: units for step, units in self.recent.items() if step > self.done - self.plan.max_delay}
        return Chunk(steps, spikes.step, spikes.unit, traces, [log.chunk() for log in logs])

    def _step(self) -> dict[int, Sent]:
        """One step; returns what plastic synapses sent."""
        for each in self._objects:
            each.run()
        self.done += 1
        self._set_time()
        return self.learning.end(self.done)

    def _feed(self) -> None:
        """Before all populations: what comes from outside and from plastic synapses, and what modulates."""
        for feed in self.feeds:
            feed(self.done + 1)
        self.learning.begin()

    def _listen(self) -> None:
        """After all populations: the spikes of the step."""
        self.recent[self.done + 1] = np.concatenate([
            emission.units + population.first
            for emission, population in zip(self.emissions, self.plan.populations, strict=True)])
        self.learning.listen(self.done + 1)

    def _counted(self, number: int, step: int) -> np.ndarray:
        """How often each unit of a population spiked in a step."""
        population = self.plan.populations[number]
        return np.bincount(self._spikes(population, step), minlength=population.n)

    def _set_time(self) -> None:
        self.clock.variables["timestep"].get_value()[0] = self.done
        self.clock.variables["t"].get_value()[0] = self.done * self.plan.dt

    def _recorded(self, number: int, variable: str) -> np.ndarray:
        if variable in self.plan.populations[number].program.states:
            return self.get(number, variable)
        return self._variable(number, variable)

    def _variable(self, number: int, variable: str) -> np.ndarray:
        """The values of a state or an output."""
        if variable == REFRACTORY:
            return self._counter(self.groups[number])
        states = self.plan.populations[number].program.states
        return self.groups[number].variables[own(variable) if variable in states else f"{variable}_out"].get_value()

    # --- states ------------------------------------------------------------------------------------------------------

    def get(self, population: int, state: str) -> np.ndarray:
        """A copy of a state, [n]."""
        group = self.groups[population]
        if state == REFRACTORY:
            return self._counter(group)
        return self.plan.populations[population].stored(state, group.variables[own(state)].get_value().copy())

    def set(self, population: int, state: str, values: np.ndarray) -> None:
        """Overwrite a state, [n]."""
        group, it = self.groups[population], self.plan.populations[population]
        if state == REFRACTORY:
            self._set_counter(group, values)
        else:
            neurons.set_variable(group, own(state), it.value(state, np.asarray(values, float)))

    def _steps(self, group: Any, name: str) -> np.ndarray:
        """A time variable in steps."""
        return np.rint(group.variables[name].get_value() / self.plan.dt).astype(np.int64)

    def _counter(self, group: Any) -> np.ndarray:
        """Steps that a unit is still refractory for: hold is one step more than its refractory time."""
        since = self.done - 1 - self._steps(group, "lastspike")
        return np.maximum(0, self._steps(group, "hold") - 1 - since)

    def _set_counter(self, group: Any, values: np.ndarray) -> None:
        """The latest spike that would leave `values` steps to wait."""
        since = self._steps(group, "hold") - 1 - values
        neurons.set_variable(group, "lastspike", (self.done - 1 - since) * self.plan.dt)

    # --- spikes under way --------------------------------------------------------------------------------------------

    def history(self) -> Spikes:
        """Spikes of the last ``plan.max_delay`` steps."""
        return _sorted(self.recent)

    def load(self, done: int, step: np.ndarray, unit: np.ndarray, payload: np.ndarray | None = None) -> None:
        """Go on after step `done`; see ``snnsim.engine``. The queues are emptied and filled again."""
        counters = {k: self.get(k, REFRACTORY) for k, p in enumerate(self.plan.populations)
                    if REFRACTORY in p.program.states}
        self.done, self.recent = done, {int(s): unit[step == s] for s in np.unique(step)}
        self._set_time()
        for k, values in counters.items():
            self.set(k, REFRACTORY, values)
        for pathway in self.wiring.pathways:
            self._fill(pathway)
        for emission, population in zip(self.emissions, self.plan.populations, strict=True):
            emission.publish(self._spikes(population, done))

    def _fill(self, pathway: Any) -> None:
        """Put past spikes into a queue as if its steps had been run; the newest are still in the spike space."""
        population = next(p for p, g in zip(self.plan.populations, self.groups, strict=True) if g is pathway.source)
        for _ in range(self.plan.max_delay + 1):
            pathway.queue.advance()
        # Static synapses get the spikes of a step in the next one, plastic ones at once.
        newest = {synapses.DUE: self.done, plastic.LEARN: self.done + 1}.get(pathway.when)
        if newest is None:
            return
        for then in range(newest - self.plan.max_delay, newest):
            if (units := self._spikes(population, then)).size:
                pathway.queue.push(units.astype(np.int32))
            pathway.queue.advance()

    def _spikes(self, population: Population, step: int) -> np.ndarray:
        units = self.recent.get(step, np.zeros(0, np.int64)) - population.first
        return np.sort(units[(units >= 0) & (units < population.n)])

    def snapshot(self) -> Any:
        """All that changes."""
        states = [(k, s, self.get(k, s)) for k, p in enumerate(self.plan.populations) for s in p.program.states]
        return self.done, states, self.history(), {k: self.plasticity(k) for k in self.wiring.plastic}

    def restore(self, saved: Any) -> None:
        """Back to a snapshot."""
        done, states, history, learnt = saved
        for k, values in learnt.items():
            self.set_plasticity(k, done, values)
        self.load(done, *history)
        for k, state, values in states:
            self.set(k, state, values)

    # --- plasticity --------------------------------------------------------------------------------------------------

    def plasticity(self, projection: int) -> dict[str, np.ndarray]:
        """Everything that changes in a plastic projection; see ``snnsim.engine``."""
        return self.learning.state(projection)

    def set_plasticity(self, projection: int, done: int, values: Mapping[str, np.ndarray]) -> None:
        """The opposite."""
        self.learning.set_state(projection, values)

    def synapses_of(self, projection: int) -> dict[str, np.ndarray]:
        """source, target, delay and w; see ``snnsim.engine``."""
        return self.learning.synapses_of(projection)

    # --- about it ----------------------------------------------------------------------------------------------------

    @property
    def synapses(self) -> int:
        """How many there are."""
        return sum(len(link) for link in self.wiring.links)

    def memory(self) -> dict[str, int]:
        """Bytes of the arrays of synapses and of neurons; Brian2's queues are not counted."""
        return {"synapses": sum(map(_bytes, self.wiring.links)), "other": sum(map(_bytes, self.groups))}

    def facts(self) -> dict[str, Any]:
        """Brian2 writes NumPy code; the time is that of building and writing."""
        return {"threads": 1, "compile_s": self._took}


def _bytes(owner: Any) -> int:
    arrays = (variable.get_value() for variable in owner.variables.values() if hasattr(variable, "device"))
    return sum(np.asarray(array).nbytes for array in arrays)


def _sorted(spikes: Mapping[int, np.ndarray]) -> Spikes:
    """Spikes by step as arrays sorted by (step, unit)."""
    step = np.concatenate([np.zeros(0, np.int64), *(np.full(units.size, s) for s, units in spikes.items())])
    unit = np.concatenate([np.zeros(0, np.int64), *spikes.values()])
    order = np.lexsort((unit, step))
    return Spikes(step[order], unit[order])
