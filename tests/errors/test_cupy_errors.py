"""What `snnsim backends` says where something for the GPU is missing."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

from snnsim import registry
from snnsim.backends.cupy import CupyBackend, driver, info, nvrtc
from snnsim.errors import InputError, UnavailableError

H200 = driver.Gpu("NVIDIA H200", 150_109_880_320, (9, 0))


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing is missing: a driver for CUDA 13.0, an H200, CuPy 14.2 for CUDA 13."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(driver, "cuda_version", lambda: (13, 0))
    monkeypatch.setattr(driver, "device_count", lambda: 1)
    monkeypatch.setattr(driver, "device", lambda index: H200)
    _packages(monkeypatch, "cupy-cuda13x")
    _nvrtcs(monkeypatch, (13, 1))
    runtime = SimpleNamespace(getDeviceCount=lambda: 1, runtimeGetVersion=lambda: 13020)
    _module(monkeypatch, "cupy", __version__="14.2.0", cuda=SimpleNamespace(runtime=runtime))
    _module(monkeypatch, "cuda")
    _module(monkeypatch, "cuda.pathfinder", find_nvidia_header_directory=lambda name: "/headers")


def _module(monkeypatch: pytest.MonkeyPatch, name: str, **contents: object) -> None:
    module = ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)


def _packages(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(info, "_installed", lambda name: name in names)
    monkeypatch.setattr(info, "find_spec", lambda name: object() if names else None)


def _nvrtcs(monkeypatch: pytest.MonkeyPatch, *versions: tuple[int, int]) -> None:
    found = tuple(SimpleNamespace(version=version, architectures=[75, 80, 90]) for version in versions)
    monkeypatch.setattr(nvrtc, "installed", lambda: found)


def _lacks() -> str | None:
    return registry.backends()["cupy"].lacks()


@pytest.mark.usefixtures("whole")
def test_nothing_is_missing() -> None:
    """What it runs on is said instead."""
    assert _lacks() is None
    assert registry.backends()["cupy"].device() == (
        "NVIDIA H200, 140 GiB, compute capability 9.0, driver for CUDA 13.0, CuPy 14.2.0, NVRTC 13.1")


def test_several_devices(whole: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number is said."""
    monkeypatch.setattr(driver, "device_count", lambda: 8)
    assert info.device().startswith("NVIDIA H200 and 7 more, 140 GiB, ")


