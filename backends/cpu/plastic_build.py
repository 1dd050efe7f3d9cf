"""Packs plastic synapses: rows by source, in the canonical order, and columns by target that point into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim.backends.cpu import draw, plastic_kernels
from snnsim.backends.cpu.build import Places
from snnsim.backends.cpu.draw import fast_words
from snnsim.backends.cpu.plastic_emit import Rule
from snnsim.backends.cpu.plastic_loops import AHEAD, RuleShape
from snnsim.engine import NEVER
from snnsim.plan import Plan, Projection
from snnsim.plan_rules import Plasticity
from snnsim.slices import Slices
from snnsim.synapse_rules import Delays, rule_of


def index_type(count: int) -> type:
    """The narrowest whole numbers that count `count` things."""
    return np.uint16 if count <= 1 << 16 else np.uint32 if count <= 1 << 32 else np.uint64


@dataclass
class PackedRows:
    """The synapses of one projection onto targets [low, high), sorted by (source, target, delay, order of drawing).

    rows: [sources + 1] ends; targets counted from `low`; delays: less the smallest, empty where all are the same.
    columns: [targets * groups + 1] ends, or [targets + 1] where delays are searched for; positions, sources: of the
    synapses of each column, sorted by (target, delay); targets, delays and positions go on, because loops
    look ahead.
    """

    rows: np.ndarray
    targets: np.ndarray
    delays: np.ndarray
    w: np.ndarray
    columns: np.ndarray
    positions: np.ndarray
    sources: np.ndarray


class RowPacker:
    """Packs one projection for one thread."""

    def __init__(self, plan: Plan, projection: Projection, low: int, high: int) -> None:
        self.plan, self.projection, self.low, self.high = plan, projection, low, high
        self.delays = Delays.of(plan, projection)
        self.n_source = plan.populations[projection.source].n

    def pack(self) -> PackedRows:
        drawn = self._draw()
        order = np.arange(drawn["source"].size, dtype=np.uint32 if drawn["source"].size < 1 << 32 else np.int64)
        keys = [("delay", self.delays.count), ("target", self.high - self.low), ("source", self.n_source)]
        for name, count in keys:
            if name in drawn:
                order, ends = sorted_by(drawn[name], order, count)
        source, target, weight = drawn["source"][order], drawn["target"][order], drawn["w"]
        delay = drawn["delay"][order] if "delay" in drawn else np.zeros(0, np.uint16)
        constant = weight[0] if weight.size else 0
        w = weight[order] if weight.size == order.size else np.full(order.size, constant, self.plan.dtype)
        columns, positions = self._columns(target, delay)
        sources = source[positions]
        return PackedRows(ends, padded(target), padded(delay) if delay.size else delay, w, columns,
                          padded(positions), sources)

    def _columns(self, target: np.ndarray, delay: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the columns, and the synapses in them."""
        positions = np.arange(target.size, dtype=np.uint32 if target.size < 1 << 32 else np.int64)
        if delay.size:
            positions, _ = sorted_by(delay, positions, self.delays.count)
        positions, ends = sorted_by(target, positions, self.high - self.low)
        if not delay.size or not self.delays.groups:
            return ends, positions
        groups = self.delays.groups
        counts = np.bincount(target.astype(np.int64) * groups + delay, minlength=(self.high - self.low) * groups)
        return np.concatenate([[0], np.cumsum(counts)]).astype(ends.dtype), positions

    def _draw(self) -> dict[str, np.ndarray]:
        """Source, target, weight and delay of all synapses as drawn; one weight of a block where it is constant."""
        blocks = [self._block(block) for block in self.projection.bound.blocks(self.low, self.high, fast_words)]
        names = ("source", "target", "w", *(("delay",) if self.delays.count > 1 else ()))
        empty = {name: np.zeros(0, self.plan.dtype if name == "w" else np.uint16) for name in names}
        return {name: np.concatenate([block[name] for block in blocks or [empty]]) for name in names}

    def _block(self, block: Any) -> dict[str, np.ndarray]:
        _, weight = self.projection.weights(block, fast_words)
        found = {"source": block.source.astype(index_type(self.n_source)),
                 "w": np.atleast_1d(weight).astype(self.plan.dtype),
                 "target": (block.target.astype(np.int64) - self.low).astype(index_type(self.high - self.low))}
        if self.delays.count > 1:
            delay = np.broadcast_to(draw.delays(self.projection, block, fast_words), block.source.shape)
            less = delay - rule_of(self.projection).axonal - self.delays.low
            found["delay"] = less.astype(index_type(self.delays.count))
        return found


def padded(values: np.ndarray) -> np.ndarray:
    """With some more at the end, where loops look ahead."""
    return np.concatenate([values, np.zeros(AHEAD, values.dtype)])


