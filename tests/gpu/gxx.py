"""CUDA text to a shared library by g++ and the shim, kept on disk by content."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from snnsim import cachefolder

SHIM = Path(__file__).with_name("shim")
LIBRARY = ("-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden")
RUNTIME = ("-O2", "-Wall", "-Wextra", "-Werror", f"-I{SHIM}")
# Every operation is rounded by itself, and nothing can be included.
KERNELS = ("-O1", "-g1", "-w", "-nostdinc", "-ffp-contract=off", "-fno-fast-math", "-fno-math-errno", "-fno-strict-aliasing",
           f"-include{SHIM / 'cuda_shim.h'}")

needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


class CompileError(RuntimeError):
    """A source is not in the dialect of CUDA that the shim knows."""


@dataclass(frozen=True)
class Mode:
    """How libraries are built. tsan: for ThreadSanitizer. portable: switch stacks by the C library."""

    tsan: bool = False
    portable: bool = False

    @property
    def defines(self) -> tuple[str, ...]:
        return ("-DSHIM_TSAN",) * self.tsan + ("-DSHIM_UCONTEXT",) * self.portable

    @property
    def checks(self) -> tuple[str, ...]:
        """For kernels only: ThreadSanitizer must not look at how the runtime switches between threads."""
        return ("-fsanitize=thread",) if self.tsan else ()


def runtime(mode: Mode) -> Path:
    """The library that runs threads."""
    return _library((SHIM / "runtime.cpp").read_text(), (*RUNTIME, *mode.defines))


def module(source: str, kernels: tuple[str, ...], mode: Mode) -> Path:
    """The library of a CUDA source, with ways into its kernels."""
    ways = "\n".join(f"SHIM_KERNEL({kernel})" for kernel in kernels)
    return _library(f"{source}\n{ways}\n", (*KERNELS, *mode.defines, *mode.checks), (str(runtime(mode)),))


def _library(text: str, options: tuple[str, ...], libraries: tuple[str, ...] = ()) -> Path:
    """Compiled unless it was before."""
    name = hashlib.sha256("\0".join((text, _tools(), *options, *libraries)).encode()).hexdigest()[:32]
    path = cachefolder.folder("shim") / f"{name}.so"
    if not path.exists():
        source = path.with_suffix(".cpp")
        cachefolder.write(source, text.encode())
        _compile(source, options, libraries, path)
    return path


def _compile(source: Path, options: tuple[str, ...], libraries: tuple[str, ...], path: Path) -> None:
    """Another process finds all of the library or none."""
    temporary = path.with_suffix(f".{os.getpid()}")
    done = subprocess.run(["g++", *LIBRARY, *options, str(source), *libraries, "-o", str(temporary)],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(f"g++ does not compile this with the shim\n{done.stderr}")
    temporary.replace(path)


def line_of(library: Path, code: int) -> int | None:
    """The line of the source of a module that an instruction is from, or of the call there of what the shim defines."""
    done = subprocess.run(["addr2line", "-i", "-e", str(library), hex(code)], capture_output=True, text=True, check=False)
    found = re.search(rf"/{library.stem}\.cpp:(\d+)", done.stdout)
    return int(found[1]) if found else None


@lru_cache(maxsize=1)
def _tools() -> str:
    """What decides about machine code beside a source: the files of the shim and the compiler."""
    files = [path.read_text() for path in sorted(SHIM.iterdir())]
    version = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True).stdout
    return "\0".join([*files, version])
