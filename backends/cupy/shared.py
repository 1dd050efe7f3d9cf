"""What lies where in the shared memory of a block."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.shapes import per_unit
from snnsim.backends.cupy.source import Flags, KernelSource, list_bytes

_ALIGNED = 16


@dataclass
class SharedMemory:
    """Places in bytes.

    rows: of the tables of rows. homes: (population, kind and name of an argument) -> of its numbers of a part.
    """

    flags: Flags
    listed: int = 0
    owner: int = 0
    drives: int = 0
    ring: int = 0
    rows: list[int] = field(default_factory=list)
    homes: dict[tuple[int, str, Any], int] = field(default_factory=dict)
    bytes: int = 0

    def take(self, size: int) -> int:
        """The place of `size` more bytes."""
        place = self.bytes
        self.bytes = place + -(-size // _ALIGNED) * _ALIGNED
        return place


def lay_out_shared(source: KernelSource, layout: Layout, flags: Flags) -> SharedMemory:
    """The table, the list of rows, the owners of words and the rows of inputs, then the ring and the states."""
    shared = SharedMemory(flags)
    shared.take(8 * source.entries["END"])
    shared.listed = shared.take(list_bytes(source.counted, layout.wide))
    shared.owner = shared.take(2 * layout.words)
    shared.drives = shared.take(4 * source.drives)
    if flags.shared_ring:
        shared.ring = shared.take((8 if layout.wide else 4) * layout.rows * max(1, layout.places))
    if flags.resident:
        shared.rows = [shared.take(4 * layout.all_words) for _ in source.row_tables]
        for k, number in enumerate(source.shape_number):
            for (kind, data), size in per_unit(source.shapes[number], source.plan.dtype):
                shared.homes[k, kind, data] = shared.take(size * layout.slices.largest(k))
    return shared
