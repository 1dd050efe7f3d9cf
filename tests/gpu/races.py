"""Races between the threads of kernels, found by ThreadSanitizer.

A function of a test module runs in a Python of its own, in which every device of ``gpu.host`` builds for ThreadSanitizer. The
order of memory operations is what CUDA promises, not the order in which the threads happened to run: barriers of a block,
``__syncwarp``, an acquire that reads what a release wrote, and the end of a launch. Ballots and shuffles order nothing.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
# argv: file, function, arguments. The file is not imported as pytest would, so its own imports must be absolute.
RUN = """
import importlib.util, sys
path, function, *args = sys.argv[1:]
spec = importlib.util.spec_from_file_location("under_tsan", path)
module = importlib.util.module_from_spec(spec)
sys.modules["under_tsan"] = module
spec.loader.exec_module(module)
getattr(module, function)(*args)
"""
# Every race is reported, also at an address or in a line that had one.
OPTIONS = "exitcode=66 suppress_equal_addresses=0 suppress_equal_stacks=0"
ACCESS = re.compile(r"^  (?:Previous )?(atomic )?(read|write) of size (\d+) .*\n((?: +#\d+ .*\n)+)", re.M | re.I)
FRAME = re.compile(r" (\S+):(\d+)(?: |$)", re.M)
FOUND = 66


def library() -> str | None:
    """Where ThreadSanitizer is, if it is installed."""
    try:
        path = subprocess.run(["g++", "-print-file-name=libtsan.so"], capture_output=True, text=True, check=True).stdout.strip()
    except OSError:
        return None
    return path if os.path.isabs(path) else None


needs_tsan = pytest.mark.skipif(library() is None, reason="ThreadSanitizer (libtsan) or g++ is not installed")


def races(function: Callable[..., None], *args: str) -> list[str]:
    """Every race while `function`, of a test module, runs with these arguments: what each of the two threads does.

    ``read of 4 bytes `y = x[i];` and write of 4 bytes `x[i] = 1;```. Raises ``RuntimeError`` where `function` fails.
    """
    done = _run(inspect.getfile(function), function.__name__, *args)
    found = list(dict.fromkeys(_described(done.stderr)))
    if done.returncode != (FOUND if found else 0):
        raise RuntimeError(f"{function.__name__} failed under ThreadSanitizer\n{done.stdout}{done.stderr}")
    return found


def _run(*args: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "SNNSIM_TSAN": "1", "LD_PRELOAD": str(library()), "TSAN_OPTIONS": OPTIONS, "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }
    return subprocess.run([*_fixed_addresses(), sys.executable, "-c", RUN, *args], env=environment, capture_output=True,
                          text=True, check=False)


@lru_cache(maxsize=1)
def _fixed_addresses() -> tuple[str, ...]:
    """ThreadSanitizer does not know every place where a system that randomises addresses puts a program."""
    command = ("setarch", "-R")
    try:
        return command if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0 else ()
    except OSError:
        return ()


def _described(output: str) -> Iterator[str]:
    for report in output.split("WARNING: ThreadSanitizer: data race")[1:]:
        accesses = ACCESS.findall(report)
        yield " and ".join(sorted(f"{(atomic + kind).lower()} of {size} bytes `{_line(frames)}`"
                                  for atomic, kind, size, frames in accesses[:2]))


def _line(frames: str) -> str:
    """The innermost whose source is here; where there is none, the place that ThreadSanitizer names first."""
    for path, number in FRAME.findall(frames):
        if Path(path).exists():
            return Path(path).read_text().splitlines()[int(number) - 1].strip()
    return frames.split("\n", 1)[0].split("#0 ")[1]
