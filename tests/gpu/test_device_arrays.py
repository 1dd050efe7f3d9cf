"""Arrays of a device without a GPU refuse what CuPy refuses, and count how often the host waits."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gpu.device_arrays import GIVEN, METHODS, ONLY_METHODS, WANTED, DeviceArray
from gpu.device_functions import FUNCTIONS, NUMBER, REAL_SUM, UFUNCS, Namespace
from gpu.engines import STRATEGIES, engine_of, lists, plan_of
from gpu.gxx import needs_gxx
from gpu.host import HostDevice
from numpy.testing import assert_array_equal

from snnsim.lowering import make_plan

HOST = np.arange(6, dtype=np.int32)
MANY = "several values for one element of an array of the device: any of them may stay"
ITSELF = "an array of the device is copied onto another part of itself: copy it first"


@pytest.fixture
def xp() -> Namespace:
    return Namespace()


def numbers(xp: Namespace, dtype: Any = np.int32) -> DeviceArray:
    """0 to 5."""
    return xp.arange(6, dtype=dtype)


def put(array: DeviceArray, key: Any, value: Any) -> None:
    array[key] = value


def add_to(array: Any, value: Any) -> None:
    array += value


REFUSED: dict[str, tuple[Callable[[Namespace, DeviceArray], Any], str]] = {
    "right": (lambda xp, a: a + HOST, GIVEN), "left": (lambda xp, a: HOST + a, GIVEN),
    "compared": (lambda xp, a: a == HOST, GIVEN), "indexed": (lambda xp, a: a[HOST], GIVEN),
    "masked": (lambda xp, a: a[HOST > 2], GIVEN), "listed": (lambda xp, a: a[[0, 1]], GIVEN),
    "written": (lambda xp, a: put(a, ..., HOST), GIVEN), "written at": (lambda xp, a: put(a, HOST, 1), GIVEN),
    "in place": (lambda xp, a: add_to(a, HOST), GIVEN), "function": (lambda xp, a: xp.cumsum(HOST), GIVEN),
    "second": (lambda xp, a: xp.searchsorted(a, HOST), GIVEN), "joined": (lambda xp, a: xp.concatenate([a, HOST]), GIVEN),
    "ufunc": (lambda xp, a: xp.maximum(a, HOST), GIVEN), "repeats": (lambda xp, a: a.repeat(HOST), GIVEN),
    "asarray": (lambda xp, a: np.asarray(a), WANTED), "array": (lambda xp, a: np.array([a, a]), WANTED),
    "put on host": (lambda xp, a: put(np.zeros(6), ..., a), WANTED), "host index": (lambda xp, a: HOST[a], WANTED),
    "scalar": (lambda xp, a: np.int64(a[0]), WANTED), "host in place": (lambda xp, a: add_to(HOST.copy(), a), f"numpy.add: {WANTED}"),
    "numpy": (lambda xp, a: np.cumsum(a), f"numpy.cumsum: {WANTED}"), "at": (lambda xp, a: np.add.at(a, 0, 1), f"numpy.add: {WANTED}"),
    "size": (lambda xp, a: xp.zeros(a[3]), NUMBER), "end": (lambda xp, a: xp.arange(0, a[3]), NUMBER),
    "sizes": (lambda xp, a: xp.zeros((2, a[3])), NUMBER),
    "shape": (lambda xp, a: a.reshape(a[2], 3), "'DeviceArray' object cannot be interpreted as an integer"),
    "range": (lambda xp, a: range(a[3]), "'DeviceArray' object cannot be interpreted as an integer"),
    "slice": (lambda xp, a: a[: a[3]], "slice indices must be integers or None or have an __index__ method"),
    "loop": (lambda xp, a: list(a), "a loop over the elements of an array of the device: device.download it"),
    "keys": (lambda xp, a: {a: 1}, "unhashable type: 'DeviceArray'"),
    "sum": (lambda xp, a: (a * 0.5).sum(), REAL_SUM), "cumsum": (lambda xp, a: xp.cumsum(a * 0.5), REAL_SUM),
    "weights": (lambda xp, a: xp.bincount(a, weights=a), REAL_SUM),
    "unstable": (lambda xp, a: a.argsort(kind="quicksort"), "argsort of CuPy is always stable: kind='quicksort'"),
    "option": (lambda xp, a: xp.sum(a, keepdims=True), "sum takes (a, axis, dtype), found 1 and ['keepdims']"),
    "lexsort": (lambda xp, a: xp.lexsort((a, a)), "lexsort of CuPy does not take tuple"),
    "one key": (lambda xp, a: xp.lexsort(a), "lexsort of CuPy takes one array [keys, elements]"),
    "found": (lambda xp, a: xp.searchsorted(a, np.int32(3)), "searchsorted of CuPy does not take int32"),
    "signs": (lambda xp, a: xp.searchsorted(a, a.astype(np.uint32)), "searchsorted of uint32 in int32: make them alike first"),
    "list": (lambda xp, a: xp.ravel([1, 2]), "ravel of CuPy does not take list"),
    "objects": (lambda xp, a: xp.zeros(2, object), "CuPy has no arrays of object"),
    "repeated": (lambda xp, a: put(a, xp.zeros(2, np.int32), xp.arange(2)), MANY),
    "repeated pairs": (lambda xp, a: put(a.reshape(2, 3), (xp.zeros(2, np.int32), 1), xp.arange(2)), MANY),
    "shifted": (lambda xp, a: put(a, slice(1, None), a[:-1]), ITSELF),
    "shifted at": (lambda xp, a: put(a, xp.arange(3), a[:3]), ITSELF),
    "shifted sum": (lambda xp, a: add_to(a[1:], a[:-1]), ITSELF),
    "narrowed": (lambda xp, a: add_to(a, 0.5), "add in place: float64 does not become int32"),
    "another device": (lambda xp, a: a + numbers(Namespace(1)), "an array of device 1 on device 0"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_gpu_would_refuse(xp: Namespace, what: str) -> None:
    """Mixing host and device, and what has no definite result, is refused with a reason; the array stays as it was."""
    run, text = REFUSED[what]
    array = numbers(xp)
    with pytest.raises(TypeError) as caught:
        run(xp, array)
    assert str(caught.value) == text
    assert_array_equal(array.host, HOST)


def test_what_is_not_in_the_tables(xp: Namespace) -> None:
    """It says where to add it."""
    for run, text in ((lambda: xp.einsum, "einsum is not in FUNCTIONS of tests/gpu/device_functions.py; if CuPy has it, add it"),
                      (lambda: np.exp(numbers(xp)), "exp is not in FUNCTIONS of tests/gpu/device_functions.py; if CuPy has it, add it"),
                      (lambda: numbers(xp).ptp, "ptp is not in METHODS of tests/gpu/device_arrays.py; if arrays of CuPy have it, add it")):
        with pytest.raises(AttributeError) as caught:
            run()
        assert str(caught.value) == text


def test_one_element_is_a_view(xp: Namespace) -> None:
    """As in CuPy, where NumPy would give a number."""
    array = numbers(xp)
    third = array[3]
    array[3] = 50
    assert (third.shape, int(third), third.dtype) == ((), 50, np.int32)


SAME: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda xp, a: a.sum(), "sums": lambda xp, a: xp.sum(a.reshape(2, 3), axis=1, dtype=np.int32),
    "numbers": lambda xp, a: np.int64(2) - 3 * a // 2 % 5, "bits": lambda xp, a: ~a & 5 | a << 3 ^ 1,
    "reals": lambda xp, a: -(a / 4).astype(np.float32) * 0.5, "turned": lambda xp, a: a.reshape(2, -1).T[1:, ::-1],
    "masked": lambda xp, a: a[(a > 1) & (a != 4)], "taken": lambda xp, a: a[xp.arange(3) * 2], "new": lambda xp, a: a[None, 2:],
    "where": lambda xp, a: xp.where(a < 2, a, 9), "sorted": lambda xp, a: a[xp.argsort(a % 3, kind="stable")],
    "lexsort": lambda xp, a: xp.lexsort(xp.stack([a, a % 2])), "searched": lambda xp, a: xp.searchsorted(a, a[::-1], side="right"),
    "counted": lambda xp, a: xp.bincount(a // 2, minlength=9), "joined": lambda xp, a: xp.concatenate([a, a.view(np.uint32)]),
    "repeated": lambda xp, a: xp.repeat(a, 2), "most": lambda xp, a: xp.maximum(a, 3).max(), "any": lambda xp, a: (a > 4).any(),
    "full": lambda xp, a: xp.full((2, 2), 7, np.uint16), "nonzero": lambda xp, a: a.nonzero()[0],
}


@pytest.mark.parametrize("what", SAME)
def test_the_numbers_of_numpy(xp: Namespace, what: str) -> None:
    """Values, types and shapes are NumPy's."""
    expected, found = np.asarray(SAME[what](np, HOST)), SAME[what](xp, numbers(xp))
    assert (expected.dtype, expected.shape) == (found.dtype, found.shape)
    assert_array_equal(expected, found.host)


