"""From the path of a fault to its file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from snnsim.errors import InputError, Problem
from snnsim.yamlfile import Mark

Marks = dict[tuple[Any, ...], Mark]
_LINE = re.compile(r"(line \d+): ")   # how a fault in text of several lines says which


@contextmanager
def placed(marks: Marks) -> Iterator[None]:
    """Adds file and line to the faults raised inside."""
    try:
        yield
    except InputError as error:
        raise InputError(locate(error.problems, marks)) from error.__cause__


def locate(problems: Iterable[Problem], marks: Marks) -> list[Problem]:
    """`problems` with the file and line of their paths, in the order of the file; those that have them keep them."""
    places = {".".join(map(str, path)): mark for path, mark in marks.items()}
    placed = [problem if problem.file else _locate(problem, places) for problem in problems]
    return sorted(dict.fromkeys(placed), key=lambda problem: (problem.file or "", problem.line or 0))


def _locate(problem: Problem, places: Mapping[str, Mark]) -> Problem:
    path, line = problem.path, _LINE.match(problem.message)
    if line and (mark := places.get(f"{path}.{line[1]}")):
        return replace(problem, message=problem.message[line.end():], file=mark.file, line=mark.line)
    while path and path not in places:
        path = path.rpartition(".")[0]
    mark = places.get(path)
    return replace(problem, file=mark.file, line=mark.line) if mark else problem
