"""The points of a sweep: all combinations of the values of its axes, numbered so that the numbers never change."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from snnsim.sweeps.axes import Axis

Combination = tuple[str, ...]
_NUMBER = re.compile(r"[-+]?(\.?\d[\d_.]*)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Point:
    """One network. number: from 1; values: by path."""

    number: int
    values: Mapping[str, str]

    @property
    def file(self) -> str:
        """The name of its recording."""
        return f"{self.number:05d}.h5"

    @property
    def overrides(self) -> list[str]:
        """What it changes in the config."""
        return [f"{path}={value}" for path, value in self.values.items()]

    @property
    def shape(self) -> str:
        """The same for points that differ in numbers only, which share machine code as a rule."""
        texts = (f"{path}={_NUMBER.sub('#', value)}" for path, value in self.values.items())
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@dataclass(frozen=True)
class Design:
    """What was asked for, the first time and each time that values were added; the paths stay the same."""

    steps: tuple[tuple[Axis, ...], ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """As they are now."""
        return self.steps[-1]

    @property
    def first(self) -> Point:
        """The point that all others are compared with."""
        return self.points()[0]

    def extended(self, axes: tuple[Axis, ...]) -> Design:
        """With these axes from now on, in the old order."""
        by_path = {axis.path: axis for axis in axes}
        ordered = tuple(by_path[axis.path] for axis in self.axes)
        same = [axis.values for axis in ordered] == [axis.values for axis in self.axes]
        return self if same else Design((*self.steps, ordered))

    def points(self) -> list[Point]:
        """All points by their numbers: those of the first time, then those that were added."""
        paths = [axis.path for axis in self.axes]
        return [Point(k, dict(zip(paths, values, strict=True))) for k, values in enumerate(self._combinations(), 1)]

    def _combinations(self) -> Iterator[Combination]:
        seen: set[Combination] = set()
        for axes in self.steps:
            for values in itertools.product(*(axis.values for axis in axes)):
                if values not in seen:
                    seen.add(values)
                    yield values
