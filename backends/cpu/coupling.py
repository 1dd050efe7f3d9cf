"""The couplings of an engine: packed by target for each thread, and what the threads tell each other of variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from snnsim.backends.cpu.coupling_emit import CouplingPrinter, CouplingShape
from snnsim.backends.cpu.coupling_kernels import publish
from snnsim.backends.cpu.draw import fast_words
from snnsim.backends.cpu.driver import argument_name
from snnsim.backends.cpu.plastic_build import index_type
from snnsim.backends.cpu.plastic_kernels import sort_by
from snnsim.plan import Plan, Projection
from snnsim.plastic import coupled, coupled_numbers, coupled_variables, coupling_of, diverged, first_wrong
from snnsim.slices import Slices
from snnsim.world import ALONE, World

Parts = list[dict[str, Any]]
_AS_DRAWN = 64  # bytes of a synapse before it is packed, with its copies


@dataclass(frozen=True)
class PackedTargets:
    """The synapses of one projection onto the units of a thread, in the order of drawing onto each.

    rows: [targets + 1] where those onto each target begin; sources: [synapses], of the narrowest type; weights: in the
    run's precision, [1] where all have the same.
    """

    rows: np.ndarray
    sources: np.ndarray
    weights: np.ndarray


def pack_targets(plan: Plan, projection: Projection, low: int, high: int) -> PackedTargets:
    """Packs the synapses onto targets [low, high)."""
    kind, blocks = index_type(plan.populations[projection.source].n), list(projection.blocks(low, high, fast_words))
    source = np.concatenate([np.zeros(0, kind), *(block.source.astype(kind) for block in blocks)])
    target = np.concatenate([np.zeros(0, np.int64), *(block.target - low for block in blocks)])
    rows, order = np.zeros(high - low + 1, np.int64), np.empty(target.size, np.int64)
    sort_by(target, np.arange(target.size), rows, order)
    if projection.constant_weight:
        return PackedTargets(rows, source[order], np.full(1, projection.weight.constant, plan.dtype))
    drawn = [np.broadcast_to(block.weight, block.source.shape).astype(plan.dtype) for block in blocks]
    return PackedTargets(rows, source[order], np.concatenate([np.zeros(0, plan.dtype), *drawn])[order])


def coupled_memory(plan: Plan) -> int:
    """Bytes of couplings, an upper estimate: synapses as drawn and as packed, the published variables, the sums."""
    real, total = plan.dtype().itemsize, 0
    for it in (plan.projections[k] for k in coupled_numbers(plan)):
        packed = index_type(plan.populations[it.source].n)().itemsize + (0 if it.constant_weight else real)
        total += it.bound.synapses * (packed + _AS_DRAWN) + plan.populations[it.target].n * (16 + real)
    return total + sum((2 * real + 8) * plan.populations[k].n for k, _ in coupled_variables(plan))


class Couplings:
    """All couplings of a network."""

    def __init__(self, plan: Plan, slices: Slices, world: World = ALONE) -> None:
        self.plan, self.slices, self.world, self.numbers = plan, slices, world, coupled_numbers(plan)
        self.loops = {k: CouplingPrinter(coupling_of(p).program, plan.dtype, p.constant_weight).loop()
                      for k in self.numbers for p in [plan.projections[k]]}
        self.published = {(k, variable): np.zeros((2, plan.populations[k].n), plan.dtype)
                          for k, variable in coupled_variables(plan)}
        self.parts: Parts = []

    def shapes(self) -> list[CouplingShape]:
        """What the driver prints."""
        rules = {k: (self.plan.projections[k], coupling_of(self.plan.projections[k])) for k in self.numbers}
        return [CouplingShape(k, self.loops[k], it.source, it.target, rule.variable, rule.drive)
                for k, (it, rule) in rules.items()]

    # --- making the parts --------------------------------------------------------------------------------------------

    def add(self, part: dict[str, Any], thread: int) -> None:
        """Put the synapses of a thread, and its view of the variables, into its part."""
        part["diverged"] = np.zeros(1, np.int64)
        for (k, variable), values in self.published.items():
            part[argument_name(k, "published", variable)] = values
            part[argument_name(k, "offset", variable)] = self._offset(k, variable, *self.slices.bounds(k, thread))
        for number in self.numbers:
            self._add_synapses(part, thread, number)

    def _offset(self, population: int, variable: str, low: int, high: int) -> np.ndarray:
        offset = self.plan.populations[population].offsets.get(variable, -0.0)
        return np.atleast_1d(np.asarray(offset[low:high] if np.ndim(offset) else offset, np.float64))

    def _add_synapses(self, part: dict[str, Any], thread: int, number: int) -> None:
        it, real = self.plan.projections[number], self.plan.dtype
        rule, (low, high) = coupling_of(it), self.slices.bounds(it.target, thread)
        packed = pack_targets(self.plan, it, low, high)
        scalars = np.array([rule.params[name] for name in self.loops[number].scalars], real)
        named = {"rows": packed.rows, "sources": packed.sources, "weights": packed.weights, "scalars": scalars,
                 "quanta": 1 / rule.quantum, "limit": real(rule.limit)}
        part.update({f"c{number}_{name}": value for name, value in named.items()})
        part[argument_name(it.target, "sums", rule.drive)] = np.zeros(high - low, np.int64)
        part[argument_name(it.target, "quantum", rule.drive)] = rule.quantum
        # A program that does not read its input has no array for it.
        part.setdefault(argument_name(it.target, "drive", rule.drive), np.zeros(high - low, real))

    def attach(self, parts: Parts) -> None:
        """Take the parts of all threads, once they are made."""
        self.parts = parts

    def memory(self) -> int:
        """Bytes of synapses."""
        return sum(part[f"c{k}_{name}"].nbytes for part in self.parts for k in self.numbers
                   for name in ("rows", "sources", "weights"))

    # --- a call ------------------------------------------------------------------------------------------------------

    def open(self, done: int) -> None:
        """Publish the variables as they are after step `done`."""
        for part, thread in zip(self.parts, range(self.slices.parts), strict=True):
            part["diverged"][0] = 0
            for (k, variable), values in self.published.items():
                low, high = self.slices.bounds(k, thread)
                stored, offset = (part[argument_name(k, kind, variable)] for kind in ("state", "offset"))
                publish(stored, offset, values[done & 1, low:high])

    def sharing(self) -> list[Callable[[int], Any]]:
        """What begins to share the coupled variables after a step, where several processes run the network."""
        return [partial(self._share, k, values) for (k, _), values in self.published.items()]

    def _share(self, population: int, values: np.ndarray, step: int) -> Any:
        owned = [self.slices.owned(population, rank) for rank in range(self.slices.ranks)]
        world: Any = self.world
        counts = [high - low for low, high in owned]
        return world.comm.Iallgatherv(world.mpi.IN_PLACE, [values[step & 1], counts])

    def wrong(self) -> tuple[Any, ...] | None:
        """The first synapse that added more than it may: step, 0, projection, source, target and what to say of it."""
        step = min((int(part["diverged"][0]) for part in self.parts if part["diverged"][0]), default=0)
        for number in self.numbers if step else ():
            if (found := self._wrong(number, step)) is not None:
                return step, 0, number, *found
        return None

    def _wrong(self, number: int, step: int) -> tuple[int, int, str] | None:
        """The threads stopped before they wrote over what `step` began with: compute the same once more."""
        it, table = self.plan.projections[number], self._table(number)
        before = (self.published[k, coupling_of(it).variable][(step - 1) & 1] for k in (it.source, it.target))
        found = first_wrong(it, table["source"], table["target"], coupled(self.plan, it, table, *before))
        return None if found is None else (*found[:2], str(diverged(self.plan, it, *found[:2], step, found[2])))

    def _table(self, number: int) -> dict[str, np.ndarray]:
        """source, target and weight of the synapses of a projection that this process has."""
        found = []
        for thread, part in enumerate(self.parts):
            rows, sources, weights = (part[f"c{number}_{name}"] for name in ("rows", "sources", "weights"))
            low, high = self.slices.bounds(self.plan.projections[number].target, thread)
            found.append((sources, np.repeat(np.arange(low, high), np.diff(rows)),
                          np.broadcast_to(weights, sources.shape)))
        return dict(zip(("source", "target", "weight"), map(np.concatenate, zip(*found, strict=True)), strict=True))
