"""Prints what learning synapses do in one step: their loops come from ``learning_loops``.

A change comes of products that count where the source spiked in the epoch, where the target did, or everywhere. So rows
of sources that spiked are gone through, then what is left of the columns of targets that spiked; in the epochs in which
products with u count, and where most targets spiked, all rows are instead.
"""

from __future__ import annotations

import hashlib

from snnsim.backends.cpu.learning_loops import LearningShape, Loop
from snnsim.backends.cpu.plastic_emit import RULE_FIXED, Rule
from snnsim.backends.cpu.plastic_loops import deeper
from snnsim.loihi_learning import Learning

_IMPORTS = """from snnsim.backends.cpu.intrinsics import prefetch
from snnsim.backends.cpu.learning_kernels import (
    added, advance, advance_epoch, clip, list_marked, mark, raise_again, send_dense, send_rows)
"""
# One of so many targets spikes: whole rows are then faster than parts, which is so later where they are no vector code.
_MANY, _MANY_LONG = 8, 2


class LearningPrinter:
    """Prints the function that does one step of one learning projection for one thread."""

    def __init__(self, learning: Learning, shape: LearningShape) -> None:
        self.it, self.shape = learning, shape
        self.whens, self.long = learning.rules.whens, learning.t_epoch > 1
        self.rows = Loop(learning, shape, column=False)
        self.columns = Loop(learning, shape, column=True) if "y0" in self.whens else None
        self.names: dict[str, None] = {}

    def use(self, name: str) -> str:
        self.names[name] = None
        return name

    def print(self) -> Rule:
        """The rule, with its loops."""
        lines = [f"k = step - {self.use('drawn_from')}", f"moment = (step - 1) % {self.use('epoch')} + 1",
                 f"y = (step + 1) % 2 * {self.use('n_target')}", *self._spikes("pre"), *self._spikes("post"),
                 "if step % epoch == 0:", *deeper(1, *self._epoch())]
        text = f"({', '.join((*RULE_FIXED, *self.names))}):\n" + "".join(f"    {line}\n" for line in lines)
        name = f"learn_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        loops = [loop.text()[1] for loop in (self.rows, self.columns) if loop]
        head = "@compiled(error_model='numpy')\n"
        return Rule(name, (_IMPORTS, *loops, f"{head}def {name}{text}"), tuple(self.names), {})

    # --- spikes ------------------------------------------------------------------------------------------------------

    def _spikes(self, side: str) -> list[str]:
        """What the spikes of a step do: they are sent, and noted."""
        end = "source" if side == "pre" else "target"
        where = f"ids[t], a, b, {self.use(f'first_{end}')}, {self.use(f'n_{end}')}"
        lines = [*([self._send(where)] if side == "pre" else []), *(self._again(side, where) if self.long else []),
                 f"mark({self.use(f'last_{side}')}, moment, {where})"]
        return ["for t in range(lists):", "    a, b = start[t, h - 1], start[t, h]", "    if a < b:",
                *deeper(2, *lines)]

    def _send(self, where: str) -> str:
        later, left = f"{self.use('ring')}[y : y + n_target]", self.shape.left
        if self.shape.dense:
            return f"send_dense({later}, {where}, {self.use('state_w')}, {left})"
        return f"send_rows({later}, {where}, {self.use('rows')}, {self.use('targets')}, {self.use('state_w')}, {left})"

    def _again(self, side: str, where: str) -> list[str]:
        """Units that spike once more in an epoch."""
        last, draw = self.use(f"last_{side}"), "0" if side == "pre" else f"{self.use('y_again')}[k]"
        return [f"raise_again({self.use(f'trace_{name}')}, {last}, {self._impulse(name, draw)}, {where})"
                for name in self._traces(side)]

    def _traces(self, side: str) -> tuple[str, ...]:
        return self.it.pre if side == "pre" else self.it.post

    def _impulse(self, name: str, draw: str) -> str:
        return f"{self.use(f'impulse_{name}')} + ({draw} < {self.use(f'part_{name}')})"

    # --- the end of an epoch -----------------------------------------------------------------------------------------

    def _epoch(self) -> list[str]:
        lines = [self._advance(side, name) for side in ("pre", "post") for name in self._traces(side)]
        chosen = f"step // epoch % {self.use('every')} == 0" if "u" in self.whens else "False"
        lines += [f"chosen = {chosen}", "everywhere = chosen", f"draw = {self.use('rounding')}[k]"]
        if self.columns:
            lines.append(f"count = list_marked({self.use('last_post')}, {self.use('posts')})")
        if self.columns and self.shape.dense:
            lines.append(f"everywhere = chosen or {_MANY_LONG if self.long else _MANY}*count > n_target")
        lines += [f"if {'True' if 'x0' in self.whens else 'everywhere'}:", f"    {self._call(self.rows)}"]
        if self.columns:
            lines += ["if not everywhere and count > 0:", f"    {self._call(self.columns)}"]
        return [*lines, "last_pre[:] = 0", "last_post[:] = 0"]

    def _advance(self, side: str, name: str) -> str:
        """All steps of the epoch for a trace."""
        decay, impulse = (self.use(f"{name[0]}_{kind}") + "[k]" for kind in ("decay", "impulse"))
        past = [f"past_{name}", f"own_{name}"] if self.long else []
        used = [f"trace_{name}", *past, f"last_{side}", *(["epoch"] if self.long else []), f"decay_{name}",
                f"fraction_{name}"]
        given = ", ".join([*map(self.use, used), decay, self._impulse(name, impulse)])
        return f"advance{'_epoch' if self.long else ''}({given})"

    def _call(self, loop: Loop) -> str:
        own = {"everywhere", "chosen", "draw", "count"}
        return f"{loop.text()[0]}({', '.join(a if a in own else self.use(a) for a in loop.arguments)})"
