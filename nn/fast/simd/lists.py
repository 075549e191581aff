"""Turning an 8 x 8 block, and working off lists of (value, place)."""

from typing import Any

from llvmlite import ir
from llvmlite.binding import llvm_version_info
from numba.core import cgutils, types
from numba.core.errors import TypingError

from nn.fast.simd.types import (
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
    wide_registers,
)


def _turned(builder: Any, lines: list[Any]) -> list[Any]:
    """Return eight vectors transposed: blocks of 4, 2 and 1 lanes change places between them."""
    lines = list(lines)
    for width in (4, 2, 1):
        low = [lane if not lane & width else LANES + lane - width for lane in range(LANES)]
        high = [lane + width if not lane & width else LANES + lane for lane in range(LANES)]
        masks = [ir.Constant(ir.VectorType(I32, LANES), order) for order in (low, high)]
        for i in range(LANES):
            if not i & width:
                a, b = lines[i], lines[i + width]
                lines[i] = builder.shuffle_vector(a, b, masks[0])
                lines[i + width] = builder.shuffle_vector(a, b, masks[1])
    return lines


@intrinsic
def turned(typingctx: Any, rows: Any) -> Any:
    """Return a tuple of eight vectors transposed: ``result[i][j] = rows[j][i]``."""
    if not isinstance(rows, types.UniTuple) or rows.count != LANES:
        raise TypingError(f"simd.turned: expected a tuple of eight vectors, received {rows}.")
    if rows.dtype not in (VectorType(types.float32), VectorType(types.float64)):
        raise TypingError(f"simd.turned: expected a tuple of eight vectors, received {rows}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lines = _turned(builder, [builder.extract_value(args[0], i) for i in range(LANES)])
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

_I64 = ir.IntType(64)
_PLACES, _ENTRIES = ir.VectorType(I32, LANES), ir.VectorType(_I64, LANES)


def _same(builder: Any, scalar: Any) -> Any:
    single = builder.insert_element(ir.Constant(_PLACES, ir.Undefined), scalar, I32(0))
    zeros = ir.Constant(_PLACES, [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(_PLACES, ir.Undefined), zeros)


def _check_entries(entries: Any, values: Any) -> None:
    if not isinstance(entries, types.Array) or entries.dtype != types.int64:
        raise TypingError(f"simd: a list of entries is an int64 array, received {entries}.")
    if values != VectorType(types.float32):
        raise TypingError(f"simd: entries have float32 values, received {values}.")


def _entries(builder: Any, values: Any, places: Any) -> Any:
    """Return eight entries as a vector of int64."""
    bits = builder.bitcast(values, _PLACES)
    order = [lane // 2 + LANES * (lane % 2) for lane in range(2 * LANES)]
    mask = ir.Constant(ir.VectorType(I32, 2 * LANES), order)
    return builder.bitcast(builder.shuffle_vector(bits, places, mask), _ENTRIES)


def _store_entries(builder: Any, pointer: Any, index: Any, values: Any, places: Any) -> None:
    both = _entries(builder, values, places)
    address = builder.bitcast(builder.gep(pointer, [index]), both.type.as_pointer())
    builder.store(both, address).align = 8


def _numbered(builder: Any, base: Any, step: Any) -> Any:
    """Return the places ``base + step * [0, 1, ... 7]``."""
    numbers = ir.Constant(_PLACES, list(range(LANES)))
    return builder.add(_same(builder, base), builder.mul(_same(builder, step), numbers))


@intrinsic
def store_numbered(
    typingctx: Any, entries: Any, index: Any, values: Any, base: Any, step: Any
) -> Any:
    """Write eight entries: ``values`` and the places ``base + step * [0, 1, ... 7]``."""
    _check_entries(entries, values)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, index, values, base, step = args
        base = context.cast(builder, base, sig.args[3], types.int32)
        places = _numbered(builder, base, context.cast(builder, step, sig.args[4], types.int32))
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


# --- Lists without the entries whose value is zero ----------------------------------------------
#
# AVX-512 closes up the marked lanes of a register with one instruction. Elsewhere each entry is
# written, and the end of the list moves on if it was something: no branch either way. With an
# ``if`` the processor guesses wrong in every third case and a list costs 2.8 x as much.

COMPRESSES = wide_registers() and llvm_version_info >= (19,)  # since when LLVM has a name for it


def _call(builder: Any, name: str, kind: Any, arguments: list[Any]) -> Any:
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [a.type for a in arguments]), name
    )
    return builder.call(function, arguments)


def _append(builder: Any, address: Any, entries: Any, mask: Any) -> Any:
    """Write the marked entries one after the other, and up to eight in all; return how many."""
    nothing = ir.Constant(_ENTRIES, ir.Undefined)
    name = "llvm.experimental.vector.compress.v8i64"
    closed = _call(builder, name, _ENTRIES, [entries, mask, nothing])
    builder.store(closed, builder.bitcast(address, _ENTRIES.as_pointer())).align = 8
    bits = builder.zext(builder.bitcast(mask, I8), _I64)
    return _call(builder, "llvm.ctpop.i64", _I64, [bits])


def _is_something(builder: Any, entries: Any) -> Any:
    """Return where the value of an entry, its low half, is not 0.0: as integers, for NaN's sake."""
    values = builder.and_(entries, ir.Constant(_ENTRIES, [0xFFFFFFFF] * LANES))
    return builder.icmp_unsigned("!=", values, ir.Constant(_ENTRIES, [0] * LANES))


@intrinsic
def draw(
    typingctx: Any, entries: Any, source: Any, out: Any, pitch: Any, ends: Any, first: Any
) -> Any:
    """Append eight rows of eight entries to eight lists, a column to each, without the zeros.

    Row i is ``entries.flat[source + 8 * i : ...]``. List c begins at ``out + c * pitch`` and has
    ``ends.flat[first + c]`` entries, which is brought up to date. Up to eight elements behind a
    list are written. An entry is something if its value is not 0.0, whatever its place.
    """
    _check_entries(entries, VectorType(types.float32))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, lengths = (pointer_to(context, builder, sig.args[i], args[i]) for i in (0, 4))
        source, out, pitch, first = (
            index_of(context, builder, args[i], sig.args[i]) for i in (1, 2, 3, 5)
        )
        tails = [builder.gep(lengths, [builder.add(first, intp(c))]) for c in range(LANES)]
        lists = [builder.add(out, builder.mul(pitch, intp(c))) for c in range(LANES)]
        rows = [builder.add(source, intp(LANES * i)) for i in range(LANES)]
        if COMPRESSES:
            lines = [load_at(builder, array, row, _ENTRIES) for row in rows]
            for c, column in enumerate(_turned(builder, lines)):
                end = builder.load(tails[c])
                address = builder.gep(array, [builder.add(lists[c], end)])
                count = _append(builder, address, column, _is_something(builder, column))
                builder.store(builder.add(end, count), tails[c])
            return context.get_dummy_value()
        for c in range(LANES):
            end = builder.load(tails[c])
            for row in rows:
                entry = builder.load(builder.gep(array, [builder.add(row, intp(c))]))
                builder.store(entry, builder.gep(array, [builder.add(lists[c], end)]))
                something = builder.icmp_unsigned("!=", builder.trunc(entry, I32), I32(0))
                end = builder.add(end, builder.zext(something, _I64))
            builder.store(end, tails[c])
        return context.get_dummy_value()

    return types.void(entries, source, out, pitch, ends, first), codegen


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
