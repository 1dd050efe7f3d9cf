"""Making an environment for Lava: what goes wrong is said, and nothing is left of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runners import here

from snnsim.backends.lava import session, setup
from snnsim.backends.lava.environment import ask, fault, interpreter
from snnsim.backends.lava.setup import main
from snnsim.errors import EngineError, RunError

TOOL = Path(__file__).parents[2] / "tools" / "setup_lava"


def test_a_folder_with_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is left as it is."""
    (tmp_path / "mine.txt").write_text("mine")
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: exists and is no Python environment; choose another folder\n"
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_python_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The option is named."""
    assert main([str(tmp_path / "new"), "--python", "/no/python"]) == 2
    assert capsys.readouterr().err == "error: --python: /no/python cannot be started (No such file or directory)\n"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason of the system is given."""
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file" / "new")]) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/file/new: the environment could not be written (File exists)\n")


@pytest.mark.slow
def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What pip said last is shown, and a former environment is still there."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    old = tmp_path / "lava"
    old.mkdir()
    (old / "pyvenv.cfg").write_text("old")
    assert main([str(old), "--force"]) == 1
    said = capsys.readouterr()
    assert re.match(r"error: numpy==\S+, scipy==\S+, networkx==\S+, asteval==\S+, h5py==\S+ could not be installed; nothing was made\. "
                    r"The last lines of what was said:\n  ", said.err)
    assert "No matching distribution found for numpy" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["lava"]
    assert (old / "pyvenv.cfg").read_text() == "old"


def test_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is left."""
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(setup, "_run", interrupted)
    assert main([str(tmp_path / "new"), "--python", sys.executable]) == 130
    assert capsys.readouterr().err == "stopped; nothing was made\n"
    assert list(tmp_path.iterdir()) == []


class Wrong:
    """A session that gives other spikes."""

    def __init__(self, *_: Any) -> None:
        """Nothing is started."""

    def run(self, steps: int, arrivals: None) -> session.Outcome:
        """One spike."""
        one = np.ones(1, np.int64)
        return session.Outcome(one, one, one, [], {}, {})

    def close(self) -> None:
        """Nothing is left."""


def test_lava_that_computes_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spikes of the check are compared."""
    monkeypatch.setattr(session, "Session", Wrong)
    with pytest.raises(RunError) as caught:
        setup.check(here())
    assert str(caught.value) == (
        f"Lava computes otherwise in {sys.executable}: expected spikes (step, unit) "
        "[(2, 0), (4, 0), (6, 0), (7, 1), (8, 0), (10, 0)], found [(1, 1)]")


def test_lava_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message is passed on."""
    def fails(*_: Any) -> None:
        raise EngineError("it fell over")

    monkeypatch.setattr(session, "Session", fails)
    with pytest.raises(RunError) as caught:
        setup.check(here())
    assert str(caught.value) == f"Lava does not run in {sys.executable}: it fell over"


@pytest.mark.slow
@pytest.mark.skipif(fault() is not None, reason=str(fault()))
def test_one_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """It is checked, and left as it is."""
    found = interpreter()
    folder = Path(found.python).parents[1]
    assert main([str(folder)]) == 0
    assert re.match(rf"{re.escape(str(folder))}: Lava 0\.10\.0, NumPy \S+ on Python {re.escape(found.called)}, \d+ MB; was there already; "
                    r"--force makes it again\nThe backend lava finds it ", capsys.readouterr().out)


def test_the_tool() -> None:
    """tools/setup_lava is the same command, with the interpreter that has snnsim."""
    said = subprocess.run([TOOL, "--help"], env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("usage: setup_lava [-h] [--python PYTHON] [--force] [folder]\n")
    ask.cache_clear()
