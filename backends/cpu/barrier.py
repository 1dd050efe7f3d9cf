"""Where threads wait for each other: they spin for a while, then sleep on a condition variable of the system."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from snnsim.backends.cpu.cache import compiled
from snnsim.backends.cpu.intrinsics import atomic_add, atomic_load, atomic_store, element

_I64, _I32 = ir.IntType(64), ir.IntType(32)
_SLEEP = ("pthread_mutex_lock", "pthread_mutex_unlock", "pthread_cond_wait", "pthread_cond_broadcast")
_CAN_SLEEP = sys.platform != "win32"
_LOCK, _BELL = 40, 48   # words of the barrier that hold a mutex and a condition variable
SYNC_WORDS = 64


def _register() -> Any:
    """Give LLVM the addresses of the system calls with which threads wait for each other."""
    library = ctypes.CDLL(None) if _CAN_SLEEP else ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    for name in _SLEEP if _CAN_SLEEP else ("SwitchToThread",):
        llvm.add_symbol(f"snnsim_{name}", ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
    return library


_library = _register()


def open_barrier(sync: np.ndarray) -> None:
    """Make `sync`, int64 [SYNC_WORDS], a barrier that nobody waits at."""
    sync[:] = 0
    if _CAN_SLEEP:
        _library.pthread_mutex_init(ctypes.c_void_p(sync[_LOCK:].ctypes.data), None)
        _library.pthread_cond_init(ctypes.c_void_p(sync[_BELL:].ctypes.data), None)


def _system_call(name, places):  # type: ignore[no-untyped-def]
    """A call with the addresses of words of an array."""

    def emit(context, builder, array_type, array):  # type: ignore[no-untyped-def]
        words = [ir.Constant(_I64, place) for place in places]
        pointers = [element(context, builder, array_type, array, word) for word in words]
        kind = ir.FunctionType(_I32, [p.type for p in pointers])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, f"snnsim_{name}"), pointers)
        return context.get_dummy_value()

    @intrinsic
    def call(typingctx, array):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            return emit(context, builder, signature.args[0], args[0])

        return types.void(array), codegen

    return call


if _CAN_SLEEP:
    _lock, _unlock = _system_call("pthread_mutex_lock", [_LOCK]), _system_call("pthread_mutex_unlock", [_LOCK])
    _sleep, _wake = _system_call("pthread_cond_wait", [_BELL, _LOCK]), _system_call("pthread_cond_broadcast", [_BELL])
else:
    _yield = _system_call("SwitchToThread", [])


# Some tenths of a millisecond: longer than waking takes, or one late thread would have them all sleep in turns.
_SPINS = 400_000


@compiled()
def arrive(sync, threads):  # type: ignore[no-untyped-def]
    """Say that this thread is here; returns what ``wait`` needs. sync: see ``open_barrier``.

    Word 0 counts arrivals, word 8 the rounds passed.
    """
    generation = atomic_load(sync, 8)
    if threads > 1 and atomic_add(sync, 0, 1) == threads - 1:
        atomic_store(sync, 0, 0)
        _release(sync, generation + 1)
    return generation


@compiled()
def arrive_first(sync, threads):  # type: ignore[no-untyped-def]
    """As ``arrive``, but the last one leaves the others waiting until it calls ``release``; returns whether it is."""
    generation = atomic_load(sync, 8)
    if threads > 1 and atomic_add(sync, 0, 1) != threads - 1:
        return generation, False
    atomic_store(sync, 0, 0)
    return generation, True


@compiled()
def release(sync, threads, generation):  # type: ignore[no-untyped-def]
    """Let the threads go on that have arrived."""
    if threads > 1:
        _release(sync, generation + 1)


@compiled()
def wait(sync, threads, generation):  # type: ignore[no-untyped-def]
    """Wait until all `threads` have arrived.

    Spins first, then sleeps. A thread that only yielded would hand a whole slice of time to whatever else runs, at
    every meeting: on a busy machine that is a hundred times slower.
    """
    if threads == 1:
        return
    for _ in range(_SPINS):
        if atomic_load(sync, 8) != generation:
            return
    _wait(sync, generation)


@compiled()
def barrier(sync, threads):  # type: ignore[no-untyped-def]
    """Meet with the other threads."""
    wait(sync, threads, arrive(sync, threads))


if _CAN_SLEEP:
    @compiled()
    def _release(sync, generation):  # type: ignore[no-untyped-def]
        _lock(sync)
        atomic_store(sync, 8, generation)
        _wake(sync)
        _unlock(sync)

    @compiled()
    def _wait(sync, generation):  # type: ignore[no-untyped-def]
        _lock(sync)
        while atomic_load(sync, 8) == generation:
            _sleep(sync)
        _unlock(sync)
else:
    @compiled()
    def _release(sync, generation):  # type: ignore[no-untyped-def]
        atomic_store(sync, 8, generation)

    @compiled()
    def _wait(sync, generation):  # type: ignore[no-untyped-def]
        while atomic_load(sync, 8) == generation:
            _yield(sync)
