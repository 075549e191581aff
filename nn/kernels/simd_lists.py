"""More for kernels on vectors: turning an 8 x 8 block, and working off lists of (value, place).

Extends ``nn.kernels.simd``, whose rules hold: flat indices, no bounds check, ``@jit`` only.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.errors import TypingError

from nn.kernels.simd import (
    _I32,
    LANES,
    VectorType,
    intrinsic,
)

__all__ = ["turned"]


@intrinsic
def turned(typingctx: Any, rows: Any) -> Any:
    """Return a tuple of eight vectors transposed: ``result[i][j] = rows[j][i]``."""
    if not isinstance(rows, types.UniTuple) or rows.count != LANES:
        raise TypingError(f"simd.turned: expected a tuple of eight vectors, received {rows}.")
    if not isinstance(rows.dtype, VectorType):
        raise TypingError(f"simd.turned: expected a tuple of eight vectors, received {rows}.")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lines = [builder.extract_value(args[0], i) for i in range(LANES)]
        # Blocks of 4, 2 and 1 lanes change places between lines that far apart.
        for width in (4, 2, 1):
            low = [lane if not lane & width else LANES + lane - width for lane in range(LANES)]
            high = [lane + width if not lane & width else LANES + lane for lane in range(LANES)]
            masks = [ir.Constant(ir.VectorType(_I32, LANES), order) for order in (low, high)]
            for i in range(LANES):
                if not i & width:
                    a, b = lines[i], lines[i + width]
                    lines[i] = builder.shuffle_vector(a, b, masks[0])
                    lines[i + width] = builder.shuffle_vector(a, b, masks[1])
        result = args[0]
        for i in range(LANES):
            result = builder.insert_value(result, lines[i], i)
        return result

    return rows(rows), codegen
