"""Who won in a 2 x 2 pooling window, a byte for each channel, and what follows for its gradient."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError

from nn.kernels.simd._lists import (
    _ENTRIES,
    _I64,
    _PLACES,
    COMPRESSES,
    _append,
    _check_entries,
    _entries,
    _is_something,
    _numbered,
    _same,
    _store_entries,
)
from nn.kernels.simd._types import (
    I8,
    I32,
    LANES,
    VectorType,
    index_of,
    intp,
    intrinsic,
    ir_of,
    pointer_to,
)


def _bytes(builder: Any, source: Any, index: Any, count: int = LANES) -> Any:
    """Return eight or more uint8 as int32."""
    at = builder.bitcast(builder.gep(source, [index]), ir.VectorType(I8, count).as_pointer())
    small = builder.load(at)
    small.align = 1
    return builder.zext(small, ir.VectorType(I32, count))


@intrinsic
def won(typingctx: Any, values: Any, winners: Any, pixel: Any) -> Any:
    """Return ``values`` where the lane's window has a winner, and 0.0 elsewhere.

    The winners are bytes from ``winners.flat[pixel]`` on: 0 to 3, or 4 where nothing passed ReLU.
    """
    if not isinstance(values, VectorType):
        raise TypingError(f"simd.won: expected a vector, received {values}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = pointer_to(context, builder, sig.args[1], args[1])
        start = index_of(context, builder, args[2], sig.args[2])
        winner = _bytes(builder, source, start, values.lanes)
        four = ir.Constant(winner.type, [4] * values.lanes)
        nothing = ir.Constant(ir_of(context, values), None)
        return builder.select(builder.icmp_unsigned("<", winner, four), args[0], nothing)

    return values(values, winners, pixel), codegen


@intrinsic
def store_placed(
    typingctx: Any,
    entries: Any,
    index: Any,
    values: Any,
    winners: Any,
    pixel: Any,
    base: Any,
    down: Any,
    step: Any,
) -> Any:
    """Write eight entries: ``values`` and the places of the winners of a 2 x 2 window.

    The winners are eight uint8 from ``winners.flat[pixel]`` on; winner w is at the place
    ``base + (w >> 1) * down + (w & 1) * step``.
    """
    _check_entries(entries, values)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, index, values, winners, pixel, base, down, step = args
        source = pointer_to(context, builder, sig.args[3], winners)
        winner = _bytes(builder, source, index_of(context, builder, pixel, sig.args[4]))
        places = _same(builder, context.cast(builder, base, sig.args[5], types.int32))
        for bit, distance, kind in ((1, step, sig.args[7]), (2, down, sig.args[6])):
            flag = builder.and_(winner, ir.Constant(_PLACES, [bit] * LANES))
            there = builder.icmp_unsigned("!=", flag, ir.Constant(_PLACES, [0] * LANES))
            way = _same(builder, context.cast(builder, distance, kind, types.int32))
            moved = builder.select(there, way, ir.Constant(_PLACES, [0] * LANES))
            places = builder.add(places, moved)
        pointer = pointer_to(context, builder, sig.args[0], array)
        position = index_of(context, builder, index, sig.args[1])
        _store_entries(builder, pointer, position, values, places)
        return context.get_dummy_value()

    arguments = (entries, index, values, winners, pixel, base, down, step)
    return types.void(*arguments), codegen


@intrinsic
def deal(
    typingctx: Any,
    entries: Any,
    out: Any,
    heads: Any,
    values: Any,
    base: Any,
    step: Any,
    winners: Any,
    pixel: Any,
) -> Any:
    """Append eight numbered entries to the four lists of a window, each to its winner's.

    The entries are those of ``store_numbered``, without those whose value is 0.0; the winners
    eight uint8, 0 to 3, from ``winners.flat[pixel]`` on. List w ends at ``out`` and what the bits
    16 w to 16 w + 15 of the uint64 ``heads`` say; returns the new heads. Up to eight elements
    behind a list are written.
    """
    _check_entries(entries, values)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, out, heads, values, base, step, winners, pixel = args
        pointer = pointer_to(context, builder, sig.args[0], array)
        out = index_of(context, builder, out, sig.args[1])
        base = context.cast(builder, base, sig.args[4], types.int32)
        places = _numbered(builder, base, context.cast(builder, step, sig.args[5], types.int32))
        both = _entries(builder, values, places)
        source = pointer_to(context, builder, sig.args[6], winners)
        start = index_of(context, builder, pixel, sig.args[7])
        sixteen = _I64(0xFFFF)
        if COMPRESSES:
            winner, something = _bytes(builder, source, start), _is_something(builder, both)
            for w in range(4):
                here = builder.icmp_unsigned("==", winner, ir.Constant(_PLACES, [w] * LANES))
                head = builder.and_(builder.lshr(heads, _I64(16 * w)), sixteen)
                address = builder.gep(pointer, [builder.add(out, head)])
                count = _append(builder, address, both, builder.and_(here, something))
                heads = builder.add(heads, builder.shl(count, _I64(16 * w)))
            return heads
        # By way of memory: taking a register apart costs more.
        copy = cgutils.alloca_once(builder, _I64, size=LANES)
        builder.store(both, builder.bitcast(copy, _ENTRIES.as_pointer())).align = 8
        for lane in range(LANES):
            won = builder.load(builder.gep(source, [builder.add(start, intp(lane))]))
            shift = builder.shl(builder.zext(won, _I64), _I64(4))
            head = builder.and_(builder.lshr(heads, shift), sixteen)
            entry = builder.load(builder.gep(copy, [intp(lane)]))
            builder.store(entry, builder.gep(pointer, [builder.add(out, head)]))
            something = builder.icmp_unsigned("!=", builder.trunc(entry, I32), I32(0))
            heads = builder.add(heads, builder.shl(builder.zext(something, _I64), shift))
        return heads

    arguments = (entries, out, heads, values, base, step, winners, pixel)
    return types.uint64(*arguments), codegen
