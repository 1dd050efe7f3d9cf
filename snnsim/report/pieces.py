"""What pages are made of: text, tables and pictures, as HTML that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Table = tuple[Sequence[str], list[Sequence[str]]]
LONG = 24  # characters from which on a cell is read from the left


def whole(title: str, body: Iterable[str]) -> str:
    """A page of these parts."""
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return template.replace("@TITLE@", html.escape(title)).replace("@BODY@", "\n".join(body))


def heading(text: str, level: int = 2) -> str:
    """A heading below that of the page."""
    return f"<h{level}>{html.escape(text)}</h{level}>"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def listed(texts: Iterable[str]) -> str:
    """A list of plain texts."""
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of plain texts; what is "no" stands out."""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in header)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<div class=wide><table><tr>{head}</tr>{lines}</table></div>"


def facts(rows: Iterable[Sequence[str]]) -> str:
    """What each thing is, line by line."""
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table class=facts>{lines}</table>"


def _cell(text: str) -> str:
    kind = " class=outside" if text == "no" else " class=text" if len(text) > LONG else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def picture(caption: str, svg: str) -> str:
    """A picture from its SVG text."""
    data = base64.b64encode(svg.encode()).decode("ascii")
    return f'<img alt="{html.escape(caption)}" src="data:image/svg+xml;base64,{data}">'


def drawn(size: tuple[float, float], *draw: Callable[[Axes], None]) -> str:
    """What each of `draw` draws, side by side in `size` inches, as SVG text; the same text every time."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure, text = Figure(figsize=size, layout="constrained"), io.StringIO()
    FigureCanvasSVG(figure)
    for each, axis in zip(draw, figure.subplots(1, len(draw), squeeze=False)[0], strict=True):
        each(axis)
    with matplotlib.rc_context({"svg.hashsalt": "snnsim"}):
        figure.savefig(text, format="svg", dpi=150, metadata={"Date": None})
    return text.getvalue()
