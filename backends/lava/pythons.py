"""Python interpreters on this machine from which an environment for Lava can be made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from snnsim.backends.lava.environment import PYTHONS, ask
from snnsim.errors import InputError, Problem, UnavailableError

# What lava-nc declares comes first, then this interpreter, then what else there is.
_FIRST = "3.10"
_OTHERS = ("3.12", "3.11", "3.13")
_CAN = "import venv, ensurepip"
_PATIENCE_S = 60.0


def base(asked: str | None) -> str:
    """The interpreter to make an environment from: the one asked for, or the best that is found.

    Raises ``InputError`` where the one asked for will not do, ``UnavailableError`` where none is found.
    """
    if asked is not None:
        if (fault := unfit(asked)) is not None:
            raise InputError(Problem("--python", fault))
        return asked
    for python in candidates():
        if unfit(python) is None:
            return python
    raise UnavailableError("no Python from 3.10 to 3.13 that can make an environment was found in PATH, among the "
                           "versions of pyenv and uv, or here; install one (3.10 is best), or name it with --python")


def candidates() -> Iterator[str]:
    """Interpreters that may do, the best first."""
    yield from named(_FIRST)
    yield sys.executable
    for version in _OTHERS:
        yield from named(version)


def named(version: str) -> Iterator[str]:
    """Interpreters of a version by the places where they are kept: PATH, pyenv, uv."""
    if (found := shutil.which(f"python{version}")) is not None:
        yield found
    home = Path(os.environ.get("HOME", "/"))
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    for folder in (*_newest(pyenv, f"{version}.*"), *_newest(uv, f"cpython-{version}.*")):
        yield str(folder / "bin" / "python3")


def _newest(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern), key=lambda path: (len(path.name), path.name), reverse=True)


def unfit(python: str) -> str | None:
    """Why no environment for Lava can be made from an interpreter; None where one can."""
    found = ask(python)
    if isinstance(found, str):
        return found
    if found.version[:2] not in PYTHONS:
        return f"expected a Python from 3.10 to 3.13, found {found.called} ({python})"
    try:
        subprocess.run([python, "-E", "-c", _CAN], stdin=subprocess.DEVNULL, capture_output=True, check=True,
                       timeout=_PATIENCE_S)
    except (subprocess.SubprocessError, OSError):
        return f"{python} has no venv or no ensurepip (on Debian and Ubuntu they are in python{found.called[:4]}-venv)"
    return None
