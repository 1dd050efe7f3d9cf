"""A network made concrete: what every backend starts from.

``make_plan`` turns a ``Network`` into populations with lowered update programs and bound parameters, ports with their
weight quantum, and projections that can draw their synapses. Nothing here is specific to a backend, and nothing is
built yet: synapses are drawn when a backend asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from snnsim.connect import Block, Bound
from snnsim.distributions import Value
from snnsim.fixed_weights import FixedWeights
from snnsim.ir import Op, Program, Type, check
from snnsim.loihi_learning import Learning
from snnsim.plan_rules import Coupling, Plasticity
from snnsim.random import Stream, WordSource, numpy_words
from snnsim.requests import TraceRequest, WeightRequest

if TYPE_CHECKING:
    from snnsim.equations import Model


@dataclass(frozen=True)
class Port:
    """A receiving port: weights are whole multiples of `quantum` (a power of two).

    bound: no sum of arrivals in one step exceeds it, in quanta; stored: bits that hold one weight.
    """

    name: str
    quantum: float
    bound: int
    stored: int


def shifted_port(port: str, label: str) -> str:
    """The port of a projection whose summed weights are shifted before they are added to those at `port`."""
    return f"{port} of {label}"


def model_port(name: str) -> str:
    """The port of the model that a port of a plan is, or belongs to."""
    return name.partition(" of ")[0]


@dataclass(frozen=True)
class Schedule:
    """Arrivals known beforehand, sorted by step: `weight` quanta to `port` of `unit` in `step`."""

    port: str
    step: np.ndarray
    unit: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Drive:
    """A continuous input: from step ``steps[k]`` on it has ``values[k]``, [rows, 1] or [rows, n]; 0 before."""

    steps: np.ndarray
    values: np.ndarray


@dataclass
class Population:
    """N units, the program they run, and what its leaves are bound to.

    offsets: state -> what its stored number lies below its value, a float or an array [n]; `initial` is as stored.
    onsets: label of a Poisson stream -> steps at the beginning in which nothing of it has arrived yet.
    model, values: where the program and its numbers come from: the equations, and the parameters in them.
    poisson, noises: label of a random input -> the port or the continuous input that it feeds, in the program.
    """

    name: str
    n: int
    first: int
    program: Program
    params: dict[str, Any]
    initial: dict[str, Any]
    ports: dict[str, Port]
    drives: dict[str, Drive]
    schedules: list[Schedule]
    level: int = 0
    units: dict[str, str] = field(default_factory=dict)
    offsets: dict[str, Any] = field(default_factory=dict)
    onsets: dict[str, int] = field(default_factory=dict)
    model: Model | None = None
    values: dict[str, Any] = field(default_factory=dict)
    poisson: dict[str, str] = field(default_factory=dict)
    noises: dict[str, str] = field(default_factory=dict)

    @property
    def graded(self) -> bool:
        """Whether its spikes carry payloads: at most one in a step of a unit."""
        return bool(self.program.uses(Op.SEND))

    @property
    def counted(self) -> bool:
        """Whether a unit may spike more than once in a step."""
        types = check(self.program)
        return any(i.op is Op.EMIT and types[i.args[0]] is Type.INT for i in self.program.instrs)

    def value(self, state: str, stored: np.ndarray, units: Any = slice(None)) -> np.ndarray:
        """The values of `units` [..., n] from stored numbers; float64 where there is an offset."""
        return stored if state not in self.offsets else stored.astype(np.float64) + self._offset(state, units)

    def stored(self, state: str, values: np.ndarray) -> np.ndarray:
        """The numbers [n] that stand for `values`."""
        return values if state not in self.offsets else values - self._offset(state, slice(None))

    def _offset(self, state: str, units: Any) -> Any:
        offset = self.offsets[state]
        return offset[units] if np.ndim(offset) else offset


class Synapses(NamedTuple):
    """A block of synapses; port, weight (quanta) and delay (steps) are scalars where all synapses share them.

    Of a plastic projection, the weight is the `w` of its rule, a real number, and so it is of a coupling; of a learning
    one it is a mantissa.
    """

    source: np.ndarray
    target: np.ndarray
    port: Any
    weight: Any
    delay: Any


@dataclass(frozen=True)
class Projection:
    """Draws its synapses on request; the same ones for every partition and backend."""

    label: str
    source: int
    target: int
    bound: Bound
    weight: Value
    delay: Value
    ports: tuple[str, str]
    quanta: tuple[float, float]
    delays: tuple[int, int]
    seed: int
    dt: float
    plastic: Plasticity | None = None
    coupling: Coupling | None = None
    fixed: FixedWeights | None = None
    learning: Learning | None = None

    @property
    def rule(self) -> Plasticity | Learning | None:
        """What changes its weights."""
        return self.plastic or self.learning

    @property
    def payloads(self) -> bool:
        """Whether the payload of a spike multiplies the weight; without, every spike counts as 1."""
        return self.fixed is not None and self.fixed.num_message_bits > 0

    @property
    def spiking(self) -> bool:
        """Whether it transmits spikes, with weights that stay as they are."""
        return self.rule is None and self.coupling is None

    @property
    def constant_weight(self) -> bool:
        return self.weight.constant is not None

    def blocks(self, low: int, high: int, words: WordSource = numpy_words) -> Iterator[Synapses]:
        """All synapses onto targets in [low, high), a block at a time; `words` is a faster source of random words."""
        for block in self.bound.blocks(low, high, words):
            yield Synapses(block.source, block.target, *self.weights(block, words), self.steps(block, words))

    def keep_values(self, parts: list[tuple[int, int]] | None, words: WordSource) -> None:
        """Take weights and delays that are in files into memory: all, or those of the targets that each part draws."""
        for value in (self.weight, self.delay):
            if value.size is not None:
                value.keep(None if parts is None else (block.index for targets in parts
                                                       for block in self.bound.blocks(*targets, words)))

    def table(self, n_target: int) -> dict[str, np.ndarray]:
        """All synapses as columns [synapses], named as in ``Synapses``: int64, but real weights float64."""
        kinds = [np.int64] * 5 if self.spiking else [np.int64, np.int64, np.int64, np.float64, np.int64]
        blocks = [[np.broadcast_to(x, len(b.source)) for x in b] for b in self.blocks(0, n_target)]
        columns = zip(*blocks, strict=True) if blocks else [[np.zeros(0)]] * 5
        return {name: np.concatenate(list(column)).astype(kind)
                for name, column, kind in zip(Synapses._fields, columns, kinds, strict=True)}

    def drawn_weights(self, block: Block, words: WordSource = numpy_words) -> Any:
        """The weights as the network gives them, real numbers in the unit of the port; one where all share it."""
        return self.drawn("weight", self.weight, block, words)

    def weights(self, block: Block, words: WordSource = numpy_words) -> tuple[Any, Any]:
        """Port (0: the first, 1: the second) by the sign of the weight, and the weight in its quanta."""
        return self.in_quanta(self.drawn_weights(block, words))

    def in_quanta(self, weight: Any) -> tuple[Any, Any]:
        """The same for some weights, or for the one that all synapses share."""
        if self.learning is not None and self.fixed is not None:
            return 0, self.fixed.kept(weight)
        if not self.spiking:
            return 0, weight * (self.plastic.sign if self.plastic else 1)
        if self.fixed is not None:
            return 0, self.fixed.whole(weight)
        if self.ports[0] == self.ports[1]:
            return 0, self._rounded(weight, self.quanta[0])
        if isinstance(weight, float):
            port = int(weight < 0)
            return port, self._rounded(weight, self.quanta[port])
        port = (weight < 0).astype(np.uint8)
        return port, self._rounded(weight, np.where(port, self.quanta[1], self.quanta[0]))

    def steps(self, block: Block, words: WordSource = numpy_words) -> Any:
        """Delays in steps."""
        return delay_steps(self.drawn("delay", self.delay, block, words), self.dt)

    def stream(self, kind: str, words: WordSource) -> Stream:
        """What weights or delays are drawn from."""
        return Stream(self.seed, f"{self.label}/{kind}", words)

    def drawn(self, kind: str, value: Value, block: Block, words: WordSource = numpy_words) -> Any:
        """A value for each synapse of a block, or the one that all share."""
        return value.constant if value.constant is not None else value.draw_for(self.stream(kind, words), block)

    @staticmethod
    def _rounded(weight: Any, quantum: Any) -> Any:
        rounded = np.rint(weight / quantum)
        return int(rounded) if isinstance(weight, float) else rounded.astype(np.int64)


def delay_steps(delay: Any, dt: float) -> Any:
    """Delay in steps: rounded to the nearest, at least 1; only an exact 0 stays 0."""
    steps = np.maximum(np.floor(np.asarray(delay) / dt + 0.5), 1).astype(np.int64)
    steps = np.where(np.asarray(delay) == 0, 0, steps)
    return int(steps) if np.ndim(steps) == 0 else steps


@dataclass
class Plan:
    """A whole network, ready for a backend.

    dtype: float32 or float64. max_delay, min_delay: steps over all projections (min over those with delay >= 1).
    """

    name: str
    dt: float
    seed: int
    dtype: Any
    populations: list[Population]
    projections: list[Projection]
    traces: list[TraceRequest]
    recorded: dict[int, np.ndarray | None]
    notes: list[str] = field(default_factory=list)
    weights: list[WeightRequest] = field(default_factory=list)

    @property
    def neurons(self) -> int:
        return sum(p.n for p in self.populations)

    @property
    def graded(self) -> bool:
        """Whether spikes of any population carry payloads."""
        return any(p.graded for p in self.populations)

    def multiplied(self, projection: Projection) -> bool:
        """Whether payloads multiply the weights of a projection: without, each spike of its source counts as 1."""
        return projection.payloads and self.populations[projection.source].graded

    @property
    def max_delay(self) -> int:
        """The most steps for which a spike matters."""
        late = [p.plastic.modulator.delay for p in self.projections if p.plastic and p.plastic.modulator]
        return max([1, *late, *(p.delays[1] for p in self.projections)])

    @property
    def min_delay(self) -> int:
        """The smallest delay that is not zero; 1 where anything acts without delay."""
        if any(p.coupling is not None for p in self.projections):
            return 1
        return max(1, min((p.delays[0] for p in self.projections), default=1 << 30))
