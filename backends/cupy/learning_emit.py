"""Prints what a learning projection of Loihi does in one step: device functions around those of learning.cuh."""

from __future__ import annotations

from dataclasses import dataclass

from snnsim.backends.cupy.plastic_emit import Rule, named
from snnsim.backends.cupy.plastic_event import FIXED, Entries
from snnsim.loihi_learning import HIGHEST_SUM, LOWEST_SUM, MOST_TRACE, TAGS, Learning
from snnsim.loihi_printing import ChangePrinter
from snnsim.loihi_rules import VARIABLES

# Entries of a learning projection, after those of every plastic one, as learning.cuh knows them.
LEARNING = ("epoch", "every", "left", "drawn_from", "x_decay", "x_impulse", "y_decay", "y_impulse", "y_again",
            "rounding", "last_pre", "shown_pre", "last_post", "shown_post")
_TRACE = ("trace", "decay", "fraction", "impulse", "part", "past")    # of each trace
_WRAPPED = "shifted(product({factors}), {right}, {left})"


def head() -> str:
    """What stands before the hand-written code."""
    names = ", ".join(f"L_{name.upper()} = {len(FIXED) + k}" for k, name in enumerate(LEARNING))
    numbers = f"MOST_TRACE = {MOST_TRACE}, LOWEST_SUM = {LOWEST_SUM}, HIGHEST_SUM = {HIGHEST_SUM}"
    return f"enum {{ {names} }};\nconstexpr int {numbers};\n"


@dataclass(frozen=True)
class LearningShape:
    """What the text depends on besides the rules. target: C type of the numbers of targets; weights: their range."""

    target: str
    weights: tuple[int, int]


class LearningPrinter:
    """Prints the functions of one projection."""

    def __init__(self, learning: Learning, shape: LearningShape) -> None:
        self.it, self.shape, self.entries = learning, shape, Entries()
        for name in (*LEARNING, *(f"{kind}_{trace}" for trace in learning.traces for kind in _TRACE)):
            self.entries.at(name)
        self.columns: dict[str, str] = {}    # of what a synapse has: its name -> text of its place
        self.used: dict[str, str] = {}       # whether a side spiked: name -> text
        self.past: dict[str, str] = {}       # traces that are read: name -> text

    def print(self) -> Rule:
        change, change_text = named("change", "(const Learning& l)", self._change())
        step = "(const Frame& f, const long long* x, long long step)"
        learn, learn_text = named("learn", step, self._step(change))
        kept, kept_text = named("kept", "(const Frame& f, const long long* x)", self._kept())
        return Rule(learn, kept, (change_text, learn_text, kept_text), tuple(self.entries.names))

    def _step(self, change: str) -> list[str]:
        """Weights are sent as they are; each phase ends with a barrier of the block."""
        return ["const Learning l = begin_learning(f, x, step);", f"send_weights<{self.shape.target}>(f, l);",
                "if (step % x[L_EPOCH] == 0) {", f"    {change}(l);", "    __syncthreads();", "}"]

    def _kept(self) -> list[str]:
        """A second spike of a source is always rounded up."""
        lines = ["const Side pre = side_before(f, x), post = side_after(f, x);"]
        for trace in self.it.traces:
            side, again = ("pre", "0") if trace in self.it.pre else ("post", "drawn<Small>(x, L_Y_AGAIN, f.step)")
            draws = ", ".join(f"drawn<{kind}>(x, L_{trace[0].upper()}_{name}, f.step)"
                              for kind, name in (("double", "DECAY"), ("Small", "IMPULSE")))
            lines.append(f"keep_small_trace(f, x, {side}, {self.entries.at(f'trace_{trace}')}, {draws}, {again});")
        return [*lines, *(f"keep_moments(f, x, {side});" for side in ("pre", "post"))]

    # --- the end of an epoch -----------------------------------------------------------------------------------------

    def _change(self) -> list[str]:
        whens, changed = self.it.rules.whens, [VARIABLES[name] for name in self.it.rules.products]
        changes = [line for name in self.it.rules.products for line in self._new(name)]
        for when in sorted(whens & {"x0", "y0"}):
            self._number(when, when)
        body = [*(f"const int {name} = {text};" for name, text in self.used.items()),
                *(f"const int {name} = {place};" for name, place in self.columns.items()), *changes,
                *(f"{self.columns[name]} = (short)new_{name};" for name in changed)]
        u = "l.step / l.x[L_EPOCH] % l.x[L_EVERY] == 0 ? 1 : 0" if "u" in whens else "0"
        lone = "true" if "y0" in whens else "u != 0"
        return [f"const int u = {u}, up = MOST_TRACE - drawn<int>(l.x, L_ROUNDING, l.step);", *self.past.values(),
                *(f"short* state_{name} = column_at<short>(l, {self.entries.at(f'state_{name}')});"
                  for name in self.columns),
                f"each_changing<{self.shape.target}>(l, {lone}, u != 0, [&](int i, int t, int s, int v, unsigned j) {{",
                *(f"    {line}" for line in body), "});"]

    def _new(self, short: str) -> list[str]:
        """The new value of what a rule changes."""
        name, printer = VARIABLES[short], ChangePrinter(_WRAPPED, ", ", self._value, self._number)
        bounds = self.shape.weights if name == "w" else TAGS[name]
        first, *rest = printer.change(name, self.it.rules.products[short], bounds)
        return [f"int new_{name} = {first};", *(f"new_{name} = {value};" for value in rest)]

    def _value(self, name: str) -> str:
        self.columns[name] = f"state_{name}[j]"
        return name

    def _number(self, name: str, when: str) -> str:
        """A trace at the moment that counts, or whether a side spiked."""
        if name in ("x0", "y0"):
            self.used[name] = f"{'s' if name == 'x0' else 'v'} > 0 ? 1 : 0"
            return name
        side, unit = ("SOURCE", "i") if name in self.it.pre else ("TARGET", "t")
        entry = self.entries.at(f"trace_{name}")
        self.past[name] = f"const Past {name} = past_of(l, {entry}, l.x[X_N_{side}]);"
        return f"{name}({ {'x0': 's', 'y0': 'v', 'u': '(int)l.x[L_EPOCH]'}[when] }, {unit})"
