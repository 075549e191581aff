"""Arithmetic lane by lane, and sets of lanes as the bits of an integer."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError

from nn.fast.simd.types import (
    I32,
    LANES,
    MaskType,
    VectorType,
    intrinsic,
    ir_of,
    lanes_of,
    multiply_add,
    spread,
)


@intrinsic
def splat(typingctx: Any, scalar: Any, lanes: Any = types.none) -> Any:
    """Return a vector with ``scalar`` in every lane: ``np.full(8, scalar)``, or 16."""
    if scalar not in (types.float32, types.float64):
        raise TypingError(f"simd.splat: expected float32 or float64, received {scalar}.")
    vector = VectorType(scalar, lanes_of(lanes))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return spread(builder, args[0], ir_of(context, vector))

    return vector(scalar, lanes), codegen


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c``, rounded once where the machine can."""
    if not (isinstance(a, VectorType) and a == b == c):
        raise TypingError(f"simd.fma: expected three vectors of one dtype, received {a}, {b}, {c}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return multiply_add(builder, *args)

    return a(a, b, c), codegen


def _comparison(operation: str) -> Any:
    def typing(typingctx: Any, a: Any, b: Any) -> Any:
        if not (isinstance(a, VectorType) and a == b):
            raise TypingError(f"simd: expected two vectors of one dtype, received {a}, {b}.")

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.fcmp_ordered(operation, *args)

        return MaskType(a.lanes)(a, b), codegen

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
        lanes = builder.fcmp_unordered("!=", args[0], ir.Constant(args[0].type, [0.0] * a.lanes))
        return builder.zext(builder.bitcast(lanes, ir.IntType(a.lanes)), ir.IntType(64))

    return types.int64(a), codegen


@intrinsic
def select(typingctx: Any, mask: Any, a: Any, b: Any) -> Any:
    """Return ``np.where(mask, a, b)``."""
    if not (isinstance(a, VectorType) and a == b and mask == MaskType(a.lanes)):
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
            builder.module, ir.FunctionType(kind, [kind]), f"llvm.sqrt.v{a.lanes}{name}"
        )
        return builder.call(function, args)

    return a(a), codegen


@intrinsic
def total(typingctx: Any, a: Any) -> Any:
    """Return the sum of eight lanes, in the fixed order ((0+4)+(2+6)) + ((1+5)+(3+7))."""
    if not isinstance(a, VectorType) or a.lanes != LANES:
        raise TypingError(f"simd.total: expected a vector of eight lanes, received {a}.")
    if not isinstance(a, VectorType):
        raise TypingError(f"simd.total: expected a vector, received {a}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = args[0]
        nothing = ir.Constant(value.type, ir.Undefined)
        for width in (4, 2, 1):
            lanes = [lane + width if lane < width else 0 for lane in range(LANES)]
            order = ir.Constant(ir.VectorType(I32, LANES), lanes)
            value = builder.fadd(value, builder.shuffle_vector(value, nothing, order))
        return builder.extract_element(value, I32(0))

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
