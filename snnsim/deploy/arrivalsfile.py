"""What the host adds to ports, as an HDF5 file of five columns."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from snnsim.deploy.graph import Arrivals

COLUMNS = ("step", "group", "port", "unit", "weight")


def save_arrivals(arrivals: Arrivals, path: str | Path) -> None:
    """Write the columns, int64 [arrivals] each."""
    with h5py.File(path, "w") as file:
        for name in COLUMNS:
            values = np.asarray(getattr(arrivals, name), np.int64)
            packed = {"compression": "gzip", "shuffle": True} if values.size else {}
            file.create_dataset(name, data=values, **packed)


def load_arrivals(path: str | Path) -> Arrivals:
    """What ``save_arrivals`` wrote; ``KeyError`` where a column is missing."""
    with h5py.File(path, "r") as file:
        return Arrivals(*(file[name][()] for name in COLUMNS))
