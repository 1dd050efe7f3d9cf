"""Between guarded pages, what a kernel does beyond an array is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from gpu.guard import guarded
from gpu.gxx import needs_gxx
from gpu.host import KernelError, PlainDevice
from numpy._core.multiarray import get_handler_name

pytestmark = needs_gxx

LINE = "out[0] = x[i];"
COPY = f'extern "C" __global__ void snn_copy(const int* x, int* out, int i) {{\n{LINE}\n}}'
WRITE = 'extern "C" __global__ void snn_write(int* x, int i) {\nx[i] = 1;\n}'
HEAD = "kernel {}, 1 block of 32 threads: "


@pytest.fixture
def pages() -> Iterator[None]:
    with guarded():
        yield


def copy(x: np.ndarray, out: np.ndarray, i: int) -> None:
    PlainDevice().module(COPY, ("snn_copy",))["snn_copy"](1, 32, (x, out, np.int32(i)))


def write(x: np.ndarray, i: int) -> None:
    PlainDevice().module(WRITE, ("snn_write",))["snn_write"](1, 32, (x, np.int32(i)))


def said(run: Callable[[], None]) -> str:
    with pytest.raises(KernelError) as caught:
        run()
    return str(caught.value)


@pytest.mark.parametrize("size", [1, 5, 1023, 1024, 1025, 100_000])
def test_the_first_and_the_last_element_may_be_used(pages: None, size: int) -> None:
    x, out = np.arange(size, dtype=np.int32), np.zeros(1, np.int32)
    for i in (0, size - 1):
        copy(x, out, i)
        assert out[0] == i
    for i in (0, size - 1):
        write(x, i)
    assert x[0] == 1 and x[-1] == 1


@pytest.mark.parametrize("size", [1, 5, 1023, 1024, 1025, 100_000])
def test_reading_beyond_the_end(pages: None, size: int) -> None:
    x, out = np.arange(size, dtype=np.int32), np.zeros(1, np.int32)
    assert said(lambda: copy(x, out, size + 2)) == (
        f"{HEAD.format('snn_copy')}byte 9 after an array of {4 * size} bytes is used\n"
        f"  block 0: thread 0 at line 2 `{LINE}`\n  the array is argument 1")


def test_writing_beyond_the_end_of_a_view(pages: None) -> None:
    """The array is what was allocated: bounds of views are not known."""
    x = np.zeros(8, np.int32)
    write(x[2:6], 5)
    assert x[7] == 1
    assert said(lambda: write(x[2:6], 6)) == (
        f"{HEAD.format('snn_write')}byte 1 after an array of 32 bytes is used\n"
        "  block 0: thread 0 at line 2 `x[i] = 1;`\n  the array is argument 1")


def test_writing_before_the_beginning(pages: None) -> None:
    x = np.zeros(8, np.int32)
    assert said(lambda: write(x, -3)) == (
        f"{HEAD.format('snn_write')}byte 9 before an array of 32 bytes was written\n  the array is argument 1")
    write(x, 0)


def test_using_what_lies_far_before_the_beginning(pages: None) -> None:
    x = np.zeros(1024, np.int32)
    assert said(lambda: write(x, -1)) == (
        f"{HEAD.format('snn_write')}byte 4 before an array of 4096 bytes is used\n"
        "  block 0: thread 0 at line 2 `x[i] = 1;`\n  the array is argument 1")


def test_an_array_that_is_reached_by_its_address(pages: None) -> None:
    x = np.zeros(3)
    source = 'extern "C" __global__ void snn_far(const long long* table) {\n((double*)table[0])[3] = 1;\n}'
    assert said(lambda: PlainDevice().module(source, ("snn_far",))["snn_far"](1, 32, (np.array([x.ctypes.data]),))) == (
        f"{HEAD.format('snn_far')}byte 1 after an array of 24 bytes is used\n"
        "  block 0: thread 0 at line 2 `((double*)table[0])[3] = 1;`")


def test_arrays_of_all_operations_are_guarded(pages: None) -> None:
    x = np.concatenate([np.ones(3, np.int32), np.arange(4, dtype=np.int32)]) + 1
    assert "byte 1 after an array of 28 bytes" in said(lambda: write(x, 7))


def test_empty_arrays_do_not_look_like_zeros(pages: None) -> None:
    assert set(np.empty(3, np.uint16)) == {0xCBCB}
    assert set(np.zeros(3, np.uint16)) == {0}


def test_an_array_that_grows_keeps_what_it_holds(pages: None) -> None:
    x = np.arange(2000)
    x.resize(3000, refcheck=False)
    np.testing.assert_array_equal(x[:2000], np.arange(2000))
    x.resize(10, refcheck=False)
    np.testing.assert_array_equal(x, np.arange(10))


def test_arrays_outlive_the_guard_and_later_ones_are_ordinary() -> None:
    with guarded():
        x = np.zeros(5, np.int32)
    y = np.zeros(5, np.int32)
    write(y, 4)
    assert "byte 1 after" in said(lambda: write(x, 5))
    assert [get_handler_name(array) for array in (x, y)] == ["snnsim_guard", "default_allocator"]
