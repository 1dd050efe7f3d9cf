"""The text of the kernel that runs a network, and the table of numbers that it reads.

One kernel does everything between two launches: for each epoch the delivery of what arrives soon, its steps, and the
delivery of what arrives late. With ``persistent`` its blocks meet after each epoch (and between the levels of a step)
and it runs on for thousands of steps; without, a launch is one epoch or one level, and its end is the meeting.

All sizes and addresses stand in the table, so networks of one shape have one text, compiled once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from snnsim.backends.cupy.coupling_source import CouplingSource
from snnsim.backends.cupy.layout import Layout
from snnsim.backends.cupy.plastic_source import PlasticSource
from snnsim.backends.cupy.shapes import POPULATION, Shape, shapes_of
from snnsim.plan import Plan

LIST = 1024             # rows that a block lists before it delivers them
_SHORT, _LONG, _MANY = 70, 500, 4   # instructions of an update, and plastic projections, in single precision

# Entries of the table that every network has.
ENTRIES = (
    "OWN", "PARTS", "FIRST_PART", "WORDS", "ALL_WORDS", "PLACES", "ROWS", "SLOTS", "EPOCH", "MASKS", "COUNTS", "RING",
    "SENT", "LEARNED", "COUNTER", "SCHEDULE_STEP", "SCHEDULE_PLACE", "SCHEDULE_WEIGHT", "SCHEDULE_START", "OWNER",
    "KEY0", "KEY1", "LIST", "SHARED_OWNER", "SHARED_RING", "SHARED_DRIVES",
)
TRACE = ("every", "first", "out", "columns", "start", "units", "place")
BUNDLE = ("base", "at", "words", "weights", "row_weights", "row_of_word", "home", "target_bits", "delay_bits", "delay",
          "lanes")


@dataclass(frozen=True)
class Flags:
    """What the text depends on besides the network.

    persistent: the blocks stay and meet. shared_ring, resident: the ring of inputs and the states are in shared memory
    during a launch.
    """

    persistent: bool
    shared_ring: bool
    resident: bool


def threads_of(plan: Plan, layout: Layout) -> int:
    """Threads of a block: the more registers an update takes, the fewer; a lane for each unit where that is cheap.

    A multiprocessor has 65 536 registers: 80, 128 or 255 for each thread. What the built-in models and rules need was
    read off their machine code; where it does not suffice, ``KernelSource.shrink`` helps.
    """
    width = 1 if plan.dtype == np.float32 else 2
    longest = max(len(p.program.instrs) for p in plan.populations) * width
    rules = sum(p.rule is not None for p in plan.projections) * width
    if longest > _LONG or rules > _MANY:
        return 256
    short = longest <= _SHORT and all(p.spiking for p in plan.projections)
    return 768 if short and 16 < layout.words <= 24 else 512


def list_bytes(counted: bool, wide: bool) -> int:
    """Of the list of rows in step.cuh."""
    return 16 + LIST * (4 + 4 * counted + 4 + 8 + (8 if wide else 4))


@cache
def device_text(name: str) -> str:
    """A file of hand-written device code."""
    return (files(__package__) / "kernels" / name).read_text()


class KernelSource:
    """Writes the text for a network."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.bundles, self.levels, self.wide = plan, layout.bundles, layout.levels, layout.wide
        self.threads = threads_of(plan, layout)
        each = shapes_of(plan, layout.wide)
        self.shapes = list(dict.fromkeys(each))
        self.shape_number = [self.shapes.index(shape) for shape in each]
        # Bundles of the same sources share what says where the rows of each word begin.
        self.row_tables = list(dict.fromkeys(bundle.row_table for bundle in layout.bundles))
        self.real = "float" if plan.dtype == np.float32 else "double"
        self.plastic = PlasticSource(plan, layout, each)
        self.couplings = CouplingSource(plan, each)
        self.graded = any(shape.update.graded for shape in self.shapes)
        # Whether there are numbers beside the spikes: counts, or payloads.
        self.counted = self.graded or any(shape.update.counted for shape in self.shapes)

    def shrink(self) -> bool:
        """Take smaller blocks, whose threads have more registers; False where they are as small as they get."""
        self.threads, before = 512 if self.threads > 512 else 256, self.threads
        return self.threads < before

    @property
    def entries(self) -> dict[str, int]:
        """Where everything begins in the table: names of single entries, ``P0``, ... of populations, and so on."""
        found = {name: k for k, name in enumerate(ENTRIES)}
        at = len(ENTRIES)

        def add(name: str, size: int) -> None:
            nonlocal at
            found[name] = at
            at += size

        add("ENTRY", len(self.shape_number))
        for k, shape in enumerate(self.shape_number):
            add(f"P{k}", self.shapes[shape].entries)
        for k in range(len(self.bundles)):
            add(f"B{k}", len(BUNDLE))
        for k in range(len(self.plan.traces)):
            add(f"R{k}", len(TRACE))
        add("INPUTS", 2 * self.drives)
        add("ROW_TABLES", 2 * len(self.row_tables))
        for name, size in (*self.plastic.sections().items(), *self.couplings.sections().items()):
            add(name, size)
        found["END"] = at
        return found

    @property
    def drives(self) -> int:
        """How many tables of continuous inputs there are."""
        return sum(kind == "drive" and part == "slot" for shape in self.shape_number
                   for kind, _, part in self.shapes[shape].fields)

    def text(self, flags: Flags, offsets: Sequence[Any]) -> str:
        """The whole module. offsets: type of the places within the rows of each bundle."""
        self.offsets = offsets
        functions = dict.fromkeys(text for shape in self.shapes
                                  for text in (*shape.update.functions, shape.update.source))
        before = ("sync.cuh", "philox.cuh", "step.cuh", "population.cuh")
        return "\n".join([
            *self._head(flags), self._kinds(), *map(device_text, before), *functions,
            *map(self._shape, range(len(self.shapes))),
            self._update_all(), self._copies(), self._traces(), self._spikes("soon", "deliver_soon"),
            self._spikes("late", "deliver_late"), self._lists(), self._now(), self._refill(), self.plastic.head(),
            *map(device_text, self.plastic.files), self.plastic.text(),
            *map(device_text, self.couplings.files), self.couplings.text(), device_text("run.cuh"),
            device_text("gather.cuh"),
        ])

    def _head(self, flags: Flags) -> Iterator[str]:
        given = {"SNN_PERSISTENT": flags.persistent, "SNN_SHARED_RING": flags.shared_ring,
                 "SNN_RESIDENT": flags.resident, "SNN_COUNTED": self.counted, "SNN_GRADED": self.graded,
                 "SNN_SCHEDULED": any(p.schedules for p in self.plan.populations)}
        yield from (f"#define {name} {int(value)}" for name, value in given.items())
        yield f"#define SNN_LIST {LIST}"
        yield f"#define SNN_THREADS {self.threads}"
        yield f"typedef {self.real} real;"
        yield f"typedef {'long long' if self.wide else 'int'} sum_t;"
        numbers = {"LEVELS": self.levels, "POPULATIONS": len(self.shape_number), "DRIVES": self.drives,
                   "ROW_TABLES": len(self.row_tables)}
        yield f"constexpr int {', '.join(f'{name} = {number}' for name, number in numbers.items())};"
        yield f"enum {{ {', '.join(f'T_{name} = {at}' for name, at in self.entries.items())} }};"
        yield f"enum {{ {', '.join(f'P_{name}' for name in POPULATION)} }};"

    # --- populations -------------------------------------------------------------------------------------------------

    def _kinds(self) -> str:
        """Of which populations the numbers beside spikes are payloads."""
        graded = [f"shape == {k}" for k, shape in enumerate(self.shapes) if shape.update.graded]
        return ("static __device__ __forceinline__ bool sends_payloads(int shape) { return "
                f"{' || '.join(graded)}; }}\n" if graded else "")

    def _shape(self, number: int) -> str:
        """A function that advances unit i of a population."""
        shape = self.shapes[number]
        lines: list[str] = []
        values = [self._value(shape, lines, kind, data) for kind, data in shape.update.arguments]
        body = "".join(f"    {line}\n" for line in lines)
        call = f"{shape.update.name}({', '.join(['i', *values])})"
        return (f"static __device__ __forceinline__ int shape_{number}(const Frame& f, const long long* p, int i, "
                f"bool draw)\n{{\n{body}    return {call};\n}}\n")

    def _value(self, shape: Shape, lines: list[str], kind: str, data: Any) -> str:
        """The text of an argument; what must be computed before goes to `lines`."""
        field = {part: at for (k, d, part), at in shape.fields.items() if (k, d) == (kind, data)}
        name = f"{kind}_{len(lines)}"
        if kind == "drive":
            lines.append(f"const real {name} = {self._drive(field)};")
            return name
        if kind == "poisson":
            lines.append(f"const int {name} = drawn_count(f, p + {field['drawn']}, (int)p[P_LOW] + i, "
                         f"(int)(p[P_OWN_LOW] + p[P_LOW]) + i, i, draw);")
            return name
        if kind == "words":
            lines.append(f"const unsigned {name} = drawn_word(f, p + {field['drawn']}, (int)p[P_LOW] + i, "
                         f"(int)(p[P_OWN_LOW] + p[P_LOW]) + i, i, draw);")
            return name
        if kind == "arrival":
            return f"f.arrivals() + p[{field['place']}]"
        type_ = self._type(shape, kind, data)
        if kind == "state":
            return f"home<{type_}>(f, p, {field['array']})"
        if kind in ("scalars", "wholes"):
            return f"(const {type_}*)(p + {field['array']})"
        return f"({type_}*)p[{field['array']}] + p[P_LOW]"

    def _type(self, shape: Shape, kind: str, data: Any) -> str:
        """Of the elements of an array."""
        if kind == "wholes":
            return "long long" if shape.wide else "int"
        return shape.type_name(data) if kind in ("state", "param") else "real"

    def _drive(self, field: dict[str, int]) -> str:
        if "sums" in field:
            return (f"(real)((double)((const long long*)p[{field['sums']}])[p[P_LOW] + i] * "
                    f"__longlong_as_double(p[{field['quantum']}]))")
        return f"held(f, p + {field['values']}, (int)p[P_LOW] + i)"

    def _update_all(self) -> str:
        cases = "".join(f"            case {k}: spikes = shape_{k}(f, p, i, draw); break;\n"
                        for k in range(len(self.shapes)))
        spiked = "sends_payloads((int)p[P_SHAPE]) ? spikes != 0 : spikes > 0" if self.graded else "spikes > 0"
        return f"""
// Advances all populations of a level by a step, and notes who spiked.
static __device__ __forceinline__ void update_all(const Frame& f, int level, bool draw)
{{
    const int lane = (int)threadIdx.x & (LANES - 1), words = (int)f.whole(T_WORDS);
    const unsigned short* owner = (const unsigned short*)(f.shared + f.whole(T_SHARED_OWNER));
    unsigned* masks = f.masks(f.step) + (long long)f.part * words;
    for (int w = (int)threadIdx.x / LANES; w < words; w += (int)blockDim.x / LANES) {{
        const long long* p = f.table + f.whole(T_ENTRY + owner[w]);
        if (LEVELS > 1 && p[P_LEVEL] != level) {{
            continue;
        }}
        const int i = (w - (int)p[P_WORD]) * LANES + lane;
        int spikes = 0;
        if (i < (int)p[P_SIZE]) {{
            switch ((int)p[P_SHAPE]) {{
{cases}            }}
        }}
        const unsigned mask = __ballot_sync(ALL, {spiked});
        if (lane == 0) {{
            masks[w] = mask;
        }}
#if SNN_COUNTED
        f.counts(f.step)[((long long)f.part * words + w) * LANES + lane] = spikes;
#endif
    }}
}}
"""

    def _copies(self) -> str:
        """States (and nothing else: draws are made anew) on their way to shared memory and back."""
        cases = []
        for k, shape in enumerate(self.shapes):
            states = [(at, self._type(shape, kind, data)) for (kind, data, part), at in shape.fields.items()
                      if kind == "state" and part == "array"]
            calls = "".join(f" copy_home<{type_}>(f, p, {at}, in);" for at, type_ in states)
            cases.append(f"            case {k}:{calls} break;\n")
        return f"""
#if SNN_RESIDENT
static __device__ __forceinline__ void copy_states(const Frame& f, bool in)
{{
    for (int k = 0; k < POPULATIONS; ++k) {{
        const long long* p = f.table + f.whole(T_ENTRY + k);
        switch ((int)p[P_SHAPE]) {{
{"".join(cases)}        }}
    }}
}}
#endif
"""

    def _traces(self) -> str:
        """Rows of recorded states and outputs."""
        lines = []
        for k, trace in enumerate(self.plan.traces):
            shape = self.shapes[self.shape_number[trace.population]]
            kind = "state" if trace.variable in self.plan.populations[trace.population].program.states else "output"
            field = shape.fields[kind, trace.variable, "array"]
            type_ = self._type(shape, kind, trace.variable)
            values = f"home<{type_}>(f, p, {field})" if kind == "state" else f"({type_}*)p[{field}] + p[P_LOW]"
            lines += ["    {", f"        const long long* p = f.table + T_P{trace.population};",
                      f"        record(f, f.table + T_R{k}, {values});", "    }"]
        return _function("trace_all(const Frame& f)", lines)

    # --- bundles -----------------------------------------------------------------------------------------------------

    def _call(self, k: int, of_step: str, after: str = "") -> str:
        bundle = self.bundles[k]
        word = {16: "unsigned short", 32: "unsigned", 64: "unsigned long long"}[bundle.word.bits]
        offset = {2: "unsigned short", 4: "unsigned"}[np.dtype(self.offsets[k]).itemsize]
        place = ("IN_ROW" if bundle.row_weight is not None else "IN_COLUMN" if bundle.word.column else "IN_WORD")
        ring = {"list": "false", "now": "false, false"}.get(bundle.kind, "true")
        return f"deliver<{word}, {offset}, {place}, {ring}>(f, T_B{k}, {of_step}{after});"

    def _numbers(self, *kinds: str) -> list[int]:
        return [k for k, bundle in enumerate(self.bundles) if bundle.kind in kinds]

    def _spikes(self, kind: str, name: str) -> str:
        """What the spikes of a step put into the ring."""
        return _function(f"{name}(const Frame& f, long long of_step)",
                         [f"    {self._call(k, 'of_step')}" for k in self._numbers(kind)])

    def _lists(self) -> str:
        """What arrives in this step after a delay that all synapses share."""
        lines = [f"    {self._call(k, f'f.step - f.whole(T_B{k} + B_DELAY)')}" for k in self._numbers("list")]
        return _function("deliver_lists(const Frame& f)", lines)

    def _now(self) -> str:
        """What arrives in the step that it was emitted in."""
        lines = []
        for k in self._numbers("now"):
            lines += [f"    if (level == {self.bundles[k].level}) {{", f"        {self._call(k, 'f.step')}", "    }"]
        return _function("deliver_now(const Frame& f, int level)", lines)

    def _refill(self) -> str:
        """What the spikes of a step still put into the ring after a step."""
        lines = [f"    {self._call(k, 'of_step', ', after')}" for k in self._numbers("soon", "late")]
        return _function("deliver_rest(const Frame& f, long long of_step, long long after)", lines)


def _function(head: str, lines: list[str]) -> str:
    body = "".join(f"{line}\n" for line in lines)
    return f"static __device__ __forceinline__ void {head}\n{{\n{body}}}\n"