def sorted_by(keys: np.ndarray, order: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`order` sorted by keys, and where each of the `count` keys begins."""
    ends, out = np.zeros(count + 1, np.int64), np.empty_like(order)
    plastic_kernels.sort_by(keys, order, ends, out)
    return out, ends.astype(np.uint32) if order.size < 1 << 32 else ends


class PlasticMaker:
    """Makes the data of one plastic projection for one thread, by the names that its rule uses.

    sums: type of the sums of arrivals. rings: number of a projection -> the shared ring of its modulating variable.
    """

    def __init__(self, plan: Plan, slices: Slices, places: Places, sums: Any, rules: dict[int, Rule],
                 rings: dict[int, np.ndarray]) -> None:
        self.plan, self.slices, self.places = plan, slices, places
        self.sums, self.rules, self.rings = sums, rules, rings

    def add(self, part: dict[str, Any], thread: int, number: int) -> None:
        """Put everything into `part`."""
        projection = self.plan.projections[number]
        rule = rule_of(projection)
        values = {**self._synapses(projection, rule, thread), **self._numbers(projection, rule, thread),
                  **self._scalars(number, projection, rule), **self._modulator(number, projection, thread)}
        values["acc"] = in_places(part, self.places, thread, projection, values["n_target"], self.sums)
        for trace in rule.traces:
            values |= self._trace(trace, values)
        part.update({f"x{number}_{name}": value for name, value in values.items()})

    def _synapses(self, projection: Projection, rule: Plasticity, thread: int) -> dict[str, Any]:
        packed = RowPacker(self.plan, projection, *self.slices.bounds(projection.target, thread)).pack()
        states = {name: np.full(packed.w.size, value, self.plan.dtype) for name, value in rule.states.items()}
        return {"rows": packed.rows, "targets": packed.targets, "delays": packed.delays, "columns": packed.columns,
                "positions": packed.positions, "sources": packed.sources, "state_w": packed.w,
                **{f"state_{name}": values for name, values in states.items()}}

    def _numbers(self, projection: Projection, rule: Plasticity, thread: int) -> dict[str, Any]:
        delays, (low, high) = Delays.of(self.plan, projection), self.slices.bounds(projection.target, thread)
        source, target = self.plan.populations[projection.source], self.plan.populations[projection.target]
        n, slots = high - low, index_type((delays.depth + 1) * (high - low))
        many = delays.count if delays.count > 1 else 0
        return {"n_source": source.n, "first_source": source.first, "n_target": n, "first_target": target.first + low,
                "axonal": rule.axonal, "low": delays.low, "depth": delays.depth, "delay_count": delays.count,
                "groups": delays.groups, "interval": rule.interval, "slots": np.zeros(many, slots),
                "later": np.zeros(many, slots), "ring": np.zeros(delays.depth * n, self.sums),
                "last": np.full(source.n, NEVER, np.int64), "fault": np.zeros(3, np.int64),
                "found": np.zeros(1, self.plan.dtype), "sums": np.zeros(n, np.int64),
                "sum_w": np.zeros(n, self.plan.dtype)}

    def _scalars(self, number: int, projection: Projection, rule: Plasticity) -> dict[str, Any]:
        real, quantum = self.plan.dtype, projection.quanta[0]
        params = {f"scalars_{event}": np.array([rule.params[name] for name in names], real)
                  for event, names in self.rules[number].scalars.items()}
        traces = {f"{kind}_{trace.name}": real(getattr(trace, kind))
                  for trace in rule.traces for kind in ("decay", "add")}
        return {**params, **traces, "dt": self.plan.dt, "limit": real(rule.limit), "quanta": real(rule.sign / quantum),
                "size": real(1 / quantum), "quantum": quantum, "sign": real(rule.sign)}

    def _modulator(self, number: int, projection: Projection, thread: int) -> dict[str, Any]:
        modulator = rule_of(projection).modulator
        if modulator is None:
            return {}
        population = self.plan.populations[modulator.population]
        if modulator.variable is None:
            return {"modulator_delay": modulator.delay, "modulator_first": population.first,
                    "modulator_n": population.n}
        ring, (own, end) = self.rings[number], self.slices.bounds(modulator.population, thread)
        offset = population.offsets.get(modulator.variable, 0.0)
        mine = np.atleast_1d(np.asarray(offset[own:end] if np.ndim(offset) else offset, np.float64))
        return {"modulator_ring": ring, "modulator_n": population.n, "modulator_rows": ring.size // population.n,
                "modulator_low": self.slices.bounds(projection.target, thread)[0], "modulator_own": own,
                "modulator_offset": mine}

    def _trace(self, trace: Any, values: dict[str, Any]) -> dict[str, np.ndarray]:
        if trace.on == "post":
            size = values["depth"] * values["n_target"]
            return {f"{side}_{trace.name}": np.zeros(size, self.plan.dtype) for side in ("before", "after")}
        return {f"trace_{trace.name}": np.zeros(values["n_source"] if trace.on == "pre" else 1, self.plan.dtype)}


def in_places(
    part: dict[str, Any], places: Places, thread: int, projection: Projection, n: int, sums: Any
) -> np.ndarray:
    """Where what is sent arrives; a vector of its own where the target only plays given spikes."""
    if not projection.ports[0]:
        return np.zeros(n, sums)
    base = places.base[thread][projection.target, projection.ports[0]]
    return part["acc"][base : base + n]


def rule_shape(plan: Plan, number: int, wide: bool) -> RuleShape:
    """What decides the text of a rule."""
    projection = plan.projections[number]
    modulator = rule_of(projection).modulator
    variable = modulator is not None and modulator.variable is not None
    per_target = modulator is not None and variable and plan.populations[modulator.population].n > 1
    logged = any(r.on_pre and r.projection == number for r in plan.weights)
    return RuleShape(plan.dtype, Delays.of(plan, projection).count > 1, wide, per_target, logged)
