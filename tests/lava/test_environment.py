"""Which interpreter is taken, and what is said where none will do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from snnsim.backends.lava import backend, environment, pythons
from snnsim.backends.lava.environment import ADVICE, NEEDED, VARIABLE, Interpreter, ask, fault, interpreter, place, python_of, usable
from snnsim.backends.lava.pythons import base, named
from snnsim.errors import InputError, UnavailableError

ALL = dict.fromkeys(NEEDED, "1.0") | {"lava-nc": "0.10.0"}


@pytest.fixture(autouse=True)
def _nothing_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, no environment that was made, no Lava here, no Python anywhere."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("SNNSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(environment, "_has_lava", lambda: False)
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    ask.cache_clear()


def fake(path: Path, version: tuple[int, int, int] = (3, 10, 13), packages: dict[str, str] = ALL) -> str:
    """A program that answers as an interpreter does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{json.dumps([version, packages])}'\n")
    path.chmod(0o755)
    return str(path)


# --- the search ------------------------------------------------------------------------------------------------------

def test_nothing_anywhere() -> None:
    """Both ways to get one are named."""
    assert fault() == (
        "Lava is not installed; make an environment with `python -m snnsim.backends.lava.setup` (tools/setup_lava in a checkout), or "
        "name an interpreter that has lava-nc 0.10.0 and h5py: SNNSIM_LAVA_PYTHON=/path/to/python")
    with pytest.raises(UnavailableError, match=r"^Lava is not installed; make"):
        interpreter()


def test_the_one_that_was_made() -> None:
    """It is found in the cache folder without any setting."""
    made = fake(python_of(place()))
    assert fault() is None
    assert interpreter() == Interpreter(made, (3, 10, 13), ALL)
    assert backend.lacks() is None
    assert backend.device() == f"Lava 0.10.0, NumPy 1.0, Python 3.10.13 ({made})"


def test_this_one_goes_before_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where Lava is installed beside snnsim, that is taken."""
    fake(python_of(place()))
    this = fake(tmp_path / "this" / "python", (3, 12, 1))
    monkeypatch.setattr(environment, "_has_lava", lambda: True)
    monkeypatch.setattr(sys, "executable", this)
    assert interpreter().python == this


def test_this_one_has_another_lava(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Then the one that was made is taken; without one, the fault of this one is named."""
    this = fake(tmp_path / "this" / "python", packages=ALL | {"lava-nc": "0.9.0"})
    monkeypatch.setattr(environment, "_has_lava", lambda: True)
    monkeypatch.setattr(sys, "executable", this)
    assert fault() == f"{this} has lava-nc 0.9.0, and snnsim knows the rules of 0.10.0; {ADVICE}"
    made = fake(python_of(place()))
    assert interpreter().python == made


def test_the_variable_goes_before_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What it names is taken, or what is wrong with it is said; nothing else is looked for."""
    fake(python_of(place()))
    named = fake(tmp_path / "named" / "python", (3, 11, 4))
    monkeypatch.setenv(VARIABLE, named)
    assert interpreter().python == named
    monkeypatch.setenv(VARIABLE, str(tmp_path / "no" / "python"))
    assert fault() == f"SNNSIM_LAVA_PYTHON: {tmp_path}/no/python cannot be started (No such file or directory); {ADVICE}"


def test_another_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without process groups Lava is not run."""
    monkeypatch.setattr("snnsim.backends.lava.environment.os.name", "nt")
    assert fault() == "Lava is run in a process group of its own, so that nothing of it can be left; that needs Linux or macOS"


# --- one interpreter -------------------------------------------------------------------------------------------------

def test_all_is_there(tmp_path: Path) -> None:
    """What it answers is kept: it is asked once."""
    python = fake(tmp_path / "python")
    assert usable(python) == Interpreter(python, (3, 10, 13), ALL)
    (tmp_path / "python").unlink()
    assert usable(python) == Interpreter(python, (3, 10, 13), ALL)


@pytest.mark.parametrize(("version", "packages", "wrong"), [
    ((3, 9, 18), ALL, "is Python 3.9.18, and Lava runs with 3.10, with snnsim's help also with 3.11 to 3.13"),
    ((3, 14, 0), ALL, "is Python 3.14.0, and Lava runs with 3.10, with snnsim's help also with 3.11 to 3.13"),
    ((3, 10, 13), {"numpy": "1.26.4", "scipy": "1.15.3", "h5py": "3.14.0"}, "has no lava-nc"),
    ((3, 10, 13), {"numpy": "1.26.4", "scipy": "1.15.3", "lava-nc": "0.10.0"}, "has no h5py"),
    ((3, 10, 13), {}, "has no lava-nc and no numpy and no scipy and no h5py"),
    ((3, 10, 13), ALL | {"lava-nc": "0.9.0"}, "has lava-nc 0.9.0, and snnsim knows the rules of 0.10.0"),
])
def test_what_is_wrong(tmp_path: Path, version: tuple[int, int, int], packages: dict[str, str], wrong: str) -> None:
    """The first thing that is missing is named."""
    python = fake(tmp_path / "python", version, packages)
    assert usable(python) == f"{python} {wrong}"


