"""Distorted copies of images: affine, elastic and of the stroke's thickness, in one pass.

Each output pixel is read from one place of the source, bilinearly: the place is the pixel's own,
moved by a random affine map and by a smooth random field. Simard, Steinkraus and Platt, "Best
practices for convolutional neural networks", ICDAR 2003, make the field from uniform noise in
[-1, 1] a pixel, blurred by a Gaussian of sigma and multiplied by alpha. Here the noise sits on a
coarse lattice of spacing sqrt(3) sigma and is interpolated by cubic B-splines, which have the
same standard deviation as that Gaussian; it is scaled to the same displacement,
alpha / (2 sigma sqrt(3 pi)) pixels (1.4 for alpha 34, sigma 4), at a tenth of the cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nn import runtime
from nn.reference import splitmix64

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
# root mean square of a field of cubic B-splines with unit noise on the lattice, both axes: the
# integral of the squared spline
_SPLINE_POWER = 151 / 315


class Field(NamedTuple):
    """The numbers that a distortion is for images of one size."""

    limits: NDArray[np.float64]  # (6,): rotation, log scale, log aspect, shear, shift across, down
    noise: float  # half width of the uniform values on the lattice, in pixels
    thickness: float  # largest share of the way to the largest or smallest neighbour
    taps_y: NDArray[np.float64]  # (H, 5): first lattice line that reaches a row, 4 spline weights
    taps_x: NDArray[np.float64]  # (W, 5): the same of each column


@dataclass(frozen=True)
class Distortion:
    """The limits of a distortion; draws are uniform between minus and plus these."""

    rotation: float = 10.0  # degrees
    scale: float = 0.10  # of the size: 0.1 is from 1/1.1 to 1.1
    aspect: float = 0.10  # of width to height, in the same way
    shear: float = 0.15  # pixels across per pixel down
    shift: float = 1.0  # pixels across and down
    alpha: float = 34.0  # strength of the elastic field, as Simard's; 0 for none
    sigma: float = 4.0  # its smoothness in pixels, at least 2
    thickness: float = 0.4  # share of the way to the largest or smallest of 4 neighbours, to 1

    def __post_init__(self) -> None:
        for name in ("rotation", "scale", "aspect", "shear", "shift", "alpha"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(
                    f"{name}: expected a number from 0 up, received {value}. 0 switches it off."
                )
        if not 0 <= self.thickness <= 1:
            raise ValueError(
                f"thickness: expected a share from 0 to 1, received {self.thickness}. "
                "0 switches it off."
            )
        if not 2 <= self.sigma < math.inf:
            raise ValueError(
                f"sigma: expected at least 2 pixels, received {self.sigma}. "
                "Simard, Steinkraus and Platt used 4."
            )

    def field(self, height: int, width: int) -> Field:
        """Return the numbers for images of this size."""
        limits = [
            math.radians(self.rotation),
            math.log1p(self.scale),
            math.log1p(self.aspect),
            self.shear,
            self.shift,
            self.shift,
        ]
        displacement = self.alpha / (2 * self.sigma * math.sqrt(3 * math.pi))
        noise = displacement * math.sqrt(3) / _SPLINE_POWER
        taps = self._taps(height), self._taps(width)
        return Field(np.array(limits), noise, float(self.thickness), *taps)

    def _taps(self, extent: int) -> NDArray[np.float64]:
        at = np.arange(extent) / (self.sigma * math.sqrt(3))
        first = np.floor(at)
        t = at - first
        return np.stack(
            [
                first,
                (1 - t) ** 3 / 6,
                (3 * t**3 - 6 * t**2 + 4) / 6,
                (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
                t**3 / 6,
            ],
            axis=1,
        )


def distort(
    images: NDArray[np.uint8] | NDArray[np.float32],
    distortion: Distortion | None = None,
    seed: int = 0,
    epoch: int = 0,
    indices: NDArray[np.int64] | None = None,
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Return distorted copies of images.

    A copy follows from (image, seed, epoch, index) alone, whatever the batch and the thread.

    Parameters
    ----------
    images : (N, H, W) uint8 in [0, 255] or float32 in [0, 1]
        Ink bright, background 0.
    distortion : Distortion, optional
        ``Distortion()`` if None.
    seed, epoch : int
        From 0 up.
    indices : (n,) int64, optional
        Number of each copy in the random row; 0, 1, … if None.
    rows : (n,) int64, optional
        Which images; all if None.

    Returns
    -------
    (n, H, W) float32
        In the range of the source, divided by 255 if it was uint8. Beyond its border is background.

    Raises
    ------
    ValueError
        If `images` has another shape or dtype.
    """
    if images.ndim != 3 or images.dtype not in (np.uint8, np.float32):
        raise ValueError(
            "images: expected uint8 or float32 of shape (N, H, W), received "
            f"{images.dtype} of shape {images.shape}. Drop a channel axis with images[..., 0]."
        )
    distortion = distortion or Distortion()
    rows = np.arange(len(images)) if rows is None else np.asarray(rows, np.int64)
    indices = np.arange(len(rows)) if indices is None else np.asarray(indices, np.int64)
    if indices.shape != rows.shape:
        raise ValueError(
            f"indices: expected shape {rows.shape}, received {indices.shape}. Give one index a "
            "copy."
        )
    _, H, W = images.shape
    out = np.empty((len(rows), H, W), np.float32)
    key = _mix(_mix(seed + _GOLDEN) + epoch * _GOLDEN)
    gain = np.float32(1 / 255 if images.dtype == np.uint8 else 1.0)
    field = distortion.field(H, W)
    if runtime.backend() == "numba":
        from nn.augment import _kernels

        _kernels.distort(images, rows, indices, np.uint64(key), gain, field, out)
    else:
        for n, (row, index) in enumerate(zip(rows, indices.tolist(), strict=True)):
            state = _mix(key + index * 0xD1342543DE82EF95)
            out[n] = _distorted(images[row] * gain, state, field)
    return out


