"""Generated parts of the docs are up to date."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_tables_are_made_from_the_models() -> None:
    """Run tools/make_tables.py after a change of the models."""
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "tools" / "make_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert tool.text(page) == page
