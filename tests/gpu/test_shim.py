"""The shim does what CUDA says that its words do, and names what no kernel may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gpu.gxx import CompileError, needs_gxx
from gpu.host import PlainDevice

pytestmark = needs_gxx

LANE = np.arange(32)
Launch = Callable[..., None]


@pytest.fixture
def device() -> PlainDevice:
    return PlainDevice()


def kernel(device: PlainDevice, parameters: str, body: str, bound: str = "") -> Launch:
    """A kernel ``snn_test`` with this body."""
    source = f'extern "C" __global__ void {bound} snn_test({parameters}) {{\n{body}\n}}\n'
    return device.module(source, ("snn_test",))["snn_test"]


def per_thread(device: PlainDevice, expression: str, dtype: Any = np.int32, ctype: str = "int", threads: int = 32,
               given: np.ndarray | None = None) -> np.ndarray:
    """The value of an expression for each thread of a block, of `x` if `given` holds one for each."""
    x = np.zeros(threads, dtype) if given is None else given
    out = np.zeros(threads, dtype)
    run = kernel(device, f"const {ctype}* xs, {ctype}* out",
                 f"const unsigned i = threadIdx.x; const {ctype} x = xs[i]; out[i] = {expression};")
    run(1, threads, (x, out))
    return out


# --- where a thread is -----------------------------------------------------------------------------------------------


def test_a_thread_knows_its_number_its_block_and_how_many_there_are(device: PlainDevice) -> None:
    out = np.zeros((3, 64, 4), np.int32)
    kernel(device, "int* out", """
        int* mine = out + 4 * (blockIdx.x * blockDim.x + threadIdx.x);
        mine[0] = blockIdx.x; mine[1] = threadIdx.x; mine[2] = blockDim.x; mine[3] = gridDim.x;
    """)(3, 64, (out,))
    expected = [[(block, thread, 64, 3) for thread in range(64)] for block in range(3)]
    np.testing.assert_array_equal(out, expected)


# --- warps -----------------------------------------------------------------------------------------------------------


def test_a_ballot_has_a_bit_for_each_lane(device: PlainDevice) -> None:
    out = per_thread(device, "__ballot_sync(0xffffffffu, i % 3 == 0)", np.uint32, "unsigned", threads=64)
    bits = [sum(1 << lane for lane in range(32) if (lane + 32 * warp) % 3 == 0) for warp in range(2)]
    np.testing.assert_array_equal(out, np.repeat(bits, 32))


@pytest.mark.parametrize(("condition", "some", "every"), [("i < 0", 0, 0), ("i == 31", 1, 0), ("i >= 0", 1, 1)])
def test_any_and_all_ask_the_lanes(device: PlainDevice, condition: str, some: int, every: int) -> None:
    condition = condition.replace("i", "(int)i")
    out = per_thread(device, f"2 * __any_sync(~0u, {condition}) + __all_sync(~0u, {condition})")
    np.testing.assert_array_equal(out, 2 * some + every)


@pytest.mark.parametrize(("dtype", "ctype"), [
    (np.int32, "int"), (np.uint32, "unsigned"), (np.int64, "long long"), (np.float32, "float"), (np.float64, "double"),
])
@pytest.mark.parametrize(("shuffle", "source"), [
    ("__shfl_sync(~0u, x, 5)", np.full(32, 5)),
    ("__shfl_sync(~0u, x, (int)i + 30)", (LANE + 30) % 32),
    ("__shfl_up_sync(~0u, x, 3)", np.where(LANE >= 3, LANE - 3, LANE)),
    ("__shfl_up_sync(~0u, x, 32)", LANE),
    ("__shfl_down_sync(~0u, x, 7)", np.where(LANE + 7 < 32, LANE + 7, LANE)),
    ("__shfl_down_sync(~0u, x, 0xffffffffu)", LANE),
])
def test_a_shuffle_takes_the_value_of_another_lane(device: PlainDevice, shuffle: str, source: np.ndarray,
                                                   dtype: Any, ctype: str) -> None:
    given = (np.arange(64) * 1.5 - 7).astype(dtype)
    if np.issubdtype(dtype, np.int64):
        given *= 1 << 33
    out = per_thread(device, shuffle, dtype, ctype, 64, given)
    np.testing.assert_array_equal(out, np.concatenate([given[source], given[32 + source]]))


def test_shuffles_one_after_the_other_do_not_mix(device: PlainDevice) -> None:
    given = np.arange(32, dtype=np.int32) ** 2
    for seed in range(5):
        out = per_thread(PlainDevice(seed=seed), """[&] {
            int sum = x;
            for (int by = 1; by < 32; by *= 2) { int other = __shfl_up_sync(~0u, sum, by); if (i >= by) sum += other; }
            return sum;
        }()""", given=given)
        np.testing.assert_array_equal(out, np.cumsum(given))


# --- blocks ----------------------------------------------------------------------------------------------------------


def test_a_barrier_counts_votes(device: PlainDevice) -> None:
    out = per_thread(device, "1000 * __syncthreads_or(i == 99) + 100 * (__syncthreads_or(i == 9) != 0) + "
                     "__syncthreads_count(i % 2 ? 5 : 0)", threads=64)
    np.testing.assert_array_equal(out, 132)


@pytest.mark.parametrize("seed", range(4))
def test_what_was_written_before_a_barrier_is_read_after_it(seed: int) -> None:
    out = np.zeros(96, np.int32)
    kernel(PlainDevice(seed=seed), "int* out", """
        SNN_SHARED(memory);
        int* s = (int*)memory;
        s[threadIdx.x] = threadIdx.x * threadIdx.x;
        for (int k = 0; k < 3; ++k) {
            __syncthreads();
            const int next = s[(threadIdx.x + 1) % blockDim.x];
            __syncthreads();
            s[threadIdx.x] = next;
        }
        out[threadIdx.x] = s[threadIdx.x];
    """)(1, 96, (out,), shared=96 * 4)
    np.testing.assert_array_equal(out, (np.arange(96) + 3) % 96 * ((np.arange(96) + 3) % 96))


def test_shared_memory_is_not_zero_at_the_start_of_a_block(device: PlainDevice) -> None:
    out = np.zeros(3, np.uint32)
    kernel(device, "unsigned* out", """
        SNN_SHARED(memory);
        unsigned* s = (unsigned*)memory;
        if (threadIdx.x == 0) { out[blockIdx.x] = s[3]; s[3] = 7; }
    """)(3, 32, (out,), shared=16)
    assert [hex(x) for x in out] == ["0xcbcbcbcb"] * 3


SUM = """
    SNN_SHARED(memory);
    int* total = (int*)memory;
    if (threadIdx.x == 0) *total = 0;
    __syncthreads();
    atomicAdd(total, x[blockIdx.x * blockDim.x + threadIdx.x]);
    __syncthreads();
    if (threadIdx.x == 0) { atomicAdd(counts, *total); atomicAdd(counts + 1, 1); }
