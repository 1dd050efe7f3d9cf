"""The figures of a deployment's report, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snnsim.deploy.fidelity import Compared, Fidelity
from snnsim.deploy.matching import aligned, partners
from snnsim.plot import bands, colour
from snnsim.report.pieces import drawn
from snnsim.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RASTER_MS, RASTER_SPIKES = 500.0, 40_000  # shown of a recording; of more spikes, units are left out
FEW_ROWS = 300  # units in a raster with lines in place of dots
MOST_DOTS = 5_000  # units in the plot of rates, of each population
LINES = {"marker": "|", "s": 8.0, "linewidths": 0.8}
POINTS = {"marker": ".", "s": 2.5, "linewidths": 0}
KEPT, LOST, GAINED = "#9a9a9a", "#d55e00", "#0072b2"
Figure = tuple[str, str]


def raster(before: Result, after: Result, fidelity: Fidelity) -> Figure:
    """Spikes of both networks, those without a partner in colour."""
    window = fidelity.windows[-1]
    rows = {name: band for name, band in bands(before).items() if name in after.populations}
    dots = Dots(rows, before.duration, sum(result.count(name) for name in rows for result in (before, after)))

    def draw(axis: Axes) -> None:
        for name in rows:
            spikes = aligned(before, after, name, fidelity.lags.get(name, 0))
            masks = partners(*spikes, round(window / before.dt))
            for (steps, ids), mask, alone in zip(spikes, masks, (LOST, GAINED), strict=True):
                dots.draw(axis, name, steps[mask] * before.dt, ids[mask], KEPT)
                dots.draw(axis, name, steps[~mask] * before.dt, ids[~mask], alone)
        dots.label(axis)

    key = f"grey in both (within {window:g} ms), orange lost, blue gained"
    return f"Spikes of both networks to {dots.span:g} ms: {key}", drawn((9.0, 4.5), draw)


def emulated(result: Result) -> Figure:
    """Spikes of one network."""
    dots = Dots(bands(result), result.duration, sum(map(result.count, result.populations)))

    def draw(axis: Axes) -> None:
        for k, name in enumerate(result.populations):
            dots.draw(axis, name, *result.spikes(name), colour(k))
        dots.label(axis)

    return f"Spikes to {dots.span:g} ms", drawn((9.0, 4.5), draw)


class Dots:
    """A raster of so many spikes; rows: first and last row of each population. span: ms that are shown."""

    def __init__(self, rows: Mapping[str, tuple[int, int]], duration: float, spikes: int) -> None:
        self.rows, self.span = rows, min(RASTER_MS, duration)
        shown = spikes * self.span / max(duration, 1e-9)
        self.every = max(1, int(-(-shown // RASTER_SPIKES)))
        few = max((hi for _, hi in rows.values()), default=0) <= FEW_ROWS
        self.look: dict[str, Any] = LINES if few else POINTS

    def draw(self, axis: Axes, name: str, times: NDArray[np.floating], ids: NDArray[np.int64], paint: str) -> None:
        """Spikes of a population in one colour."""
        shown = (ids % self.every == 0) & (times <= self.span)
        axis.scatter(times[shown], ids[shown] + self.rows[name][0], c=paint, rasterized=True, **self.look)

    def label(self, axis: Axes) -> None:
        """Names of the populations, and of the axis."""
        axis.set_yticks([(lo + hi - 1) / 2 for lo, hi in self.rows.values()], list(self.rows))
        axis.set_ylim(-0.5, max((hi for _, hi in self.rows.values()), default=1) - 0.5)
        axis.set_xlim(0, self.span)
        axis.set_xlabel("time (ms)")
        if self.every > 1:
            axis.set_title(f"every {self.every}th unit", fontsize="small", loc="right")


def rates(compared: Sequence[Compared]) -> Figure:
    """Rates of single units in both networks, and how they change."""
    panels = drawn((9.0, 4.0), lambda axis: _scatter(axis, compared), lambda axis: _changes(axis, compared))
    return "Rates of single units, and their changes (boxes: quartiles; whiskers: 5 and 95 per cent)", panels


def _scatter(axis: Axes, compared: Sequence[Compared]) -> None:
    for k, each in enumerate(compared):
        step = max(1, -(-len(each.rates[0]) // MOST_DOTS))
        axis.scatter(each.rates[0][::step], each.rates[1][::step], s=6, c=colour(k), alpha=0.5, linewidths=0,
                     label=each.population, rasterized=True)
    top = max((float(rate.max(initial=0.0)) for each in compared for rate in each.rates), default=0.0) * 1.05 or 1.0
    axis.plot([0, top], [0, top], color="black", lw=0.8)
    axis.set_xlim(0, top)
    axis.set_ylim(0, top)
    axis.set_xlabel("float (Hz)")
    axis.set_ylabel("fixed-point (Hz)")
    axis.legend(fontsize="small", frameon=False)


def _changes(axis: Axes, compared: Sequence[Compared]) -> None:
    parts = axis.boxplot([each.changes for each in compared], whis=(5, 95), showfliers=False, patch_artist=True,
                         widths=0.6, medianprops={"color": "black"})
    for k, box in enumerate(parts["boxes"]):
        box.set_facecolor(colour(k))
    axis.axhline(0, color="black", lw=0.6)
    axis.set_xticks(range(1, len(compared) + 1), [each.population for each in compared])
    axis.set_ylabel("change (Hz)")


def loads(parts: Mapping[str, NDArray[np.floating]]) -> Figure:
    """What is used on each core, in parts of what there is, one panel for each kind."""
    panels = [partial(_load, name=name, used=used) for name, used in parts.items()]
    return "What each core uses, in parts of what it has", drawn((9.0, 2.6), *panels)


def _load(axis: Axes, name: str, used: NDArray[np.floating]) -> None:
    ordered = np.sort(used)[::-1]
    axis.fill_between(np.arange(len(ordered) + 1), np.append(ordered, 0), step="post", color=colour(0), lw=0)
    axis.axhline(1.0, color="black", lw=0.8, ls="--")
    axis.set_xlim(0, max(len(ordered), 1))
    axis.set_ylim(0, max(1.0, float(ordered.max(initial=0.0))) * 1.08)
    axis.locator_params(axis="x", integer=True)
    axis.set_xlabel("cores, the fullest first")
    axis.set_ylabel(name)
