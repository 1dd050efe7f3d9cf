"""The arrays and numbers of one plastic projection on a device, by the names that its rule uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from snnsim.backends.cupy.arrays import PopulationArrays
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.plastic_build import PackedRows, pack_rows
from snnsim.backends.cupy.plastic_source import modulating_variable
from snnsim.backends.cupy.projection_arrays import ProjectionArrays
from snnsim.engine import NEVER
from snnsim.ir import Op
from snnsim.plan import Plan
from snnsim.synapse_rules import Delays, rule_of

NO_FAULT = (0, -1)      # its step, and a key that is larger than any


class PlasticArrays(ProjectionArrays):
    """Those of a plastic projection.

    populations: their arrays; source_rows: where the units of each word begin among the sources, as ``row_of_word``.
    """

    kept: ClassVar[tuple[str, ...]] = ("state_", "trace_", "before_", "after_", "last", "ring", "variable")

    def __init__(self, device: Device, plan: Plan, layout: Layout, number: int,
                 populations: Sequence[PopulationArrays], source_rows: Any) -> None:
        super().__init__(device, plan, layout, number)
        self.rule, self.delays = rule_of(self.it), Delays.of(plan, self.it)
        self.depth = self.delays.depth
        self.packed = pack_rows(device, plan, layout, self.it)
        # Sources show the end of the epoch before last, the last epoch and this one; targets are seen late.
        self.shown, self.seen = rows_for(2 * layout.epoch + 1), rows_for(layout.epoch + self.delays.depth)
        self.values: dict[str, Any] = {"source_rows": source_rows, **self._synapses(self.packed), **self._sizes(),
                                       **self._numbers(), **self._traces(), **self._modulator(populations)}

    def _synapses(self, packed: PackedRows) -> dict[str, Any]:
        xp, rule = self.device.xp, self.rule
        states = {f"state_{name}": xp.full(packed.w.size, value, self.plan.dtype)
                  for name, value in rule.states.items()}
        return {"base": self.device.upload(packed.base.astype(np.int64)), "rows": packed.rows,
                "targets": packed.targets, "delays": packed.delays, "columns": packed.columns,
                "positions": packed.positions, "sources": packed.sources, "state_w": packed.w, **states}

    def _sizes(self) -> dict[str, Any]:
        xp, it, rule, parts = self.device.xp, self.it, self.rule, len(self.layout.own)
        late = any("since_pre" in program.uses(Op.DRIVE) for program in rule.programs.values())
        last_rows, depth = self.shown if late else 1, rows_for(self.delays.depth)
        sums = np.int64 if self.layout.wide else np.int32
        fault = np.tile(np.array(NO_FAULT, np.int64), (parts, 1))
        return {"source": it.source, "target": it.target, "n_source": self.n_source, "n_target": self.n_target,
                "shown": self.shown - 1, "last_shown": last_rows - 1, "seen": self.seen - 1, "under_way": depth - 1,
                "axonal": rule.axonal, "low": self.delays.low,
                "delay_count": self.delays.count, "groups": self.delays.groups, "interval": rule.interval,
                "lanes": self.lanes(self.packed.w.size), "place": self.place,
                "ring": xp.zeros((depth, self.n_target), sums),
                "last": xp.full((last_rows, self.n_source), NEVER, np.int64),
                "fault": self.device.upload(fault), "found": xp.zeros(parts, self.plan.dtype),
                "sums": xp.zeros(self.n_target if rule.interval else 0, np.int64)}

    def _numbers(self) -> dict[str, float]:
        real, quantum, rule = self.plan.dtype, self.it.quanta[0], self.rule
        params = {f"param_{name}": float(real(value)) for name, value in rule.params.items()}
        traces = {f"{kind}_{trace.name}": float(real(getattr(trace, kind)))
                  for trace in rule.traces for kind in ("decay", "add")}
        return {**params, **traces, "limit": float(real(rule.limit)), "quanta": float(real(rule.sign / quantum)),
                "size": float(real(1 / quantum)), "quantum": float(quantum), "sign": float(rule.sign),
                "dt": float(self.plan.dt)}

    def _traces(self) -> dict[str, Any]:
        """Those of targets before and after the spikes of a step, those of sources after them."""
        xp, found = self.device.xp, dict[str, Any]()
        shapes = {"pre": (self.shown, self.n_source), "modulator": (len(self.layout.own), 2)}
        for trace in self.rule.traces:
            if trace.on == "post":
                found |= {f"{side}_{trace.name}": xp.zeros((self.seen, self.n_target), self.plan.dtype)
                          for side in ("before", "after")}
            else:
                found[f"trace_{trace.name}"] = xp.zeros(shapes[trace.on], self.plan.dtype)
        return found

    def _modulator(self, populations: Sequence[PopulationArrays]) -> dict[str, Any]:
        modulator = self.rule.modulator
        if modulator is None:
            return {}
        k, layout = modulator.population, self.layout
        found = {"modulator": k, "modulator_words": layout.end_word(k) - layout.first_word[k],
                 "modulator_delay": modulator.delay}
        if modulator.variable is None:
            return found
        population, (low, high) = self.plan.populations[k], layout.bounds(k)
        # -0.0 changes no number.
        offset = population.offsets.get(modulator.variable, -0.0)
        own = np.array(offset[low:high] if np.ndim(offset) else offset, np.float64, ndmin=1)
        return {**found, "variable": self.device.xp.zeros((self.shown, population.n), self.plan.dtype),
                "variable_n": population.n, "variable_stored": self.stored(populations),
                "offset": self.device.upload(own), "offset_each": int(np.ndim(offset))}

    def stored(self, populations: Sequence[PopulationArrays]) -> Any:
        """The array of the modulating variable."""
        found = modulating_variable(self.plan, self.number)
        assert found is not None
        k, name = found
        return populations[k].states[name] if name in populations[k].states else populations[k].outputs[name]

    def open(self, done: int, steps: int) -> None:
        """Forget earlier faults."""
        self.values["fault"][...] = self.device.upload(np.array(NO_FAULT, np.int64))

    def shown_in(self, step: int) -> list[tuple[Any, int]]:
        """A row for each ring of ``published``."""
        rings = [(self.values[name], population) for name, population in self.published.items()]
        return [(ring[step % ring.shape[0]], population) for ring, population in rings]

    @property
    def published(self) -> dict[str, int]:
        """The rings in which units show other parts what they did in each step, and the population of these units."""
        found = {f"trace_{trace.name}": self.it.source for trace in self.rule.traces if trace.on == "pre"}
        if self.values["last_shown"]:
            found["last"] = self.it.source
        if self.values.get("variable_n") == 1:     # of many units, each target reads its own
            found["variable"] = self.values["modulator"]
        return found

    def behind(self, done: int) -> np.ndarray:
        """Rows of the traces of targets in the steps until `done`, the latest first."""
        return (done - np.arange(self.delays.depth)) % self.seen


def rows_for(steps: int) -> int:
    """Rows of a ring that holds so many steps: a power of two."""
    return 1 << (steps - 1).bit_length()
