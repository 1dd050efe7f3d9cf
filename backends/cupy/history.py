"""The spikes of the last steps on a device: a bit for each unit and step, and how to make lists of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from snnsim.backends.cupy.device import Device, Kernel
from snnsim.backends.cupy.layout import LANES, Layout
from snnsim.engine import Spikes
from snnsim.plan import Plan

_BYTES = 256 << 20      # of the history that is kept beyond what synapses need
_LEAST_STEPS, _MOST_STEPS = 64, 1 << 14
_THREADS = 256
GRADED_WORD = 1 << 30   # as gather.cuh has it


class SpikeHistory:
    """Who spiked in the last steps. Step s is in slot s modulo `slots`, a power of two.

    masks: uint32 [slots, parts * words]; counts: int32 [slots, parts * words * 32], how often each unit spiked, or what
    its spike carries, of one element where there is neither. chunk: steps that can be added before the oldest are
    lost.
    """

    def __init__(self, device: Device, plan: Plan, layout: Layout, counted: bool) -> None:
        self.device, self.plan, self.layout, self.counted = device, plan, layout, counted
        self.kept = max(layout.kept, plan.max_delay) + 1
        self.slots = slots_of(plan, layout, counted)
        self.chunk = self.slots - self.kept
        self.words = layout.all_words
        xp = device.xp
        self.masks = xp.zeros((self.slots, self.words), np.uint32)
        self.counts = xp.zeros((self.slots, self.words * LANES) if counted else (1, 1), np.int32)
        self._number_words()

    def _number_words(self) -> None:
        """The number of the first unit of each word, the words in the order of these, and the bit of each unit."""
        layout, unit = self.layout, np.full((self.layout.slices.parts, self.layout.words), self.plan.neurons, np.int64)
        place = np.zeros(self.plan.neurons, np.int32)
        for k, population in enumerate(self.plan.populations):
            cuts, first = layout.slices.cuts[k], layout.first_word[k]
            for w in range(first, layout.end_word(k)):
                low = cuts[:-1] + (w - first) * LANES
                unit[:, w] = np.where(low < cuts[1:], population.first + low, self.plan.neurons)
            own = np.arange(population.n)
            part = ((own + 1) * layout.slices.parts - 1) // max(1, population.n)
            place[population.first + own] = (part * layout.words + first) * LANES + own - cuts[part]
        firsts = np.full(self.words, self.plan.neurons, np.int32)
        firsts[: unit.size] = unit.reshape(-1)
        self.unit_of_word = self.device.upload(firsts)
        order = np.argsort(firsts, kind="stable")
        graded = np.array([*(p.graded for p in self.plan.populations), False])[self._population_of(firsts)]
        self.order = self.device.upload((order | GRADED_WORD * graded[order]).astype(np.int32))
        self.unit_place = self.device.upload(place)

    def _population_of(self, units: np.ndarray) -> np.ndarray:
        """The number of the population of each unit, that of populations for numbers beyond all units."""
        return np.searchsorted([p.first + p.n for p in self.plan.populations], units, side="right")

    def rows_of(self, done: int, steps: int) -> Any:
        """The slots of the `steps` steps until `done`."""
        return self.device.xp.arange(done - steps + 1, done + 1) & (self.slots - 1)

    def latest(self, done: int) -> tuple[Any, ...]:
        """A copy of what later steps may need."""
        rows = self.rows_of(done, self.kept)
        return (self.masks[rows], self.counts[rows]) if self.counted else (self.masks[rows],)

    def put_latest(self, done: int, saved: tuple[Any, ...]) -> None:
        """The opposite."""
        rows = self.rows_of(done, self.kept)
        for array, values in zip((self.masks, self.counts), saved, strict=False):
            array[rows] = values

    def gather(self, kernels: dict[str, Kernel], table: Any, first: int, steps: int) -> Spikes:
        """Spikes of the steps first .. first + steps - 1, sorted, with units as often as they spiked."""
        if steps < 1:
            return self._none()
        xp, device, start = self.device.xp, self.device, np.int64(first)
        totals, ends = xp.zeros(steps, np.int64), xp.zeros(steps + 1, np.int64)
        kernels["snn_count"](steps, _THREADS, (table, start, self.order, totals), shared=16)
        ends[1:] = xp.cumsum(totals)
        found = device.download(ends)
        if not found[-1]:
            return self._none()
        units = xp.empty(int(found[-1]), np.int32)
        payloads = xp.empty(units.size if self.plan.graded else 1, np.int32)
        arrays = (self.order, self.unit_of_word, ends, units, payloads)
        kernels["snn_list"](steps, _THREADS, (table, start, *arrays), shared=4 * _THREADS)
        step = np.repeat(np.arange(first, first + steps), np.diff(found))
        sent = device.download(payloads).astype(np.int64) if self.plan.graded else None
        return Spikes(step, device.download(units).astype(np.int64), sent)

    def _none(self) -> Spikes:
        none = np.zeros(0, np.int64)
        return Spikes(none, none, none if self.plan.graded else None)

    def put(self, kernels: dict[str, Kernel], table: Any, done: int, spikes: Spikes) -> None:
        """Forget everything, and take these spikes of the last steps until `done`."""
        self.masks[...] = 0
        self.counts[...] = 0
        recent = spikes.step > done - self.kept
        if recent.any():
            sent = np.ones_like(spikes.unit) if spikes.payload is None else spikes.payload
            steps = self.device.upload(spikes.step[recent].astype(np.int64))
            units, payloads = (self.device.upload(column[recent].astype(np.int32)) for column in (spikes.unit, sent))
            n = int(recent.sum())
            kernels["snn_mark"](-(-n // _THREADS), _THREADS,
                                (table, steps, units, payloads, self.unit_place, np.int64(n)))


def slots_of(plan: Plan, layout: Layout, counted: bool) -> int:
    """How many steps are kept."""
    row = 4 * layout.all_words * (1 + LANES * counted)
    least = 1 << (max(layout.kept, plan.max_delay) + _LEAST_STEPS).bit_length()
    most = min(_MOST_STEPS, _BYTES // max(1, row))
    return max(least, 1 << max(0, most.bit_length() - 1))
