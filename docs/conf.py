"""Sphinx configuration."""

from __future__ import annotations

import importlib.metadata

project = "snnsim"
copyright = "the snnsim developers"
release = importlib.metadata.version("snnsim")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"
