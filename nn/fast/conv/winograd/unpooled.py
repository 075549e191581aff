"""A 3 x 3 convolution without pooling behind it, by Winograd's algorithm in both directions."""

from __future__ import annotations

import functools

import numpy as np

from nn import ops
from nn.fast.conv.winograd.blocks import Blocks
from nn.fast.conv.winograd.forward import Images, winograd_forward
from nn.fast.conv.winograd.gradient import winograd_kernel_back, winograd_kernel_gradient
from nn.fast.conv.winograd.transforms import winograd_kernel
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
        and layer.x_shape[2] >= LANES
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


@functools.lru_cache(maxsize=64)
def _images(N: int, H: int, W: int, C: int, pads: Pads) -> Images:
    """Return how images (N, H, W, C) lie inside their padding."""
    (top, bottom), (left, right) = pads
    OH, OW = H + top + bottom - 2, W + left + right - 2
    row = (W + left + right) * C
    image = (H + top + bottom) * row
    group = max(1, min(-(-N // SHARDS), GROUP_ELEMENTS // image))
    return Images(H, W * C, top * row + left * C, image, row, OH, OW, group)


def _insides(images: Images, C: int) -> Array:
    """Return zeros for each shard's group of images inside their padding.

    Kernels read up to a row, a pixel and a vector behind the last image.
    """
    inside = recycled((SHARDS, images.group * images.image + images.row + 4 * C + SLACK))
    inside[...] = 0
    return inside


@functools.lru_cache(maxsize=64)
def _blocks(OH: int, OW: int, C: int, F: int, N: int) -> tuple[Blocks, tuple[int, int, int]]:
    blocks = Blocks.best(OH, OW, C, F, N)
    return blocks, blocks.sizes


def convolve(x: Array, kernel: Array, bias: Array | None, pads: Pads) -> Array:
    """Return the 3 x 3 convolution of x (N, H, W, C), float32, padded by ``pads``, stride 1."""
    N, H, W, C = x.shape
    F, images = kernel.shape[3], _images(N, H, W, C, pads)
    blocks, (matrices, patches, products) = _blocks(images.OH, images.OW, C, F, N)
    u, v, m = recycled(matrices), recycled((SHARDS, patches)), recycled((SHARDS, products))
    winograd_kernel(kernel.reshape(-1), blocks.workspace(u, v[0], m[0]))
    offsets = aligned_zeros(F) if bias is None else bias
    y, insides = recycled((N, images.OH, images.OW, F)), _insides(images, C)
    tasks = [
        (
            x[lo:hi].reshape(-1), hi - lo, tuple(images), blocks.workspace(u, v[shard], m[shard]),
            offsets, y[lo:hi].reshape(-1), insides[shard],
        )
        for shard, (lo, hi) in enumerate(shard_bounds(N))
        if hi > lo
    ]  # fmt: skip
    pool.run(winograd_forward, tasks)
    return y


def _kernel_gradient(x: Array, dz: Array, pads: Pads) -> Array:
    """Return the gradient (3, 3, C, F) of the kernel; x is (N, H, W, C), dz (N, OH, OW, F)."""
    (N, H, W, C), F = x.shape, dz.shape[3]
    if N == 0:
        return np.zeros((3, 3, C, F), np.float32)
    images = _images(N, H, W, C, pads)
    blocks = Blocks.cover(images.OH, images.OW, C, F, tiles=GRADIENT_TILES)
    matrices, patches, products = blocks.sizes
    v, m = recycled((SHARDS, patches)), recycled((SHARDS, products))
    du, insides = recycled((SHARDS, matrices)), _insides(images, C)
    bounds = [(lo, hi) for lo, hi in shard_bounds(N) if hi > lo]
    work = [blocks.workspace(du[shard], v[shard], m[shard]) for shard in range(len(bounds))]
    tasks = [
        (x[lo:hi].reshape(-1), hi - lo, tuple(images), w, dz[lo:hi].reshape(-1), inside)
        for (lo, hi), w, inside in zip(bounds, work, insides, strict=False)
    ]
    pool.run(winograd_kernel_gradient, tasks)
    dkernel = np.empty((3, 3, C, F), np.float32)
    parts = du.reshape(-1), du.shape[1], len(bounds)
    winograd_kernel_back(*parts, work[0], dkernel.reshape(-1))
    return dkernel
