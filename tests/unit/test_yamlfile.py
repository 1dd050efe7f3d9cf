"""Strict YAML: values by the 1.2 core schema, and the place of each."""

from __future__ import annotations

import math
from typing import Any

import pytest

from snnsim.yamlfile import Mark, parse_value, parse_yaml, read_yaml


@pytest.mark.parametrize(("text", "value"), [
    ("1", 1), ("-7", -7), ("0o17", 15), ("0x1F", 31), ("1e3", 1000.0), ("1e-3", 1e-3), (".5", 0.5), ("+1.", 1.0),
    ("010", 10), (".inf", math.inf), ("-.INF", -math.inf), ("true", True), ("False", False), ("null", None),
    ("~", None), ("no", "no"), ("yes", "yes"), ("on", "on"), ("12:30:45", "12:30:45"), ("1_000", "1_000"),
    ("2026-11-21", "2026-11-21"),
    ("20 ms", "20 ms"), ("'1'", "1"), ('"true"', "true"), ("[1, a]", [1, "a"]), ("{a: 1}", {"a": 1}), ("=", "="),
])
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    """What YAML 1.1 would turn into other things stays what it says."""
    found = parse_value(text, "f")
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    """``.nan`` is read as one, so that messages can say where it is not allowed."""
    assert math.isnan(parse_value(".nan", "f"))


def test_each_key_and_item_has_its_line() -> None:
    """Marks name the line of a key, and of an item that begins a line."""
    document = parse_yaml("a: 1\nb:\n  - x: 2\n  - 3\nc: {d: 4,\n  e: 5}\n", "f.yaml")
    assert document.data == {"a": 1, "b": [{"x": 2}, 3], "c": {"d": 4, "e": 5}}
    lines = {path: mark.line for path, mark in document.marks.items()}
    assert lines == {(): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 0, "x"): 3, ("b", 1): 4, ("c",): 5,
                     ("c", "d"): 5, ("c", "e"): 6}
    assert document.marks[("a",)] == Mark("f.yaml", 1)


def test_json_is_yaml() -> None:
    """A JSON file is read like any other."""
    assert parse_yaml('{"a": [1, 2.5, null, "x"]}', "f").data == {"a": [1, 2.5, None, "x"]}


def test_an_alias_repeats_a_value() -> None:
    """Anchors are allowed for pieces that occur more than once."""
    assert parse_yaml("a: &x {b: 1}\nc: *x", "f").data == {"a": {"b": 1}, "c": {"b": 1}}


def test_keys_may_be_whole_numbers() -> None:
    """As the ids of ``times: {0: [...]}`` are."""
    assert parse_yaml("0: a\n7: b", "f").data == {0: "a", 7: "b"}


def test_a_byte_order_mark_is_skipped(tmp_path: Any) -> None:
    """Editors on Windows write one."""
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(path).data == {"a": 1}
