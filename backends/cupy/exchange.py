"""How several devices that own parts of one network see what the others wrote."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import permutations
from typing import TYPE_CHECKING, Any, Protocol

from snnsim.errors import UnavailableError

if TYPE_CHECKING:
    from snnsim.backends.cupy.cuda import CudaDevice


class Exchange(Protocol):
    """What members of a group share."""

    def share(self, arrays: Sequence[Any], cuts: Sequence[int]) -> None:
        """Make flat arrays of the members alike, in the order of their launches.

        arrays: one for each member, of which member r has written [cuts[r], cuts[r + 1]).
        """


class Copies:
    """Copies between members on one device."""

    def share(self, arrays: Sequence[Any], cuts: Sequence[int]) -> None:
        """See ``Exchange``."""
        for source, target in permutations(range(len(arrays)), 2):
            own = slice(cuts[source], cuts[source + 1])
            arrays[target][own] = arrays[source][own]


class Nccl:
    """Broadcasts between devices, by NVIDIA's library for it."""

    def __init__(self, devices: Sequence[CudaDevice]) -> None:
        with warnings.catch_warnings(action="ignore"):   # CuPy warns where the library is missing
            from cupy.cuda import nccl
        if not nccl.available:
            from cupy.cuda import runtime

            major = runtime.runtimeGetVersion() // 1000
            raise UnavailableError(f"several GPUs need NCCL; install it with: pip install nvidia-nccl-cu{major}")
        self.nccl, self.devices = nccl, devices
        self.communicators = nccl.NcclCommunicator.initAll([device.index for device in devices])

    def share(self, arrays: Sequence[Any], cuts: Sequence[int]) -> None:
        """See ``Exchange``."""
        size = arrays[0].dtype.itemsize
        self.nccl.groupStart()
        for root in range(len(arrays)):
            count = (cuts[root + 1] - cuts[root]) * size
            for device, communicator, array in zip(self.devices, self.communicators, arrays, strict=True):
                if count:
                    place = array.data.ptr + cuts[root] * size
                    with device.current():
                        communicator.broadcast(place, place, count, self.nccl.NCCL_CHAR, root, device.stream)
        self.nccl.groupEnd()
