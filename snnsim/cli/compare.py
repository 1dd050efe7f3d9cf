"""``snnsim compare``: one network on several backends, and where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnsim.cli.output import Config, Duration, Json, Quiet, Settings, Threads, check_duration, print_json, print_table
from snnsim.cli.progress import Progress
from snnsim.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from snnsim.network import Network
    from snnsim.recording.recorded import Weights
    from snnsim.result import Result

Names = Annotated[str, typer.Option("--backends", metavar="A,B", help="The others are compared to the first.")]
COLUMNS = ("backend", "spikes", "first_difference", "spike_distance", "trace_error", "weight_error", "first_weight",
           "rtf")
# Recorded weights differ where they do by more than this part of the largest of them.
WEIGHT_TOLERANCE = 1e-6


def compare(
    config: Config,
    backends: Names = "reference,cpu",
    duration: Duration = None,
    threads: Threads = None,
    settings: Settings = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """One network on several backends.

    Prints the first spike that differs from the first backend's, the spike-train distance (van Rossum, 10 ms), the
    largest difference of a recorded state and of a recorded weight, where weights first differ, and the speed.
    """
    import snnsim
    from snnsim.lowering import make_plan
    from snnsim.registry import adapted, choose

    names = [name.strip() for name in backends.split(",") if name.strip()]
    if len(names) < 2:
        raise InputError(f"--backends: expected two names or more such as reference,cpu, found {backends!r}")
    check_duration(duration)
    network = snnsim.load(config, settings or ())
    network.record(spikes=[name for name, population in network.populations.items()
                           if population.model.spiking and name not in network.recording.spikes])
    networks = [adapted(name, network) for name in names]
    for name, each in zip(names, networks, strict=True):  # all faults before the first run
        choose(name, make_plan(each))
    results = [_result(each, duration, name, threads, quiet) for name, each in zip(names, networks, strict=True)]
    rows = [_row(results[0], result) for result in results]
    if as_json:
        print_json(rows)
        return
    cells = [["-" if row[column] is None else row[column] for column in COLUMNS] for row in rows]
    print_table([column.replace("_", " ") for column in COLUMNS], cells)


def _result(network: Network, duration: str | None, backend: str, threads: int | None, quiet: bool) -> Result:
    import snnsim

    with Progress(network.dt, shown=not quiet) as progress:
        return snnsim.run(network, duration, backend=backend, threads=threads, progress=progress)


def _row(expected: Result, found: Result) -> dict[str, Any]:
    return {
        "backend": found.summary["backend"],
        "spikes": sum(map(found.count, found.populations)),
        "first_difference": first_difference(expected, found),
        "spike_distance": _spike_distance(expected, found),
        "trace_error": trace_error(expected, found),
        "weight_error": _weight_error(expected, found),
        "first_weight": first_weight(expected, found),
        "rtf": found.summary["rtf"],
    }


def first_difference(expected: Result, found: Result) -> str | None:
    """The earliest spike that only one of two results has, as ``"exc[17] at 12.3 ms"``; None where all are equal.

    Or that carries another payload, as ``"exc[17] at 12.3 ms, 5 and 6"``.
    """
    earliest: list[tuple[int, int, str, str]] = []
    for population in expected.populations:
        differing = [(int(keys[0]), text) for keys, text in (_only_one(expected, found, population),
                                                             _carry_other(expected, found, population)) if len(keys)]
        earliest += [(*divmod(key, expected.size(population)), population, text) for key, text in differing]
    if not earliest:
        return None
    step, unit, population, text = min(earliest)
    return f"{population}[{unit}] at {step * expected.dt:g} ms{text}"


def _only_one(expected: Result, found: Result, population: str) -> tuple[NDArray[np.int64], str]:
    """Spikes that only one of two results has."""
    import numpy as np

    return np.setxor1d(_keys(expected, population), _keys(found, population)), ""


def _carry_other(expected: Result, found: Result, population: str) -> tuple[NDArray[np.int64], str]:
    """Spikes of both that carry another payload, and the payloads of the first of them."""
    import numpy as np

    first, second = _keys(expected, population), _keys(found, population)
    keys, here, there = np.intersect1d(first, second, return_indices=True)
    one, other = expected.payloads(population)[here], found.payloads(population)[there]
    wrong = np.flatnonzero(one != other)
    return keys[wrong], f", {one[wrong[0]]} and {other[wrong[0]]}" if wrong.size else ""


def _keys(result: Result, population: str) -> NDArray[np.int64]:
    """One number for each spike, in order of time, then id."""
    steps, ids = result.steps_of(population)
    return steps * result.size(population) + ids


def _spike_distance(expected: Result, found: Result) -> float:
    """Van Rossum distance over all units, tau 10 ms."""
    from snnsim.analysis import spike_distance

    each = [spike_distance(expected.spikes(name), found.spikes(name)) for name in expected.populations]
    return float(sum(distance**2 for distance in each) ** 0.5)


def trace_error(expected: Result, found: Result) -> float | None:
    """The largest difference of a recorded state, in its own unit; None where none is recorded."""
    import numpy as np

    differences = [np.abs(expected.trace(*key) - found.trace(*key)) for key in expected.traces]
    return max((float(each.max(initial=0.0)) for each in differences), default=None)


# --- recorded weights ------------------------------------------------------------------------------------------------

def _weight_error(expected: Result, found: Result) -> float | None:
    """The largest difference of a recorded weight, in its own unit; None where none is recorded."""
    sizes = [_apart(expected.weights(name), found.weights(name))[0] for name in expected.weight_names]
    return max((float(each.max(initial=0.0)) for each in sizes), default=None)


def first_weight(expected: Result, found: Result) -> str | None:
    """The earliest recorded weight that differs by more than the tolerance, or that only one of two results has.

    As ``"course[3->17] at 12.3 ms"``, with the name of the recording, source and target; None where all are equal.
    """
    places = [(place[0], name, *place[1:]) for name in expected.weight_names
              if (place := _first_apart(expected.weights(name), found.weights(name))) is not None]
    if not places:
        return None
    time, name, source, target = min(places)
    return f"{name}[{source}->{target}] at {time:g} ms"


def _first_apart(a: Weights, b: Weights) -> tuple[float, int, int] | None:
    """Time, source and target of the first weight of a recording that differs."""
    import numpy as np

    difference, common = _apart(a, b)
    # Written so that what is not a number differs.
    wrong = np.argwhere(~(difference <= WEIGHT_TOLERANCE * np.abs(a.values).max(initial=0.0)))
    if wrong.size:
        row, synapse = wrong[0][0], wrong[0][-1]
        return float(a.times[row]), int(a.source[synapse]), int(a.target[synapse])
    rest = [(float(each.times[common]), int(each.source[common]), int(each.target[common])) for each in (a, b)
            if each.values.ndim == 1 and len(each.times) > common]
    return min(rest, default=None)


def _apart(a: Weights, b: Weights) -> tuple[NDArray[np.float64], int]:
    """Differences of the weights that both have, and how many rows they fill: up to the first event of one alone."""
    import numpy as np

    common = min(len(a.times), len(b.times))
    if a.values.ndim == 1:
        events = [np.stack([each.times[:common], each.source[:common], each.target[:common]]) for each in (a, b)]
        other = np.flatnonzero((events[0] != events[1]).any(axis=0))
        common = int(other[0]) if other.size else common
    return np.abs(a.values[:common].astype(np.float64) - b.values[:common]), common
