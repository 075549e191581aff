"""Loads and stores of vectors, and of single elements without a look at the index."""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.errors import TypingError

from nn.fast.simd.types import (
    I8,
    I32,
    VectorType,
    index_of,
    intp,
    intrinsic,
    ir_of,
    load_at,
    pointer_to,
    store_at,
    vector_of,
)


def _check_value(name: str, array: Any, value: Any) -> None:
    if not isinstance(value, VectorType) or vector_of(array).dtype != value.dtype:
        raise TypingError(f"simd.{name}: expected a vector of {array.dtype}, received {value}.")


@intrinsic
def load(typingctx: Any, array: Any, index: Any, lanes: Any = types.none) -> Any:
    """Return the elements from ``index`` on: ``array.flat[index : index + 8]``, or 16."""
    vector = vector_of(array, lanes)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        start = index_of(context, builder, args[1], sig.args[1])
        return load_at(builder, pointer, start, ir_of(context, vector))

    return vector(array, index, lanes), codegen


@intrinsic
def load_part(typingctx: Any, array: Any, index: Any, count: Any, lanes: Any = types.none) -> Any:
    """Return ``count`` (1 to 8, or 16) elements and zeros behind; reads nothing beyond."""
    vector = vector_of(array, lanes)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        start = index_of(context, builder, args[1], sig.args[1])
        count = index_of(context, builder, args[2], sig.args[2])
        kind = ir_of(context, vector)
        last = builder.sub(count, intp(1))
        value = ir.Constant(kind, [0.0] * vector.lanes)
        for lane in range(vector.lanes):
            inside = builder.icmp_signed("<", intp(lane), count)
            offset = builder.select(inside, intp(lane), last)
            item = builder.load(builder.gep(pointer, [builder.add(start, offset)]))
            item = builder.select(inside, item, ir.Constant(kind.element, 0.0))
            value = builder.insert_element(value, item, I32(lane))
        return value

    return vector(array, index, count, lanes), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write all lanes: ``array.flat[index : index + 8] = value``, or 16."""
    _check_value("store", array, value)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        store_at(builder, pointer, index_of(context, builder, args[1], sig.args[1]), args[2])
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def store_part(typingctx: Any, array: Any, index: Any, value: Any, count: Any) -> Any:
    """Write the first ``count`` lanes (0 to all) and touch nothing behind them."""
    _check_value("store_part", array, value)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        start = index_of(context, builder, args[1], sig.args[1])
        count = index_of(context, builder, args[3], sig.args[3])
        for lane in range(value.lanes):
            with builder.if_then(builder.icmp_signed("<", intp(lane), count)):
                address = builder.gep(pointer, [builder.add(start, intp(lane))])
                builder.store(builder.extract_element(args[2], I32(lane)), address)
        return context.get_dummy_value()

    return types.void(array, index, value, count), codegen


@intrinsic
def store_bytes(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write lanes that hold 0.0 to 255.0 as uint8: ``array.flat[...] = value``."""
    if not isinstance(array, types.Array) or array.dtype != types.uint8 or array.layout != "C":
        raise TypingError(f"simd.store_bytes: expected a contiguous uint8 array, received {array}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        whole = builder.fptosi(args[2], ir.VectorType(I32, value.lanes))
        small = builder.trunc(whole, ir.VectorType(I8, value.lanes))
        start = index_of(context, builder, args[1], sig.args[1])
        address = builder.bitcast(builder.gep(pointer, [start]), small.type.as_pointer())
        builder.store(small, address).align = 1
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def get(typingctx: Any, array: Any, index: Any) -> Any:
    """Return one element, ``array.flat[index]``, of any dtype, without the wrap-around test."""
    if not isinstance(array, types.Array) or array.layout != "C":
        raise TypingError(f"simd.get: expected a C-contiguous array, received {array}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        start = index_of(context, builder, args[1], sig.args[1])
        return context.unpack_value(builder, sig.args[0].dtype, builder.gep(pointer, [start]))

    return array.dtype(array, index), codegen


@intrinsic
def put(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Set one element, ``array.flat[index] = value``, of any dtype, without the wrap-around."""
    if not isinstance(array, types.Array) or array.layout != "C":
        raise TypingError(f"simd.put: expected a C-contiguous array, received {array}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        start = index_of(context, builder, args[1], sig.args[1])
        item = context.cast(builder, args[2], sig.args[2], sig.args[0].dtype)
        context.pack_value(builder, sig.args[0].dtype, item, builder.gep(pointer, [start]))
        return context.get_dummy_value()

    return types.void(array, index, value), codegen
