"""The configs that ship with snnsim are found by name, wherever it is installed."""

from __future__ import annotations

import pytest

from snnsim import configs
from snnsim.errors import InputError


def test_names_are_those_of_the_files():
    """Every shipped file is found under its name."""
    assert "demo" in configs.names()
    assert [configs.path(name).stem for name in configs.names()] == configs.names()


def test_unknown_name():
    """A mistyped name is answered with what exists and the nearest one."""
    with pytest.raises(InputError) as caught:
        configs.path("brunnel")
    listed = ", ".join(configs.names())
    assert str(caught.value) == f"unknown config 'brunnel'; expected one of: {listed} (did you mean brunel?)"
