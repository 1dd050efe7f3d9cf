"""The lines of the step loop for the units of populations: draws, drives, update, collection of spikes.

Populations whose updates have one text, at one level, are a group. Its arrays hold the units of all of them, each
population from a multiple of ``PADDED`` units on, and a loop over them has one text: compilation takes no longer for
three hundred populations than for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from numba import types

from snnsim.backends.cpu import graded_driver
from snnsim.backends.cpu.functions import NUMBER, numbers, row_of
from snnsim.ir.printing import Update

PADDED = 32     # units that ``collect`` looks at together
BY_UNIT = ("param", "state", "drive", "marks", "counts", "payloads", "output")
_FOURTH = "if s == 0 or (step & 3) == 0"


@dataclass(frozen=True)
class Argument:
    """An argument of an update. type: of an array with a value for each unit; differ: units draw with several means."""

    what: str
    type: type | None = None
    differ: bool = False


@dataclass(frozen=True)
class Kind:
    """What populations of a group have in common: the name of an update is that of its text."""

    update: str
    level: int
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Group:
    """Populations of one kind, with their updates, which may call the same argument by different names."""

    number: int
    kind: Kind
    members: tuple[int, ...]
    updates: tuple[Update, ...]

    def name(self, what: str, place: int | None = None) -> str:
        """The name under which the engine hands an array of the group to the driver; place: among the arguments."""
        return f"g{self.number}_{what}" if place is None else f"g{self.number}_{what}_{place}"

    def find(self, what: str) -> int:
        """The place of the only argument of this kind."""
        return next(place for place, argument in enumerate(self.kind.arguments) if argument.what == what)


@dataclass(frozen=True)
class PopulationShape:
    """What the text of the loop has for one population alone. traces: (number of the request, kind and name)."""

    drives: tuple[str, ...] = ()
    traces: tuple[tuple[int, str, str], ...] = ()


def find_groups(kinds: Iterable[Kind], updates: list[Update]) -> list[Group]:
    """The groups of a network, in the order of their first members."""
    members: dict[Kind, list[int]] = {}
    for k, kind in enumerate(kinds):
        members.setdefault(kind, []).append(k)
    return [Group(number, kind, tuple(found), tuple(updates[k] for k in found))
            for number, (kind, found) in enumerate(members.items())]


def argument_name(k: int, kind: str, data: Any) -> str:
    """The name under which the engine hands an array of population k to the driver."""
    return f"p{k}_{kind}_{stream_name(data)}" if data else f"p{k}_{kind}"


def stream_name(label: str) -> str:
    """A stream label as part of an identifier; different labels stay different."""
    return "".join(c if c.isalnum() or c == "_" else f"_{ord(c):x}_" for c in label)


def drives(out: Any, k: int, shape: PopulationShape) -> None:
    """What a population takes from tables, before its update."""
    for name in shape.drives:
        parts = out.given(*(argument_name(k, part, name) for part in ("drive_steps", "drive_values", "drive")))
        out.add(2, out.call("set_drive", [*parts, *numbers("step"), ("s == 0", types.boolean)]))


def traces(out: Any, k: int, shape: PopulationShape) -> None:
    """What is recorded of a population, after its update."""
    for number, kind, name in shape.traces:
        every, first = (out.use(f"t{number}_{part}") for part in ("every", "first"))
        values, units, kept, columns = out.given(
            argument_name(k, kind, name), *(f"t{number}_{part}" for part in ("units", "out", "columns")))
        copy = out.call("copy_trace", [values, units, kept, *numbers(f"step // {every} - {first}"), columns])
        out.add(2, f"if step % {every} == 0: {copy}")


def update(out: Any, group: Group, graded: bool) -> None:
    """One step of the populations of a group. graded: some population of the network sends payloads."""
    n, low, place = (out.use(group.name(what)) for what in ("n", "low", "place"))
    out.add(2, f"for m in range({n}.size):")
    out.add(3, f"units, low, place = {n}[m], {low}[m], {place}[m]", "if units == 0:", "    continue")
    out.add(3, *_draws(out, group))
    arguments = [_argument(out, group, j, argument.what) for j, argument in enumerate(group.kind.arguments)]
    it = group.updates[0]
    out.add(3, out.call(it.name, [*numbers("units"), *arguments], texts=(*it.functions, it.source)))
    if it.counted is not None:
        out.add(3, *_spikes(out, group, graded))


def _argument(out: Any, group: Group, j: int, what: str) -> tuple[str, types.Type]:
    """The part of a population in an array of its group, and its type."""
    text, kind = out.given(group.name(what, j))[0]
    if what in BY_UNIT:
        return f"piece({text}, place, units)", kind
    if what in ("poisson", "words"):
        return f"piece({text}, quarter, units)", kind
    if what == "arrival":
        sums, kind = out.given("acc")[0]
        return f"piece({sums}, {text}[m], units)", kind
    return f"{text}[m]", row_of(kind)


def _draws(out: Any, group: Group) -> Iterator[str]:
    """Words and counts are made for four steps at once, and lie one step after another."""
    drawn = [(j, argument) for j, argument in enumerate(group.kind.arguments) if argument.what in ("poisson", "words")]
    if drawn:
        yield "quarter = 4 * place + (step & 3) * units"
    for j, argument in drawn:
        (values, kind), *key = out.given(group.name(argument.what, j), "k0", "k1")
        stream = out.use(group.name("stream", j))
        block = numbers("step >> 2", f"{stream}[m]")
        if argument.what == "words":
            rows = [(f"piece({values}, 4 * place + {i} * units, units)", kind) for i in range(4)]
            yield f"{_FOURTH}: {out.call('step_words', [*numbers('units', 'low', '0'), *block, *key, *rows])}"
            continue
        onset, parts = (out.use(group.name(what, j)) for what in ("onset", "parts"))
        limits, table = out.given(group.name("limits", j), group.name("table", j))
        if argument.differ:
            means = [limits, (f"piece({table[0]}, place, units)", table[1])]
        else:
            means = [(f"{limits[0]}[m]", row_of(limits[1])), table]
        four = f"rows_piece({values}, 4 * place, 4, units)", types.Array(kind.dtype, 2, "C")
        drawing = out.call("draw_counts", [*numbers("low", f"{parts}[m]"), *block, *key, *means, four])
        yield f"{_FOURTH}: {drawing}"
        yield f"if step <= {onset}[m]: piece({values}, quarter, units)[:] = 0"


def _spikes(out: Any, group: Group, graded: bool) -> list[str]:
    """The lines that append the spikes of a population."""
    first, ids = f"{out.use(group.name('first'))}[m]", row_of(out.type_of("ids"))
    if group.updates[0].counted:
        # Counts leave half of the room for populations after them, whose units spike at most once a step.
        limit, (counts, kind) = "mine.size - room // 2", out.given(group.name("counts", group.find("counts")))[0]
        appended = out.call("collect_counts", [
            *numbers("units"), (f"piece({counts}, place, units)", kind), *numbers(first), (f"mine[: {limit}]", ids),
            *numbers("at")], NUMBER)
        lines = [f"at = {appended}", f"if at > {limit}:", f"    at = {limit}", "    atomic_store(sync, 32, 1)"]
    else:
        rows = f"place // {PADDED} : (place + units + {PADDED - 1}) // {PADDED}"
        marks = [(f"{name}[{rows}]", kind) for name, kind in out.given(group.name("marks4x8"), group.name("marks4"))]
        lines = [f"at = {out.call('collect', [*marks, *numbers(first), ('mine', ids), *numbers('at')], NUMBER)}"]
    if not graded:
        return lines
    if not group.updates[0].graded:
        return graded_driver.collected(out, lines, "", first)
    payloads = out.use(group.name("payloads", group.find("payloads")))
    return graded_driver.collected(out, lines, f"piece({payloads}, place, units)", first)
