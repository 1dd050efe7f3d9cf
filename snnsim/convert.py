"""Recordings and networks in other formats.

| from | to |
|---|---|
| ``.yaml`` | ``.yaml``: the canonical form |
| HDF5 (ours, or SONATA spikes), a folder | ``.h5``, ``folder/``, ``.csv``, ``.npz``, ``.txt``, ``.yaml`` |
| ``.csv``, ``.npz`` as written here | the same |
| ``.nir`` | ``.yaml``, with the arrays in an npz file beside it |
| ``.yaml`` | ``.nir`` |
| ``.net``, ``.net.xz`` of lava-dl | ``.yaml``, with the arrays in an npz file beside it |

``.txt`` is for Neo's AsciiSpikeTrainIO; ``.yaml`` is the network that the recording holds.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnsim.errors import InputError, Problem, UnavailableError
from snnsim.recording.layout import FILE_SUFFIXES, RecordingPlan, is_folder
from snnsim.recording.memory import MemoryStore
from snnsim import result as results
from snnsim.result import Result

if TYPE_CHECKING:
    from neo import Block

YAML = (".yaml", ".yml")
NETX = (".net", ".net.xz")
_COLUMNS = ["population", "node_id", "time_ms"]


def convert(
    source: str | Path, target: str | Path, compress: bool = False, overwrite: bool = False, **nir: Any
) -> Path:
    """Convert `source` into `target`; the formats are told by the names (see the module's table).

    compress: gzip + shuffle where `target` is HDF5. A ``target`` ending in ``/`` is a folder. nir: `dt`, `reading` and
    `reset` of ``snnsim.nir.read``, where the source is NIR. Raises ``InputError`` for formats that are not known, a
    missing source, or a target that exists (unless `overwrite`).
    """
    source, path = Path(source), Path(target)
    choices = {key: value for key, value in nir.items() if value is not None}
    if choices and not _is_nir(source):
        raise InputError(Problem(str(source), f"{', '.join(choices)}: for a source in NIR only (.nir)"))
    if compress and path.suffix.lower() not in FILE_SUFFIXES:
        raise InputError(Problem(str(path), "compress is for HDF5 files (.h5)"))
    if _is_nir(source) or _is_nir(path):
        _nir(source, path, overwrite, choices)
        return path
    if source.name.lower().endswith(NETX):
        _netx(source, path, overwrite)
        return path
    if source.suffix.lower() in YAML:
        _write_text(path, _canonical(source, path), overwrite)
        return path
    result = read(source)
    suffix = path.suffix.lower()
    if suffix in FILE_SUFFIXES or (not suffix and is_folder(target)):
        result.save(target, overwrite, compress)
        return path
    if suffix not in _WRITERS:
        raise InputError(Problem(str(path), f"expected a name ending in {', '.join(['.h5', *_WRITERS])} or /"))
    _check_target(path, overwrite)
    _WRITERS[suffix](result, path)
    return path


def read(path: str | Path) -> Result:
    """A recording from HDF5, a folder, or what `convert` wrote as ``.csv`` or ``.npz``."""
    path = Path(path)
    if not path.exists():
        raise InputError(Problem(str(path), "no such file"))
    if path.suffix.lower() in _READERS:
        return _in_memory(dict(_READERS[path.suffix.lower()](path)))
    return results.open(path)


def to_neo(result: Result) -> Block:
    """The recording as a Neo block: a segment per population with a spike train per recorded unit, lazily made.

    Raises ``UnavailableError`` where Neo is not installed.
    """
    try:
        import neo
        from neo.core.spiketrainlist import SpikeTrainList
    except ImportError as error:
        raise UnavailableError("Neo is not installed: pip install neo") from error
    block = neo.Block(name="snnsim", network=result.network_yaml)
    for name in result.populations:
        segment = neo.Segment(name=name)
        times, ids = result.spikes(name)
        segment.spiketrains = SpikeTrainList.from_spike_time_array(
            times, ids, all_channel_ids=result.units(name), units="ms", t_start=0.0, t_stop=max(result.duration, 1e-9)
        )
        block.segments.append(segment)
    return block


def _is_nir(path: Path) -> bool:
    return path.suffix.lower() == ".nir"


def _nir(source: Path, target: Path, overwrite: bool, choices: dict[str, Any]) -> None:
    from snnsim.nir import read as read_nir
    from snnsim.nir.converting import file_to_yaml, yaml_to_nir

    if _is_nir(source) and target.suffix.lower() in YAML:
        file_to_yaml(read_nir, source, target, overwrite, choices)
    elif _is_nir(target) and source.suffix.lower() in YAML:
        yaml_to_nir(source, target, overwrite)
    else:
        raise InputError(Problem(str(target), f"NIR is converted from and to YAML only, found {source.name}"))


def _netx(source: Path, target: Path, overwrite: bool) -> None:
    from snnsim.deploy.netx import read as read_netx
    from snnsim.nir.converting import file_to_yaml

    if target.suffix.lower() not in YAML:
        raise InputError(Problem(str(target), f"a network of lava-dl is converted to YAML only, found {source.name}"))
    file_to_yaml(read_netx, source, target, overwrite, {})


def _canonical(source: Path, target: Path) -> str:
    if target.suffix.lower() not in YAML:
        raise InputError(Problem(str(target), "a network in YAML can be converted to .yaml and .nir only"))
    from snnsim.config import load

    return load(source).to_yaml()


def _check_target(path: Path, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise InputError(Problem(str(path), f"the folder {path.parent} does not exist"))
    if path.exists() and not overwrite:
        raise InputError(Problem(str(path), "exists already; choose another name, or overwrite=True to replace it"))


def _write_text(path: Path, text: str, overwrite: bool) -> None:
    _check_target(path, overwrite)
    path.write_text(text, encoding="utf-8")


def _to_yaml(result: Result, path: Path) -> None:
    if not result.network_yaml:
        raise InputError(Problem(str(result.path), "holds no network"))
    path.write_text(result.network_yaml, encoding="utf-8")


def _to_csv(result: Result, path: Path) -> None:
    """One line per spike; the times are written so that reading gives the same float64.

    Where some population sends payloads there is a column for them, which is empty for the others.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, "payload"] if result.graded else _COLUMNS)
        for name in result.populations:
            empty = [""] if result.graded and name not in result.graded else []
            for times, ids, *sent in result.message_blocks(name):
                columns = [ids, times, *sent, *(np.full(len(ids), text) for text in empty)]
                writer.writerows(zip([name] * len(ids), *(column.tolist() for column in columns), strict=True))


