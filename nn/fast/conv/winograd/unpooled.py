"""A 3 x 3 convolution without pooling behind it, by Winograd's algorithm in both directions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn import ops
from nn.fast.conv.winograd.blocks import Blocks
from nn.fast.conv.winograd.forward import winograd_forward
from nn.fast.conv.winograd.gradient import winograd_kernel_back, winograd_kernel_gradient
from nn.fast.engine.buffers import SLACK
from nn.fast.jit import pool
from nn.fast.jit.pool import SHARDS, shard_bounds
from nn.fast.memory import aligned_zeros, recycled
from nn.fast.simd import LANES
from nn.layers import Conv2D, Layer
from nn.reference import Array, Pads

GRADIENT_TILES = 48  # blocks that are multiplied at a time for the gradient: long sums
GROUP_ELEMENTS = 100_000  # of the images that pass all kinds of blocks together


def winograd_pays(layer: Layer) -> bool:
    """Whether ``layer`` is a 3 x 3 convolution of stride 1 with enough channels for vectors."""
    return (
        type(layer) is Conv2D
        and layer.kernel_size == (3, 3)
        and layer.strides == (1, 1)
        and layer.input_shape[2] >= LANES
        and layer.filters >= LANES
    )


class WinogradConv:
    """Does what a ``Conv2D`` does, keeps the layer's contract and fills the layer's ``grads``.

    The gradient of x is again a 3 x 3 convolution: of dy inside a border of zeros, with the kernel
    turned by 180 degrees and its channels exchanged. Both take 36 multiplications for a block of
    4 x 4 outputs where the direct sum takes 144; a few images take 2 x 2 blocks, which have fewer
    matrices to prepare. The gradient of the kernel takes 36, too, back through the same steps.

    Parameters
    ----------
    layer : Conv2D
        One for which ``winograd_pays``.
    """

    def __init__(self, layer: Layer) -> None:
        if not isinstance(layer, Conv2D):
            raise TypeError(f"WinogradConv: expected a Conv2D, received {layer!r}.")
        self.layer = layer
        self._saved: tuple[Array, Array] | None = None

    def forward(self, x: Array, training: bool = False) -> Array:
        """Return y for a batch x (N, H, W, C)."""
        layer = self.layer
        x = np.ascontiguousarray(x)
        z = convolve(x, layer.params["kernel"], layer.params.get("bias"), layer.pads)
        y = layer._activation.forward(z)
        if training:
            self._saved = x, layer._activation.kept(z, y)
        return y

    def _assign_gradients(self, dy: Array) -> Array:
        if self._saved is None:
            raise RuntimeError(
                f"{self.layer.name}: backward without forward(x, training=True). Call that first."
            )
        layer, (x, kept) = self.layer, self._saved
        self._saved = None  # give its memory back
        dz = np.ascontiguousarray(layer._activation.backward(dy, kept))
        layer.grads["kernel"] = _kernel_gradient(x, dz, layer.pads)
        if layer.use_bias:
            layer.grads["bias"] = ops.bias_gradient(dz)
        return dz

    def backward_parameters(self, dy: Array) -> None:
        """Assign the layer's ``grads`` only."""
        self._assign_gradients(dy)

    def backward(self, dy: Array) -> Array:
        """Return dLoss/dx and assign the layer's ``grads``."""
        dz = self._assign_gradients(dy)
        kernel = self.layer.params["kernel"]
        turned = np.ascontiguousarray(kernel[::-1, ::-1].transpose(0, 1, 3, 2))
        (top, bottom), (left, right) = self.layer.pads
        return convolve(dz, turned, None, ((2 - top, 2 - bottom), (2 - left, 2 - right)))


