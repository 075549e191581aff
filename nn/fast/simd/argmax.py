"""What follows from the argmax of 2 x 2 pooling windows for the gradient of a convolution.

The argmax is one byte for each window and channel: 0 to 3, the place of the maximum row by row, or
4 where no element of the window passed ReLU.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError

from nn.fast.simd import lists
from nn.fast.simd.lists import PLACES, all_places, expect_entries, numbered, pack
from nn.fast.simd.types import (
    I8,
    I32,
    I64,
    LANES,
    call,
    constant,
    expect_vectors,
    extent,
    intrinsic,
    ir_of,
    load_at,
    multiply_add,
    operation,
    spread,
    store_at,
    tile_vector,
    wide_registers,
    word,
)


def _bytes(builder, argmax, index, count=LANES):
    """Return eight or more uint8 as int32."""
    small = load_at(builder, argmax, index, ir.VectorType(I8, count))
    return builder.zext(small, ir.VectorType(I32, count))


@intrinsic
def won(typingctx, values, winners, pixel):
    """Return ``values`` where the lane's window has a winner, and 0.0 elsewhere.

    The winners are bytes from ``winners.flat[pixel]`` on: 0 to 3, or 4 where nothing passed ReLU.
    """
    vector = expect_vectors("won", values)

    def emit(builder, values, argmax, index):
        which = _bytes(builder, argmax, index, vector.lanes)
        inside = builder.icmp_unsigned("<", which, constant(which.type, 4))
        return builder.select(inside, values, ir.Constant(values.type, None))

    return operation(vector, (values, winners, pixel), emit)


@intrinsic
def store_placed(typingctx, entries, index, values, winners, pixel, base, down, step):
    """Write eight entries: ``values`` and the places of the winners of a 2 x 2 window.

    The winners are eight uint8 from ``winners.flat[pixel]`` on; winner w is at the place
    ``base + (w >> 1) * down + (w & 1) * step``.
    """
    expect_entries(entries, values)

    def emit(builder, entries, index, values, argmax, pixel, base, down, step):
        which = _bytes(builder, argmax, pixel)
        places, zero = all_places(builder, base), constant(PLACES, 0)
        for bit, distance in ((1, step), (2, down)):
            there = builder.and_(which, constant(PLACES, bit))
            there = builder.icmp_unsigned("!=", there, zero)
            moved = builder.select(there, all_places(builder, distance), zero)
            places = builder.add(places, moved)
        store_at(builder, entries, index, pack(builder, values, places))

    arguments = (entries, index, values, winners, pixel, base, down, step)
    return operation(types.void, arguments, emit)


@intrinsic
def deal(typingctx, entries, out, heads, values, base, step, winners, pixel):
    """Append eight numbered entries to the four lists of a window, each to its winner's.

    The entries are those of ``store_numbered``, without those whose value is 0.0; the winners
    eight uint8, 0 to 3, from ``winners.flat[pixel]`` on. List w ends at ``out`` and what the bits
    16 w to 16 w + 15 of the uint64 ``heads`` say; returns the new heads. Up to eight elements
    behind a list are written.
    """
    expect_entries(entries, values)

    def emit(builder, entries, out, heads, values, base, step, argmax, pixel):
        both = pack(builder, values, numbered(builder, base, step))
        if lists.COMPRESSES:
            which, some = _bytes(builder, argmax, pixel), lists.something(builder, both)
        else:  # By way of memory: taking a register apart costs more.
            copy = cgutils.alloca_once(builder, I64, size=LANES)
            store_at(builder, copy, word(0), both)
        for i in range(4 if lists.COMPRESSES else LANES):
            if lists.COMPRESSES:
                shift = I64(16 * i)
            else:
                byte = builder.load(builder.gep(argmax, [builder.add(pixel, word(i))]))
                shift = builder.shl(builder.zext(byte, I64), I64(4))
            head = builder.and_(builder.lshr(heads, shift), I64(0xFFFF))
            address = builder.gep(entries, [builder.add(out, head)])
            if lists.COMPRESSES:
                here = builder.icmp_unsigned("==", which, constant(PLACES, i))
                count = lists.append(builder, address, both, builder.and_(here, some))
            else:
                entry = builder.load(builder.gep(copy, [word(i)]))
                count = lists.append_one(builder, address, entry)
            heads = builder.add(heads, builder.shl(count, shift))
        return heads

    arguments = (entries, out, heads, values, base, step, winners, pixel)
    return operation(types.uint64, arguments, emit)


# --- Each lane looks up what its winner read ----------------------------------------------------

REACH = 16  # elements of a row of x that are looked at: a wide register


@intrinsic
def store_seats(typingctx, seats, index, winners, pixel, shift, lanes):
    """Write for each lane where its winner stands, as int32 for ``add_looked_up``.

    The winners are bytes from ``winners.flat[pixel]`` on; winner w becomes
    ``(w >> 1) * 16 + (w & 1) * S``, S being the length of the tuple ``shift``.
    """
    right, count = extent(shift), LANES * extent(lanes)

    def emit(builder, seats, index, argmax, pixel, shift, lanes):
        which = _bytes(builder, argmax, pixel, count)
        line, side = (builder.and_(which, constant(which.type, bit)) for bit in (2, 1))
        line = builder.mul(line, constant(which.type, REACH // 2))
        side = builder.mul(side, constant(which.type, right))
        store_at(builder, seats, index, builder.add(line, side))

    return operation(types.void, (seats, index, winners, pixel, shift, lanes), emit)


@intrinsic
def add_looked_up(typingctx, acc, g, array, index, down, seats, seat, shift):
    """Add what a row of a convolution's kernel read where each lane's winner stands, times ``g``.

    ``acc[c] += g * array.flat[index + (w >> 1) * down + (w & 1) * S + c]``, with w the lane's
    winner, of which ``seats.flat[seat]`` and what follows is told by ``store_seats``. S is the
    length of the tuple ``shift``; with the C = len(acc) columns at most 16. Returns the new
    accumulators. Sixteen elements are read from ``index`` and from ``index + down`` on.
    """
    vector = tile_vector("add_looked_up", acc, array)
    columns, right = acc.count, extent(shift)
    if g != vector or columns + right > REACH:
        raise TypingError(f"simd.add_looked_up: {acc}, {g} and {columns} + {right} elements.")

    def emit(builder, acc, g, array, index, down, seats, seat, shift):
        lines = [builder.gep(array, [line]) for line in (index, builder.add(index, down))]
        kind = ir_of(vector)
        where = load_at(builder, seats, seat, ir.VectorType(I32, kind.count))
        wide = kind.count == REACH and wide_registers()
        look_up = _by_permutation if wide else _by_selection
        found = look_up(builder, lines, where, columns, right, kind)
        return [multiply_add(builder, g, *pair) for pair in zip(found, acc, strict=True)]

    return operation(acc, (acc, g, array, index, down, seats, seat, shift), emit)


def _by_permutation(builder, lines, seat, columns, shift, kind):
    """Return the columns: one instruction takes any elements of two wide registers."""
    upper, lower = (load_at(builder, line, word(0), kind) for line in lines)
    seats = [builder.add(seat, constant(seat.type, c)) for c in range(columns)]
    name = "llvm.x86.avx512.vpermi2var.ps.512"
    return [call(builder, name, kind, [upper, there, lower]) for there in seats]


def _by_selection(builder, lines, seat, columns, shift, kind):
    """Return the columns: each of the four places' elements in all lanes, then a choice."""
    below = builder.icmp_signed(">=", seat, constant(seat.type, REACH))
    side = builder.and_(seat, constant(seat.type, REACH - 1))
    right = builder.icmp_signed("!=", side, constant(seat.type, 0))
    rows = []
    for line in lines:
        read = [
            spread(builder, builder.load(builder.gep(line, [word(c)])), kind)
            for c in range(columns + shift)
        ]
        rows.append([builder.select(right, read[c + shift], read[c]) for c in range(columns)])
    return [builder.select(below, lower, upper) for upper, lower in zip(*rows, strict=True)]