def _no_driver(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(driver, "cuda_version", lambda: None)


def _old_driver(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(driver, "cuda_version", lambda: (11, 8))


def _no_device(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(driver, "device_count", lambda: 0)


def _hidden_device(patch: pytest.MonkeyPatch) -> None:
    def none() -> int:
        raise driver.DriverError("cuInit: no CUDA-capable device is detected (error 100)")

    patch.setattr(driver, "device_count", none)
    patch.setenv("CUDA_VISIBLE_DEVICES", "-1")


def _no_cupy(patch: pytest.MonkeyPatch) -> None:
    _packages(patch)


def _no_cupy_and_a_driver_for_12(patch: pytest.MonkeyPatch) -> None:
    _packages(patch)
    patch.setattr(driver, "cuda_version", lambda: (12, 4))


def _two_packages(patch: pytest.MonkeyPatch) -> None:
    _packages(patch, "cupy-cuda12x", "cupy-cuda13x")


def _package_of_a_later_cuda(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(driver, "cuda_version", lambda: (12, 4))


def _package_of_an_old_cuda(patch: pytest.MonkeyPatch) -> None:
    _packages(patch, "cupy-cuda11x")


def _broken_cupy(patch: pytest.MonkeyPatch) -> None:
    usual = importlib.import_module

    def fail(name: str) -> ModuleType:
        if name != "cupy":
            return usual(name)
        raise ImportError("\n=====\nFailed to import CuPy.\n\nOriginal error:\n  ImportError: libfoo.so.13: not found\n=====\n")

    patch.setattr(info.importlib, "import_module", fail)


def _cupy_without_a_device(patch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version")

    patch.setattr(sys.modules["cupy"].cuda.runtime, "getDeviceCount", fail)


def _no_nvrtc(patch: pytest.MonkeyPatch) -> None:
    _nvrtcs(patch)


def _nvrtc_of_another_cuda(patch: pytest.MonkeyPatch) -> None:
    _nvrtcs(patch, (12, 9))


def _device_unknown_to_nvrtc(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(driver, "device", lambda index: driver.Gpu("NVIDIA X", 1 << 35, (14, 0)))


def _no_headers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sys.modules["cuda.pathfinder"], "find_nvidia_header_directory", lambda name: None)


def _anything_else(patch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("bad weather")

    patch.setattr(driver, "cuda_version", fail)


LACKING = [
    (_no_driver, "no NVIDIA driver (libcuda.so.1) was found"),
    (_old_driver, "the NVIDIA driver knows CUDA 11.8; install one for CUDA 12 or newer"),
    (_no_device, "the NVIDIA driver finds no GPU"),
    (_hidden_device, "the NVIDIA driver finds no GPU (cuInit: no CUDA-capable device is detected (error 100)); "
                     "CUDA_VISIBLE_DEVICES is '-1'"),
    (_no_cupy, "CuPy is not installed; install it with: pip install 'snnsim[cuda13]'"),
    (_no_cupy_and_a_driver_for_12, "CuPy is not installed; install it with: pip install 'snnsim[cuda12]'"),
    (_two_packages, "several packages of CuPy are installed and overwrite each other: cupy-cuda13x, cupy-cuda12x; remove "
                    "them with: pip uninstall -y cupy-cuda13x cupy-cuda12x; then install one with: "
                    "pip install 'snnsim[cuda13]'"),
    (_package_of_a_later_cuda, "cupy-cuda13x is for CUDA 13, and the driver here is for CUDA 12.4; replace it with: "
                               "pip uninstall -y cupy-cuda13x && pip install 'snnsim[cuda12]'"),
    (_package_of_an_old_cuda, "cupy-cuda11x is for CUDA 11, and the driver here is for CUDA 13.0; replace it with: "
                              "pip uninstall -y cupy-cuda11x && pip install 'snnsim[cuda13]'"),
    (_broken_cupy, "CuPy cannot be used (ImportError: libfoo.so.13: not found); install it anew with: "
                   "pip install --force-reinstall cupy-cuda13x"),
    (_cupy_without_a_device, "CuPy cannot be used (RuntimeError: cudaErrorInsufficientDriver: CUDA driver version is "
                             "insufficient for CUDA runtime version); install it anew with: "
                             "pip install --force-reinstall cupy-cuda13x"),
    (_no_nvrtc, "no NVRTC of CUDA 13 was found; install it with: pip install nvidia-cuda-nvrtc"),
    (_nvrtc_of_another_cuda, "no NVRTC of CUDA 13 was found; install it with: pip install nvidia-cuda-nvrtc"),
    (_device_unknown_to_nvrtc, "NVRTC 13.1 compiles for devices of compute capability 7.5 to 9.0, not 14.0; install a "
                               "newer one: pip install --upgrade nvidia-cuda-nvrtc"),
    (_no_headers, "the header files of CUDA were not found; install them with: pip install nvidia-cuda-runtime"),
    (_anything_else, "it cannot be said whether it can be used (OSError: bad weather)"),
]


@pytest.mark.parametrize("without, message", LACKING, ids=[without.__name__[1:] for without, _ in LACKING])
def test_what_is_missing(without, message: str, whole: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing, and what to do about it."""
    without(monkeypatch)
    assert _lacks() == message


def test_a_run_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by name, it is refused with the reason."""
    _no_driver(monkeypatch)
    with pytest.raises(UnavailableError) as caught:
        registry.check_name("cupy")
    assert str(caught.value) == "backend: cupy cannot be used here: no NVIDIA driver (libcuda.so.1) was found"


def test_the_list_of_backends_says_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In one row, the reason whole and last."""
    from snnsim.cli import main

    _no_driver(monkeypatch)
    assert main(["backends"]) == 0
    header, first = capsys.readouterr().out.splitlines()[:2]
    assert header.split("  ")[0] == "backend" and header.endswith("  usable  on, or why not")
    assert first.split()[::2][:2] == ["cupy", "no"]
    assert first.endswith("  no      no NVIDIA driver (libcuda.so.1) was found")


@pytest.mark.parametrize("count, where, message", [
    (1, "1", "expected GPUs as 0, or all, found '1'"),
    (1, "", "expected GPUs as 0, or all, found ''"),
    (4, "0+4", "expected GPUs as numbers from 0 to 3 such as 0+3, or all, found '0+4'"),
    (4, "2+2", "expected GPUs as numbers from 0 to 3 such as 0+3, or all, found '2+2'"),
    (4, "-1", "expected GPUs as numbers from 0 to 3 such as 0+3, or all, found '-1'"),
    (4, "first", "expected GPUs as numbers from 0 to 3 such as 0+3, or all, found 'first'"),
])
def test_gpus_that_are_not_there(count: int, where: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "device_count", lambda: count)
    monkeypatch.setattr(CupyBackend, "lacks", lambda self: None)
    with pytest.raises(InputError) as caught:
        registry.check_name(f"cupy:{where}")
    assert str(caught.value) == f"backend: {message}"


@pytest.mark.parametrize("where, places", [("0", (0,)), ("3+1", (3, 1)), ("all", (0, 1, 2, 3))])
def test_gpus_by_number(where: str, places: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first number is that of the device which gives the results."""
    monkeypatch.setattr(driver, "device_count", lambda: 4)
    assert CupyBackend().at(where).places == places


def test_others_have_no_devices() -> None:
    with pytest.raises(InputError) as caught:
        registry.check_name("cpu:1")
    assert str(caught.value) == "backend: cpu has no devices to choose from, found 'cpu:1'; write cpu"


def test_too_many_units() -> None:
    """Rows have 30 bits on a GPU, units 31 elsewhere."""
    refused = CupyBackend().refuses(SimpleNamespace(neurons=1 << 30, projections=[]))
    assert [str(problem) for problem in refused] == [
        "populations: expected at most 1,073,741,823 units on a GPU, found 1,073,741,824"]
    assert CupyBackend().refuses(SimpleNamespace(neurons=(1 << 30) - 1, projections=[])) == []
