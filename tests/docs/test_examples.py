"""The examples of docs/ are true: every config is built and run, every script and command line works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim
from snnsim.cli import main
from snnsim.cli.app import COMMANDS
from snnsim.connect import RULES
from snnsim.distributions import KINDS
from snnsim.equations import coupling, synapse_read
from snnsim.equations.behaviour import KEYS
from snnsim.equations.rules import METHODS
from snnsim.schema import (
    INPUTS, CouplingSpec, LearningParams, NetworkSpec, PopulationSpec, ProjectionSpec, RecordSpec, SynapseSpec, WeightsSpec,
)

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
OPTIONAL = ("libsonata", "neo", "pandas")


def blocks(language: str, pages: Iterable[str] = tuple(PAGES)) -> list[Any]:
    """The fenced blocks of a language, each under its page and line."""
    found = []
    for page in pages:
        for match in re.finditer(rf"^```{language}\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL):
            line = PAGES[page].count("\n", 0, match.start()) + 1
            found.append(pytest.param(match[1], id=f"{page}-{line}"))
    return found


WHOLE = blocks("yaml", ["config"])[0].values[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with the files that the examples name."""
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(WHOLE)
    traces = "  traces: {exc: {variables: [v], units: '0:4'}}\n"
    Path("net.yaml").write_text(WHOLE + traces)
    np.savez("net.npz", capacity=[200.0, 210.0, 220.0, 230.0], source=[0, 1], target=[1, 2], weight=[1.0, 2.0], delay=[3, 4],
             points=np.arange(8.0).reshape(4, 2))
    Path("spikes.csv").write_text("timestamps,node_ids\n1.5,0\n2.5,7\n")
    return tmp_path


@pytest.mark.parametrize("text", blocks("yaml"))
def test_config(folder: Path, text: str) -> None:
    """A whole config, or a piece added to the first one, is built and runs; each model of it makes a population."""
    whole = text if "snnsim: 1" in text else f"snnsim: 1\ninclude: [base.yaml]\n{text}"
    net = snnsim.loads(whole, folder)
    for name in net.models:
        net.population(f"units_of_{name}", 3, name)
    snnsim.run(net, "1 ms", backend="reference")


@pytest.mark.parametrize("page", sorted(PAGES))
def test_scripts(folder: Path, page: str) -> None:
    """The Python of a page runs from its top to its end; parts that need what is not installed are left out."""
    names: dict[str, Any] = {}
    for [script] in (block.values for block in blocks("python", [page])):
        needed = [name for name in OPTIONAL if re.search(rf"import {name}|to_{name}", script)]
        if all(find_spec(name) for name in needed):
            exec(script, names)


@pytest.mark.parametrize("text", blocks("sh", ["cli"]))
def test_commands(folder: Path, text: str) -> None:
    """Each command line of the page about commands works; those of other pages measure for minutes."""
    if "-o out.h5" not in text:
        assert main(["run", "net.yaml", "-o", "out.h5", "--quiet"]) == 0
    for line in text.splitlines():
        program, *words = shlex.split(line)
        assert program == "snnsim"
        assert main(words) == 0, line


@pytest.mark.parametrize(("page", "names"), [
    ("cli", COMMANDS), ("config", RULES), ("config", KINDS), ("config", INPUTS), ("models", KEYS), ("models", METHODS),
    ("models", synapse_read.KEYS), ("models", coupling.KEYS),
    *(("config", spec.keys()) for spec in (NetworkSpec, PopulationSpec, ProjectionSpec, SynapseSpec, LearningParams, CouplingSpec,
                                           RecordSpec, WeightsSpec)),
], ids=lambda part: part if isinstance(part, str) else ",".join(part))
def test_every_name_is_explained(page: str, names: Any) -> None:
    """A key, rule, distribution, input, method or command that the code knows stands on its page, as code."""
    code = " ".join(re.findall(r"`[^`]+`|^```.*?^```$", PAGES[page], re.MULTILINE | re.DOTALL))
    headings = " ".join(re.findall(r"^#+ .*$", PAGES[page], re.MULTILINE))
    assert [name for name in names if not re.search(rf"\b{name}\b", code + headings)] == []
