"""The types of vectors and masks, their operators, and what intrinsics are made of."""

import math
import operator
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba.core import cgutils, config, types
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import lower_builtin, models, register_model

LANES = 8

# Kernels call intrinsics without the typing context, which only Numba passes: no type fits both.
intrinsic: Any = numba_intrinsic
_Tuple: Any = types.BaseTuple

I8, I32, I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
WORD = ir.IntType(8 * np.dtype(np.intp).itemsize)


def wide_registers() -> bool:
    """Return whether the machine that Numba compiles for has registers of sixteen lanes."""
    settings: Any = config
    if settings.CPU_FEATURES is not None or settings.CPU_NAME == "generic":
        return "+avx512f" in (settings.CPU_FEATURES or "")
    try:
        return bool(get_host_cpu_features().get("avx512f"))
    except RuntimeError:  # LLVM cannot tell on every system
        return False


Lanes = tuple[int, ...]

EIGHT: Lanes = (0,)
SIXTEEN: Lanes = (0, 0)
WIDE = SIXTEEN if wide_registers() else EIGHT


# --- The types: a vector of numbers, and a vector of yes/no ------------------------------------


class VectorType(types.Type):
    """The Numba type of eight or sixteen float32 or float64 lanes."""

    def __init__(self, dtype: types.Float, lanes: int = LANES) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector{lanes}({dtype})")


