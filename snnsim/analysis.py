"""Statistics of spike trains: rates, intervals, synchrony, distances, complexity.

Trains are given as `times` in ms [K] with the `ids` [K] of their units, in any order, as `Result.spikes` gives them;
without ids all spikes belong to one train.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnsim.errors import InputError, Problem, unknown

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def rates(times: ArrayLike, ids: ArrayLike, n: int, duration: float, start: float = 0.0) -> Floats:
    """Rate of each of `n` units in Hz [n], over `duration` ms from `start`: spikes in (start, start + duration]."""
    if not duration > 0:
        raise InputError(Problem("duration", f"expected a positive number of ms, found {duration}"))
    times, ids = _trains(times, ids)
    inside = (times > start) & (times <= start + duration)
    return np.bincount(ids[inside], minlength=n).astype(np.float64) * (1000.0 / duration)


def isi(times: ArrayLike, ids: ArrayLike | None = None) -> Floats:
    """Intervals between successive spikes of the same unit in ms, unit after unit."""
    times, ids = _sorted(times, ids)
    return np.diff(times)[np.diff(ids) == 0]


def cv_isi(times: ArrayLike, ids: ArrayLike | None = None, n: int | None = None) -> Any:
    """Coefficient of variation (sd / mean) of the intervals: 1 for a Poisson process, 0 for a clock.

    A number for one train; with `ids` one per unit [n], NaN where a unit has fewer than two intervals.
    """
    times, units = _sorted(times, ids)
    same = np.diff(units) == 0
    intervals, owner = np.diff(times)[same], units[1:][same]
    n = n if n is not None else int(units.max(initial=-1)) + 1
    count = np.bincount(owner, minlength=max(n, 1)).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(owner, intervals, minlength=max(n, 1)) / count
        variance = np.bincount(owner, (intervals - mean[owner]) ** 2, minlength=max(n, 1)) / count
        cv = np.where(count >= 2, np.sqrt(variance) / mean, np.nan)
    return float(cv[0]) if ids is None else cv[:n]


def synchrony(times: ArrayLike, ids: ArrayLike, n: int, duration: float, window: float = 5.0) -> float:
    """Golomb's chi of spike counts in windows of `window` ms: 1 in full synchrony, about 1/sqrt(n) for independence.

    sd of the population mean over the root mean variance of the single units. NaN where nothing varies.
    Source: Golomb and Rinzel 1994, Physica D 72:259; Golomb 2007, Scholarpedia 2(1):1347.
    """
    times, ids = _trains(times, ids)
    which, bins = _windows(times, duration, window)
    inside = (which >= 0) & (which < bins)
    which, ids = which[inside], ids[inside]
    _, counts = np.unique(ids * bins + which, return_counts=True)
    per_unit = np.bincount(ids, minlength=n) / bins
    single = float(np.sum(counts.astype(float) ** 2)) / bins / n - float(np.mean(per_unit**2))
    whole = float(np.var(np.bincount(which, minlength=bins) / n))
    return float(np.sqrt(whole / single)) if single > 0 else float("nan")


def dispersion(times: ArrayLike, duration: float, window: float = 3.0, start: float = 0.0) -> float:
    """Variance over mean of how many spikes of all units fall into windows of `window` ms: 1 for independent Poisson
    trains, more where units fire together, and then in proportion to their number.

    Windows are counted from `start` on; a spike at a border ends the window before it, and what is left of `duration`
    after the last whole window is not counted. NaN without spikes.
    Source: the synchrony of Potjans and Diesmann 2014, Cereb. Cortex 24:785.
    """
    times, _ = _trains(times, None)
    which, bins = _windows(times - start, duration, window)
    counts = np.bincount(which[(which >= 0) & (which < bins)], minlength=bins)
    return float(counts.var() / counts.mean()) if counts.any() else float("nan")


def _windows(times: Floats, duration: float, window: float) -> tuple[Ints, int]:
    """The window of each spike, and how many windows there are; a spike at a border ends the window before it."""
    return np.ceil(times / window - 1e-9).astype(np.int64) - 1, max(1, int(np.floor(duration / window + 1e-9)))


def spike_distance(
    first: tuple[ArrayLike, ArrayLike] | ArrayLike, second: tuple[ArrayLike, ArrayLike] | ArrayLike,
    tau: float = 10.0, kind: str = "van_rossum",
) -> float:
    """Distance of two recordings, (times, ids) or the times of one train each; 0 if they are equal.

    van_rossum: root of the sum over units of (1/tau) times the integral of the squared difference of the trains, each
    spike replaced by exp(-t/tau); one spike more or less counts sqrt(1/2) (van Rossum 2001, Neural Comput. 13:751).
    victor_purpura: sum over units of the least cost of turning one train into the other; a spike added or removed
    costs 1, one shifted by t costs t/tau (Victor and Purpura 1996, J. Neurophysiol. 76:1310).
    """
    distances = {"van_rossum": _van_rossum, "victor_purpura": _victor_purpura}
    if kind not in distances:
        raise InputError(Problem("kind", unknown("spike distance", kind, distances)))
    if not tau > 0:
        raise InputError(Problem("tau", f"expected a positive number of ms, found {tau}"))
    return distances[kind](_pair(first), _pair(second), tau)


def _pair(trains: Any) -> tuple[Floats, Ints]:
    return _sorted(*trains) if isinstance(trains, tuple) else _sorted(trains, None)


def _van_rossum(first: tuple[Floats, Ints], second: tuple[Floats, Ints], tau: float) -> float:
    times, ids, signs = _difference(first, second)
    # What earlier spikes of the same unit have left: m[k] = (m[k-1] + s[k-1]) exp(-(t[k] - t[k-1])/tau)
    decay = np.zeros(len(times))
    decay[1:] = np.exp(-np.where(np.diff(ids) == 0, np.diff(times), np.inf) / tau)
    left = _recurrence(decay, decay * np.concatenate([[0.0], signs[:-1]])[: len(signs)])
    return float(np.sqrt(max(0.0, 0.5 * float(np.sum(signs * (signs + 2 * left))))))


def _difference(first: tuple[Floats, Ints], second: tuple[Floats, Ints]) -> tuple[Floats, Ints, Floats]:
    """Times, ids and signed counts of the spikes that the two do not share."""
    times, ids = (np.concatenate(both) for both in zip(first, second, strict=True))
    signs = np.repeat([1.0, -1.0], [len(first[0]), len(second[0])])
    order = np.lexsort((times, ids))
    times, ids, signs = times[order], ids[order], signs[order]
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(times) != 0) | (np.diff(ids) != 0)])[: len(times)])
    counts = np.add.reduceat(signs, begins) if len(begins) else signs
    keep = begins[counts != 0]
    return times[keep], ids[keep], counts[counts != 0]


def _recurrence(factor: Floats, term: Floats) -> Floats:
    """m[k] = factor[k] m[k-1] + term[k], by doubling."""
    factor, total, reach = factor.copy(), term.copy(), 1
    while reach < len(total) and np.any(factor):
        total[reach:] += factor[reach:] * total[:-reach].copy()
        factor[reach:] *= factor[:-reach].copy()
        factor[:reach] = 0.0
        reach *= 2
    return total


def _victor_purpura(first: tuple[Floats, Ints], second: tuple[Floats, Ints], tau: float) -> float:
    units = np.union1d(first[1], second[1])
    return float(sum(_edit_cost(_of(first, unit), _of(second, unit), tau) for unit in units))


def _of(trains: tuple[Floats, Ints], unit: int) -> Floats:
    times, ids = trains
    return times[np.searchsorted(ids, unit) : np.searchsorted(ids, unit, side="right")]


def _edit_cost(a: Floats, b: Floats, tau: float) -> float:
    """Dynamic programme over prefixes, a row at a time."""
    columns = np.arange(len(b) + 1, dtype=float)
    row = columns.copy()
    for i, time in enumerate(a, start=1):
        best = np.empty_like(row)
        best[0] = i
        best[1:] = np.minimum(row[1:] + 1, row[:-1] + np.abs(b - time) / tau)
        # Adding spikes of b costs 1 each: the running minimum of best[j] - j.
        row = np.minimum.accumulate(best - columns) + columns
    return float(row[-1])


def lz_complexity(bits: ArrayLike | Sequence[Any] | str, normalized: bool = False) -> Any:
    """Lempel-Ziv complexity (1976) of a sequence of symbols: the number of words of its exhaustive history.

    Each word is the shortest one that does not occur earlier, overlaps allowed; an unfinished last word counts. An
    array of more dimensions is read row by row. normalized: c log2(n)/n, about 1 for random bits.
    Takes time in proportion to n. Source: Lempel and Ziv 1976, IEEE Trans. Inf. Theory 22:75; the bookkeeping is the
    suffix automaton of Blumer et al. 1985, Theor. Comput. Sci. 40:31.
    """
    symbols = list(bits) if isinstance(bits, str) else np.asarray(bits).ravel().tolist()
    words = _count_words(symbols)
    if not normalized:
        return words
    return words * float(np.log2(len(symbols))) / len(symbols) if len(symbols) > 1 else float(words)


def _count_words(symbols: list[Any]) -> int:
    automaton = _SuffixAutomaton()
    words, state, length = 0, 0, 0  # the word read so far: its state, its length
    for symbol in symbols:
        state, length = automaton.arrows[state].get(symbol, -1), length + 1
        copy = automaton.extend(symbol, state)
        if state < 0:  # not seen before: the word is complete
            words, state, length = words + 1, 0, 0
        elif copy is not None and length <= automaton.longest[copy]:
            state = copy
    return words + (length > 0)


class _SuffixAutomaton:
    """All substrings of a growing text. A state stands for those that end at the same places."""

    def __init__(self) -> None:
        self.arrows: list[dict[Any, int]] = [{}]
        self.longest, self.link, self.last = [0], [-1], 0

    def _add(self, longest: int, link: int, arrows: dict[Any, int]) -> int:
        self.longest.append(longest)
        self.link.append(link)
        self.arrows.append(arrows)
        return len(self.longest) - 1

    def extend(self, symbol: Any, watched: int) -> int | None:
        """Append a symbol; if the state `watched` had to be split, the new state of its shorter strings."""
        at, self.last = self.last, self._add(self.longest[self.last] + 1, 0, {})
        while at >= 0 and symbol not in self.arrows[at]:
            self.arrows[at][symbol] = self.last
            at = self.link[at]
        if at < 0:
            return None
        target = self.arrows[at][symbol]
        if self.longest[target] == self.longest[at] + 1:
            self.link[self.last] = target
            return None
        copy = self._split(at, symbol, target)
        self.link[self.last] = copy
        return copy if target == watched else None

    def _split(self, at: int, symbol: Any, target: int) -> int:
        copy = self._add(self.longest[at] + 1, self.link[target], dict(self.arrows[target]))
        self.link[target] = copy
        while at >= 0 and self.arrows[at].get(symbol) == target:
            self.arrows[at][symbol] = copy
            at = self.link[at]
        return copy


def _trains(times: ArrayLike, ids: ArrayLike | None) -> tuple[Floats, Ints]:
    times = np.asarray(times, dtype=np.float64).ravel()
    ids = np.zeros(len(times), dtype=np.int64) if ids is None else np.asarray(ids, dtype=np.int64).ravel()
    if len(times) != len(ids):
        raise InputError(Problem("ids", f"expected one id per time, found {len(ids)} ids for {len(times)} times"))
    return times, ids


def _sorted(times: ArrayLike, ids: ArrayLike | None) -> tuple[Floats, Ints]:
    times, ids = _trains(times, ids)
    order = np.lexsort((times, ids))
    return times[order], ids[order]
