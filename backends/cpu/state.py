"""What of an engine changes: read, set, saved and gone back to, as a whole over threads and processes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np

from snnsim.backends.cpu.build import Bundle
from snnsim.backends.cpu.parts import Part
from snnsim.backends.cpu.plastic import Plastic
from snnsim.backends.cpu.population_driver import argument_name
from snnsim.backends.cpu.spikes import SpikeLists
from snnsim.engine import Spikes
from snnsim.errors import InputError
from snnsim.ir.printing import Update
from snnsim.plan import Plan
from snnsim.slices import Slices
from snnsim.world import World


class State:
    """The part of an engine that its steps change; see ``snnsim.engine``. done: steps done; parts: by thread."""

    plan: Plan
    world: World
    slices: Slices
    done: int
    pool: Executor
    parts: list[Part]
    updates: list[Update]
    bundles: list[Bundle]
    spikes: SpikeLists
    plastic: Plastic

    def _changing(self) -> list[str]:
        names = {argument_name(k, "state", s) for k, p in enumerate(self.plan.populations) for s in p.program.states}
        names |= {argument_name(k, *argument) for k, u in enumerate(self.updates) for argument in u.arguments
                  if argument[0] == "output"}
        names |= {f"b{k}_ring" for k, b in enumerate(self.bundles) if b.kind == "ring"}
        names |= {"acc", "marker", "sent", *self.plastic.changing()}
        return sorted(names)

    def snapshot(self) -> Any:
        """All that changes, for going back."""
        names = self._changing()
        parts = list(self.pool.map(lambda part: {name: part[name].copy() for name in names}, self.parts))
        return self.done, self.spikes.latest(self.done, self.spikes.kept), parts

    def restore(self, saved: Any) -> None:
        """Go back to where ``snapshot`` was taken."""
        self.done, history, parts = saved
        self.spikes.put(self.done, *history)
        for part, values in zip(self.parts, parts, strict=True):
            for name, array in values.items():
                part[name][...] = array

    def get(self, population: int, state: str) -> np.ndarray:
        """A copy of a state, [n]."""
        return self.world.share(self.own(population, state)[1])

    def own(self, population: int, state: str) -> tuple[int, np.ndarray]:
        """See ``snnsim.engine``."""
        own = np.concatenate([part[argument_name(population, "state", state)] for part in self.parts])
        return self.slices.own(population)[0], own

    def set(self, population: int, state: str, values: np.ndarray) -> None:
        """Overwrite a state, [n]."""
        for t, part in enumerate(self.parts):
            low, high = self.slices.bounds(population, t)
            place = part[argument_name(population, "state", state)]
            most = np.iinfo(place.dtype).max if place.dtype.kind == "u" else np.inf
            if place.dtype.kind == "u" and values.size and (values.min() < 0 or values.max() > most):
                found = f"{values.min():g} to {values.max():g}"
                raise InputError(f"{state}: expected counts from 0 to {most}, found {found}")
            place[...] = values[low:high]

    def history(self) -> Spikes:
        """Spikes of the last ``plan.max_delay`` steps."""
        return self.spikes.latest(self.done, self.plan.max_delay)

    def load(self, done: int, step: np.ndarray, unit: np.ndarray, payload: np.ndarray | None = None) -> None:
        """Go on after step `done`; see ``snnsim.engine``."""
        self.done = done
        self.spikes.put(done, step, unit, payload)
        self.plastic.begin(done)
        for part in self.parts:
            part["marker"][0] = np.searchsorted(part["schedule_step"], done, side="right")
            part["sent"][0] = done
            for k, bundle in enumerate(self.bundles):
                if bundle.kind == "ring":
                    self._refill(part, f"b{k}", step, unit, payload if bundle.graded else None)

    def plasticity(self, projection: int) -> dict[str, np.ndarray]:
        """Everything that changes in a plastic projection; see ``snnsim.engine``."""
        return self.plastic.get(projection, self.done)

    def set_plasticity(self, projection: int, done: int, values: Mapping[str, np.ndarray]) -> None:
        """The opposite."""
        self.plastic.set(projection, done, values)

    def synapses_of(self, projection: int) -> dict[str, np.ndarray]:
        """source, target, delay and w; see ``snnsim.engine``."""
        return self.plastic.synapses_of(projection)

    def ends_of(self, projection: int, synapses: np.ndarray | range) -> tuple[np.ndarray, np.ndarray]:
        """Source and target of some; see ``snnsim.engine``."""
        return self.plastic.ends_of(projection, synapses)

    def _refill(self, part: Part, name: str, step: np.ndarray, unit: np.ndarray, factor: np.ndarray | None) -> None:
        """What spikes under way will do after step `done`, put back into a ring."""
        ring, rows = part[f"{name}_ring"], part[f"{name}_rows"]
        ring[...] = 0
        for then, source, times in zip(step, unit, np.ones_like(unit) if factor is None else factor, strict=True):
            synapses = slice(int(rows[source]), int(rows[source + 1]))
            when = then + part[f"{name}_delays"][synapses].astype(np.int64)
            ahead = when > self.done
            places = part[f"{name}_targets"][synapses][ahead]
            weights = np.broadcast_to(part[f"{name}_weights"][synapses], when.shape)[ahead]
            np.add.at(ring, (when[ahead] % ring.shape[0], places), (weights * times).astype(ring.dtype))
