"""What a sweep goes through: axes, each a path into the config and the values that it takes.

``path=a,b,c`` lists values, ``path=1..10`` counts, ``path=10 ms..30 ms..5 ms`` counts in steps. Commas inside brackets,
braces and quotes do not separate. Values are texts in the language of ``--set``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from snnsim.checked import found
from snnsim.errors import InputError, Problem, Problems

MOST_POINTS = 100_000

_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_QUANTITY = rf"({_NUMBER})\s*([A-Za-zµμ%][^.]*?)?"
_RANGE = re.compile(rf"{_QUANTITY}\s*\.\.\s*{_QUANTITY}(?:\s*\.\.\s*{_QUANTITY})?")
_CLOSING = {"[": "]", "{": "}", "(": ")"}


@dataclass(frozen=True)
class Axis:
    """One path and its values, as texts. label: how the user gave it, for messages."""

    path: str
    values: tuple[str, ...]
    label: str = ""

    def overrides(self) -> list[str]:
        """What each value changes in the config, as of ``--set``."""
        return [f"{self.path}={value}" for value in self.values]


def read_axes(over: Any) -> tuple[Axis, ...]:
    """The axes that a mapping path -> values says, or texts ``path=values``.

    Values in a mapping: text as behind ``--over``, or any series of texts, numbers, lists and mappings.
    Raises ``InputError`` with all that is wrong about them.
    """
    problems, axes = Problems(), []
    for label, path, values in _given(over):
        with problems.at(""):
            axes.append(_axis(label, path.strip(), values))
    problems.check()
    if not axes:
        raise InputError(Problem("over", "expected at least one path with its values, such as seed=1..10, found none"))
    _check_together(axes)
    return tuple(axes)


def _given(over: Any) -> Iterator[tuple[str, str, Any]]:
    """Label, path and values of each axis."""
    if isinstance(over, Mapping):
        for path, values in over.items():
            yield f"over[{path!r}]", str(path), values
        return
    if isinstance(over, str) or not isinstance(over, Iterable):
        raise InputError(Problem("over", f"expected a mapping of paths to values, found {found(over)}"))
    for text in over:
        path, equals, values = str(text).partition("=")
        yield f"--over {text}", path if equals else "", values


def _axis(label: str, path: str, values: Any) -> Axis:
    if not path:
        expected = "expected path=values, such as seed=1..10 or populations.exc.params.tau_m=10 ms,20 ms"
        raise InputError(Problem("", f"{expected}, found no path", label))
    try:
        return Axis(path, _texts(values), label)
    except InputError as error:
        raise InputError([Problem(path, problem.message, label) for problem in error.problems]) from error


def _texts(values: Any) -> tuple[str, ...]:
    if isinstance(values, str):
        texts = [each for part in _split(values) for each in _expanded(part)]
    elif isinstance(values, Mapping) or not isinstance(values, Iterable):
        expected = "expected a series of values, or text such as '10 ms,20 ms' or '1..10'"
        raise InputError(f"{expected}, found {found(values)}")
    else:
        texts = [text_of(value) for value in values]
    if not texts:
        raise InputError("expected at least one value, found none")
    if len(texts) != len(set(texts)):
        twice = next(value for k, value in enumerate(texts) if value in texts[:k])
        raise InputError(f"has the value {twice} twice; leave one of them out")
    return tuple(texts)


def text_of(value: Any) -> str:
    """A value of a Python call as text in the language of ``--set``."""
    if isinstance(value, str):
        return value.strip()
    try:
        return json.dumps(value.tolist() if hasattr(value, "tolist") else value, ensure_ascii=False)
    except TypeError as error:
        raise InputError(f"expected text, numbers, lists or mappings, found {found(value)}") from error


def _split(text: str) -> list[str]:
    """The parts between commas that stand outside of brackets, braces and quotes."""
    parts, open_, quote, begin, fresh = [], [], "", 0, True
    for k, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and fresh:
            quote = letter
        elif letter in _CLOSING:
            open_.append(_CLOSING[letter])
        elif letter in _CLOSING.values():
            if not open_ or open_.pop() != letter:
                raise InputError(f"expected no {letter} that closes nothing, found {text!r}")
        elif letter == "," and not open_:
            parts.append(text[begin:k])
            begin = k + 1
        fresh = letter in ",[{(:" or (fresh and letter.isspace())
    if quote or open_:
        raise InputError(f"expected a closing {quote or open_[-1]}, found {text!r}")
    parts = [part.strip() for part in (*parts, text[begin:])]
    if not all(parts):
        what = f"nothing at place {parts.index('') + 1} of {text!r}" if len(parts) > 1 else "none"
        raise InputError(f"expected values, such as 10 ms,20 ms or 1..10, found {what}")
    return parts


def _expanded(part: str) -> list[str]:
    """The values of a range; any other part is one value."""
    match = _RANGE.fullmatch(part)
    if match is None:
        return [part]
    first, one, last, two, step, three = match.groups()
    units = {unit for unit in (one, two, three) if unit}
    if len(units) > 1:
        raise InputError(f"expected one unit in the range {part}, found {' and '.join(sorted(units))}")
    numbers = _counted(Decimal(first), Decimal(last), Decimal(step or 1), part)
    return [f"{number} {unit}" for number in numbers for unit in units] if units else numbers


def _counted(first: Decimal, last: Decimal, step: Decimal, part: str) -> list[str]:
    """Exactly, as texts: with binary fractions 0.1..0.5..0.1 might end at 0.4."""
    if not step:
        raise InputError(f"expected a step other than 0 in the range {part}")
    count = (last - first) // step + 1
    if (last - first) / step < 0:
        turned = f"{last}..{first}" if not last > first else f"{first}..{last}..{-step}"
        raise InputError(f"the range {part} is empty: it counts {'up' if step > 0 else 'down'}; write {turned}")
    if count > MOST_POINTS:
        raise InputError(f"expected at most {MOST_POINTS:,} values, found {count:,} in the range {part}")
    return [_plain(first + k * step) for k in range(int(count))]


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _check_together(axes: list[Axis]) -> None:
    problems, paths = [], [axis.path for axis in axes]
    for k, axis in enumerate(axes):
        if axis.path in paths[:k]:
            problems.append(Problem(axis.path, "is an axis already; give all of its values at once", axis.label))
    if problems:
        raise InputError(problems)
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MOST_POINTS:
        sizes = " x ".join(str(len(axis.values)) for axis in axes)
        raise InputError(Problem("over", f"expected at most {MOST_POINTS:,} points, found {sizes} = {count:,}"))
