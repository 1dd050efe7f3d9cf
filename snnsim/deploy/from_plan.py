"""A plan as a graph of plain arrays, and what its inputs bring to the ports in some steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from snnsim.deploy.graph import Arrivals, Connection, Graph, Group, Learning, Trace
from snnsim.draws import draw
from snnsim.equations import Model
from snnsim.fixed_weights import MESSAGE_BITS, FixedWeights
from snnsim.ir import Op
from snnsim.plan import Plan, Population, Projection, model_port

# Sources that the host plays: each makes as many spikes as arrive at this port, or as it draws.
SOURCES = ("poisson", "relay", "spike_times")
_SPIKES = "in"
Rows = tuple[np.ndarray, ...]


def graph_of(plan: Plan) -> Graph:
    """The fixed-point network of `plan`: all of its projections must reach models in whole numbers.

    A source that may emit several spikes in a step sends their number, so its messages have a payload.
    """
    groups = tuple(_group(p) for p in plan.populations)
    semantics = {p.fixed.semantics for p in plan.projections if p.fixed is not None}
    connections = tuple(_connection(plan, p) for p in plan.projections)
    traces = tuple(Trace(t.population, t.variable, t.units, t.every) for t in plan.traces)
    return Graph(plan.name, plan.dt, "/".join(sorted(semantics)) or "lava010", groups, connections, traces,
                 dict(plan.recorded))


def model_of(population: Population) -> Model:
    """The model of a population of a plan that was made from a network."""
    assert population.model is not None
    return population.model


def _group(population: Population) -> Group:
    model = model_of(population)
    params = {name: _number(value) for name, value in population.values.items()}
    initial = {name: _number(value) for name, value in population.initial.items() if np.any(value)}
    ports = tuple(model.ports) or (_SPIKES,)
    return Group(population.name, population.n, model.name, params, initial if model.whole else {}, ports)


def _number(value: Any) -> Any:
    """Whole numbers as such."""
    array = np.asarray(value)
    array = array.astype(np.int64) if np.all(np.rint(array) == array) and np.all(np.abs(array) < 1 << 53) else array
    return array if array.ndim else array.item()


def _connection(plan: Plan, projection: Projection) -> Connection:
    fixed = projection.fixed
    assert fixed is not None
    source, target, weight, delay = _synapses(projection, plan.populations[projection.target].n)
    return Connection(
        projection.label, projection.source, projection.target, model_port(projection.ports[0]), source, target, weight,
        delay, fixed.weight_exp, fixed.num_weight_bits, fixed.sign_mode, _message_bits(plan, projection, fixed),
        _learning(projection),
    )


def _learning(projection: Projection) -> Learning | None:
    """The rule in the form of Lava; tags begin at 0."""
    rule = projection.learning
    if rule is None:
        return None
    dw, dd, dt = (rule.texts.get(name, "") for name in ("dw", "dd", "dt"))
    return Learning(dw, dd, dt, dict(rule.impulses), dict(rule.taus), rule.t_epoch, rule.rng_seed)


def _synapses(projection: Projection, n: int) -> Rows:
    """source, target, mantissa and delay, int32 [synapses]."""
    columns = [_columns(projection, block) for block in projection.bound.blocks(0, n)]
    empty = [[np.zeros(0)]] * 4
    return tuple(np.concatenate(list(c)).astype(np.int32) for c in (zip(*columns, strict=True) if columns else empty))


def _columns(projection: Projection, block: Any) -> Rows:
    weight, delay = projection.drawn_weights(block), projection.steps(block)
    size = len(block.source)
    return (np.asarray(block.source), np.asarray(block.target), np.rint(np.broadcast_to(weight, size)),
            np.broadcast_to(delay, size))


def _message_bits(plan: Plan, projection: Projection, fixed: FixedWeights) -> int:
    counted = plan.populations[projection.source].counted
    return MESSAGE_BITS if counted else fixed.num_message_bits


# --- what the host brings --------------------------------------------------------------------------------------------


def arrivals_of(plan: Plan, first: int, steps: int) -> Arrivals:
    """What inputs add to ports, and how often the host's sources spike, in the steps first .. first + steps - 1."""
    found = [rows for k, p in enumerate(plan.populations) for rows in _of_population(plan, k, p, first, steps)]
    columns = [np.concatenate(list(c)) for c in zip(*found, strict=True)] if found else [np.zeros(0, np.int64)] * 5
    order = np.lexsort(columns[3::-1])
    return Arrivals(*(column[order].astype(np.int64) for column in columns))


def _of_population(plan: Plan, k: int, population: Population, first: int, steps: int) -> Iterator[Rows]:
    ports = list(model_of(population).ports) or [_SPIKES]
    for schedule in population.schedules:
        now = (schedule.step >= first) & (schedule.step < first + steps)
        weight = _in_ones(population, schedule.port, schedule.weight[now])
        yield _rows(k, ports.index(schedule.port), schedule.step[now], schedule.unit[now], weight)
    for label, mean in population.program.uses(Op.POISSON):
        port = population.poisson.get(label)
        weight = 1 if port is None else _in_ones(population, port, population.params[f"{label}.weight"])
        for step in range(first, first + steps):
            counts = draw(plan, population, Op.POISSON, (label, mean), step)
            units = np.flatnonzero(counts)
            yield _rows(k, 0 if port is None else ports.index(port), step, units, counts[units] * weight)


def _in_ones(population: Population, port: str, quanta: Any) -> Any:
    """Weights as whole numbers: at a port of the host's sources their quantum is a small part of 1."""
    return np.rint(quanta * population.ports[port].quantum).astype(np.int64)


def _rows(group: int, port: int, step: Any, unit: np.ndarray, weight: np.ndarray) -> Rows:
    return (np.broadcast_to(step, unit.shape), np.full(unit.shape, group), np.full(unit.shape, port), unit, weight)
