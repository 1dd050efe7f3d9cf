"""The host as a device: its arrays, and launches that are captured."""

from __future__ import annotations

import numpy as np
import pytest
from gpu.gxx import needs_gxx
from gpu.host import HostKernel, PlainDevice

pytestmark = needs_gxx

ADD = 'extern "C" __global__ void snn_add_to(int* out, int x) { if (threadIdx.x == 0) atomicAdd(out, x); }'


@pytest.fixture
def device() -> PlainDevice:
    return PlainDevice()


@pytest.fixture
def add(device: PlainDevice) -> HostKernel:
    return device.module(ADD, ("snn_add_to",))["snn_add_to"]


def test_what_is_uploaded_and_downloaded_is_a_copy(device: PlainDevice) -> None:
    values = np.arange(6).reshape(2, 3).T
    there = device.upload(values)
    back = device.download(there)
    values[0, 0] = 9
    assert there[0, 0] == 0 and there.flags.c_contiguous
    there[0, 1] = 9
    assert back[0, 1] == 3


def test_the_address_of_an_array_reaches_it(device: PlainDevice) -> None:
    source = 'extern "C" __global__ void snn_by_address(const long long* table) { ((int*)table[1])[threadIdx.x] = 5; }'
    there = device.upload(np.zeros(32, np.int32))
    table = device.upload(np.array([0, device.address(there)]))
    device.module(source, ("snn_by_address",))["snn_by_address"](1, 32, (table,))
    np.testing.assert_array_equal(there, 5)


def test_a_capture_runs_when_it_is_called_and_each_time(device: PlainDevice, add: HostKernel) -> None:
    out = device.upload(np.zeros(1, np.int32))

    def launches() -> None:
        add(2, 32, (out, np.int32(1)))
        add(1, 32, (out, np.int32(100)))

    replay = device.capture(launches)
    assert out[0] == 0
    replay()
    assert out[0] == 102
    replay()
    assert out[0] == 204
    add(1, 32, (out, np.int32(1)))
    assert out[0] == 205


def test_a_capture_that_fails_leaves_the_device_as_it_was(device: PlainDevice, add: HostKernel) -> None:
    with pytest.raises(TypeError, match="argument 2"):
        device.capture(lambda: add(1, 32, (np.zeros(1, np.int32), 1)))
    out = np.zeros(1, np.int32)
    add(1, 32, (out, np.int32(1)))
    assert out[0] == 1


def test_a_module_is_compiled_once(device: PlainDevice, add: HostKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert PlainDevice().module(ADD, ("snn_add_to",))["snn_add_to"].library._name == add.library._name


def test_two_modules_may_have_functions_of_one_name(device: PlainDevice) -> None:
    def module(value: int) -> HostKernel:
        source = f"__device__ int answer() {{ return {value}; }}\n"
        source += 'extern "C" __global__ void snn_step(int* out) { out[threadIdx.x] = answer(); }'
        return device.module(source, ("snn_step",))["snn_step"]

    first, second, out = module(1), module(2), np.zeros(32, np.int32)
    second(1, 32, (out,))
    assert set(out) == {2}
    first(1, 32, (out,))
    assert set(out) == {1}


def test_the_host_says_how_many_blocks_it_holds_and_what_memory_is_free(add: HostKernel) -> None:
    assert PlainDevice(resident=7).resident_blocks(add, 64, 0) == 7
    assert PlainDevice().free() > 1 << 20
