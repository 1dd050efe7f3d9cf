"""The device of NVIDIA hardware. What needs one is marked `gpu`."""

from __future__ import annotations

import numpy as np
import pytest

from snnsim import registry
from snnsim.backends.cupy.device import Device
from snnsim.errors import RunError

LACKS = registry.backends()["cupy"].lacks()
needs_gpu = pytest.mark.skipif(LACKS is not None, reason=str(LACKS))

SOURCE = """
extern "C" __global__ void __launch_bounds__(256)
snn_fill(int *out, int n, long long far, unsigned most, float single, double real)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < n) out[at] = at + (far == (1ll << 40)) + (most == 0xffffffffu) + (single == 0.5f) + (real == 0.1);
}
extern "C" __global__ void __launch_bounds__(256) snn_double(int *values, int n)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < n) values[at] *= 2;
}
extern "C" __global__ void __launch_bounds__(256) snn_reverse(int *values, int bytes)
{
    extern __shared__ __align__(16) int held[];
    int last = bytes / 4 - 1;
    for (int at = threadIdx.x; at <= last; at += blockDim.x) held[at] = values[at];
    __syncthreads();
    for (int at = threadIdx.x; at <= last; at += blockDim.x) values[at] = held[last - at];
}
extern "C" __global__ void __launch_bounds__(1024) snn_meet(unsigned *count, unsigned *seen)
{
    __syncthreads();
    if (threadIdx.x == 0) {
        atomicAdd(count, 1u);
        while (atomicAdd(count, 0u) < gridDim.x) {}
        seen[blockIdx.x] = atomicAdd(count, 0u);
    }
}
"""
NAMES = ("snn_fill", "snn_double", "snn_reverse", "snn_meet")


def test_names_of_cupy_that_are_used() -> None:
    """The installed CuPy has them; what they do can only be seen on a GPU."""
    pytest.importorskip("cupy")
    from snnsim.backends.cupy.cuda import Function, Module, cupy, driver, memory, runtime

    attributes = ("MultiProcessorCount", "MaxSharedMemoryPerBlockOptin", "CooperativeLaunch", "MaxThreadsPerBlock")
    used = {
        runtime: ("deviceGetAttribute", *(f"cudaDevAttr{name}" for name in attributes)),
        driver: ("CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES", "funcSetAttribute",
                 "occupancyMaxActiveBlocksPerMultiprocessor"),
        memory: ("OutOfMemoryError",), Module: ("load", "get_function"), Function: ("ptr", "__call__"),
        cupy.cuda.Device: ("compute_capability", "mem_info", "id"),
        cupy.cuda.Stream: ("begin_capture", "end_capture", "synchronize"), cupy.cuda.Graph: ("launch",),
        cupy.ndarray: ("get", "set", "data"), cupy: ("get_default_memory_pool",),
    }
    assert [name for place, names in used.items() for name in names if not hasattr(place, name)] == []


@pytest.fixture(scope="module")
def device() -> Device:
    from snnsim.backends.cupy.cuda import CudaDevice

    return CudaDevice()


@pytest.fixture(scope="module")
def kernels(device: Device):
    return device.module(SOURCE, NAMES)


