"""CUDA text to machine code, without a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from gpu.cubins import ARCHITECTURES, INEXACT, compiled, needs_nvrtc

from snnsim import cachefolder
from snnsim.backends.cupy import driver, nvrtc
from snnsim.backends.cupy.compiler import EXACT, compile, ptx
from snnsim.backends.cupy.cubin import Resources, resources
from snnsim.errors import UnavailableError

SMALL = """
extern "C" __global__ void __launch_bounds__(256) snn_small(float *a) { a[threadIdx.x] = a[0] * a[1] + a[2]; }
"""
EXACT_IN_ALL = """
extern "C" __global__ void __launch_bounds__(128) snn_single(float *a) { a[3] = sqrtf(a[0] * a[1] + a[2]) / a[2] + floorf(a[1]); }
extern "C" __global__ void __launch_bounds__(128) snn_double(double *a) { a[3] = sqrt(a[0] * a[1] + a[2]) / a[2] + floor(a[1]); }
extern "C" __global__ void __launch_bounds__(128) snn_whole(int *a) { a[3] = a[0] * a[1] + a[2]; }
"""
# 128 values that are all needed at once do not fit the 64 registers that a block of 1024 threads leaves to each.
SPILLS = """
extern "C" __global__ void __launch_bounds__(1024) snn_spill(const float *a, float *b, int n)
{
    float v[128];
    #pragma unroll
    for (int i = 0; i < 128; i++) v[i] = a[i * 1024 + threadIdx.x];
    for (int k = 0; k < n; k++) {
        #pragma unroll
        for (int i = 0; i < 128; i++) v[i] = v[i] * v[(i * 7 + 3) % 128] + a[k];
    }
    #pragma unroll
    for (int i = 0; i < 128; i++) b[i * 1024 + threadIdx.x] = v[i];
}
"""
SHARES = """
extern "C" __global__ void __launch_bounds__(640, 1) snn_share(int *a)
{
    __shared__ int t[100];
    t[threadIdx.x % 100] = a[threadIdx.x];
    __syncthreads();
    a[threadIdx.x] = t[(threadIdx.x + 1) % 100];
}
extern "C" __global__ void snn_unbounded(int *a)
{
    extern __shared__ __align__(16) unsigned char snn_shared[];
    snn_shared[threadIdx.x] = a[0];
    __syncthreads();
    a[threadIdx.x] = snn_shared[5];
}
"""

pytestmark = needs_nvrtc


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNNSIM_CACHE", str(tmp_path))
    return tmp_path / "gpu"


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch):
    """Call it, and nothing can be compiled any more."""
    def fail(*args: object) -> None:
        raise AssertionError("compiled anew")

    return lambda: monkeypatch.setattr(nvrtc.Nvrtc, "machine_code", fail)


# --- the cache -------------------------------------------------------------------------------------------------------


def test_what_was_compiled_is_kept(cache: Path, never) -> None:
    """A text is compiled once, whatever it is called."""
    first = compile(SMALL, 90)
    never()
    assert compile(SMALL, 90, name="another.cu") == first
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", [b"", b"not machine code", b"\0" * 100])
def test_damaged_entry_is_compiled_anew(cache: Path, damage: bytes) -> None:
    """What does not match its digest is replaced, not loaded."""
    first = compile(SMALL, 90)
    path, = cache.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage)
    assert compile(SMALL, 90) == first
    assert path.read_bytes() == whole


def test_a_flipped_bit_is_noticed(cache: Path) -> None:
    """Also in the middle of the code."""
    first = compile(SMALL, 90)
    path, = cache.iterdir()
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)
    assert compile(SMALL, 90) == first


@pytest.mark.parametrize("change", [
    lambda: compile(SMALL + " ", 90), lambda: compile(SMALL, 80), lambda: compile(SMALL, 90, options=EXACT[1:]),
])
def test_what_the_code_depends_on_is_in_its_name(cache: Path, change) -> None:
    """Text, device and options."""
    compile(SMALL, 90)
    change()
    assert len(list(cache.iterdir())) == 2


def test_so_is_the_version_of_the_compiler(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer NVRTC does not take what an older one compiled."""
    compile(SMALL, 90)
    monkeypatch.setattr(nvrtc.newest(), "version", (99, 0))
    compile(SMALL, 90)
    assert len(list(cache.iterdir())) == 2


