"""Loads and stores of vectors, and of single elements without a look at the index."""

from llvmlite import ir
from numba.core import types
from numba.core.errors import TypingError

from nn.fast.simd.types import (
    I8,
    I32,
    VectorType,
    constant,
    intrinsic,
    ir_of,
    load_at,
    operation,
    store_at,
    vector_of,
    word,
)


def _expect_value(name, array, value):
    if not isinstance(value, VectorType) or vector_of(array).dtype != value.dtype:
        raise TypingError(f"simd.{name}: expected a vector of {array.dtype}, received {value}.")


@intrinsic
def load(typingctx, array, index, lanes=types.none):
    """Return the elements from ``index`` on: ``array.flat[index : index + 8]``, or 16."""
    vector = vector_of(array, lanes)

    def emit(builder, array, index, lanes):
        return load_at(builder, array, index, ir_of(vector))

    return operation(vector, (array, index, lanes), emit)


@intrinsic
def load_part(typingctx, array, index, count, lanes=types.none):
    """Return ``count`` (from 1 on) elements and zeros behind; reads nothing beyond.

    If there are more than lanes, the first ones: an ordinary load.
    """
    vector = vector_of(array, lanes)

    def emit(builder, array, index, count, lanes):
        kind = ir_of(vector)
        with builder.if_else(builder.icmp_signed(">=", count, word(vector.lanes))) as (all_, some):
            with all_:
                whole, whole_block = load_at(builder, array, index, kind), builder.block
            with some:
                part = constant(kind, 0.0)
                zero, last = ir.Constant(kind.element, 0.0), builder.sub(count, word(1))
                for lane in range(vector.lanes):
                    inside = builder.icmp_signed("<", word(lane), count)
                    offset = builder.select(inside, word(lane), last)
                    item = builder.load(builder.gep(array, [builder.add(index, offset)]))
                    item = builder.select(inside, item, zero)
                    part = builder.insert_element(part, item, I32(lane))
                part_block = builder.block
        value = builder.phi(kind)
        value.add_incoming(whole, whole_block)
        value.add_incoming(part, part_block)
        return value

    return operation(vector, (array, index, count, lanes), emit)


@intrinsic
def store(typingctx, array, index, value):
    """Write all lanes: ``array.flat[index : index + 8] = value``, or 16."""
    _expect_value("store", array, value)
    return operation(types.void, (array, index, value), store_at)


@intrinsic
def store_part(typingctx, array, index, value, count):
    """Write the first ``count`` lanes, all if it is larger, and touch nothing behind them."""
    _expect_value("store_part", array, value)

    def emit(builder, array, index, value, count):
        whole = builder.icmp_signed(">=", count, word(value.type.count))
        with builder.if_else(whole) as (all_, some):
            with all_:
                store_at(builder, array, index, value)
            with some:
                for lane in range(value.type.count - 1):
                    with builder.if_then(builder.icmp_signed("<", word(lane), count)):
                        address = builder.gep(array, [builder.add(index, word(lane))])
                        builder.store(builder.extract_element(value, I32(lane)), address)

    return operation(types.void, (array, index, value, count), emit)


@intrinsic
def store_bytes(typingctx, array, index, value):
    """Write lanes that hold 0.0 to 255.0 as uint8: ``array.flat[...] = value``."""
    if not isinstance(array, types.Array) or array.dtype != types.uint8 or array.layout != "C":
        raise TypingError(f"simd.store_bytes: expected a contiguous uint8 array, received {array}.")

    def emit(builder, array, index, value):
        whole = builder.fptosi(value, ir.VectorType(I32, value.type.count))
        small = builder.trunc(whole, ir.VectorType(I8, value.type.count))
        store_at(builder, array, index, small)

    return operation(types.void, (array, index, value), emit)


@intrinsic
def get(typingctx, array, index):
    """Return one element, ``array.flat[index]``, of any dtype, without the wrap-around test."""
    if not isinstance(array, types.Array) or array.layout != "C":
        raise TypingError(f"simd.get: expected a C-contiguous array, received {array}.")

    def emit(builder, array, index):
        return builder.load(builder.gep(array, [index]))

    return operation(array.dtype, (array, index), emit)


@intrinsic
def put(typingctx, array, index, value):
    """Set one element, ``array.flat[index] = value``, of any dtype, without the wrap-around."""
    if not isinstance(array, types.Array) or array.layout != "C":
        raise TypingError(f"simd.put: expected a C-contiguous array, received {array}.")

    def emit(builder, place, index, value):
        if not isinstance(array.dtype, types.Float):
            value = builder.trunc(value, ir.IntType(array.dtype.bitwidth))
        builder.store(value, builder.gep(place, [index]))

    return operation(types.void, (array, index, array.dtype), emit)
