"""Prints what learning synapses do in one step: loops over rows and columns, printed from the products of their rules.

A change comes of products that count where the source spiked in the epoch, where the target did, or everywhere. So rows of
sources that spiked are gone through, then what is left of the columns of targets that spiked; in the epochs in which
products with u count, and where most targets spiked, all rows are instead.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from snnsim.backends.cpu.plastic_emit import RULE_FIXED, Rule
from snnsim.backends.cpu.plastic_loops import AHEAD, deeper
from snnsim.loihi_learning import FRACTION_BITS, TAGS, Learning
from snnsim.loihi_rules import VARIABLES, Factor, Product

IMPORTS = """from snnsim.backends.cpu.intrinsics import prefetch
from snnsim.backends.cpu.learning_kernels import (
    advance, advance_epoch, added, clip, list_marked, mark, raise_again, send_dense, send_rows)
"""
_HEAD = "@njit(nogil=True, noalias=True, error_model='numpy')\n"
# Of so many targets one spikes: then whole rows are faster than parts of them. In longer epochs they are no vector code.
_MANY, _MANY_LONG = 8, 2


@dataclass(frozen=True)
class LearningShape:
    """What the text depends on besides the rules. dense: every source reaches all targets once; weights: their range."""

    dense: bool
    left: int
    weights: tuple[int, int]


class LearningPrinter:
    """Prints the function that does one step of one learning projection for one thread."""

    def __init__(self, learning: Learning, shape: LearningShape) -> None:
        self.it, self.shape = learning, shape
        self.whens, self.long = learning.rules.whens, learning.t_epoch > 1
        self.names: dict[str, None] = {}

    def use(self, name: str) -> str:
        self.names[name] = None
        return name

    def print(self) -> Rule:
        loops = [Loop(self.it, self.shape, column) for column in ([False, True] if "y0" in self.whens else [False])]
        lines = [*self._spikes("pre"), *self._spikes("post"), f"if step % {self.use('epoch')} == 0:", *deeper(1, *self._epoch(loops))]
        head = [f"k = step - {self.use('drawn_from')}", "moment = (step - 1) % epoch + 1",
                f"y = (step + 1) % 2 * {self.use('n_target')}"]
        text = f"({', '.join((*RULE_FIXED, *self.names))}):\n" + "".join(f"    {line}\n" for line in (*head, *lines))
        name = f"learn_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        texts = [loop.text()[1] for loop in loops]
        return Rule(name, (IMPORTS, *texts, f"@njit(nogil=True, error_model='numpy')\ndef {name}{text}"), tuple(self.names), {})

    def _spikes(self, side: str) -> list[str]:
        """What the spikes of a step do: they are sent, and noted."""
        end = "source" if side == "pre" else "target"
        where = f"ids[t], a, b, {self.use(f'first_{end}')}, {self.use(f'n_{end}')}"
        last, lines = self.use(f"last_{side}"), [self._send(where)] if side == "pre" else []
        for name in (self.it.pre if side == "pre" else self.it.post) if self.long else ():
            draw = "0" if side == "pre" else f"{self.use('y_again')}[k]"
            lines.append(f"raise_again({self.use(f'trace_{name}')}, {last}, {self._impulse(name, draw)}, {where})")
        lines.append(f"mark({last}, moment, {where})")
        return ["for t in range(threads):", "    a, b = start[t, h - 1], start[t, h]", "    if a < b:", *deeper(2, *lines)]

    def _send(self, where: str) -> str:
        rows = "" if self.shape.dense else f"{self.use('rows')}, {self.use('targets')}, "
        later = f"{self.use('ring')}[y : y + n_target]"
        return f"send_{'dense' if self.shape.dense else 'rows'}({later}, {where}, {rows}{self.use('state_w')}, {self.shape.left})"

    def _impulse(self, name: str, draw: str) -> str:
        return f"{self.use(f'impulse_{name}')} + ({draw} < {self.use(f'part_{name}')})"

    def _epoch(self, loops: list[Loop]) -> list[str]:
        lines = [self._advance(name, side) for side in ("pre", "post") for name in getattr(self.it, side)]
        chosen = f"step // epoch % {self.use('every')} == 0" if "u" in self.whens else "False"
        lines += [f"chosen = {chosen}", f"draw = {self.use('rounding')}[k]", "everywhere = chosen"]
        if len(loops) > 1:
            lines.append(f"count = list_marked({self.use('last_post')}, {self.use('posts')})")
            lines += [f"everywhere = chosen or {_MANY_LONG if self.long else _MANY}*count > n_target"] if self.shape.dense else []
        lines += [f"if {'True' if 'x0' in self.whens else 'everywhere'}:", f"    {self._call(loops[0])}"]
        if len(loops) > 1:
            lines += ["if not everywhere and count > 0:", f"    {self._call(loops[1])}"]
        return [*lines, "last_pre[:] = 0", "last_post[:] = 0"]

    def _advance(self, name: str, side: str) -> str:
        letter = name[0]
        past = f"{self.use(f'past_{name}')}, {self.use(f'own_{name}')}, " if self.long else ""
        tables = f"{self.use(f'decay_{name}')}, {self.use(f'fraction_{name}')}, {self.use(f'{letter}_decay')}[k]"
        steps = "epoch, " if self.long else ""
        return (f"advance{'_epoch' if self.long else ''}({self.use(f'trace_{name}')}, {past}last_{side}, {steps}{tables}, "
                f"{self._impulse(name, f'''{self.use(f'{letter}_impulse')}[k]''')})")

    def _call(self, loop: Loop) -> str:
        name, _ = loop.text()
        given = {"everywhere", "chosen", "draw", "count"}
        return f"{name}({', '.join(a if a in given else self.use(a) for a in loop.arguments)})"


class Loop:
    """The loop over rows, or over columns, where only products with y0 count."""

    def __init__(self, learning: Learning, shape: LearningShape, column: bool) -> None:
        self.it, self.shape, self.column = learning, shape, column
        self.dense, self.long = shape.dense, learning.t_epoch > 1
        every = learning.rules.products.items()
        self.products = {VARIABLES[name]: [p for p in each if p.when == "y0" or not column] for name, each in every}
        self.products = {name: each for name, each in self.products.items() if each}
        self.arguments: dict[str, None] = dict.fromkeys(("draw", "n_source", "n_target", "last_pre", "last_post"))
        self.outer: list[str] = []    # computed once for a row, or a column
        lines = [line for name, each in self.products.items() for line in self._change(name, each)]
        lines += [f"{self._place(name)} = {self._kept(name)}" for name in self.products]
        self.lines = [*(f"{name} = np.int32({self._place(name)})" for name in self._states()), *lines]
        self.body = self._loop()

    def use(self, name: str) -> str:
        self.arguments[name] = None
        return name

    def text(self) -> tuple[str, str]:
        """Name and text of the function."""
        body = f"({', '.join(self.arguments)}):\n" + "".join(f"    {line}\n" for line in self.body)
        name = f"{'columns' if self.column else 'rows'}_{hashlib.sha256(body.encode()).hexdigest()[:16]}"
        return name, f"{_HEAD}def {name}{body}"

    # --- loops -------------------------------------------------------------------------------------------------------

    def _loop(self) -> list[str]:
        head = ["up = np.int32(127) - np.int32(draw)"]
        if not self.column:
            head.append(f"u = np.int32({self.use('chosen')})")
            skip = [f"if s == 0 and not {self.use('everywhere')}:", "    continue"]
            inner = ["for j in range(n_target):" if self.dense else "for j in range(target.size):",
                     *deeper(1, f"t = {'j' if self.dense else 'target[j]'}", *self._target(), *self.lines)]
            return [*head, "for i in range(n_source):", *deeper(1, "s = last_pre[i]", *skip, "x0 = np.int32(s > 0)",
                                                                *self._row(), *self.outer, *inner)]
        if self.dense:
            posts = ["t = posts[j]", *self._target(), *self.lines]
            skip = ["if s > 0:", "    continue"] if "x0" in self.it.rules.whens else []
            self.arguments |= {"posts": None, "count": None}
            return [*head, "for i in range(n_source):",
                    *deeper(1, "s = last_pre[i]", *skip, "x0 = np.int32(s > 0)", *self._row(), *self.outer,
                            "for j in range(count):", *deeper(1, *posts))]
        ends = f"low, high = np.int64({self.use('columns')}[t]), np.int64(columns[t + 1])"
        slices = f"place, source = {self.use('positions')}[low:high], {self.use('sources')}[low:high]"
        fetch = [f"prefetch(state_{name}, np.int64(place[j + {AHEAD}]))" for name in self._states()]
        inner = [*fetch, "p, i = place[j], source[j]", "s = last_pre[i]", "x0 = np.int32(s > 0)", *self.lines]
        return [*head, "for t in range(n_target):",
                *deeper(1, "v = last_post[t]", "if v == 0:", "    continue", "y0 = np.int32(1)", ends, slices, *self.outer,
                        "for j in range(place.size):", *deeper(1, *inner))]

    def _states(self) -> list[str]:
        return [a.removeprefix("state_") for a in self.arguments if a.startswith("state_")]

    def _row(self) -> list[str]:
        if self.dense:
            return ["low, high = i * n_target, (i + 1) * n_target", *(f"{n}_row = state_{n}[low:high]" for n in self._states())]
        ends = f"low, high = np.int64({self.use('rows')}[i]), np.int64(rows[i + 1])"
        return [ends, f"target = {self.use('targets')}[low:high]", *(f"{n}_row = state_{n}[low:high]" for n in self._states())]

    def _target(self) -> list[str]:
        return ["v = last_post[t]", "y0 = np.int32(v > 0)"]

    # --- products ----------------------------------------------------------------------------------------------------

    def _change(self, name: str, products: list[Product]) -> list[str]:
        total = f"new_{name}"
        lines = [f"{total} = {self._value(name)} << {FRACTION_BITS}"]
        lines += [f"{total} = added({total}, {self._product(product)})" for product in products]
        low, high = self._range(name)
        return [*lines, f"{total} = clip(({total} + up) >> {FRACTION_BITS}, {low}, {high})"]

    def _range(self, name: str) -> tuple[int, int]:
        return self.shape.weights if name == "w" else TAGS[name]

    def _product(self, product: Product) -> str:
        """A product in 32 bits, which wrap: so they may be multiplied in 64, and cut once."""
        factors = [product.when, *(self._factor(factor, product.when) for factor in product.factors)]
        text = " * ".join([*factors, *([f"({product.mantissa})"] if product.mantissa != 1 else [])])
        return f"np.int32({text}) >> {min(product.right, 31)} << {product.left}"

    def _factor(self, factor: Factor, when: str) -> str:
        value = self._value(VARIABLES[factor.name]) if factor.name in VARIABLES else self._number(factor.name, when)
        if factor.sign:
            return f"clip({value} + {factor.constant}, -1, 1)"
        limit = 1 << factor.bits
        return f"clip({value} + {factor.constant}, {-limit}, {limit - 1})" if factor.constant else value

    def _value(self, name: str) -> str:
        self.use(f"state_{name}")
        return name

    def _place(self, name: str) -> str:
        self.use(f"state_{name}")
        return f"state_{name}[p]" if self.column and not self.dense else f"{name}_row[{'t' if self.column else 'j'}]"

    def _kept(self, name: str) -> str:
        """The new value; in columns the old one where the row has been gone through already."""
        done = self.column and not self.dense and "x0" in self.it.rules.whens
        return f"new_{name} if s == 0 else {name}" if done else f"new_{name}"

    def _number(self, name: str, when: str) -> str:
        """A trace at the moment that counts, or whether a side spiked."""
        if name in ("x0", "y0"):
            return name
        pre, n = name[0] == "x", {"x": "n_source", "y": "n_target"}[name[0]]
        unit = "i" if pre else "t"
        once = pre != (self.column and not self.dense)    # the same for the whole row or column
        if not self.long:
            place = f"{self.use(f'trace_{name}')}[{unit}]"
        elif when == "u":
            place = f"{self.use(f'past_{name}')}[{self.use('epoch')} * {n} + {unit}]"
        elif (when == "x0") == pre:
            place = f"{self.use(f'own_{name}')}[{unit}]"
        else:
            place = f"{self.use(f'past_{name}')}[np.int64({'s' if when == 'x0' else 'v'}) * {n} + {unit}]"
            once = False
        if not once:
            return f"np.int32({place})"
        line = f"{name}_{when} = np.int32({place})"
        self.outer += [line] if line not in self.outer else []
        return f"{name}_{when}"
