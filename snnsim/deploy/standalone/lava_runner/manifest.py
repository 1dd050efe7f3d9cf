"""Whether what lies beside the script is what was sent: manifest.json holds the checksums of all files of a bundle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .errors import GraphError

VERSION = 1
AGAIN = "copy the bundle again, or make it anew with `snnsim deploy`"
READ = ("graph.h5", "arrivals.h5", "run.py", "lava_runner/")   # what a run depends on
PIECE = 1 << 20  # bytes


def check_bundle(folder: Path) -> None:
    """``GraphError`` where a bundle is of another version, or a file that a run reads is missing or damaged."""
    path = folder / "manifest.json"
    if not path.exists():
        return   # a graph by itself
    manifest = read_manifest(path)
    for name, entry in manifest["files"].items():
        if name.startswith(READ):
            check_file(folder / name, str(entry["sha256"]))


def read_manifest(path: Path) -> Any:
    try:
        manifest = json.loads(path.read_text())
        version = manifest["version"]
        if version == VERSION:
            sums = [entry["sha256"] for entry in manifest["files"].values()]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise GraphError(f"{path}: expected the manifest of a bundle, found another text; {AGAIN}") from error
    if version != VERSION or not sums:
        raise GraphError(f"{path}: expected a bundle of version {VERSION}, found version {version}; {AGAIN}")
    return manifest


def check_file(path: Path, expected: str) -> None:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while piece := stream.read(PIECE):
                digest.update(piece)
    except OSError as error:
        raise GraphError(f"{path}: {error.strerror}; {AGAIN}") from error
    if digest.hexdigest() != expected:
        raise GraphError(f"{path}: expected SHA-256 {expected[:16]}..., found {digest.hexdigest()[:16]}...; {AGAIN}")
