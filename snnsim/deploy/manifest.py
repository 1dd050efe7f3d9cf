"""The manifest of a bundle: what it is, and size and checksum of each of its files, the manifest's own included."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snnsim.deploy.standalone import MODULES, RUNNER
from snnsim.errors import InputError, Problem, Problems, did_you_mean, unknown

FORMAT, VERSION = "snnsim-bundle", 1
MANIFEST, GRAPH, ARRIVALS = "manifest.json", "graph.h5", "arrivals.h5"
PLACEMENT, REPORT, PAGE, README = "placement.json", "report.json", "report.html", "README.txt"
NETWORK, FIXED = "network.yaml", "network-fixed.yaml"
NEEDED = (GRAPH, ARRIVALS, PLACEMENT, REPORT, PAGE, NETWORK, RUNNER.name, f"{MODULES}/__init__.py", README)
FILES = (*NEEDED, FIXED)
# Files that the networks name, and the modules of the runner, which another snnsim may divide in another way.
NUMBERED = re.compile(rf"file-[1-9][0-9]{{0,5}}(\.[a-z0-9]{{1,16}})?|{MODULES}/[a-z_]{{1,40}}\.py")
AGAIN = "copy the bundle again, or make it anew with `snnsim deploy`"
MOST = 1 << 16  # bytes

_TEXT, _WHOLE, _REAL = ("text", str), ("a whole number", int), ("a number", (int, float))
FACTS: dict[str, tuple[str, Any]] = {
    "snnsim": _TEXT, "name": _TEXT, "target": _TEXT, "semantics": _TEXT, "dt_ms": _REAL, "steps": _WHOLE,
    "units": _WHOLE, "synapses": _WHOLE,
}


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """A manifest as it stands in the file; its own checksum is that of the text without it."""
    bare = {key: value for key, value in manifest.items() if key != "sha256"}
    return _dumped(bare | {"sha256": hashlib.sha256(_dumped(bare).encode()).hexdigest()})


def _dumped(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, indent=2, allow_nan=False) + "\n"


def describe(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of the files that lie in a folder."""
    others = sorted(name for name in contents(folder) if NUMBERED.fullmatch(name) and name not in FILES)
    there = [name for name in (*FILES, *others) if (folder / name).exists()]
    files = {name: {"bytes": (folder / name).stat().st_size, "sha256": checksum(folder / name)} for name in there}
    return {"format": FORMAT, "version": VERSION, **facts, "files": files}


def contents(folder: Path) -> list[str]:
    """The names of what lies in a bundle, and among the modules of its runner but for what Python compiled of them."""
    names, modules = [path.name for path in folder.iterdir() if path.name != MODULES], folder / MODULES
    inside = modules.iterdir() if modules.is_dir() and not modules.is_symlink() else ()
    return names + [f"{MODULES}/{path.name}" for path in inside if path.name != "__pycache__"]


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle, checked by itself: no other file is looked at.

    Raises ``InputError`` where the folder is no bundle or one of another version, or the manifest has been changed.
    """
    path = folder / MANIFEST
    _check_folder(folder)
    text, manifest = _loaded(path)
    _check_version(path, manifest)
    if not _unchanged(manifest, text):
        raise InputError(Problem(str(path), f"expected the manifest as it was written, found it changed; {AGAIN}"))
    _check_entries(path, manifest)
    return manifest


def is_bundle(folder: Path) -> bool:
    """Whether a folder has the manifest of a bundle, of whatever version and sound or not."""
    try:
        return _loaded(folder / MANIFEST)[1]["format"] == FORMAT
    except (InputError, KeyError, TypeError):
        return False


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        near = did_you_mean(folder.name, [p.name for p in folder.parent.iterdir()] if folder.parent.is_dir() else [])
        raise InputError(Problem(str(folder), f"no such bundle{near}"))
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "expected a bundle, which is a folder, found a file"))
    if not (folder / MANIFEST).exists():
        raise InputError(Problem(str(folder), f"expected a bundle, found a folder without {MANIFEST}"))


def _loaded(path: Path) -> tuple[str, Any]:
    found = "something else"
    try:
        text = read_small(path, MOST)
        return text, json.loads(text)
    except OSError as error:
        found = f"that it cannot be read: {error.strerror}"
    except (ValueError, RecursionError) as error:
        found = str(error) if str(error).startswith("more than") else found
    raise InputError(Problem(str(path), f"expected the manifest of a bundle, found {found}; {AGAIN}"))


def read_small(path: Path, most: int) -> str:
    """The text of a file; ``ValueError`` where it has more than `most` bytes."""
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than {most} bytes")
    return content.decode()


def _check_version(path: Path, manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(Problem(str(path), f"expected the manifest of a bundle (format {FORMAT}), found another file"))
    if (version := manifest.get("version")) != VERSION:
        text = f"expected a bundle of version {VERSION}, found version {version!r}"
        raise InputError(Problem(str(path), f"{text}; open it with the snnsim that wrote it, or make it anew with "
                                            "`snnsim deploy`"))


def _unchanged(manifest: dict[str, Any], text: str) -> bool:
    try:
        return manifest_text(manifest) == text
    except ValueError:  # numbers that JSON does not have
        return False


def _check_entries(path: Path, manifest: Mapping[str, Any]) -> None:
    """Facts and names of files: a checksum that fits says nothing of who made it."""
    problems, files = Problems(), manifest.get("files")
    with problems.at(str(path)):
        for key, (kind, of) in FACTS.items():
            if not isinstance(manifest.get(key), of):
                problems.add(key, f"expected {kind}, found {manifest.get(key)!r}")
        if not isinstance(files, dict):
            raise InputError(Problem("files", f"expected a mapping of files, found {files!r}"))
        for name in dict.fromkeys([*files, *NEEDED]):
            with problems.at("files"):
                _check_entry(name, files)
    problems.check()


def belongs(name: str) -> bool:
    """Whether a file of that name is part of a bundle."""
    return name in (MANIFEST, *FILES) or NUMBERED.fullmatch(name) is not None


def _check_entry(name: str, files: Mapping[str, Any]) -> None:
    if name == MANIFEST or not belongs(name):
        raise InputError(unknown("file", name, FILES))
    if name not in files:
        raise InputError(f"{name} is missing, which every bundle has")
    entry = files[name]
    sound = isinstance(entry, dict) and entry.keys() == {"bytes", "sha256"}
    if not (sound and isinstance(entry["bytes"], int) and isinstance(entry["sha256"], str)):
        raise InputError(Problem(name, f"expected bytes and sha256, found {entry!r}"))
