"""Turning an 8 x 8 block, and working off lists of (value, place)."""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.errors import TypingError

from nn.kernels.simd._types import (
    I8,
    I32,
    LANES,
    VectorType,
    extent,
    index_of,
    intp,
    intrinsic,
    ir_of,
    lanes_of,
    load_at,
    pointer_to,
    spread,
    store_at,
    tile_vector,
)


@intrinsic
def turned(typingctx: Any, rows: Any) -> Any:
    """Return a tuple of eight vectors transposed: ``result[i][j] = rows[j][i]``."""
    if not isinstance(rows, types.UniTuple) or rows.count != LANES:
        raise TypingError(f"simd.turned: expected a tuple of eight vectors, received {rows}.")
    if rows.dtype not in (VectorType(types.float32), VectorType(types.float64)):
        raise TypingError(f"simd.turned: expected a tuple of eight vectors, received {rows}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lines = [builder.extract_value(args[0], i) for i in range(LANES)]
        # Blocks of 4, 2 and 1 lanes change places between lines that far apart.
        for width in (4, 2, 1):
            low = [lane if not lane & width else LANES + lane - width for lane in range(LANES)]
            high = [lane + width if not lane & width else LANES + lane for lane in range(LANES)]
            masks = [ir.Constant(ir.VectorType(I32, LANES), order) for order in (low, high)]
            for i in range(LANES):
                if not i & width:
                    a, b = lines[i], lines[i + width]
                    lines[i] = builder.shuffle_vector(a, b, masks[0])
                    lines[i + width] = builder.shuffle_vector(a, b, masks[1])
        result = args[0]
        for i in range(LANES):
            result = builder.insert_value(result, lines[i], i)
        return result

    return rows(rows), codegen


# --- Lists ------------------------------------------------------------------------------------
#
# An entry is eight bytes: a float32 value and, behind it, an int32 place. Lists are arrays of
# int64, so that an entry is copied by one load and one store; ``entries.view(np.float32)`` and
# ``.view(np.int32)`` have the value at 2 i and the place at 2 i + 1.

_PLACES = ir.VectorType(I32, LANES)


def _same(builder: Any, scalar: Any) -> Any:
    single = builder.insert_element(ir.Constant(_PLACES, ir.Undefined), scalar, I32(0))
    zeros = ir.Constant(_PLACES, [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(_PLACES, ir.Undefined), zeros)


def _check_entries(entries: Any, values: Any) -> None:
    if not isinstance(entries, types.Array) or entries.dtype != types.int64:
        raise TypingError(f"simd: a list of entries is an int64 array, received {entries}.")
    if values != VectorType(types.float32):
        raise TypingError(f"simd: entries have float32 values, received {values}.")


def _store_entries(builder: Any, pointer: Any, index: Any, values: Any, places: Any) -> None:
    bits = builder.bitcast(values, _PLACES)
    order = [lane // 2 + LANES * (lane % 2) for lane in range(2 * LANES)]
    mask = ir.Constant(ir.VectorType(I32, 2 * LANES), order)
    both = builder.shuffle_vector(bits, places, mask)
    address = builder.bitcast(builder.gep(pointer, [index]), both.type.as_pointer())
    builder.store(both, address).align = 8


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
        at = builder.gep(source, [index_of(context, builder, pixel, sig.args[4])])
        small = builder.load(builder.bitcast(at, ir.VectorType(I8, LANES).as_pointer()))
        small.align = 1
        winner = builder.zext(small, _PLACES)
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
def store_numbered(
    typingctx: Any, entries: Any, index: Any, values: Any, base: Any, step: Any
) -> Any:
    """Write eight entries: ``values`` and the places ``base + step * [0, 1, ... 7]``."""
    _check_entries(entries, values)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, index, values, base, step = args
        places = _same(builder, context.cast(builder, base, sig.args[3], types.int32))
        way = _same(builder, context.cast(builder, step, sig.args[4], types.int32))
        numbers = ir.Constant(_PLACES, list(range(LANES)))
        places = builder.add(places, builder.mul(way, numbers))
        pointer = pointer_to(context, builder, sig.args[0], array)
        position = index_of(context, builder, index, sig.args[1])
        _store_entries(builder, pointer, position, values, places)
        return context.get_dummy_value()

    return types.void(entries, index, values, base, step), codegen


@intrinsic
def entry_value(typingctx: Any, entry: Any, lanes: Any = types.none) -> Any:
    """Return the value of an entry, an int64, in every lane.

    From a register: loads are what the sparse kernels wait for, and so an entry costs one.
    """
    if entry != types.int64:
        raise TypingError(f"simd.entry_value: expected an int64, received {entry}.")
    vector = VectorType(types.float32, lanes_of(lanes))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.trunc(args[0], I32)  # the low half is the first one in memory
        return spread(builder, builder.bitcast(bits, ir.FloatType()), ir_of(context, vector))

    return vector(entry, lanes), codegen


@intrinsic
def entry_place(typingctx: Any, entry: Any) -> Any:
    """Return the place of an entry, an int64."""
    if entry != types.int64:
        raise TypingError(f"simd.entry_place: expected an int64, received {entry}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ashr(args[0], ir.Constant(ir.IntType(64), 32))

    return types.int64(entry), codegen


@intrinsic
def slid(
    typingctx: Any,
    acc: Any,
    array: Any,
    index: Any,
    behind: Any,
    step: Any,
    form: Any,
    slide: Any,
) -> Any:
    """Store the first columns of a tile, and return it moved on by as many.

    The tile has R x C vectors, ``form`` a pair of tuples of these lengths, and S = len(slide)
    columns are stored from ``array.flat[index]`` on, rows ``step`` apart. Those of the others take
    their places, and behind these come S from ``array.flat[behind]`` on, loaded after the stores.
    """
    vector = tile_vector("slid", acc, array)
    rows, columns = (extent(part) for part in form.types)
    moved = extent(slide)
    if acc.count != rows * columns:
        raise TypingError(f"simd.slid: {acc} is no tile of {rows} x {columns} vectors of {array}.")
    if not 1 <= moved <= columns:
        raise TypingError(f"simd.slid: expected 1 to {columns} columns to move, received {moved}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        tile, data, first, next_, stride, *_ = args
        pointer = pointer_to(context, builder, sig.args[1], data)
        stride = index_of(context, builder, stride, sig.args[4])
        places = [
            index_of(context, builder, place, kind)
            for place, kind in ((first, sig.args[2]), (next_, sig.args[3]))
        ]
        lines = [
            [builder.add(place, builder.mul(stride, intp(r))) for place in places]
            for r in range(rows)
        ]
        for r in range(rows):
            for c in range(moved):
                item = builder.extract_value(tile, r * columns + c)
                store_at(builder, pointer, builder.add(lines[r][0], intp(vector.lanes * c)), item)
        kind = ir_of(context, vector)
        result = tile
        for r in range(rows):
            for c in range(columns):
                if c < columns - moved:
                    item = builder.extract_value(tile, r * columns + c + moved)
                else:
                    at = intp(vector.lanes * (c - columns + moved))
                    item = load_at(builder, pointer, builder.add(lines[r][1], at), kind)
                result = builder.insert_value(result, item, r * columns + c)
        return result

    return acc(acc, array, index, behind, step, form, slide), codegen
