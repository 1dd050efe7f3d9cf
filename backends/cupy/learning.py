"""The arrays and numbers of one learning projection of Loihi on a device, by the names that its rule uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from snnsim.backends.cupy.build import own_synapses
from snnsim.backends.cupy.coupling_source import index_type
from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.draw import host_words
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.projection_arrays import ProjectionArrays
from snnsim.plan import Plan, Projection
from snnsim.synapse_rules import kept_of_units, learning_columns, learning_of

_DRAWN = 1 << 20    # bytes of the random numbers of a call
_COPIES = 3         # of all that changes: itself, and two for going back


class LearningArrays(ProjectionArrays):
    """Those of a learning projection. source_rows: where the units of each word begin among the sources."""

    kept: ClassVar[tuple[str, ...]] = ("state_", "trace_", "last_", "ring")
    depth = 2       # what arrives now, and in the next step

    def __init__(self, device: Device, plan: Plan, layout: Layout, number: int, source_rows: Any) -> None:
        super().__init__(device, plan, layout, number)
        self.rule, self.fixed = learning_of(self.it)
        packed = pack_learning(plan, layout, self.it)
        self.values = {"source_rows": source_rows, **{name: device.upload(array) for name, array in packed.items()},
                       **self._sizes(packed["targets"].size), **self._units("pre", self.n_source),
                       **self._units("post", self.n_target)}

    def _sizes(self, synapses: int) -> dict[str, Any]:
        sums = np.int64 if self.layout.wide else np.int32
        return {"source": self.it.source, "target": self.it.target, "n_source": self.n_source,
                "n_target": self.n_target, "under_way": self.depth - 1, "lanes": self.lanes(synapses),
                "place": self.place, "sign": 1.0, "left": max(0, self.fixed.weight_exp), "epoch": self.rule.t_epoch,
                "every": self.rule.rules.every, "ring": self.device.xp.zeros((self.depth, self.n_target), sums)}

    def _units(self, side: str, n: int) -> dict[str, Any]:
        """Traces of the units of one side and when they spiked in this epoch; what they show of the last two."""
        xp, upload = self.device.xp, self.device.upload
        values = {f"last_{side}": xp.zeros(n, np.uint8), f"shown_{side}": xp.zeros((2, n), np.uint8)}
        for name in self.rule.pre if side == "pre" else self.rule.post:
            (whole, fraction), (impulse, part) = self.rule.decay(name), self.rule.impulse(name)
            values |= {f"trace_{name}": xp.zeros(n, np.uint8), f"decay_{name}": upload(whole),
                       f"fraction_{name}": upload(fraction), f"impulse_{name}": impulse, f"part_{name}": part,
                       f"past_{name}": xp.zeros((2, self.rule.t_epoch + 1, n), np.uint8)}
        return values

    # --- a call ------------------------------------------------------------------------------------------------------

    def open(self, done: int, steps: int) -> None:
        """Draw the random numbers of the steps ahead."""
        drawn = self.rule.draws(done + 1, max(1, steps))._asdict()
        self.values |= {name: self.device.upload(values) for name, values in drawn.items()} | {"drawn_from": done + 1}

    def shown_in(self, step: int) -> list[tuple[Any, int]]:
        """At the end of an epoch, when sources spiked last, and their traces in each of its steps."""
        if step % self.rule.t_epoch:
            return []
        turn = step // self.rule.t_epoch % 2
        past = [self.values[f"past_{name}"][turn] for name in self.rule.pre]
        rows = [self.values["shown_pre"][turn], *(each[k] for each in past for k in range(self.rule.t_epoch + 1))]
        return [(row, self.it.source) for row in rows]

    # --- state -------------------------------------------------------------------------------------------------------

    def set(self, rank: np.ndarray, done: int, values: Mapping[str, np.ndarray]) -> None:
        """See ``Engine.set_plasticity``. rank: the numbers of the synapses as they lie here."""
        own = slice(self.low, self.high)
        changed = {f"state_{name}": values[name][rank] for name in self.rule.states}
        for side, mine in (("pre", slice(None)), ("post", own)):
            changed |= {name: values[public][mine] for name, public in kept_of_units(self.rule, side).items()}
        changed["ring"] = np.zeros((self.depth, self.n_target), np.int64)
        changed["ring"][self.ahead(done)] = values["arrivals"][:, own]
        for name, array in changed.items():
            place = self.values[name]
            place[...] = self.device.upload(np.ascontiguousarray(array, place.dtype))


# --- packing ---------------------------------------------------------------------------------------------------------

def pack_learning(plan: Plan, layout: Layout, projection: Projection) -> dict[str, np.ndarray]:
    """The synapses of a projection, drawn on the host and sorted by (part, source, target, order of drawing).

    base: int64 [parts + 1], where those of each part begin; rows: uint32 [parts, sources + 1], where those of each
    source begin within the part; targets: own ones from the first; state_<name>: int16.
    """
    (low, high), n_source = layout.bounds(projection.target), plan.populations[projection.source].n
    cuts = layout.slices.cuts[projection.target][layout.own.start : layout.own.stop + 1] - low
    states = learning_of(projection)[0].states
    kinds = {"source": np.uint32, "target": np.uint32, **dict.fromkeys(states, np.int16)}
    drawn = learning_columns(projection, low, high, kinds, host_words())
    part = np.searchsorted(cuts[1:], drawn["target"], side="right")
    order = np.lexsort((drawn["target"], drawn["source"], part))
    counts = np.bincount(part * n_source + drawn["source"], minlength=len(layout.own) * n_source)
    rows = np.zeros((len(layout.own), n_source + 1), np.int64)
    rows[:, 1:] = np.cumsum(counts.reshape(len(layout.own), n_source), axis=1)
    return {"base": np.concatenate([[0], np.cumsum(rows[:, -1])]), "rows": rows.astype(np.uint32),
            "targets": drawn["target"][order].astype(index_type(high - low)),
            **{f"state_{name}": drawn[name][order] for name in states}}


def learning_bytes(plan: Plan, layout: Layout) -> int:
    """Bytes of the device that learning projections take, an upper estimate."""
    return sum(_bytes(plan, layout, p) for p in plan.projections if p.learning is not None)


def _bytes(plan: Plan, layout: Layout, projection: Projection) -> int:
    rule, (low, high) = learning_of(projection)[0], layout.bounds(projection.target)
    n_source, n_target = plan.populations[projection.source].n, high - low
    synapses = own_synapses(layout, projection) * (4 + 2 * _COPIES * len(rule.states))
    shown = 2 * (rule.t_epoch + 2) * (len(rule.pre) * n_source + len(rule.post) * n_target)
    units = (n_source + n_target) * (2 + _COPIES * (1 + len(rule.traces))) + 16 * _COPIES * n_target
    rows = 4 * len(layout.own) * (n_source + 2) + 4 * layout.all_words
    return synapses + shown + units + rows + _DRAWN
