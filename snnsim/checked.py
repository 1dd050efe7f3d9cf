"""Mappings judged by the table of keys, one at a time: a fault in one population hides nothing in the others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError

from snnsim.errors import InputError, Problems, did_you_mean, unknown
from snnsim.schema import INPUTS, NAME, NetworkSpec, Spec

S = TypeVar("S", bound=Spec)


def checked(kind: type[S], raw: Any, problems: Problems) -> S | None:
    """`raw` as a `kind`, with every fault of it added to `problems`.

    So that its other parts can be judged too, it comes without the faulty keys; None where it cannot do without one.
    """
    made, faults = _validated(kind, raw)
    for fault in faults:
        _explain(kind, fault, problems)
    faulty = {fault["loc"][0] for fault in faults if fault["loc"]}
    if not faulty:
        return made
    return _validated(kind, {key: value for key, value in raw.items() if key not in faulty})[0]


def _validated(kind: type[S], raw: Any) -> tuple[S | None, list[dict[str, Any]]]:
    """`raw` as a `kind`, or its faults."""
    try:
        return kind.model_validate(raw), []
    except ValidationError as error:
        return None, [dict(fault) for fault in error.errors(include_url=False)]


def input_kind(raw: Any, problems: Problems) -> type[Spec] | None:
    """The class of an input, by its `type`."""
    if not isinstance(raw, dict):
        problems.add("", f"expected a mapping, found {found(raw)}")
    elif "type" not in raw:
        problems.add("", f"missing key 'type'; expected one of: {', '.join(sorted(INPUTS))}")
    elif not isinstance(raw["type"], str) or raw["type"] not in INPUTS:
        problems.add("type", unknown("input type", str(raw["type"]), INPUTS))
    else:
        return INPUTS[raw["type"]]
    return None


def found(value: Any) -> str:
    """How a message names what was found."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) < 60 else f"the text {value[:50]!r}..."
    if isinstance(value, (int, float)):
        return f"{value}"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"


_EXPECTED = {
    "int_type": "a whole number", "int_from_float": "a whole number", "string_type": "text", "dict_type": "a mapping",
    "model_type": "a mapping", "list_type": "a name or a list of names",
    "float_type": "a number", "bool_type": "true or false", "finite_number": "a finite number",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "at least {ge}", "less_than_equal": "at most {le}", "less_than": "less than {lt}",
    "string_too_short": "at least {min_length} character", "string_too_long": "at most {max_length} characters",
    "too_short": "at least one name", "literal_error": "{expected}",
    "string_pattern_mismatch": "a name of letters, digits, _ and - that begins with a letter or _",
}


def _explain(kind: type[Spec], fault: dict[str, Any], problems: Problems) -> None:
    *above, last = fault["loc"] or ("",)
    value, what = fault["input"], fault["type"]
    if what == "missing":
        problems.add(".".join(map(str, above)), f"missing key {last!r}")
    elif what == "extra_forbidden":
        problems.add(".".join(map(str, fault["loc"])), unknown("key", str(last), _type_at(kind, above).keys()))
    else:
        expected = _EXPECTED.get(what, fault["msg"]).format(**_whole(fault.get("ctx", {})))
        if what == "list_type" and (kind is NetworkSpec or _type_at(kind, fault["loc"]) != list[str]):
            expected = "a list"
        place = [str(part) for part in fault["loc"] if part != "[key]"]
        problems.add(".".join(place), f"expected {expected}, found {found(value)}{_hint(what, value, expected)}")


def _type_at(kind: Any, place: Iterable[Any]) -> Any:
    """The type that `kind` gives to what stands at `place` in it."""
    for key in place:
        if isinstance(kind, type) and issubclass(kind, Spec):
            kind = _bare({field.alias or name: field.annotation for name, field in kind.model_fields.items()}[key])
        else:
            kind = _bare(get_args(kind)[-1])   # of the values of a mapping, of the items of a list
    return kind


def _bare(annotation: Any) -> Any:
    """Without ``Annotated`` and ``| None``."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not NoneType)
    return annotation


def _whole(limits: dict[str, Any]) -> dict[str, Any]:
    """Limits of a real number as they were written: 1, not 1.0."""
    return {key: int(x) if isinstance(x, float) and x.is_integer() else x for key, x in limits.items()}


def _hint(what: str, value: Any, expected: str) -> str:
    if what == "int_type" and isinstance(value, str) and value.replace("_", "").lstrip("+-").isdigit():
        return f"; write {value.replace('_', '')}, without quotes"
    if what == "literal_error" and isinstance(value, str):
        return did_you_mean(value, [word.strip("' ") for word in expected.replace(" or ", ",").split(",")])
    return ""


def check_name(kind: str, name: Any, taken: Iterable[str]) -> None:
    """``InputError`` unless `name` can be the name of a part of a network, other than those `taken`."""
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise InputError(f"expected a name of letters, digits, _ and - that begins with a letter or _, found {name!r}")
    if name in taken:
        raise InputError(f"duplicate {kind} name {name!r}")
