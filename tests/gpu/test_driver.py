"""The NVIDIA driver, asked through a library that answers as one does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from snnsim.backends.cupy import driver

# The functions that are called, for a machine with two devices; the second is faulty.
DRIVER = """
#include <string.h>
extern "C" {
int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuInit(unsigned flags) { return flags; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *device, int index) { *device = index + 7; return index == 0 ? 0 : 101; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "NVIDIA H200", size); return device - 7; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 150109880320u; return device - 7; }
int cuDeviceGetAttribute(int *value, int which, int device) { *value = which == 75 ? 9 : which == 76 ? 5 : -1; return device - 7; }
int cuGetErrorString(int error, const char **text) { *text = error == 101 ? "invalid device ordinal" : 0; return 0; }
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "driver.cpp").write_text(DRIVER)
    path = folder / driver.LIBRARY
    subprocess.run(["g++", "-shared", "-fPIC", "-o", path, folder / "driver.cpp"], check=True)
    return path


@pytest.fixture
def _installed(library: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(driver, "LIBRARY", str(library))
    driver.library.cache_clear()
    yield
    driver.library.cache_clear()


@pytest.fixture
def _missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(driver, "LIBRARY", str(tmp_path / "nothing.so"))
    driver.library.cache_clear()
    yield
    driver.library.cache_clear()


@pytest.mark.usefixtures("_installed")
def test_what_is_there() -> None:
    """Version of CUDA, number of devices, and the facts of one."""
    assert (driver.cuda_version(), driver.device_count()) == ((12, 8), 2)
    assert driver.device(0) == driver.Gpu("NVIDIA H200", 150_109_880_320, (9, 5))


@pytest.mark.usefixtures("_installed")
def test_what_fails_is_said_in_the_words_of_the_driver() -> None:
    """With the name of the function and the number."""
    with pytest.raises(driver.DriverError) as caught:
        driver.device(1)
    assert str(caught.value) == "cuDeviceGet: invalid device ordinal (error 101)"


@pytest.mark.usefixtures("_missing")
def test_no_driver() -> None:
    """There is no version, and nothing else can be asked."""
    assert driver.cuda_version() is None
    with pytest.raises(driver.DriverError, match=r"nothing\.so cannot be loaded"):
        driver.device_count()


def test_lists_of_backends_do_not_import_cupy() -> None:
    """Importing the package and finding the backends loads nothing for the GPU."""
    code = ("import sys, snnsim; from snnsim import registry; assert 'cupy' in registry.backends(); "
            "print([name for name in ('cupy', 'cuda', 'snnsim.backends.cupy.info') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
