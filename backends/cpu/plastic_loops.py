"""Prints the program of one kind of event as a loop over synapses: along the row of a source or the column of a target.

What depends only on the source (in a row) or the target (in a column) is computed before the loop. Inner loops have no
branches that are taken; what a later row or column needs is fetched before, because synapses lie far apart.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from snnsim.backends.cpu.emit import language
from snnsim.engine import LONG_AGO, NEVER
from snnsim.ir import Instr, Op, Program
from snnsim.ir.printing import NestedPrinter
from snnsim.plan_rules import Plasticity
from snnsim.synapse_rules import is_clipped

NEAR = 32       # synapses of a row whose target is looked up before it is needed
AHEAD = 128     # synapses of a column that are fetched before they are needed
_PARAMETERS, _ROW, _SYNAPSE = range(3)   # how often a value is computed: once, per row or column, per synapse
_HEAD = "@njit(nogil=True, noalias=True, error_model='numpy')\n"
_SPIKE = ["for k in range(a, b):", "    i = np.int64(ids[k]) - first", "    if i < 0 or i >= n:", "        continue"]


@dataclass(frozen=True)
class RuleShape:
    """What the text of a rule depends on besides the rule.

    many_delays: synapses differ in delay; wide: sums of arrivals are 64-bit; per_target: the modulator has a value for
    each target; logged: what presynaptic events send is recorded.
    """

    dtype: Any
    many_delays: bool
    wide: bool
    per_target: bool
    logged: bool


class Loop(NestedPrinter):
    """Prints one program as a loop over synapses."""

    def __init__(self, event: str, program: Program, rule: Plasticity, shape: RuleShape) -> None:
        super().__init__(program, language(shape.dtype))
        self.event, self.rule, self.shape = event, rule, shape
        self.kinds = {trace.name: trace.on for trace in rule.traces}
        self.sent, self.kept = -1, -1    # the values that are sent, and stored as the weight
        self.print()

    @property
    def is_column(self) -> bool:
        return self.event == "post"

    def depth_of(self, instr: Instr) -> int:
        return self._where(instr)[1]

    def leaf(self, k: int, instr: Instr) -> str:
        if instr.op is Op.STATE:
            return self._state(instr.data)
        if instr.data == "since_pre":
            last = f"{self.argument('last', '')}[i]"
            since = f"{LONG_AGO} if {last} == {NEVER} else (step - {last}) * {self.argument('dt', '')}"
            return f"{self.language.real}({since})"
        return f"{self.argument(self._kind(instr), self._name(instr))}{self._where(instr)[0]}"

    def effect(self, k: int, instr: Instr) -> None:
        value = instr.args[0]
        if instr.op is Op.STORE:
            self.after.append(f"{self._state(instr.data)} = v{value}")
            self.kept = value if instr.data == "w" else self.kept
        else:
            self.sent = value

    def _state(self, name: str) -> str:
        return f"{self.argument('state', name)}{'' if self.is_column else '_row'}[{'p' if self.is_column else 'j'}]"

    def _kind(self, instr: Instr) -> str:
        return instr.data if instr.data in ("modulator", "sum_w") else self.kinds[instr.data]

    def _name(self, instr: Instr) -> str:
        return "" if instr.data in ("modulator", "sum_w") else instr.data

    def _where(self, instr: Instr) -> tuple[str, int]:
        """The index of a leaf, and how often it is read."""
        if instr.op is Op.STATE:
            return "", _SYNAPSE
        if instr.data == "since_pre":
            return "", _ROW
        kind = "trace" if instr.data in self.kinds and self._kind(instr) == "modulator" else self._kind(instr)
        column = {"pre": ("[t]", _SYNAPSE), "post": ("[i]", _ROW), "modulator": ("[i]", _ROW)}
        late = "[q]" if self.shape.many_delays else "[t]"
        row = {"pre": ("[i]", _ROW), "post": (late, _SYNAPSE), "modulator": ("[t]", _SYNAPSE)}
        places = {"trace": ("[0]", _ROW), "sum_w": ("[t]", _SYNAPSE), **(column if self.is_column else row)}
        return ("", _PARAMETERS) if kind == "modulator" and not self.shape.per_target else places[kind]

    # --- the text ----------------------------------------------------------------------------------------------------

    @property
    def fixed(self) -> tuple[str, ...]:
        """Arguments of the loop before those of its leaves."""
        if self.is_column:
            return ("ids", "a", "b", "first", "n", "group", "groups", "columns", "positions", "sources", "delays")
        late = ("delays", "slots") if self.shape.many_delays else ()
        if self.event != "pre":
            return ("step", "n", "rows", "targets", *late)
        log = ("scratch", "watch_rows", "watch_synapse", "log_entry", "log_step", "log_value", "log_at", "sign")
        return ("step", "ids", "a", "b", "first", "n", "rows", "targets", *late, *(("later",) if late else ()), "ring",
                "limit", "quanta", "fault", "found", *(log if self.shape.logged else ()))

    def text(self) -> tuple[str, str]:
        """Name and text of the function."""
        names = [*self.fixed, *(self.names[a] for a in self.arguments)]
        lines = [*self.before, *(self._column() if self.is_column else self._rows())]
        body = f"({', '.join(names)}):\n" + "".join(f"    {line}\n" for line in lines)
        name = f"{self.event}_{hashlib.sha256(body.encode()).hexdigest()[:16]}"
        return name, f"{_HEAD}def {name}{body}"

    def _states(self) -> list[str]:
        return [self.names[a] for a in self.arguments if a[0] == "state"]

    def _column(self) -> list[str]:
        fetch = [f"prefetch({state}, np.int64(place[j + {AHEAD}]))" for state in self._states()]
        inner = ["p, t = place[j], source[j]", *([] if self.shape.many_delays else fetch), *self.body, *self.after]
        piece = ["low, high = column(columns, positions, delays, i, group, groups)",
                 "place, source = positions[low:high], sources[low:high]"]
        return [*_SPIKE, *deeper(1, *self._fetch_column(), *piece, *self.row, "for j in range(place.size):",
                                 *deeper(1, *inner))]

    def _fetch_column(self) -> list[str]:
        """Where columns are short pieces, have the piece of the next spike loaded."""
        if not self.shape.many_delays:
            return []
        where = "columns, positions, delays, np.int64(ids[k + 1]) - first, n, group, groups"
        ends = "columns, positions, sources, delays, ids, k, b, first, n, group, groups"
        states = (f"    fetch_column({state}, {where})" for state in self._states())
        return [f"fetch_ends({ends})", "if k + 1 < b:", *states]

    def _rows(self) -> list[str]:
        slices = ["low, high = np.int64(rows[i]), np.int64(rows[i + 1])", "target = targets[low:high]"]
        slices += [f"{state}_row = {state}[low:high]" for state in self._states()]
        slices += ["delay = delays[low:high]"] if self.shape.many_delays else []
        inner = ["t = target[j]", *(["d = delay[j]", "q = slots[d] + t"] if self.shape.many_delays else []),
                 *self.body, *self.after]
        if self.event != "pre":
            return ["for i in range(n):", *deeper(1, *slices, *self.row, "for j in range(target.size):",
                                                  *deeper(1, *inner))]
        return [*_SPIKE, *deeper(1, *self._fetch(), *slices, *self.row, "wrong = False",
                                 "for j in range(target.size):",
                                 *deeper(1, *self._fetch_ahead(), *inner, *self._send()), *self._after_row())]

    def _fetch(self) -> list[str]:
        """Have the row of the next spike loaded."""
        arrays = [*self._states(), "targets", *(["delays"] if self.shape.many_delays else [])]
        return ["if k + 1 < b:", "    following = np.int64(ids[k + 1]) - first",
                *(f"    fetch_row({array}, rows, following)" for array in arrays)]

    def _fetch_ahead(self) -> list[str]:
        """Have what later synapses of a row read and add to loaded: with many delays that is more than stays near."""
        if not self.shape.many_delays:
            return []
        late = [self.names[a] for a in self.arguments if a[0] == "post"]
        return [f"u, d = target[j + {NEAR}], delay[j + {NEAR}]", "prefetch(ring, np.int64(later[d] + u))",
                *(f"prefetch({values}, np.int64(slots[d] + u))" for values in late)]

    # --- what is sent ------------------------------------------------------------------------------------------------

    def _send(self) -> list[str]:
        whole, sent = f"np.int{64 if self.shape.wide else 32}", f"v{self.sent}"
        at = "later[d] + t" if self.shape.many_delays else "t"
        lines = [f"ring[{at}] += {whole}(np.rint({sent} * quanta))"]
        if not self._is_clipped() and self.sent == self.kept:
            lines += [f"wrong |= not (abs({sent}) <= limit)"]
        elif not self._is_clipped():
            lines += [f"if not (abs({sent}) <= limit):", f"    blame(fault, found, step, i, np.int64(t), {sent})"]
        return [*lines, *([f"scratch[j] = {sent}"] if self.shape.logged else [])]

    def _after_row(self) -> list[str]:
        # A source may spike again in this very step.
        lines = [f"{self.names['last', '']}[i] = step"] if ("last", "") in self.names else []
        if not self._is_clipped() and self.sent == self.kept:
            row = f"{self.argument('state', 'w')}_row"
            lines += ["if wrong:", f"    blame_row(fault, found, step, i, target, {row}, limit)"]
        if self.shape.logged:
            lines += ["log_row(watch_rows, watch_synapse, i, low, scratch, sign, step, log_entry, log_step, log_value, "
                      "log_at)"]
        return lines

    def _is_clipped(self) -> bool:
        return is_clipped(self.program, self.sent, self.rule, self.shape.dtype)


def deeper(depth: int, *lines: str) -> list[str]:
    return ["    " * depth + line for line in lines]
