"""A learning projection of an engine: its synapses for each thread, and what of it changes as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snnsim.backends.cpu.build import Places
from snnsim.backends.cpu.draw import fast_words
from snnsim.backends.cpu.learning_loops import LearningShape
from snnsim.backends.cpu.plastic_build import in_places, index_type, padded, sorted_by
from snnsim.backends.cpu.plastic_columns import Columns
from snnsim.plan import Plan, Projection
from snnsim.synapse_rules import kept_of_units, learned, learning_columns, learning_of

_DEPTH = 2   # rows of the ring: what arrives now, and in the next step


def learning_shape(projection: Projection) -> LearningShape:
    """What decides the text of its loops."""
    _, fixed = learning_of(projection)
    return LearningShape(is_dense(projection), max(0, fixed.weight_exp), fixed.range)


def is_dense(projection: Projection) -> bool:
    """Whether every source reaches every target once: rows then need no list of targets."""
    return projection.bound.rule.name == "all_to_all" and not projection.bound.skip_self


class LearningSynapses:
    """One learning projection. of: reads and writes what all threads have. sums: type of the sums of arrivals."""

    def __init__(self, of: Columns, number: int, places: Places, sums: Any) -> None:
        self.of, self.number, self.places, self.sums = of, number, places, sums
        self.it = of.plan.projections[number]
        self.rule, _ = learning_of(self.it)
        self.source, self.target = of.plan.populations[self.it.source], of.plan.populations[self.it.target]

    # --- making ------------------------------------------------------------------------------------------------------

    def add(self, part: dict[str, Any], thread: int, number: int) -> None:
        """Put the data of a thread into its part."""
        low, high = self.of.slices.bounds(self.it.target, thread)
        values = {**self._synapses(low, high), **self._units("pre", self.source.n), **self._units("post", high - low),
                  **self._ends(low, high)}
        values["acc"] = in_places(part, self.places, thread, self.it, high - low, self.sums)
        part.update({f"x{number}_{name}": value for name, value in values.items()})

    def _synapses(self, low: int, high: int) -> dict[str, np.ndarray]:
        if is_dense(self.it):
            return dense_rows(self.it, self.source.n, low, high)
        return sparse_rows(self.it, self.source.n, low, high)

    def _units(self, side: str, n: int) -> dict[str, Any]:
        """Traces of the units of one side, and when they spiked in this epoch."""
        values: dict[str, Any] = {f"last_{side}": np.zeros(n, np.uint8)}
        for name in self.rule.pre if side == "pre" else self.rule.post:
            (whole, fraction), (impulse, part) = self.rule.decay(name), self.rule.impulse(name)
            values |= {f"trace_{name}": np.zeros(n, np.uint8), f"decay_{name}": whole, f"fraction_{name}": fraction,
                       f"impulse_{name}": impulse, f"part_{name}": part}
            if self.rule.t_epoch > 1:
                past = np.zeros((self.rule.t_epoch + 1) * n, np.uint8)
                values |= {f"past_{name}": past, f"own_{name}": np.zeros(n, np.uint8)}
        return values

    def _ends(self, low: int, high: int) -> dict[str, Any]:
        n = high - low
        return {"n_source": self.source.n, "first_source": self.source.first, "n_target": n,
                "first_target": self.target.first + low, "depth": _DEPTH, "ring": np.zeros(_DEPTH * n, self.sums),
                "posts": np.zeros(n + 1, np.uint32), "sign": 1.0, "fault": np.zeros(3, np.int64),
                "epoch": self.rule.t_epoch, "every": self.rule.rules.every}

    # --- a call ------------------------------------------------------------------------------------------------------

    def open(self, done: int, steps: int) -> None:
        """Draw the random numbers of the steps ahead."""
        drawn = self.rule.draws(done + 1, max(1, steps))._asdict()
        for part in self.of.parts:
            part.update({f"x{self.number}_{name}": np.ascontiguousarray(values) for name, values in drawn.items()})
            part[f"x{self.number}_drawn_from"] = done + 1

    # --- state -------------------------------------------------------------------------------------------------------

    def synapses(self) -> dict[str, np.ndarray]:
        """source, target, delay, w and the tags that matter; see ``snnsim.engine``."""
        table = self.of.table(self.number, lambda part, where: self.targets(part, np.arange(where.start, where.stop)),
                              lambda part, where: np.ones(where.stop - where.start, np.int64))
        return table | {name: np.asarray(column) for name, column in self._states(for_all=True).items()}

    def targets(self, part: int, at: np.ndarray) -> np.ndarray:
        """The targets of some synapses of a part, counted from its first one."""
        own = self.of.parts[part]
        if is_dense(self.it):
            return at % max(1, own[f"x{self.number}_n_target"])
        return own[f"x{self.number}_targets"][at].astype(np.int64)

    def _states(self, for_all: bool = False) -> dict[str, Any]:
        order = self.of.order(self.number)
        return {name: self.of.column(self.number, f"state_{name}", order, np.int64, for_all)
                for name in self.rule.states}

    def get(self, done: int) -> dict[str, Any]:
        """See ``Engine.plasticity``."""
        pre, post = (kept_of_units(self.rule, side) for side in ("pre", "post"))
        values = {public: self.of.parts[0][f"x{self.number}_{name}"] for name, public in pre.items()}
        values |= {public: self.of.of_units(f"x{self.number}_{name}") for name, public in post.items()}
        values["arrivals"] = self.of.rows(self.number, "ring", *self.of.ahead(self.number, done))
        return self._states() | {name: array.astype(np.int64) for name, array in values.items()}

    def set(self, done: int, values: Mapping[str, Any]) -> None:
        """See ``Engine.set_plasticity``."""
        order = self.of.order(self.number)
        for name in self.rule.states:
            self.of.set_column(self.number, f"state_{name}", order, values[name])
        for thread, part in enumerate(self.of.parts):
            own = slice(*self.of.slices.bounds(self.it.target, thread))
            for name, public in kept_of_units(self.rule, "pre").items():
                part[f"x{self.number}_{name}"][...] = values[public]
            for name, public in kept_of_units(self.rule, "post").items():
                part[f"x{self.number}_{name}"][...] = values[public][own]
        self.of.set_rows(self.number, "ring", *self.of.ahead(self.number, done), values["arrivals"])


# --- packing ---------------------------------------------------------------------------------------------------------

def dense_rows(projection: Projection, n_source: int, low: int, high: int) -> dict[str, np.ndarray]:
    """Rows of all targets [low, high), whose places say where they are."""
    rule, n = learning_of(projection)[0], high - low
    states = {name: np.zeros(n_source * n, np.int16) for name in rule.states}
    for block in projection.bound.blocks(low, high, fast_words):
        place = block.source.astype(np.int64) * n + (block.target - low)
        for name, values in learned(projection, block, fast_words).items():
            states[name][place] = values
    none = np.zeros(0, np.uint16)
    return {"rows": np.arange(n_source + 1, dtype=np.int64) * n, "targets": none, "delays": none,
            **{f"state_{name}": values for name, values in states.items()}}


def sparse_rows(projection: Projection, n_source: int, low: int, high: int) -> dict[str, np.ndarray]:
    """Rows by source, in the canonical order, and columns by target that point into them."""
    drawn = _drawn(projection, n_source, low, high)
    order = np.arange(drawn["source"].size, dtype=np.uint32 if drawn["source"].size < 1 << 32 else np.int64)
    order, _ = sorted_by(drawn["target"], order, high - low)
    order, rows = sorted_by(drawn["source"], order, n_source)
    source, target = drawn.pop("source")[order], drawn.pop("target")[order]
    positions, columns = sorted_by(target, np.arange(order.size, dtype=order.dtype), high - low)
    return {"rows": rows, "targets": padded(target), "delays": np.zeros(0, np.uint16), "columns": columns,
            "positions": padded(positions), "sources": source[positions],
            **{f"state_{name}": values[order] for name, values in drawn.items()}}


def _drawn(projection: Projection, n_source: int, low: int, high: int) -> dict[str, np.ndarray]:
    """Source, target and states of all synapses as drawn."""
    kinds = {"source": index_type(n_source), "target": index_type(high - low),
             **dict.fromkeys(learning_of(projection)[0].states, np.int16)}
    return learning_columns(projection, low, high, kinds, fast_words)


def learning_memory(plan: Plan) -> int:
    """Bytes of all learning projections, an upper estimate, with what packing takes."""
    return sum(_memory(plan, p) for p in plan.projections if p.learning is not None)


def _memory(plan: Plan, projection: Projection) -> int:
    source, target = plan.populations[projection.source].n, plan.populations[projection.target].n
    rule, _ = learning_of(projection)
    each = 3 * 2 * len(rule.states) + 8 * len(rule.states)
    each += 0 if is_dense(projection) else 24 + 8 * len(rule.states)
    return projection.bound.synapses * each + (source + target) * (32 + (rule.t_epoch + 4) * len(rule.traces))
