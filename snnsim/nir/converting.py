"""``snnsim convert`` between NIR (and other files with arrays) and YAML."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnsim.errors import InputError, Problem

if TYPE_CHECKING:
    from snnsim.network import Network


def file_to_yaml(
    read: Callable[..., Network], source: Path, target: Path, overwrite: bool, choices: dict[str, Any]
) -> None:
    """Write the network that `read` makes of a file as YAML, and its arrays beside it, in an npz file of the same name.

    choices: further arguments of `read`. What a user should know comes as warnings.
    """
    arrays = target.with_suffix(".npz")
    for path in (target, arrays):
        if path.exists() and not overwrite:
            raise InputError(Problem(str(path), "exists already; choose another name, or overwrite=True to replace it"))
    if not target.parent.is_dir():
        raise InputError(Problem(str(target), f"the folder {target.parent} does not exist"))
    net = read(source, arrays=arrays, **choices)
    target.write_text(net.to_yaml(), encoding="utf-8")
    _say(net.notes)


def yaml_to_nir(source: Path, target: Path, overwrite: bool) -> None:
    """Write the network of a YAML file as NIR."""
    from snnsim.config import load
    from snnsim.nir import write

    _say(write(load(source), target, overwrite))


def _say(notes: list[str]) -> None:
    for note in notes:
        warnings.warn(note, stacklevel=4)
