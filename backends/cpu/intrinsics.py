"""The few machine instructions that Numba does not offer: atomics, views of memory, prefetching, the bits of floats."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.cpu import CPUTargetOptions
from numba.core.errors import TypingError
from numba.core.options import TargetOptions
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype

# Numba's compiler has this flag (array arguments do not overlap) but its decorator does not name it. Without it LLVM
# tests for overlap at run time and gives up on loops over many arrays.
if not hasattr(CPUTargetOptions, "noalias"):
    CPUTargetOptions.noalias = TargetOptions.Mapping("noalias")

_I64, _I32 = ir.IntType(64), ir.IntType(32)
TABLE_WIDTH = 4     # words of a row that says where an array is: its address and up to three sizes


def element(context, builder, array_type, array, index):  # type: ignore[no-untyped-def]
    """The address of array[index], for an intrinsic."""
    view = context.make_array(array_type)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, array_type, view, [index], wraparound=False)


@intrinsic
def atomic_add(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """array[index] += value as one indivisible operation; returns the value before."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = element(context, builder, signature.args[0], args[0], args[1])
        return builder.atomic_rmw("add", place, args[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), codegen


@intrinsic
def atomic_load(typingctx, array, index):  # type: ignore[no-untyped-def]
    """array[index], ordered before all later reads."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = element(context, builder, signature.args[0], args[0], args[1])
        return builder.load_atomic(place, "seq_cst", 8)

    return types.int64(array, types.int64), codegen


@intrinsic
def atomic_store(typingctx, array, index, value):  # type: ignore[no-untyped-def]
    """array[index] = value, ordered after all earlier writes."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = element(context, builder, signature.args[0], args[0], args[1])
        builder.store_atomic(args[2], place, "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), codegen


@intrinsic
def piece(typingctx, array, first, n):  # type: ignore[no-untyped-def]
    """array[first : first + n] of an array of one dimension, not tested: a slice takes long to compile."""
    return types.Array(array.dtype, 1, "C")(array, types.int64, types.int64), _piece


@intrinsic
def rows_piece(typingctx, array, first, rows, n):  # type: ignore[no-untyped-def]
    """array[first : first + rows * n], of one dimension, as [rows, n]."""
    return types.Array(array.dtype, 2, "C")(array, types.int64, types.int64, types.int64), _piece


def _piece(context, builder, signature, args):  # type: ignore[no-untyped-def]
    array, first, *shape = args
    data = element(context, builder, signature.args[0], array, first)
    return _array(context, builder, signature.return_type, data, shape)


def _array(context, builder, kind, data, shape):  # type: ignore[no-untyped-def]
    """A contiguous array that others own."""
    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    strides = [ir.Constant(_I64, size)]
    for n in reversed(shape[1:]):
        strides.insert(0, builder.mul(n, strides[0]))
    made = context.make_array(kind)(context, builder)
    populate_array(made, data, shape, strides, size, meminfo=None)
    return made._getvalue()


def array_at(dtype: str, ndim: int) -> Any:
    """A function of a table, int64 [rows * 4], and a number of a row: the array with that address and shape there."""
    kind = types.Array(from_dtype(np.dtype(dtype)), ndim, "C")

    @intrinsic
    def view(typingctx, table, row):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            first = builder.mul(args[1], ir.Constant(_I64, TABLE_WIDTH))
            place, *shape = (builder.load(element(context, builder, signature.args[0], args[0],
                                                   builder.add(first, ir.Constant(_I64, k)))) for k in range(ndim + 1))
            data = builder.inttoptr(place, context.get_data_type(kind.dtype).as_pointer())
            return _array(context, builder, kind, data, shape)

        return kind(table, types.int64), codegen

    return view


def by_address(address, arguments, expected, result):  # type: ignore[no-untyped-def]
    """What an intrinsic returns that calls a compiled function by its address.

    address, arguments: types; expected: names of those for which the function was compiled; result: type.
    """
    if (found := tuple(map(str, arguments))) != expected:
        raise TypingError(f"a function for {expected} is called with {found}")

    def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
        kind = context.call_conv.get_function_type(result, arguments)
        place = builder.inttoptr(values[0], kind.as_pointer())
        status, found = context.call_conv.call_function(builder, place, result, arguments, values[1:])
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return found

    return result(address, *arguments), codegen


@intrinsic
def call_out(typingctx, address, value):  # type: ignore[no-untyped-def]
    """What the C function ``int64_t f(int64_t)`` at an address returns."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = builder.inttoptr(args[0], ir.FunctionType(_I64, [_I64]).as_pointer())
        return builder.call(place, [args[1]])

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def prefetch(typingctx, array, index):  # type: ignore[no-untyped-def]
    """Begin to load the cache line of array[index], which may lie beyond the end."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = element(context, builder, signature.args[0], args[0], args[1])
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, keep, data = (ir.Constant(_I32, k) for k in (0, 3, 1))
        builder.call(function, [builder.bitcast(place, byte), read, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


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
