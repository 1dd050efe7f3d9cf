"""What backends share that run plastic projections and couplings: the order of synapses, what stops a run, and what is
recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from snnsim.errors import NumericalError
from snnsim.ir.exact import lower
from snnsim.ir.interpret import Environment, interpret
from snnsim.loihi_learning import Learning as LoihiLearning
from snnsim.plan import Plan, Projection
from snnsim.plan_rules import Coupling, Plasticity
from snnsim.requests import WeightRequest
from snnsim.units import TIME, to_text


def canonical_order(table: Mapping[str, np.ndarray]) -> np.ndarray:
    """Places of synapses sorted by (source, target, delay, order of drawing); their rank here is their number."""
    return np.lexsort((table["delay"], table["target"], table["source"]))


def _when(plan: Plan, step: int) -> str:
    return f"in step {step} (t = {to_text(round(step * plan.dt, 9), TIME)})"


def out_of_bounds(
    plan: Plan, projection: Projection, source: int, target: int, step: int, found: float,
) -> NumericalError:
    """The error for a synapse that would send a weight larger than its rule may give it."""
    rule = projection.plastic
    assert rule is not None
    place = f"projection {projection.label}: the synapse from unit {source} to unit {target}"
    unit = f" {rule.unit}" if rule.unit else ""
    sizes = f"expected a weight of at most {rule.limit:g}{unit} in size, found {found:g}{unit}"
    advice = f"let {rule.model} clip the weight, or give it wider `bounds`"
    return NumericalError(f"{place} left its bounds {_when(plan, step)}: {sizes}; {advice}")


# --- couplings -------------------------------------------------------------------------------------------------------

def coupling_of(projection: Projection) -> Coupling:
    """The coupling of a coupled projection."""
    assert projection.coupling is not None
    return projection.coupling


def coupled_numbers(plan: Plan) -> list[int]:
    """The numbers of the coupled projections."""
    return [k for k, p in enumerate(plan.projections) if p.coupling is not None]


def coupled_variables(plan: Plan) -> list[tuple[int, str]]:
    """Population and name of every variable that couples, on either side."""
    coupled = [plan.projections[k] for k in coupled_numbers(plan)]
    return list(dict.fromkeys((k, coupling_of(p).variable) for p in coupled for k in (p.source, p.target)))


def added(
    plan: Plan, projection: Projection, step: int, table: Mapping[str, np.ndarray], source: np.ndarray,
    target: np.ndarray,
) -> np.ndarray:
    """What each synapse of a coupled projection adds in `step`, [synapses].

    table: source, target, and weight of the run's precision, [synapses]; source, target: the variable of both sides,
    [units]. ``NumericalError`` where one adds more than it may.
    """
    adds = coupled(plan, projection, table, source, target)
    check_adds(plan, projection, step, table["source"], table["target"], adds)
    return adds


def coupled(
    plan: Plan, projection: Projection, table: Mapping[str, np.ndarray], source: np.ndarray, target: np.ndarray,
) -> np.ndarray:
    """As ``added``, whatever it is."""
    rule = coupling_of(projection)
    drives = {"w": table["weight"], "pre": source[table["source"]], "post": target[table["target"]]}
    program = lower(rule.program, plan.dtype)
    adds = interpret(program, Environment(plan.dtype, rule.params, drives=drives)).outputs["adds"]
    return np.broadcast_to(adds, table["source"].shape)


def check_adds(
    plan: Plan, projection: Projection, step: int, source: np.ndarray, target: np.ndarray, adds: np.ndarray
) -> None:
    """``NumericalError`` where any of the synapses [n] adds more than it may: names the first by source and target."""
    if (found := first_wrong(projection, source, target, adds)) is not None:
        raise diverged(plan, projection, *found[:2], step, found[2])


def first_wrong(
    projection: Projection, source: np.ndarray, target: np.ndarray, adds: np.ndarray
) -> tuple[int, int, float] | None:
    """Source and target of the first of the synapses [n] that adds more than it may, and what it adds."""
    adds = np.broadcast_to(adds, source.shape)
    wrong = np.flatnonzero(~(np.abs(adds) <= coupling_of(projection).limit))
    if not wrong.size:
        return None
    k = wrong[np.lexsort((target[wrong], source[wrong]))[0]]
    return int(source[k]), int(target[k]), float(adds[k])


def diverged(plan: Plan, projection: Projection, source: int, target: int, step: int, found: float) -> NumericalError:
    """The error for a coupling that adds more than can come of a network that is stable."""
    place = f"projection {projection.label}: the coupling of unit {source} to unit {target}"
    return NumericalError(f"{place} became {found:g} {_when(plan, step)}; a smaller dt or weaker coupling may help")


# --- recorded weights ------------------------------------------------------------------------------------------------

class Sent(NamedTuple):
    """What synapses transmit in one step: the number of each, and its weight with its sign."""

    synapse: np.ndarray
    weight: np.ndarray


class Learning(Protocol):
    """The synapses of a plastic projection, in canonical order. values: `w` and states, [synapses]."""

    dtype: Any

    @property
    def rule(self) -> Plasticity | LoihiLearning: ...

    @property
    def values(self) -> Mapping[str, np.ndarray]: ...


def joined(parts: list[Sent]) -> Sent:
    """What was sent by one after the other."""
    nothing = Sent(np.zeros(0, np.int64), np.zeros(0))
    return Sent(*(np.concatenate(column) for column in zip(nothing, *parts, strict=True)))


class WeightLog:
    """What one request of the plan asks for, over the steps of a chunk."""

    def __init__(self, request: WeightRequest, projection: Learning) -> None:
        self.request, self.numbers, self.projection = request, request.numbers, projection
        self.rows: list[Any] = []

    def note(self, step: int, sent: Mapping[int, Sent]) -> None:
        """Look at what a step did."""
        if self.request.on_pre:
            self._note_sent(step, sent[self.request.projection])
        elif step % self.request.every == 0:
            weights = self.projection.values["w"][self.numbers]
            self.rows.append(weights * self.projection.dtype(self.projection.rule.sign))

    def _note_sent(self, step: int, sent: Sent) -> None:
        place, mine = np.searchsorted(self.numbers, sent.synapse), np.isin(sent.synapse, self.numbers)
        order = np.argsort(place[mine], kind="stable")
        self.rows.append((np.full(order.size, step), place[mine][order], sent.weight[mine][order]))

    def chunk(self) -> Any:
        """All of it, as ``Chunk.weights`` says."""
        dtype = self.projection.dtype
        if not self.request.on_pre:
            return np.array(self.rows, dtype).reshape(len(self.rows), self.numbers.size)
        nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, dtype))
        return tuple(np.concatenate(column) for column in zip(nothing, *self.rows, strict=True))
