"""The file of a killed run made whole up to its last commit point."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import h5py

from snnsim.errors import InputError, Problem
from snnsim.recording import layout, reader, superblock
from snnsim.recording.filewriter import running, trim


class Recovered(NamedTuple):
    """What `recover` found: the last complete step and its time in ms, the spikes, and whether it changed anything."""

    path: Path
    step: int
    time: float
    spikes: int
    changed: bool

    def __str__(self) -> str:
        what = "made whole" if self.changed else "was whole already"
        return f"{self.path}: {what}: {self.spikes} spikes up to step {self.step} ({self.time:g} ms)"


def recover(path: str | Path) -> Recovered:
    """Make the recording of a killed run whole up to its last commit; a whole one is left as it is.

    Raises ``InputError`` where a simulation is still writing it, or nothing was ever committed.
    """
    path = Path(path)
    found = reader.sources(path, quiet=True)
    if any(running(source.path) for source in found):
        raise InputError(Problem(str(path), "is being written by a running simulation"))
    step = min(source.step for source in found)
    changed = [_make_whole(source, step) for source in found]
    spikes = sum(source.count(name) for source in found for name in source.plan.populations)
    return Recovered(path, step, step * found[0].plan.dt, spikes, any(changed))


def _make_whole(source: reader.FileSource, step: int) -> bool:
    if not source.killed and source.step == step:
        return superblock.clear(source.path)
    source.cut(step)
    lengths = source.lengths(step)
    superblock.clear(source.path)
    with h5py.File(source.path, "r+", libver=("v110", "v110")) as file:
        file["snnsim/committed"][:] = [*lengths, step]
        for name, length in zip(source.names, lengths, strict=True):
            if layout.is_trace(name):
                layout.stop_time(file[name], length)
    trim(source.path)
    return True