def test_the_log_is_kept(cache: Path, never) -> None:
    """Warnings are there the second time, too."""
    source = SMALL.replace("{", "{ if (threadIdx.x < 0) return;", 1)
    log = compile(source, 90).log
    never()
    assert "pointless comparison of unsigned integer with zero" in log
    assert compile(source, 90).log == log


def test_without_a_folder_to_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, never) -> None:
    """Code is kept in a private folder, as long as the process lives."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SNNSIM_CACHE", str(tmp_path / "file"))
    first = compile(SMALL, 90)
    never()
    assert compile(SMALL, 90) == first


def test_full_disk(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be kept is used all the same, and nothing is left behind."""
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cachefolder.os, "replace", full)
    assert "snn_small" in resources(compile(SMALL, 90).data)
    assert list(cache.iterdir()) == []


# --- the code --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_nothing_is_rounded_otherwise_than_by_numpy(arch: int) -> None:
    """No fused multiply-add, no denormals flushed to zero, no approximate division or root."""
    assert set(compiled(EXACT_IN_ALL, arch)) == {"snn_single", "snn_double", "snn_whole"}


@pytest.mark.parametrize("option, found", [
    ("-fmad=true", "fma.rn.f32"), ("-ftz=true", "mul.rn.ftz.f32"), ("-prec-div=false", "div.full.f32"),
    ("-prec-sqrt=false", "sqrt.approx.f32"),
])
def test_the_check_finds_what_it_looks_for(option: str, found: str) -> None:
    """Each of the options matters."""
    name = option.partition("=")[0]
    options = [option if other.startswith(name + "=") else other for other in EXACT]
    matches = INEXACT.findall(ptx(EXACT_IN_ALL, 90, options=options))
    assert any(found.startswith(match) for match in matches), matches


def test_code_for_the_nearest_older_device() -> None:
    """A device that NVRTC does not know runs what is compiled for an older one of its generation."""
    assert max(arch for arch in nvrtc.newest().architectures if arch < 86) == 80
    assert compile(SMALL, 81) == compile(SMALL, 80)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_resources(arch: int) -> None:
    """Registers, spilled bytes, shared memory and launch bounds, as ``ptxas -v`` says them."""
    found = resources(compile(SMALL + SPILLS + SHARES, arch).data)
    small, spill, share, unbounded = (found[f"snn_{name}"] for name in ("small", "spill", "share", "unbounded"))
    assert (small.stack, small.shared, small.threads) == (0, 0, 256)
    assert 8 <= small.registers <= 16
    assert (spill.registers, spill.shared, spill.threads) == (64, 0, 1024)
    assert 128 * 4 // 2 < spill.stack < 128 * 4 * 2
    assert (share.stack, share.shared, share.threads) == (0, 400, 640)
    assert (unbounded.stack, unbounded.shared, unbounded.threads) == (0, 0, 0)


def test_resources_as_ptxas_says_them() -> None:
    """Those that ``ptxas -v`` of CUDA 13.0 prints for the same text; later versions need not differ, and did not."""
    if nvrtc.newest().version[0] != 13:
        pytest.skip(f"NVRTC {nvrtc.newest().version}")
    found = resources(compile(SMALL + SPILLS + SHARES, 90).data)
    assert found["snn_spill"] == Resources(registers=64, stack=504, shared=0, threads=1024)
    assert found["snn_share"] == Resources(registers=12, stack=0, shared=400, threads=640)


