"""What the cupy backend needs of a machine: what of it is missing, and how to get it.

Asked from the outside in (driver, device, CuPy's package, NVRTC, CUDA's headers), so that CuPy is imported only where
everything before is in order.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from snnsim.backends.cupy import compiler, driver, nvrtc
from snnsim.errors import UnavailableError

# Releases of CUDA that CuPy has wheels for; each has an extra of snnsim's.
RELEASES = (13, 12)
# Packages that are all imported as cupy, and what of CUDA they are built for; None: that stands inside.
PACKAGES = {"cupy-cuda13x": 13, "cupy-cuda12x": 12, "cupy-cuda11x": 11, "cupy": None, "amd-cupy": None}


def fault() -> str | None:
    """The first thing that is missing, and what to do about it; None where nothing is. Never raises."""
    checks: tuple[Callable[[], str | None], ...] = (_driver, _device, _package, _imported, _compiler, _headers)
    try:
        return next(filter(None, (check() for check in checks)), None)
    except Exception as error:   # whatever is broken here, the other backends are to be found
        return f"it cannot be said whether it can be used ({type(error).__name__}: {error})"


def device() -> str:
    """Name, memory and compute capability of the GPU, and the versions of what drives it."""
    gpu, known = driver.device(0), driver.cuda_version()
    more = driver.device_count() - 1
    parts = (
        gpu.name + (f" and {more} more" if more else ""), f"{gpu.memory / 2**30:.0f} GiB",
        f"compute capability {_dotted(gpu.capability)}", f"driver for CUDA {_dotted(known)}",
        f"CuPy {_cupy().__version__}", f"NVRTC {_dotted(nvrtc.newest().version)}",
    )
    return ", ".join(parts)


def _driver() -> str | None:
    known = driver.cuda_version()
    if known is None:
        return f"no NVIDIA driver ({driver.LIBRARY}) was found"
    if known[0] < min(RELEASES):
        return f"the NVIDIA driver knows CUDA {_dotted(known)}; install one for CUDA {min(RELEASES)} or newer"
    return None


def _device() -> str | None:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    hint = "" if hidden is None else f"; CUDA_VISIBLE_DEVICES is {hidden!r}"
    try:
        return None if driver.device_count() else f"the NVIDIA driver finds no GPU{hint}"
    except driver.DriverError as error:
        return f"the NVIDIA driver finds no GPU ({error}){hint}"


def _package() -> str | None:
    found = [name for name in PACKAGES if _installed(name)]
    if len(found) > 1:
        return (f"several packages of CuPy are installed and overwrite each other: {', '.join(found)}; remove them "
                f"with: pip uninstall -y {' '.join(found)}; then install one with: {_install()}")
    if not found and find_spec("cupy") is None:
        return f"CuPy is not installed; install it with: {_install()}"
    return _too_new(found[0]) if found else None


def _too_new(package: str) -> str | None:
    """A package for a later release of CUDA than the driver's, or for one that is no longer supported."""
    built, known = PACKAGES[package], driver.cuda_version()
    if built is None or known is None or min(RELEASES) <= built <= known[0]:
        return None
    return (f"{package} is for CUDA {built}, and the driver here is for CUDA {_dotted(known)}; replace it with: "
            f"pip uninstall -y {package} && {_install()}")


def _imported() -> str | None:
    try:
        _cupy().cuda.runtime.getDeviceCount()
    except Exception as error:   # a broken installation raises anything
        return (f"CuPy cannot be used ({_said(error)}); install it anew with: "
                f"pip install --force-reinstall cupy-cuda{_release()}x")
    return None


def _said(error: Exception) -> str:
    """The last line in words: CuPy puts advice and a frame around what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" =-")]
    said, kind = (lines or [""])[-1], type(error).__name__
    return said if said.startswith(kind) else f"{kind}: {said}"


def _compiler() -> str | None:
    """What compiles for the device, and what CuPy compiles with: the release of CUDA that it is built for."""
    built = _built_for()
    if built not in {compiler.version[0] for compiler in nvrtc.installed()}:
        return f"no NVRTC of CUDA {built} was found; install it with: pip install {nvrtc.RELEASES[built][1]}"
    major, minor = driver.device(0).capability
    try:
        compiler.find(10 * major + minor)
    except UnavailableError as error:
        return str(error)
    return None


def _headers() -> str | None:
    """CuPy compiles nothing without them."""
    from cuda.pathfinder import find_nvidia_header_directory

    if find_nvidia_header_directory("cudart") is not None:
        return None
    wheel = {13: "nvidia-cuda-runtime", 12: "nvidia-cuda-runtime-cu12"}[_built_for()]
    return f"the header files of CUDA were not found; install them with: pip install {wheel}"


def _cupy() -> Any:
    return importlib.import_module("cupy")


def _built_for() -> int:
    return _cupy().cuda.runtime.runtimeGetVersion() // 1000


def _install() -> str:
    return f"pip install 'snnsim[cuda{_release()}]'"


def _release() -> int:
    """The newest release of CUDA that the driver knows."""
    known = driver.cuda_version()
    return next((release for release in RELEASES if known is None or release <= known[0]), min(RELEASES))


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _dotted(numbers: tuple[int, ...] | None) -> str:
    return ".".join(map(str, numbers or ()))