@dataclass(frozen=True)
class _Tiling:
    """How a 3 x 3 convolution over x (N, H, W, C) with padding ``pads`` is cut."""

    shape: tuple[int, int, int, int]
    pads: Pads
    F: int

    @property
    def output(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        _, H, W, _ = self.shape
        return H + sum(self.pads[0]) - 2, W + sum(self.pads[1]) - 2

    @property
    def group(self) -> int:
        """Images of a shard that pass all kinds of blocks together."""
        return max(1, min(-(-self.shape[0] // SHARDS), GROUP_ELEMENTS // self.place[3]))

    @property
    def place(self) -> tuple[int, int, int, int, int]:
        """Where an image lies inside its padding: what the kernels call ``place``."""
        _, H, W, C = self.shape
        (top, bottom), (left, right) = self.pads
        row = (W + left + right) * C
        return H, W * C, top * row + left * C, (H + top + bottom) * row, row

    def insides(self, group: int) -> Array:
        """Return zeros for each shard's group of images inside their padding.

        Kernels read up to a row, a pixel and a vector behind the last image.
        """
        _, _, _, image, row = self.place
        inside = recycled((SHARDS, group * image + row + 4 * self.shape[3] + SLACK))
        inside[...] = 0
        return inside


@functools.lru_cache(maxsize=64)
def _blocks(OH: int, OW: int, C: int, F: int, N: int) -> tuple[Blocks, tuple[int, int, int]]:
    blocks = Blocks.best(OH, OW, C, F, N)
    return blocks, blocks.sizes


def _write(call: tuple[Callable[..., Any], tuple[Any, ...]]) -> None:
    function, arguments = call
    function(*arguments)


def convolve(x: Array, kernel: Array, bias: Array | None, pads: Pads) -> Array:
    """Return the 3 x 3 convolution of x (N, H, W, C), float32, padded by ``pads``, stride 1."""
    N, H, W, C = x.shape
    tiling = _Tiling((N, H, W, C), pads, kernel.shape[3])
    (OH, OW), F = tiling.output, tiling.F
    blocks, (matrices, patches, products) = _blocks(OH, OW, C, F, N)
    u = recycled((matrices,))
    pool.run(_write, [(call,) for call in blocks.kernels(kernel.reshape(-1), u)])
    offsets = aligned_zeros(F) if bias is None else bias
    y = recycled((N, OH, OW, F))
    flat, source = y.reshape(-1), x.reshape(-1)
    v, m = recycled((SHARDS, patches)), recycled((SHARDS, products))
    place, form = tiling.place, blocks.form
    group = tiling.group
    insides = tiling.insides(group)
    tasks = [
        (
            source[lo * H * W * C :], place, C, hi - lo, group, blocks.table, u, blocks.grid,
            offsets, OH, OW, F, blocks.padded, flat[lo * OH * OW * F :], v[shard], m[shard],
            insides[shard], form,
        )
        for shard, (lo, hi) in enumerate(shard_bounds(N))
        if hi > lo
    ]  # fmt: skip
    pool.run(winograd_forward, tasks)
    return y


def _kernel_gradient(x: Array, dz: Array, pads: Pads) -> Array:
    """Return the gradient (3, 3, C, F) of the kernel; x is (N, H, W, C), dz (N, OH, OW, F)."""
    N, H, W, C = x.shape
    OH, OW, F = dz.shape[1:]
    if N == 0:
        return np.zeros((3, 3, C, F), np.float32)
    tiling = _Tiling((N, H, W, C), pads, F)
    blocks = Blocks.cover(OH, OW, C, F, tiles=GRADIENT_TILES)
    matrices, patches, products = blocks.sizes
    v, m = recycled((SHARDS, patches)), recycled((SHARDS, products))
    du, group = recycled((SHARDS, matrices)), tiling.group
    flat, source, insides = dz.reshape(-1), x.reshape(-1), tiling.insides(group)
    bounds = [(lo, hi) for lo, hi in shard_bounds(N) if hi > lo]
    tasks = [
        (
            source[lo * H * W * C :], tiling.place, C, hi - lo, group, blocks.table, blocks.grid,
            flat[lo * OH * OW * F :], OH, OW, F, blocks.padded, v[shard], m[shard], du[shard],
            insides[shard], blocks.form,
        )
        for shard, (lo, hi) in enumerate(bounds)
    ]  # fmt: skip
    pool.run(winograd_kernel_gradient, tasks)
    dkernel = np.empty((3, 3, C, F), np.float32)
    shape = C, F, blocks.padded, blocks.grid
    winograd_kernel_back(du.reshape(-1), du.shape[1], len(bounds), *shape, dkernel.reshape(-1))
    return dkernel
