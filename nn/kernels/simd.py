"""Eight numbers at a time: a SIMD value type for kernels, and how a register tile works.

A vector here is a Numba value of eight float32 (or float64) lanes. LLVM maps it to one AVX
register, half an AVX-512 register or two NEON registers. Kernels use it as they use a number:

    @jit
    def scaled_sum(x, y, alpha, out):          # flat arrays, length a multiple of 8
        a = splat(alpha)
        for i in range(0, x.size, LANES):
            store(out, i, fma(a, load(x, i), load(y, i)))

Why it exists: a compiler vectorises a loop when it can prove that this is allowed and guesses
that it pays; both fail for the loops of a convolution. Here we say what the registers hold.

The register tile
-----------------
Multiplying two matrices needs two loads for each multiplication when done naively, and a core
can do two loads and two eight-lane multiply-adds a cycle: half of its power is lost. A *tile*
keeps R x C vectors of the result in registers; each step of the sum loads R numbers (spread
over all lanes) and C vectors and uses every pair:

    acc = zeros(12, out)                       # 3 rows x 4 vectors of the result
    for k in range(K):                         # 12 multiply-adds for 3 + 4 loads
        acc = outer(acc, a, i + k, K, loads(b, j + k * F, 4))
    store_tile(out, o, F, acc, 4)

*Twelve accumulators*: a multiply-add takes four cycles and two start in each, so at least
eight must be under way, independent of each other; AVX2 has sixteen registers, and twelve
leave four for what was just loaded. *Eight lanes*: that is AVX2's register. Sixteen gained
6 % on a machine with AVX-512 and lost 40 % on one without, where each vector needs a pair of
registers and half of the tile lives on the stack.

The rules
---------
Arrays are indexed *flat*, in elements, whatever their rank; they must be C-contiguous. An index
is an address: no wrap-around of negative values, no bounds check (the caller's loop bounds are
tested with canaries around every buffer, see ``tests/test_simd.py``). Addresses need no
alignment. The functions run inside ``@jit`` only; each docstring gives the NumPy meaning.
Multiply-adds round once where the machine has such an instruction and twice elsewhere.
"""

import math
import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import (
    lower_builtin,
    models,
    register_model,
)

LANES = 8

# Kernels call intrinsics without the typing context, which only Numba passes: no type fits both.
intrinsic: Any = numba_intrinsic

__all__ = [
    "LANES",
    "added",
    "equal",
    "first_bit",
    "fma",
    "get",
    "greater",
    "last_bit",
    "less",
    "load",
    "load_part",
    "load_tile",
    "loads",
    "maximum",
    "minimum",
    "nonzero",
    "outer",
    "put",
    "scaled_add",
    "select",
    "splat",
    "sqrt",
    "store",
    "store_bytes",
    "store_part",
    "store_tile",
    "store_tile_part",
    "total",
    "zeros",
]


# --- The types: a vector of numbers, and a vector of yes/no ------------------------------------


