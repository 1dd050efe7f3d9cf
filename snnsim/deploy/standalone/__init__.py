"""What runs a graph where there is Lava and no snnsim: ``run.py``, and beside it the modules in ``lava_runner``.

It is copied from here, into bundles and to where the backend ``lava`` starts it, and never imported by snnsim.
"""

from __future__ import annotations

import shutil
from pathlib import Path

RUNNER = Path(__file__).with_name("run.py")
MODULES = "lava_runner"


def copy_runner(folder: Path, script: Path = RUNNER) -> Path:
    """Copy a script, as run.py, and the modules that lie beside it into a folder; where the script is then."""
    copy = folder / RUNNER.name
    shutil.copyfile(script, copy)
    modules = sorted((script.parent / MODULES).glob("*.py"))
    if modules:
        (folder / MODULES).mkdir()
    for module in modules:
        shutil.copyfile(module, folder / MODULES / module.name)
    return copy
