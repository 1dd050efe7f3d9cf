"""The statements of a model document, split into their parts; what is in the parts is not looked at."""

from __future__ import annotations

import re
from typing import NamedTuple

from snnsim.errors import InputError

_NAME = r"[A-Za-z_]\w*"
_LEFT = re.compile(rf"d\s*(?P<ode>{_NAME})\s*/\s*dt|(?P<map>{_NAME})\s*\[\s*n\s*\+\s*1\s*\]|(?P<alias>{_NAME})")
_EQUALS = re.compile(r"(?<![<>=!+*/-])=(?!=)")
_STATEMENT = re.compile(rf"\s*({_NAME})\s*(\+=|-=|=)(?!=)\s*(.+?)\s*", re.DOTALL)
_FORMS = "expected 'dx/dt = ... : unit', 'x[n+1] = ... : unit' or 'x = ... : unit'"


class Line(NamedTuple):
    """One line of `dynamics`. kind: ``ode``, ``map`` or ``alias``; number: of the line, from 1."""

    kind: str
    name: str
    right: str
    unit: str
    number: int


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines without comments and blank ones; an open bracket joins the next line on."""
    found: list[tuple[int, str]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#")[0].strip()
        if found and _is_open(found[-1][1]):
            found[-1] = (found[-1][0], f"{found[-1][1]} {line}")
        elif line:
            found.append((number, line))
    return found


def _is_open(line: str) -> bool:
    return sum(line.count(c) for c in "([") > sum(line.count(c) for c in ")]")


def dynamics_line(number: int, text: str) -> Line:
    """The parts of one line; ``InputError`` with the forms that are possible."""
    left, *rest = _EQUALS.split(text, maxsplit=1)
    match = _LEFT.fullmatch(left.strip())
    if not match or not rest:
        raise InputError(f"line {number}: {_FORMS}, found {text!r}")
    right, colon, unit = rest[0].rpartition(":")
    if not colon or not right.strip():
        raise InputError(f"line {number}: expected a unit after a colon at the end (1 for none), found {text!r}")
    kind = match.lastgroup or ""
    unit = unit.strip()
    return Line(kind, match[kind], right.strip(), "" if unit == "1" else unit, number)


class Assignment(NamedTuple):
    """One statement of a rule. sign: ``=``, ``+=`` or ``-=``."""

    name: str
    sign: str
    right: str


def assignment(text: str) -> Assignment:
    """The parts of ``x = ...``, ``x += ...`` or ``x -= ...``."""
    match = _STATEMENT.fullmatch(text)
    if not match:
        raise InputError(f"expected 'x = ...', 'x += ...' or 'x -= ...', found {text!r}")
    return Assignment(*match.groups())


class Receive(NamedTuple):
    """One statement of `receive`. sign: ``+=``, ``-=`` or ``=``; unit: of the name, for ``=`` alone."""

    name: str
    sign: str
    right: str
    unit: str


def receive_statement(text: str) -> Receive:
    """The parts of ``x += w``, ``x -= w`` or ``x = w : unit``."""
    match = _STATEMENT.fullmatch(text)
    if not match:
        raise InputError(f"expected 'x += ...', 'x -= ...' or 'x = ... : unit' with the weight w, found {text!r}")
    name, sign, right = match.groups()
    body, colon, unit = right.rpartition(":") if sign == "=" else (right, "", "")
    return Receive(name, sign, (body if colon else right).strip(), "" if unit.strip() == "1" else unit.strip())