class VectorType(types.Type):
    """The Numba type of eight float32 or float64 lanes."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"Vector8({dtype})")


class MaskType(types.Type):
    """The Numba type of eight truth values, the result of a comparison."""

    def __init__(self) -> None:
        super().__init__(name="Mask8")


_MASK = MaskType()
_I32 = ir.IntType(32)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: VectorType) -> None:
        element = manager.lookup(fe_type.dtype).get_value_type()
        super().__init__(manager, fe_type, ir.VectorType(element, LANES))


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: MaskType) -> None:
        super().__init__(manager, fe_type, ir.VectorType(ir.IntType(1), LANES))


# --- Arithmetic operators: a + b, a - b, a * b, a / b on two vectors ----------------------------


@infer_global(operator.add)
@infer_global(operator.sub)
@infer_global(operator.mul)
@infer_global(operator.truediv)
@infer_global(operator.iadd)
@infer_global(operator.isub)
@infer_global(operator.imul)
class _Arithmetic(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        if len(args) == 2 and isinstance(args[0], VectorType) and args[0] == args[1]:
            return signature(args[0], *args)
        return None


def _lower_operator(function: Any, instruction: str) -> None:
    @lower_builtin(function, VectorType, VectorType)
    def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)


for _functions, _instruction in (
    ((operator.add, operator.iadd), "fadd"),
    ((operator.sub, operator.isub), "fsub"),
    ((operator.mul, operator.imul), "fmul"),
    ((operator.truediv,), "fdiv"),
):
    for _function in _functions:
        _lower_operator(_function, _instruction)


# --- Pieces of code generation used by every intrinsic ------------------------------------------


def _vector_of(array: Any) -> VectorType:
    """Return the vector type that belongs to an array type; refuse what has no lanes."""
    if not isinstance(array, types.Array) or array.dtype not in (types.float32, types.float64):
        raise TypingError(f"simd: expected a float32 or float64 array, received {array}.")
    if array.layout != "C":
        raise TypingError(f"simd: expected a C-contiguous array, received {array}.")
    return VectorType(array.dtype)


def _literal(value: Any, name: str) -> int:
    if not isinstance(value, types.IntegerLiteral):
        raise TypingError(f"simd: {name} must be a literal integer such as 4, received {value}.")
    return int(value.literal_value)


def _extent(value: Any) -> int:
    if isinstance(value, types.UniTuple):
        nested = isinstance(value.dtype, types.BaseTuple)
        return int(_extent(value.dtype) ** value.count if nested else value.count)
    if isinstance(value, types.Tuple):
        return math.prod([_extent(part) for part in value.types])
    return _literal(value, "count")


def _pointer(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    return context.make_array(array_type)(context, builder, array).data


def _index(context: Any, builder: Any, index: Any, index_type: Any) -> Any:
    return context.cast(builder, index, index_type, types.intp)


def _vector_ir(context: Any, vector: VectorType) -> Any:
    return context.get_value_type(vector)


def _load(builder: Any, pointer: Any, index: Any, vector: Any) -> Any:
    address = builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer())
    value = builder.load(address)
    value.align = 4
    return value


def _store(builder: Any, pointer: Any, index: Any, value: Any) -> None:
    address = builder.bitcast(builder.gep(pointer, [index]), value.type.as_pointer())
    builder.store(value, address).align = 4


def _splat(builder: Any, scalar: Any, vector: Any) -> Any:
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, _I32(0))
    lanes = ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), lanes)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    # fmuladd, not fma: without a fused instruction LLVM multiplies and adds instead of
    # calling the C library once for each lane.
    name = "f32" if isinstance(a.type.element, ir.FloatType) else "f64"
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(a.type, [a.type] * 3),
        f"llvm.fmuladd.v{LANES}{name}",
    )
    return builder.call(function, [a, b, c])


def _intp(value: int) -> Any:
    return ir.Constant(ir.IntType(8 * np.dtype(np.intp).itemsize), value)


# --- Loads and stores ---------------------------------------------------------------------------


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """Return the eight elements from ``index`` on: ``array.flat[index : index + 8]``."""
    vector = _vector_of(array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        start = _index(context, builder, args[1], sig.args[1])
        return _load(builder, pointer, start, _vector_ir(context, vector))

    return vector(array, index), codegen


@intrinsic
def load_part(typingctx: Any, array: Any, index: Any, count: Any) -> Any:
    """Return ``count`` (1 to 8) elements and zeros in the lanes behind; reads nothing beyond."""
    vector = _vector_of(array)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        start = _index(context, builder, args[1], sig.args[1])
        count = _index(context, builder, args[2], sig.args[2])
        kind = _vector_ir(context, vector)
        last = builder.sub(count, _intp(1))
        value = ir.Constant(kind, [0.0] * LANES)
        for lane in range(LANES):
            inside = builder.icmp_signed("<", _intp(lane), count)
            offset = builder.select(inside, _intp(lane), last)
            item = builder.load(builder.gep(pointer, [builder.add(start, offset)]))
            item = builder.select(inside, item, ir.Constant(kind.element, 0.0))
            value = builder.insert_element(value, item, _I32(lane))
        return value

    return vector(array, index, count), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write all lanes: ``array.flat[index : index + 8] = value``."""
    if _vector_of(array) != value:
        raise TypingError(f"simd.store: expected a vector of {array.dtype}, received {value}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        _store(builder, pointer, _index(context, builder, args[1], sig.args[1]), args[2])
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def store_part(typingctx: Any, array: Any, index: Any, value: Any, count: Any) -> Any:
    """Write the first ``count`` lanes (0 to 8) and touch nothing behind them."""
    if _vector_of(array) != value:
        raise TypingError(f"simd.store_part: expected a vector of {array.dtype}, received {value}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        start = _index(context, builder, args[1], sig.args[1])
        count = _index(context, builder, args[3], sig.args[3])
        for lane in range(LANES):
            with builder.if_then(builder.icmp_signed("<", _intp(lane), count)):
                address = builder.gep(pointer, [builder.add(start, _intp(lane))])
                builder.store(builder.extract_element(args[2], _I32(lane)), address)
        return context.get_dummy_value()

    return types.void(array, index, value, count), codegen


@intrinsic
def store_bytes(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write lanes that hold 0.0 to 255.0 as eight uint8: ``array.flat[...] = value``."""
    if not isinstance(array, types.Array) or array.dtype != types.uint8 or array.layout != "C":
        raise TypingError(f"simd.store_bytes: expected a contiguous uint8 array, received {array}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        whole = builder.fptosi(args[2], ir.VectorType(_I32, LANES))
        small = builder.trunc(whole, ir.VectorType(ir.IntType(8), LANES))
        start = _index(context, builder, args[1], sig.args[1])
        address = builder.bitcast(builder.gep(pointer, [start]), small.type.as_pointer())
        builder.store(small, address).align = 1
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def get(typingctx: Any, array: Any, index: Any) -> Any:
    """Return one element, ``array.flat[index]``, of any dtype, without the wrap-around test."""
    if not isinstance(array, types.Array) or array.layout != "C":
        raise TypingError(f"simd.get: expected a C-contiguous array, received {array}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        start = _index(context, builder, args[1], sig.args[1])
        return context.unpack_value(builder, sig.args[0].dtype, builder.gep(pointer, [start]))

    return array.dtype(array, index), codegen


@intrinsic
def put(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Set one element, ``array.flat[index] = value``, of any dtype, without the wrap-around."""
    if not isinstance(array, types.Array) or array.layout != "C":
        raise TypingError(f"simd.put: expected a C-contiguous array, received {array}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        start = _index(context, builder, args[1], sig.args[1])
        item = context.cast(builder, args[2], sig.args[2], sig.args[0].dtype)
        context.pack_value(builder, sig.args[0].dtype, item, builder.gep(pointer, [start]))
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


# --- Lane by lane -------------------------------------------------------------------------------


@intrinsic
def splat(typingctx: Any, scalar: Any) -> Any:
    """Return a vector with ``scalar`` in every lane: ``np.full(8, scalar)``."""
    if scalar not in (types.float32, types.float64):
        raise TypingError(f"simd.splat: expected float32 or float64, received {scalar}.")
    vector = VectorType(scalar)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _splat(builder, args[0], _vector_ir(context, vector))

    return vector(scalar), codegen


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c``, rounded once where the machine can."""
    if not (isinstance(a, VectorType) and a == b == c):
        raise TypingError(f"simd.fma: expected three vectors of one dtype, received {a}, {b}, {c}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _fma(builder, *args)

    return a(a, b, c), codegen


def _comparison(operation: str) -> Any:
    def typing(typingctx: Any, a: Any, b: Any) -> Any:
        if not (isinstance(a, VectorType) and a == b):
            raise TypingError(f"simd: expected two vectors of one dtype, received {a}, {b}.")

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.fcmp_ordered(operation, *args)

        return _MASK(a, b), codegen

    return typing


@intrinsic
def greater(typingctx: Any, a: Any, b: Any) -> Any:
    """Return the mask ``a > b``; False where either is NaN."""
    return _comparison(">")(typingctx, a, b)


@intrinsic
def equal(typingctx: Any, a: Any, b: Any) -> Any:
    """Return the mask ``a == b``; False where either is NaN."""
    return _comparison("==")(typingctx, a, b)


@intrinsic
def less(typingctx: Any, a: Any, b: Any) -> Any:
    """Return the mask ``a < b``; False where either is NaN."""
    return _comparison("<")(typingctx, a, b)


@intrinsic
def nonzero(typingctx: Any, a: Any) -> Any:
    """Return a set of lanes as an int64: bit l is set where lane l is not 0.0; NaN is not."""
    if not isinstance(a, VectorType):
        raise TypingError(f"simd.nonzero: expected a vector, received {a}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = builder.fcmp_unordered("!=", args[0], ir.Constant(args[0].type, [0.0] * LANES))
        return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), ir.IntType(64))

    return types.int64(a), codegen


@intrinsic
def select(typingctx: Any, mask: Any, a: Any, b: Any) -> Any:
    """Return ``np.where(mask, a, b)``."""
    if not (isinstance(mask, MaskType) and isinstance(a, VectorType) and a == b):
        raise TypingError(
            f"simd.select: expected a mask and two vectors, received {mask}, {a}, {b}."
        )

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(*args)

    return a(mask, a, b), codegen


def _choice(operation: str) -> Any:
    def typing(typingctx: Any, a: Any, b: Any) -> Any:
        if not (isinstance(a, VectorType) and a == b):
            raise TypingError(f"simd: expected two vectors of one dtype, received {a}, {b}.")

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.select(builder.fcmp_ordered(operation, *args), *args)

        return a(a, b), codegen

    return typing


@intrinsic
def maximum(typingctx: Any, a: Any, b: Any) -> Any:
    """Return ``np.where(a > b, a, b)``: one instruction, and a NaN in ``b`` comes through."""
    return _choice(">")(typingctx, a, b)


@intrinsic
def minimum(typingctx: Any, a: Any, b: Any) -> Any:
    """Return ``np.where(a < b, a, b)``: one instruction, and a NaN in ``b`` comes through."""
    return _choice("<")(typingctx, a, b)


@intrinsic
def sqrt(typingctx: Any, a: Any) -> Any:
    """Return the square root of every lane."""
    if not isinstance(a, VectorType):
        raise TypingError(f"simd.sqrt: expected a vector, received {a}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        name = "f32" if sig.args[0].dtype == types.float32 else "f64"
        kind = args[0].type
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind]), f"llvm.sqrt.v{LANES}{name}"
        )
        return builder.call(function, args)

    return a(a), codegen


@intrinsic
def total(typingctx: Any, a: Any) -> Any:
    """Return the sum of the lanes, in the fixed order ((0+4)+(2+6)) + ((1+5)+(3+7))."""
    if not isinstance(a, VectorType):
        raise TypingError(f"simd.total: expected a vector, received {a}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = args[0]
        nothing = ir.Constant(value.type, ir.Undefined)
        for width in (4, 2, 1):
            lanes = [lane + width if lane < width else 0 for lane in range(LANES)]
            order = ir.Constant(ir.VectorType(_I32, LANES), lanes)
            value = builder.fadd(value, builder.shuffle_vector(value, nothing, order))
        return builder.extract_element(value, _I32(0))

    return a.dtype(a), codegen


# --- Sets of small numbers: the bits of an integer ----------------------------------------------


def _bit_search(name: str) -> Any:
    def typing(typingctx: Any, bits: Any) -> Any:
        if bits != types.int64:
            raise TypingError(f"simd: expected an int64, received {bits}.")

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            i64, i1 = ir.IntType(64), ir.IntType(1)
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(i64, [i64, i1]), f"llvm.{name}.i64"
            )
            zeros = builder.call(function, [args[0], i1(0)])
            return zeros if name == "cttz" else builder.sub(i64(63), zeros)

        return types.int64(bits), codegen

    return typing


@intrinsic
def first_bit(typingctx: Any, bits: Any) -> Any:
    """Return the place of the lowest 1 of an int64, 64 if it is 0."""
    return _bit_search("cttz")(typingctx, bits)


@intrinsic
def last_bit(typingctx: Any, bits: Any) -> Any:
    """Return the place of the highest 1 of an int64, -1 if it is 0."""
    return _bit_search("ctlz")(typingctx, bits)


# --- Register tiles: tuples of vectors ----------------------------------------------------------


@intrinsic(prefer_literal=True)
def zeros(typingctx: Any, count: Any, like: Any) -> Any:
    """Return a tuple of ``count`` (literal) zero vectors of the dtype of array ``like``.

    ``count`` may also be a tuple or a pair of tuples: as many vectors as the lengths multiply
    to. So a kernel can get the form of its tile from its caller, by the type of an argument.
    """
    vector, length = _vector_of(like), _extent(count)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(sig.return_type), None)

    return types.UniTuple(vector, length)(count, like), codegen


@intrinsic(prefer_literal=True)
def loads(typingctx: Any, array: Any, index: Any, count: Any) -> Any:
    """Return a tuple of ``count`` (literal) neighbouring vectors, the first at ``index``."""
    vector, length = _vector_of(array), _literal(count, "count")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        start = _index(context, builder, args[1], sig.args[1])
        kind = _vector_ir(context, vector)
        row = ir.Constant(context.get_value_type(sig.return_type), ir.Undefined)
        for c in range(length):
            item = _load(builder, pointer, builder.add(start, _intp(LANES * c)), kind)
            row = builder.insert_value(row, item, c)
        return row

    return types.UniTuple(vector, length)(array, index, count), codegen


@intrinsic
def outer(typingctx: Any, acc: Any, array: Any, index: Any, step: Any, row: Any) -> Any:
    """One step of a tile: ``acc[r * C + c] += array.flat[index + r * step] * row[c]``.

    ``row`` is a vector (C = 1) or a tuple of C vectors; R = len(acc) / C. Returns the new
    accumulators. Costs R scalar loads and R x C multiply-adds.
    """
    vector = _vector_of(array)
    columns = row.count if isinstance(row, types.UniTuple) else 1
    if not isinstance(acc, types.UniTuple) or acc.dtype != vector or acc.count % columns:
        raise TypingError(f"simd.outer: {acc} is no tile with rows of {columns} vectors.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        tile, data, first, stride, right = args
        pointer = _pointer(context, builder, sig.args[1], data)
        position = _index(context, builder, first, sig.args[2])
        stride = _index(context, builder, stride, sig.args[3])
        kind = _vector_ir(context, vector)
        vectors = [right]
        if isinstance(sig.args[4], types.UniTuple):
            vectors = [builder.extract_value(right, c) for c in range(columns)]
        for r in range(acc.count // columns):
            offset = builder.add(position, builder.mul(stride, _intp(r)))
            scalar = _splat(builder, builder.load(builder.gep(pointer, [offset])), kind)
            for c in range(columns):
                slot = r * columns + c
                new = _fma(builder, scalar, vectors[c], builder.extract_value(tile, slot))
                tile = builder.insert_value(tile, new, slot)
        return tile

    return acc(acc, array, index, step, row), codegen


@intrinsic
def scaled_add(
    typingctx: Any, acc: Any, scale: Any, array: Any, index: Any, step: Any, form: Any
) -> Any:
    """Add a scaled block: ``acc[r * C + c] += scale * array.flat[i : i + 8]``.

    With ``i = index + r * step + 8 c``. ``form`` is a pair of tuples whose lengths are R and C,
    and len(acc) = R x C. Returns the new accumulators.
    """
    vector = _vector_of(array)
    if not isinstance(acc, types.UniTuple) or acc.dtype != vector or scale != vector:
        raise TypingError(f"simd.scaled_add: {acc}, {scale} do not fit {array}.")
    rows, columns = (_extent(part) for part in form.types)
    if rows * columns != acc.count:
        raise TypingError(f"simd.scaled_add: {acc} is no tile of {rows} x {columns} vectors.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        tile, factor, data, first, stride, _ = args
        pointer = _pointer(context, builder, sig.args[2], data)
        position = _index(context, builder, first, sig.args[3])
        stride = _index(context, builder, stride, sig.args[4])
        kind = _vector_ir(context, vector)
        for r in range(rows):
            line = builder.add(position, builder.mul(stride, _intp(r)))
            for c in range(columns):
                slot = r * columns + c
                item = _load(builder, pointer, builder.add(line, _intp(LANES * c)), kind)
                new = _fma(builder, factor, item, builder.extract_value(tile, slot))
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
def load_tile(typingctx: Any, array: Any, index: Any, step: Any, rows: Any, columns: Any) -> Any:
    """Return rows x columns vectors: row r begins at ``index + r * step``.

    ``rows`` and ``columns`` are literals, or tuples of as many elements.
    """
    vector = _vector_of(array)
    height, width = _extent(rows), _extent(columns)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        position = _index(context, builder, args[1], sig.args[1])
        stride = _index(context, builder, args[2], sig.args[2])
        kind = _vector_ir(context, vector)
        tile = ir.Constant(context.get_value_type(sig.return_type), ir.Undefined)
        for r in range(height):
            line = builder.add(position, builder.mul(stride, _intp(r)))
            for c in range(width):
                item = _load(builder, pointer, builder.add(line, _intp(LANES * c)), kind)
                tile = builder.insert_value(tile, item, r * width + c)
        return tile

    sig = types.UniTuple(vector, height * width)(array, index, step, rows, columns)
    return sig, codegen


@intrinsic(prefer_literal=True)
def store_tile(typingctx: Any, array: Any, index: Any, step: Any, acc: Any, columns: Any) -> Any:
    """Write a tile with rows of ``columns`` vectors: row r at ``index + r * step``."""
    vector, width = _vector_of(array), _extent(columns)
    if not isinstance(acc, types.UniTuple) or acc.dtype != vector or acc.count % width:
        raise TypingError(f"simd.store_tile: {acc} is no tile with rows of {width} vectors.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        position = _index(context, builder, args[1], sig.args[1])
        stride = _index(context, builder, args[2], sig.args[2])
        for slot in range(acc.count):
            row, column = divmod(slot, width)
            line = builder.add(position, builder.mul(stride, _intp(row)))
            value = builder.extract_value(args[3], slot)
            _store(builder, pointer, builder.add(line, _intp(LANES * column)), value)
        return context.get_dummy_value()

    return types.void(array, index, step, acc, columns), codegen


@intrinsic
def store_tile_part(typingctx: Any, array: Any, index: Any, step: Any, acc: Any, count: Any) -> Any:
    """Write the first ``count`` lanes of one-vector rows: the right edge of a result."""
    vector = _vector_of(array)
    if not isinstance(acc, types.UniTuple) or acc.dtype != vector:
        raise TypingError(f"simd.store_tile_part: {acc} does not fit {array}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0])
        position = _index(context, builder, args[1], sig.args[1])
        stride = _index(context, builder, args[2], sig.args[2])
        count = _index(context, builder, args[4], sig.args[4])
        kind = _vector_ir(context, vector)
        copy = cgutils.alloca_once(builder, kind.element, size=LANES * acc.count)
        for slot in range(acc.count):
            _store(builder, copy, _intp(LANES * slot), builder.extract_value(args[3], slot))
        with cgutils.for_range(builder, _intp(acc.count)) as row:
            line = builder.add(position, builder.mul(stride, row.index))
            base = builder.mul(row.index, _intp(LANES))
            with cgutils.for_range(builder, count) as lane:
                item = builder.load(builder.gep(copy, [builder.add(base, lane.index)]))
                builder.store(item, builder.gep(pointer, [builder.add(line, lane.index)]))
        return context.get_dummy_value()

    return types.void(array, index, step, acc, count), codegen
