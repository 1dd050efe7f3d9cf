"""Where the arrays of a network from NIR are kept: in it, or in an npz file that it names."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.network import Network
from snnsim.nir.flow import Flow
from snnsim.nir.graph import Array
from snnsim.units import TIME, Quantity, to_text

FEW = 1 << 16   # numbers that may stand in the YAML of a network


class Arrays:
    """Keeps arrays in `path`, an npz file, or, where it is None, in the network itself.

    temporary: the file is removed with the network.
    """

    def __init__(self, path: Path | None, temporary: bool = False) -> None:
        self.path, self.temporary, self.kept = path, temporary, dict[str, Array]()
        self.saved = False

    @property
    def base_dir(self) -> Path | None:
        """What the network names its files relative to."""
        return None if self.path is None or self.temporary else self.path.parent

    def keep(self, key: str, values: Array, unit: str = "") -> Any:
        """A value spec for `values`; `unit` is "" or ms. One number that all share is said as such."""
        if values.dtype.kind == "f" and len(values) and (values == values[0]).all():
            return to_text(float(values[0]), TIME) if unit else float(values[0])
        if self.path is None:
            return Quantity(values, TIME) if unit else values
        self.kept[key] = values
        name = str(self.path) if self.temporary else self.path.name
        return {"file": name, "key": key} | ({"unit": unit} if unit else {})

    def save(self) -> None:
        """Write the file, if anything goes there."""
        if self.path is not None and self.kept:
            np.savez_compressed(self.path, allow_pickle=False, **self.kept)
            self.saved = True

    def discard(self) -> None:
        """Remove what was written, since no network came of it."""
        if self.path is not None and self.temporary:
            shutil.rmtree(self.path.parent, ignore_errors=True)
        elif self.path is not None and self.saved:
            self.path.unlink(missing_ok=True)

    def bound_to(self, net: Network) -> Network:
        """`net`, whose end is that of a temporary file."""
        if self.temporary and self.path is not None:
            weakref.finalize(net, shutil.rmtree, self.path.parent, ignore_errors=True)
            net.notes.append("the arrays are in a temporary file as long as this network is there; name one by arrays= "
                             "to keep it")
        return net


def arrays_for(flow: Flow, path: Path | None) -> Arrays:
    """A place for the arrays of a graph: `path` if given."""
    return place_for(sum(3 * len(m.weight) for signal in flow.received.values() for m in signal.maps.values()), path)


def place_for(numbers: int, path: Path | None) -> Arrays:
    """A place for so many numbers: `path` if given, the network itself for few, else a temporary file."""
    if path is not None or numbers <= FEW:
        return Arrays(path)
    return Arrays(Path(tempfile.mkdtemp(prefix="snnsim-")) / "arrays.npz", temporary=True)
