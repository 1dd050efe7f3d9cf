"""The spikes of the last steps: a list for each thread, with where the spikes of each step begin in it.

Where several processes run one network, a last list has those of all other processes.
"""

from __future__ import annotations

import numpy as np

from snnsim.engine import Spikes
from snnsim.errors import RunError
from snnsim.memory import available

SPARE = 1 << 16     # spikes that a list holds besides those of some meetings


class SpikeLists:
    """History for delivery and output for the recorder in one.

    kept: steps that some synapse may still need. room: spikes that a thread may add between two meetings.
    ids: int32 [lists, room of the lists], numbers of units over the whole network; start: int64 [lists, steps + 1],
    column h is where the spikes of step base + h + 1 begin. payloads: int64, beside ids, where a network is graded.
    """

    def __init__(self, lists: int, neurons: int, kept: int, room: int, graded: bool = False) -> None:
        self.lists, self.neurons, self.kept, self.room = lists, max(1, neurons), kept, room
        self.base = 0
        kinds = [np.int32, np.int64] if graded else [np.int32]
        self._lists = [np.zeros((lists, 4 * room + SPARE), kind) for kind in kinds]
        self.start = np.zeros((lists, 1), np.int64)

    @property
    def ids(self) -> np.ndarray:
        """Units."""
        return self._lists[0]

    @property
    def payloads(self) -> np.ndarray:
        """What their spikes carry; [lists, 0] where the network is not graded."""
        return self._lists[1] if len(self._lists) > 1 else np.zeros((self.lists, 0), np.int64)

    @property
    def nbytes(self) -> int:
        """Of the lists."""
        return sum(values.nbytes for values in self._lists)

    def open(self, done: int, steps: int) -> None:
        """Drop what no step after `done` can need, and make room for `steps` more."""
        keep = min(self.kept, done - self.base)
        first = done - keep - self.base
        moved = self.start[:, first : first + keep + 1]
        start = np.zeros((self.lists, keep + steps + 1), np.int64)
        start[:, : keep + 1] = moved - moved[:, :1]
        for t in range(self.lists):
            a, b = moved[t, 0], moved[t, -1]
            for values in self._lists:
                values[t, : b - a] = values[t, a:b].copy()
        self.base, self.start = done - keep, start

    def grow(self, done: int) -> None:
        """Twice the room; ``RunError`` where that cannot be had."""
        room = available()
        if room is not None and 2 * self.nbytes > room:
            raise RunError(f"the spikes under way after step {done} need more than {room / 2**30:.1f} GiB: "
                           "the activity grows without bound")
        self.lengthen(2 * self.ids.shape[1])

    def lengthen(self, room: int) -> None:
        """Lists of at least that room."""
        room = max(room, self.ids.shape[1])
        self._lists = [np.pad(values, ((0, 0), (0, room - values.shape[1]))) for values in self._lists]

    def gather(self, done: int, steps: int) -> Spikes:
        """Spikes of the last `steps` steps up to `done`, sorted by (step, unit)."""
        first = done - steps - self.base
        ends = self.start[:, first : first + steps + 1]
        numbers = np.arange(steps)      # from here on: the longest run of the largest network would have 2^64 keys
        step = np.concatenate([np.repeat(numbers, np.diff(ends[t])) for t in range(self.lists)])
        unit, *payloads = (np.concatenate([values[t, ends[t, 0] : ends[t, -1]] for t in range(self.lists)])
                           for values in self._lists)
        key = step * self.neurons + unit
        if payloads:
            order = np.argsort(key)
            return Spikes(step[order] + done - steps + 1, unit[order].astype(np.int64), payloads[0][order])
        key.sort()
        return Spikes(key // self.neurons + (done - steps + 1), key % self.neurons)

    def latest(self, done: int, steps: int) -> Spikes:
        """The same, of as many of those steps as are kept."""
        return self.gather(done, min(steps, done - self.base))

    def put(self, done: int, step: np.ndarray, unit: np.ndarray, payload: np.ndarray | None = None) -> None:
        """Go on after step `done` with these spikes, sorted by step."""
        keep = min(done, self.kept)
        self.base = done - keep
        self.start = np.zeros((self.lists, keep + 1), np.int64)
        self.start[0] = np.searchsorted(step, np.arange(self.base + 1, done + 2))
        if unit.size > self.ids.shape[1]:
            self.lengthen(2 * unit.size)
        for values, given in zip(self._lists, (unit, payload), strict=False):
            values[0, : unit.size] = given
