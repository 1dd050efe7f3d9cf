"""CUDA C++ text to machine code, kept on disk by content.

Machine code rather than PTX: the newest NVRTC writes PTX that an older driver cannot read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from snnsim import cachefolder
from snnsim.backends.cupy import nvrtc
from snnsim.backends.cupy.nvrtc import Nvrtc
from snnsim.errors import UnavailableError

# Every operation is rounded by itself, as IEEE 754 and NumPy do it: no multiply-add, no flush of denormals to zero.
EXACT = ("-fmad=false", "-ftz=false", "-prec-div=true", "-prec-sqrt=true")
# Functions that a network does not call are no fault of its text.
UNUSED = "-diag-suppress=177"
# Lines of the source that are shown before and after one that does not compile.
AROUND = 3
DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Cubin:
    """Machine code for one family of devices. log: the warnings of the compiler."""

    data: bytes
    log: str


def compile(source: str, arch: int, name: str = "snnsim.cu", options: Sequence[str] = EXACT) -> Cubin:
    """The machine code of a text, from disk where it was compiled before.

    arch: compute capability of the device, 10 major + minor. name: of the text, in messages. Raises
    ``UnavailableError`` where no NVRTC is installed that compiles for it, and ``RuntimeError`` for a text that does not
    compile: those are written by snnsim.
    """
    compiler, known = find(arch)
    flags = _flags(known, options)
    path = cachefolder.folder("gpu") / f"{_key(source, compiler, flags)}.cubin"
    kept = _read(path)
    if kept is None:
        kept = _checked(compiler.machine_code(source, name, flags), source)
        with suppress(OSError):   # a full disk costs the time of the next compilation, nothing else
            cachefolder.write(path, _packed(kept))
    return kept


def ptx(source: str, arch: int, name: str = "snnsim.cu", options: Sequence[str] = EXACT) -> str:
    """The virtual assembly that the machine code of a text is made from."""
    compiler, known = find(arch)
    return _checked(compiler.ptx(source, name, _flags(known, options)), source).data.rstrip(b"\0").decode()


def _flags(arch: int, options: Sequence[str]) -> tuple[str, ...]:
    return (f"-arch=sm_{arch}", "-std=c++17", UNUSED, *options)


def find(arch: int) -> tuple[Nvrtc, int]:
    """The newest NVRTC for a device, and the nearest architecture that it knows.

    Code for one compute capability runs on later ones of the same major version. Raises ``UnavailableError``.
    """
    newest = nvrtc.newest()
    for compiler in nvrtc.installed():
        usable = [known for known in compiler.architectures if known // 10 == arch // 10 and known <= arch]
        if usable:
            return compiler, max(usable)
    raise UnavailableError(_unknown(newest, arch))


def _unknown(compiler: Nvrtc, arch: int) -> str:
    known = compiler.architectures
    found = (f"NVRTC {_dotted(*compiler.version)} compiles for devices of compute capability "
             f"{_dotted(*divmod(known[0], 10))} to {_dotted(*divmod(known[-1], 10))}, not {_dotted(*divmod(arch, 10))}")
    if arch < known[0]:
        return f"{found}; install an older one: pip install {nvrtc.RELEASES[12][1]}"
    return f"{found}; install a newer one: pip install --upgrade {nvrtc.wheel()}"


def _dotted(major: int, minor: int) -> str:
    return f"{major}.{minor}"


def _key(source: str, compiler: Nvrtc, flags: Sequence[str]) -> str:
    parts = (source, _dotted(*compiler.version), *flags)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _packed(cubin: Cubin) -> bytes:
    """Digest of what follows, the log, a zero, the code."""
    contents = cubin.log.encode() + b"\0" + cubin.data
    return hashlib.sha256(contents).digest() + contents


def _read(path: Path) -> Cubin | None:
    """None where nothing was kept, or what was kept is damaged."""
    try:
        kept = path.read_bytes()
    except OSError:
        return None
    digest, contents = kept[:DIGEST], kept[DIGEST:]
    if hashlib.sha256(contents).digest() != digest:
        return None
    log, _, data = contents.partition(b"\0")
    return Cubin(data, log.decode())


def _checked(compiled: nvrtc.Compiled, source: str) -> Cubin:
    if compiled.code is None:
        lines = ("generated CUDA code does not compile", compiled.log, *_excerpts(source, compiled))
        raise RuntimeError("\n".join(lines))
    return Cubin(compiled.code, compiled.log)


def _excerpts(source: str, compiled: nvrtc.Compiled) -> Iterator[str]:
    """The lines that the compiler names, numbered, with those around them."""
    named = {int(number) for number in re.findall(r"\((\d+)\): error", compiled.log)}
    for number, line in enumerate(source.splitlines(), 1):
        if any(abs(number - other) <= AROUND for other in named):
            yield f"{number:6d}{'>' if number in named else ':'} {line}"
