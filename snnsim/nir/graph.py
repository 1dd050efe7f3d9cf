"""A NIR graph as data: nodes with their arrays, and edges; subgraphs are taken apart when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snnsim.errors import InputError, Problem

Array = npt.NDArray[Any]
Edges = list[tuple[str, str]]

STATEFUL: dict[str, tuple[str, ...]] = {
    "LIF": ("tau", "r", "v_leak", "v_threshold"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"),
    "IF": ("r", "v_threshold"),
    "LI": ("tau", "r", "v_leak"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak"),
    "I": ("r",),
    "Threshold": ("threshold",),
}
LINEAR: dict[str, tuple[str, ...]] = {
    "Linear": ("weight",), "Affine": ("weight", "bias"), "Scale": ("scale",), "Delay": ("delay",), "Flatten": (),
    "Conv1d": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "Conv2d": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "SumPool2d": ("kernel_size", "stride", "padding"), "AvgPool2d": ("kernel_size", "stride", "padding"),
}
BORDER: dict[str, tuple[str, ...]] = {"Input": ("shape",), "Output": ("shape",)}
JOINT = "joint"   # the Input or Output of a subgraph: what comes in goes out
NEEDS = {**BORDER, **STATEFUL, **LINEAR, JOINT: ()}
KINDS = [*BORDER, *STATEFUL, *LINEAR]
OPTIONAL: dict[str, tuple[str, ...]] = {
    "LIF": ("v_reset",), "CubaLIF": ("v_reset", "w_in"), "IF": ("v_reset",), "CubaLI": ("w_in",),
}
GRADED = ("LI", "CubaLI", "I")   # their output is a number at every time, not a spike


@dataclass(frozen=True)
class Node:
    """One node: its name (of a subgraph's: ``outer.inner``), its type in NIR, and its values by name."""

    name: str
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def numbers(self, key: str, default: float | None = None) -> Array:
        """The float64 array of `key`; ``InputError`` where it is no array of finite numbers."""
        value = self.values.get(key, default)
        if not isinstance(value, (np.ndarray, float)):
            raise InputError(Problem(f"{self.name}.{key}", f"expected numbers, found {value!r}"))
        found = np.asarray(value, np.float64)
        wrong = np.flatnonzero(~np.isfinite(found))
        if wrong.size:
            message = f"value number {wrong[0]} is {found.flat[wrong[0]]}, expected finite numbers"
            raise InputError(Problem(f"{self.name}.{key}", message))
        return found

    def wholes(self, key: str, count: int, least: int) -> tuple[int, ...]:
        """`count` whole numbers from `least` on; one stands for all."""
        found = self.numbers(key).ravel()
        if len(found) not in (1, count) or (found != np.floor(found)).any() or (found < least).any():
            expected = "a whole number" if count == 1 else f"1 or {count} whole numbers"
            listed = ", ".join(f"{x:g}" for x in found[:4]) or "none"
            raise InputError(Problem(f"{self.name}.{key}", f"expected {expected} from {least} on, found {listed}"))
        return tuple(int(x) for x in np.broadcast_to(found, count))

    def parameters(self) -> tuple[str, ...]:
        """The names of its values that matter here and that it has."""
        return tuple(key for key in (*NEEDS.get(self.kind, ()), *OPTIONAL.get(self.kind, ())) if key in self.values)

    def shape(self) -> tuple[int, ...]:
        """The shape of a stateful node: that of its largest parameter, which all others must have or be one number."""
        if self.kind == "Input":
            return self.announced()
        shapes = {key: self.numbers(key).shape for key in self.parameters()}
        largest = max(shapes, key=lambda key: int(np.prod(shapes[key])))
        for key, shape in shapes.items():
            if shape != shapes[largest] and np.prod(shape) != 1:
                message = f"expected the shape of {largest}, {_listed(shapes[largest])}, found {_listed(shape)}"
                raise InputError(Problem(f"{self.name}.{key}", message))
        return shapes[largest]

    def announced(self) -> tuple[int, ...]:
        """The shape that an Input or Output says it has."""
        return self.wholes("shape", self.numbers("shape").size, 1)


@dataclass(frozen=True)
class Graph:
    """All nodes, in the order of the file, and the edges between them. notes: what a file of ours says beside."""

    path: Path
    version: str
    nodes: dict[str, Node]
    edges: Edges
    notes: Mapping[str, Any] = field(default_factory=dict)

    def before(self, name: str) -> list[str]:
        """The nodes that lead to `name`."""
        return self._ends[0].get(name, [])

    def after(self, name: str) -> list[str]:
        """The nodes that `name` leads to."""
        return self._ends[1].get(name, [])

    @cached_property
    def _ends(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        before, after = dict[str, list[str]](), dict[str, list[str]]()
        for a, b in self.edges:
            before.setdefault(b, []).append(a)
            after.setdefault(a, []).append(b)
        return before, after


def _listed(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"
