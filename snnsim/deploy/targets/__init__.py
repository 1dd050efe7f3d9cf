"""The built-in targets: one YAML file each, in the form that users write their own."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def texts() -> dict[str, str]:
    """Name -> text of the built-in targets."""
    files = sorted((f for f in resources.files(__name__).iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return {file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8") for file in files}
