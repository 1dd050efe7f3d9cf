"""Planted races are found, and kernels without them are clean, whatever the results are."""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from gpu.host import KernelError, PlainDevice
from gpu.races import needs_tsan, races

pytestmark = [needs_tsan, pytest.mark.slow]

SYNC = (files("snnsim.backends.cupy") / "kernels" / "sync.cuh").read_text()


def launch(source: str, blocks: int, *args: Any, cooperative: bool = False, times: int = 1) -> None:
    """Run ``snn_test`` in order and shuffled."""
    for seed in (0, 1):
        run = PlainDevice(seed=seed).module(source, ("snn_test",))["snn_test"]
        for _ in range(times):
            run(blocks, 64, args, 64 * 4, cooperative)


def changed(text: str, change: str) -> str:
    """`change`: ``old -> new``, or nothing."""
    old, _, new = change.partition(" -> ")
    assert old in text
    return text.replace(old, new) if change else text


# --- threads of a block ----------------------------------------------------------------------------------------------

REDUCE = """
extern "C" __global__ void snn_test(const int* x, int* out) {
    SNN_SHARED(memory);
    int* s = (int*)memory;
    s[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) s[threadIdx.x] += s[threadIdx.x + half];
    }
    if (threadIdx.x == 0) out[blockIdx.x] = s[0];
}
"""


def reduce(change: str) -> None:
    x, out = np.arange(128, dtype=np.int32), np.zeros(2, np.int32)
    launch(changed(REDUCE, change), 2, x, out)


def test_a_reduction_is_clean() -> None:
    assert races(reduce, "") == []


def test_a_reduction_without_its_barrier() -> None:
    add = "if (threadIdx.x < half) s[threadIdx.x] += s[threadIdx.x + half];"
    assert sorted(races(reduce, "__syncthreads(); -> ")) == [
        f"read of 4 bytes `{add}` and write of 4 bytes `{add}`",
        f"read of 4 bytes `{add}` and write of 4 bytes `s[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];`"]


# --- inputs that several threads add to ------------------------------------------------------------------------------

RING = """
extern "C" __global__ void snn_test(const int* place, int steps, int* out) {
    SNN_SHARED(memory);
    int* ring = (int*)memory;
    for (int i = threadIdx.x; i < 16; i += blockDim.x) ring[i] = 0;
    for (int step = 0; step < steps; ++step) {
        int* now = ring + step % 2 * 8;
        int* next = ring + (step + 1) % 2 * 8;
        __syncthreads();
        atomicAdd(&next[place[threadIdx.x]], 1 + step);
        if (threadIdx.x < 8) {
            out[step * 8 + threadIdx.x] = now[threadIdx.x];
            now[threadIdx.x] = 0;
        }
    }
}
"""


def ring(change: str) -> None:
    place, out = (np.arange(64) % 7).astype(np.int32), np.zeros(80, np.int32)
    launch(changed(RING, change), 1, place, np.int32(10), out)
    assert change.startswith("__syncthreads") or out[8:15].tolist() == [10, 9, 9, 9, 9, 9, 9]


def test_a_ring_of_inputs_is_clean() -> None:
    assert races(ring, "") == []


def test_a_plain_sum_in_place_of_an_atomic_one() -> None:
    """Its results are right here: one thread runs at a time."""
    line = "next[place[threadIdx.x]] += 1 + step;"
    found = races(ring, f"atomicAdd(&next[place[threadIdx.x]], 1 + step); -> {line}")
    assert f"read of 4 bytes `{line}` and write of 4 bytes `{line}`" in found


def test_a_ring_without_its_barrier() -> None:
    found = races(ring, "__syncthreads(); -> ")
    assert any("now[threadIdx.x] = 0;" in race and "atomic" in race for race in found)


# --- lanes of a warp -------------------------------------------------------------------------------------------------

WARP = """
extern "C" __global__ void snn_test(unsigned* out) {
    SNN_SHARED(memory);
    unsigned* s = (unsigned*)memory;
    s[threadIdx.x] = __ballot_sync(0xffffffffu, threadIdx.x % 2);
    __syncwarp();
    out[threadIdx.x] = s[threadIdx.x ^ 1];
}
"""


def warp(change: str) -> None:
    launch(changed(WARP, change), 1, np.zeros(64, np.uint32))


def test_lanes_that_meet_are_in_order() -> None:
    assert races(warp, "") == []


@pytest.mark.parametrize("meeting", ["", "__ballot_sync(~0u, 1);", "__shfl_sync(~0u, 1, 0);"])
def test_ballots_and_shuffles_order_no_memory(meeting: str) -> None:
    assert races(warp, f"__syncwarp(); -> {meeting}") == [
        "read of 4 bytes `out[threadIdx.x] = s[threadIdx.x ^ 1];` and "
        "write of 4 bytes `s[threadIdx.x] = __ballot_sync(0xffffffffu, threadIdx.x % 2);`"]


# --- blocks ----------------------------------------------------------------------------------------------------------

