"""Register tiles: tuples of vectors.

In all functions R rows of C vectors are a tile; vector c of row r is element ``r * C + c`` of the
tuple. ``rows`` and ``columns`` say how many: literals, or tuples with as many elements, so that a
kernel can get the shape of its tile from its caller by the type of an argument. ``step`` is the
distance of the rows in memory: an integer, or a tuple with the distance of each row from the index.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError

from nn.fast.simd.types import (
    WORD,
    VectorType,
    expect_vectors,
    extent,
    intrinsic,
    ir_of,
    load_at,
    multiply_add,
    operation,
    repeat,
    rows_at,
    spread,
    store_at,
    tile_vector,
    vector_of,
    word,
)


def _line(builder, array, index, columns, kind):
    """Return ``columns`` neighbouring vectors."""
    lanes = kind.count
    return [
        load_at(builder, array, builder.add(index, word(lanes * c)), kind) for c in range(columns)
    ]


@intrinsic(prefer_literal=True)
def zeros(typingctx, count, like, lanes=types.none):
    """Return a tile of ``count`` vectors of zeros of the dtype of array ``like``.

    ``count`` may also be a pair of tuples: as many vectors as the lengths multiply to.
    """
    vector, length = vector_of(like, lanes), extent(count)

    def emit(builder, *_):
        return [ir.Constant(ir_of(vector), None)] * length

    return operation(types.UniTuple(vector, length), (count, like, lanes), emit)


@intrinsic(prefer_literal=True)
def loads(typingctx, array, index, count, lanes=types.none):
    """Return a tuple of ``count`` neighbouring vectors, the first at ``index``."""
    vector, length = vector_of(array, lanes), extent(count)

    def emit(builder, array, index, *_):
        return _line(builder, array, index, length, ir_of(vector))

    return operation(types.UniTuple(vector, length), (array, index, count, lanes), emit)


@intrinsic(prefer_literal=True)
def load_tile(typingctx, array, index, step, rows, columns, lanes=types.none):
    """Return the R x C vectors of a tile: row r begins at ``index + r * step``."""
    vector, height, width = vector_of(array, lanes), extent(rows), extent(columns)

    def emit(builder, array, index, step, *_):
        lines = rows_at(builder, index, step, height)
        return [v for line in lines for v in _line(builder, array, line, width, ir_of(vector))]

    tile = types.UniTuple(vector, height * width)
    return operation(tile, (array, index, step, rows, columns, lanes), emit)


@intrinsic(prefer_literal=True)
def store_tile(typingctx, array, index, step, acc, columns):
    """Write a tile with rows of C vectors: row r at ``index + r * step``, in their order."""
    vector, width = tile_vector("store_tile", acc, array), extent(columns)
    if acc.count % width:
        raise TypingError(f"simd.store_tile: {acc} is no tile with rows of {width} vectors.")

    def emit(builder, array, index, step, acc, columns):
        for r, line in enumerate(rows_at(builder, index, step, len(acc) // width)):
            for c, value in enumerate(acc[r * width : (r + 1) * width]):
                store_at(builder, array, builder.add(line, word(vector.lanes * c)), value)

    return operation(types.void, (array, index, step, acc, columns), emit)


@intrinsic
def store_tile_part(typingctx, array, index, step, acc, count):
    """Write the first ``count`` lanes, at most a vector, of each row: the right edge of a result.

    ``step`` is a tuple with the distances of the rows, or an integer, and rows have one vector.
    """
    vector = tile_vector("store_tile_part", acc, array)
    rows = step.count if isinstance(step, types.UniTuple) else acc.count

    def emit(builder, array, index, step, acc, count):
        copy = cgutils.alloca_once(builder, ir_of(vector).element, size=vector.lanes * rows)
        lines = cgutils.alloca_once(builder, WORD, size=rows)
        for r, line in enumerate(rows_at(builder, index, step, rows)):
            store_at(builder, copy, word(vector.lanes * r), acc[r * len(acc) // rows])
            builder.store(line, builder.gep(lines, [word(r)]))
        with cgutils.for_range(builder, word(rows)) as row:
            line = builder.load(builder.gep(lines, [row.index]))
            base = builder.mul(row.index, word(vector.lanes))
            with cgutils.for_range(builder, count) as lane:
                item = builder.load(builder.gep(copy, [builder.add(base, lane.index)]))
                builder.store(item, builder.gep(array, [builder.add(line, lane.index)]))

    return operation(types.void, (array, index, step, acc, count), emit)


@intrinsic(prefer_literal=True)
def add_tile(typingctx, array, index, step, acc, columns, count):
    """Add the first ``count`` columns of a tile to memory, row after row: they may overlap.

    The elements behind these in the rows of C vectors are read and written as they are.
    """
    vector, width = tile_vector("add_tile", acc, array), extent(columns)

    def emit(builder, array, index, step, acc, columns, count):
        kind = ir_of(vector)
        numbers = ir.VectorType(WORD, vector.lanes)
        for r, line in enumerate(rows_at(builder, index, step, len(acc) // width)):
            for c, value in enumerate(acc[r * width : (r + 1) * width]):
                lanes = range(vector.lanes * c, vector.lanes * (c + 1))
                number, last = ir.Constant(numbers, list(lanes)), spread(builder, count, numbers)
                at = builder.add(line, word(lanes.start))
                old = load_at(builder, array, at, kind)
                inside = builder.icmp_signed("<", number, last)
                new = builder.select(inside, builder.fadd(old, value), old)
                store_at(builder, array, at, new)

    return operation(types.void, (array, index, step, acc, columns, count), emit)


@intrinsic
def slide_tile(typingctx, acc, array, index, behind, step, rows, slide):
    """Store the first columns of a tile, and return it moved on by as many.

    Of each row S = len(slide) vectors are stored from ``array.flat[index + r * step]`` on. The
    others take their places, and behind these come S from ``array.flat[behind + r * step]`` on,
    loaded after the stores. ``rows`` is a tuple of R elements.
    """
    vector, height, moved = tile_vector("slide_tile", acc, array), extent(rows), extent(slide)
    columns, rest = divmod(acc.count, height)
    if rest or not 1 <= moved <= columns:
        raise TypingError(f"simd.slide_tile: {acc} has no {height} rows of at least {moved}.")

    def emit(builder, acc, array, index, behind, step, *_):
        lines = [acc[r * columns : (r + 1) * columns] for r in range(height)]
        for line, start in zip(lines, rows_at(builder, index, step, height), strict=True):
            for c, item in enumerate(line[:moved]):
                store_at(builder, array, builder.add(start, word(vector.lanes * c)), item)
        for line, start in zip(lines, rows_at(builder, behind, step, height), strict=True):
            line[:] = line[moved:] + _line(builder, array, start, moved, ir_of(vector))
        return [item for line in lines for item in line]

    return operation(acc, (acc, array, index, behind, step, rows, slide), emit)


def _outer(builder, acc, array, lines, row):
    """Return ``acc[r * C + c] + array[lines[r]] * row[c]``."""
    new = []
    for r, line in enumerate(lines):
        scalar = spread(builder, builder.load(builder.gep(array, [line])), row[0].type)
        for c, right in enumerate(row):
            new.append(multiply_add(builder, scalar, right, acc[r * len(row) + c]))
    return new


@intrinsic
def outer(typingctx, acc, array, index, step, row):
    """One step of a tile: ``acc[r * C + c] += array.flat[index + r * step] * row[c]``.

    ``row`` is a vector (C = 1) or a tuple of C vectors; R = len(acc) / C. Returns the new
    accumulators. Costs R scalar loads and R x C multiply-adds.
    """
    vector = tile_vector("outer", acc, array)
    columns = row.count if isinstance(row, types.UniTuple) else 1
    if acc.count % columns or vector != (row.dtype if isinstance(row, types.UniTuple) else row):
        raise TypingError(f"simd.outer: {acc} is no tile with rows of {columns} vectors.")

    def emit(builder, acc, array, index, step, row):
        lines = rows_at(builder, index, step, len(acc) // columns)
        return _outer(builder, acc, array, lines, row if isinstance(row, list) else [row])

    return operation(acc, (acc, array, index, step, row), emit)


@intrinsic(prefer_literal=True)
def add_product(typingctx, acc, a, i, a_row, a_step, b, j, b_row, depth, columns):
    """Add to a tile the product of R rows of ``a`` and ``depth`` rows of ``b``, C vectors each.

    ``acc[r * C + c] += sum over k of a.flat[i + r * a_row + k * a_step] * b.flat[j + k * b_row +
    ...]``, in the order of k: ``depth`` times ``outer``. Returns the new accumulators.
    """
    vector, width = tile_vector("add_product", acc, a), extent(columns)
    if acc.count % width or tile_vector("add_product", acc, b) != vector:
        raise TypingError(f"simd.add_product: {acc} is no tile with rows of {width} vectors.")

    def emit(builder, acc, a, i, a_row, a_step, b, j, b_row, depth, columns):
        def body(_, values):
            left, right, *acc = values
            lines = rows_at(builder, left, a_row, len(acc) // width)
            row = _line(builder, b, right, width, ir_of(vector))
            new = _outer(builder, acc, a, lines, row)
            return [builder.add(left, a_step), builder.add(right, b_row), *new]

        return repeat(builder, depth, [i, j, *acc], body)[2:]

    arguments = (acc, a, i, a_row, a_step, b, j, b_row, depth, columns)
    return operation(acc, arguments, emit)


def scaled_rows(builder, acc, scale, array, lines):
    """Return ``acc[r * C + c] + scale * array[lines[r] + ...]``: the rows of a block, scaled."""
    width = len(acc) // len(lines)
    block = [v for line in lines for v in _line(builder, array, line, width, scale.type)]
    return [multiply_add(builder, scale, *pair) for pair in zip(block, acc, strict=True)]


@intrinsic
def added(typingctx, acc, other):
    """Return the sum of two tiles of one form."""
    if not isinstance(acc, types.UniTuple) or acc != other:
        raise TypingError(f"simd.added: expected two tiles of one form, received {acc}, {other}.")
    expect_vectors("added", *acc.types)

    def emit(builder, acc, other):
        return [builder.fadd(*pair) for pair in zip(acc, other, strict=True)]

    return operation(acc, (acc, other), emit)


@intrinsic
def turned(typingctx, rows):
    """Return a tuple of eight vectors transposed: ``result[i][j] = rows[j][i]``."""
    if rows not in (
        types.UniTuple(VectorType(types.float32), 8),
        types.UniTuple(VectorType(types.float64), 8),
    ):
        raise TypingError(f"simd.turned: expected a tuple of eight vectors, received {rows}.")
    return operation(rows, (rows,), transposed)


def transposed(builder, lines):
    """Return eight vectors transposed: blocks of 4, 2 and 1 lanes change places between them."""
    lines = list(lines)
    for width in (4, 2, 1):
        low = [lane if not lane & width else 8 + lane - width for lane in range(8)]
        high = [lane + width if not lane & width else 8 + lane for lane in range(8)]
        masks = [ir.Constant(ir.VectorType(ir.IntType(32), 8), order) for order in (low, high)]
        for i in (i for i in range(8) if not i & width):
            a, b = lines[i], lines[i + width]
            lines[i], lines[i + width] = (builder.shuffle_vector(a, b, mask) for mask in masks)
    return lines
