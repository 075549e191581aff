"""Synthetic digits: endless training data from pen strokes.

Pen paths of all common shapes (`allographs`) are deformed as by many writers (`generator`), and
inked by the same function as the console's drawing (`nn.drawing.render_batch`). Everything follows
from a seed, whatever the number of threads. One core makes about 17,000 digits a second.
`scribbles` draws what is no digit.

The original network, trained on 330,000 of these and no image or stroke of a person (six epochs
of new digits, AdamW, light distortion), read 98.0 % of MNIST's test images, opened once, and
98.0 % of the 7,494 pen digits of UCI. The shapes were chosen by its errors on MNIST's training
images and on those pen digits, so only the first figure is an unbiased one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nn.drawing import render_batch
from nn.synthetic.allographs import ALLOGRAPHS, Allograph
from nn.synthetic.generator import BLOCK, Block, Style, make_block

__all__ = ["ALLOGRAPHS", "Allograph", "Style", "generate", "generate_strokes"]


def _blocks(n: int, seed: int, start: int, style: Style | None) -> Iterator[tuple[Block, int, int]]:
    """Return each block with the first and last (excluded) of its digits that are wanted."""
    if n < 0 or start < 0 or seed < 0:
        raise ValueError(
            f"n, start, seed: expected numbers from 0 up, received {n}, {start}, {seed}. "
            "Ask for n >= 0 digits from number start >= 0 on."
        )
    firsts = range(start - start % BLOCK, start + n, BLOCK) if n else ()
    style = style or Style()
    return (
        (make_block(seed, i // BLOCK, style), max(start - i, 0), min(start + n - i, BLOCK))
        for i in firsts
    )


def generate(
    n: int, seed: int = 0, start: int = 0, style: Style | None = None
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Make images of digits.

    Parameters
    ----------
    n : int
    seed : int
        Which endless row of digits.
    start : int
        Number of the first digit in that row: ``generate(5, start=10)`` are the last five of
        ``generate(15)``.
    style : Style, optional
        ``Style()``, tuned to look like people's writing, if None.

    Returns
    -------
    images : (n, 28, 28) float32
        In [0, 1], ink 1.
    labels : (n,) uint8
        0 to 9, all equally often on average.

    Raises
    ------
    ValueError
        If a number is negative.
    """
    blocks = _blocks(n, seed, start, style)
    images = np.zeros((n, 28, 28), np.float32)
    labels = np.zeros(n, np.uint8)
    done = 0
    for block, a, b in blocks:
        images[done : done + b - a] = render_batch(block.pack(a, b), block.widths[a:b])
        labels[done : done + b - a] = block.labels[a:b]
        done += b - a
    return images, labels


def generate_strokes(
    n: int, seed: int = 0, start: int = 0, style: Style | None = None
) -> tuple[list[list[NDArray[np.float64]]], NDArray[np.uint8], list[str]]:
    """Make the pen strokes of the digits that `generate` inks for the same arguments.

    Returns
    -------
    drawings : list of lists of (P, 2) float64
        Strokes of each digit in canvas pixels, y downwards; sizes, places and sampling rates
        vary as between people and devices.
    labels : (n,) uint8
        0 to 9.
    names : list of str
        The allograph of each digit.
    """
    drawings: list[list[NDArray[np.float64]]] = []
    labels: list[NDArray[np.uint8]] = [np.zeros(0, np.uint8)]
    names: list[str] = []
    for block, a, b in _blocks(n, seed, start, style):
        packed = block.pack(a, b)
        drawings += [packed[i] for i in range(len(packed))]
        labels.append(block.labels[a:b])
        names += [ALLOGRAPHS[i].name for i in block.allographs[a:b]]
    return drawings, np.concatenate(labels), names
