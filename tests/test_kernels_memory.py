"""What the kernels do to memory and threads: nothing outside their arrays, the same bits always."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from nn import runtime
from nn.fast import operations as kernels
from nn.fast.jit import pool
from nn.fast.memory import ALIGNMENT, IDLE_BYTES, _Block, recycled

NONE = ((0, 0), (0, 0))
SAME = ((1, 1), (1, 1))
MARGIN = 64  # elements on either side of every array
CANARY = 0x5A

pytestmark = pytest.mark.usefixtures("restored_threads")


@pytest.fixture
def restored_threads():
    before = runtime.num_threads()
    yield
    runtime.set_num_threads(before)


@pytest.fixture
def fenced(monkeypatch):
    """Let every array the kernels' drivers allocate lie between canaries; check them at the end."""
    fences = []

    def fence(shape, dtype=np.float64):
        size, item = int(np.prod(shape)), np.dtype(dtype).itemsize
        whole = np.full((size + 2 * MARGIN) * item, CANARY, np.uint8)
        fences.append((whole, MARGIN * item, (size + MARGIN) * item))
        return whole[MARGIN * item : (size + MARGIN) * item].view(dtype).reshape(shape)

    def fenced_copy(array):
        copy = fence(array.shape, array.dtype)
        copy[...] = array
        return copy

    monkeypatch.setattr(np, "empty", lambda shape, dtype=float, **_: fence(shape, dtype))
    monkeypatch.setattr(np, "empty_like", lambda array, **_: fence(array.shape, array.dtype))
    yield fenced_copy
    monkeypatch.undo()
    assert fences
    for whole, start, stop in fences:
        assert (whole[:start] == CANARY).all(), "written before an array"
        assert (whole[stop:] == CANARY).all(), "written behind an array"


def everything(fenced_copy, shape, size, F, strides, pads, dtype):
    """Run every kernel once on arrays from ``fenced_copy``; return all results."""
    rng = np.random.default_rng(7)

    def make(*extents):
        return fenced_copy(rng.standard_normal(extents).astype(dtype))

    N, _, _, C = shape
    x, kernel, bias = make(*shape), make(*size, C, F), make(F)
    y = kernels.conv2d_forward(x, kernel, bias, strides, pads)
    dy = make(*y.shape)
    results = [y, kernels.conv2d_backward_input(dy, kernel, shape, strides, pads)]
    results.append(kernels.conv2d_backward_kernel(x, dy, kernel.shape, strides, pads))
    results.append(kernels.bias_gradient(dy))

    pooled, winner = kernels.maxpool2d_forward(x, size, strides, pads)
    dy = make(*pooled.shape)
    results += [pooled, winner]
    results.append(kernels.maxpool2d_backward(dy, winner, shape, size, strides, pads))
    results.append(kernels.avgpool2d_forward(x, size, strides, pads))
    results.append(kernels.avgpool2d_backward(dy, shape, size, strides, pads))

    on = kernels.relu_forward(x)
    results += [on, kernels.relu_backward(x, on)]
    results.append(kernels.dropout_mask(99, shape, 0.4, dtype))
    outputs = kernels.batchnorm_forward(x, make(C), make(C), 1e-3)
    results += outputs
    results += kernels.batchnorm_backward(x, outputs[1], make(C), outputs[4])

    flat = fenced_copy(x.reshape(N, -1))
    weights, logits = make(flat.shape[1], F), make(N, F)
    results.append(kernels.dense_forward(flat, weights, bias))
    results.append(kernels.dense_backward_input(logits, weights))
    results.append(kernels.dense_backward_kernel(flat, logits))
    results += kernels.softmax_crossentropy_forward(logits, make(N, F))

    p, g, a, b = (make(flat.size) for _ in range(4))
    a[:], b[:] = np.abs(a), np.abs(b)
    kernels.sgd_step(p, g, a, 0.1, 0.9, True)
    kernels.adadelta_step(p, g, a, b, 1.0, 0.95, 1e-7)
    kernels.adam_step(p, g, a, b, 0.001, 0.9, 0.999, 1e-7, 3, 0.01)
    return [*results, p, a, b]