def test_writing(xp: Namespace) -> None:
    """Numbers, arrays of another type, at indices, by masks and in place."""
    array, other = numbers(xp), numbers(xp)
    array[...] = 2 * other + 0.5
    array[xp.arange(2)] = np.array(7)
    array[other == 3] = -1
    array[4:] += other[:2]
    assert_array_equal(array.host, [7, 7, 4, -1, 8, 11])
    array.fill(8)
    assert_array_equal(array.host, np.full(6, 8))
    array |= np.int32(1)
    assert_array_equal(array.host, np.full(6, 9))
    assert array.copy().host is not array.host and array.astype(np.int32, copy=False).host is array.host


def test_single_precision_has_no_denormal_numbers(xp: Namespace) -> None:
    """Arithmetic and conversions make them zeros with their sign; copies keep them."""
    tiny = np.array([1e-40, -1e-40, 1], np.float32)
    array, none = DeviceArray(tiny, xp), np.array([0, -0.0, 1], np.float32)
    written = xp.zeros(3, np.float32)
    written[...] = array.astype(np.float64)
    for found in (array * 1, 1 * array, array.astype(np.float64).astype(np.float32), written):
        assert_array_equal(found.host.view(np.int32), none.view(np.int32))
    assert_array_equal((array > 0).host, [False, False, True])
    written[...] = array
    for found in (array.copy(), array[:], xp.where(array == 1, array, array), written):
        assert_array_equal(found.host, tiny)


