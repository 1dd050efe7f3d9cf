"""Spike times from files: SONATA HDF5 in its old and its new layout (snnsim's own recordings too), or CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from snnsim.errors import InputError, Problem, did_you_mean, unknown
from snnsim.arrays import read_columns
from snnsim.files import find, read_numbers, read_whole
from snnsim.units import TIME

Spikes = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]
IDS = ("node_ids", "gids", "ids", "id", "senders")
TIMES = ("timestamps", "times", "time", "time_ms")
POPULATIONS = ("population", "populations")


def read_spikes(file: str | Path, base_dir: Path | None = None, population: str | None = None) -> Spikes:
    """Times in ms and ids of the spikes of a file, sorted by time, then id.

    file: HDF5 with ``/spikes/<population>/{timestamps, node_ids}`` or ``/spikes/{timestamps, gids}`` (unit: attribute
        `units` of the timestamps, else ms), or CSV with columns such as `timestamps` (ms), `node_ids` and, where there
        are several, `population`.
    population: which one; may be left out where the file holds only one.

    Raises ``InputError``: not such a file, no such population, times that are not finite, ids below 0.
    """
    path = find(file, base_dir)
    with path.open("rb") as opened:
        is_hdf5 = opened.read(8) == b"\x89HDF\r\n\x1a\n"
    times, ids = _from_hdf5(path, population) if is_hdf5 else _from_csv(path, population)
    if len(times) != len(ids):
        raise InputError(f"{path.name}: expected as many times as ids, found {len(times)} and {len(ids)}")
    order = np.lexsort((ids, times))
    return times[order], ids[order]


def _from_hdf5(path: Path, population: str | None) -> Spikes:
    try:
        with h5py.File(path, "r") as file:
            group, ids, unit = _layout(file, path, population)
    except OSError as error:
        raise InputError(f"{path.name}: damaged or unreadable: {error}") from error
    times = read_numbers({"file": path, "key": f"{group}/timestamps", "unit": unit}, TIME)
    return times, read_whole({"file": path, "key": f"{group}/{ids}"})


def _layout(file: h5py.File, path: Path, population: str | None) -> tuple[str, str, str]:
    """Group with the spikes, name of its ids, unit of its times."""
    spikes = file.get("spikes")
    if not isinstance(spikes, h5py.Group):
        raise InputError(f"{path.name}: expected spikes as SONATA has them, in a group /spikes")
    group = spikes if "timestamps" in spikes else spikes[_only(list(spikes), population, path)]
    ids = next((name for name in IDS[:2] if name in group), None)
    if ids is None or "timestamps" not in group:
        raise InputError(f"{path.name}: expected timestamps and node_ids in {group.name}, found {_listed(group)}")
    unit = group["timestamps"].attrs.get("units", "ms")
    return group.name.strip("/"), ids, _unit(unit.decode() if isinstance(unit, bytes) else str(unit))


def _listed(group: Any) -> str:
    return ", ".join(group) or "nothing"


def _unit(name: str) -> str:
    return {"milliseconds": "ms", "millisecond": "ms", "seconds": "s", "second": "s"}.get(name, name)


def _only(names: list[str], population: str | None, path: Path) -> str:
    if population is None and len(names) == 1:
        return names[0]
    if population is None:
        raise InputError(Problem("population", f"missing; {path.name} holds {len(names)}: {_listed(names)}"))
    if population not in names:
        raise InputError(Problem("population", unknown(f"population of {path.name}", population, names)))
    return population


def _from_csv(path: Path, population: str | None) -> Spikes:
    names, delimiter, skip = read_columns(path)
    times, ids = (_column(path, names, known) for known in (TIMES, IDS))
    spikes = read_numbers({"file": path, "key": times, "unit": "ms"}, TIME), read_whole({"file": path, "key": ids})
    column = next((names.index(name) for name in POPULATIONS if name in names), None)
    if column is None:
        return spikes
    of = np.loadtxt(path, str, None, delimiter, skiprows=skip, usecols=column, ndmin=1, quotechar='"',
                    encoding="utf-8-sig")
    mine = of == _only(np.unique(of).tolist(), population, path)
    return spikes[0][mine], spikes[1][mine]


def _column(path: Path, names: list[str], known: tuple[str, ...]) -> str:
    column = next((name for name in known if name in names), None)
    if column is None:
        raise InputError(f"{path.name}: expected a column {known[0]!r}, found {', '.join(names)}"
                         f"{did_you_mean(known[0], names)}")
    return column
