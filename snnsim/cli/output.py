"""What the commands print: tables and JSON on stdout, messages on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from snnsim.errors import InputError, Problem, Problems

_ARGUMENTS = ("duration", "backend", "threads", "checkpoint", "target", "semantics")
_CHOICE = re.compile(r"\b(\w+)='(\w+)'")

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The network, a YAML file.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no notes.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")]
Backend = Annotated[str, typer.Option("--backend", "-b", metavar="NAME", help="What runs it; see `snnsim backends`.")]


def whole(least: int) -> Callable[[Any], int]:
    """A parser of options that are whole numbers from `least` on."""

    def parse(text: Any) -> int:
        if str(text).lstrip("+-").isdecimal() and int(text) >= least:
            return int(text)
        raise typer.BadParameter(f"expected a whole number from {least} on, found {text}")

    return parse


Threads = Annotated[
    int | None,
    typer.Option("--threads", "-t", metavar="N", parser=whole(1), help="Default: one per core.", show_default=False),
]
Duration = Annotated[
    str | None,
    typer.Option("--duration", "-d", metavar="T", help="Such as '500 ms'; default: the config's.", show_default=False),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", show_default=False,
        help="Change one value of the config, as in --set populations.exc.n=400; may be repeated.",
    ),
]


def assignments(**values: object) -> list[str]:
    """Those of the options that were given, as overrides of the config."""
    return [f"{name}={value}" for name, value in values.items() if value is not None]


def check_duration(text: str | None) -> None:
    """Raise ``InputError`` that names the option where --duration is not a time."""
    if text is None:
        return
    from snnsim.units import TIME, expect

    problems = Problems()
    with problems.at("--duration"):
        expect(text, TIME)
    problems.check()


@contextmanager
def as_options(**names: str) -> Iterator[None]:
    """Arguments of a Python call are named as options in the faults raised inside; places in files stay.

    names: argument -> what it is called on the command line, where that is not obvious.
    """
    try:
        yield
    except InputError as error:
        raise type(error)([_as_option(problem, names) for problem in error.problems]) from error


def _as_option(problem: Problem, names: Mapping[str, str]) -> Problem:
    known = {"out": "-o", "resume_from": "--resume", "start": "--from", "comm": "mpirun"}
    known |= {name: f"--{name}" for name in _ARGUMENTS}
    known |= names
    path = problem.path if problem.file else known.get(problem.path, problem.path)
    message = problem.message.replace("overwrite=True", "--overwrite")
    return replace(problem, path=path, message=_CHOICE.sub(lambda found: _chosen(found, known), message))


def _chosen(found: re.Match[str], known: Mapping[str, str]) -> str:
    """A choice that a message suggests, as it is made on the command line."""
    argument, value = found.groups()
    if argument not in known:
        return found[0]
    return f"{known[argument]}{'=' if ' ' in known[argument] else ' '}{value}"


def note(text: str) -> None:
    """A message about what is going on, to stderr."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """`value` as one line of JSON on stdout; NumPy scalars and arrays become plain numbers and lists."""
    print(json.dumps(value, default=_plain), flush=True)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns on stdout, numbers to the right."""
    cells = [list(map(_cell, row)) for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    right = [bool(cells) and all(_is_number(line[i]) for line in cells) for i in range(len(header))]
    for line in [list(header), *cells]:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        print("  ".join(padded).rstrip())


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
