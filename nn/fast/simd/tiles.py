"""Register tiles: tuples of vectors."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError

from nn.fast.simd.types import (
    extent,
    index_of,
    intp,
    intrinsic,
    ir_of,
    load_at,
    multiply_add,
    pointer_to,
    spread,
    store_at,
    tile_vector,
    vector_of,
)


@intrinsic(prefer_literal=True)
def zeros(typingctx: Any, count: Any, like: Any, lanes: Any = types.none) -> Any:
    """Return a tuple of ``count`` (literal) zero vectors of the dtype of array ``like``.

    ``count`` may also be a tuple or a pair of tuples: as many vectors as the lengths multiply
    to. So a kernel can get the form of its tile from its caller, by the type of an argument.
    """
    vector, length = vector_of(like, lanes), extent(count)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(sig.return_type), None)

    return types.UniTuple(vector, length)(count, like, lanes), codegen


@intrinsic(prefer_literal=True)
def loads(typingctx: Any, array: Any, index: Any, count: Any, lanes: Any = types.none) -> Any:
    """Return a tuple of ``count`` (literal) neighbouring vectors, the first at ``index``."""
    vector, length = vector_of(array, lanes), extent(count)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        start = index_of(context, builder, args[1], sig.args[1])
        kind = ir_of(context, vector)
        row = ir.Constant(context.get_value_type(sig.return_type), ir.Undefined)
        for c in range(length):
            item = load_at(builder, pointer, builder.add(start, intp(vector.lanes * c)), kind)
            row = builder.insert_value(row, item, c)
        return row

    return types.UniTuple(vector, length)(array, index, count, lanes), codegen


@intrinsic
def outer(typingctx: Any, acc: Any, array: Any, index: Any, step: Any, row: Any) -> Any:
    """One step of a tile: ``acc[r * C + c] += array.flat[index + r * step] * row[c]``.

    ``row`` is a vector (C = 1) or a tuple of C vectors; R = len(acc) / C. Returns the new
    accumulators. Costs R scalar loads and R x C multiply-adds.
    """
    vector = tile_vector("outer", acc, array)
    columns = row.count if isinstance(row, types.UniTuple) else 1
    if acc.count % columns or vector != (row.dtype if isinstance(row, types.UniTuple) else row):
        raise TypingError(f"simd.outer: {acc} is no tile with rows of {columns} vectors.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        tile, data, first, stride, right = args
        pointer = pointer_to(context, builder, sig.args[1], data)
        position = index_of(context, builder, first, sig.args[2])
        stride = index_of(context, builder, stride, sig.args[3])
        kind = ir_of(context, vector)
        vectors = [right]
        if isinstance(sig.args[4], types.UniTuple):
            vectors = [builder.extract_value(right, c) for c in range(columns)]
        for r in range(acc.count // columns):
            offset = builder.add(position, builder.mul(stride, intp(r)))
            scalar = spread(builder, builder.load(builder.gep(pointer, [offset])), kind)
            for c in range(columns):
                slot = r * columns + c
                new = multiply_add(builder, scalar, vectors[c], builder.extract_value(tile, slot))
                tile = builder.insert_value(tile, new, slot)
        return tile

    return acc(acc, array, index, step, row), codegen


@intrinsic
def scaled_add(
    typingctx: Any, acc: Any, scale: Any, array: Any, index: Any, step: Any, form: Any
) -> Any:
    """Add a scaled block: ``acc[r * C + c] += scale * array.flat[i : i + 8]``, or 16.

    With ``i = index + r * step + 8 c``, or 16 c. ``form`` is a pair of tuples whose lengths are R
    and C, and len(acc) = R x C. Returns the new accumulators.
    """
    vector = tile_vector("scaled_add", acc, array)
    if scale != vector:
        raise TypingError(f"simd.scaled_add: {acc}, {scale} do not fit {array}.")
    rows, columns = (extent(part) for part in form.types)
    if rows * columns != acc.count:
        raise TypingError(f"simd.scaled_add: {acc} is no tile of {rows} x {columns} vectors.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        tile, factor, data, first, stride, _ = args
        pointer = pointer_to(context, builder, sig.args[2], data)
        position = index_of(context, builder, first, sig.args[3])
        stride = index_of(context, builder, stride, sig.args[4])
        kind = ir_of(context, vector)
        for r in range(rows):
            line = builder.add(position, builder.mul(stride, intp(r)))
            for c in range(columns):
                slot = r * columns + c
                item = load_at(builder, pointer, builder.add(line, intp(vector.lanes * c)), kind)
                new = multiply_add(builder, factor, item, builder.extract_value(tile, slot))
                tile = builder.insert_value(tile, new, slot)
        return tile

    return acc(acc, scale, array, index, step, form), codegen


@intrinsic
def added(typingctx: Any, acc: Any, other: Any) -> Any:
    """Return the sum of two tiles of one form."""
    if not isinstance(acc, types.UniTuple) or acc != other:
        raise TypingError(f"simd.added: expected two tiles of one form, received {acc}, {other}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        tile, second = args
        for slot in range(acc.count):
            pair = builder.extract_value(tile, slot), builder.extract_value(second, slot)
            tile = builder.insert_value(tile, builder.fadd(*pair), slot)
        return tile

    return acc(acc, other), codegen


@intrinsic(prefer_literal=True)
def load_tile(
    typingctx: Any,
    array: Any,
    index: Any,
    step: Any,
    rows: Any,
    columns: Any,
    lanes: Any = types.none,
) -> Any:
    """Return rows x columns vectors: row r begins at ``index + r * step``.

    ``rows`` and ``columns`` are literals, or tuples of as many elements.
    """
    vector = vector_of(array, lanes)
    height, width = extent(rows), extent(columns)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        position = index_of(context, builder, args[1], sig.args[1])
        stride = index_of(context, builder, args[2], sig.args[2])
        kind = ir_of(context, vector)
        tile = ir.Constant(context.get_value_type(sig.return_type), ir.Undefined)
        for r in range(height):
            line = builder.add(position, builder.mul(stride, intp(r)))
            for c in range(width):
                item = load_at(builder, pointer, builder.add(line, intp(vector.lanes * c)), kind)
                tile = builder.insert_value(tile, item, r * width + c)
        return tile

    sig = types.UniTuple(vector, height * width)(array, index, step, rows, columns, lanes)
    return sig, codegen


@intrinsic(prefer_literal=True)
def store_tile(typingctx: Any, array: Any, index: Any, step: Any, acc: Any, columns: Any) -> Any:
    """Write a tile with rows of ``columns`` vectors: row r at ``index + r * step``."""
    vector, width = tile_vector("store_tile", acc, array), extent(columns)
    if acc.count % width:
        raise TypingError(f"simd.store_tile: {acc} is no tile with rows of {width} vectors.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        position = index_of(context, builder, args[1], sig.args[1])
        stride = index_of(context, builder, args[2], sig.args[2])
        for slot in range(acc.count):
            row, column = divmod(slot, width)
            line = builder.add(position, builder.mul(stride, intp(row)))
            value = builder.extract_value(args[3], slot)
            store_at(builder, pointer, builder.add(line, intp(vector.lanes * column)), value)
        return context.get_dummy_value()

    return types.void(array, index, step, acc, columns), codegen


@intrinsic
def store_tile_part(typingctx: Any, array: Any, index: Any, step: Any, acc: Any, count: Any) -> Any:
    """Write the first ``count`` lanes of one-vector rows: the right edge of a result."""
    vector = tile_vector("store_tile_part", acc, array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, sig.args[0], args[0])
        position = index_of(context, builder, args[1], sig.args[1])
        stride = index_of(context, builder, args[2], sig.args[2])
        count = index_of(context, builder, args[4], sig.args[4])
        kind = ir_of(context, vector)
        copy = cgutils.alloca_once(builder, kind.element, size=vector.lanes * acc.count)
        for slot in range(acc.count):
            store_at(builder, copy, intp(vector.lanes * slot), builder.extract_value(args[3], slot))
        with cgutils.for_range(builder, intp(acc.count)) as row:
            line = builder.add(position, builder.mul(stride, row.index))
            base = builder.mul(row.index, intp(vector.lanes))
            with cgutils.for_range(builder, count) as lane:
                item = builder.load(builder.gep(copy, [builder.add(base, lane.index)]))
                builder.store(item, builder.gep(pointer, [builder.add(line, lane.index)]))
        return context.get_dummy_value()

    return types.void(array, index, step, acc, count), codegen
