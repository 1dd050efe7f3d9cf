"""Make an environment in which Lava runs, for the backend lava.

    python -m snnsim.backends.lava.setup [FOLDER] [--python PYTHON] [--force]

Lava declares Python 3.10 alone. Where one is found it is taken, else this Python or another from 3.11 to 3.13: packages
whose versions are known to go together are installed first, then Lava without asking what it declares; what it needs
besides to be imported there is in ``snnsim/deploy/standalone/lava_runner/lava_import.py``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from snnsim.backends.lava.environment import LAVA, VARIABLE, Interpreter, ask, place, python_of, usable
from snnsim.backends.lava.pythons import base
from snnsim.deploy.graph import Connection, Graph, Group
from snnsim.errors import InputError, Problem, RunError, SnnsimError

# Lava declares scikit-learn, too, and imports it nowhere.
_PINNED = {"numpy": "1.26.4", "scipy": "1.15.3", "networkx": "2.8.7", "asteval": "0.9.33", "h5py": "3.14.0"}
_SINCE_313 = {"numpy": "2.2.6"}   # the first with wheels for Python 3.13 are of NumPy 2
_VENV = "pyvenv.cfg"
_LAST_LINES = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Make the environment, or say why not; the exit code."""
    asked = _parser().parse_args(argv)
    try:
        set_up(asked.folder, asked.python, asked.force)
    except SnnsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; nothing was made", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="setup_lava", description=f"Make an environment in which Lava {LAVA} runs.")
    parser.add_argument("folder", nargs="?", type=Path, help="where; by default where the backend lava looks for it")
    parser.add_argument("--python", help="the interpreter to make it from, 3.10 to 3.13; by default the best found")
    parser.add_argument("--force", action="store_true", help="make it again where there is one")
    return parser


def set_up(folder: Path | None = None, python: str | None = None, force: bool = False) -> Interpreter:
    """Make the environment unless it is there; the interpreter, after a network has run in it.

    Raises ``InputError`` where an argument is wrong, ``RunError`` where something fails: nothing is left then.
    """
    began, target = time.perf_counter(), (place() if folder is None else folder.absolute())
    found = usable(str(python_of(target))) if python_of(target).exists() else ""
    if isinstance(found, str) or force:
        _check_target(target)
        found = _make(target, base(python))
        say = f"made in {time.perf_counter() - began:.0f} s"
    else:
        check(found)
        say = "was there already; --force makes it again"
    print(f"{target}: {found.libraries} on Python {found.called}, "
          f"{_megabytes(target):.0f} MB; {say}\n{_how_found(target)}")
    return found


def _how_found(target: Path) -> str:
    if target == place():
        return "The backend lava finds it there."
    return f"The backend lava finds it with {VARIABLE}={python_of(target)}"


def _check_target(target: Path) -> None:
    """``InputError`` where something else than an environment would be overwritten."""
    if target.exists() and not (target / _VENV).is_file() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(Problem(str(target), "exists and is no Python environment; choose another folder"))


def _make(target: Path, python: str) -> Interpreter:
    with _beside(target) as part:
        _say(f"an environment from {python}")
        _run([python, "-E", "-m", "venv", "--clear", str(part)], "the environment could not be made")
        own = str(python_of(part))
        version = ask(own)
        assert isinstance(version, Interpreter)
        pins = _PINNED | (_SINCE_313 if version.version >= (3, 13) else {})
        _install(own, [f"{name}=={number}" for name, number in pins.items()], "--only-binary", ":all:")
        _install(own, [f"lava-nc=={LAVA}"], "--no-deps", "--ignore-requires-python")
        ask.cache_clear()
        _say("Lava runs a network")
        check(_made(own))
    ask.cache_clear()
    return _made(str(python_of(target)))


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` at the end, and is removed where that is not reached."""
    part, old = (target.with_name(f".{target.name}.{os.getpid()}.{kind}") for kind in ("new", "old"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if target.exists():
            target.rename(old)
        part.rename(target)
    except OSError as error:
        raise RunError(f"{target}: the environment could not be written ({error.strerror})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _install(python: str, packages: list[str], *options: str) -> None:
    _say(f"installing {', '.join(packages)}")
    pip = [python, "-E", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    _run([*pip, *options, *packages], f"{', '.join(packages)} could not be installed")


def _run(command: list[str], failed: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    if done.returncode:
        last = [line.strip() for line in done.stdout.splitlines() if line.strip()][-_LAST_LINES:]
        raise RunError(f"{failed}; nothing was made. The last lines of what was said:\n  " + "\n  ".join(last))


def _made(python: str) -> Interpreter:
    found = usable(python)
    if isinstance(found, str):
        raise RunError(f"the environment is not as it should be: {found}")
    return found


def _say(text: str) -> None:
    print(f"- {text}", flush=True)


def _megabytes(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink()) / 1e6


# --- the check -------------------------------------------------------------------------------------------------------

# A spike of the first unit in every second step puts 256 of the 640 that the second one needs to its potential.
_SPIKES = [(2, 0), (4, 0), (6, 0), (7, 1), (8, 0), (10, 0)]


def check(interpreter: Interpreter) -> None:
    """Let Lava run two neurons and a synapse for 10 steps; ``RunError`` where it does not, or computes otherwise."""
    from snnsim.backends.lava.session import Session

    try:
        session = Session(_two_neurons(), interpreter)
        outcome = session.run(10, None)
        session.close()
    except SnnsimError as error:
        raise RunError(f"Lava does not run in {interpreter.python}: {error}") from error
    found = list(zip(outcome.step.tolist(), outcome.unit.tolist(), strict=True))
    if found != _SPIKES:
        raise RunError(f"Lava computes otherwise in {interpreter.python}: expected spikes (step, unit) {_SPIKES}, "
                       f"found {found}")


def _two_neurons() -> Graph:
    neurons = Group("neurons", 2, "loihi_lif", {"du": 4095, "dv": 0, "vth": 10, "bias_mant": np.array([400, 0]),
                                                "bias_exp": 0}, {}, ("in",))
    pre, post, weight, delay = (np.array([value], np.int32) for value in (0, 1, 4, 1))
    synapse = Connection("synapse", 0, 0, "in", pre, post, weight, delay, sign_mode="excitatory")
    return Graph("check", 1.0, "lava010", (neurons,), (synapse,), (), {0: None})


if __name__ == "__main__":
    sys.exit(main())
