"""Lists of what is not zero: pairs of a value and a place.

An entry is eight bytes: a float32 value and, behind it, an int32 place. Lists are arrays of
int64, so that an entry is copied by one load and one store; ``entries.view(np.float32)`` and
``.view(np.int32)`` have the value at 2 i and the place at 2 i + 1.

Where a list is written, entries whose value is 0.0 are left out. AVX-512 closes up the marked lanes
of a register with one instruction. Elsewhere each entry is written, and the end of the list moves
on if it was something: no branch either way. With an ``if`` the processor guesses wrong in every
third case and a list costs 2.8 x as much.
"""

from llvmlite import ir
from llvmlite.binding import llvm_version_info
from numba.core import types
from numba.core.errors import TypingError

from nn.fast.simd.tiles import scaled_rows, transposed
from nn.fast.simd.types import (
    I8,
    I32,
    I64,
    LANES,
    VectorType,
    call,
    constant,
    extent,
    intrinsic,
    ir_of,
    load_at,
    operation,
    repeat,
    rows_at,
    spread,
    store_at,
    tile_vector,
    wide_registers,
    word,
)

PLACES, ENTRIES = ir.VectorType(I32, LANES), ir.VectorType(I64, LANES)
COMPRESSES = wide_registers() and llvm_version_info >= (19,)  # since when LLVM has a name for it


def expect_entries(entries, values):
    """Refuse what is no list, or no vector of values for one."""
    if not isinstance(entries, types.Array) or entries.dtype != types.int64:
        raise TypingError(f"simd: a list of entries is an int64 array, received {entries}.")
    if values != VectorType(types.float32):
        raise TypingError(f"simd: entries have float32 values, received {values}.")


def all_places(builder, place):
    """Return the machine word ``place`` as int32 in eight lanes."""
    return spread(builder, builder.trunc(place, I32), PLACES)


def numbered(builder, base, step):
    """Return the places ``base + step * [0, 1, ... 7]``."""
    steps = builder.mul(all_places(builder, step), ir.Constant(PLACES, list(range(LANES))))
    return builder.add(all_places(builder, base), steps)