def _to_npz(result: Result, path: Path) -> None:
    """Arrays ``<population>/times``, ``/ids``, ``/n``, ``/payloads``; ``<population>/<variable>/data``, ``/times``,
    ``/units``; ``snnsim/weights/<name>/values``, ``/times``, ``/source``, ``/target``.
    """
    arrays: dict[str, NDArray[Any]] = {"dt_ms": np.array(result.dt), "steps": np.array(result.steps)}
    for name in result.populations:
        times, ids = result.spikes(name)
        arrays |= {f"{name}/times": times, f"{name}/ids": ids, f"{name}/n": np.array(result.size(name))}
        arrays |= {f"{name}/payloads": result.payloads(name)} if name in result.graded else {}
    for population, variable in result.traces:
        trace, key = result.trace(population, variable), f"{population}/{variable}"
        arrays |= {f"{key}/data": trace.data, f"{key}/times": trace.times, f"{key}/units": trace.units}
    for name in result.weight_names:
        weights = result.weights(name)
        columns = {"values": weights.values, "times": weights.times, "source": weights.source, "target": weights.target}
        arrays |= {f"snnsim/weights/{name}/{column}": values for column, values in columns.items()}
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _to_neo_text(result: Result, path: Path) -> None:
    """A line of times in ms per unit that spiked, population after population.

    For ``neo.io.AsciiSpikeTrainIO``, which fails at an empty line: silent units are left out.
    """
    with path.open("w", encoding="utf-8") as file:
        for name in result.populations:
            times, ids = result.spikes(name)
            order = np.lexsort((times, ids))
            borders = np.flatnonzero(np.diff(ids[order])) + 1
            for train in np.split(times[order], borders) if len(ids) else []:
                file.write("\t".join(map(repr, train.tolist())) + "\n")


class _Trains(NamedTuple):
    """Spikes of a population: times in ms, units, what they carry (nothing where they carry none), how many units."""

    times: Any
    ids: Any
    payloads: Any
    n: int | None = None


def _from_csv(path: Path) -> Iterator[tuple[str, _Trains]]:
    spikes: dict[str, _Trains] = {}
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        if header not in (_COLUMNS, [*_COLUMNS, "payload"]):
            raise InputError(Problem(str(path), f"expected the columns {', '.join(_COLUMNS)}"))
        for row in lines:
            try:
                name, unit, time, payload = row if len(header) > len(_COLUMNS) else [*row, ""]
                trains = spikes.setdefault(name, _Trains([], [], []))
                trains.ids.append(int(unit))
                trains.times.append(float(time))
                trains.payloads.extend(map(int, [payload] if payload else []))
                if len(trains.payloads) not in (0, len(trains.ids)):
                    raise ValueError
            except ValueError as error:
                text = f"expected {','.join(header)}, found {','.join(row)}"
                raise InputError(Problem("", text, str(path), lines.line_num)) from error
    yield from spikes.items()


def _from_npz(path: Path) -> Iterator[tuple[str, _Trains]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            names = [name.removesuffix("/ids") for name in file.files if name.endswith("/ids")]
            found = [(name, _Trains(file[f"{name}/times"], file[f"{name}/ids"], file.get(f"{name}/payloads", ()),
                                    int(file[f"{name}/n"]))) for name in names]
    except (ValueError, KeyError, OSError) as error:
        raise InputError(Problem(str(path), "expected arrays <population>/times, /ids and /n")) from error
    yield from found


def _in_memory(found: dict[str, _Trains]) -> Result:
    sizes = {name: trains.n if trains.n is not None else max(trains.ids, default=-1) + 1
             for name, trains in found.items()}
    graded = frozenset(name for name, trains in found.items() if len(trains.payloads))
    store = MemoryStore(RecordingPlan(dt=float("nan"), populations=sizes, graded=graded))
    for name, trains in found.items():
        times, ids = np.asarray(trains.times, dtype=np.float64), np.asarray(trains.ids, dtype=np.int64)
        order = np.lexsort((ids, times))
        sent = [np.asarray(trains.payloads, dtype=np.int64)[order]] if name in graded else []
        store.spikes(name, times[order], ids[order], *sent)
    store.finish({})
    return Result([store])


_WRITERS: dict[str, Callable[[Result, Path], None]] = {
    ".csv": _to_csv, ".npz": _to_npz, ".txt": _to_neo_text, ".yaml": _to_yaml, ".yml": _to_yaml
}
_READERS: dict[str, Callable[[Path], Iterator[Any]]] = {".csv": _from_csv, ".npz": _from_npz}