@needs_gpu
@pytest.mark.gpu
class TestDevice:
    """Arrays, kernels, captured launches and limits of the first device."""

    def test_arrays_come_back_as_they_went(self, device: Device) -> None:
        """Any shape, type and order, also without elements; an array may be changed after its upload."""
        for values in (np.arange(24).reshape(2, 3, 4)[:, ::2], np.zeros((0, 3), np.float32), np.array(2.5), np.array([True, False])):
            given = values.copy()
            array = device.upload(given)
            given[...] = 0
            assert device.download(array).dtype == values.dtype
            np.testing.assert_array_equal(device.download(array), values)
            assert values.size == 0 or device.address(array) % 256 == 0

    def test_scalars_are_passed_with_their_types(self, device: Device, kernels) -> None:
        """Each of the five, exactly."""
        out = device.xp.zeros(1000, np.int32)
        args = (out, np.int32(1000), np.int64(1 << 40), np.uint32(0xFFFFFFFF), np.float32(0.5), np.float64(0.1))
        kernels["snn_fill"](4, 256, args)
        np.testing.assert_array_equal(device.download(out), np.arange(1000) + 4)

    def test_python_numbers_are_refused(self, device: Device, kernels) -> None:
        """They have no exact type."""
        with pytest.raises(TypeError) as caught:
            kernels["snn_double"](1, 256, (device.xp.zeros(1, np.int32), 1))
        assert str(caught.value) == ("snn_double: argument 1 is of type int; expected an array of the device or one of "
                                     "int32, int64, uint32, float32, float64")

    def test_as_much_shared_memory_as_there_is(self, device: Device, kernels) -> None:
        """More than the 48 KiB that need no asking."""
        size = device.limits.shared
        assert size > 48 << 10
        values = np.arange(size // 4, dtype=np.int32)
        array = device.upload(values)
        kernels["snn_reverse"](1, 256, (array, np.int32(size)), shared=size)
        np.testing.assert_array_equal(device.download(array), values[::-1])
        assert device.resident_blocks(kernels["snn_reverse"], 256, size) == device.limits.multiprocessors

    def test_blocks_that_wait_for_each_other(self, device: Device, kernels) -> None:
        """As many as are resident; one more is refused, not left out."""
        most = device.resident_blocks(kernels["snn_meet"], 1024, 0)
        count, seen = device.xp.zeros(1, np.uint32), device.xp.zeros(most, np.uint32)
        kernels["snn_meet"](most, 1024, (count, seen), cooperative=True)
        np.testing.assert_array_equal(device.download(seen), np.full(most, most))
        with pytest.raises(RuntimeError) as caught:
            kernels["snn_meet"](most + 1, 1024, (count, seen), cooperative=True)
        assert str(caught.value) == (
            f"snn_meet: {most + 1} blocks of 1024 threads and 0 bytes of shared memory cannot wait for each other: "
            f"the device runs {most} at the same time")

    @pytest.mark.parametrize("cooperative", [False, True])
    def test_captured_launches_run_again_and_again(self, device: Device, kernels, cooperative: bool) -> None:
        """Not when they are captured, and in their order; what they need is kept."""
        values = device.upload(np.arange(1000, dtype=np.int32))

        def launches() -> None:
            kernels["snn_double"](4, 256, (values, np.int32(1000)), cooperative=cooperative)
            kernels["snn_reverse"](1, 256, (values, np.int32(4000)), shared=4000)

        replay = device.capture(launches)
        np.testing.assert_array_equal(device.download(values), np.arange(1000))
        for _ in range(3):
            replay()
        np.testing.assert_array_equal(device.download(values), 8 * np.arange(1000)[::-1])

    def test_a_capture_that_fails_leaves_the_device_usable(self, device: Device, kernels) -> None:
        """The exception comes through."""
        def launches() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            device.capture(launches)
        self.test_captured_launches_run_again_and_again(device, kernels, False)

    def test_memory(self, device: Device) -> None:
        """What is allocated is missing from what is free; too much is an error that says so."""
        before = device.free()
        held = device.xp.zeros(1 << 28, np.uint8)
        assert before - (2 << 28) < device.free() <= before - held.nbytes
        with pytest.raises(RunError) as caught:
            device.upload(np.broadcast_to(np.uint8(0), (1 << 50,)))
        assert str(caught.value).startswith(f"the memory of the GPU, {device.limits.memory / 2**30:.1f} GiB, does not "
                                            "suffice: Out of memory allocating 1,125,899,906,842,624 bytes")
        assert str(caught.value).endswith(" Run a smaller network, or on the processor: --backend cpu")

    def test_limits(self, device: Device) -> None:
        """Those of a device that can run the engine."""
        found = device.limits
        assert found.multiprocessors >= 1 and found.threads == 1024 and found.memory > 1 << 30
        assert found.capability >= (5, 0) and found.cooperative
        assert device.free() <= found.memory
