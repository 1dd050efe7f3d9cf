"""The text of what continuous couplings do in a step: sums for all targets before it, new values after it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from snnsim.backends.cupy.emit import language
from snnsim.backends.cupy.layout import LANES
from snnsim.ir import Program
from snnsim.ir.printing import AddingPrinter, Printed
from snnsim.plan import Plan
from snnsim.plastic import coupled_numbers, coupled_variables, coupling_of

if TYPE_CHECKING:
    from snnsim.backends.cupy.shapes import Shape

# Entries of a coupled variable, and of a projection before its parameters, as coupling.cuh has them.
VARIABLE = ("published", "stored", "offset", "each")
PROJECTION = ("rows", "sources", "weights", "quanta", "limit")
# Entries of what stops a run.
DIVERGED = ("steps", "devices", "device")

_NONE = """
static __device__ __forceinline__ void couple(const Frame& f) {}
static __device__ __forceinline__ void publish(const Frame& f) {}
static __device__ __forceinline__ bool stopped(const Frame& f) { return false; }
"""


def index_type(n: int) -> Any:
    """Of the numbers of `n` sources."""
    return np.uint16 if n <= 1 << 16 else np.uint32


class CouplingPrinter(AddingPrinter):
    """Prints one program as a function of a target: the sum over every `step`-th of its synapses.

    constant: all synapses have one weight. sources: C type of their numbers.
    """

    def __init__(self, program: Program, dtype: Any, constant: bool, sources: str) -> None:
        self.sources = sources
        super().__init__(program, language(dtype), {
            "w": ("weights[0]", 0) if constant else ("weights[j]", 2), "pre": ("pre[sources[j]]", 2),
            "post": ("post[i]", 1)})

    def function(self) -> Printed:
        """c: entries of the projection; pre, post: values of all units, and from the device's first one on."""
        text = ("(const long long* c, const real* pre, const real* post, int i, int first, int step, bool& wrong)\n{\n"
                + "".join(f"    {line}\n" for line in self._lines()) + "}\n")
        name = f"couple_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        source = f"static __device__ __forceinline__ long long {name}{text}"
        return Printed(name, source, tuple(self.functions), tuple(self.scalars))

    def _lines(self) -> list[str]:
        arrays = {"rows": "long long", "sources": self.sources, "weights": "real"}
        scalars = [f"const real* {self.names['scalars', '']} = (const real*)(c + C_SCALARS);"] if self.scalars else []
        return [
            *(f"const {kind}* {name} = (const {kind}*)c[C_{name.upper()}];" for name, kind in arrays.items()),
            *(f"const double {name} = __longlong_as_double(c[C_{name.upper()}]);" for name in ("quanta", "limit")),
            *scalars, *self.before, *self.row, "const long long end = rows[i + 1];", "long long total = 0;",
            "for (long long j = rows[i] + first; j < end; j += step) {", *(f"    {line}" for line in self.body),
            f"    total += whole_quanta((double)v{self.adds}, quanta, limit, wrong);", "}", "return total;"]


def printed(plan: Plan, number: int) -> Printed:
    """The function of a coupled projection."""
    it = plan.projections[number]
    narrow = index_type(plan.populations[it.source].n) is np.uint16
    return CouplingPrinter(coupling_of(it).program, plan.dtype, it.constant_weight,
                           "unsigned short" if narrow else "unsigned").function()


class CouplingSource:
    """Writes ``couple``, ``publish`` and ``stopped`` for a network. shapes: of its populations."""

    def __init__(self, plan: Plan, shapes: Sequence[Shape]) -> None:
        self.plan, self.shapes = plan, shapes
        self.functions = {k: printed(plan, k) for k in coupled_numbers(plan)}
        self.variables = coupled_variables(plan)
        # Those that add to one input are summed together, so that nobody needs to clear the sums.
        self.together: dict[tuple[int, str], list[int]] = {}
        for k in self.functions:
            it = plan.projections[k]
            self.together.setdefault((it.target, coupling_of(it).drive), []).append(k)

    @property
    def files(self) -> tuple[str, ...]:
        """The hand-written device code that the text needs."""
        return ("coupling.cuh",) if self.functions else ()

    def sections(self) -> dict[str, int]:
        """Names and sizes of the parts of the table that the text reads."""
        if not self.functions:
            return {}
        real = np.dtype(self.plan.dtype).itemsize
        sizes = {k: len(PROJECTION) + -(-len(it.scalars) * real // 8) for k, it in self.functions.items()}
        return {"DIVERGED": len(DIVERGED), "SUMS": len(self.together),
                **{f"VARIABLE{k}": len(VARIABLE) for k in range(len(self.variables))},
                **{f"COUPLING{k}": size for k, size in sizes.items()}}

    def text(self) -> str:
        """Device functions."""
        if not self.functions:
            return _NONE
        texts = dict.fromkeys(text for it in self.functions.values() for text in (*it.functions, it.source))
        return "\n".join([*texts, self._couple(), self._publish()])

    def _couple(self) -> str:
        targets = [self._targets(place, key) for place, key in enumerate(self.together)]
        return ("// The sums of a step, from the variables as the step before left them.\n"
                "static __device__ __forceinline__ void couple(const Frame& f)\n{\n    bool wrong = false;\n"
                f"{''.join(targets)}    note_wrong(f, wrong);\n}}\n")

    def _targets(self, place: int, key: tuple[int, str]) -> str:
        """What is added to one input of one population."""
        numbers = self.together[key]
        each = self._threads(numbers)
        terms = " + ".join(self._term(k, each) for k in numbers)
        where = f"f.table + T_P{key[0]}, f.at<long long>(T_SUMS + {place})"
        return f"    each_target<{each}>({where}, [&](int i, int k) {{\n        return {terms};\n    }});\n"

    def _threads(self, numbers: list[int]) -> int:
        """That share a target: a power of two, about one for two synapses."""
        bounds = [self.plan.projections[k].bound for k in numbers]
        mean = sum(bound.synapses / max(1, bound.n_target) for bound in bounds)
        return min(LANES, 1 << round(math.log2(max(1.0, mean / 2))))

    def _term(self, number: int, each: int) -> str:
        it = self.plan.projections[number]
        variable = coupling_of(it).variable
        rows = [f"published(f.table + T_P{k}, f.table + T_VARIABLE{self.variables.index((k, variable))}, f.step - 1)"
                for k in (it.source, it.target)]
        post = f"{rows[1]} + f.whole(T_P{it.target} + P_OWN_LOW)"
        return f"{self.functions[number].name}(f.table + T_COUPLING{number}, {rows[0]}, {post}, i, k, {each}, wrong)"

    def _publish(self) -> str:
        calls = []
        for number, (k, variable) in enumerate(self.variables):
            p, v = f"f.table + T_P{k}", f"f.table + T_VARIABLE{number}"
            field = self.shapes[k].fields.get(("state", variable, "array"))
            # A state that no step changes is no argument of the update.
            stored = f"home<real>(f, {p}, {field})"
            if field is None:
                stored = f"(const real*)({v})[V_STORED] + ({p})[P_LOW]"
            calls.append(f"    publish_values(f, {p}, {v}, {stored});\n")
        return ("// Lets all see the variables as this step left them.\n"
                f"static __device__ __forceinline__ void publish(const Frame& f)\n{{\n{''.join(calls)}}}\n")