class MaskType(types.Type):
    """The Numba type of as many truth values, the result of a comparison."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"Mask{lanes}")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        element = manager.lookup(fe_type.dtype).get_value_type()
        super().__init__(manager, fe_type, ir.VectorType(element, fe_type.lanes))


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, ir.VectorType(ir.IntType(1), fe_type.lanes))


# --- Arithmetic operators: a + b, a - b, a * b, a / b on two vectors ----------------------------


class _Arithmetic(AbstractTemplate):
    def generic(self, args, kws):
        if len(args) == 2 and isinstance(args[0], VectorType) and args[0] == args[1]:
            return signature(args[0], *args)
        return None


def _add_operator(function, instruction):
    infer_global(function)(_Arithmetic)

    @lower_builtin(function, VectorType, VectorType)
    def lowered(context, builder, sig, args):
        return getattr(builder, instruction)(*args)


for _instruction, _functions in {
    "fadd": (operator.add, operator.iadd),
    "fsub": (operator.sub, operator.isub),
    "fmul": (operator.mul, operator.imul),
    "fdiv": (operator.truediv,),
}.items():
    for _function in _functions:
        _add_operator(_function, _instruction)


# --- What the types of an intrinsic's arguments say --------------------------------------------


def extent(value: Any) -> int:
    """Return the number that a literal, or the length of a tuple, stands for.

    The lengths of nested tuples are multiplied.
    """
    if isinstance(value, _Tuple):
        nested = [part for part in value.types if isinstance(part, _Tuple)]
        return math.prod(map(extent, nested)) if nested else value.count
    if not isinstance(value, types.IntegerLiteral):
        raise TypingError(f"simd: expected a literal integer such as 4, received {value}.")
    return int(value.literal_value)


def vector_of(array: Any, lanes: Any = types.none) -> VectorType:
    """Return the vector type that belongs to an array type; refuse what has no lanes.

    ``lanes`` is the type of a tuple, one element for every eight lanes.
    """
    if not isinstance(array, types.Array) or array.dtype not in (types.float32, types.float64):
        raise TypingError(f"simd: expected a float32 or float64 array, received {array}.")
    if array.layout != "C":
        raise TypingError(f"simd: expected a C-contiguous array, received {array}.")
    return VectorType(array.dtype, LANES * (1 if lanes == types.none else extent(lanes)))


def tile_vector(name: str, tile: Any, array: Any) -> VectorType:
    """Return the type of a tile's vectors; refuse what is no tile of the array's numbers."""
    if (
        not isinstance(tile, types.UniTuple)
        or not isinstance(tile.dtype, VectorType)
        or tile.dtype.dtype != vector_of(array).dtype
    ):
        raise TypingError(f"simd.{name}: {tile} is no tile of {array}.")
    return tile.dtype


def expect_vectors(name: str, *values: Any) -> VectorType:
    """Return the type that all values have; refuse what is no vector, or of another type."""
    if not isinstance(values[0], VectorType) or any(value != values[0] for value in values):
        found = ", ".join(map(str, values))
        raise TypingError(f"simd.{name}: expected two vectors of one dtype, received {found}.")
    return values[0]


# --- Code generation --------------------------------------------------------------------------


def operation(result: Any, arguments: tuple[Any, ...], emit: Any) -> Any:
    """Return what an intrinsic has to: its signature, and the function that generates code.

    Parameters
    ----------
    result : Numba type
    arguments : tuple of Numba type
    emit : callable
        ``emit(builder, *values)`` writes the instructions. An array arrives as the pointer to its
        first element, an integer as a machine word, a tuple as the list of its elements, anything
        else as its LLVM value. Returns an LLVM value, a list of them (a tile), or None.
    """

    def ready(context, builder, kind, value):
        if isinstance(kind, types.Array):
            return context.make_array(kind)(context, builder, value).data
        if isinstance(kind, types.Integer):
            return context.cast(builder, value, kind, types.intp)
        if isinstance(kind, _Tuple):
            parts = [builder.extract_value(value, i) for i in range(kind.count)]
            return [ready(context, builder, *pair) for pair in zip(kind.types, parts, strict=True)]
        return value

    def codegen(context, builder, sig, args):
        values = zip(sig.args, args, strict=True)
        value = emit(builder, *[ready(context, builder, *pair) for pair in values])
        if isinstance(value, list):
            tile = ir.Constant(context.get_value_type(result), ir.Undefined)
            for slot, item in enumerate(value):
                tile = builder.insert_value(tile, item, slot)
            return tile
        return context.get_dummy_value() if value is None else value

    return result(*arguments), codegen


def ir_of(vector: VectorType) -> Any:
    """Return the LLVM type of a vector type."""
    element = ir.FloatType() if vector.dtype == types.float32 else ir.DoubleType()
    return ir.VectorType(element, vector.lanes)


def word(value: int) -> Any:
    """Return a machine word constant."""
    return ir.Constant(WORD, value)


def constant(kind: Any, number: float) -> Any:
    """Return the LLVM vector with ``number`` in every lane."""
    return ir.Constant(kind, [number] * kind.count)


def load_at(builder: Any, pointer: Any, index: Any, vector: Any) -> Any:
    """Load a vector, aligned to one element, from ``pointer[index]``."""
    address = builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer())
    value = builder.load(address)
    value.align = _alignment(vector)
    return value


def store_at(builder: Any, pointer: Any, index: Any, value: Any) -> None:
    """Store a vector, aligned to one element, at ``pointer[index]``."""
    address = builder.bitcast(builder.gep(pointer, [index]), value.type.as_pointer())
    builder.store(value, address).align = _alignment(value.type)


def _alignment(vector: Any) -> int:
    return 1 if vector.element == I8 else 4


def spread(builder: Any, scalar: Any, vector: Any) -> Any:
    """Return a vector with the scalar in every lane."""
    nothing = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(nothing, scalar, I32(0))
    return builder.shuffle_vector(
        single, nothing, ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count)
    )


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c``."""
    # fmuladd, not fma: without a fused instruction LLVM multiplies and adds instead of
    # calling the C library once for each lane.
    name = "f32" if isinstance(a.type.element, ir.FloatType) else "f64"
    return call(builder, f"llvm.fmuladd.v{a.type.count}{name}", a.type, [a, b, c])


def call(builder: Any, name: str, kind: Any, arguments: list[Any]) -> Any:
    """Call the LLVM function ``name``, which returns a ``kind``."""
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [a.type for a in arguments]), name
    )
    return builder.call(function, arguments)


def rows_at(builder: Any, index: Any, step: Any, rows: int) -> list[Any]:
    """Return where the rows of a tile begin: ``step`` apart, or each at its own distance."""
    if not isinstance(step, list):
        step = [builder.mul(step, word(r)) for r in range(rows)]
    return [builder.add(index, distance) for distance in step]


def repeat(builder: Any, count: Any, values: list[Any], body: Any) -> list[Any]:
    """Emit ``count`` times ``values = body(i, values)``; what is repeated stays in registers."""
    slots = [cgutils.alloca_once_value(builder, value) for value in values]
    with cgutils.for_range(builder, count) as loop:
        new = body(loop.index, [builder.load(slot) for slot in slots])
        for slot, value in zip(slots, new, strict=True):
            builder.store(value, slot)
    return [builder.load(slot) for slot in slots]
