"""The progress bar of long work."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self


class Shown:
    """A bar of progress that is there inside a context; None where nothing is drawn."""

    def __init__(self, shown: Any) -> None:
        self._bar = shown

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()


class Progress(Shown):
    """Shows simulated time, real-time factor and time left; called with (steps done, steps in all).

    dt: the step in ms. shown: draw at all; nothing is drawn where stderr is no terminal.
    """

    def __init__(self, dt: float, shown: bool = True) -> None:
        self._dt = dt
        super().__init__(bar("position", "speed") if shown and sys.stderr.isatty() else None)
        self._task = self._bar.add_task("", total=None, position="building", speed="", left="") if self._bar else None
        self._first: tuple[float, int] | None = None

    def __call__(self, step: int, steps: int) -> None:
        """Note that `step` of `steps` steps are done."""
        if self._bar:
            position = f"{step * self._dt * 1e-3:.3f} of {steps * self._dt * 1e-3:.3f} s"
            speed = f"real-time factor {self._factor(step)}"
            self._bar.update(self._task, completed=step, total=steps, position=position, speed=speed, left="left")

    def _factor(self, step: int) -> str:
        """Seconds of computing per second of model time since the first call of a run, which comes after building."""
        now = time.perf_counter()
        if self._first is None or step < self._first[1]:
            self._first = now, step
        began, done = self._first
        return f"{(now - began) * 1e3 / ((step - done) * self._dt):.2f}" if step > done else "-"


def bar(*fields: str) -> Any:
    """A bar of rich with the texts of these fields of its task, the time left, and the field `left`."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    texts = (TextColumn(f"{{task.fields[{name}]}}") for name in fields)
    columns = (BarColumn(), *texts, TimeRemainingColumn(), TextColumn("{task.fields[left]}"))
    return Bar(*columns, console=Console(stderr=True), transient=True)
