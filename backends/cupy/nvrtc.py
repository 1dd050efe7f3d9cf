"""NVRTC, NVIDIA's compiler as a library: CUDA C++ text to machine code, without a device or a driver.

It is called directly, not through CuPy: its wheel alone compiles, and what is compiled does not depend on the options
that CuPy adds.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from snnsim.backends.cupy import driver
from snnsim.errors import UnavailableError

# Release of CUDA: (folder of its wheel below the package nvidia, name of the wheel), the newest first.
RELEASES = {13: ("cu13", "nvidia-cuda-nvrtc"), 12: ("cuda_nvrtc", "nvidia-cuda-nvrtc-cu12")}


@dataclass(frozen=True)
class Compiled:
    """What came of a text. code: None where it did not compile; log: errors and warnings."""

    code: bytes | None
    log: str


class Nvrtc:
    """A loaded library.

    version: of CUDA, such as (13, 0). architectures: compute capabilities that it compiles for, as 10 major + minor.
    """

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        self.path = path
        self.version = self._version()
        self.architectures = self._architectures()

    def machine_code(self, source: str, name: str, options: Sequence[str]) -> Compiled:
        """A cubin, for the architecture named in `options`."""
        return self._compile(source, name, options, "CUBIN")

    def ptx(self, source: str, name: str, options: Sequence[str]) -> Compiled:
        """The virtual assembly on the way to it, as text that ends in a zero."""
        return self._compile(source, name, options, "PTX")

    def _version(self) -> tuple[int, int]:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        return major.value, minor.value

    def _architectures(self) -> list[int]:
        count = ctypes.c_int()
        self._call("nvrtcGetNumSupportedArchs", ctypes.byref(count))
        known = (ctypes.c_int * count.value)()
        self._call("nvrtcGetSupportedArchs", known)
        return sorted(known)

    def _compile(self, source: str, name: str, options: Sequence[str], form: str) -> Compiled:
        program = ctypes.c_void_p()
        text, title = source.encode(), name.encode()
        self._call("nvrtcCreateProgram", ctypes.byref(program), text, title, 0, None, None)
        try:
            given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
            failed = self._library.nvrtcCompileProgram(program, len(options), given) != 0
            code = None if failed else self._result(f"nvrtcGet{form}", program)
            return Compiled(code, self._result("nvrtcGetProgramLog", program).rstrip(b"\0").decode(errors="replace"))
        finally:
            self._call("nvrtcDestroyProgram", ctypes.byref(program))

    def _result(self, function: str, program: ctypes.c_void_p) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"{function}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self._call(function, program, buffer)
        return buffer.raw

    def _call(self, function: str, *arguments: object) -> None:
        status = getattr(self._library, function)(*arguments)
        if status != 0:
            self._library.nvrtcGetErrorString.restype = ctypes.c_char_p
            text = self._library.nvrtcGetErrorString(status).decode()
            raise RuntimeError(f"{function} of NVRTC ({self.path}): {text}")


@lru_cache(maxsize=1)
def installed() -> tuple[Nvrtc, ...]:
    """Every NVRTC whose code the driver here can load, the newest first; without a driver, every one.

    A driver loads what any NVRTC of its own release of CUDA, or an older one, compiled.
    """
    known = driver.cuda_version()
    releases = [release for release in RELEASES if known is None or release <= known[0]]
    loaded = (_first(_places(release)) for release in releases)
    return tuple(sorted(filter(None, loaded), key=lambda nvrtc: nvrtc.version, reverse=True))


def newest() -> Nvrtc:
    """The newest NVRTC. Raises ``UnavailableError`` where there is none."""
    if not installed():
        raise UnavailableError(f"no NVRTC was found; install it with: pip install {wheel()}")
    return installed()[0]


def wheel() -> str:
    """The wheel of NVRTC for the driver here; without a driver, the newest."""
    known = driver.cuda_version()
    return next((name for release, (_, name) in RELEASES.items() if known is None or release <= known[0]), "")


def _places(release: int) -> Iterator[str]:
    """Where a release may be: its wheel, a toolkit, anywhere that the loader looks."""
    name = f"libnvrtc.so.{release}"
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec and spec.submodule_search_locations) or ():
        yield str(Path(folder) / RELEASES[release][0] / "lib" / name)
    for variable in ("CUDA_PATH", "CUDA_HOME"):
        if os.environ.get(variable):
            yield str(Path(os.environ[variable]) / "lib64" / name)
    yield f"/usr/local/cuda/lib64/{name}"
    yield name


def _first(places: Iterator[str]) -> Nvrtc | None:
    for place in places:
        try:
            return Nvrtc(place)
        except (OSError, AttributeError, RuntimeError):
            continue
    return None
