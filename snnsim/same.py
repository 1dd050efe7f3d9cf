"""Whether two networks, as canonical YAML, are the same but for what does not matter, and where they differ."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from snnsim.yamlfile import parse_yaml

# What a state does not depend on, and what a recording does not.
STATE, RECORDING = ("name", "duration", "record"), ("name", "duration")
_ABSENT = object()


def difference(
    there: str, here: str, leave_out: Collection[str] = (), called: tuple[str, str] = ("there", "here")
) -> str | None:
    """The first difference, as ``"seed is 1 there and 2 here"``; None where there is none.

    there, here: networks as YAML. leave_out: keys of the top level that may differ. called: how to name the two.
    """
    first, second = (parse_yaml(text, "<network>").data for text in (there, here))
    for data in (first, second):
        for key in leave_out:
            data.pop(key, None)
    found = next(_differences(first, second, ()), None)
    if found is None:
        return None
    path, one, other = found
    return f"{'.'.join(map(str, path))} is {_shown(one)} {called[0]} and {_shown(other)} {called[1]}"


def _differences(a: Any, b: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys([*a, *b]):
            if not _describes((*path, key)):
                yield from _differences(a.get(key, _ABSENT), b.get(key, _ABSENT), (*path, key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _differences(x, y, (*path, k))
    elif a != b:
        yield path, a, b


def _describes(path: tuple[Any, ...]) -> bool:
    """Whether it is a sentence about a model or one of its parameters, which changes nothing."""
    return path[0] == "models" and len(path) in (3, 5) and path[-1] in ("about", "source")


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "not given"
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:37]}..."
