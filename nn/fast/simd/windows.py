"""Who won in a 2 x 2 pooling window, a byte for each channel, and what follows for its gradient."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError

from nn.fast.simd.lists import (
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
    multiply_add,
    pointer_to,
    spread,
    store_at,
    tile_vector,
    wide_registers,
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


# --- Each lane looks up what its winner read ----------------------------------------------------

REACH = 16  # elements of a row of x that are looked at: a wide register


def _every(kind: Any, number: int) -> Any:
    return ir.Constant(kind, [number] * kind.count)


@intrinsic
def store_seats(
    typingctx: Any, seats: Any, index: Any, winners: Any, pixel: Any, shift: Any, lanes: Any
) -> Any:
    """Write for each lane where its winner stands, as int32 for ``add_looked_up``.

    The winners are bytes from ``winners.flat[pixel]`` on; winner w becomes
    ``(w >> 1) * 16 + (w & 1) * S``, S being the length of the tuple ``shift``.
    """
    count, right = lanes_of(lanes), extent(shift)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = pointer_to(context, builder, sig.args[2], args[2])
        start = index_of(context, builder, args[3], sig.args[3])
        winner = _bytes(builder, source, start, count)
        line = builder.mul(builder.and_(winner, _every(winner.type, 2)), _every(winner.type, 8))
        side = builder.and_(winner, _every(winner.type, 1))
        seat = builder.add(line, builder.mul(side, _every(winner.type, right)))
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        store_at(builder, pointer, index_of(context, builder, args[1], sig.args[1]), seat)
        return context.get_dummy_value()

    return types.void(seats, index, winners, pixel, shift, lanes), codegen


@intrinsic
def add_looked_up(
    typingctx: Any,
    acc: Any,
    g: Any,
    array: Any,
    index: Any,
    down: Any,
    seats: Any,
    seat: Any,
    form: Any,
) -> Any:
    """Add what a row of a convolution's kernel read where each lane's winner stands, times ``g``.

    ``acc[c] += g * array.flat[index + (w >> 1) * down + (w & 1) * S + c]``, with w the lane's
    winner, of which ``seats.flat[seat]`` and what follows is told by ``store_seats``. ``form`` is
    a pair of tuples of lengths C = len(acc) and S, together at most 16. Returns the new
    accumulators. Sixteen elements are read from ``index`` and from ``index + down`` on.
    """
    vector = tile_vector("add_looked_up", acc, array)
    columns, shift = (extent(part) for part in form.types)
    if g != vector or columns != acc.count or columns + shift > REACH:
        raise TypingError(f"simd.add_looked_up: {acc}, {g} and {columns} + {shift} elements.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        tile, factor, data, first, distance, places, place, _ = args
        pointer = pointer_to(context, builder, sig.args[2], data)
        upper = index_of(context, builder, first, sig.args[3])
        lower = builder.add(upper, index_of(context, builder, distance, sig.args[4]))
        lines = [builder.gep(pointer, [line]) for line in (upper, lower)]
        kind = ir_of(context, vector)
        source = pointer_to(context, builder, sig.args[5], places)
        start = index_of(context, builder, place, sig.args[6])
        where = load_at(builder, source, start, ir.VectorType(I32, kind.count))
        wide = kind.count == REACH and wide_registers()
        look_up = _by_permutation if wide else _by_selection
        for c, value in enumerate(look_up(builder, lines, where, columns, shift, kind)):
            new = multiply_add(builder, factor, value, builder.extract_value(tile, c))
            tile = builder.insert_value(tile, new, c)
        return tile

    return acc(acc, g, array, index, down, seats, seat, form), codegen


def _by_permutation(
    builder: Any, lines: list[Any], seat: Any, columns: int, shift: int, kind: Any
) -> list[Any]:
    """Return the columns: one instruction takes any elements of two wide registers."""
    permutation = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(kind, [kind, seat.type, kind]),
        "llvm.x86.avx512.vpermi2var.ps.512",
    )
    upper, lower = (load_at(builder, line, intp(0), kind) for line in lines)
    seats = [builder.add(seat, _every(seat.type, c)) for c in range(columns)]
    return [builder.call(permutation, [upper, there, lower]) for there in seats]


def _by_selection(
    builder: Any, lines: list[Any], seat: Any, columns: int, shift: int, kind: Any
) -> list[Any]:
    """Return the columns: each of the four places' elements in all lanes, then a choice."""
    below = builder.icmp_signed(">=", seat, _every(seat.type, REACH))
    side = builder.and_(seat, _every(seat.type, REACH - 1))
    right = builder.icmp_signed("!=", side, _every(seat.type, 0))
    rows = []
    for line in lines:
        read = [
            spread(builder, builder.load(builder.gep(line, [intp(c)])), kind)
            for c in range(columns + shift)
        ]
        rows.append([builder.select(right, read[c + shift], read[c]) for c in range(columns)])
    return [builder.select(below, lower, upper) for upper, lower in zip(*rows, strict=True)]
