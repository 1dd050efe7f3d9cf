"""Checkpoints of networks: what ``Program.save`` wrote, read and checked before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snnsim.checkpoint import load_state
from snnsim.engine import Spikes
from snnsim.errors import InputError, Problem
from snnsim.network import Network
from snnsim.same import STATE, difference


@dataclass(frozen=True)
class Checkpoint:
    """What ``Program.save`` wrote to `path`. done: steps; network: canonical YAML; base_dir: where its files are."""

    path: Path
    arrays: dict[str, np.ndarray]
    done: int
    network: str
    base_dir: Path | None

    def state(self, population: str, state: str, n: int) -> np.ndarray:
        """A state, [n]."""
        values = self.arrays.get(f"states/{population}/{state}")
        if values is None or values.shape != (n,):
            text = f"holds no state {state} of {n} units of {population}: another version of snnsim wrote it"
            raise InputError(Problem(str(self.path), text))
        return values

    def spikes(self, graded: bool) -> Spikes:
        """Spikes under way; graded: with payloads."""
        if graded and "spikes/payload" not in self.arrays:
            text = "holds no payloads of the spikes under way: another version of snnsim wrote it"
            raise InputError(Problem(str(self.path), text))
        return Spikes(*(self.arrays.get(f"spikes/{name}") for name in Spikes._fields))  # type: ignore[arg-type]

    def plasticity(self, projection: str, like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Everything that changes in a plastic projection; `like` has its names and shapes."""
        found = {name: self.arrays.get(f"plasticity/{projection}/{name}") for name in like}
        for name, values in found.items():
            if values is None or values.shape != like[name].shape:
                text = f"holds no {name} of the plastic projection {projection}: another version of snnsim wrote it"
                raise InputError(Problem(str(self.path), text))
        return {name: values for name, values in found.items() if values is not None}


def read_checkpoint(path: str | Path, net: Network | None = None) -> Checkpoint:
    """A checkpoint; ``InputError`` where it is none, or of another network than `net`, naming the first difference.

    Duration and recordings may differ: a state does not depend on them.
    """
    arrays, meta = load_state(path)
    if not {"network", "done"} <= meta.keys():
        raise InputError(Problem(str(path), "is not a checkpoint of a network"))
    if net is not None and (differs := difference(meta["network"], net.to_yaml(), STATE)):
        raise InputError(Problem(str(path), f"is a checkpoint of another network: {differs}"))
    base = meta.get("base_dir")
    return Checkpoint(Path(path), arrays, int(meta["done"]), meta["network"], None if base is None else Path(base))
