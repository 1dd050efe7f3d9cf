"""The few machine instructions that Numba does not offer: atomics for the barrier, prefetching, the bits of floats."""

from __future__ import annotations

import ctypes
import sys

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.cpu import CPUTargetOptions
from numba.core.options import TargetOptions
from numba.extending import intrinsic

from snnsim.backends.cpu.cache import compiled

# Numba's compiler has this flag (array arguments do not overlap) but its decorator does not name it. Without it LLVM
# tests for overlap at run time and gives up on loops over many arrays.
if not hasattr(CPUTargetOptions, "noalias"):
    CPUTargetOptions.noalias = TargetOptions.Mapping("noalias")

_I64, _I32 = ir.IntType(64), ir.IntType(32)


def _register_yield() -> None:
    """Give LLVM the address of the system call that lets another thread run."""
    library = ctypes.WinDLL("kernel32") if sys.platform == "win32" else ctypes.CDLL(None)  # type: ignore[attr-defined]
    call = library.SwitchToThread if sys.platform == "win32" else library.sched_yield
    llvm.add_symbol("snnsim_yield", ctypes.cast(call, ctypes.c_void_p).value)


_register_yield()


def _element(context, builder, array_type, array, index):  # type: ignore[no-untyped-def]
    view = context.make_array(array_type)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, array_type, view, [index], wraparound=False)


@intrinsic
def atomic_add(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """array[index] += value as one indivisible operation; returns the value before."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = _element(context, builder, signature.args[0], args[0], args[1])
        return builder.atomic_rmw("add", place, args[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), codegen


@intrinsic
def atomic_load(typingctx, array, index):  # type: ignore[no-untyped-def]
    """array[index], ordered before all later reads."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = _element(context, builder, signature.args[0], args[0], args[1])
        return builder.load_atomic(place, "seq_cst", 8)

    return types.int64(array, types.int64), codegen


@intrinsic
def atomic_store(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """array[index] = value, ordered after all earlier writes."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = _element(context, builder, signature.args[0], args[0], args[1])
        builder.store_atomic(args[2], place, "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), codegen


@intrinsic
def prefetch(typingctx, array, index):  # type: ignore[no-untyped-def]
    """Begin to load the cache line of array[index], which may lie beyond the end."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = _element(context, builder, signature.args[0], args[0], args[1])
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, keep, data = (ir.Constant(_I32, k) for k in (0, 3, 1))
        builder.call(function, [builder.bitcast(place, byte), read, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


@intrinsic
def yield_thread(typingctx):  # type: ignore[no-untyped-def]
    """Offer the processor to another thread."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_I32, ()), "snnsim_yield")
        builder.call(function, ())
        return context.get_dummy_value()

    return types.void(), codegen


def _bitcast(source, target, llvm_target):  # type: ignore[no-untyped-def]
    @intrinsic
    def cast(typingctx, value):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            return builder.bitcast(args[0], llvm_target)

        return target(source), codegen

    return cast


int_as_f32 = _bitcast(types.int32, types.float32, ir.FloatType())
int_as_f64 = _bitcast(types.int64, types.float64, ir.DoubleType())
f32_as_int = _bitcast(types.float32, types.int32, _I32)
f64_as_int = _bitcast(types.float64, types.int64, _I64)

_SPINS = 4000


@compiled()
def barrier(sync, threads):  # type: ignore[no-untyped-def]
    """Wait until all `threads` are here. sync: int64[>= 16], word 0 counts arrivals, word 8 the rounds passed.

    Spins first, then yields, so that it stays cheap when there are fewer cores than threads.
    """
    if threads == 1:
        return
    generation = atomic_load(sync, 8)
    if atomic_add(sync, 0, 1) == threads - 1:
        atomic_store(sync, 0, 0)
        atomic_store(sync, 8, generation + 1)
        return
    spins = 0
    while atomic_load(sync, 8) == generation:
        spins += 1
        if spins > _SPINS:
            yield_thread()
