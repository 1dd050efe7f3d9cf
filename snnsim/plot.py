"""Raster, population rates, traces and weights of a result, as an image (matplotlib, loaded here only) or as a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snnsim.errors import InputError, Problem
from snnsim.target import check_folder
from snnsim.weight_lines import is_distribution, weight_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from snnsim.result import Result

DENSITY_FROM = 2_000_000  # spikes: from here on markers cost more than they show
KINDS = (".png", ".svg", ".pdf", ".html")
SHOWN_UNITS = 5  # units drawn of each trace
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")


def plot(result: Result, path: str | Path | None = None) -> Figure | None:
    """Draw `result` to `path` (png, svg, pdf, or html: interactive and self-contained), or give the figure.

    Raises ``InputError`` for another kind of file, or a folder that does not exist.
    """
    if path is None:
        return figure(result)
    path = Path(path)
    check_drawing(path)
    if path.suffix.lower() == ".html":
        from snnsim.page import page

        path.write_text(page(result), encoding="utf-8")
        return None
    figure(result).savefig(path, dpi=150)
    return None


def check_drawing(path: Path) -> None:
    """``InputError`` where nothing can be drawn to `path`; asked before what is to be drawn is computed."""
    if path.suffix.lower() not in KINDS:
        raise InputError(Problem(str(path), f"expected a name ending in {', '.join(KINDS)}"))
    check_folder(path)


def figure(result: Result) -> Figure:
    """A matplotlib figure: raster above, rates, and a panel per trace and per recorded weights, over one time axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    above, below = [3.0, 1.2] if result.populations else [], len(result.traces) + len(result.weight_names)
    panels = above + [1.2] * below
    if not panels:
        raise InputError("nothing was recorded: there is nothing to plot")
    drawing = Figure(figsize=(9, 1.2 + 1.15 * sum(panels)), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=panels)[:, 0]
    if result.populations:
        _raster(axes[0], result)
        _rates(axes[1], result)
    for axis, (population, variable) in zip(axes[len(above) :], result.traces, strict=False):
        _trace(axis, result, population, variable)
    for axis, name in zip(axes[len(panels) - len(result.weight_names) :], result.weight_names, strict=True):
        _weights(axis, result, name)
    axes[-1].set_xlim(0, max(result.duration, 1e-9))
    axes[-1].set_xlabel("time (ms)")
    return drawing


def bands(result: Result) -> dict[str, tuple[int, int]]:
    """First and last row (exclusive) of each population in the raster, the first population at the bottom."""
    edges = np.cumsum([0, *(result.size(name) for name in result.populations)])
    return {name: (int(edges[i]), int(edges[i + 1])) for i, name in enumerate(result.populations)}


def colour(index: int) -> str:
    """The colour of population number `index` (a palette for colour-blind readers, Okabe and Ito 2008)."""
    return COLOURS[index % len(COLOURS)]


def _raster(axis: Axes, result: Result) -> None:
    total = sum(result.count(name) for name in result.populations)
    rows = bands(result)
    if total >= DENSITY_FROM:
        height = max(hi for _, hi in rows.values())
        image = density(result, 1600, min(height, 600))
        axis.imshow(
            np.log1p(image), aspect="auto", origin="lower", cmap="Greys", interpolation="nearest",
            extent=(0, result.duration, -0.5, height - 0.5),
        )
    else:
        size = float(np.clip(2e4 / max(total, 1), 0.2, 6))
        for i, (name, (lo, _)) in enumerate(rows.items()):
            times, ids = result.spikes(name)
            marker = "." if size < 2 else "|"
            axis.scatter(times, ids + lo, s=size, c=colour(i), marker=marker, rasterized=total > 20_000)
    axis.set_yticks([(lo + hi - 1) / 2 for lo, hi in rows.values()], list(rows))
    axis.set_ylim(-0.5, max(max(hi for _, hi in rows.values()), 1) - 0.5)
    axis.set_title(f"{total:,} spikes", fontsize="medium", loc="left")


def density(result: Result, width: int, height: int) -> NDArray[np.float64]:
    """Spike counts [height, width] over rows of the raster and time, gathered block by block."""
    rows = bands(result)
    total = max(max(hi for _, hi in rows.values()), 1)
    image = np.zeros(width * height)
    for name, (lo, _) in rows.items():
        for times, ids in result.blocks(name):
            x = np.minimum((times * (width / result.duration)).astype(np.int64), width - 1)
            y = (ids + lo) * height // total
            image += np.bincount(y * width + x, minlength=len(image))
    return image.reshape(height, width)


def rate_course(result: Result, population: str, bins: int = 200) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres of windows in ms [bins] and the rate in them in Hz per unit [bins]."""
    edges = np.linspace(0, max(result.duration, 1e-9), bins + 1)
    # A spike at a border ends the window before it: nudge the borders past it.
    inner = edges + 1e-9 * edges[-1]
    counts = sum((np.histogram(times, inner)[0] for times, _ in result.blocks(population)), np.zeros(bins))
    units = max(len(result.units(population)), 1)
    return (edges[1:] + edges[:-1]) / 2, counts / units / (edges[1] / 1000)


def _rates(axis: Axes, result: Result) -> None:
    for i, (name, mean) in enumerate(result.rates().items()):
        axis.plot(*rate_course(result, name), color=colour(i), lw=1, label=f"{name} {mean:.3g} Hz")
    axis.set_ylabel("rate (Hz)")
    axis.set_ylim(bottom=0)
    _legend(axis)


def _legend(axis: Axes) -> None:
    """In a line above the panel."""
    axis.legend(fontsize="small", loc="lower right", bbox_to_anchor=(1, 1), ncols=5, borderaxespad=0.2, frameon=False)


def thinned(result: Result, population: str, variable: str, points: int = 4000) -> tuple[Any, Any, list[int]]:
    """Times, rows [T, N] of the first units, and their ids, at most about `points` rows: for drawing."""
    trace = result.trace_plan(population, variable)
    every = max(1, result.steps // trace.every // points)
    shown = trace.units[:SHOWN_UNITS]
    blocks = result.trace_blocks(population, variable, 1000 * every)
    rows = np.concatenate([np.empty((0, len(shown))), *(block[::every, : len(shown)] for block in blocks)])
    first = round(result.start / result.dt) // trace.every + 1
    times = (np.arange(len(rows)) * every + first) * trace.every * result.dt
    return times, rows, shown.tolist()


def _trace(axis: Axes, result: Result, population: str, variable: str) -> None:
    for line, unit in _lines(*thinned(result, population, variable)):
        axis.plot(*line, lw=0.8, label=str(unit))
    axis.set_ylabel(f"{population}\n{variable} ({result.trace_plan(population, variable).unit_text or '1'})")


def _lines(times: Any, rows: Any, units: list[int]) -> Iterator[tuple[tuple[Any, Any], int]]:
    for column, unit in enumerate(units):
        yield (times, rows[:, column]), unit


def _weights(axis: Axes, result: Result, name: str) -> None:
    plan = result.weight_plan(name)
    look: dict[str, Any] = {"marker": ".", "markersize": 3, "lw": 0.4} if plan.on_pre else {"lw": 0.8}
    for label, times, values in weight_lines(result, name):
        axis.plot(times, values, label=label, **look)
    axis.set_ylabel(f"weights\n{name} ({plan.unit_text or '1'})")
    if is_distribution(plan):
        _legend(axis)
