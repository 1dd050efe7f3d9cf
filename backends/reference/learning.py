"""The meaning of Loihi's learning synapses: what their rules do in each step, for all synapses at once.

The order of things is that of Lava 0.10: spikes are weighted with the weights before the epoch's change; spikes of both
sides count in the step in which they are emitted; what a second spike within an epoch adds comes before its decay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snnsim.backends.reference.plasticity import Arrays, Events
from snnsim.loihi_learning import FRACTION_BITS, HIGHEST_SUM, LOWEST_SUM, MOST_TRACE, TAGS, Draws, Learning
from snnsim.loihi_rules import VARIABLES, Factor, Product
from snnsim.plan import Plan
from snnsim.plastic import Sent, canonical_order
from snnsim.synapse_rules import learned


class LearningProjection:
    """Synapses of one projection in canonical order, with everything that changes in them, all whole numbers."""

    def __init__(self, plan: Plan, number: int) -> None:
        self.plan, self.it, self.dtype = plan, plan.projections[number], plan.dtype
        assert self.it.learning is not None and self.it.fixed is not None
        self.rule: Learning = self.it.learning
        self.fixed = self.it.fixed
        self.n = {"pre": plan.populations[self.it.source].n, "post": plan.populations[self.it.target].n}
        table = self.it.table(self.n["post"])
        order = canonical_order(table)
        self.source, self.target, self.delay = (table[key][order] for key in ("source", "target", "delay"))
        self.values = {name: values[order] for name, values in self._initial().items()}
        self.traces = {"pre": {name: np.zeros(self.n["pre"], np.int64) for name in self.rule.pre},
                       "post": {name: np.zeros(self.n["post"], np.int64) for name in self.rule.post}}
        # Of the latest spike of each unit in the epoch, 0 where there is none.
        self.moments = {side: np.zeros(n, np.int64) for side, n in self.n.items()}
        self.coming = np.zeros(self.n["post"], np.int64)
        self.bounds = {"w": self.fixed.range, **TAGS}

    def _initial(self) -> Arrays:
        """What changes of each synapse, as drawn."""
        blocks = [(len(block.source), learned(self.it, block)) for block in self.it.bound.blocks()]
        columns = {name: [np.broadcast_to(drawn[name], n) for n, drawn in blocks] for name in self.rule.states}
        return {name: np.concatenate([np.zeros(0), *column]).astype(np.int32) for name, column in columns.items()}

    # --- state -------------------------------------------------------------------------------------------------------

    def state(self, done: int) -> Arrays:
        """Everything that changes, as ``Engine.plasticity`` says."""
        traces = {f"trace.{name}": values for side in self.traces.values() for name, values in side.items()}
        moments = {f"moment.{side}": values for side, values in self.moments.items()}
        found = {**self.values, **traces, **moments, "arrivals": self.coming[None]}
        return {name: values.astype(np.int64) for name, values in found.items()}

    def set_state(self, done: int, values: Mapping[str, np.ndarray]) -> None:
        """Take over what ``state`` gave."""
        self.coming = values["arrivals"][0].copy()
        for name, array in self.values.items():
            array[...] = values[name]
        for side, traces in self.traces.items():
            self.moments[side][...] = values[f"moment.{side}"]
            for name, array in traces.items():
                array[...] = values[f"trace.{name}"]

    def arriving(self, step: int) -> np.ndarray:
        """Sums of weights that arrive in the step to come, [n_target]."""
        return self.coming

    # --- one step ----------------------------------------------------------------------------------------------------

    def step(self, step: int, events: Events) -> Sent:
        """Everything that happens at the synapses in `step`, in order."""
        draws = self.rule.draws(step, 1)
        self._transmit(events.pre)
        self._note("pre", step, events.pre, 0)
        self._note("post", step, events.post(step), int(draws.y_again[0]))
        if step % self.rule.t_epoch == 0:
            self._learn(step, draws)
        return Sent(np.zeros(0, np.int64), np.zeros(0))

    def _transmit(self, count: np.ndarray) -> None:
        self.coming = np.zeros_like(self.coming)
        shift = max(0, self.fixed.weight_exp)
        np.add.at(self.coming, self.target, (self.values["w"].astype(np.int64) << shift) * count[self.source])

    def _note(self, side: str, step: int, count: np.ndarray, draw: int) -> None:
        """When units of one side spike; a second spike of the epoch raises their traces at once."""
        spiked = count > 0
        for name, values in self.traces[side].items():
            again = spiked & (self.moments[side] > 0)
            values[again] = self._raised(name, values[again], draw)
        self.moments[side][spiked] = self.rule.moment(step)

    def _raised(self, name: str, values: np.ndarray, draw: int) -> np.ndarray:
        whole, fraction = self.rule.impulse(name)
        return np.minimum(values + whole + (draw < fraction), MOST_TRACE)

    def _learn(self, step: int, draws: Draws) -> None:
        """The end of an epoch: traces as they were in each of its steps, then all synapses."""
        past = {name: self._course("pre", name, draws.x_decay[0], int(draws.x_impulse[0])) for name in self.rule.pre}
        past |= {name: self._course("post", name, draws.y_decay[0], int(draws.y_impulse[0])) for name in self.rule.post}
        for traces in self.traces.values():
            for name in traces:
                traces[name][...] = past[name][-1]
        when = {"x0": self.moments["pre"][self.source], "y0": self.moments["post"][self.target],
                "u": np.full(self.source.size, self.rule.t_epoch)}
        seen = {name: self._at(past, moment) for name, moment in when.items() if name in self.rule.rules.whens}
        known = {**self.values, **{name: (moment > 0).astype(np.int32) for name, moment in when.items()}}
        known["u"] *= self.rule.chosen(step)
        new = {VARIABLES[name]: self._changed(VARIABLES[name], products, known, seen, int(draws.rounding[0]))
               for name, products in self.rule.rules.products.items()}
        self.values.update(new)
        for moments in self.moments.values():
            moments[...] = 0

    def _course(self, side: str, name: str, decay: float, impulse: int) -> np.ndarray:
        """A trace before the epoch and in each of its steps, [t_epoch + 1, units]."""
        (whole, fraction), values, moments = self.rule.decay(name), self.traces[side][name], self.moments[side]
        rows = [values.copy()]
        for moment in range(1, self.rule.t_epoch + 1):
            decayed = whole[rows[-1]] + (decay < fraction[rows[-1]])
            rows.append(np.where(moments == moment, self._raised(name, decayed, impulse), decayed))
        return np.stack(rows)

    def _at(self, past: Mapping[str, np.ndarray], moment: np.ndarray) -> Arrays:
        """The traces of each synapse at a moment of the epoch."""
        unit = {"pre": self.source, "post": self.target}
        return {name: course[moment, unit["pre" if name in self.rule.pre else "post"]] for name, course in past.items()}

    # --- products ----------------------------------------------------------------------------------------------------

    def _changed(self, state: str, products: tuple[Product, ...], known: Arrays, seen: Mapping[str, Arrays], draw: int
                 ) -> np.ndarray:
        """What a rule makes of `state`; the accumulator has 7 binary places, which one random number rounds."""
        total = known[state] << FRACTION_BITS
        for product in products:
            more = _product(product, {**known, **seen[product.when]})
            total = np.clip(total + np.clip(more, LOWEST_SUM, HIGHEST_SUM), LOWEST_SUM, HIGHEST_SUM)
        low, high = self.bounds[state]
        total = np.maximum(total, 0) if low == 0 else np.minimum(total, 0) if high == 0 else total
        rounded = (total >> FRACTION_BITS) + ((total & MOST_TRACE) > draw)
        return np.clip(rounded, low, high).astype(np.int32)


def _product(product: Product, known: Mapping[str, Any]) -> np.ndarray:
    """A product in 32 bits, which wrap."""
    result = known[product.when].astype(np.int32)
    for factor in product.factors:
        result = result * _factor(factor, known)
    result = (result * np.int32(product.mantissa)) >> np.int32(min(product.right, 31))
    return result << np.int32(product.left)


def _factor(factor: Factor, known: Mapping[str, Any]) -> np.ndarray:
    value = known[VARIABLES.get(factor.name, factor.name)].astype(np.int32) + factor.constant
    value = np.sign(value) if factor.sign else value
    return np.clip(value, -(1 << factor.bits), (1 << factor.bits) - 1).astype(np.int32)