SMALL = [
    ((1, 1, 1, 1), (1, 1), 1, (1, 1), NONE),
    ((2, 5, 7, 3), (2, 3), 5, (1, 2), NONE),
    ((3, 4, 6, 2), (3, 3), 9, (2, 2), SAME),
    ((1, 7, 5, 9), (3, 2), 17, (1, 1), ((1, 1), (0, 1))),
    ((2, 6, 6, 8), (3, 3), 28, (1, 1), SAME),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", SMALL, ids=[str(case[0]) for case in SMALL])
def test_nothing_is_written_beside_an_array(request, case, dtype):
    everything(lambda array: array, *case, dtype)  # compiled before NumPy is tampered with
    everything(request.getfixturevalue("fenced"), *case, dtype)


GUARD_PAGES = """
import ctypes, mmap, sys
import numpy as np

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
kept = []

def guarded(array_or_shape, dtype=None, *, at_end):
    '''An array that ends (or begins) at a page whose touch kills the process.'''
    given = isinstance(array_or_shape, np.ndarray)
    shape = array_or_shape.shape if given else array_or_shape
    dtype = np.dtype(array_or_shape.dtype if given else dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    pages = -(-max(size, 1) // PAGE)
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    kept.append(memory)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (0, pages + 1):
        assert libc.mprotect(ctypes.c_void_p(address + page * PAGE), PAGE, 0) == 0
    start = (pages + 1) * PAGE - size if at_end else PAGE
    result = np.frombuffer(memory, np.uint8, size, start).view(dtype).reshape(shape)
    if given:
        result[...] = array_or_shape
    return result

sys.path.insert(0, sys.argv[1])
from tests.test_kernels_memory import SMALL, everything
everything(lambda array: array, *SMALL[0], np.float32)  # compiled before NumPy is tampered with
for at_end in (True, False):
    np.empty = lambda shape, dtype=float, **_: guarded(shape, dtype, at_end=at_end)
    np.empty_like = lambda array, **_: guarded(array.shape, array.dtype, at_end=at_end)
    for case in SMALL:
        everything(lambda array: guarded(array, at_end=at_end), *case, np.float32)
print("no page was touched", flush=True)  # before the proof ends the process
if "--prove" in sys.argv:
    from nn.fast.jit.cache import jit
    from nn.fast.simd import load, store
    copy = jit(lambda x, y: store(y, 0, load(x, 0)))
    copy(guarded((7,), np.float32, at_end=True), np.zeros(8, np.float32))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="guard pages are made with mprotect of Linux")
def test_nothing_is_read_beside_an_array():
    """Vectors of eight must not read over an edge: every array lies against a forbidden page."""
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-c", GUARD_PAGES, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert (done.returncode, done.stdout) == (0, "no page was touched\n"), done.stderr
    # The fence works: reading eight of seven numbers is deadly.
    done = subprocess.run([*command, "--prove"], capture_output=True, text=True, check=False)
    assert done.stdout == "no page was touched\n"
    assert done.returncode < 0


# ---------------------------------------------------------------- threads

LARGE = [
    ((13, 20, 21, 9), (3, 3), 20, (1, 1), SAME),  # pieces of unequal length
    ((1, 64, 64, 8), (3, 3), 32, (1, 1), NONE),  # one image: pieces of pixels
]


@pytest.mark.parametrize("case", LARGE, ids=["many images", "one image"])
def test_any_number_of_threads_gives_the_same_bits(case):
    results = []
    for threads in (1, 2, 3, 7):
        runtime.set_num_threads(threads)
        results.append(everything(lambda array: array, *case, np.float32))
    for other in results[1:]:
        for one, many in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, many)


def test_kernels_may_be_called_from_several_threads_at_once():
    runtime.set_num_threads(2)
    expected = everything(lambda array: array, *LARGE[0], np.float32)
    found = [None] * 4

    def work(index):
        for _ in range(3):
            found[index] = everything(lambda array: array, *LARGE[0], np.float32)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for results in found:
        for one, other in zip(expected, results, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("extent", [0, 1, 2, 3, 4, 5, 127, 128])
@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_shards_cover_the_range_once(extent, count):
    pieces = pool.shards(extent, count)
    assert [i for start, stop in pieces for i in range(start, stop)] == list(range(extent))
    assert len(pieces) <= max(1, count)
    lengths = [stop - start for start, stop in pieces]
    assert not lengths or max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_error_in_a_task_arrives_and_the_pool_survives(threads):
    runtime.set_num_threads(threads)
    done = []

    def task(number):
        if number == 1:
            raise KeyError("task 1")
        done.append(number)

    with pytest.raises(KeyError, match="task 1"):
        pool.run(task, [(i,) for i in range(4)])
    done.clear()
    pool.run(task, [(i,) for i in range(2, 30)])
    assert sorted(done) == list(range(2, 30))


def test_a_task_may_fan_out_itself():
    runtime.set_num_threads(2)
    done = []

    def outer(number):
        pool.run(lambda inner: done.append((number, inner)), [(i,) for i in range(3)])

    pool.run(outer, [(i,) for i in range(5)])
    assert sorted(done) == [(i, j) for i in range(5) for j in range(3)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_gets_a_pool_of_its_own():
    code = """
import os, numpy as np
from nn import runtime
from nn.fast import operations as kernels
runtime.set_num_threads(2)
x, k = np.ones((16, 28, 28, 4), np.float32), np.ones((3, 3, 4, 16), np.float32)
run = lambda: kernels.conv2d_forward(x, k, None, (1, 1), ((0, 0), (0, 0))).sum()
before = run()
child = os.fork()
if child == 0:
    os._exit(0 if run() == before else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True, text=True, check=True, cwd=root, timeout=100,
    )  # fmt: skip
    assert done.stdout == "0\n"


def test_memory_is_used_again_once_nobody_has_it():
    first = recycled((300, 1000))
    assert first.ctypes.data % ALIGNMENT == 0
    assert first.dtype == np.float32
    place, view = first.ctypes.data, first[10:20].T
    del first
    assert recycled((300, 1000)).ctypes.data != place  # a view still looks at it
    del view
    assert recycled((299, 1000)).ctypes.data == place


def test_idle_memory_is_bounded():
    arrays = [recycled(1 << 20, np.uint8) for _ in range((IDLE_BYTES >> 20) + 8)]
    del arrays
    assert _Block._held <= IDLE_BYTES
    assert _Block._held == sum(block.nbytes for blocks in _Block._idle.values() for block in blocks)
