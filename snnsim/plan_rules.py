"""What the synapses of a projection do besides transmitting spikes: plasticity and continuous couplings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snnsim.ir import Program

if TYPE_CHECKING:
    from snnsim.equations.coupling import CouplingModel
    from snnsim.equations.synapse import SynapseModel


@dataclass(frozen=True)
class SpikeTrace:
    """A trace of spikes: multiplied with `decay` each step, and at a spike increased by `add`, or set to it (nearest).

    on: "pre" (one number per source unit), "post" (one per target unit) or "modulator" (one for the projection).
    """

    name: str
    on: str
    decay: float
    add: float
    nearest: bool


@dataclass(frozen=True)
class Modulator:
    """What else a rule listens to: spikes of a population, `delay` steps late, or, where there is one, its variable."""

    population: int
    variable: str | None
    delay: int


@dataclass(frozen=True)
class Plasticity:
    """The rule of a plastic projection; docs/conventions.md has the order of events in a step.

    programs: event (``pre``, ``post``, ``step``, ``interval``) -> program over synapses. Their STATE and STORE name `w`
    or a state of the synapse, their DRIVE a trace, ``since_pre``, ``modulator`` or ``sum_w``; the OUTPUT ``send`` is
    what a presynaptic spike transmits.
    params: bound numbers; states: initial values besides `w`. axonal: steps of the delay before the synapse.
    interval: steps between runs of ``interval``, 0 for none. sign: what is sent is sign * send; |send| <= limit. unit:
    of the weight, as text. equations, values: where programs and numbers come from: the model, and its parameters.
    """

    model: str
    programs: dict[str, Program]
    params: dict[str, float]
    states: dict[str, float]
    traces: tuple[SpikeTrace, ...]
    tie: str
    axonal: int
    interval: int
    sign: int
    limit: float
    unit: str = ""
    modulator: Modulator | None = None
    equations: SynapseModel | None = None
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Coupling:
    """What the synapses of a projection do in every step: they add to the input `drive` of their targets.

    program: DRIVEs w, pre and post (`variable` of both sides as the step before left it), OUTPUT ``adds``, which is
    rounded to whole multiples of `quantum` and summed; |adds| <= limit. drive: a DRIVE of the target's program, which
    is the sum times the quantum. equations, values: where program and numbers come from: the model, and its parameters.
    input: the continuous input that `drive` is added to.
    """

    model: str
    program: Program
    params: dict[str, float]
    variable: str
    drive: str
    quantum: float
    limit: float
    equations: CouplingModel | None = None
    values: dict[str, float] = field(default_factory=dict)
    input: str = ""
