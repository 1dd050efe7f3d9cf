"""The table of a sweep: one row of a CSV file for each point that is done, failed or lost.

Rows are appended as points end, so a kill loses none that was written, and the file can be read at any time; what a
kill left of half a row is not read. When the sweep begins and ends the table is written anew, sorted, at once.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

from snnsim.errors import RunError
from snnsim.target import reason

Row = dict[str, Any]

INDEX, PARQUET = "index.csv", "index.parquet"
DONE, FAILED, LOST = "done", "failed", "lost"
_HEAD = ("number", "status", "file")
_WHOLE = ("number", "seed", "spikes", "tries")
_SECONDS = ("build_s", "compile_s", "run_s", "rtf", "total_s")
_TAIL = ("spikes", *_SECONDS, "worker", "tries", "network", "message")
RATE = "rate_hz."


class Index:
    """The table in `path`, with a column for each of the swept `paths`."""

    def __init__(self, path: Path, paths: Iterable[str]) -> None:
        self.path, self.paths = path, list(paths)
        self.rows: dict[int, Row] = {row["number"]: row for row in read(path)}
        self._file: TextIO | None = None
        self._columns: list[str] = []

    def begin(self, kept: Iterable[int]) -> None:
        """Keep the rows of these points; from here on `add` appends."""
        self.rows = {number: self.rows[number] for number in kept}
        self.write()
        self._file = self.path.open("a", encoding="utf-8", newline="")

    def add(self, row: Row) -> None:
        """Append a row; a population that no row had so far makes the table anew."""
        self.rows[row["number"]] = row
        if set(row) <= set(self._columns) and self._file is not None:
            with _said(self.path):
                self._file.write(_text([row], self._columns))
                self._file.flush()
        else:
            self.close()
            self.begin(list(self.rows))

    def close(self) -> None:
        """Stop appending."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self) -> None:
        """All rows, sorted, in place of what is there."""
        self._columns = columns(self.rows.values(), self.paths)
        replace_file(self.path, _text(self.sorted, self._columns, header=True).encode())

    @property
    def sorted(self) -> list[Row]:
        """The rows by number."""
        return [self.rows[number] for number in sorted(self.rows)]

    def write_parquet(self) -> None:
        """The same as Parquet, where pyarrow is installed."""
        if find_spec("pyarrow") is None:
            return
        import pyarrow
        from pyarrow import parquet

        names = columns(self.rows.values(), self.paths)
        table = pyarrow.table({name: [row.get(name) for row in self.sorted] for name in names})
        sink = io.BytesIO()
        parquet.write_table(table, sink)
        replace_file(self.path.with_name(PARQUET), sink.getvalue())


def columns(rows: Iterable[Mapping[str, Any]], paths: Iterable[str]) -> list[str]:
    """The columns of a table, those of rates in the order in which they first appear."""
    rates = dict.fromkeys(name for row in rows for name in row if name.startswith(RATE))
    return list(dict.fromkeys([*_HEAD, *paths, "seed", *rates, *_TAIL]))


def read(path: Path) -> list[Row]:
    """The rows of a table, numbers as numbers; the last one counts where a point has several."""
    if not path.is_file():
        return []
    text = path.read_bytes().decode("utf-8", "replace")
    lines = csv.reader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))
    header = next(lines, [])
    found = [dict(zip(header, line, strict=True)) for line in lines if len(line) == len(header)]
    return list({row["number"]: row for row in map(_typed, found)}.values())


def _typed(row: Mapping[str, str]) -> Row:
    """Without the cells that are empty."""
    return {name: _value(name, text) for name, text in row.items() if text or name == "message"}


def _value(name: str, text: str) -> Any:
    if name in _WHOLE and text.isdecimal():
        return int(text)
    return float(text) if name in _SECONDS or name.startswith(RATE) else text


def _text(rows: Iterable[Row], names: list[str], header: bool = False) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()



def replace_file(path: Path, contents: bytes) -> None:
    """Write a file at once: whoever reads it finds the old or the new one, whole."""
    made = path.with_name(f".{path.name}.part")
    with _said(path):
        made.write_bytes(contents)
        os.replace(made, path)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """``RunError`` where a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{path}: writing failed ({reason(error)})") from error
