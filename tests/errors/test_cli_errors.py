"""What the command line says when something is wrong, and its exit code."""

from __future__ import annotations

import pytest

from snnsim.cli import app, main
from snnsim.errors import InputError, Problem, RunError
from snnsim.registry import backends

USAGE = "Usage: snnsim [OPTIONS] COMMAND [ARGS]...\nTry 'snnsim -h' for help.\n\nError: {message}\n"


def fail_with(error, monkeypatch):
    """A command line whose `backends` command raises `error`."""

    def command() -> None:
        raise error

    monkeypatch.setitem(app.COMMANDS, "backends", command)


def test_unknown_command(capsys):
    """A mistyped command is answered with the nearest one."""
    assert main(["runn"]) == 2
    assert capsys.readouterr().err == USAGE.format(message="No such command 'runn'. Did you mean 'run'?")


def test_every_problem_of_an_input_error_is_printed(capsys, monkeypatch):
    """A wrong file gives one line per fault, exit code 2 and no traceback."""
    first, second = ("dt", "missing unit", "net.yaml", 4), ("populations.exc.n", "expected a count", "net.yaml", 7)
    fail_with(InputError([Problem(*first), Problem(*second)]), monkeypatch)
    assert main(["backends"]) == 2
    expected = "net.yaml:4: dt: missing unit\nnet.yaml:7: populations.exc.n: expected a count\n"
    assert tuple(capsys.readouterr()) == ("", expected)


def test_failed_run(capsys, monkeypatch):
    """A run that could not finish gives its message and exit code 1."""
    fail_with(RunError("out.h5: writing failed"), monkeypatch)
    assert main(["backends"]) == 1
    assert capsys.readouterr().err == "out.h5: writing failed\n"


def test_unexpected_error_is_one_line(capsys, monkeypatch):
    """A fault of ours is one line that says how to see more, exit code 1."""
    fail_with(ZeroDivisionError("oops"), monkeypatch)
    assert main(["backends"]) == 1
    assert capsys.readouterr().err == "internal error: ZeroDivisionError: oops; --debug shows where\n"


def test_debug_shows_the_traceback(capsys, monkeypatch):
    """--debug, anywhere on the line, prints the traceback before the message."""
    fail_with(InputError("wrong"), monkeypatch)
    assert main(["backends", "--debug"]) == 2
    text = capsys.readouterr().err
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("\nwrong\n")


def test_interrupt_outside_a_run(capsys, monkeypatch):
    """Ctrl-C in any command ends it with one line and exit code 1."""
    fail_with(KeyboardInterrupt(), monkeypatch)
    assert main(["backends"]) == 1
    assert capsys.readouterr().err == "stopped by Ctrl-C\n"


def test_compare_needs_two_backends(capsys):
    """One backend cannot be compared."""
    assert main(["compare", "net.yaml", "--backends", "cpu"]) == 2
    expected = "--backends: expected two names or more such as reference,cpu, found 'cpu'\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("command", ["validate", "info", "run"])
def test_missing_config(command, capsys, tmp_path):
    """A config that does not exist is named."""
    missing = tmp_path / "net.yaml"
    assert main([command, str(missing)]) == 2
    assert capsys.readouterr().err == f"{missing}: no such file\n"


@pytest.mark.parametrize("command", ["plot", "recover"])
def test_missing_recording(command, capsys, tmp_path):
    """A recording that does not exist is named."""
    missing = tmp_path / "out.h5"
    assert main([command, str(missing)]) == 2
    assert capsys.readouterr().err == f"{missing}: no such file\n"


def test_run_without_a_config(capsys):
    """`snnsim run` needs a config or a checkpoint."""
    assert main(["run"]) == 2
    assert capsys.readouterr().err == "CONFIG: expected a file, or --resume with a checkpoint; found neither\n"


def test_compare_with_an_unknown_backend(capsys, tmp_path):
    """A mistyped backend is named before any of them runs."""
    config = tmp_path / "net.yaml"
    config.write_text("snnsim: 1\nduration: 10000 s\npopulations: {a: {n: 1, model: lif_psc_delta}}\n")
    assert main(["compare", str(config), "--backends", "reference,cpuu"]) == 2
    known = ", ".join(sorted(["auto", *backends()]))
    expected = f"backend: unknown backend 'cpuu'; expected one of: {known} (did you mean cpu?)\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("command", ["run", "compare"])
def test_duration_without_unit(command, capsys):
    """A duration must have a unit, and the message names the option."""
    assert main([command, "net.yaml", "--duration", "3"]) == 2
    expected = "--duration: missing unit: expected a time (ms), found the bare number 3\n"
    assert capsys.readouterr().err == expected


def test_repeated_resume(capsys):
    """A checkpoint belongs to one seed."""
    assert main(["run", "--resume", "a.ckpt", "--repeat", "2"]) == 2
    expected = "--repeat: a checkpoint belongs to one seed, so --resume cannot be repeated\n"
    assert capsys.readouterr().err == expected


def test_unknown_model(capsys):
    """A mistyped model is answered with what exists and the nearest one."""
    assert main(["models", "lif_psc_dleta"]) == 2
    text = capsys.readouterr().err
    assert text.startswith("unknown model 'lif_psc_dleta'; expected one of: ")
    assert text.endswith("(did you mean lif_psc_delta?)\n")


def test_demo_that_cannot_be_drawn(capsys, tmp_path):
    """Where the raster cannot be written, nothing is simulated for it."""
    missing = tmp_path / "no" / "demo.png"
    assert main(["demo", "-o", str(missing)]) == 2
    assert tuple(capsys.readouterr()) == ("", f"{missing}: the folder {missing.parent} does not exist\n")
