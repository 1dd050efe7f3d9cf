"""What is said where Brian2 cannot be used."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest

from snnsim.backends.brian2 import versions


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    def missing(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", missing)
    assert versions.fault.__wrapped__() == "Brian2 is not installed; install it with: pip install 'snnsim[brian2]'"


def test_numpy_is_too_new() -> None:
    """A combination that fails on import is named before it does."""
    assert versions.combination("2.9.0", "2.4.6") == (
        "Brian2 2.9.0 does not work with NumPy 2.4.6, which is too new for it; in an environment of its own: "
        "pip install 'snnsim[brian2]', which takes NumPy below 2.4")


@pytest.mark.parametrize(("brian", "numpy"), [("2.9.0", "2.3.5"), ("2.10.0", "2.4.6"), ("3.0", "2.5.0rc1")])
def test_other_combinations_are_tried(brian: str, numpy: str) -> None:
    """What is not known to fail is imported."""
    assert versions.combination(brian, numpy) is None
