"""The arguments that the kernels of a pooled convolution share."""

from __future__ import annotations

from typing import NamedTuple


class ConvPool(NamedTuple):
    """A convolution with 2 x 2 max pooling behind it, and how its images lie in flat arrays.

    The other arguments of its kernels, wherever they occur:

    x, dx : float32 array
        n images of ``x_image`` elements, C interleaved channels; the padding of the convolution is
        part of an image.
    n : int
        Images, those of one shard.
    y, dy : float32 array
        The pooled output, inside the border that its reader wants.
    argmax : uint8 array (n, PH, PW, padded)
        0 to 3, row by row, the place of the maximum in its window, the first one if several are
        equal; 4 where the output is not above ``floor`` and so has no gradient.
    columns : int64 array (n, PW), or empty
        Which lines of an image are not blank in the columns of x that a column of windows reads,
        as bits. Empty where that is not looked at, see ``direct.detects_blanks``.
    lanes : tuple of int
        The width of the vectors, see ``nn.fast.simd``.

    Attributes
    ----------
    C, F, padded : int
        Channels of x and of y; F rounded up to a multiple of eight.
    KH, KWC : int
        Rows of the kernel, and elements of each, KW * C: they lie side by side in a row of x.
    PH, PW : int
        Rows and columns of y.
    x_image, x_row : int
        Elements of x from one image to the next, and from one row.
    rows, down, step : int
        From one output of the convolution to the one below: rows and elements of x. To the one at
        its right: elements.
    y_first, y_image, y_row : int
        Element of the first pixel in y; elements from one image to the next, and from one row.
    """

    C: int
    F: int
    padded: int
    KH: int
    KWC: int
    PH: int
    PW: int
    x_image: int
    x_row: int
    rows: int
    down: int
    step: int
    y_first: int
    y_image: int
    y_row: int