def pack(builder, values, places):
    """Return eight entries as a vector of int64."""
    order = [lane // 2 + LANES * (lane % 2) for lane in range(2 * LANES)]
    mask = ir.Constant(ir.VectorType(I32, 2 * LANES), order)
    bits = builder.bitcast(values, PLACES)
    return builder.bitcast(builder.shuffle_vector(bits, places, mask), ENTRIES)


def something(builder, entries):
    """Return where the value of an entry, its low half, is not 0.0: as integers, for NaN's sake."""
    values = builder.and_(entries, constant(ENTRIES, 0xFFFFFFFF))
    return builder.icmp_unsigned("!=", values, constant(ENTRIES, 0))


def append(builder, address, entries, mask):
    """Write the marked entries one after the other, and up to eight in all; return how many."""
    name = "llvm.experimental.vector.compress.v8i64"
    closed = call(builder, name, ENTRIES, [entries, mask, ir.Constant(ENTRIES, ir.Undefined)])
    store_at(builder, address, word(0), closed)
    return call(builder, "llvm.ctpop.i64", I64, [builder.zext(builder.bitcast(mask, I8), I64)])


def append_one(builder, address, entry):
    """Write one entry; return 1 if its value is not 0.0, else 0."""
    builder.store(entry, address)
    return builder.zext(builder.icmp_unsigned("!=", builder.trunc(entry, I32), I32(0)), I64)


@intrinsic
def store_numbered(typingctx, entries, index, values, base, step):
    """Write eight entries: ``values`` and the places ``base + step * [0, 1, ... 7]``."""
    expect_entries(entries, values)

    def emit(builder, entries, index, values, base, step):
        store_at(builder, entries, index, pack(builder, values, numbered(builder, base, step)))

    return operation(types.void, (entries, index, values, base, step), emit)


def _value(builder, entry, vector):
    """Return the value of an entry in every lane.

    From a register: loads are what the sparse kernels wait for, and so an entry costs one.
    """
    bits = builder.trunc(entry, I32)  # the low half is the first one in memory
    return spread(builder, builder.bitcast(bits, ir.FloatType()), ir_of(vector))


@intrinsic(prefer_literal=True)
def add_listed(typingctx, acc, entries, first, last, array, offset, step, rows, sets):
    """Add to a tile, for each entry of a list, a block of ``array`` times the entry's value.

    ``acc[r * C + c] += value * array.flat[place + offset + r * step + ...]`` for the entries
    ``first`` to ``last``, in their order. ``rows`` is R. With a small tile the sums wait for each
    other: then two ``sets`` of accumulators take the entries in turn and are added at the end.
    Returns the new accumulators.
    """
    vector, height, sets_ = tile_vector("add_listed", acc, array), extent(rows), extent(sets)
    if acc.count % height:
        raise TypingError(f"simd.add_listed: {acc} is no tile of {height} rows.")

    def emit(builder, acc, entries, first, last, array, offset, step, *_):
        def body(number, values):
            start, new = builder.mul(number, word(sets_)), []
            for s in range(sets_):
                i = builder.add(builder.add(first, start), word(s))
                entry = builder.load(builder.gep(entries, [i]))
                if s == 0:
                    place = builder.ashr(entry, I64(32))
                else:  # behind the last one: nothing, from the place of the one before
                    inside = builder.icmp_signed("<", i, last)
                    entry = builder.select(inside, entry, I64(0))
                    place = builder.select(inside, builder.ashr(entry, I64(32)), place)
                lines = rows_at(builder, builder.add(place, offset), step, height)
                some = values[s * acc_size : (s + 1) * acc_size]
                new += scaled_rows(builder, some, _value(builder, entry, vector), array, lines)
            return new

        acc_size = len(acc)
        nothing = [ir.Constant(ir_of(vector), None)] * acc_size * (sets_ - 1)
        count = builder.sub(last, first)
        if sets_ > 1:
            count = builder.sdiv(builder.add(count, word(sets_ - 1)), word(sets_))
        new = repeat(builder, count, [*acc, *nothing], body)
        result = new[:acc_size]
        for s in range(acc_size, len(new), acc_size):
            result = [
                builder.fadd(*pair) for pair in zip(result, new[s : s + acc_size], strict=True)
            ]
        return result

    arguments = (acc, entries, first, last, array, offset, step, rows, sets)
    return operation(acc, arguments, emit)


@intrinsic
def append_columns(typingctx, entries, source, out, pitch, ends, first):
    """Append eight rows of eight entries to eight lists, a column to each, without the zeros.

    Row i is ``entries.flat[source + 8 * i : ...]``. List c begins at ``out + c * pitch`` and has
    ``ends.flat[first + c]`` entries, which is brought up to date. Up to eight elements behind a
    list are written. An entry is something if its value is not 0.0, whatever its place.
    """
    expect_entries(entries, VectorType(types.float32))

    def emit(builder, entries, source, out, pitch, ends, first):
        rows = [builder.add(source, word(LANES * i)) for i in range(LANES)]
        if COMPRESSES:
            lines = [load_at(builder, entries, row, ENTRIES) for row in rows]
            columns = transposed(builder, lines)
        for c in range(LANES):
            tail = builder.gep(ends, [builder.add(first, word(c))])
            start, end = builder.add(out, builder.mul(pitch, word(c))), builder.load(tail)
            if COMPRESSES:
                address = builder.gep(entries, [builder.add(start, end)])
                count = append(builder, address, columns[c], something(builder, columns[c]))
                end = builder.add(end, count)
            else:
                for row in rows:
                    entry = builder.load(builder.gep(entries, [builder.add(row, word(c))]))
                    address = builder.gep(entries, [builder.add(start, end)])
                    end = builder.add(end, append_one(builder, address, entry))
            builder.store(end, tail)

    return operation(types.void, (entries, source, out, pitch, ends, first), emit)
