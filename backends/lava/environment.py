"""Which Python interpreter has Lava: the one that a variable names, this one, or the one that ``setup`` made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from snnsim import cachefolder
from snnsim.errors import UnavailableError

LAVA, VARIABLE = "0.10.0", "SNNSIM_LAVA_PYTHON"
NEEDED = ("lava-nc", "numpy", "scipy", "h5py")
# lava-nc declares 3.10 alone; the runner makes the others able to import it.
PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13))
ADVICE = (f"make an environment with `python -m snnsim.backends.lava.setup` (tools/setup_lava in a checkout), or name "
          f"an interpreter that has lava-nc {LAVA} and h5py: {VARIABLE}=/path/to/python")
_PATIENCE_S = 60.0
_QUESTION = f"""
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {{}}
for name in {NEEDED!r}:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps([list(sys.version_info[:3]), found]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter: the file, its version, and the versions of those packages of ``NEEDED`` that it has."""

    python: str
    version: tuple[int, int, int]
    packages: dict[str, str]

    @property
    def called(self) -> str:
        """The version, as it is written."""
        return ".".join(map(str, self.version))

    @property
    def libraries(self) -> str:
        """Lava and NumPy with their versions."""
        return f"Lava {self.packages['lava-nc']}, NumPy {self.packages['numpy']}"


def fault() -> str | None:
    """Why no interpreter here can run Lava and what to do about it; None where one can. Nothing of Lava is started."""
    found = _search()
    return found if isinstance(found, str) else None


def interpreter() -> Interpreter:
    """The interpreter that runs Lava; ``UnavailableError`` where there is none."""
    found = _search()
    if isinstance(found, str):
        raise UnavailableError(found)
    return found


def place() -> Path:
    """Where ``setup`` makes an environment unless it is told another folder."""
    return cachefolder.folder("lava") / "environment"


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def _search() -> Interpreter | str:
    if os.name != "posix":
        return "Lava is run in a process group of its own, so that nothing of it can be left; that needs Linux or macOS"
    if chosen := os.environ.get(VARIABLE):
        found = usable(chosen)
        return f"{VARIABLE}: {found}; {ADVICE}" if isinstance(found, str) else found
    faults = []
    for python in _candidates():
        found = usable(python)
        if isinstance(found, Interpreter):
            return found
        faults.append(found)
    return "; ".join([*(faults or ["Lava is not installed"]), ADVICE])


def _candidates() -> list[str]:
    """This interpreter where Lava is installed in it, and the one that ``setup`` made."""
    made = python_of(place())
    return [*([sys.executable] if _has_lava() else []), *([str(made)] if made.exists() else [])]


def _has_lava() -> bool:
    try:
        return bool(version("lava-nc"))
    except PackageNotFoundError:
        return False


def usable(python: str) -> Interpreter | str:
    """An interpreter with all that the runner needs, or what is wrong with it."""
    found = ask(python)
    if isinstance(found, str):
        return found
    if found.version[:2] not in PYTHONS:
        return f"{python} is Python {found.called}, and Lava runs with 3.10, with snnsim's help also with 3.11 to 3.13"
    if missing := [name for name in NEEDED if name not in found.packages]:
        return f"{python} has no {' and no '.join(missing)}"
    if found.packages["lava-nc"] != LAVA:
        return f"{python} has lava-nc {found.packages['lava-nc']}, and snnsim knows the rules of {LAVA}"
    return found


@lru_cache
def ask(python: str) -> Interpreter | str:
    """What an interpreter says about itself, asked once, or why it says nothing."""
    try:
        # As the runner is started: without what environment variables add for this interpreter.
        answer = subprocess.run([python, "-E", "-c", _QUESTION], stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=_PATIENCE_S, check=True, text=True)
        numbers, packages = json.loads(answer.stdout)
        return Interpreter(python, tuple(numbers), packages)
    except OSError as error:
        return f"{python} cannot be started ({error.strerror})"
    except subprocess.TimeoutExpired:
        return f"{python} did not answer within {_PATIENCE_S:g} s"
    except (subprocess.CalledProcessError, ValueError):
        return f"{python} is no Python interpreter that answers"
