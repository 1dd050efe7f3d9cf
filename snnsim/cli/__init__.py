"""The command line: one small file per group of commands.

What a command computes goes to stdout, everything said about it to stderr. Exit code 0 is success, 1 a run that
failed, 2 a wrong command line or a wrong file. Heavy imports stand inside the commands, so that help is instant.
"""

from __future__ import annotations

from snnsim.cli.app import main

__all__ = ["main"]
