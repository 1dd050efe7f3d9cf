"""What plastic and learning projections hold, on the host: read from the devices of a network, and set on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from snnsim.backends.cupy.learning import LearningArrays
from snnsim.backends.cupy.plastic import Plastic
from snnsim.backends.cupy.plastic_arrays import PlasticArrays
from snnsim.backends.cupy.plastic_build import ranks
from snnsim.loihi_learning import Learning
from snnsim.plan_rules import SpikeTrace
from snnsim.synapse_rules import kept_of_units


class PlasticState:
    """All plastic projections of a network. members: those of each device, in the order of its parts."""

    def __init__(self, members: Sequence[Plastic]) -> None:
        self.members, self.plan = members, members[0].plan

    def watch(self) -> None:
        """Prepare all devices for what is recorded of weights."""
        found = {k: self._ranks(k) for k in dict.fromkeys(request.projection for request in self.plan.weights)}
        for n, member in enumerate(self.members):
            with member.device.current():
                member.watch({k: each[n] for k, each in found.items()})

    def _each(self, number: int, name: str) -> list[np.ndarray]:
        """An array of a projection, of each device."""
        return [member.download(number, name) for member in self.members]

    def _column(self, number: int, name: str) -> np.ndarray:
        """Of all synapses, as they lie on the devices."""
        return np.concatenate(self._each(number, name))

    # --- synapses ----------------------------------------------------------------------------------------------------

    def _rows(self, number: int) -> np.ndarray:
        """Of all parts: as of one device, because targets rise from one to the next."""
        return self._column(number, "rows")

    def _ranks(self, number: int) -> list[list[np.ndarray]]:
        """For each device and part, the numbers of its synapses in the order of ``snnsim.plastic``."""
        parts = iter(ranks(self._rows(number)))
        return [list(islice(parts, len(member.layout.own))) for member in self.members]

    def _rank(self, number: int) -> np.ndarray:
        """The same of all synapses, as they lie on the devices."""
        return np.concatenate(ranks(self._rows(number)))

    def synapses_of(self, number: int) -> dict[str, np.ndarray]:
        """source, target, delay and w; see ``snnsim.engine``."""
        rank, it = self._rank(number), self.plan.projections[number]
        ends = {"source": _in_order(rank, self._sources(number)), "target": _in_order(rank, self._targets(number))}
        if it.learning is not None:
            delay, states = np.full(rank.size, it.delays[0]), self._whole(number, it.learning)
        else:
            delay = _in_order(rank, self._column(number, "delays").astype(np.int64) + it.delays[0])
            states = self._states(number, ("w",))
        return {**ends, "delay": delay, **states}

    def _sources(self, number: int) -> np.ndarray:
        rows = self._rows(number).astype(np.int64)
        return np.repeat(np.tile(np.arange(rows.shape[1] - 1), rows.shape[0]), np.diff(rows, axis=1).reshape(-1))

    def _targets(self, number: int) -> np.ndarray:
        own = zip(self.members, self._each(number, "targets"), strict=True)
        return np.concatenate([targets.astype(np.int64) + member.arrays[number].low for member, targets in own])

    def _states(self, number: int, names: Sequence[str]) -> dict[str, np.ndarray]:
        """What changes of the synapses."""
        rank = self._rank(number)
        return {name: _in_order(rank, self._column(number, f"state_{name}")) for name in names}

    def _whole(self, number: int, rule: Learning) -> dict[str, np.ndarray]:
        """The same of those that learn on Loihi."""
        return {name: values.astype(np.int64) for name, values in self._states(number, rule.states).items()}

    # --- state -------------------------------------------------------------------------------------------------------

    def get(self, number: int, done: int) -> dict[str, np.ndarray]:
        """See ``Engine.plasticity``."""
        arrays = self.members[0].arrays[number]
        if isinstance(arrays, LearningArrays):
            return self._learned(number, arrays, done)
        values = self._states(number, ("w", *arrays.rule.states))
        values["last"] = self._shown(number, "last", done)
        values["arrivals"] = self._of_targets(number, "ring", arrays.ahead(done)).astype(np.int64)
        for trace in arrays.rule.traces:
            values |= self._trace(number, arrays, trace, done)
        if outputs := [out for member in self.members if (out := member.downloaded_output(number)) is not None]:
            values["modulator"] = np.concatenate(outputs)
        return values

    def _learned(self, number: int, arrays: LearningArrays, done: int) -> dict[str, np.ndarray]:
        """Of a learning projection, all whole numbers."""
        source, units = self.plan.projections[number].source, dict[str, np.ndarray]()
        for name, public in kept_of_units(arrays.rule, "pre").items():
            each = zip(self.members, self._each(number, name), strict=True)
            units[public] = np.concatenate([all_[slice(*member.layout.bounds(source))] for member, all_ in each])
        for name, public in kept_of_units(arrays.rule, "post").items():
            units[public] = self._column(number, name)
        units["arrivals"] = self._of_targets(number, "ring", arrays.ahead(done))
        return self._whole(number, arrays.rule) | {name: values.astype(np.int64) for name, values in units.items()}

    def _trace(self, number: int, arrays: PlasticArrays, trace: SpikeTrace, done: int) -> dict[str, np.ndarray]:
        if trace.on == "post":
            rows = arrays.behind(done)
            return {f"trace.{trace.name}.{side}": self._of_targets(number, f"{side}_{trace.name}", rows)
                    for side in ("before", "after")}
        if trace.on == "pre":
            return {f"trace.{trace.name}": self._shown(number, f"trace_{trace.name}", done)}
        return {f"trace.{trace.name}": self.members[0].download(number, f"trace_{trace.name}")[:1, done & 1]}

    def _shown(self, number: int, name: str, done: int) -> np.ndarray:
        """What sources show in a step, each from the device that owns it."""
        source = self.plan.projections[number].source
        rings = zip(self.members, self._each(number, name), strict=True)
        return np.concatenate([ring[done % ring.shape[0], slice(*member.layout.bounds(source))]
                               for member, ring in rings])

    def _of_targets(self, number: int, name: str, rows: np.ndarray) -> np.ndarray:
        """Some rows of a ring."""
        return np.concatenate([ring[rows] for ring in self._each(number, name)], axis=1)

    def set(self, number: int, done: int, values: Mapping[str, np.ndarray]) -> None:
        """See ``Engine.set_plasticity``."""
        for member, rank in zip(self.members, self._ranks(number), strict=True):
            with member.device.current():
                member.set(number, np.concatenate(rank), done, values)


def _in_order(rank: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A column of synapses, in the order of their numbers."""
    out = np.empty_like(values)
    out[rank] = values
    return out
