"""The figures of a report, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snnsim.plot import bands, colour
from snnsim.report.activity import Activity
from snnsim.report.contents import Report
from snnsim.report.pieces import drawn
from snnsim.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RASTER_MS, RASTER_SPIKES = 500.0, 60_000   # shown of a recording; of more spikes, units are left out


def figures(report: Report) -> Iterator[tuple[str, str]]:
    """Each figure as its caption and SVG text."""
    span = raster_span(report)
    raster = drawn((9.0, 4.5), lambda axis: _raster(axis, report.result, span))
    yield f"Spikes from {span[0]:g} to {span[1]:g} ms", raster
    yield "Mean rates", _bars(report, "rate_hz", "rate (Hz)")
    yield "Rates of single units", _boxes(report, lambda activity: activity.rates, "rate (Hz)")
    yield ("CV of the intervals of single units", _boxes(report, lambda activity: activity.cv[~np.isnan(activity.cv)],
                                                         "CV of intervals"))
    yield "Synchrony: variance over mean of spike counts", _bars(report, "synchrony", "synchrony")


def raster_span(report: Report) -> tuple[float, float]:
    """The first part of what is reported, in ms."""
    return report.start, min(report.start + RASTER_MS, report.result.duration)


def _raster(axis: Axes, result: Result, span: tuple[float, float]) -> None:
    rows = bands(result)
    spikes = {name: _within(result, name, span) for name in rows}
    every = max(1, -(-sum(len(times) for times, _ in spikes.values()) // RASTER_SPIKES))
    for i, (name, (times, ids)) in enumerate(spikes.items()):
        shown = ids % every == 0
        place = times[shown], ids[shown] + rows[name][0]
        axis.scatter(*place, s=2.0, c=colour(i), marker=".", linewidths=0, rasterized=True)
    axis.set_yticks([(lo + hi - 1) / 2 for lo, hi in rows.values()], list(rows))
    axis.set_ylim(-0.5, max(hi for _, hi in rows.values()) - 0.5)
    axis.set_xlim(*span)
    axis.set_xlabel("time (ms)")
    if every > 1:
        axis.set_title(f"every {every}th unit", fontsize="small", loc="right")


def _within(
    result: Result, population: str, span: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Times and ids of the spikes in a span of time."""
    times, ids = result.spikes(population)
    lo, hi = np.searchsorted(times, span, side="right")
    return times[lo:hi], ids[lo:hi]


def _bars(report: Report, statistic: str, label: str) -> str:
    """A bar for each population; where something was published, its band in black."""

    def draw(axis: Axes) -> None:
        names = [activity.population for activity in report.activities]
        heights = [activity.statistics()[statistic] for activity in report.activities]
        axis.bar(names, heights, color=[colour(i) for i in range(len(names))])
        for each in (c for c in report.comparisons if c.statistic == statistic):
            reach = [[each.published - each.low], [each.high - each.published]]
            axis.errorbar(names.index(each.population), each.published, reach, fmt="_", color="black", capsize=3, lw=1)
        axis.set_ylabel(label)

    return drawn((9.0, 2.6), draw)


def _boxes(report: Report, values: Callable[[Activity], NDArray[np.float64]], label: str) -> str:
    """Median, quartiles, and 5 and 95 per cent of the units of each population; a diamond for the mean."""

    def draw(axis: Axes) -> None:
        names = [activity.population for activity in report.activities]
        parts = axis.boxplot([values(activity) for activity in report.activities], whis=(5, 95), showfliers=False,
                             showmeans=True, patch_artist=True, widths=0.6,
                             meanprops={"marker": "D", "markerfacecolor": "white", "markeredgecolor": "black"},
                             medianprops={"color": "black"})
        for i, box in enumerate(parts["boxes"]):
            box.set_facecolor(colour(i))
        axis.set_xticks(range(1, len(names) + 1), names)
        axis.set_ylim(bottom=0)
        axis.set_ylabel(label)

    return drawn((9.0, 2.6), draw)
