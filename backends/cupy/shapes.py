"""What the update of a population reads, as entries of the table that kernels find everything in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snnsim.backends.cupy.emit import emit_update
from snnsim.ir import Op, Program, Type
from snnsim.ir.printing import Update
from snnsim.plan import Plan

# Of each population, before those of its arguments. N: units; OWN_LOW: the first one of this device; LOW, SIZE: of the
# part, counted from there, set by each block.
POPULATION = ("WORD", "LEVEL", "SHAPE", "N", "OWN_LOW", "LOW", "SIZE")
DRIVE = ("values", "width", "slot")
POISSON = ("drawn", "home", "thresholds", "ends", "table", "parts", "stream", "onset")
WORD = ("drawn", "home", "stream")


@dataclass(frozen=True)
class Shape:
    """Populations that one function updates.

    fields: (kind and name of an argument, part of it) -> its place among the entries of a population; parameters that
    all units share stand there themselves, packed. whole: names of whole-numbered states and parameters; long: they
    have 64 bits; wide: those have that stand in the table.
    """

    update: Update
    fields: dict[tuple[str, Any, str], int] = field(hash=False)
    whole: frozenset[str]
    wide: bool
    long: bool
    entries: int

    def type_of(self, name: str, dtype: Any) -> Any:
        """The NumPy type of a state or of a parameter that differs between units."""
        return (np.int64 if self.long else np.int32) if name in self.whole else dtype

    def type_name(self, name: str) -> str:
        """The same in the text of a kernel."""
        return ("long long" if self.long else "int") if name in self.whole else "real"


def shape_of(update: Update, program: Program, coupled: frozenset[str], dtype: Any, wide: bool) -> Shape:
    """The entries of a population that `update` advances.

    coupled: its drives that couplings make. wide: what arrives at its ports has 64 bits.
    """
    wide = wide or program.whole
    states = {name for name, kind in program.states.items() if kind is Type.INT}
    fields: dict[tuple[str, Any, str], int] = {}
    bytes_of = {"scalars": len(update.scalars) * np.dtype(dtype).itemsize, "wholes": len(update.wholes) * (4 << wide)}
    at = len(POPULATION)
    for kind, data in update.arguments:
        for part in _parts(kind, data in coupled):
            fields[kind, data, part] = at
            at += -(-bytes_of.get(kind, 8) // 8)
    return Shape(update, fields, frozenset(states | set(program.uses(Op.WHOLE))), wide, program.whole, at)


def shapes_of(plan: Plan, wide: bool) -> list[Shape]:
    """That of each population. wide: what arrives at ports has 64 bits."""
    return [_shape(plan, k, wide) for k in range(len(plan.populations))]


def _shape(plan: Plan, number: int, wide: bool) -> Shape:
    population = plan.populations[number]
    each = {name for name, value in population.params.items() if np.ndim(value)}
    ports = set(population.ports) if wide else set()
    update = emit_update(population.program, plan.dtype, each, ports)
    return shape_of(update, population.program, coupled_drives(plan, number), plan.dtype, bool(ports))


def per_unit(shape: Shape, dtype: Any) -> list[tuple[tuple[str, Any], int]]:
    """What of a unit may live in shared memory: the argument, and its bytes."""
    sizes = {"poisson": 8, "words": 16}
    return [((kind, data), sizes.get(kind, np.dtype(shape.type_of(data, dtype)).itemsize))
            for kind, data in shape.update.arguments if kind in ("state", *sizes)]


def _parts(kind: str, coupled: bool) -> tuple[str, ...]:
    if kind == "drive":
        return ("sums", "quantum") if coupled else DRIVE
    return {"poisson": POISSON, "words": WORD, "state": ("array", "home"), "arrival": ("place",)}.get(kind, ("array",))


def coupled_drives(plan: Plan, population: int) -> frozenset[str]:
    """The inputs of a population that couplings make."""
    return frozenset(p.coupling.drive for p in plan.projections
                     if p.coupling is not None and p.target == population)
