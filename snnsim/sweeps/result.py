"""`Sweep`: a folder of points, done or not, as a table and as recordings."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnsim.errors import InputError, Problem, UnavailableError
from snnsim.sweeps.design import Point
from snnsim.sweeps.folder import read_asked
from snnsim.sweeps.index import DONE, INDEX, Row, read

if TYPE_CHECKING:
    from snnsim.result import Result

WAITING = "waiting"


class Sweep:
    """What a sweep has found so far; it may still be running.

    path: its folder. summary: what ``snnsim.sweep`` says of the sitting that returned it: points, done, failed, lost,
    workers, wall_s, run_s, share; empty for one that was opened. Raises ``InputError`` where the folder holds none.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.asked = read_asked(self.path)
        self.summary: dict[str, Any] = {}

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """Path -> values, as texts."""
        return {axis.path: axis.values for axis in self.asked.design.axes}

    @property
    def points(self) -> list[Point]:
        """All points, done or not: number, values by path, file."""
        return self.asked.design.points()

    @property
    def rows(self) -> list[Row]:
        """The table, one row per point by number: number, status, file, the value of each path, seed, spikes,
        rate_hz.<population>, build_s, compile_s, run_s, rtf, total_s, worker, tries, network, message.

        status: done, failed, lost or waiting; of the last kind only the point itself is known.
        """
        known = {row["number"]: row for row in read(self.path / INDEX)}
        return [known.get(point.number) or _waiting(point) for point in self.points]

    @property
    def failed(self) -> list[Row]:
        """Rows of the points that are not done and not waiting; ``message`` says why."""
        return [row for row in self.rows if row["status"] not in (DONE, WAITING)]

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def open(self, number: int) -> Result:
        """The recording of a point. Raises ``InputError`` where there is no such point, or it is not done."""
        from snnsim.result import open as open_result

        rows = {row["number"]: row for row in self.rows}
        if number not in rows:
            raise InputError(Problem("number", f"expected a point from 1 to {len(rows)}, found {number!r}"))
        if (status := rows[number]["status"]) != DONE:
            text = f"point {number} is {status}, so there is no recording of it"
            raise InputError(Problem("", text, str(self.path)))
        return open_result(self.path / rows[number]["file"])

    def to_pandas(self) -> Any:
        """The table as a data frame. Raises ``UnavailableError`` where pandas is not installed."""
        if find_spec("pandas") is None:
            raise UnavailableError("pandas is not installed; install it with: pip install pandas")
        import pandas

        return pandas.DataFrame(self.rows)

    def __repr__(self) -> str:
        done = sum(row["status"] == DONE for row in self.rows)
        return f"<Sweep {str(self.path)!r}: {done} of {len(self)} points done>"


def _waiting(point: Point) -> Row:
    return {"number": point.number, "status": WAITING, "file": point.file, **point.values}
