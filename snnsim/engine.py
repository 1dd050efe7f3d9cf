"""What a backend offers: whether it can run a plan here, and the plan's running form, the engine.

``snnsim.program`` drives the engine and records what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from snnsim.columns import Column
from snnsim.errors import Problem
from snnsim.plan import Plan
from snnsim.world import ALONE, World

# The step of the latest event of a unit that has had none: long ago.
NEVER = -(1 << 30)
# ``since_pre``, in ms, at the first presynaptic event of a synapse.
LONG_AGO = 1e9
# Steps of the longest chunk of engines that compute on the host.
LONGEST_CHUNK = 5000


class Spikes(NamedTuple):
    """Spikes sorted by (step, unit), units counted over the whole network, int64.

    payload: what each carries, 1 where its population sends none; None where no population of the network does.
    """

    step: np.ndarray
    unit: np.ndarray
    payload: np.ndarray | None = None


@dataclass
class Chunk:
    """What happened in some steps.

    steps: how many were done. step, unit, payload: as of ``Spikes``.
    traces: one array [rows, units] per request of the plan; a row for each recorded step of the chunk.
    weights: one entry per request of the plan: an array [rows, synapses], or, for what presynaptic events send, step,
    position in the request's synapses and weight of each, sorted by the first two.
    Later steps change nothing in a chunk of an engine that ``overlaps``.
    """

    steps: int
    step: np.ndarray
    unit: np.ndarray
    traces: list[np.ndarray]
    weights: list[Any] = field(default_factory=list)
    payload: np.ndarray | None = None


class Engine(Protocol):
    """A network that can run. Steps are counted from 1; `done` of them are done.

    Where several processes run one network, all of them call what is here together and with the same arguments; what is
    recorded is in the chunks of the first one only.

    overlaps: the host only waits while steps are done, so a chunk can be recorded while the next one runs.
    longest: steps of the longest chunk to ask for.
    """

    done: int
    threads: int
    overlaps: bool
    longest: int

    @property
    def synapses(self) -> int:
        """How many were built, over all processes."""

    def advance(self, steps: int) -> Chunk:
        """Run at most `steps` further steps (at least one)."""

    def get(self, population: int, state: str) -> np.ndarray:
        """A copy of a state, [n]."""

    def own(self, population: int, state: str) -> tuple[int, np.ndarray]:
        """The first unit of those that this process has, and a copy of their states."""

    def set(self, population: int, state: str, values: np.ndarray) -> None:
        """Overwrite a state, [n]."""

    def history(self) -> Spikes:
        """Spikes of the last ``plan.max_delay`` steps: all that is still under way."""

    def load(self, done: int, step: np.ndarray, unit: np.ndarray, payload: np.ndarray | None = None) -> None:
        """Go on after step `done` with these spikes under way; the states are set by ``set``."""

    def plasticity(self, projection: int) -> Mapping[str, np.ndarray | Column]:
        """Everything that changes in a plastic or learning projection, synapses in the order of ``snnsim.plastic``.

        What has a number for each synapse may be a column, made when its pieces are asked for.
        ``w`` and each state of the synapse: [synapses]. ``trace.<name>``: [source units] or [1]; those of targets as
        ``trace.<name>.before`` and ``.after`` the spikes of a step, [rows, target units], row k for step done - k.
        ``last``: [source units], step of the latest presynaptic event, ``NEVER`` where there was none. ``arrivals``:
        [rows, target units], whole quanta, row k for step done + 1 + k. ``modulator``: [units], the output that
        modulates, where one does. Of a learning one ``trace.<name>`` is always by unit, and ``moment.pre`` and
        ``moment.post`` say in which step of the epoch each unit spiked last, 0 where it has not.
        """

    def set_plasticity(self, projection: int, done: int, values: Mapping[str, Any]) -> None:
        """Take over what ``plasticity`` gave after step `done`, columns as columns; ``load`` follows."""

    def synapses_of(self, projection: int) -> dict[str, np.ndarray]:
        """source, target, delay (steps) and w of a plastic projection's synapses as they are, in their order.

        Of learning ones also the tags that matter.
        """

    def ends_of(self, projection: int, synapses: np.ndarray | range) -> tuple[np.ndarray, np.ndarray]:
        """Source and target of these synapses, by their numbers, for the process that records."""

    def snapshot(self) -> Any:
        """All that changes, for ``restore``."""

    def restore(self, saved: Any) -> None:
        """Go back to where ``snapshot`` was taken."""

    def memory(self) -> dict[str, int]:
        """Bytes by purpose."""

    def facts(self) -> dict[str, Any]:
        """What to say about this engine in summaries: threads, compile seconds, strategies chosen."""


class InOneProcess:
    """What engines have alike that run in one process."""

    def own(self: Any, population: int, state: str) -> tuple[int, np.ndarray]:
        """See ``Engine``."""
        return 0, self.get(population, state)

    def ends_of(self: Any, projection: int, synapses: np.ndarray | range) -> tuple[np.ndarray, np.ndarray]:
        """See ``Engine``."""
        table = self.synapses_of(projection)
        chosen = slice(len(synapses)) if isinstance(synapses, range) else synapses
        return table["source"][chosen], table["target"][chosen]


class Backend(Protocol):
    """What turns a plan into an engine. Registered as an entry point of the group ``snnsim.backends``.

    rank: ``auto`` takes the usable backend of highest rank.
    """

    name: str
    about: str
    rank: int

    def lacks(self) -> str | None:
        """Why it cannot be used on this machine and what to do about it; None where it can."""

    def device(self) -> str:
        """What it runs on here, with versions."""

    def refuses(self, plan: Plan) -> list[Problem]:
        """What of this network it cannot run, each with its place."""

    def memory(self, plan: Plan, threads: int | None = None) -> int:
        """Bytes that the engine of a plan takes while it is built and run, an upper estimate made without it."""

    def compile(self, plan: Plan, threads: int | None = None) -> Engine:
        """The running form of a plan."""


class RankedBackend(Backend, Protocol):
    """A backend whose engines can be spread over the ranks of an MPI communicator, where it is `ranked`."""

    ranked: bool

    def memory(self, plan: Plan, threads: int | None = None, world: World = ALONE) -> int:
        """The same for one process of a world."""

    def compile(self, plan: Plan, threads: int | None = None, world: World = ALONE) -> Engine:
        """The part of one process."""


def rows_between(done: int, steps: int, every: int) -> int:
    """How many of the steps done+1 .. done+steps are recorded every `every` steps."""
    return (done + steps) // every - done // every