"""


@pytest.mark.parametrize("cooperative", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_sum_by_atomics(seed: int, cooperative: bool) -> None:
    x, counts = np.arange(5 * 64, dtype=np.int32), np.zeros(2, np.int32)
    kernel(PlainDevice(seed=seed), "const int* x, int* counts", SUM)(5, 64, (x, counts), 4, cooperative)
    np.testing.assert_array_equal(counts, [x.sum(), 5])


# --- order -----------------------------------------------------------------------------------------------------------

TICKET = "order[atomicAdd(next, 1)] = blockIdx.x * blockDim.x + threadIdx.x;"
MEET_THEN_TICKET = f"__syncthreads(); {TICKET}"


def order_of(device: PlainDevice, body: str = TICKET, cooperative: bool = False) -> np.ndarray:
    order, count = np.zeros(4 * 32, np.int32), np.zeros(1, np.int32)
    kernel(device, "int* order, int* next", body)(4, 32, (order, count), cooperative=cooperative)
    return order


@pytest.mark.parametrize("body", [TICKET, MEET_THEN_TICKET])
@pytest.mark.parametrize("cooperative", [False, True])
def test_without_a_seed_threads_run_in_order(body: str, cooperative: bool) -> None:
    np.testing.assert_array_equal(order_of(PlainDevice(), body, cooperative), np.arange(128))


@pytest.mark.parametrize("body", [TICKET, MEET_THEN_TICKET])
@pytest.mark.parametrize("cooperative", [False, True])
def test_a_seed_shuffles_threads(body: str, cooperative: bool) -> None:
    order = order_of(PlainDevice(seed=1), body, cooperative)
    assert sorted(order) == list(range(128)) and list(order) != list(range(128))
    np.testing.assert_array_equal(order, order_of(PlainDevice(seed=1), body, cooperative))
    assert list(order) != list(order_of(PlainDevice(seed=2), body, cooperative))


def test_blocks_of_a_plain_launch_run_one_after_the_other_in_the_order_of_the_seed() -> None:
    found = set()
    for seed in range(1, 9):
        blocks = order_of(PlainDevice(seed=seed)).reshape(4, 32) // 32
        assert (blocks == blocks[:, :1]).all()
        found.add(tuple(blocks[:, 0]))
    assert len(found) > 3


def test_blocks_of_a_cooperative_launch_mix_with_a_seed() -> None:
    blocks = order_of(PlainDevice(seed=1), cooperative=True).reshape(4, 32) // 32
    assert all(len(set(row)) > 1 for row in blocks)


def test_each_launch_has_an_order_of_its_own() -> None:
    device = PlainDevice(seed=1)
    assert list(order_of(device)) != list(order_of(device))


# --- blocks that wait for each other ---------------------------------------------------------------------------------

GRID = """
    for (unsigned round = 1; round <= rounds; ++round) {
        for (int i = 0; i < 2; ++i) {
            const int from = (blockIdx.x + i) % gridDim.x;
            if (i == 0 && threadIdx.x == 0) values[round * gridDim.x + from] += round * from;
            if (i == 1 && threadIdx.x == 0) seen[round * gridDim.x + blockIdx.x] = values[round * gridDim.x + from];
            __syncthreads();
            if (threadIdx.x == 0) {
                snn_add_release(counter, 1);
                while (snn_load_acquire(counter) < ((round - 1) * 2 + i + 1) * gridDim.x) snn_pause();
            }
            __syncthreads();
        }
    }
