"""Given spikes: ``times: {unit: [...]}``, ``ids`` with ``times``, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.checked import found
from snnsim.distributions.spec import Reader, value_from_spec
from snnsim.errors import InputError, Problem, Problems
from snnsim.files import read_whole
from snnsim.graph import Floats, Ids, Train
from snnsim.timing import check_range
from snnsim.units import TIME

KEYS = ("times", "ids", "file", "population")


def read_train(given: Mapping[str, Any], n: int, dt: float, base_dir: Path | None) -> Train:
    """Spikes of ids below `n`.

    given: `times` as a mapping from id to times; `ids` and `times`, in any order, repeats counting; or `file`, with
        `population` where it holds several.
    dt: length of a step in ms; times are rounded to the nearest step.

    Raises ``InputError`` for ids from n on, negative times, and arrays that do not fit together.
    """
    given = {key: value for key, value in given.items() if value is not None}
    ids, times = _arrays(given, dt, base_dir)
    if len(ids) != len(times):
        raise InputError(Problem("times", f"expected {len(ids)} times, one for each of the ids, found {len(times)}"))
    key = "file" if "file" in given else "ids" if "ids" in given else "times"
    if len(ids) and ids.max() >= n:
        raise InputError(Problem(key, f"expected ids below {n}, the number of units, found {ids.max()}"))
    if len(times) and times.min() < 0:
        raise InputError(Problem("times", f"expected times from 0 on, found {times.min():g} ms"))
    check_range(times.max(initial=0.0), dt, "times")
    steps = np.floor(times / dt + 0.5).astype(np.int64)
    order = np.lexsort((ids, steps))
    return Train(ids[order], steps[order], dict(given))


def _arrays(given: Mapping[str, Any], dt: float, base_dir: Path | None) -> tuple[Ids, Floats]:
    if "file" in given:
        return _from_file(given, base_dir)
    if "times" not in given:
        raise InputError("missing key 'times': {id: [times]}, or a list together with 'ids'; or 'file'")
    if "ids" not in given:
        return _from_mapping(given["times"], dt)
    problems, ids, times = Problems(), np.zeros(0, np.int64), np.zeros(0)
    with problems.at("ids"):
        ids = read_whole(given["ids"], base_dir)
    with problems.at("times"):
        value = value_from_spec(given["times"], TIME, base_dir, dt)
        if value.size is None:
            raise InputError(f"expected a list of times, found {found(given['times'])}")
        times = value.draw(None, (0, value.size))  # type: ignore[arg-type]
    problems.check()
    return ids, times


def _from_mapping(spec: Any, dt: float) -> tuple[Ids, Floats]:
    if not isinstance(spec, Mapping) or "file" in spec:
        raise InputError(Problem("times", f"expected {{id: [times]}} where there is no 'ids', found {found(spec)}"))
    problems, read = Problems(), Reader(TIME, None, dt)
    ids: list[int] = []
    times: list[float] = []
    for unit, texts in spec.items():
        with problems.at("times", unit):
            if isinstance(unit, bool) or not isinstance(unit, (int, np.integer)) or unit < 0:
                raise InputError(f"expected an id, a whole number from 0 on, found {found(unit)}")
            several = read.several(texts)
            times += several
            ids += [int(unit)] * len(several)
    problems.check()
    return np.array(ids, np.int64), np.array(times, float)


def _from_file(given: Mapping[str, Any], base_dir: Path | None) -> tuple[Ids, Floats]:
    from snnsim.spike_files import read_spikes

    if clash := [key for key in ("times", "ids") if key in given]:
        raise InputError(Problem(clash[0], "the spikes come from 'file'; leave this out"))
    times, ids = read_spikes(given["file"], base_dir, given.get("population"))
    return ids, times
