"""The table of commands, and what becomes of their errors."""

from __future__ import annotations

import gc
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from snnsim.cli import compare, demo, deploy, describe, files, ranks, report, run, sweep
from snnsim.cli.output import note
from snnsim.errors import SnnsimError
from snnsim.interrupt import raising

COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.run,
    "demo": demo.demo,
    "validate": describe.validate,
    "info": describe.info,
    "backends": describe.backends,
    "models": describe.models,
    "compare": compare.compare,
    "sweep": sweep.sweep,
    "deploy": deploy.deploy,
    "plot": files.plot,
    "report": report.report,
    "convert": files.convert,
    "recover": files.recover,
}
INTERRUPTED = 130  # typer's exit code for an interrupt that a command did not handle itself


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"snnsim {version('snnsim')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
) -> None:
    """Simulate spiking neural networks described in YAML or Python."""


def build() -> typer.Typer:
    """The application with all of its commands."""
    app = typer.Typer(
        no_args_is_help=True, add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name, command in COMMANDS.items():
        app.command(name)(command)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default ``sys.argv[1:]``) and return its exit code."""
    code = _run(argv)
    if argv is None:
        gc.freeze()   # or Python, as it ends, looks through all objects once more: with Numba a third of a second
    return code


def _run(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    warnings.showwarning = _warn
    try:
        ranks.refuse_alone(words)
        sweep.begin(words)
        with ranks.first_speaks(), raising():
            build()([word for word in words if word != "--debug"], prog_name="snnsim")
    except SystemExit as stop:
        return _code(stop, argv is None)
    except KeyboardInterrupt:
        return _code(SystemExit(INTERRUPTED), argv is None)
    except Exception as error:
        if debug:
            traceback.print_exception(error)
        return ranks.end(*_explained(error, debug))
    return 0


def _warn(message: Warning | str, *place: object, **more: object) -> None:
    note(f"note: {message}")


def _code(stop: SystemExit, alone: bool) -> int:
    """The exit code; an interrupted process of our own ends here, for its threads may be compiling or building yet."""
    if stop.code == INTERRUPTED:
        if ranks.is_first():
            note("stopped by Ctrl-C")
        if alone:
            sys.stdout.flush()
            os._exit(1)
        return 1
    return stop.code if isinstance(stop.code, int) else int(stop.code is not None)


def _explained(error: Exception, debug: bool) -> tuple[str, int]:
    """What went wrong, without a traceback; the exit code is the error's own, 1 for an unexpected one."""
    if isinstance(error, SnnsimError):
        return str(error), error.exit_code
    hint = "" if debug else "; --debug shows where"
    return f"internal error: {type(error).__name__}: {error}{hint}", 1