@pytest.mark.parametrize("source, fault", [
    (SMALL.replace("{", "{ if (threadIdx.x < 0) return;"), "pointless comparison"),
    (SPILLS, "bytes of local memory"), (SHARES, "snn_unbounded has no launch bounds"), ("", "no kernels"),
    (SMALL.replace("a[2]", "__expf(a[2])"), "ex2.approx"), (SMALL.replace("a[0] * a[1]", "fmaf(a[0], a[1], 1)"), "fma.rn"),
])
def test_kernels_that_are_refused(source: str, fault: str) -> None:
    """The check of every kernel can fail."""
    with pytest.raises(AssertionError, match=fault):
        compiled(source, 90)


# --- errors ----------------------------------------------------------------------------------------------------------


def test_text_that_does_not_compile() -> None:
    """The fault is ours: NVRTC's messages, and the lines around."""
    source = "\n".join([f"// {n}" for n in range(1, 21)]).replace("// 10\n", "__device__ int f() { return y; }\n")
    with pytest.raises(RuntimeError) as caught:
        compile(source, 90, "net.cu")
    assert str(caught.value) == """\
generated CUDA code does not compile
net.cu(10): error: identifier "y" is undefined
  __device__ int f() { return y; }
                              ^

1 error detected in the compilation of "net.cu".

     7: // 7
     8: // 8
     9: // 9
    10> __device__ int f() { return y; }
    11: // 11
    12: // 12
    13: // 13"""


@dataclass(frozen=True)
class Old:
    """An NVRTC of another time."""

    version: tuple[int, int]
    architectures: list[int]


@pytest.mark.parametrize("arch, driver_knows, message", [
    (120, (12, 9), "NVRTC 12.4 compiles for devices of compute capability 5.0 to 9.0, not 12.0; "
                   "install a newer one: pip install --upgrade nvidia-cuda-nvrtc-cu12"),
    (120, (13, 0), "NVRTC 12.4 compiles for devices of compute capability 5.0 to 9.0, not 12.0; "
                   "install a newer one: pip install --upgrade nvidia-cuda-nvrtc"),
    (37, (12, 9), "NVRTC 12.4 compiles for devices of compute capability 5.0 to 9.0, not 3.7; "
                  "install an older one: pip install nvidia-cuda-nvrtc-cu12"),
])
def test_device_that_nvrtc_does_not_know(arch: int, driver_knows, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed, what it can, and what to install."""
    monkeypatch.setattr(nvrtc, "installed", lambda: (Old((12, 4), [50, 52, 53, 60, 70, 80, 90]),))
    monkeypatch.setattr(driver, "cuda_version", lambda: driver_knows)
    with pytest.raises(UnavailableError) as caught:
        compile(SMALL, arch)
    assert str(caught.value) == message


@pytest.mark.parametrize("driver_knows, wheel", [
    (None, "nvidia-cuda-nvrtc"), ((13, 1), "nvidia-cuda-nvrtc"), ((12, 4), "nvidia-cuda-nvrtc-cu12"),
])
def test_no_nvrtc(driver_knows, wheel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel for the driver that is here."""
    monkeypatch.setattr(nvrtc, "installed", lambda: ())
    monkeypatch.setattr(driver, "cuda_version", lambda: driver_knows)
    with pytest.raises(UnavailableError) as caught:
        compile(SMALL, 90)
    assert str(caught.value) == f"no NVRTC was found; install it with: pip install {wheel}"


def test_nvrtc_whose_code_the_driver_cannot_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a driver for CUDA 12, one of CUDA 13 is not used."""
    monkeypatch.setattr(driver, "cuda_version", lambda: (12, 4))
    assert [found.version[0] for found in nvrtc.installed.__wrapped__() if found.version[0] > 12] == []


def test_two_nvrtcs(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old device is compiled for by the one that knows it, others by the newest."""
    from snnsim.backends.cupy.compiler import find

    old, new = Old((12, 9), [50, 60, 70, 75, 80, 90]), Old((13, 0), [75, 80, 90])
    monkeypatch.setattr(nvrtc, "installed", lambda: (new, old))
    assert (find(70), find(90)) == ((old, 70), (new, 90))
