"""What follows from the argmax of 2 x 2 pooling windows for the gradient of a convolution.

The argmax is one byte for each window and channel, an element of a flat uint8 array: 0 to 3, the
place of the maximum row by row, or 4 where no element of the window passed ReLU. The functions take
those of as many channels as a vector has lanes, from element ``byte`` on.
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


def _bytes(builder, argmax, byte, count=LANES):
    """Return eight or more uint8 as int32."""
    small = load_at(builder, argmax, byte, ir.VectorType(I8, count))
    return builder.zext(small, ir.VectorType(I32, count))


@intrinsic
def relu_masked(typingctx, values, argmax, byte):
    """Return ``values`` where the argmax is not 4, and 0.0 elsewhere."""
    vector = expect_vectors("relu_masked", values)

    def emit(builder, values, argmax, byte):
        which = _bytes(builder, argmax, byte, vector.lanes)
        inside = builder.icmp_unsigned("<", which, constant(which.type, 4))
        return builder.select(inside, values, ir.Constant(values.type, None))

    return operation(vector, (values, argmax, byte), emit)


@intrinsic
def store_argmax_entries(typingctx, entries, index, values, argmax, byte, base, down, step):
    """Write eight entries: ``values`` and the places of the argmax of a window.

    That of argmax a is ``base + (a >> 1) * down + (a & 1) * step``.
    """
    expect_entries(entries, values)

    def emit(builder, entries, index, values, argmax, byte, base, down, step):
        which = _bytes(builder, argmax, byte)
        places, zero = all_places(builder, base), constant(PLACES, 0)
        for bit, distance in ((1, step), (2, down)):
            there = builder.and_(which, constant(PLACES, bit))
            there = builder.icmp_unsigned("!=", there, zero)
            moved = builder.select(there, all_places(builder, distance), zero)
            places = builder.add(places, moved)
        store_at(builder, entries, index, pack(builder, values, places))

    arguments = (entries, index, values, argmax, byte, base, down, step)
    return operation(types.void, arguments, emit)


@intrinsic
def append_by_argmax(typingctx, entries, out, ends, values, base, step, argmax, byte):
    """Append eight numbered entries to the four lists of a window, each to that of its argmax.

    The entries are those of ``store_numbered``, without those whose value is 0.0; the argmax is 0
    to 3. List a ends at ``out`` and what the bits 16 a to 16 a + 15 of the uint64 ``ends`` say;
    returns the new ends. Up to eight elements behind a list are written.
    """
    expect_entries(entries, values)

    def emit(builder, entries, out, ends, values, base, step, argmax, byte):
        both = pack(builder, values, numbered(builder, base, step))
        if lists.COMPRESSES:
            which, some = _bytes(builder, argmax, byte), lists.something(builder, both)
        else:  # By way of memory: taking a register apart costs more.
            copy = cgutils.alloca_once(builder, I64, size=LANES)
            store_at(builder, copy, word(0), both)
        for i in range(4 if lists.COMPRESSES else LANES):
            if lists.COMPRESSES:
                shift = I64(16 * i)
            else:
                one = builder.load(builder.gep(argmax, [builder.add(byte, word(i))]))
                shift = builder.shl(builder.zext(one, I64), I64(4))
            end = builder.and_(builder.lshr(ends, shift), I64(0xFFFF))
            address = builder.gep(entries, [builder.add(out, end)])
            if lists.COMPRESSES:
                here = builder.icmp_unsigned("==", which, constant(PLACES, i))
                count = lists.append(builder, address, both, builder.and_(here, some))
            else:
                entry = builder.load(builder.gep(copy, [word(i)]))
                count = lists.append_one(builder, address, entry)
            ends = builder.add(ends, builder.shl(count, shift))
        return ends

    arguments = (entries, out, ends, values, base, step, argmax, byte)
    return operation(types.uint64, arguments, emit)


# --- Each lane looks up what the convolution read at its argmax ---------------------------------

LOOKUP_WIDTH = 16  # elements of a row of x that can be looked up: a wide register


@intrinsic
def store_lookup_offsets(typingctx, offsets, index, argmax, byte, shift, lanes):
    """Write for each lane the offset of its argmax, as int32 for ``add_lookup``.

    That of argmax a is ``(a >> 1) * 16 + (a & 1) * S``, S being the length of the tuple ``shift``.
    """
    right, count = extent(shift), LANES * extent(lanes)

    def emit(builder, offsets, index, argmax, byte, shift, lanes):
        which = _bytes(builder, argmax, byte, count)
        line, side = (builder.and_(which, constant(which.type, bit)) for bit in (2, 1))
        line = builder.mul(line, constant(which.type, LOOKUP_WIDTH // 2))
        side = builder.mul(side, constant(which.type, right))
        store_at(builder, offsets, index, builder.add(line, side))

    return operation(types.void, (offsets, index, argmax, byte, shift, lanes), emit)


@intrinsic
def add_lookup(typingctx, acc, g, array, index, down, offsets, first, shift):
    """Add ``g`` times what a row of a convolution's kernel read at the argmax of each lane.

    ``acc[c] += g * array.flat[index + (a >> 1) * down + (a & 1) * S + c]``; the argmax a of a lane
    is in ``offsets``, from element ``first`` on, by ``store_lookup_offsets``. S is the length of
    the tuple ``shift``, with the C = len(acc) columns at most 16. Returns the new accumulators.
    Sixteen elements are read from ``index`` and from ``index + down`` on.
    """
    vector = tile_vector("add_lookup", acc, array)
    columns, right = acc.count, extent(shift)
    if g != vector or columns + right > LOOKUP_WIDTH:
        raise TypingError(f"simd.add_lookup: {acc}, {g} and {columns} + {right} elements.")

    def emit(builder, acc, g, array, index, down, offsets, first, shift):
        lines = [builder.gep(array, [line]) for line in (index, builder.add(index, down))]
        kind = ir_of(vector)
        offset = load_at(builder, offsets, first, ir.VectorType(I32, kind.count))
        wide = kind.count == LOOKUP_WIDTH and wide_registers()
        look_up = _by_permutation if wide else _by_selection
        found = look_up(builder, lines, offset, columns, right, kind)
        return [multiply_add(builder, g, *pair) for pair in zip(found, acc, strict=True)]

    return operation(acc, (acc, g, array, index, down, offsets, first, shift), emit)


def _by_permutation(builder, lines, offset, columns, right, kind):
    """Return the columns: one instruction takes any elements of two wide registers."""
    upper, lower = (load_at(builder, line, word(0), kind) for line in lines)
    offsets = [builder.add(offset, constant(offset.type, c)) for c in range(columns)]
    name = "llvm.x86.avx512.vpermi2var.ps.512"
    return [call(builder, name, kind, [upper, there, lower]) for there in offsets]


def _by_selection(builder, lines, offset, columns, right, kind):
    """Return the columns: each of the four places' elements in all lanes, then a choice."""
    below = builder.icmp_signed(">=", offset, constant(offset.type, LOOKUP_WIDTH))
    side = builder.and_(offset, constant(offset.type, LOOKUP_WIDTH - 1))
    at_right = builder.icmp_signed("!=", side, constant(offset.type, 0))
    rows = []
    for line in lines:
        read = [
            spread(builder, builder.load(builder.gep(line, [word(c)])), kind)
            for c in range(columns + right)
        ]
        rows.append([builder.select(at_right, read[c + right], read[c]) for c in range(columns)])
    return [builder.select(below, lower, upper) for upper, lower in zip(*rows, strict=True)]
