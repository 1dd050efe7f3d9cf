"""A result as one HTML page that needs nothing else: drag to move, wheel to zoom, double click to see all again."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snnsim.plot import bands, colour, rate_course, thinned
from snnsim.weight_lines import weight_lines

if TYPE_CHECKING:
    from snnsim.result import Result

SPIKES = 500_000  # drawn in a page; of more, every k-th


def page(result: Result) -> str:
    """The page as text; its data are base64 typed arrays."""
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    title = f"{result.path.name if result.path else 'snnsim'}: {result.duration:g} ms"
    data = json.dumps(_content(result)).replace("</", "<\\/")
    return template.replace("@TITLE@", html.escape(title)).replace("@DATA@", data)


def _content(result: Result) -> dict[str, Any]:
    total = sum(result.count(name) for name in result.populations)
    every = max(1, -(-total // SPIKES))
    rates = result.rates()
    return {
        "duration": result.duration,
        "note": f"{total:,} spikes" + (f", every {every}th is drawn" if every > 1 else ""),
        "populations": [
            {"name": name, "lo": lo, "hi": hi, "colour": colour(i), "rate": rates[name], **_spikes(result, name, every),
             "course": [_packed(values) for values in rate_course(result, name)]}
            for i, (name, (lo, hi)) in enumerate(bands(result).items())
        ],
        "traces": [
            *(_trace(result, *key) for key in result.traces), *(_weights(result, name) for name in result.weight_names)
        ],
    }


def _spikes(result: Result, population: str, every: int) -> dict[str, str]:
    times, ids = result.spikes(population)
    return {"times": _packed(times[::every]), "ids": _packed(ids[::every])}


def _trace(result: Result, population: str, variable: str) -> dict[str, Any]:
    times, rows, units = thinned(result, population, variable)
    name = f"{population} {variable} ({result.trace_plan(population, variable).unit_text or '1'})"
    return {"name": name, "times": [_packed(times)], "units": units, "lines": [_packed(line) for line in rows.T]}


def _weights(result: Result, name: str) -> dict[str, Any]:
    """As a trace, but each line has its own times."""
    lines = weight_lines(result, name)
    return {
        "name": f"weights {name} ({result.weight_plan(name).unit_text or '1'})",
        "times": [_packed(times) for _, times, _ in lines],
        "units": [label for label, _, _ in lines],
        "lines": [_packed(values) for _, _, values in lines],
    }


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")