@pytest.mark.parametrize("text", ["#!/bin/sh\necho hello\n", "#!/bin/sh\nexit 3\n"])
def test_no_interpreter(tmp_path: Path, text: str) -> None:
    """A program that is none is named as such."""
    python = tmp_path / "python"
    python.write_text(text)
    python.chmod(0o755)
    assert usable(str(python)) == f"{python} is no Python interpreter that answers"


def test_not_executable(tmp_path: Path) -> None:
    """As is a file that cannot be started."""
    python = tmp_path / "python"
    python.write_text("")
    assert usable(str(python)) == f"{python} cannot be started (Permission denied)"


def test_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    python.chmod(0o755)
    monkeypatch.setattr(environment, "_PATIENCE_S", 0.2)
    assert usable(str(python)) == f"{python} did not answer within 0.2 s"


def test_this_interpreter_answers() -> None:
    """The question is one that a real interpreter can answer."""
    found = ask(sys.executable)
    assert isinstance(found, Interpreter)
    assert found.version == sys.version_info[:3]
    assert {"numpy", "h5py"} <= set(found.packages)


# --- what an environment is made from --------------------------------------------------------------------------------

def test_the_declared_version_is_preferred(tmp_path: Path) -> None:
    """3.10 from PATH, then from pyenv and from uv, the newest first; then this interpreter."""
    assert base(None) == sys.executable
    uv = fake(tmp_path / ".local/share/uv/python/cpython-3.10.15-linux-x86_64-gnu/bin/python3")
    assert base(None) == uv
    fake(tmp_path / ".pyenv/versions/3.10.9/bin/python3")
    pyenv = fake(tmp_path / ".pyenv/versions/3.10.13/bin/python3")
    assert base(None) == pyenv
    in_path = fake(tmp_path / "path" / "python3.10")
    assert base(None) == in_path


def test_others_than_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this interpreter is too new, another that is not is taken."""
    monkeypatch.setattr(sys, "executable", fake(tmp_path / "this" / "python", (3, 14, 0)))
    other = fake(tmp_path / ".pyenv/versions/3.12.1/bin/python3", (3, 12, 1))
    assert list(named("3.12"))[-1] == other
    monkeypatch.setattr(pythons, "named", lambda version: iter([other] if version == "3.12" else []))
    assert base(None) == other


def test_a_shim_that_does_not_work_is_passed_over(tmp_path: Path) -> None:
    """pyenv's own commands fail where the version is not chosen."""
    shim = tmp_path / "path" / "python3.10"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.10: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert base(None) == sys.executable


def test_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked for is said."""
    monkeypatch.setattr(sys, "executable", fake(tmp_path / "this" / "python", (3, 14, 0)))
    monkeypatch.setattr(pythons, "named", lambda version: iter(()))
    with pytest.raises(UnavailableError) as caught:
        base(None)
    assert str(caught.value) == (
        "no Python from 3.10 to 3.13 that can make an environment was found in PATH, among the versions of pyenv and uv, or here; "
        "install one (3.10 is best), or name it with --python")


@pytest.mark.parametrize(("version", "text"), [
    ((3, 14, 0), "--python: expected a Python from 3.10 to 3.13, found 3.14.0 ({python})"),
    ((3, 8, 1), "--python: expected a Python from 3.10 to 3.13, found 3.8.1 ({python})"),
])
def test_a_wrong_python(tmp_path: Path, version: tuple[int, int, int], text: str) -> None:
    """The version is named."""
    python = fake(tmp_path / "python", version)
    with pytest.raises(InputError) as caught:
        base(python)
    assert str(caught.value) == text.format(python=python)


def test_a_python_without_venv(tmp_path: Path) -> None:
    """The package that Debian keeps it in is named."""
    python = tmp_path / "python"
    answer = json.dumps([[3, 10, 12], {}])
    python.write_text(f"#!/bin/sh\ncase \"$3\" in *ensurepip*) exit 1;; esac\necho '{answer}'\n")
    python.chmod(0o755)
    with pytest.raises(InputError) as caught:
        base(str(python))
    assert str(caught.value) == f"--python: {python} has no venv or no ensurepip (on Debian and Ubuntu they are in python3.10-venv)"