"""


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("portable", [False, True])
def test_a_barrier_of_the_grid(seed: int, portable: bool) -> None:
    rounds, blocks = 20, 5
    values, seen = np.zeros((rounds + 1, blocks), np.int32), np.zeros((rounds + 1, blocks), np.int32)
    run = kernel(PlainDevice(seed=seed, portable=portable), "int* values, int* seen, unsigned* counter, unsigned rounds", GRID)
    run(blocks, 64, (values, seen, np.zeros(1, np.uint32), np.uint32(rounds)), cooperative=True)
    expected = np.arange(rounds + 1)[:, None] * np.arange(blocks)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(seen, np.roll(expected, -1, axis=1))


# --- numbers ---------------------------------------------------------------------------------------------------------

INTS = np.array([0, 1, -1, 2, 0x7FFFFFFF, -0x80000000, 12, 0x00F0F000], np.int32)


def bits(x: int) -> int:
    return int(x) & 0xFFFFFFFF


@pytest.mark.parametrize(("expression", "expected"), [
    ("__popc(x)", lambda x: bits(x).bit_count()),
    ("__ffs(x)", lambda x: (bits(x) & -bits(x)).bit_length()),
    ("__clz(x)", lambda x: 32 - bits(x).bit_length()),
    ("(int)__umulhi(x, 0xdeadbeefu)", lambda x: (bits(x) * 0xDEADBEEF) >> 32),
])
def test_bits_of_numbers(device: PlainDevice, expression: str, expected: Callable[[int], int]) -> None:
    given = np.resize(INTS, 32)
    found = per_thread(device, expression, given=given)
    np.testing.assert_array_equal(found.view(np.uint32), [expected(x) for x in given])


ATOMICS = [
    ("atomicAdd", lambda old, x: old + x), ("atomicMin", min), ("atomicMax", max), ("atomicExch", lambda old, x: x),
]


@pytest.mark.parametrize(("dtype", "ctype"), [
    (np.int32, "int"), (np.uint32, "unsigned"), (np.uint64, "unsigned long long"),
])
@pytest.mark.parametrize(("name", "result"), ATOMICS)
def test_an_atomic_operation_returns_what_was_there(device: PlainDevice, name: str, result: Callable[[int, int], int],
                                                    dtype: Any, ctype: str) -> None:
    size = np.iinfo(dtype)
    old = np.resize(np.array([size.max, 3, size.min, 7], dtype), 32)
    x = np.resize(np.array([5, 4, size.max], dtype), 32)
    place, out = old.copy(), np.zeros(32, dtype)
    kernel(device, f"{ctype}* place, const {ctype}* x, {ctype}* out",
           f"const int i = threadIdx.x; out[i] = {name}(place + i, x[i]);")(1, 32, (place, x, out))
    np.testing.assert_array_equal(out, old)
    exact = [result(int(a), int(b)) % (1 << size.bits) for a, b in zip(old, x, strict=True)]
    np.testing.assert_array_equal(place.astype(f"u{size.bits // 8}"), np.array(exact, f"u{size.bits // 8}"))


def test_compare_and_swap_and_or(device: PlainDevice) -> None:
    place, out = np.array([5, 6, 0b1100], np.uint32), np.zeros(3, np.uint32)
    kernel(device, "unsigned* place, unsigned* out", """
        if (threadIdx.x == 0) {
            out[0] = atomicCAS(place, 5u, 9u); out[1] = atomicCAS(place + 1, 5u, 9u); out[2] = atomicOr(place + 2, 6u);
        }
    """)(1, 32, (place, out))
    np.testing.assert_array_equal(place, [9, 6, 0b1110])
    np.testing.assert_array_equal(out, [5, 6, 0b1100])


def test_the_same_bits_as_another_type(device: PlainDevice) -> None:
    given = np.linspace(-3, 3, 32)
    assert per_thread(device, "__longlong_as_double(__double_as_longlong(x) ^ 1)", np.float64, "double", given=given).view(
        np.int64).tolist() == (given.view(np.int64) ^ 1).tolist()
    single = given.astype(np.float32)
    assert per_thread(device, "__int_as_float(__float_as_int(x) ^ 1)", np.float32, "float", given=single).view(
        np.int32).tolist() == (single.view(np.int32) ^ 1).tolist()


@pytest.mark.parametrize(("dtype", "ctype"), [(np.float32, "float"), (np.float64, "double")])
@pytest.mark.parametrize("name", ["floor", "sqrt", "fabs", "rint"])
@pytest.mark.parametrize("suffix", ["", "f"])
def test_functions_have_the_precision_of_their_argument(device: PlainDevice, name: str, suffix: str, dtype: Any,
                                                        ctype: str) -> None:
    given = np.abs(np.linspace(-4, 4, 32).astype(dtype)) * (1 if name == "sqrt" else -1)
    found = per_thread(device, f"{name}{suffix}(x) * ({ctype})3", dtype, ctype, given=given)
    narrow = given.astype(np.float32) if suffix else given
    np.testing.assert_array_equal(found, getattr(np, name)(narrow).astype(dtype) * dtype(3))


@pytest.mark.parametrize(("dtype", "ctype"), [(np.float32, "float"), (np.float64, "double")])
def test_a_product_is_rounded_before_it_is_added(device: PlainDevice, dtype: Any, ctype: str) -> None:
    """(1 + e)^2 - 1 - 2 e is e^2 with one rounding, and 0 with two."""
    x = dtype(1) + np.finfo(dtype).eps
    found = per_thread(device, f"x * x + ({ctype})-{float(x * x)!r}", dtype, ctype, given=np.full(32, x))
    np.testing.assert_array_equal(found, 0)


@pytest.mark.parametrize(("dtype", "ctype"), [(np.float32, "float"), (np.float64, "double")])
def test_denormal_numbers_stay(device: PlainDevice, dtype: Any, ctype: str) -> None:
    tiny = np.full(32, np.finfo(dtype).smallest_normal)
    found = per_thread(device, f"x / ({ctype})4", dtype, ctype, given=tiny)
    np.testing.assert_array_equal(found, tiny / dtype(4))
    assert (found > 0).all()


# --- what is not in the dialect --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [
    "int x = threadIdx.y;", "__shared__ int x[4];", "float x = 0; atomicAdd(&x, 1.0f);", "__threadfence();",
    "printf(\"x\");", "threadIdx.x = 3;", "double x = exp(1.0);", "int x = min(1, 2);",
    "unsigned long long x = 0; x = __shfl_sync(~0u, x, 0);",
    "asm volatile(\"ld.acquire.gpu.u32 %0, [%1];\");", "\n#include <cstdint>\n",
])
def test_the_rest_of_cuda_does_not_compile(device: PlainDevice, body: str) -> None:
    with pytest.raises(CompileError, match=r"g\+\+ does not compile this with the shim\n(.*\n)*.*[eE]rror"):
        kernel(device, "int* out", body)
