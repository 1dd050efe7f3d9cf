"""What backends that compile plastic and learning projections share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snnsim.connect import Block
from snnsim.fixed_weights import FixedWeights
from snnsim.ir import Instr, Op, Program
from snnsim.ir.ops import Type
from snnsim.loihi_learning import Learning
from snnsim.plan import Plan, Projection
from snnsim.plan_rules import Plasticity
from snnsim.random import WordSource, numpy_words

_MOST_GROUPS = 64


def rule_of(projection: Projection) -> Plasticity:
    """The rule of a plastic projection."""
    assert projection.plastic is not None
    return projection.plastic


def plastic_numbers(plan: Plan) -> list[int]:
    """The numbers of the plastic projections."""
    return [k for k, p in enumerate(plan.projections) if p.plastic is not None]


def learned(projection: Projection, block: Block, words: WordSource = numpy_words) -> dict[str, Any]:
    """What changes in learning synapses as it is at the beginning, whole numbers: w and tags."""
    rule = projection.learning
    assert rule is not None
    tags = {name: value for name, value in rule.tags.items() if name in rule.states}
    return {**dict.fromkeys(rule.states, 0), "w": projection.weights(block, words)[1],
            **{name: np.rint(projection.drawn(name, value, block, words)) for name, value in tags.items()}}


def learning_of(projection: Projection) -> tuple[Learning, FixedWeights]:
    """How a learning projection learns, and what its weights are."""
    assert projection.learning is not None and projection.fixed is not None
    return projection.learning, projection.fixed


def kept_of_units(rule: Learning, side: str) -> dict[str, str]:
    """What changes of the units of one side: names of arrays -> as ``Engine.plasticity`` calls them."""
    traces = rule.pre if side == "pre" else rule.post
    return {f"last_{side}": f"moment.{side}", **{f"trace_{name}": f"trace.{name}" for name in traces}}


def learning_columns(
    projection: Projection, low: int, high: int, kinds: Mapping[str, Any], words: WordSource
) -> dict[str, np.ndarray]:
    """source, target (less `low`) and what changes of the synapses onto targets in [low, high), as drawn.

    kinds: type of each column.
    """
    columns: dict[str, list[np.ndarray]] = {name: [np.zeros(0, kind)] for name, kind in kinds.items()}
    for block in projection.bound.blocks(low, high, words):
        target = block.target - np.uint32(low)
        values = {"source": block.source, "target": target, **learned(projection, block, words)}
        for name, kind in kinds.items():
            columns[name].append(np.broadcast_to(values[name], block.source.shape).astype(kind))
    return {name: np.concatenate(column) for name, column in columns.items()}


@dataclass(frozen=True)
class Delays:
    """Dendritic delays of a projection, in steps. groups: of each column, or 0 where they are searched for."""

    low: int
    high: int
    groups: int

    @property
    def count(self) -> int:
        return self.high - self.low + 1

    @property
    def depth(self) -> int:
        """Rows of a ring."""
        return self.high + 1

    @classmethod
    def of(cls, plan: Plan, projection: Projection) -> Delays:
        low, high = (delay - rule_of(projection).axonal for delay in projection.delays)
        per_target = projection.bound.synapses / max(1, plan.populations[projection.target].n)
        count = high - low + 1
        return cls(low, high, count if count <= max(_MOST_GROUPS, per_target) else 0)


def sending(program: Program | None) -> Program:
    """The program of presynaptic events with what it sends: the weight as it leaves it, where it says nothing else."""
    program = Program((), {"w": Type.REAL}) if program is None else program
    if program.uses(Op.OUTPUT):
        return program
    stored = [i.args[0] for i in program.instrs if (i.op, i.data) == (Op.STORE, "w")]
    weight = () if stored else (Instr(Op.STATE, data="w"),)
    send = Instr(Op.OUTPUT, (stored[0] if stored else len(program.instrs),), "send")
    return replace(program, instrs=(*program.instrs, *weight, send))


def is_clipped(program: Program, value: int, rule: Plasticity, real: Any) -> bool:
    """Whether `value` ends in clip(..., low, high) with bounds within the limit of the rule: it cannot exceed that."""
    instrs, last = program.instrs, program.instrs[value]
    if last.op is not Op.MIN or instrs[last.args[0]].op is not Op.MAX:
        return False
    bounds = [instrs[last.args[1]], instrs[instrs[last.args[0]].args[1]]]
    if any(bound.op not in (Op.PARAM, Op.CONST) for bound in bounds):
        return False
    known = [rule.params[bound.data] if bound.op is Op.PARAM else bound.data for bound in bounds]
    return all(abs(real(bound)) <= real(rule.limit) for bound in known)
