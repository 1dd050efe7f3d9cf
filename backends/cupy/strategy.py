"""Ways to run the steps of a network on a device, each with what it needs. The first that fits is taken.

``persistent``: one launch for thousands of steps; its blocks stay on the device and meet after each epoch. ``graph``:
many launches recorded once and launched as one. ``launches``: one launch for each epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from snnsim.backends.cupy.device import Device, Kernel, Limits
from snnsim.backends.cupy.layout import LANES, Layout
from snnsim.backends.cupy.shared import SharedMemory, lay_out_shared
from snnsim.backends.cupy.source import Flags, KernelSource
from snnsim.plan import Plan

_LEAST_UNITS = 64       # of a part: more parts would wait for each other longer than they work
_GRAPH_EPOCHS = 64


def parts_of(plan: Plan, limits: Limits) -> int:
    """How many parts a network is cut into: one for each multiprocessor, fewer where it is small."""
    return max(1, min(limits.multiprocessors, -(-plan.neurons // _LEAST_UNITS)))


@dataclass(frozen=True)
class Fit:
    """Whether a strategy can run a network here. why: in words, either way."""

    ok: bool
    why: str
    flags: Flags


class Runner(Protocol):
    """A strategy at work."""

    def run(self, steps: int, fresh: bool) -> None:
        """Run `steps` further steps; all is launched when it returns, not done."""


@dataclass
class Program:
    """What a runner launches. table: on the device; clock: int64 [1], the latest step that is done."""

    device: Device
    kernels: dict[str, Kernel]
    table: Any
    clock: Any
    counter: Any
    blocks: int
    threads: int
    shared: int
    epoch: int
    levels: int

    def launch(self, offset: int, steps: int, levels: tuple[int, int], fresh: bool, cooperative: bool = False) -> None:
        numbers = (np.int32(x) for x in (offset, steps, *levels, fresh))
        self.kernels["snn_run"](self.blocks, self.threads, (self.table, self.clock, *numbers), self.shared, cooperative)

    def epoch_at(self, offset: int, steps: int, fresh: bool) -> None:
        """Some steps of an epoch, a launch for each level."""
        for level in range(self.levels):
            self.launch(offset, steps, (level, level), fresh)

    def tick(self, steps: int) -> None:
        self.kernels["snn_tick"](1, LANES, (self.clock, np.int32(steps)))


class Launches:
    """A launch for each epoch and level."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def run(self, steps: int, fresh: bool) -> None:
        epoch = self.program.epoch
        for at in range(0, steps, epoch):
            self.program.epoch_at(at, min(epoch, steps - at), fresh and at == 0)
        self.program.tick(steps)


class Graph:
    """The same launches, recorded by the dozen."""

    def __init__(self, program: Program) -> None:
        self.program, self.launches = program, Launches(program)
        self.length = _GRAPH_EPOCHS * program.epoch
        self.replay: Callable[[], None] | None = None

    def run(self, steps: int, fresh: bool) -> None:
        first = min(steps, self.program.epoch)
        self.launches.run(first, fresh)
        if steps - first >= self.length and self.replay is None:
            self.replay = self.program.device.capture(lambda: self.launches.run(self.length, False))
        for _ in range((steps - first) // self.length):
            assert self.replay is not None
            self.replay()
        if rest := (steps - first) % self.length:
            self.launches.run(rest, False)


class Persistent:
    """One cooperative launch."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def run(self, steps: int, fresh: bool) -> None:
        self.program.counter[...] = 0
        self.program.launch(0, steps, (0, self.program.levels - 1), fresh, cooperative=True)
        self.program.tick(steps)


RUNNERS: dict[str, type[Launches] | type[Graph] | type[Persistent]] = {
    "persistent": Persistent, "graph": Graph, "launches": Launches,
}


def fits(name: str, source: KernelSource, layout: Layout, device: Device) -> Fit:
    """Whether the strategy `name` can run a network on a device."""
    limits = device.limits
    if name != "persistent":
        plain = lay_out_shared(source, layout, Flags(False, False, False))
        return _within(plain, limits, "one launch an epoch" if name == "launches" else "launches recorded as a graph")
    if not limits.cooperative:
        return Fit(False, "the device cannot run blocks that wait for each other", Flags(True, False, False))
    if len(layout.own) > limits.multiprocessors:
        return Fit(False, f"{len(layout.own)} parts, but {limits.multiprocessors} multiprocessors",
                   Flags(True, False, False))
    for ring, resident, where in ((True, True, "inputs and states in shared memory"),
                                  (True, False, "inputs in shared memory, states in global memory"),
                                  (False, True, "inputs in global memory, states in shared memory")):
        found = _within(lay_out_shared(source, layout, Flags(True, ring, resident)), limits, where)
        if found.ok:
            return found
    return _within(lay_out_shared(source, layout, Flags(True, False, False)), limits,
                   "inputs and states in global memory")


def _within(shared: SharedMemory, limits: Limits, where: str) -> Fit:
    need = f"{shared.bytes:,} of {limits.shared:,} bytes of shared memory per block"
    return Fit(shared.bytes <= limits.shared, f"{where}; {need}", shared.flags)


def resident(fit: Fit, device: Device, kernel: Kernel, threads: int, shared: SharedMemory, blocks: int) -> Fit:
    """The same fit, unless blocks that wait for each other are more than the device runs at the same time."""
    if not fit.flags.persistent or blocks <= (most := device.resident_blocks(kernel, threads, shared.bytes)):
        return fit
    return Fit(False, f"the device runs {most} of its {blocks} blocks at the same time", fit.flags)
