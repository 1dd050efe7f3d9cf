"""Where compiled code is kept: one folder of the user's, with a part for each backend that compiles."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any


def folder(part: str) -> Path:
    """``$SNNSIM_CACHE`` or the user's cache folder, and `part` below it; below a private folder if that fails."""
    try:
        return _made(_chosen() / part)
    except (OSError, RuntimeError):   # RuntimeError: a user without a home
        return _made(Path(_private_folder().name) / part)


def _made(path: Path) -> Path:
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not os.access(path, os.W_OK):
        raise PermissionError(path)
    return path


def _chosen() -> Path:
    return Path(os.environ.get("SNNSIM_CACHE") or Path.home() / ".cache" / "snnsim")


@lru_cache(maxsize=1)
def _private_folder() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="snnsim-")


def write(path: Path, contents: bytes) -> None:
    """Write a file at once: another process finds all of it or none."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def compiled(part: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``numba.njit`` with the machine code in ``folder(part)``, wherever the source is; damaged code is made anew.

    Beside the source of the package an uninstall would leave it, and what is left of the package would then stand
    before an editable install of it.
    """
    from numba import config, njit

    from snnsim.machine_code import CheckedCache

    def compile_later(function: Callable[..., Any]) -> Callable[..., Any]:
        before, dispatcher = config.CACHE_DIR, njit(nogil=True, **options)(function)
        config.CACHE_DIR = str(folder(part))
        try:
            dispatcher._cache = CheckedCache(function)   # as cache=True does; Numba has no option for another cache
        finally:
            config.CACHE_DIR = before
        return dispatcher

    return compile_later
