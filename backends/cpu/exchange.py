"""Spikes, and what couplings and modulators read, between the processes that run one network together.

The last thread of a process to arrive at a meeting codes its spikes and calls out of the compiled loop to here, where
they are sent; the threads deliver what is older, and the same thread then waits. Every process sends a block of one
size, so one collective call is enough. Who has more says so in its head, and all then send what they have as a whole.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import finalize

import numpy as np

from snnsim.backends.cpu.exchange_kernels import (
    BEGIN, FIRST, HEAD, HEADS, LAST, LONGEST, OFFSETS, PEAK, PENDING, RECEIVED, RESERVE, REST, SEEN, STEP, WAIT,
    decode,
)
from snnsim.backends.cpu.intrinsics import TABLE_WIDTH
from snnsim.backends.cpu.spikes import SpikeLists
from snnsim.world import Ranks

_LEAST = 512                    # bytes of a block
_REVIEW = 1024                  # exchanges after which blocks may become shorter
_AT_ONCE_S = 4e-6               # in which most exchanges end where each process has a core
_SOON_S = 2e-3                  # and where processes take turns
_ID_BYTES = 5                   # of a coded difference of two units, below 2^34
_give_way: Callable[[], object] = getattr(os, "sched_yield", partial(time.sleep, 0))
_nap = partial(time.sleep, 2e-5)

Request = Any                   # of mpi4py
Sharing = Callable[[int], Request]


class Exchange:
    """What one process tells the others, and hears from them.

    room: spikes that a thread may add between meetings. reserve: spikes of all processes that there must be room for
    before a step may begin. sharing: what begins, after a step, to share values that all processes read.
    """

    def __init__(self, world: Ranks, threads: int, room: int, epoch: int, reserve: int, graded: bool,
                 sharing: Iterable[Sharing] = ()) -> None:
        self.world = world
        self.error: BaseException | None = None
        width = LONGEST + _ID_BYTES if graded else _ID_BYTES
        most = 8 * HEAD + threads * room * width + epoch * LONGEST
        self.out = np.empty(-(-most // 8) * 8, np.uint8)
        self.head = self.out[: 8 * HEAD].view(np.int64)
        self.state = np.zeros(16, np.int64)
        self.state[RESERVE] = reserve
        self.table = np.zeros(3 * TABLE_WIDTH, np.int64)
        self.sharing = list(sharing)
        self._repeated: list[Request] = []      # the one that is begun again and again, where MPI has such (MPI 4)
        finalize(self, _free, self._repeated)
        self._rows: dict[int, np.ndarray] = {}
        self._waiting: list[Request] = []
        self._count = 0
        self._actions = {BEGIN: self._begin, WAIT: self._wait, REST: self._rest}
        self._function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(self._called)
        self.address = ctypes.cast(self._function, ctypes.c_void_p).value
        self._resize(_LEAST)

    def arguments(self) -> dict[str, Any]:
        """What the loop takes."""
        return {"told_call": self.address, "told_state": self.state, "told_out": self.out, "told_head": self.head,
                "told_table": self.table, "told_rank": self.world.rank}

    def _resize(self, longest: int) -> None:
        """Blocks that messages of that many bytes fit in, with some room: of the same size in every process."""
        block = min(-(-max(_LEAST, longest * 3 // 2) // 8) * 8, self.out.size)
        self._short = False
        self._blocks = np.zeros((self.world.size, block), np.uint8)
        self._say(RECEIVED, self._blocks.reshape(-1))
        self._say(HEADS, self._blocks.view(np.int64))
        self._say(OFFSETS, np.arange(self.world.size) * block)
        _free(self._repeated)
        with suppress(NotImplementedError):
            self._repeated.append(self.world.comm.Allgather_init(self.out[:block], self._blocks))

    def _say(self, row: int, array: np.ndarray) -> None:
        """Where an array is; it is kept as long as the loop may look there."""
        self._rows[row] = array
        self.table[row * TABLE_WIDTH :][: 1 + array.ndim] = array.ctypes.data, *array.shape

    # --- called from the loop ----------------------------------------------------------------------------------------

    def _called(self, what: int) -> int:
        try:
            self._actions[what]()
        except BaseException as error:  # there is nobody above who could take it
            self.error = error
            return 1
        return 0

    def _begin(self) -> None:
        self._count += 1
        if self._short or self._count % _REVIEW == 0:
            self._resize(int(self.state[PEAK]))
            self.state[PEAK] = 0
        for request in self._repeated:
            request.Start()
        blocks = self._repeated or [self.world.comm.Iallgather(self.out[: self._blocks.shape[1]], self._blocks)]
        self._waiting = [*blocks, *(share(int(self.state[STEP])) for share in self.sharing)]

    def _wait(self) -> None:
        """Look again and again; soon let others have the core, who may be waited for; sleep where it takes long."""
        began = time.perf_counter()
        for request in self._waiting:
            while not request.Test():
                waited = time.perf_counter() - began
                if waited > _AT_ONCE_S:
                    (_give_way if waited < _SOON_S else _nap)()

    def _rest(self) -> None:
        """Some messages are longer than a block: exchange all of them as a whole, and blocks shall be longer."""
        sizes = self._rows[HEADS][:, 0].copy()
        received = np.empty(int(sizes.sum()), np.uint8)
        self.world.comm.Allgatherv(self.out[: sizes[self.world.rank]], [received, sizes.tolist()])
        self._short = True
        self._say(RECEIVED, received)
        self._say(OFFSETS, np.cumsum(sizes) - sizes)

    # --- around a call -----------------------------------------------------------------------------------------------

    def open(self, spikes: SpikeLists, done: int) -> None:
        """A call begins after step `done`. The lists of each process together hold the spikes of all processes."""
        self.state[SEEN] = int(spikes.start[:, done - spikes.base].sum())

    def close(self, spikes: SpikeLists, row: int) -> bool:
        """A call has ended: raise what went wrong, and take the spikes that there was no room for.

        Returns whether they came within a step, which then went wrong: what the call did must be done again.
        """
        if self.error is not None:
            raise self.error
        left, self.state[PENDING] = bool(self.state[PENDING]), 0
        if left and not self.state[RESERVE]:
            spikes.lengthen(2 * int(self.state[SEEN]))
            first, last = int(self.state[FIRST]), int(self.state[LAST])
            decode(self._rows[RECEIVED], self._rows[OFFSETS], self.world.rank, spikes.ids, spikes.payloads,
                   spikes.start, row, first, last)
        return left and bool(self.state[RESERVE])


def _free(requests: list[Request]) -> None:
    """Give back what MPI holds for requests that can be begun again: it complains of those that are left at the end."""
    while requests:
        requests.pop().Free()
