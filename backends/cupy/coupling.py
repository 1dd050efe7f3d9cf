"""The couplings of an engine on a device: synapses by target, the variables that units show each other, sums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from snnsim.backends.cupy.arrays import PopulationArrays
from snnsim.backends.cupy.build import own_synapses, synapse_columns
from snnsim.backends.cupy.coupling_source import CouplingSource, index_type
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.draw import drawing_bytes
from snnsim.backends.cupy.layout import Layout
from snnsim.plan import Plan, Projection
from snnsim.plastic import added, coupled_numbers, coupled_variables, coupling_of

_NEVER = 1 << 30    # steps after the latest one: more than a call ever does
_SORTING = 96       # bytes of a synapse while the columns of a projection are sorted


@dataclass(frozen=True)
class PackedTargets:
    """The synapses of one projection onto own units, by target, source and number; arrays of the device.

    rows: int64 [targets + 1] where those onto each target begin; sources: [synapses], of the narrowest type; weights:
    in the run's precision, [1] where all have the same.
    """

    rows: Any
    sources: Any
    weights: Any


def pack_targets(device: Device, plan: Plan, layout: Layout, projection: Projection) -> PackedTargets:
    """Draws the synapses of a projection and sorts them."""
    columns, xp = synapse_columns(device, plan, layout, projection), device.xp
    order = xp.argsort(columns.index, kind="stable")
    pairs = (columns.target[order].astype(np.uint64) << 32) | columns.source[order]
    order = order[xp.argsort(pairs, kind="stable")]
    low, high = layout.bounds(projection.target)
    rows = xp.searchsorted(columns.target[order], xp.arange(low, high + 1, dtype=np.uint32))
    sources = columns.source[order].astype(index_type(plan.populations[projection.source].n))
    constant = np.full(1, projection.weight.constant, plan.dtype) if projection.constant_weight else None
    weights = columns.weight[order] if constant is None else device.upload(constant)
    return PackedTargets(rows.astype(np.int64), sources, weights)


def coupled_bytes(plan: Plan, layout: Layout) -> int:
    """Bytes of the device that couplings take, an upper estimate: as packed, and while the largest is sorted."""
    real = np.dtype(plan.dtype).itemsize
    total = sum((2 * real + 8) * plan.populations[k].n for k, _ in coupled_variables(plan))
    drawing = 0
    for it in (plan.projections[k] for k in coupled_numbers(plan)):
        synapses, (low, high) = own_synapses(layout, it), layout.bounds(it.target)
        source = np.dtype(index_type(plan.populations[it.source].n)).itemsize
        total += synapses * (source + (0 if it.constant_weight else real)) + 16 * (high - low + 1)
        drawing = max(drawing, synapses * _SORTING + drawing_bytes(layout, it))
    return total + drawing


class Couplings:
    """All couplings of a network. populations: their arrays, whose coupled inputs are made here."""

    def __init__(self, device: Device, plan: Plan, layout: Layout, source: CouplingSource,
                 populations: Sequence[PopulationArrays]) -> None:
        self.device, self.plan, self.layout, self.source, self.populations = device, plan, layout, source, populations
        self.packed = {k: pack_targets(device, plan, layout, plan.projections[k]) for k in coupled_numbers(plan)}
        xp, self.done = device.xp, 0
        self.published = {key: xp.zeros((2, plan.populations[key[0]].n), plan.dtype) for key in source.variables}
        self.offsets = {key: self._offset(*key) for key in source.variables}
        self.sums = {key: xp.zeros(populations[key[0]].n, np.int64) for key in source.together}
        # Of each device, the step in which it found something wrong.
        self.diverged = xp.zeros(layout.slices.parts // len(layout.own), np.uint32)
        for (k, drive), numbers in source.together.items():
            quantum = coupling_of(plan.projections[numbers[0]]).quantum
            populations[k].entries["drive", drive, "sums"] = self._address(self.sums[k, drive])
            populations[k].entries["drive", drive, "quantum"] = _bits(quantum)

    def _offset(self, k: int, variable: str) -> Any:
        """What stored numbers lie below the values of own units, float64 [1] or [units]. -0.0 changes no number."""
        offset, own = self.plan.populations[k].offsets.get(variable, -0.0), slice(*self.layout.bounds(k))
        return self.device.upload(np.array(offset[own] if np.ndim(offset) else offset, np.float64, ndmin=1))

    def _address(self, array: Any) -> int:
        return self.device.address(array) if array.size else 0

    # --- the table ---------------------------------------------------------------------------------------------------

    def entries(self) -> dict[str, np.ndarray]:
        """The sections of the table, int64."""
        if not self.packed:
            return {}
        own = self.layout.own
        sections = {"DIVERGED": [self._address(self.diverged), self.diverged.size, own.start // len(own)],
                    "SUMS": [self._address(sums) for sums in self.sums.values()]}
        sections |= {f"VARIABLE{n}": self._variable(*key) for n, key in enumerate(self.source.variables)}
        sections |= {f"COUPLING{k}": self._projection(k) for k in self.packed}
        return {name: np.array(values, np.int64) for name, values in sections.items()}

    def _variable(self, k: int, variable: str) -> list[int]:
        """As ``VARIABLE`` of coupling_source says."""
        arrays = self.published[k, variable], self.populations[k].states[variable], self.offsets[k, variable]
        each = np.ndim(self.plan.populations[k].offsets.get(variable, 0.0))
        return [*map(self._address, arrays), each]

    def _projection(self, number: int) -> list[int]:
        """As ``PROJECTION`` of coupling_source says, then the parameters."""
        packed, rule, real = self.packed[number], coupling_of(self.plan.projections[number]), self.plan.dtype
        scalars = np.array([rule.params[name] for name in self.source.functions[number].scalars], real)
        words = np.zeros(-(-scalars.nbytes // 8), np.int64)
        words.view(np.uint8)[: scalars.nbytes] = scalars.view(np.uint8)
        return [*map(self._address, (packed.rows, packed.sources, packed.weights)), _bits(1 / rule.quantum),
                _bits(float(real(rule.limit))), *words.tolist()]

    # --- a call ------------------------------------------------------------------------------------------------------

    def open(self, done: int) -> None:
        """Nothing has been wrong until step `done`, from which a call goes on."""
        self.done = done
        self.diverged[...] = (done + _NEVER) % (1 << 32)

    @property
    def fault(self) -> float:
        """The step in which a coupling first added more than it may; infinite where none did."""
        if not self.packed:
            return math.inf
        after = min((int(step) - self.done) % (1 << 32) for step in self.device.download(self.diverged))
        return math.inf if after == _NEVER else self.done + after

    def table(self, number: int) -> dict[str, np.ndarray]:
        """source, target and weight of all synapses of a projection onto own units, on the host."""
        packed, (low, high) = self.packed[number], self.layout.bounds(self.plan.projections[number].target)
        rows, sources, weights = map(self.device.download, (packed.rows, packed.sources, packed.weights))
        return {"source": sources, "target": np.repeat(np.arange(low, high), np.diff(rows)),
                "weight": np.broadcast_to(weights, sources.shape)}

    def values(self, number: int, step: int) -> list[np.ndarray]:
        """The variable of a projection's sources and that of its targets after a step, on the host."""
        it = self.plan.projections[number]
        keys = [(k, coupling_of(it).variable) for k in (it.source, it.target)]
        return [self.device.download(self.published[key])[step & 1] for key in keys]

    # --- sizes -------------------------------------------------------------------------------------------------------

    @property
    def synapses(self) -> int:
        """How many there are."""
        return sum(int(packed.sources.size) for packed in self.packed.values())

    def memory(self) -> int:
        """Bytes of synapses."""
        return sum(int(array.nbytes) for it in self.packed.values() for array in (it.rows, it.sources, it.weights))

    def labels(self) -> list[str]:
        """What is stored in this way, for ``facts``."""
        return [f"coupled: {self.plan.projections[k].label}" for k in self.packed]


def fail(members: Sequence[Couplings], step: int) -> NoReturn:
    """``NumericalError`` that names the first synapse, on one or more devices, that added too much in `step`.

    All blocks stopped before they wrote over what that step began with: the same is computed once more.
    """
    plan = members[0].plan
    for number in members[0].packed:
        tables = [member.table(number) for member in members]
        table = {name: np.concatenate([each[name] for each in tables]) for name in tables[0]}
        added(plan, plan.projections[number], step, table, *members[0].values(number, step - 1))
    raise AssertionError(f"a coupling was wrong in step {step} on the device, and on the host it is not")


def _bits(value: float) -> int:
    """A float64 as an entry of the table."""
    return int(np.float64(value).view(np.int64))
