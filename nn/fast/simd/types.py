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


def wide_registers() -> bool:
    """Return whether the machine that Numba compiles for has registers of sixteen lanes."""
    settings: Any = config
    if settings.CPU_FEATURES is not None or settings.CPU_NAME == "generic":
        return "+avx512f" in (settings.CPU_FEATURES or "")
    try:
        return bool(get_host_cpu_features().get("avx512f"))
    except RuntimeError:  # LLVM cannot tell on every system
        return False


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


I8, I32 = ir.IntType(8), ir.IntType(32)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: VectorType) -> None:
        element = manager.lookup(fe_type.dtype).get_value_type()
        super().__init__(manager, fe_type, ir.VectorType(element, fe_type.lanes))


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: MaskType) -> None:
        super().__init__(manager, fe_type, ir.VectorType(ir.IntType(1), fe_type.lanes))


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


def lanes_of(lanes: Any) -> int:
    """Return how many lanes are meant by the type of a tuple, one element for every eight."""
    return LANES * (1 if lanes == types.none else extent(lanes))


def vector_of(array: Any, lanes: Any = types.none) -> VectorType:
    """Return the vector type that belongs to an array type; refuse what has no lanes."""
    if not isinstance(array, types.Array) or array.dtype not in (types.float32, types.float64):
        raise TypingError(f"simd: expected a float32 or float64 array, received {array}.")
    if array.layout != "C":
        raise TypingError(f"simd: expected a C-contiguous array, received {array}.")
    return VectorType(array.dtype, lanes_of(lanes))


def tile_vector(name: str, tile: Any, array: Any) -> VectorType:
    """Return the type of a tile's vectors; refuse what is no tile of the array's numbers."""
    if (
        not isinstance(tile, types.UniTuple)
        or not isinstance(tile.dtype, VectorType)
        or tile.dtype.dtype != vector_of(array).dtype
    ):
        raise TypingError(f"simd.{name}: {tile} is no tile of {array}.")
    return tile.dtype


def literal(value: Any, name: str) -> int:
    """Return the value of an argument that must be a literal integer."""
    if not isinstance(value, types.IntegerLiteral):
        raise TypingError(f"simd: {name} must be a literal integer such as 4, received {value}.")
    return int(value.literal_value)


def extent(value: Any) -> int:
    """Return how many vectors a literal count, or a nested tuple of them, stands for."""
    if isinstance(value, types.UniTuple):
        nested = isinstance(value.dtype, types.BaseTuple)
        return int(extent(value.dtype) ** value.count if nested else value.count)
    if isinstance(value, types.Tuple):
        return math.prod([extent(part) for part in value.types])
    return literal(value, "count")


def pointer_to(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """Return the pointer to the first element of an array."""
    return context.make_array(array_type)(context, builder, array).data


def index_of(context: Any, builder: Any, index: Any, index_type: Any) -> Any:
    """Return an index as a machine word."""
    return context.cast(builder, index, index_type, types.intp)


def ir_of(context: Any, vector: VectorType) -> Any:
    """Return the LLVM type of a vector type."""
    return context.get_value_type(vector)


def load_at(builder: Any, pointer: Any, index: Any, vector: Any) -> Any:
    """Load a vector, aligned to one element, from ``pointer[index]``."""
    address = builder.bitcast(builder.gep(pointer, [index]), vector.as_pointer())
    value = builder.load(address)
    value.align = 4
    return value


def store_at(builder: Any, pointer: Any, index: Any, value: Any) -> None:
    """Store a vector, aligned to one element, at ``pointer[index]``."""
    address = builder.bitcast(builder.gep(pointer, [index]), value.type.as_pointer())
    builder.store(value, address).align = 4


def spread(builder: Any, scalar: Any, vector: Any) -> Any:
    """Return a vector with the scalar in every lane."""
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, I32(0))
    lanes = ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), lanes)


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c``."""
    # fmuladd, not fma: without a fused instruction LLVM multiplies and adds instead of
    # calling the C library once for each lane.
    name = "f32" if isinstance(a.type.element, ir.FloatType) else "f64"
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(a.type, [a.type] * 3),
        f"llvm.fmuladd.v{a.type.count}{name}",
    )
    return builder.call(function, [a, b, c])


def intp(value: int) -> Any:
    """Return a machine word constant."""
    return ir.Constant(ir.IntType(8 * np.dtype(np.intp).itemsize), value)
