"""What an installation contains."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAPPED = {"snnsim": "snnsim", "backends": "snnsim/backends", "networks": "snnsim/networks", "configs": "snnsim/configs"}


def _expected_files() -> set[str]:
    found = set()
    for folder, place in MAPPED.items():
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                found.add(f"{place}/{file.relative_to(ROOT / folder).as_posix()}")
    return found


def _wheel(folder: Path) -> Path:
    """Build from a copy, because a build leaves a folder behind whose stale files would enter the next wheel."""
    source = folder / "source"
    source.mkdir()
    for name in MAPPED:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_wheel_holds_every_module_and_data_file(tmp_path):
    """Each file of the four mapped folders is in the wheel, under the package snnsim."""
    names = set(zipfile.ZipFile(_wheel(tmp_path)).namelist())
    assert sorted(_expected_files() - names) == []


def test_backends_cannot_be_imported_under_a_second_name(monkeypatch):
    """`import backends` from the checkout's root is refused with what to write instead."""
    monkeypatch.syspath_prepend(str(ROOT))
    with pytest.raises(ImportError) as caught:
        importlib.import_module("backends")
    assert str(caught.value) == (
        "this package is called snnsim.backends, and was imported as backends: "
        "install the project (`pip install -e .`) and write `import snnsim.backends`"
    )


def test_help_does_not_load_the_heavy_libraries():
    """`snnsim --help` answers without importing what only a run needs."""
    heavy = ("numba", "sympy", "pint", "h5py", "matplotlib", "pydantic", "scipy")
    code = (
        "import sys; from snnsim.cli import main; main(['--help']); "
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_machine_code_is_not_kept_in_the_package():
    """It would outlive an uninstall, and the folder left behind would stand before an editable install."""
    from numba.core.dispatcher import Dispatcher

    from snnsim.backends.cpu import barrier, cache, kernels

    found = {
        name: Path(function.stats.cache_path)
        for module in (barrier, kernels)
        for name, function in vars(module).items()
        if isinstance(function, Dispatcher) and function.stats.cache_path is not None
    }
    assert {"barrier", "step_words"} <= set(found)
    assert {path.parent for path in found.values()} == {cache.folder()}
