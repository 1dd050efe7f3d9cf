"""How a network is cut into parts, one for each block of a kernel, and where everything lies in them.

A part owns a slice of every population and all synapses onto it. The arrivals at all ports of its units are one
vector of whole numbers, the *places*. The spikes of a step are one bit for each unit, in *words* of 32 units of one
population. All parts have the same words and places, as many as the largest of them needs.

Projections that reach their targets in the same way are one *bundle*, so that a spike looks up one row of synapses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from snnsim.plan import Plan, Projection
from snnsim.slices import Slices

# First rows by population, and whether payloads multiply what they add.
RowTable = tuple[tuple[tuple[int, int], ...], bool]

LANES = 32
_MOST_LISTS = 4
_MOST_EPOCH = 64


@dataclass(frozen=True)
class WordLayout:
    """Bits of a packed synapse, from the lowest: place of the target, delay beyond the bundle's, weight with its sign.

    bits: of the whole word, 16, 32 or 64. weight: 0 where it is the source's, or where `column` says that each synapse
    has one of 64 bits beside the word.
    """

    bits: int
    target: int
    delay: int
    weight: int
    column: bool = False

    @classmethod
    def of(cls, target: int, delay: int, weight: int) -> WordLayout:
        """The narrowest word for these numbers of bits."""
        for bits in (16, 32, 64):
            if target + delay + weight <= bits:
                return cls(bits, target, delay, weight)
        return cls(32 if target + delay <= 32 else 64, target, delay, 0, True)

    @property
    def bytes(self) -> int:
        """Of a synapse."""
        return self.bits // 8 + 8 * self.column


@dataclass(frozen=True)
class Bundle:
    """Projections whose synapses lie in one table, with a row for each source.

    kind: how spikes reach their targets. ``list``: all have `delay`, and are delivered when they arrive. ``soon``,
    ``late``: into a ring of inputs, before and after the update of the next epoch; the delays in words count from
    `delay`, the shortest. ``now``: without delay, before the populations of `level` are updated.
    delays: label of a projection -> those of its delays, in steps, that belong here. first_row: population -> row of
    its unit 0. row_weight: population -> weight of all its synapses in quanta, or None where synapses have their own.
    graded: payloads multiply the weights.
    """

    kind: str
    delay: int
    level: int
    word: WordLayout
    projections: tuple[Projection, ...]
    delays: dict[str, tuple[int, int]]
    first_row: dict[int, int]
    rows: int
    row_weight: dict[int, int] | None
    graded: bool

    @property
    def row_table(self) -> RowTable:
        """What says where the rows of each word begin: bundles that have it in common share one."""
        return tuple(self.first_row.items()), self.graded

    def lanes(self, parts: int, synapses: int) -> int:
        """Threads that deliver the synapses of a row onto one part: a power of two, about as many as there are.

        parts, synapses: of the device.
        """
        mean = synapses / max(1, self.rows * parts)
        return min(LANES, max(4, 1 << round(math.log2(max(1.0, mean)))))


@dataclass(frozen=True)
class Layout:
    """Where everything lies. own: the parts of this device.

    words: of spikes in a part; first_word: that of each population. places: in a part; place: (population, port) -> its
    first one. epoch: steps between two exchanges of spikes. rows: of the ring of inputs. wide: sums have 64 bits.
    """

    slices: Slices
    own: range
    words: int
    first_word: tuple[int, ...]
    place: dict[tuple[int, str], int]
    places: int
    epoch: int
    wide: bool
    levels: int
    bundles: tuple[Bundle, ...] = ()

    @classmethod
    def of(cls, plan: Plan, parts: int, own: range | None = None) -> Layout:
        slices = Slices.of(plan, parts)
        largest = [slices.largest(k) for k in range(len(plan.populations))]
        ends = np.cumsum([0, *(-(-n // LANES) for n in largest)])
        place, at = {}, 0
        for k, population in enumerate(plan.populations):
            for port in population.ports:
                place[k, port] = at
                at += largest[k]
        wide = any(port.bound >= 1 << 31 for p in plan.populations for port in p.ports.values())
        levels = max((p.level for p in plan.populations), default=0) + 1
        layout = cls(slices, own or range(parts), int(ends[-1]), tuple(int(e) for e in ends[:-1]), place, at,
                     epoch_of(plan), wide, levels)
        return replace(layout, bundles=make_bundles(plan, layout))

    @property
    def rows(self) -> int:
        """Of the ring of inputs: one is the step's own."""
        return max((high for b in self.bundles if b.kind in ("soon", "late") for _, high in b.delays.values()),
                   default=0) + 1

    @property
    def all_words(self) -> int:
        """Words of all parts, and some that nobody has: they are read by fours."""
        return -(-self.slices.parts * self.words // 4) * 4

    @property
    def kept(self) -> int:
        """Steps whose spikes some synapse may still need."""
        return max([self.epoch, *(b.delay for b in self.bundles)])

    def end_word(self, population: int) -> int:
        """After the last word of a population."""
        return self.first_word[population] + -(-self.slices.largest(population) // LANES)

    def bounds(self, population: int) -> tuple[int, int]:
        """The units of a population that this device owns."""
        return (int(self.slices.cuts[population][self.own.start]), int(self.slices.cuts[population][self.own.stop]))


def epoch_of(plan: Plan) -> int:
    """Steps between two exchanges of spikes: the smallest delay, so that nothing later than the last one matters."""
    if any(p.level for p in plan.populations):
        return 1
    dendritic = [p.delays[0] - p.plastic.axonal for p in plan.projections if p.plastic is not None]
    return max(1, min(plan.min_delay, *dendritic, _MOST_EPOCH))


# --- bundles ---------------------------------------------------------------------------------------------------------

Key = tuple[str, int, int, bool]


def make_bundles(plan: Plan, layout: Layout) -> tuple[Bundle, ...]:
    """One bundle for each way to reach a target."""
    spiking = [p for p in plan.projections if p.spiking]
    constant = {p.delays[0] for p in spiking if 0 < p.delays[0] == p.delays[1]}
    members: dict[Key, dict[str, tuple[Projection, tuple[int, int]]]] = {}
    for projection in spiking:
        for key, delays in _ways(plan, projection, layout.epoch, len(constant) <= _MOST_LISTS):
            members.setdefault(key, {})[projection.label] = projection, delays
    return tuple(_bundle(plan, layout, key, list(found.values())) for key, found in sorted(members.items()))


def _ways(plan: Plan, projection: Projection, epoch: int, lists: bool) -> list[tuple[Key, tuple[int, int]]]:
    """The bundles that a projection belongs to, each with the delays that lie in it."""
    (low, high), found, graded = projection.delays, [], plan.multiplied(projection)
    if low == 0:
        found.append((("now", 0, plan.populations[projection.target].level, graded), (0, 0)))
        low = 1
    if low == high and lists:
        return [*found, (("list", low, 0, graded), (low, high))]
    if low < (border := 2 * epoch) and low <= high:
        found.append((("soon", 0, 0, graded), (low, min(high, border - 1))))
    if high >= border:
        found.append((("late", 0, 0, graded), (max(low, border), high)))
    return found


def _bundle(plan: Plan, layout: Layout, key: Key, members: list[tuple[Projection, tuple[int, int]]]) -> Bundle:
    kind, delay, level, graded = key
    projections = tuple(projection for projection, _ in members)
    first_row, rows = {}, 0
    for source in dict.fromkeys(p.source for p in projections):
        first_row[source], rows = rows, rows + plan.populations[source].n
    row_weight = _row_weights(projections)
    span = 0
    if kind in ("soon", "late"):
        delay = min(low for _, (low, _) in members)
        span = max(high for _, (_, high) in members) - delay
    bits = 0 if row_weight is not None else max(map(_weight_bits, projections))
    word = WordLayout.of(max(1, (layout.places - 1).bit_length()), span.bit_length(), bits)
    return Bundle(kind, delay, level, word, projections, {p.label: delays for p, delays in members}, first_row, rows,
                  row_weight, graded)


def _row_weights(projections: tuple[Projection, ...]) -> dict[int, int] | None:
    """The weight of each source population, where each has but one."""
    found: dict[int, int] = {}
    for projection in projections:
        weight = projection.weight.constant
        if weight is None:
            return None
        whole = int(projection.in_quanta(weight)[1])
        if found.setdefault(projection.source, whole) != whole:
            return None
    return found


def _weight_bits(projection: Projection) -> int:
    """Bits that hold every weight of a projection, in quanta, and its sign."""
    if projection.fixed is not None:
        return projection.fixed.largest(projection.weight).bit_length() + 1
    low, high = projection.weight.low, projection.weight.high
    most = max(abs(low) / projection.quanta[int(low < 0)], abs(high) / projection.quanta[int(high < 0)])
    return math.ceil(most).bit_length() + 1
