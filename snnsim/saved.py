"""Checkpoints of networks: what ``Program.save`` wrote, read and checked before anything is built."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.checkpoint import Stored, load_state
from snnsim.columns import Column
from snnsim.engine import Spikes
from snnsim.errors import InputError, Problem
from snnsim.network import Network
from snnsim.same import STATE, difference

_KINDS = {"f": "real numbers", "i": "whole numbers", "u": "whole numbers", "b": "booleans"}
_ANOTHER = "another version of snnsim wrote it"


@dataclass(frozen=True)
class Learned:
    """What changes in a plastic projection, checked and not yet read. whole: names of what is taken as arrays."""

    stored: Mapping[str, Stored]
    whole: Collection[str]

    def read(self) -> dict[str, np.ndarray | Stored]:
        """What ``Engine.set_plasticity`` takes."""
        return {name: np.asarray(values) if name in self.whole else values for name, values in self.stored.items()}


@dataclass(frozen=True)
class Checkpoint:
    """What ``Program.save`` wrote to `path`. done: steps; network: canonical YAML; base_dir: where its files are.

    Every part is asked for with what it must be; ``InputError`` where it is missing or something else.
    """

    path: Path
    arrays: Mapping[str, Stored]
    done: int
    network: str
    base_dir: Path | None

    def state(self, population: str, state: str, n: int, whole: bool) -> np.ndarray:
        """A state, [n]; whole: of whole numbers."""
        missing = f"state {state} of {n} units of {population}"
        return np.asarray(self._find(state_name(population, state), (n,), "i" if whole else "f", missing))

    def counts(self, n: int) -> np.ndarray:
        """Spikes of each of n populations until then."""
        return np.asarray(self._find("counts", (n,), "i", "spike counts"))

    def spikes(self, graded: bool) -> Spikes:
        """Spikes under way; graded: with payloads."""
        size = self.arrays["spikes/step"].shape[:1] if "spikes/step" in self.arrays else ()
        names = Spikes._fields if graded else Spikes._fields[:2]
        return Spikes(*(np.asarray(self._find(f"spikes/{name}", size or (0,), "i", f"{name}s of the spikes under way"))
                        for name in names))

    def plasticity(self, projection: str, like: Mapping[str, np.ndarray | Column]) -> Learned:
        """Everything that changes in a plastic projection; `like` has its names, shapes and kinds of numbers."""
        found = {name: self._find(plasticity_name(projection, name), values.shape, values.dtype.kind,
                                  f"{name} of the plastic projection {projection}") for name, values in like.items()}
        return Learned(found, [name for name, values in like.items() if isinstance(values, np.ndarray)])

    def refuse_others(self, names: Collection[str]) -> None:
        """``InputError`` where anything is there besides these, the counts and the spikes."""
        known = {"counts", *(f"spikes/{name}" for name in Spikes._fields), *names}
        if others := [name for name in self.arrays if name not in known]:
            raise self._wrong(f"holds {others[0]}, which is no part of the network")

    def _find(self, name: str, shape: tuple[int, ...], kind: str, missing: str) -> Stored:
        found = self.arrays.get(name)
        if found is None:
            raise self._wrong(f"holds no {missing}")
        if found.shape != shape or _KINDS[found.dtype.kind] != _KINDS[kind]:
            text = f"expected {_KINDS[kind]} {_shown(shape)}, found {found.dtype} {_shown(found.shape)}"
            raise self._wrong(f"{name}: {text}")
        return found

    def _wrong(self, text: str) -> InputError:
        return InputError(Problem(str(self.path), f"{text}: {_ANOTHER}"))


def state_name(population: str, state: str) -> str:
    """What a state is called in a checkpoint."""
    return f"states/{population}/{state}"


def plasticity_name(projection: str, name: str) -> str:
    """What a part of a plastic projection is called there."""
    return f"plasticity/{projection}/{name}"


def _shown(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def read_checkpoint(path: str | Path, net: Network | None = None, verify: bool = True) -> Checkpoint:
    """A checkpoint; ``InputError`` where it is none, or of another network than `net`, naming the first difference.

    verify: see ``snnsim.checkpoint.load_state``. Duration and recordings may differ: a state does not depend on them.
    """
    arrays, meta = load_state(path, verify)
    if not _is_of_network(meta):
        raise InputError(Problem(str(path), "is not a checkpoint of a network"))
    if net is not None and (differs := difference(meta["network"], net.to_yaml(), STATE)):
        raise InputError(Problem(str(path), f"is a checkpoint of another network: {differs}"))
    base = meta.get("base_dir")
    return Checkpoint(Path(path), arrays, meta["done"], meta["network"], None if base is None else Path(base))


def _is_of_network(meta: Any) -> bool:
    kinds: dict[str, Any] = {"network": str, "done": int, "base_dir": (str, type(None))}
    return isinstance(meta, dict) and all(isinstance(meta.get(key), kind) for key, kind in kinds.items())