HANDSHAKE = SYNC + """
extern "C" __global__ void snn_test(int* values, int* seen, unsigned* counter, int steps) {
    Meeting meeting{counter, 0};
    for (int step = 0; step < steps; ++step) {
        int* row = values + step % 2 * gridDim.x * blockDim.x;
        row[blockIdx.x * blockDim.x + threadIdx.x] = step + threadIdx.x;
        meeting.arrive();
        meeting.wait();
        seen[blockIdx.x * blockDim.x + threadIdx.x] += row[(blockIdx.x + 1) % gridDim.x * blockDim.x + threadIdx.x];
    }
}
"""
VALUES = "row[blockIdx.x * blockDim.x + threadIdx.x] = step + threadIdx.x;"
SEEN = ("seen[blockIdx.x * blockDim.x + threadIdx.x] += row[(blockIdx.x + 1) % gridDim.x * blockDim.x + threadIdx.x];")


def handshake(change: str) -> None:
    for seed in (0, 1):
        run = PlainDevice(seed=seed).module(changed(HANDSHAKE, change), ("snn_test",))["snn_test"]
        arrays = (np.zeros((2, 2, 64), np.int32), np.zeros((2, 64), np.int32), np.zeros(1, np.uint32))
        run(2, 64, (*arrays, np.int32(6)), cooperative=True)


def test_blocks_that_meet_are_clean() -> None:
    assert races(handshake, "") == []


@pytest.mark.parametrize("change", [
    "meeting.wait(); -> __syncthreads();",
    "snn_load_acquire(counter) -> atomicAdd(counter, 0u)",
    "snn_add_release(counter, 1u) -> atomicAdd(counter, 1u)",
])
def test_blocks_that_do_not_meet(change: str) -> None:
    """A barrier of the block in place of the grid's; a counter read without acquire; added to without release."""
    assert f"read of 4 bytes `{SEEN}` and write of 4 bytes `{VALUES}`" in races(handshake, change)


def test_a_counter_that_is_read_as_plain_memory() -> None:
    found = races(handshake, "snn_load_acquire(counter) -> *(volatile unsigned*)(snn_pause(), counter)")
    assert any("atomic write" in race and "(snn_pause(), counter)" in race for race in found)


def test_blocks_without_their_first_barrier() -> None:
    """The thread that tells of the block's work must come after all of it."""
    assert f"read of 4 bytes `{SEEN}` and write of 4 bytes `{VALUES}`" in races(
        handshake, "void arrive() {\n        __syncthreads(); -> void arrive() {")


# --- launches --------------------------------------------------------------------------------------------------------

NEXT = """
extern "C" __global__ void snn_test(int* x) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    x[(i + 64) % 128] = x[i];
}
"""


def next_block(change: str) -> None:
    launch(changed(NEXT, change), 2, np.arange(256, dtype=np.int32), times=3)


def test_blocks_of_a_plain_launch_race_though_they_run_one_after_the_other() -> None:
    line = "x[(i + 64) % 128] = x[i];"
    assert races(next_block, "") == [f"read of 4 bytes `{line}` and write of 4 bytes `{line}`"]


def test_launches_are_in_order() -> None:
    assert races(next_block, "x[(i + 64) % 128] = x[i] -> x[127 - i] += x[127 - i]") == []


def fault() -> None:
    launch("extern \"C\" __global__ void snn_test(int* x) {\nx[1ll << 40] = 1;\n}", 1, np.zeros(1, np.int32))


def test_a_fault_is_told_with_its_line() -> None:
    with pytest.raises(RuntimeError, match=r"^fault failed under ThreadSanitizer\n(.*\n)*.*SEGV(.*\n)*.*snn_test .*\.cpp:2"):
        races(fault)


def stuck() -> None:
    device, out = PlainDevice(), np.zeros(64, np.int32)
    for body in ("if (threadIdx.x) __syncthreads();", "x[threadIdx.x] = threadIdx.x; __syncthreads(); x[63 - threadIdx.x] += 1;"):
        source = f'extern "C" __global__ void snn_test(int* x) {{ {body} }}'
        with suppress(KernelError):
            device.module(source, ("snn_test",))["snn_test"](1, 64, (out,))
    assert out[5] == 6


def test_threads_that_were_stuck_leave_nothing_behind() -> None:
    assert races(stuck) == []


def broken() -> None:
    launch("", 1)


def test_a_function_that_fails_is_no_clean_one() -> None:
    with pytest.raises(RuntimeError, match=r"^broken failed under ThreadSanitizer\n(.*\n)*.*CompileError"):
        races(broken)


def many() -> None:
    launch(changed(NEXT, ""), 126, np.zeros(126 * 64, np.int32))


def test_more_threads_than_the_sanitizer_knows() -> None:
    with pytest.raises(RuntimeError, match="kernel snn_test is launched with 8064 threads, but ThreadSanitizer knows 8000"):
        races(many)


ENOUGH = 'extern "C" __global__ void snn_test(int* x) { x[blockIdx.x * blockDim.x + threadIdx.x] += __syncthreads_or(1); }'


def most() -> None:
    launch(ENOUGH, 12, np.zeros(12 * 64, np.int32), cooperative=True, times=20)


def test_many_launches_of_many_threads_are_clean() -> None:
    assert races(most) == []
