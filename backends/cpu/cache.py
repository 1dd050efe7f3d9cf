"""Generated modules and machine code on disk, in one folder of the user's."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

from snnsim import cachefolder

_PREFIX = "snnsim_net_"
_loading = Lock()


def folder() -> Path:
    """Where compiled code is kept."""
    return cachefolder.folder("cpu")


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``numba.njit`` with the machine code in ``folder()``."""
    return cachefolder.compiled("cpu", **options)


@lru_cache(maxsize=1)
def _shared() -> bytes:
    """Digest of the functions that generated modules call, and of how: machine code holds copies of them."""
    kernels = (f"{part}kernels.py" for part in ("", "graded_", "plastic_", "learning_", "coupling_", "exchange_"))
    names = ("barrier.py", "cache.py", "intrinsics.py", *kernels)
    return hashlib.sha256(b"".join(Path(__file__).with_name(name).read_bytes() for name in names)).digest()


def module_name(source: str) -> str:
    """Modules are named after their text, and after that of what they call."""
    return f"{_PREFIX}{hashlib.sha256(source.encode() + _shared()).hexdigest()[:24]}"


def load(source: str, function: str = "run") -> Any:
    """A function of a generated module, which is loaded once."""
    name = module_name(source)
    path = folder() / f"{name}.py"
    with _loading:
        module = sys.modules.get(name)
        if module is None or module.__file__ != str(path):
            module = _import(name, path, source)
    return getattr(module, function)


def _import(name: str, path: Path, source: str) -> ModuleType:
    if not path.exists() or path.read_text() != source:
        cachefolder.write(path, source.encode())
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # machine code on disk names its module: it must be found under that name
    spec.loader.exec_module(module)
    return module