def _mix(z: int) -> int:
    return int(splitmix64(np.array([z & _MASK], np.uint64))[0])


def _distorted(image: NDArray[np.float32], state: int, field: Field) -> NDArray[np.float64]:
    """Return one distorted image (H, W): the kernel's work in NumPy, by matrices, not loops."""
    H, W = image.shape
    image = np.pad(image, 2)
    spline_y, spline_x = _spline_matrix(field.taps_y), _spline_matrix(field.taps_x)
    LH, LW = spline_y.shape[1], spline_x.shape[1]
    places = np.arange(1, 8 + 2 * LH * LW, dtype=np.uint64) * np.uint64(_GOLDEN)
    uniform = 2 * ((splitmix64(places + np.uint64(state)) >> np.uint64(11)) * 2.0**-53) - 1

    share = field.thickness * uniform[6]
    around = [image] + [np.roll(image, step, axis) for step in (-1, 1) for axis in (0, 1)]
    target = np.max(around, axis=0) if share > 0 else np.min(around, axis=0)
    ink = np.zeros_like(image)
    ink[2:-2, 2:-2] = (image + abs(share) * (target - image))[2:-2, 2:-2]

    field_x, field_y = field.noise * uniform[7:].reshape(2, LH, LW)
    angle, log_scale, log_aspect, shear, across, down = field.limits * uniform[:6]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.diag(np.exp([log_scale + log_aspect / 2, log_scale - log_aspect / 2]))
    affine = turn @ stretch @ np.array([[1, shear], [0, 1]])
    u, v = np.meshgrid(np.arange(W) - (W - 1) / 2, np.arange(H) - (H - 1) / 2)
    x = affine[0, 0] * u + affine[0, 1] * v + (W - 1) / 2 + across + 2
    y = affine[1, 0] * u + affine[1, 1] * v + (H - 1) / 2 + down + 2
    x = np.clip(x + spline_y @ field_x @ spline_x.T, 0, W + 2.5)
    y = np.clip(y + spline_y @ field_y @ spline_x.T, 0, H + 2.5)
    p, q = y.astype(int), x.astype(int)
    fy, fx = y - p, x - q
    upper = (1 - fx) * ink[p, q] + fx * ink[p, q + 1]
    lower = (1 - fx) * ink[p + 1, q] + fx * ink[p + 1, q + 1]
    return np.asarray((1 - fy) * upper + fy * lower)


def _spline_matrix(taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (extent, lattice lines): the weights of taps (extent, 5) as a matrix."""
    first = taps[:, 0].astype(int)
    matrix = np.zeros((len(taps), first[-1] + 4))
    for t in range(4):
        matrix[np.arange(len(taps)), first + t] = taps[:, 1 + t]
    return matrix
