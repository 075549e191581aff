"""Translation of the layers that only rearrange values (see `nn.saving.foreign.translate`)."""

from __future__ import annotations

import math

import numpy as np

from nn.saving.foreign.architecture import LayerSpec
from nn.saving.foreign.translate import Chain, handles


@handles("Flatten")
def _flatten(chain: Chain, spec: LayerSpec) -> None:
    shape = chain.shape
    if len(shape) == 1:
        return
    order = np.arange(math.prod(shape), dtype=np.intp)
    # Flatten(data_format="channels_first") itself moves the first axis to the end beforehand.
    moves = spec.settings.channels_first() is True
    if len(shape) == 3:
        H, W, C = shape
        if moves and not chain.first:
            permutation = order.reshape(W, C, H).transpose(2, 0, 1).ravel()
        elif chain.first and not moves:
            permutation = order.reshape(C, H, W).transpose(1, 2, 0).ravel()
        else:
            permutation = order
    else:
        permutation = order.reshape(shape[::-1]).T.ravel() if moves else order
    chain.permutation = None if np.array_equal(permutation, order) else permutation
    chain.reordered |= chain.permutation is not None
    chain.first = False
    if chain.affine is not None and chain.affine[0].ndim:
        scale, offset = (np.broadcast_to(values, shape).ravel() for values in chain.affine)
        chain.affine = scale, offset
    chain.emit(spec, "Flatten", (math.prod(shape),), [])


@handles("Reshape", "ExpandDims")
def _reshape(chain: Chain, spec: LayerSpec) -> None:
    target = spec.settings.get("target_shape", "dims")
    if not isinstance(target, list) or not 1 <= len(target) <= 4:
        raise spec.settings.refuse("a target_shape of 1 to 4 extents", target)
    extents = [-1 if n in (-1, None) else spec.settings.whole(n, "target_shape") for n in target]
    size, known = math.prod(chain.shape), math.prod(n for n in extents if n != -1)
    if extents.count(-1) > 1 or size % known or (-1 not in extents and size != known):
        raise spec.settings.refuse(f"a target_shape of {size} values", target)
    shape = tuple(size // known if n == -1 else n for n in extents)
    same_order = not chain.first or 1 in (chain.shape[2], chain.shape[0] * chain.shape[1])
    first = chain._next_layout(chain.position + 1, shape)
    if not same_order or chain.permutation is not None or (first and shape[0] != 1):
        raise spec.settings.refuse("values in channels_last order", "channels_first")
    if len(shape) > 3:
        raise spec.settings.refuse("at most 3 extents", shape)
    chain.first = first
    ours = (shape[1], shape[2], shape[0]) if first else shape
    if ours != chain.shape:
        chain.emit(spec, "Reshape", ours, [], target_shape=ours)


@handles("Permute")
def _permute(chain: Chain, spec: LayerSpec) -> None:
    dims = spec.settings.get("dims")
    changes = len(chain.shape) == 3
    if changes and chain.first and dims == [2, 3, 1]:
        chain.first = False
    elif changes and not chain.first and dims == [3, 1, 2]:
        chain.first = True
    elif dims != list(range(1, len(chain.shape) + 1)):
        raise spec.settings.refuse("a Permute between the two data formats", dims)
