"""The parts of a network, checked and parsed: what ``snnsim.network`` builds and a compiler reads.

All numbers are in the coherent system (ms, mV, pA). Values that differ between units or synapses are ``Value`` objects;
they are drawn from streams whose labels derive from `label` of the part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snnsim.connect import Bound, Rule
from snnsim.distributions import Value
from snnsim.equations import Model
from snnsim.fixed_weights import FixedWeights
from snnsim.loihi_learning import Learning
from snnsim.positions import Placed, Positions

if TYPE_CHECKING:
    from snnsim.equations.coupling import CouplingModel
    from snnsim.equations.synapse import SynapseModel

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Train:
    """Given spikes, sorted by step, then id; repeats count.

    ids: int64 [k]; steps: int64 [k], the step in which each is emitted (time = step dt); spec: as the file says it.
    """

    ids: Ids
    steps: Ids
    spec: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Population:
    """N units of one model.

    params, init: only what was given; the model's defaults hold otherwise.
    positions: where units are, as given; placed: the same with points drawn, float64 [n, d] in um.
    schedule: the spikes of a population that plays given ones; None elsewhere.
    """

    name: str
    n: int
    model: Model
    params: dict[str, Value] = field(default_factory=dict)
    init: dict[str, Value] = field(default_factory=dict)
    positions: Positions | None = None
    placed: Placed | None = None
    schedule: Train | None = None


@dataclass(frozen=True, eq=False)
class Synapse:
    """The rule of a plastic projection.

    params, init: only what was given. axonal: ms of the delay before the synapse. modulator: a population and one of
    its variables, or None for its spikes, which come modulator_delay ms late.
    """

    model: SynapseModel
    params: dict[str, float]
    init: dict[str, float]
    pairing: str
    tie: str
    axonal: float
    modulator: tuple[Population, str | None] | None
    modulator_delay: float


@dataclass(frozen=True, eq=False)
class Coupling:
    """A continuous coupling: what synapses add to the input `drive` of their targets, from `variable` of both sides.

    params: what was given; input: as given.
    """

    model: CouplingModel
    params: dict[str, float]
    variable: str
    drive: str
    input: str | None


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one population to one other, by a rule.

    label: unique name; keys the random streams. name: as given, shared by all pairs of one entry.
    port: as given; ports: which one takes weights >= 0, and which one weights < 0 (the same unless chosen by sign).
    delay: in ms; 0 acts within the step. entry: which ``project`` call or entry of the file it comes from. synapse: the
    rule of plastic ones; their ports are empty where the target receives nothing, as one that plays given spikes does.
    coupling: what its synapses do in every step in place of transmitting spikes; its ports are empty. fixed: what makes
    whole numbers of its weights, where the target computes in them. learning: how they change as on Loihi 2.
    """

    label: str
    name: str | None
    source: Population
    target: Population
    rule: Rule
    bound: Bound
    weight: Value
    delay: Value
    port: str | None
    ports: tuple[str, str]
    entry: int
    synapse: Synapse | None = None
    coupling: Coupling | None = None
    fixed: FixedWeights | None = None
    learning: Learning | None = None

    @property
    def learns(self) -> bool:
        """Whether its weights may change."""
        return self.synapse is not None or self.learning is not None


@dataclass(frozen=True, eq=False)
class Link:
    """Where the spikes of an input arrive; `ports` as in ``Projection``."""

    label: str
    target: Population
    ports: tuple[str, str]
    weight: float
    delay: float


@dataclass(frozen=True, eq=False)
class Injection:
    """Where a current arrives: continuous input `drive` of the target's model."""

    label: str
    target: Population
    drive: str


@dataclass(frozen=True, eq=False)
class Poisson:
    """An independent Poisson train for each unit of each target; rate in 1/ms."""

    name: str
    rate: Value
    links: tuple[Link, ...]
    port: str | None
    kind: str = "poisson"


@dataclass(frozen=True, eq=False)
class SpikeTimes:
    """Given spikes: those of id k reach unit k of each target."""

    name: str
    train: Train
    links: tuple[Link, ...]
    port: str | None
    kind: str = "spike_times"


@dataclass(frozen=True, eq=False)
class Current:
    """A current in steps: from ``times[k]`` (ms, ascending, float64 [k]) on it is ``values[k]``; nothing before.

    A value may differ between units; its stream is ``<label>/<k>``. amplitude: True where one constant was given.
    """

    name: str
    times: Floats
    values: tuple[Value, ...]
    injections: tuple[Injection, ...]
    input: str | None
    amplitude: bool
    kind: str = "current"


@dataclass(frozen=True, eq=False)
class Noise:
    """A Gaussian current, drawn anew for each unit and step."""

    name: str
    mean: Value
    sd: Value
    injections: tuple[Injection, ...]
    input: str | None
    kind: str = "noise"


Input = Poisson | SpikeTimes | Current | Noise


@dataclass(frozen=True, eq=False)
class Trace:
    """Record `variable` of `units` (ids int64, ascending; None: all of them) every `every` steps."""

    population: Population
    variable: str
    units: Ids | None
    every: int


@dataclass(frozen=True, eq=False)
class Weights:
    """Record weights of the synapses with these numbers (None: all): what is sent (every: None), or in every so many
    steps.

    Synapses are counted in the order of source, target, delay and drawing.
    """

    name: str
    projection: Projection
    synapses: Ids | None
    every: int | None


@dataclass
class Record:
    """What goes into the result. spikes: population -> ids (None: all units)."""

    spikes: dict[str, Ids | None] = field(default_factory=dict)
    traces: list[Trace] = field(default_factory=list)
    weights: list[Weights] = field(default_factory=list)
