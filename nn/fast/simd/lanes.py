"""Arithmetic lane by lane, and sets of lanes as the bits of an integer."""

from llvmlite import ir
from numba.core import types
from numba.core.errors import TypingError

from nn.fast.simd.types import (
    I64,
    LANES,
    MaskType,
    VectorType,
    call,
    constant,
    expect_vectors,
    extent,
    intrinsic,
    ir_of,
    multiply_add,
    operation,
    spread,
)


@intrinsic
def splat(typingctx, scalar, lanes=types.none):
    """Return a vector with ``scalar`` in every lane: ``np.full(8, scalar)``, or 16."""
    if scalar not in (types.float32, types.float64):
        raise TypingError(f"simd.splat: expected float32 or float64, received {scalar}.")
    vector = VectorType(scalar, LANES * (1 if lanes == types.none else extent(lanes)))

    def emit(builder, scalar, lanes):
        return spread(builder, scalar, ir_of(vector))

    return operation(vector, (scalar, lanes), emit)


@intrinsic
def fma(typingctx, a, b, c):
    """Return ``a * b + c``, rounded once where the machine can."""
    return operation(expect_vectors("fma", a, b, c), (a, b, c), multiply_add)


def _comparison(name, operator, a, b):
    def emit(builder, a, b):
        return builder.fcmp_ordered(operator, a, b)

    return operation(MaskType(expect_vectors(name, a, b).lanes), (a, b), emit)


@intrinsic
def greater(typingctx, a, b):
    """Return the mask ``a > b``; False where either is NaN."""
    return _comparison("greater", ">", a, b)


@intrinsic
def equal(typingctx, a, b):
    """Return the mask ``a == b``; False where either is NaN."""
    return _comparison("equal", "==", a, b)


@intrinsic
def select(typingctx, mask, a, b):
    """Return ``np.where(mask, a, b)``."""
    vector = expect_vectors("select", a, b)
    if mask != MaskType(vector.lanes):
        raise TypingError(f"simd.select: expected a mask of {vector.lanes} lanes, received {mask}.")
    return operation(vector, (mask, a, b), lambda builder, *values: builder.select(*values))


@intrinsic
def maximum(typingctx, a, b):
    """Return ``np.where(a > b, a, b)``: one instruction, and a NaN in ``b`` comes through."""

    def emit(builder, a, b):
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    return operation(expect_vectors("maximum", a, b), (a, b), emit)


@intrinsic
def nonzero(typingctx, a):
    """Return a set of lanes as an int64: bit l is set where lane l is not 0.0; NaN is not."""
    lanes = expect_vectors("nonzero", a).lanes

    def emit(builder, a):
        mask = builder.fcmp_unordered("!=", a, constant(a.type, 0.0))
        return builder.zext(builder.bitcast(mask, ir.IntType(lanes)), I64)

    return operation(types.int64, (a,), emit)


# --- Sets of small numbers: the bits of an integer ----------------------------------------------


def _zeros(builder, end, bits):
    """Return how many bits are 0 before the first 1, from the low or the high ``end``."""
    return call(builder, f"llvm.c{end}z.i64", I64, [bits, ir.Constant(ir.IntType(1), 0)])


@intrinsic
def first_bit(typingctx, bits):
    """Return the place of the lowest 1 of an int64, 64 if it is 0."""
    return operation(types.int64, (bits,), lambda builder, bits: _zeros(builder, "tt", bits))


@intrinsic
def last_bit(typingctx, bits):
    """Return the place of the highest 1 of an int64, -1 if it is 0."""

    def emit(builder, bits):
        return builder.sub(I64(63), _zeros(builder, "tl", bits))

    return operation(types.int64, (bits,), emit)
