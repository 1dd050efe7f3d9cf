"""The command line, run in this process: what goes to stdout, what to stderr, and the exit code."""

from __future__ import annotations

import io
import json
import sys
from unittest.mock import Mock

import pytest

from snnsim.cli import main
from snnsim.cli import progress as progress_module
from snnsim.cli.app import COMMANDS
from snnsim.cli.output import print_json, print_table
from snnsim.cli.progress import Progress


def test_help_lists_every_command(capsys):
    """`snnsim --help` names each command and succeeds."""
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in text] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command, capsys):
    """Every command has a help page whose first line fits into the overview without being cut."""
    assert main([command, "--help"]) == 0
    assert f"Usage: snnsim {command}" in capsys.readouterr().out
    main(["--help"])
    overview = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(f"  {command} "))
    assert "..." not in overview


def test_version_is_the_installed_one(capsys):
    """`--version` prints the version of the installed distribution."""
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"snnsim {version('snnsim')}\n"


def test_table_aligns_numbers_to_the_right(capsys):
    """Columns of numbers end together, columns of text begin together."""
    print_table(("name", "rate"), [("exc", 12.345678), ("inhibitory", 7)])
    assert capsys.readouterr().out == "name         rate\nexc         12.35\ninhibitory      7\n"


def test_json_takes_numpy_values(capsys):
    """NumPy numbers and arrays are printed as JSON numbers and lists."""
    import numpy as np

    print_json({"n": np.int64(3), "x": np.array([1.5, 2.0])})
    assert json.loads(capsys.readouterr().out) == {"n": 3, "x": [1.5, 2.0]}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_shows_time_speed_and_time_left_on_a_terminal(monkeypatch):
    """On a terminal the bar shows simulated time, real-time factor and time left."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with Progress(dt=0.1) as progress:
        progress(0, 10_000)
        progress(5_000, 10_000)
        progress(10_000, 10_000)
    shown = sys.stderr.getvalue()
    assert "of 1.000 s" in shown
    assert "real-time factor" in shown
    assert "left" in shown


def test_progress_of_a_second_run_begins_anew(monkeypatch):
    """Steps that count from the beginning again give no negative speed."""
    bar = Mock()
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress_module, "bar", lambda *fields: bar)
    with Progress(dt=0.1) as progress:
        for step in (9_000, 10_000, 10, 20):
            progress(step, 10_000)
    speeds = [call.kwargs["speed"] for call in bar.update.call_args_list]
    assert [speed == "real-time factor -" for speed in speeds] == [True, False, True, False]
    assert not any("factor -0" in speed for speed in speeds)


@pytest.mark.parametrize(("terminal", "shown"), [(True, False), (False, True)])
def test_progress_is_silent_when_quiet_or_no_terminal(terminal, shown, monkeypatch):
    """With --quiet, or where stderr is a file or a pipe, nothing is written."""
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    with Progress(dt=0.1, shown=shown) as progress:
        progress(10, 20)
    assert sys.stderr.getvalue() == ""


