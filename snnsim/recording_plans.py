"""What a network asks to record, as recorders want it."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnsim.engine import Engine
from snnsim.errors import InputError, Problem
from snnsim.network import Network
from snnsim.plan import Plan
from snnsim.recording import RecordingPlan, TracePlan, WeightPlan
from snnsim.requests import TraceRequest


def recording_plan(net: Network, plan: Plan, engine: Engine, provenance: dict[str, Any]) -> RecordingPlan:
    """For a recording that begins where the engine is."""
    chosen = {k: plan.populations[k] for k in plan.recorded}
    subsets = {chosen[k].name: ids for k, ids in plan.recorded.items() if ids is not None}
    sizes = {p.name: p.n for p in chosen.values()}
    graded = frozenset(p.name for p in chosen.values() if p.graded)
    traces = [_trace(plan, trace) for trace in plan.traces]
    return RecordingPlan(plan.dt, sizes, traces, net.to_yaml(), provenance, subsets, engine.done,
                         _weights(net, plan, engine), graded)


def _trace(plan: Plan, trace: TraceRequest) -> TracePlan:
    population = plan.populations[trace.population]
    unit = population.units.get(trace.variable, "")
    return TracePlan(population.name, trace.variable, trace.units, trace.every, unit, plan.dtype is np.float64)


def _weights(net: Network, plan: Plan, engine: Engine) -> list[WeightPlan]:
    plans = []
    for asked, request in zip(net.recording.weights, plan.weights, strict=True):
        it = plan.projections[request.projection]
        assert it.rule is not None
        if not len(request.synapses):
            text = f"projection {it.label} has no synapse to record"
            raise InputError(Problem(f"record.weights.{asked.name}", text))
        source, target = engine.ends_of(request.projection, request.synapses)
        plans.append(WeightPlan(asked.name, source, target, request.on_pre, request.every, it.rule.unit,
                                plan.dtype is np.float64, it.label))
    return plans
