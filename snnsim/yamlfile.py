"""Strict YAML: what a file says, and where it says it.

Scalars follow the YAML 1.2 core schema (``1e3`` is a number, ``no`` and ``12:30`` are text). Duplicate keys, tags, keys
that are not plain values, several documents and anything too large or too deep are faults. All faults of a file are
reported together, except that nothing can be read after a syntax error.

Source of the scalar rules: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from snnsim.errors import InputError, Problem, did_you_mean
from snnsim.textfile import read_text

MAX_DEPTH = 40
MAX_ALIASED = 10_000

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL: dict[str, Any] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True), **dict.fromkeys(["false", "False", "FALSE"], False),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys([".nan", ".NaN", ".NAN"], math.nan),
}

Place = tuple[Any, ...]


class Mark(NamedTuple):
    """Where something stands: file as the user named it, line from 1 (None where there are no lines)."""

    file: str
    line: int | None


@dataclass(frozen=True)
class Document:
    """Plain data, and for each key and item that begins a line or a key, its place.

    data: dicts, lists, text, int, float, bool, None.
    marks: path of keys and indices from the root -> ``Mark``; () is the root. Text in a block has a mark ``line <k>``
        for each of its lines.
    """

    data: Any
    marks: dict[Place, Mark]


def read_yaml(path: str | Path) -> Document:
    """Read one YAML file; ``InputError`` with every fault of it."""
    return parse_yaml(read_text(Path(path)), str(path))


def parse_yaml(text: str, file: str) -> Document:
    """Read YAML text; `file` is its name in messages. ``InputError`` with every fault."""
    document = _parsed(text, file)
    if document.data is None:
        raise InputError(Problem("", "the file is empty: expected a mapping that begins with 'snnsim: 1'", file))
    return document


def parse_value(text: str, file: str) -> Any:
    """One value, as it could stand behind a key: a scalar, or a list or mapping in flow style."""
    return _parsed(text, file).data


def _parsed(text: str, file: str) -> Document:
    reader = _Reader(file)
    data = None
    try:
        data = reader.document(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        reader.problems.append(_syntax(error, file))
    if reader.problems:
        raise InputError(reader.problems)
    return Document(data, reader.marks)


def scalar(text: str) -> Any:
    """The value of an unquoted scalar by the core schema."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(text) if _FLOAT.fullmatch(text) else text


class _Reader:
    """Builds data from parser events, which never recurse inside the parser however deep a file nests."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.marks: dict[Place, Mark] = {}
        self._anchors: dict[str, Any] = {}
        self._aliased = 0

    def document(self, events: Iterator[Any]) -> Any:
        """The data of the only document in `events`."""
        data: Any = None
        count = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                count += 1
                if count > 1:
                    self._fault(event, (), "expected one YAML document, found a second one")
                    break
                data = self._node(next(events), events, ())
        return data

    def _node(self, event: Any, events: Iterator[Any], path: Place) -> Any:
        if len(path) > MAX_DEPTH:
            self._fault(event, (), f"nested deeper than {MAX_DEPTH} levels")
            raise InputError(self.problems)
        self.marks.setdefault(path, self._mark(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.tag is not None and event.tag != "!":
            self._fault(event, path, f"expected plain YAML, found the tag {event.tag!r}; tags are not supported")
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(event, events, path)
        else:
            value = self._mapping(events, path)
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _scalar(self, event: Any, path: Place) -> Any:
        if event.style == "|":
            first = _line(event) + 2   # behind the line that ends in |
            lines = range(event.value.count("\n") + 1)
            self.marks |= {(*path, f"line {k + 1}"): Mark(self.file, first + k) for k in lines}
        if not event.implicit[0]:
            return event.value
        try:
            return scalar(event.value)
        except ValueError:
            self._fault(event, path, f"expected a number, found one of {len(event.value)} digits")
            return 0

    def _sequence(self, start: Any, events: Iterator[Any], path: Place) -> list[Any]:
        items: list[Any] = []
        line = start.start_mark.line if start.flow_style else -1
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            if isinstance(event, yaml.ScalarEvent) and _line(event) == line and not (event.tag or event.anchor):
                items.append(self._scalar(event, (*path, len(items))))  # no mark: long lists stay cheap
            else:
                items.append(self._node(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[Any], path: Place) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, events, path)
            if key in found:
                first = self.marks[(*path, key)].line
                self._fault(event, (*path, key), f"duplicate key {key!r}; it is already given in line {first}")
            else:
                self.marks[(*path, key)] = self._mark(event)
            value = self._node(next(events), events, (*path, key))
            found.setdefault(key, value)
        return found

    def _key(self, event: Any, events: Iterator[Any], path: Place) -> Any:
        plain = isinstance(event, yaml.ScalarEvent) and not event.tag
        key = self._scalar(event, path) if plain else self._node(event, events, (*path, "?"))
        if isinstance(key, (str, int)) and not isinstance(key, bool):
            return key
        self._fault(event, path, f"expected a name as key, found {_kind(key)}")
        return f"line {_line(event) + 1}"

    def _alias(self, event: Any, path: Place) -> Any:
        if event.anchor not in self._anchors:
            self._fault(event, path, f"unknown alias *{event.anchor}{did_you_mean(event.anchor, self._anchors)}")
            return None
        value = self._anchors[event.anchor]
        self._aliased += _size(value, MAX_ALIASED)
        if self._aliased > MAX_ALIASED:
            self._fault(event, path, f"aliases expand to more than {MAX_ALIASED} values")
            raise InputError(self.problems)
        return value

    def _mark(self, event: Any) -> Mark:
        return Mark(self.file, _line(event) + 1)

    def _fault(self, event: Any, path: Place, message: str) -> None:
        self.problems.append(Problem(".".join(map(str, path)), message, self.file, _line(event) + 1))


def _line(event: Any) -> int:
    """The line of an event, from 0."""
    return event.start_mark.line


def _size(value: Any, limit: int) -> int:
    """Number of values inside `value`, counted up to a little over `limit`."""
    stack, count = [value], 0
    while stack and count <= limit:
        item = stack.pop()
        count += 1
        stack += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return count


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else f"the number {value}"


def _syntax(error: yaml.YAMLError, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    line = None if mark is None else mark.line + 1
    return Problem("", f"not valid YAML: {what}{f' ({context})' if context else ''}", file, line)
