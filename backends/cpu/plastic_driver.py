"""The lines of the step loop that plastic projections add.

What their spikes do to them waits until the threads meet: only then are the spikes of all threads known. Each thread
then goes through the steps of the epoch just done, for the synapses onto its own units. The smallest dendritic delay
bounds the epoch, so whatever a synapse sends arrives later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snnsim.backends.cpu.functions import numbers
from snnsim.backends.cpu.plastic_emit import Rule


@dataclass(frozen=True)
class PlasticShape:
    """A plastic projection: its number, its rule, the requests that want its weights every so often.

    variable: population, kind of argument and name of what modulates it, where that is a variable.
    """

    number: int
    rule: Rule
    requests: tuple[int, ...]
    variable: tuple[int, str, str] | None


IMPORTS = """from snnsim.backends.cpu.intrinsics import prefetch
from snnsim.backends.cpu.plastic_kernels import (
    as_weights, begin_row, blame, blame_row, column, copy_weights, count_spikes, fetch_column, fetch_ends, fetch_row,
    fill_slots, keep_variable, log_row, mark_last, raise_one, raise_trace, scale_trace, sum_weights)
"""


def catch_up(out: Any, shapes: list[PlasticShape]) -> None:
    """After a meeting: all plastic events of the steps done."""
    if not shapes:
        return
    learned = out.use("learned")
    out.add(3, f"while {learned}[0] < step - 1:", f"    {learned}[0] += 1", f"    q = {learned}[0]")
    for shape in shapes:
        values = out.given("ids", "start", *(f"x{shape.number}_{name}" for name in shape.rule.names))
        arguments = [*numbers("q", "q - base", "lists"), *values]
        out.add(4, out.call(shape.rule.name, arguments, texts=(IMPORTS, *shape.rule.functions)))
        for request in shape.requests:
            every, first, kept, columns, synapses = (
                out.use(f"w{request}_{part}") for part in ("every", "first", "out", "columns", "synapses"))
            own = f"{out.use(f'x{shape.number}_state_w')}, {out.use(f'x{shape.number}_sign')}"
            out.add(4, f"if q % {every} == 0:",
                    f"    copy_weights({kept}, q // {every} - {first}, {columns}, {synapses}, {own})")


def arrivals(out: Any, shapes: list[PlasticShape]) -> None:
    """What plastic synapses sent arrives."""
    for shape in shapes:
        acc, ring, n, depth = (out.use(f"x{shape.number}_{name}") for name in ("acc", "ring", "n_target", "depth"))
        out.add(2, f"z = step % {depth} * {n}", f"take_row({acc}, {ring}[z : z + {n}])")


def variables(out: Any, population: int, shapes: list[PlasticShape], name: Any) -> None:
    """Keep the variables of a population that modulate projections; name: of an argument of its update."""
    for shape in shapes:
        if shape.variable is not None and shape.variable[0] == population:
            ring, rows, n, low, offset = (out.use(f"x{shape.number}_modulator_{part}")
                                          for part in ("ring", "rows", "n", "own", "offset"))
            values = out.use(name(*shape.variable))
            out.add(2, f"keep_variable({ring}, step % {rows} * {n} + {low}, {values}, {offset})")
