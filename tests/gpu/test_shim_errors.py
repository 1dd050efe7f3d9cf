"""What the shim says of kernels that no device runs, in full."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gpu.gxx import needs_gxx
from gpu.host import H200, KernelError, PlainDevice

pytestmark = needs_gxx


def message(body: str, blocks: int = 1, threads: int = 64, *, shared: int = 0, cooperative: bool = False,
            parameters: str = "int* out", args: tuple[Any, ...] | None = None, device: PlainDevice | None = None) -> str:
    """What is said when ``snn_test`` with this body is launched. The body starts at line 2."""
    source = f'extern "C" __global__ void snn_test({parameters}) {{\n{body}\n}}\n'
    run = (device or PlainDevice()).module(source, ("snn_test",))["snn_test"]
    with pytest.raises((KernelError, TypeError)) as caught:
        run(blocks, threads, (np.zeros(1, np.int32),) if args is None else args, shared, cooperative)
    return str(caught.value)


# --- threads that do not meet ----------------------------------------------------------------------------------------


def test_some_threads_return_before_a_barrier() -> None:
    assert message("if (threadIdx.x % 32 == 5 || threadIdx.x > 61) return;\n__syncthreads();") == (
        "kernel snn_test, 1 block of 64 threads: deadlock: threads wait for others that do not come\n"
        "  block 0: threads 0-4, 6-36, 38-61 wait in __syncthreads at line 3 `__syncthreads();`; "
        "threads 5, 37, 62-63 have returned")


def test_a_barrier_in_one_branch_and_one_in_the_other() -> None:
    assert message("if (threadIdx.x < 32)\n__syncthreads();\nelse\n__syncthreads();", blocks=2) == (
        "kernel snn_test, 2 blocks of 64 threads: threads that should meet wait in different places\n"
        "  block 0: threads 0-31 wait in __syncthreads at line 3 `__syncthreads();`; "
        "threads 32-63 wait in __syncthreads at line 5 `__syncthreads();`")


def test_a_barrier_here_and_a_ballot_there() -> None:
    assert message("if (threadIdx.x < 40)\n__syncthreads();\nelse\n__ballot_sync(~0u, 1);") == (
        "kernel snn_test, 1 block of 64 threads: deadlock: threads wait for others that do not come\n"
        "  block 0: threads 0-39 wait in __syncthreads at line 3 `__syncthreads();`; "
        "threads 40-63 wait in __ballot_sync at line 5 `__ballot_sync(~0u, 1);`")


def test_another_function_in_the_same_line() -> None:
    assert message("threadIdx.x % 2 ? __any_sync(~0u, 1) : __all_sync(~0u, 1);", threads=32).startswith(
        "kernel snn_test, 1 block of 32 threads: threads that should meet wait in different places\n"
        "  block 0: threads 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30 wait in __all_sync at line 2 `")


def test_the_first_three_blocks_that_are_stuck_are_shown() -> None:
    body = "if (blockIdx.x > 0 && threadIdx.x == 0)\n__syncthreads();"
    said = ("; threads 1-31 have returned\n".join(
        f"  block {block}: threads 0 wait in __syncthreads at line 3 `__syncthreads();`" for block in (1, 2, 3)))
    assert message(body, 6, 32, cooperative=True) == (
        "kernel snn_test, 6 blocks of 32 threads: deadlock: threads wait for others that do not come\n"
        f"{said}; threads 1-31 have returned\n  and 2 more blocks")


GRID = """if (threadIdx.x == 0) {
snn_add_release(counter, 1);
while (snn_load_acquire(counter) < goal * gridDim.x)
snn_pause();
}
__syncthreads();"""


@pytest.mark.parametrize(("cooperative", "goal", "shown"), [(False, 1, (0,)), (True, 2, (0, 1))])
def test_a_barrier_of_the_grid_that_never_opens(cooperative: bool, goal: int, shown: tuple[int, ...]) -> None:
    """In a plain launch the second block does not start before the first one ends."""
    found = message(GRID, 2, cooperative=cooperative, parameters="unsigned* counter, unsigned goal",
                    args=(np.zeros(1, np.uint32), np.uint32(goal)))
    first, *rest = found.split("\n")
    assert first == "kernel snn_test, 2 blocks of 64 threads: deadlock: all that can go on wait for memory"
    waits = ("line 4 `while (snn_load_acquire(counter) < goal * gridDim.x)`", "line 5 `snn_pause();`")
    allowed = [[f"  block {block}: threads 0 try again and again in {what} at {line}; "
                "threads 1-63 wait in __syncthreads at line 7 `__syncthreads();`"
                for what, line in zip(("snn_load_acquire", "snn_pause"), waits, strict=True)] for block in shown]
    assert len(rest) == len(allowed) and all(line in lines for line, lines in zip(rest, allowed, strict=True))


def test_a_loop_that_waits_for_long_is_no_deadlock() -> None:
    body = """
        if (blockIdx.x == 0 && threadIdx.x == 0) while (snn_load_acquire(counter) == 0) snn_pause();
        for (int i = 0; i < 200000; ++i) __syncthreads();
        if (blockIdx.x == 1 && threadIdx.x == 0) snn_add_release(counter, 1);
    """
    source = f'extern "C" __global__ void snn_test(unsigned* counter) {{{body}}}'
    counter = np.zeros(1, np.uint32)
    PlainDevice().module(source, ("snn_test",))["snn_test"](2, 32, (counter,), cooperative=True)
    assert counter[0] == 1


def test_a_mask_that_leaves_lanes_out() -> None:
    assert message("out[0] = __shfl_sync(0xffffu, 1, 0);", 2, 32) == (
        "kernel snn_test, 2 blocks of 32 threads: not all lanes are in the mask\n"
        "  block 0: thread 0 in __shfl_sync at line 2 `out[0] = __shfl_sync(0xffffu, 1, 0);`")


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_wild_address() -> None:
    assert message("__syncthreads();\nif (threadIdx.x == 33) out[1ll << 40] = 1;") == (
        "kernel snn_test, 1 block of 64 threads: memory is used that it does not have\n"
        "  block 0: thread 33 at line 3 `if (threadIdx.x == 33) out[1ll << 40] = 1;`")


def test_a_division_by_zero() -> None:
    assert message("out[0] = 7 % out[0];", threads=32) == (
        "kernel snn_test, 1 block of 32 threads: a whole number is divided by zero\n"
        "  block 0: thread 0 at line 2 `out[0] = 7 % out[0];`")


def test_a_full_stack() -> None:
    body = "volatile int x[1 << 14];\nfor (int i = (1 << 14) - 1; i >= 0; --i) x[i] = i;\nout[0] = x[5];"
    assert message(body, threads=32) == (
        "kernel snn_test, 1 block of 32 threads: the stack is full\n"
        "  block 0: thread 0 at line 3 `for (int i = (1 << 14) - 1; i >= 0; --i) x[i] = i;`")


@pytest.mark.parametrize("place", ["16", "-1"])
def test_a_write_outside_of_shared_memory(place: str) -> None:
    assert message(f"SNN_SHARED(s);\nif (blockIdx.x == 1) s[{place}] = 0;", 3, shared=16) == (
        "kernel snn_test, 3 blocks of 64 threads: shared memory was written outside of its bounds\n  block 1")


def test_a_device_goes_on_after_a_failure() -> None:
    device, out = PlainDevice(), np.zeros(1, np.int32)
    message("out[0] = 7 / out[0];", device=device)
    message("if (threadIdx.x) __syncthreads();", device=device)
    source = 'extern "C" __global__ void snn_test(int* out) { atomicAdd(out, __syncthreads_count(1)); }'
    device.module(source, ("snn_test",))["snn_test"](2, 64, (out,))
    assert out[0] == 2 * 64 * 64


# --- launches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "problem"), [
    (dict(blocks=0), "0 blocks"),
    (dict(threads=48), "48 threads in a block, not a multiple of 32"),
    (dict(threads=0), "0 threads in a block, not a multiple of 32"),
    (dict(threads=2048), "2048 threads in a block, but the device has 1024 at most"),
    (dict(shared=300_000), "300000 bytes of shared memory, but a block has 232448 at most"),
    (dict(blocks=9, cooperative=True), "9 blocks that wait for each other, but the device runs 8 at a time"),
])
def test_a_launch_that_no_device_can_do(shape: dict[str, Any], problem: str) -> None:
    assert message("", device=PlainDevice(resident=8), **shape) == f"kernel snn_test is launched with {problem}"


@pytest.mark.parametrize("bound", ["128", "SNN_THREADS"])
def test_more_threads_than_a_kernel_was_compiled_for(bound: str) -> None:
    source = f'#define SNN_THREADS 128\nextern "C" __global__ void SNN_LAUNCH({bound})\nsnn_test(int* out) {{}}'
    run = PlainDevice().module(source, ("snn_test",))["snn_test"]
    run(1, 128, (np.zeros(1, np.int32),))
    with pytest.raises(KernelError) as caught:
        run(1, 160, (np.zeros(1, np.int32),))
    assert str(caught.value) == (
        "kernel snn_test is launched with 160 threads in a block, but it was compiled for 128 at most")


def test_a_device_without_cooperative_launches() -> None:
    limits = type(H200)(**{**H200.__dict__, "cooperative": False})
    assert message("", cooperative=True, device=PlainDevice(limits=limits)) == (
        "kernel snn_test is launched with a cooperative launch, which the device cannot do")


# --- arguments -------------------------------------------------------------------------------------------------------

EIGHT = np.zeros(8, np.float32)


@pytest.mark.parametrize(("parameter", "arg", "found"), [
    ("int x", 3, "builtins.int"),
    ("float x", 3.0, "builtins.float"),
    ("int x", np.int64(3), "int64"),
    ("unsigned x", np.int32(3), "int32"),
    ("unsigned long long x", np.uint64(3), "numpy.uint64"),
    ("bool x", np.bool_(True), "numpy.bool"),
    ("const int* x", EIGHT, "float32*"),
    ("double* x", EIGHT, "float32*"),
    ("float* x", EIGHT[::2], "an array with gaps"),
    ("float* x", [1.0], "builtins.list"),
    ("float* x", np.float32(1), "float32"),
    ("float x", EIGHT, "float32*"),
    ("void* x", np.int64(1), "int64"),
    ("struct Own* x", np.int64(1), "int64"),
])
def test_an_argument_of_another_type(parameter: str, arg: Any, found: str) -> None:
    types = {"int": "int32", "float": "float32", "unsigned": "uint32", "unsigned long long": "uint64", "bool": "bool",
             "const int*": "int32*", "double*": "float64*", "float*": "float32*", "void*": "any*", "struct Own*": "any*"}
    assert message("", parameters=f"int* out, {parameter}", args=(np.zeros(1, np.int32), arg)) == (
        f"kernel snn_test, argument 2: expected {types[parameter.removesuffix(' x')]}, found {found}")


def test_too_few_arguments() -> None:
    assert message("", parameters="const long long* x, float y") == (
        "kernel snn_test takes 2 arguments (int64*, float32), not 1")


def test_arguments_of_every_type_arrive() -> None:
    out = np.zeros(6)
    source = """extern "C" __global__ void snn_test(double* out, int a, long long b, unsigned c, float d, double e, void* f) {
        out[0] = a; out[1] = b; out[2] = c; out[3] = d; out[4] = e; out[5] = ((unsigned char*)f)[3];
    }"""
    args = (out, np.int32(-5), np.int64(-1 << 40), np.uint32(0xFFFFFFFF), np.float32(0.1), np.float64(0.1),
            np.arange(10, 20, dtype=np.uint8))
    PlainDevice().module(source, ("snn_test",))["snn_test"](1, 32, args)
    np.testing.assert_array_equal(out, [-5, -1 << 40, 0xFFFFFFFF, np.float32(0.1), 0.1, 13])


@pytest.mark.parametrize("dtype", [np.uint32, np.int32])
def test_elements_of_arrays_may_differ_in_sign(dtype: type) -> None:
    out = np.zeros(2, dtype)
    source = 'extern "C" __global__ void snn_test(int* a, unsigned* b) { a[0] = 1; b[1] = 2; }'
    PlainDevice().module(source, ("snn_test",))["snn_test"](1, 32, (out, out))
    np.testing.assert_array_equal(out, [1, 2])
