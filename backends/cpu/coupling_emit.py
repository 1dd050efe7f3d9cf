"""Prints the program of a coupling as a loop over the synapses of each target, and the lines of the step loop for it.

Threads meet in every step where there are couplings. After its update each publishes its part of the coupled variables
into the row of the step's parity; in the next step all read that row, while they fill the other one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snnsim.backends.cpu.emit import language
from snnsim.ir import Program
from snnsim.ir.printing import AddingPrinter, Printed

IMPORTS = "from snnsim.backends.cpu.coupling_kernels import publish, take_sums\n"
_FIXED = ("rows", "sources", "weights", "pre", "post", "sums", "quanta", "limit")

Name = Callable[[int, str, Any], str]


@dataclass(frozen=True)
class CouplingShape:
    """A coupled projection: its number, the populations, the variable of both, the input of the target."""

    number: int
    loop: Printed
    source: int
    target: int
    variable: str
    drive: str


class CouplingPrinter(AddingPrinter):
    """Prints one program. constant: all synapses have one weight."""

    def __init__(self, program: Program, dtype: Any, constant: bool) -> None:
        self.constant = constant
        super().__init__(program, language(dtype), {
            "w": ("weights[0]", 0) if constant else ("weight[j]", 2), "pre": ("pre[source[j]]", 2),
            "post": ("post[i]", 1)})

    def loop(self) -> Printed:
        """The function: it adds to the sums, and tells whether any synapse added more than it may."""
        inner = [*self.body, f"total += np.int64(np.rint(np.float64(v{self.adds}) * quanta))",
                 f"wrong |= not (abs(v{self.adds}) <= limit)"]
        outer = ["low, high = np.int64(rows[i]), np.int64(rows[i + 1])", "source = sources[low:high]",
                 *([] if self.constant else ["weight = weights[low:high]"]), *self.row, "total = np.int64(0)",
                 "for j in range(source.size):", *(f"    {line}" for line in inner), "sums[i] += total"]
        lines = [*self.before, "wrong = False", "for i in range(sums.size):", *(f"    {line}" for line in outer),
                 "return wrong"]
        names = (*_FIXED, *(self.names[a] for a in self.arguments))
        body = f"({', '.join(names)}):\n" + "".join(f"    {line}\n" for line in lines)
        name = f"couple_{hashlib.sha256(body.encode()).hexdigest()[:16]}"
        source = f"@njit(nogil=True, noalias=True, error_model='numpy')\ndef {name}{body}"
        return Printed(name, source, tuple(self.functions), tuple(self.scalars))


def add_inputs(out: Any, shapes: list[CouplingShape], name: Name) -> None:
    """The inputs of a step, from the variables as the step before left them; all threads stop after a wrong one."""
    if not shapes:
        return
    out.add(2, "before, wrong = (step - 1) & 1, False")
    for shape in shapes:
        out.add(2, f"wrong |= {shape.loop.name}({', '.join(_arguments(out, shape, name))})")
    out.add(2, "if wrong:", f"    {out.use('diverged')}[0] = step", "    atomic_store(sync, 16 + 8 * (1 - turn), 1)")
    for population, drive in dict.fromkeys((shape.target, shape.drive) for shape in shapes):
        arrays = ", ".join(out.use(name(population, kind, drive)) for kind in ("sums", "quantum", "drive"))
        out.add(2, f"take_sums({arrays})")


def _arguments(out: Any, shape: CouplingShape, name: Name) -> list[str]:
    low, n = out.use(f"p{shape.target}_low"), out.use(f"p{shape.target}_n")
    pre, post = (out.use(name(k, "published", shape.variable)) for k in (shape.source, shape.target))
    rows, sources, weights, quanta, limit = (
        out.use(f"c{shape.number}_{part}") for part in ("rows", "sources", "weights", "quanta", "limit"))
    scalars = [out.use(f"c{shape.number}_scalars")] if shape.loop.scalars else []
    sums = out.use(name(shape.target, "sums", shape.drive))
    return [rows, sources, weights, f"{pre}[before]", f"{post}[before][{low} : {low} + {n}]", sums, quanta, limit,
            *scalars]


def publish(out: Any, population: int, shapes: list[CouplingShape], name: Name) -> None:
    """After the update of a population: let the other threads see its coupled variables."""
    coupled = {shape.variable: None for shape in shapes if population in (shape.source, shape.target)}
    for variable in coupled:
        low, n = out.use(f"p{population}_low"), out.use(f"p{population}_n")
        stored, offset, published = (out.use(name(population, kind, variable))
                                     for kind in ("state", "offset", "published"))
        out.add(2, f"publish({stored}, {offset}, {published}[step & 1][{low} : {low} + {n}])")
