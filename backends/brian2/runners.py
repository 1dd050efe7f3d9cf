"""What runs in the place of an object of Brian2 that would not do as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Clock


def running(clock: Clock) -> int:
    """The step that is being done."""
    return int(clock.variables["timestep"].get_value()[0]) + 1


class Turns:
    """Runs a pathway in Brian2's place: a synapse that several spikes of a step reach takes a turn for each.

    Brian2 computes all synapses at once, each as it was before. then: called after each turn with its synapses.
    """

    def __init__(self, pathway: Any, then: Callable[[np.ndarray], None] = lambda synapses: None) -> None:
        self.pathway, self.then, self.now = pathway, then, np.zeros(0, np.int32)

    def run(self) -> None:
        push, act = self.pathway.code_objects
        push()
        waiting = np.sort(np.asarray(self.pathway.queue.peek(), np.int32))
        while waiting.size:
            first = np.diff(waiting, prepend=-1) > 0
            self.now, waiting = waiting[first], waiting[~first]
            act(_queue=self)
            self.then(self.now)
        self.pathway.queue.advance()

    def peek(self) -> np.ndarray:
        """What the code of the pathway asks its queue for."""
        return self.now

    def advance(self) -> None:
        """Also asked for by the code: the queue itself goes on after the last turn."""


class Every:
    """Runs an object of Brian2 in the steps that are multiples of `steps`."""

    def __init__(self, it: Any, clock: Clock, steps: int) -> None:
        self.it, self.clock, self.steps = it, clock, steps

    def run(self) -> None:
        if running(self.clock) % self.steps == 0:
            self.it.run()


class Then:
    """Runs an object of Brian2, and something after it."""

    def __init__(self, it: Any, then: Callable[[], None]) -> None:
        self.it, self.then = it, then

    def run(self) -> None:
        self.it.run()
        self.then()