def test_empty_arrays_hold_junk(xp: Namespace) -> None:
    """What is not written does not look like zero."""
    assert xp.empty((2, 3), np.int32).host.all()


def test_waits_are_counted() -> None:
    """Whatever makes the host wait for a number or a size."""
    device = HostDevice()
    array = device.upload(HOST)
    assert int(array.sum()) + float(array[0]) + bool(array.any()) + array[1].item() == 17
    assert len(xp_nonzero := array.nonzero()) == 1 and xp_nonzero[0].size == 5
    array.repeat(2), array.repeat(array), array[array > 2]
    device.download(array)
    device.synchronize()
    assert device.xp.waits == {"upload": 1, "int": 1, "float": 1, "bool": 1, "item": 1, "nonzero": 1, "repeat": 1, "mask": 1,
                               "download": 1, "synchronize": 1}


def test_captures_take_launches_only() -> None:
    """What else is asked of the device meanwhile would be lost, or end the capture."""
    device = HostDevice()
    array = device.upload(HOST)
    for run in (lambda: array + 1, lambda: put(array, 0, 1), lambda: device.xp.zeros(2), lambda: int(array[0]),
                lambda: device.download(array), lambda: device.upload(HOST), device.synchronize):
        with pytest.raises(TypeError) as caught:
            device.capture(run)
        assert str(caught.value) == "an array of the device is used while launches are captured"
    assert int(array[1]) == 1


