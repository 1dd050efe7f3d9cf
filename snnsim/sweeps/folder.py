"""The folder of a sweep: what was asked (``sweep.yaml``), the table of points, and a recording for each of them."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnsim.canonical import as_yaml
from snnsim.errors import InputError, Problem
from snnsim.sweeps.axes import Axis
from snnsim.sweeps.design import Design
from snnsim.sweeps.index import INDEX, PARQUET, read, replace_file
from snnsim.target import check_disk, check_folder
from snnsim.yamlfile import read_yaml

MANIFEST, VERSION = "sweep.yaml", 1
_SESSION = ".running-"
_REPLACE = "choose another folder, or overwrite=True to replace it"


@dataclass(frozen=True)
class Asked:
    """Everything that the points of a sweep have in common, as plain data that a worker reads from the folder.

    config: its name; document: what it says, with what it includes; base_dir: where its files are. settings: changes of
    the config for all points. backend: what runs them. network: the first point, canonical.
    """

    config: str
    document: dict[str, Any]
    base_dir: str | None
    settings: tuple[str, ...]
    backend: str
    design: Design
    network: str

    def to_yaml(self) -> str:
        """As ``sweep.yaml`` has it."""
        axes = [[{"path": axis.path, "values": list(axis.values)} for axis in step] for step in self.design.steps]
        return as_yaml({
            "sweep": VERSION, "config": self.config, "base_dir": self.base_dir, "backend": self.backend,
            "settings": list(self.settings), "axes": axes, "network": self.network, "document": self.document,
        })


def read_asked(folder: Path) -> Asked:
    """What the sweep in `folder` was asked for. Raises ``InputError`` where there is none."""
    path = folder / MANIFEST
    if not path.is_file():
        found = "nothing" if not folder.exists() else "a file" if folder.is_file() else f"a folder without {MANIFEST}"
        raise InputError(Problem("", f"expected the folder of a sweep, found {found}", str(folder)))
    data = read_yaml(path).data
    if not isinstance(data, dict) or data.get("sweep") != VERSION:
        raise InputError(Problem("sweep", f"expected {VERSION}: the sweep was made by another version", str(path)))
    steps = tuple(tuple(Axis(axis["path"], tuple(axis["values"])) for axis in step) for step in data["axes"])
    return Asked(data["config"], data["document"], data["base_dir"], tuple(data["settings"]), data["backend"],
                 Design(steps), data["network"])


class Folder:
    """Where a sweep goes."""

    def __init__(self, path: Path) -> None:
        self.path, self.session = path, ""

    @property
    def index(self) -> Path:
        """The table."""
        return self.path / INDEX

    @property
    def holds_sweep(self) -> bool:
        """Whether one has begun here."""
        return (self.path / MANIFEST).is_file()

    def check(self, overwrite: bool) -> None:
        """``InputError`` where no sweep can be kept here, or something else is kept here."""
        check_folder(self.path)
        check_disk(self.path)
        if not self.path.exists() or self.holds_sweep:
            return
        if not self.path.is_dir():
            raise InputError(Problem("", "expected the name of a folder, found a file", str(self.path)))
        if others := sorted(entry.name for entry in self.path.iterdir()):
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            text = f"expected an empty folder or that of a sweep, found one with {others[0]}{more}; choose another"
            raise InputError(Problem("", text, str(self.path)))

    def clear(self) -> None:
        """Remove the sweep that is here, and nothing else."""
        numbers = len(read_asked(self.path).design.points())
        files = {row["file"] for row in read(self.index)} | {f"{k:05d}.h5" for k in range(1, numbers + 1)}
        for name in (*files, INDEX, PARQUET, MANIFEST):
            (self.path / Path(name).name).unlink(missing_ok=True)

    def write(self, asked: Asked) -> None:
        """Keep what is asked for."""
        replace_file(self.path / MANIFEST, asked.to_yaml().encode())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, no other sweep may use this folder, and workers know that this one goes on.

        A folder that is made for a sweep which is then refused is removed.
        """
        made = not self.path.exists()
        self.path.mkdir(exist_ok=True)
        lock = _lock(self.path)
        try:
            for old in self.path.glob(f"{_SESSION}*"):
                shutil.rmtree(old, ignore_errors=True)
            self.session = f"{_SESSION}{uuid.uuid4().hex[:12]}"
            (self.path / self.session).mkdir()
            (self.path / self.session / "go").touch()
            yield
        except InputError:
            if made:
                shutil.rmtree(self.path, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(self.path / self.session, ignore_errors=True)
            if lock is not None:
                os.close(lock)

    def stop(self) -> None:
        """Tell all workers to stop."""
        (self.path / self.session / "go").unlink(missing_ok=True)


def _lock(path: Path) -> int | None:
    """A lock on a folder for as long as this process lives; None where locks do not exist."""
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise InputError(Problem("", "is in use by a sweep that is running now", str(path))) from error
    except OSError:   # a file system without locks
        os.close(handle)
        return None
    return handle


def check_same(old: Asked, new: Asked, network: str, folder: Path) -> None:
    """``InputError`` with the first difference where `new` is another sweep than `old`.

    network: what `new` makes of the first point of `old`. Values may be added to an axis; nothing else may differ.
    """
    from snnsim.same import difference

    text = _other_axes(old.design, new.design)
    if not text and old.backend != new.backend:
        text = f"holds a sweep with backend {old.backend}, not {new.backend}"
    if not text and (found := difference(old.network, network)):
        text = f"holds a sweep of another network: {found}"
    if text:
        raise InputError(Problem("", f"{text}; {_REPLACE}", str(folder)))


def _other_axes(old: Design, new: Design) -> str:
    paths = [sorted(axis.path for axis in design.axes) for design in (old, new)]
    if paths[0] != paths[1]:
        there, here = (", ".join(each) for each in paths)
        return f"holds a sweep over {there}, not over {here}"
    asked = {axis.path: axis.values for axis in new.axes}
    gone = [f"{axis.path}={value}" for axis in old.axes for value in axis.values if value not in asked[axis.path]]
    return f"holds a sweep with {gone[0]}, which is left out now; values may only be added" if gone else ""
