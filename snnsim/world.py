"""The processes that run one network together: one alone, or the ranks of an MPI communicator.

Everything here is done by all of them at the same point of the program, as MPI asks.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from snnsim.cores import cores
from snnsim.errors import InputError, Problem, RunError, SnnsimError, UnavailableError


class World:
    """One process alone.

    rank, size: which of how many. beside: how many of them are on this machine, at_home: which of those this is.
    sharing: how many may run on the same cores as this one, turn: which of those this is.
    """

    rank, size, at_home, beside, turn, sharing = 0, 1, 0, 1, 0, 1

    @property
    def leads(self) -> bool:
        """Whether this process records, saves and speaks for all."""
        return self.rank == 0

    def meet(self) -> None:
        """Wait for all."""

    def most(self, *values: int) -> list[int]:
        """The largest of each value over all processes."""
        return list(values)

    def tell(self, values: np.ndarray) -> np.ndarray:
        """What the first process has."""
        return values

    def gather(self, own: np.ndarray) -> np.ndarray:
        """Arrays that agree but for the last axis, joined along it in the order of ranks; empty but for the first."""
        return own

    def share(self, own: np.ndarray) -> np.ndarray:
        """The same, for all."""
        return own

    def before(self, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sums of an integer array over the processes before this one, and over all."""
        return np.zeros_like(own), own

    def first(self, found: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        """The smallest tuple that any process has found."""
        return found

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """An error of one process inside ends it for all: others raise one of its kind that names the rank."""
        yield


ALONE = World()


class Ranks(World):
    """The ranks of an MPI communicator of mpi4py. Errors that one of them meets alone end the others, too."""

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI

        if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
            raise UnavailableError("MPI was started without support for threads; expected MPI_THREAD_SERIALIZED at "
                                   "least: leave mpi4py.rc.threads as it is")
        # Another one for the end of a run: who fails must not disturb what the others are still at.
        self.mpi, self.comm, self.ending = MPI, comm.Dup(), comm.Dup()
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        home = comm.Split_type(MPI.COMM_TYPE_SHARED)
        self.at_home, self.beside = home.Get_rank(), home.Get_size()
        home.Free()
        host, own = socket.gethostname(), set(cores())
        found = self.comm.allgather((host, os.getpid(), own))
        self.places = [(name, process) for name, process, _ in found]
        others = [rank for rank, (name, _, theirs) in enumerate(found) if name == host and own & theirs]
        self.turn, self.sharing = others.index(self.rank), len(others)

    def meet(self) -> None:
        """Wait for all."""
        self.comm.Barrier()

    def most(self, *values: int) -> list[int]:
        """The largest of each value over all processes."""
        own = np.array(values, np.int64)
        out = np.empty_like(own)
        self.comm.Allreduce(own, out, op=self.mpi.MAX)
        return [int(value) for value in out]

    def tell(self, values: np.ndarray) -> np.ndarray:
        """What the first process has."""
        told = values.copy()
        self.comm.Bcast(told)
        return told

    def gather(self, own: np.ndarray) -> np.ndarray:
        """Arrays that agree but for the last axis, joined along it in the order of ranks; empty but for the first."""
        sizes = self.comm.gather(own.shape[-1])
        if sizes is None:
            self.comm.Gatherv(np.ascontiguousarray(own), None)
            return own[..., :0]
        return self._joined(own, sizes, lambda given, taken: self.comm.Gatherv(given, taken))

    def share(self, own: np.ndarray) -> np.ndarray:
        """The same, for all."""
        return self._joined(own, self.comm.allgather(own.shape[-1]),
                            lambda given, taken: self.comm.Allgatherv(given, taken))

    @staticmethod
    def _joined(own: np.ndarray, sizes: list[int], exchange: Callable[[Any, Any], None]) -> np.ndarray:
        outer = own.shape[:-1]
        counts = [int(np.prod(outer)) * size for size in sizes]
        taken = np.empty(sum(counts), own.dtype)
        exchange(np.ascontiguousarray(own), [taken, counts])
        pieces = np.split(taken, np.cumsum(counts)[:-1])
        return np.concatenate([piece.reshape(*outer, size) for piece, size in zip(pieces, sizes, strict=True)], axis=-1)

    def before(self, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sums of an integer array over the processes before this one, and over all."""
        until, total = np.empty_like(own), np.empty_like(own)
        self.comm.Scan(own, until)
        self.comm.Allreduce(own, total)
        return until - own, total

    def first(self, found: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        """The smallest tuple that any process has found."""
        return min((each for each in self.comm.allgather(found) if each is not None), default=None)

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """An error of one process inside ends it for all: others raise one of its kind that names the rank."""
        error: SnnsimError | None = None
        try:
            yield
        except SnnsimError as own:
            error = own
        found = self.comm.allgather(None if error is None else (str(error), error.exit_code))
        if error is not None:
            raise error
        for rank, (text, code) in ((rank, each) for rank, each in enumerate(found) if each is not None):
            raise (InputError if code == InputError.exit_code else RunError)(f"rank {rank} of {self.size}: {text}")


def world_of(comm: Any) -> World:
    """The world of an mpi4py communicator; None stands for this process alone.

    Raises ``InputError`` where it is something else, ``UnavailableError`` where MPI cannot be used.
    """
    if comm is None:
        return ALONE
    if not all(hasattr(comm, name) for name in ("Dup", "Get_rank", "Split_type", "Iallgather")):
        text = f"expected a communicator of mpi4py such as MPI.COMM_WORLD, found {type(comm).__name__}"
        raise InputError(Problem("comm", text))
    if comm.Get_size() == 1:
        return ALONE
    if (known := comm.Get_attr(_attribute())) is None:
        comm.Set_attr(_attribute(), known := Ranks(comm))
    return known


@lru_cache(maxsize=1)
def _attribute() -> int:
    """What a communicator keeps its ``Ranks`` under: each holds communicators of its own, of which MPI has not many."""
    from mpi4py import MPI

    return MPI.Comm.Create_keyval()
