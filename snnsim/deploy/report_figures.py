"""The figures of a deployment's report, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snnsim.deploy.fidelity import Compared, Fidelity
from snnsim.deploy.matching import partners
from snnsim.plot import bands, colour
from snnsim.report.pieces import drawn
from snnsim.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RASTER_MS, RASTER_SPIKES = 500.0, 40_000  # shown of a recording; of more spikes, units are left out
MOST_DOTS = 5_000  # units in the plot of rates, of each population
KEPT, LOST, GAINED = "#9a9a9a", "#d55e00", "#0072b2"
Figure = tuple[str, str]


def raster(before: Result, after: Result, fidelity: Fidelity) -> Figure:
    """Spikes of both networks, those without a partner in colour."""
    window, span = fidelity.windows[-1], min(RASTER_MS, before.duration)
    rows = {name: band for name, band in bands(before).items() if name in after.populations}
    every = _every(before, after, rows)

    def draw(axis: Axes) -> None:
        for name, (lo, _) in rows.items():
            spikes = before.steps_of(name), after.steps_of(name)
            masks = partners(*spikes, round(window / before.dt))
            for (steps, ids), mask, alone in zip(spikes, masks, (LOST, GAINED), strict=True):
                shown = (ids % every == 0) & (steps * before.dt <= span)
                for chosen, paint in ((shown & mask, KEPT), (shown & ~mask, alone)):
                    axis.scatter(steps[chosen] * before.dt, ids[chosen] + lo, s=2.5, c=paint, marker=".", linewidths=0,
                                 rasterized=True)
        _label(axis, rows, span, every)

    caption = f"Spikes of both networks to {span:g} ms: grey in both (within {window:g} ms), orange lost, blue gained"
    return caption, drawn(draw, (9.0, 4.5))


def _every(before: Result, after: Result, rows: Mapping[str, Any]) -> int:
    """Every which unit is shown."""
    parts = min(1.0, RASTER_MS / max(before.duration, 1e-9))
    total = sum(result.count(name) for name in rows for result in (before, after)) * parts
    return max(1, int(-(-total // RASTER_SPIKES)))


def _label(axis: Axes, rows: Mapping[str, tuple[int, int]], span: float, every: int) -> None:
    axis.set_yticks([(lo + hi - 1) / 2 for lo, hi in rows.values()], list(rows))
    axis.set_ylim(-0.5, max((hi for _, hi in rows.values()), default=1) - 0.5)
    axis.set_xlim(0, span)
    axis.set_xlabel("time (ms)")
    if every > 1:
        axis.set_title(f"every {every}th unit", fontsize="small", loc="right")


def rates(compared: Sequence[Compared]) -> Iterator[Figure]:
    """Rates of single units in both networks, and how they change."""
    yield "Rates of single units, Hz: float across, fixed-point up", drawn(lambda axis: _scatter(axis, compared), (5.0, 4.5))
    yield ("Changes of the rates of single units (boxes: quartiles; whiskers: 5 and 95 per cent)",
           drawn(lambda axis: _changes(axis, compared), (9.0, 2.6)))


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


def loads(values: NDArray[np.float64], label: str, limit: float = 1.0) -> str:
    """A bar for each core: how much of what it has is used, the largest first."""

    def draw(axis: Axes) -> None:
        ordered = np.sort(values)[::-1]
        axis.fill_between(np.arange(len(ordered) + 1), np.append(ordered, 0), step="post", color=colour(0), lw=0)
        axis.axhline(limit, color="black", lw=0.8, ls="--")
        axis.set_xlim(0, max(len(ordered), 1))
        axis.set_ylim(0, max(limit, float(ordered.max(initial=0.0))) * 1.08)
        axis.set_xlabel("cores, the fullest first")
        axis.set_ylabel(label)

    return drawn(draw, (9.0, 2.4))