def test_what_a_device_takes() -> None:
    """Arrays of the host to upload, of the device for everything else; without elements there is no address."""
    device = HostDevice()
    array = device.upload(HOST)
    for run, text in ((lambda: device.upload(array), "expected an array of NumPy, found DeviceArray"),
                      (lambda: device.download(HOST), GIVEN), (lambda: device.address(HOST), GIVEN),
                      (lambda: device.download(numbers(Namespace(1))), "an array of device 1 on device 0")):
        with pytest.raises(TypeError) as caught:
            run()
        assert str(caught.value) == text
    assert device.address(array[1:]) == device.address(array) + 4
    assert device.address(device.xp.zeros(0)) == 0


@needs_gxx
def test_kernels_take_arrays_of_the_device() -> None:
    """Those without elements have no address; those of NumPy are refused."""
    device = HostDevice()
    source = 'extern "C" __global__ void snn_none(const int* x, int* out) { out[threadIdx.x] = x == nullptr; }'
    kernel, out = device.module(source, ("snn_none",))["snn_none"], device.xp.zeros(32, np.int32)
    kernel(1, 32, (device.xp.zeros(0, np.int32), out))
    assert bool(out.all())
    with pytest.raises(TypeError) as caught:
        kernel(1, 32, (HOST, out))
    assert str(caught.value) == GIVEN


# --- CuPy --------------------------------------------------------------------------------------------------------------


def test_the_tables_are_of_cupy() -> None:
    """The installed CuPy has the functions with these parameters in their order, the methods and the ufuncs."""
    cupy = pytest.importorskip("cupy")
    for name, parameters in FUNCTIONS.items():
        order = [*inspect.signature(getattr(cupy, name)).parameters]
        assert sorted(parameters.split(), key=order.index) == parameters.split(), name
    assert [name for name in METHODS | ONLY_METHODS if not hasattr(cupy.ndarray, name)] == []
    assert [name for name in UFUNCS if not isinstance(getattr(cupy, name), cupy.ufunc)] == []
    assert not hasattr(cupy.ndarray, "__index__")


@pytest.mark.gpu
def test_the_numbers_of_cupy() -> None:
    """Where there is a GPU: values and types are the same, and denormal numbers become zeros."""
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device")
    for what, run in SAME.items():
        expected, found = np.asarray(run(np, HOST)), run(cupy, cupy.arange(6, dtype=np.int32))
        assert (expected.dtype, expected.shape) == (found.dtype, found.shape), what
        assert_array_equal(expected, found.get(), what)
    tiny = cupy.array(np.array([1e-40, -1e-40], np.float32))
    assert_array_equal((tiny * np.float32(1)).get().view(np.int32), np.array([0, -0.0], np.float32).view(np.int32))


# --- the engine --------------------------------------------------------------------------------------------------------


@needs_gxx
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_chunk_waits_a_few_times(strategy: str) -> None:
    """Once for how many spikes there are, and once for the spikes, however many steps there are."""
    for steps in (20, 100):
        engine = engine_of(make_plan(lists()), strategy)
        engine.device.xp.waits.clear()
        assert engine.advance(steps).unit.size
        assert engine.device.xp.waits == {"download": 2}


@needs_gxx
def test_traces_wait_for_each() -> None:
    """The table is uploaded once, and each trace downloaded."""
    engine = engine_of(plan_of("given"))
    engine.device.xp.waits.clear()
    assert engine.advance(100).unit.size
    assert engine.device.xp.waits == {"download": 2 + 2, "upload": 1}
