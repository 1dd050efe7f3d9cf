"""What lies where in the shared memory of a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.source import LIST, Flags, KernelSource, per_unit

_ALIGNED = 16


@dataclass
class SharedMemory:
    """Places in bytes. homes: (population, kind and name of an argument) -> where its numbers of the part's units are."""

    flags: Flags
    list: int = 0
    owner: int = 0
    drives: int = 0
    ring: int = 0
    homes: dict[tuple[int, str, Any], int] | None = None
    bytes: int = 0

    def take(self, size: int) -> int:
        """The place of `size` more bytes."""
        place = self.bytes
        self.bytes = place + -(-size // _ALIGNED) * _ALIGNED
        return place


def lay_out_shared(source: KernelSource, layout: Layout, flags: Flags) -> SharedMemory:
    """The table, the list of rows, the owners of words and the rows of inputs, then the ring and the states."""
    shared = SharedMemory(flags, homes={})
    shared.take(8 * source.entries["END"])
    shared.list = shared.take(16 + 4 * LIST * (1 + source.counted))
    shared.owner = shared.take(2 * layout.words)
    shared.drives = shared.take(4 * source.drives)
    if flags.shared_ring:
        shared.ring = shared.take((8 if layout.wide else 4) * layout.rows * layout.places)
    if flags.resident:
        assert shared.homes is not None
        for k, number in enumerate(source.shape_number):
            for (kind, data), size in per_unit(source.shapes[number], source.plan.dtype):
                shared.homes[k, kind, data] = shared.take(size * layout.slices.largest(k))
    return shared
