"""The networks that ship with snnsim, as YAML files to run and to copy.

>>> from snnsim import configs
>>> "brunel" in configs.names()
True
>>> configs.path("brunel").name
'brunel.yaml'
"""

from __future__ import annotations

from pathlib import Path

from snnsim.errors import InputError, unknown

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Names of the shipped configs, sorted."""
    return sorted(file.stem for file in _FOLDER.glob("*.yaml"))


def path(name: str) -> Path:
    """The file of the shipped config `name`. Raises ``InputError`` for a name that does not exist."""
    if name not in names():
        raise InputError(unknown("config", name, names()))
    return _FOLDER / f"{name}.yaml"
