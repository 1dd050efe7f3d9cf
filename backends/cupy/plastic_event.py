"""Prints the program of one kind of event of a plastic projection as a device function of a block.

``pre`` runs along the rows of the sources that spiked, ``post`` along the columns of the targets, ``step`` and
``interval`` over all synapses of the part.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from snnsim.backends.cupy.emit import language
from snnsim.ir import Instr, Op, Program
from snnsim.ir.printing import NestedPrinter
from snnsim.plan_rules import Plasticity
from snnsim.synapse_rules import is_clipped

# Entries of a projection in the table, before those that its rule names, as plastic.cuh knows them. SHOWN, LAST_SHOWN,
# SEEN, UNDER_WAY: rows less one of the rings of what sources show, of LAST, of traces of targets, and of what is sent.
FIXED = (
    "BASE", "ROWS", "TARGETS", "DELAYS", "COLUMNS", "POSITIONS", "SOURCES", "STATE_W", "SOURCE_ROWS", "RING", "LAST",
    "FAULT", "FOUND", "SUMS", "SOURCE", "TARGET", "N_SOURCE", "N_TARGET", "SHOWN", "LAST_SHOWN", "SEEN", "UNDER_WAY",
    "AXONAL", "LOW", "DELAY_COUNT", "GROUPS", "LANES", "INTERVAL", "PLACE", "MODULATOR", "MODULATOR_WORDS",
    "MODULATOR_DELAY", "VARIABLE", "VARIABLE_N", "VARIABLE_STORED", "OFFSET", "OFFSET_EACH", "WATCH_START", "WATCHED",
    "LOG_LENGTH", "LOG_ENTRY", "LOG_STEP", "LOG_VALUE", "LOG_ROOM", "LIMIT", "QUANTA", "SIZE", "QUANTUM", "SIGN", "DT",
)
_PARAMETERS, _ROW, _SYNAPSE = range(3)   # how often a value is computed: once, per row or column, per synapse


@dataclass(frozen=True)
class RuleShape:
    """What the text of a rule depends on besides the rule.

    source, target, delay: C types of their numbers. many_delays: synapses differ in delay. variable: the modulator is a
    variable, with a value for each target where `per_target`. logged: what presynaptic events send is recorded.
    """

    dtype: Any
    source: str
    target: str
    delay: str
    many_delays: bool
    variable: bool
    per_target: bool
    logged: bool


class Entries:
    """The entries of a projection: names -> places among them."""

    def __init__(self) -> None:
        self.names = {name: k for k, name in enumerate(FIXED)}

    def at(self, name: str) -> int:
        """The place of a name; further ones follow the fixed ones."""
        return self.names.setdefault("STATE_W" if name == "state_w" else name, len(self.names))


class Event(NestedPrinter):
    """Prints one program as a loop over synapses."""

    def __init__(self, event: str, program: Program, rule: Plasticity, shape: RuleShape, entries: Entries) -> None:
        super().__init__(program, language(shape.dtype))
        self.event, self.rule, self.shape, self.entries = event, rule, shape, entries
        self.kinds = {trace.name: trace.on for trace in rule.traces}
        self.declared: list[str] = []
        self.sent = -1
        self.print()

    # --- leaves ------------------------------------------------------------------------------------------------------

    def outside(self, instr: Instr, wide: bool) -> str:
        if instr.op is Op.PARAM:
            return f"number(l.x, {self.entries.at(f'param_{instr.data}')})"
        return super().outside(instr, wide)

    def leaf(self, k: int, instr: Instr) -> str:
        if instr.op is Op.STATE:
            return self._state(instr.data)
        special = {"since_pre": self._since, "modulator": self._modulator, "sum_w": self._sum}
        return special[instr.data]() if instr.data in special else self._trace(instr.data)

    def depth_of(self, instr: Instr) -> int:
        # A source that spikes again in this very step finds another time since the latest event.
        if instr.op is Op.STATE or instr.data in ("sum_w", "since_pre"):
            return _SYNAPSE
        if instr.data == "modulator":
            return self._side("post") if self.shape.per_target else _PARAMETERS
        side = self.kinds[instr.data]
        return _PARAMETERS if side == "modulator" else self._side(side)

    def _side(self, side: str) -> int:
        """How often what belongs to a source or a target is read."""
        return _ROW if self.event == side else _SYNAPSE

    def _named(self, kind: str, name: str, *lines: str) -> str:
        """Declare, once, what a leaf reads; in the lines, {0} is its name."""
        known = (kind, name) in self.names
        text = self.argument(kind, name)
        if not known:
            self.declared += [line.format(text) for line in lines]
        return text

    def _state(self, name: str) -> str:
        entry = self.entries.at(f"state_{name}")
        return f"{self._named('state', name, f'real* {{0}} = column_at<real>(l, {entry});')}[j]"

    def _since(self) -> str:
        """Of presynaptic events alone."""
        shown = "shown<const long long>(l.x, X_LAST, X_LAST_SHOWN, l.step - 1)"
        last = self._named("last", "", f"const long long* {{0}} = {shown};", "const double dt = exactly(l.x, X_DT);")
        return f"time > 0 ? (real)0 : since({last}[i], l.step, dt)"

    def _modulator(self) -> str:
        if not self.shape.per_target:
            return "l.modulator"
        value = self._named("variable", "", "const real* {0} = variable(l.x, l.step - 1) + l.p[P_OWN_LOW];")
        return f"{value}[t]"

    def _sum(self) -> str:
        sums = self._named("sums", "", "const long long* {0} = (const long long*)l.x[X_SUMS];",
                           "const double quantum = exactly(l.x, X_QUANTUM);")
        return f"(real)((double){sums}[t] * quantum)"

    def _sees(self, side: str) -> bool:
        """Whether traces of a side already have this step's spikes (or, on_step, those of the step before)."""
        tie = {"pre": "post_first", "post": "pre_first"}
        return self.event in ("step", "interval") or (self.rule.tie == tie[self.event] and side != self.event
                                                      and side != "modulator")

    def _trace(self, name: str) -> str:
        side = self.kinds[name]
        return {"pre": self._source_trace, "post": self._target_trace, "modulator": self._modulator_trace}[side](name)

    def _late(self, side: str) -> tuple[str, bool]:
        """The step whose traces are read, after its spikes; whether they decay until they are seen."""
        if self.event == "step":
            return "l.step - 1", False
        return ("l.step", False) if self._sees(side) else ("l.step - 1", True)

    def _source_trace(self, name: str) -> str:
        (step, decays), entry = self._late("pre"), self.entries.at(f"trace_{name}")
        trace = self._named("pre", name, f"const real* {{0}} = shown<const real>(l.x, {entry}, X_SHOWN, {step});")
        return f"{trace}[i]{self._decayed(name, decays)}"

    def _target_trace(self, name: str) -> str:
        kept = self.entries.at(f"{'after' if self._sees('post') else 'before'}_{name}")
        return f"{self._named('post', name, f'const real* {{0}} = (const real*)l.x[{kept}];')}[seen]"

    def _modulator_trace(self, name: str) -> str:
        (step, decays), entry = self._late("modulator"), self.entries.at(f"trace_{name}")
        trace = self._named("modulator", name, f"const real {{0}} = *modulator_trace(f, l.x, {entry}, {step});")
        return f"{trace}{self._decayed(name, decays)}"

    def _decayed(self, name: str, decays: bool) -> str:
        if not decays:
            return ""
        entry = self.entries.at(f"decay_{name}")
        return f" * {self._named('decay', name, f'const real {{0}} = number(l.x, {entry});')}"

    def _has(self, *kinds: str) -> bool:
        """Whether a leaf of one of these kinds is read."""
        return any(kind in kinds for kind, _ in self.names)

    # --- effects -----------------------------------------------------------------------------------------------------

    def effect(self, k: int, instr: Instr) -> None:
        value = instr.args[0]
        if instr.op is Op.STORE:
            self.after.append(f"{self._state(instr.data)} = v{value};")
        else:
            self.sent = value

    @property
    def checked(self) -> bool:
        """Whether what is sent may exceed the limit."""
        return self.event == "pre" and not is_clipped(self.program, self.sent, self.rule, self.shape.dtype)

    def _send(self) -> list[str]:
        sent = f"v{self.sent}"
        at = f"ring_row(later + {self._delay()}, under_way) * n_target + t"
        lines = [f"add_to(ring + {at}, (sum_t)rint({sent} * quanta));"]
        if self.checked:
            lines = [f"const bool fine = fabs({sent}) <= limit;", f"worst.note(fine, time, j, {sent});",
                     "if (fine) {", f"    {lines[0]}", "}"]
        return [*lines, *([f"log_sent(f, l, j, {sent});"] if self.shape.logged else [])]

    def _delay(self) -> str:
        return "delays[j]" if self.shape.many_delays else "0"

    # --- the text ----------------------------------------------------------------------------------------------------

    def text(self) -> tuple[str, str]:
        """Name and text of the function."""
        body = {"pre": self._rows, "post": self._columns}.get(self.event, self._all)()
        lines = [*self._columns_of_synapses(), *self._numbers(), *self.declared, *self.before, *body]
        given = ", const int* list, int total" if self.event in ("pre", "post") else ""
        given += ", Worst& worst" if self.event == "pre" else ""
        text = f"(const Frame& f, const Learning& l{given})\n{{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
        name = f"{self.event}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        return name, f"static __device__ __forceinline__ void {name}{text}"

    def _columns_of_synapses(self) -> list[str]:
        shape = self.shape
        wanted = [(shape.target, "targets", self.event != "post"),
                  (shape.delay, "delays", shape.many_delays or self.event == "post"),
                  ("unsigned", "positions", self.event == "post"),
                  (shape.source, "sources", self.event == "post" and self._has("pre"))]
        return [f"const {kind}* {name} = column_at<const {kind}>(l, X_{name.upper()});"
                for kind, name, use in wanted if use]

    def _numbers(self) -> list[str]:
        seen = ["const long long n_target = l.x[X_N_TARGET];"]
        if self._has("post"):
            step = "l.step - 1" if self.event == "step" else "l.step"
            seen += [f"const long long rows_seen = l.x[X_SEEN], earlier = {step} - l.x[X_LOW];"]
        if self.event != "pre":
            return seen if self._has("post") else []
        limit = ["const real limit = number(l.x, X_LIMIT);"] if self.checked else []
        return [*seen, "sum_t* ring = (sum_t*)l.x[X_RING];",
                "const long long under_way = l.x[X_UNDER_WAY], later = l.step + l.x[X_LOW];",
                "const real quanta = number(l.x, X_QUANTA);", *limit]

    def _seen(self, delay: str) -> list[str]:
        """The place of the target's traces as the synapse sees them."""
        if not self._has("post"):
            return []
        return [f"const long long seen = ring_row(earlier - {delay}, rows_seen) * n_target + t;"]

    def _rows(self) -> list[str]:
        event = [*self.body, *self._send(), *self.after]
        synapse = ["const int t = (int)targets[j];", *self._seen(self._delay()),
                   "for (int time = 0; time < times(f, k); ++time) {", *_deeper(*event), "}"]
        row = ["const int i = list[k];", *self.row, "const unsigned end = l.rows[i + 1];",
               "for (unsigned j = l.rows[i] + threadIdx.x % lanes; j < end; j += lanes) {", *_deeper(*synapse), "}"]
        each = "for (int k = (int)threadIdx.x / lanes; k < total; k += (int)blockDim.x / lanes) {"
        return ["const int lanes = (int)l.x[X_LANES];", each, *_deeper(*row), "}"]

    def _columns(self) -> list[str]:
        synapse = ["const unsigned j = positions[q];",
                   *(["const int i = (int)sources[q];"] if self._has("pre") else []),
                   "for (int time = 0; time < times(f, k); ++time) {", *_deeper(*self.body, *self.after), "}"]
        column = ["const int late = list[k] / LANES / words;",
                  "const int t = (int)l.p[P_LOW] + list[k] / LANES % words * LANES + list[k] % LANES;",
                  *self._seen("late"), *self.row, "const Piece piece = piece_of(l, positions, delays, t, late);",
                  "for (unsigned q = piece.low + threadIdx.x % LANES; q < piece.high; q += LANES) {",
                  *_deeper(*synapse), "}"]
        each = "for (int k = (int)threadIdx.x / LANES; k < total; k += (int)blockDim.x / LANES) {"
        return ["const int words = target_words(l);", each, *_deeper(*column), "}"]

    def _all(self) -> list[str]:
        source = ["const int i = source_of(l, j);"] if self._has("pre") else []
        synapse = ["const int t = (int)targets[j];", *source, *self._seen(self._delay()), *self.row, *self.body,
                   *self.after]
        return ["for (unsigned j = threadIdx.x; j < l.count; j += blockDim.x) {", *_deeper(*synapse), "}"]


def _deeper(*lines: str) -> list[str]:
    return [f"    {line}" for line in lines]
