"""Prints the loops over learning synapses, from the products of their rules."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from snnsim.backends.cpu.plastic_loops import AHEAD, deeper
from snnsim.loihi_learning import TAGS, Learning
from snnsim.loihi_printing import ChangePrinter
from snnsim.loihi_rules import VARIABLES, Product

# Products wrap, so they may be multiplied in 64 bits, and cut once.
_WRAPPED = "np.int32({factors}) >> {right} << {left}"
_HEAD = "@njit(nogil=True, noalias=True, error_model='numpy')\n"


@dataclass(frozen=True)
class LearningShape:
    """What the text depends on besides the rules.

    dense: every source reaches all targets once; left: shift of what is sent; weights: their range.
    """

    dense: bool
    left: int
    weights: tuple[int, int]


class Loop:
    """The loop over rows, or over columns, where only products with y0 count.

    arguments: what the function takes. In a loop, i is a source and t a target; s and v are the steps of the epoch in
    which they spiked, 0 where they did not.
    """

    def __init__(self, learning: Learning, shape: LearningShape, column: bool) -> None:
        self.it, self.shape, self.column = learning, shape, column
        self.dense, self.long = shape.dense, learning.t_epoch > 1
        self.products, self.printer = {}, ChangePrinter(_WRAPPED, " * ", self._value, self._number)
        for name, products in learning.rules.products.items():
            if counted := [p for p in products if p.when == "y0" or not column]:
                self.products[VARIABLES[name]] = counted
        self.arguments = dict.fromkeys(("draw", "n_source", "n_target", "last_pre", "last_post"))
        self.once: list[str] = []    # computed once for a row, or a column
        changes = [line for name, products in self.products.items() for line in self._change(name, products)]
        changes += [f"{self._place(name)} = {self._kept(name)}" for name in self.products]
        self.body = [*(f"{name} = np.int32({self._place(name)})" for name in self._states()), *changes]
        self.lines = self._dense_columns() if column and shape.dense else self._columns() if column else self._rows()

    def use(self, name: str) -> str:
        self.arguments[name] = None
        return name

    def text(self) -> tuple[str, str]:
        """Name and text of the function."""
        lines = ["up = np.int32(127) - np.int32(draw)", *self.lines]
        body = f"({', '.join(self.arguments)}):\n" + "".join(f"    {line}\n" for line in lines)
        name = f"{'columns' if self.column else 'rows'}_{hashlib.sha256(body.encode()).hexdigest()[:16]}"
        return name, f"{_HEAD}def {name}{body}"

    # --- loops -------------------------------------------------------------------------------------------------------

    def _rows(self) -> list[str]:
        skip = [f"if s == 0 and not {self.use('everywhere')}:", "    continue"]
        inner = ["for j in range(n_target):", "    t = j"] if self.dense else [
            "for j in range(target.size):", "    t = target[j]"]
        return [f"u = np.int32({self.use('chosen')})", *self._sources(skip, *inner, *deeper(1, *self._target()))]

    def _dense_columns(self) -> list[str]:
        """What is left of the columns, row by row: their synapses lie far apart."""
        skip = ["if s > 0:", "    continue"] if self._rows_are_done else []
        inner = [f"for j in range({self.use('count')}):", f"    t = {self.use('posts')}[j]"]
        return self._sources(skip, *inner, *deeper(1, *self._target()))

    def _sources(self, skip: list[str], *inner: str) -> list[str]:
        return ["for i in range(n_source):",
                *deeper(1, "s = last_pre[i]", *skip, "x0 = np.int32(s > 0)", *self._row(), *self.once, *inner)]

    def _row(self) -> list[str]:
        """Where the synapses of source i are."""
        states = [f"{name}_row = state_{name}[low:high]" for name in self._states()]
        if self.dense:
            return ["low, high = i * n_target, (i + 1) * n_target", *states]
        return [f"low, high = np.int64({self.use('rows')}[i]), np.int64(rows[i + 1])",
                f"target = {self.use('targets')}[low:high]", *states]

    def _target(self) -> list[str]:
        return ["v = last_post[t]", "y0 = np.int32(v > 0)", *self.body]

    def _columns(self) -> list[str]:
        """Synapses of a column lie anywhere: those further on are fetched before they are needed."""
        fetch = [f"prefetch(state_{name}, np.int64(place[j + {AHEAD}]))" for name in self._states()]
        inner = [*fetch, "p, i = place[j], source[j]", "s = last_pre[i]", "x0 = np.int32(s > 0)", *self.body]
        outer = ["v = last_post[t]", "if v == 0:", "    continue", "y0 = np.int32(1)",
                 f"low, high = np.int64({self.use('columns')}[t]), np.int64(columns[t + 1])",
                 f"place, source = {self.use('positions')}[low:high], {self.use('sources')}[low:high]", *self.once]
        return ["for t in range(n_target):", *deeper(1, *outer, "for j in range(place.size):", *deeper(1, *inner))]

    def _states(self) -> list[str]:
        return [a.removeprefix("state_") for a in self.arguments if a.startswith("state_")]

    @property
    def _rows_are_done(self) -> bool:
        """Whether rows of sources that spiked have been gone through before the columns are."""
        return "x0" in self.it.rules.whens

    # --- products ----------------------------------------------------------------------------------------------------

    def _change(self, name: str, products: list[Product]) -> list[str]:
        """The accumulator of `name`, and its rounded value, in new_<name>."""
        bounds = self.shape.weights if name == "w" else TAGS[name]
        return [f"new_{name} = {value}" for value in self.printer.change(name, products, bounds)]

    def _value(self, name: str) -> str:
        self.use(f"state_{name}")
        return name

    def _place(self, name: str) -> str:
        self.use(f"state_{name}")
        if self.column and not self.dense:
            return f"state_{name}[p]"
        return f"{name}_row[t]" if self.dense else f"{name}_row[j]"

    def _kept(self, name: str) -> str:
        """The new value; in columns the old one where the row has been gone through already."""
        done = self.column and not self.dense and self._rows_are_done
        return f"new_{name} if s == 0 else {name}" if done else f"new_{name}"

    def _number(self, name: str, when: str) -> str:
        """A trace at the moment that counts, or whether a side spiked."""
        if name in ("x0", "y0"):
            return name
        pre, of_row = name in self.it.pre, not self.column or self.dense
        place, fixed = self._trace(name, when, pre)
        if pre is not of_row or not fixed:
            return f"np.int32({place})"
        line = f"{name}_{when} = np.int32({place})"
        self.once += [line] if line not in self.once else []
        return f"{name}_{when}"

    def _trace(self, name: str, when: str, pre: bool) -> tuple[str, bool]:
        """Where a trace is at the moment that counts, and whether its own unit alone says so."""
        unit, n = ("i", "n_source") if pre else ("t", "n_target")
        if not self.long:
            return f"{self.use(f'trace_{name}')}[{unit}]", True
        if when == "u":
            return f"{self.use(f'past_{name}')}[{self.use('epoch')} * {n} + {unit}]", True
        if (when == "x0") is pre:
            return f"{self.use(f'own_{name}')}[{unit}]", True
        return f"{self.use(f'past_{name}')}[np.int64({'s' if when == 'x0' else 'v'}) * {n} + {unit}]", False
