"""Compile kernels for devices that are not here, and check what can be known of them without one."""

from __future__ import annotations

import re

import pytest

from snnsim.backends.cupy import nvrtc
from snnsim.backends.cupy.compiler import compile, ptx
from snnsim.backends.cupy.cubin import Resources, resources

needs_nvrtc = pytest.mark.skipif(not nvrtc.installed(), reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc")
# One of each generation: T4, A100, RTX 4090, H100 and H200, B200, RTX 5090.
ARCHITECTURES = [arch for arch in (75, 80, 89, 90, 100, 120)
                 if nvrtc.installed() and arch in nvrtc.installed()[0].architectures]
# Registers of a multiprocessor, and the number that each thread's are rounded up to.
REGISTERS, ROUNDED = 65536, 8
# A multiply-add that rounds once, denormals flushed to zero, approximations: none of them is what NumPy computes.
INEXACT = re.compile(r"\b(?:fma|mad)\.[a-z.]*f\d+|\S+\.(?:ftz|approx|full)\b\S*")


def compiled(source: str, arch: int) -> dict[str, Resources]:
    """What the kernels of a text take; fails where one cannot be launched as it is bounded, or is not exact."""
    found = fitting(source, arch)
    inexact = set(INEXACT.findall(ptx(source, arch)))
    assert not inexact, f"{sorted(inexact)} (sm_{arch})"
    return found


def fitting(source: str, arch: int, spilled: int = 0) -> dict[str, Resources]:
    """The same, without a look at the arithmetic. spilled: bytes of local memory that a thread may have."""
    code = compile(source, arch)
    found = resources(code.data)
    assert code.log == "", code.log
    assert found, "no kernels"
    for name, taken in found.items():
        assert taken.threads, f"{name} has no launch bounds"
        rounded = -(-taken.registers // ROUNDED) * ROUNDED
        assert rounded * taken.threads <= REGISTERS, f"{name}: {taken} does not fit a multiprocessor"
        assert taken.stack <= spilled, f"{name}: {taken.stack} bytes of local memory per thread (sm_{arch})"
    return found
