"""What a sweep goes through: lists, ranges, values of Python, and how points are numbered."""

from __future__ import annotations

import numpy as np
import pytest

from snnsim.sweeps.axes import Axis, read_axes
from snnsim.sweeps.design import Design


@pytest.mark.parametrize(("text", "values"), [
    ("1,2", ["1", "2"]), (" 10 ms , 20 ms", ["10 ms", "20 ms"]), ("1..4", ["1", "2", "3", "4"]),
    ("0..1..0.25", ["0", "0.25", "0.5", "0.75", "1"]), ("0.1..0.5..0.1", ["0.1", "0.2", "0.3", "0.4", "0.5"]),
    ("3..1..-1", ["3", "2", "1"]), ("10..20..5,40", ["10", "15", "20", "40"]), ("1..1", ["1"]),
    ("10 ms..20 ms..5 ms", ["10 ms", "15 ms", "20 ms"]), ("10..20..5 ms", ["10 ms", "15 ms", "20 ms"]),
    ("-1 mV..1 mV", ["-1 mV", "0 mV", "1 mV"]), ("1e2..3e2..1e2", ["100", "200", "300"]),
    ("../a.npz", ["../a.npz"]), ("1..2..1.5", ["1"]),
    ("{uniform: [1 mV, 2 mV]},3 mV", ["{uniform: [1 mV, 2 mV]}", "3 mV"]), ("[1, 2],[3]", ["[1, 2]", "[3]"]),
    ("'a,b',\"c, d\"", ["'a,b'", '"c, d"']), ("{expression: \"exp(-(1), 2)\"},it's", ["{expression: \"exp(-(1), 2)\"}", "it's"]),
])
def test_values_of_a_text(text, values):
    """Commas separate outside of brackets and quotes only; ranges count exactly, their end included."""
    [axis] = read_axes([f"a.b={text}"])
    assert (axis.path, list(axis.values)) == ("a.b", values)


def test_values_of_python():
    """A mapping takes text as the command line does, and any series of values; numbers and lists become text."""
    over = {"a": "1..3", "b": ["10 ms", 2, 2.5, True, None, [1, "2 mV"], {"uniform": [0, 1]}], "c": np.arange(2), "d": range(2)}
    axes = {axis.path: list(axis.values) for axis in read_axes(over)}
    assert axes == {"a": ["1", "2", "3"], "c": ["0", "1"], "d": ["0", "1"],
                    "b": ["10 ms", "2", "2.5", "true", "null", '[1, "2 mV"]', '{"uniform": [0, 1]}']}


def test_points_are_all_combinations():
    """The last axis goes fastest; numbers begin at 1 and name the files."""
    points = Design(((Axis("a", ("1", "2")), Axis("b", ("x", "y"))),)).points()
    assert [tuple(point.values.values()) for point in points] == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]
    assert [point.number for point in points] == [1, 2, 3, 4]
    assert points[3].overrides == ["a=2", "b=y"]
    assert points[3].file == "00004.h5"


def test_points_keep_their_numbers_when_values_are_added():
    """Values may be added anywhere and axes given in another order: what had a number keeps it."""
    first = Design(((Axis("a", ("1", "2")), Axis("b", ("x",))),))
    second = first.extended((Axis("b", ("w", "x")), Axis("a", ("1", "2"))))
    before = {point.number: dict(point.values) for point in first.points()}
    after = {point.number: dict(point.values) for point in second.points()}
    assert before.items() <= after.items()
    assert [after[k] for k in (3, 4)] == [{"a": "1", "b": "w"}, {"a": "2", "b": "w"}]
    assert second.extended(second.axes) is second


def test_points_that_differ_in_numbers_have_one_shape():
    """A number changes no machine code; a model does, and so may a unit or the form of a value."""
    values = ("10 ms", "20.5 ms", "1e3 us", "{uniform: [1 ms, 2 ms]}")
    shapes = [point.shape for point in Design(((Axis("a", values),),)).points()]
    assert shapes[0] == shapes[1]
    assert len(set(shapes)) == 3
