"""Eight numbers at a time: a SIMD value type for kernels, and how a register tile works.

A vector here is a Numba value of eight float32 (or float64) lanes. LLVM maps it to one AVX
register or two NEON registers. Kernels use it as they use a number:

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
leave four for what was just loaded. *Eight lanes*: that is AVX2's register.

Sixteen lanes
-------------
AVX-512 has thirty-two registers of sixteen lanes. Where a core also has two units that wide, a
tile of 3 x 4 such vectors does 159 GFLOP/s where one of eight lanes does 114 (Intel, virtual, one
core); where a unit takes two cycles for them (Zen 4), 6 % more. Without AVX-512 each needs a pair
of registers, half of the tile lives on the stack, and 40 % are lost. So the stage that calls a
kernel chooses: it hands over ``WIDE``, which is ``SIXTEEN`` on a machine with such registers and
``EIGHT`` elsewhere, if the channels fill vectors of that width. What makes a vector takes it as
its last argument, ``lanes``, a tuple with one element for every eight lanes: a kernel is compiled
once for each width. What is handed a vector goes by its type. The sums run in the same order, so
the bits are the same.

    acc = zeros(12, out, lanes)
    for k in range(K):
        acc = outer(acc, a, i + k, K, loads(b, j + k * F, 4, lanes))

The rules
---------
Arrays are indexed *flat*, in elements, whatever their rank; they must be C-contiguous. An index
is an address: no wrap-around of negative values, no bounds check (the caller's loop bounds are
tested with canaries around every buffer, see ``tests/test_simd.py``). Addresses need no
alignment. The functions run inside ``@jit`` only; each docstring gives the NumPy meaning.
Multiply-adds round once where the machine has such an instruction and twice elsewhere.
"""

from nn.fast.simd.argmax import (
    LOOKUP_WIDTH,
    add_lookup,
    append_by_argmax,
    relu_masked,
    store_argmax_entries,
    store_lookup_offsets,
)
from nn.fast.simd.lanes import (
    equal,
    first_bit,
    fma,
    greater,
    last_bit,
    maximum,
    nonzero,
    select,
    splat,
)
from nn.fast.simd.lists import (
    add_listed,
    append_columns,
    store_numbered,
)
from nn.fast.simd.memory import get, load, load_part, put, store, store_bytes, store_part
from nn.fast.simd.tiles import (
    add_product,
    add_tile,
    added,
    load_tile,
    loads,
    outer,
    slide_tile,
    store_tile,
    store_tile_part,
    turned,
    zeros,
)
from nn.fast.simd.types import EIGHT, LANES, SIXTEEN, WIDE, Lanes
