"""Picture files: opened with care, turned upright, made grey."""

from __future__ import annotations

import io
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from .normalise import area_resample
from .paper import ink_of_paper

PictureSource = str | os.PathLike[str] | bytes | bytearray | Image.Image

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
LARGEST_PIXELS = 120_000_000  # the largest cameras of telephones; their JPEGs open shrunk
LARGEST_FILE = 256 * 1024 * 1024  # bytes
WORK_SIDE = 1200  # longest side, in pixels, of the ink that is returned


class PictureError(ValueError):
    """The picture cannot be read; the message is one sentence for the user."""


@dataclass(frozen=True)
class Picture:
    """A picture reduced to its ink.

    Attributes
    ----------
    ink : (H, W) float32
        In [0, 1], ink = 1, paper exactly 0; longest side at most 1200.
    size : (width, height)
        Of the upright picture, in its own pixels.
    scale : float
        Its pixels per pixel of `ink`.
    """

    ink: NDArray[np.float32]
    size: tuple[int, int]
    scale: float

    @property
    def state(self) -> str:
        """Return "empty" for blank, black and even pictures, "ink" otherwise."""
        return "ink" if self.ink.any() else "empty"


def open_picture(source: PictureSource) -> Picture:
    """Read a picture file, or take an open one, and find the ink in it.

    Knows PNG, JPEG, BMP, TIFF, WebP, GIF and PNM; EXIF rotation, transparency, 16 bits,
    palettes; photographs of paper with uneven light, ruled lines and noise; dark on light and
    light on dark.

    Parameters
    ----------
    source : path, bytes or PIL.Image.Image

    Raises
    ------
    PictureError
        If the file is missing, no picture, damaged, or larger than 120 million pixels.
    """
    grey, size, scale = _upright_grey(source)
    return Picture(ink_of_paper(grey), size, scale)


def read_picture(source: PictureSource) -> NDArray[np.float32]:
    """Return the ink of a picture: (H, W) float32 in [0, 1], ink = 1, paper exactly 0.

    See `open_picture`, which also tells the scale. A blank or black picture gives all zeros.

    Raises
    ------
    PictureError
        As `open_picture`.
    """
    return open_picture(source).ink


def _name(source: PictureSource) -> str:
    if isinstance(source, (str, os.PathLike)):
        return Path(source).name or str(source)
    return "the picture"


def _upright_grey(source: PictureSource) -> tuple[NDArray[np.float64], tuple[int, int], float]:
    """Return the grey picture in [0, 1], the size of the upright original, and the scale."""
    name = _name(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes are judged below, odd metadata does not matter
            if isinstance(source, Image.Image):
                return _grey(source, name)
            if isinstance(source, (bytes, bytearray)):
                opened = Image.open(io.BytesIO(bytes(source)), formats=FORMATS)
            else:
                _check_file(Path(source))
                opened = Image.open(source, formats=FORMATS)
            with opened:
                return _grey(opened, name)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{name}: expected at most {LARGEST_PIXELS // 10**6} million pixels, received more. "
            "Make the picture smaller first."
        ) from error
    except MemoryError as error:
        raise PictureError(
            f"{name}: expected a picture that fits into memory, received a larger one. "
            "Make the picture smaller first."
        ) from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise PictureError(
            f"{name}: expected a whole PNG, JPEG, BMP, TIFF, WebP or GIF picture, received "
            "something else or a damaged file. Open and save it again with an image program."
        ) from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise PictureError(
            f"{path.name or path}: expected a picture file, received a folder. "
            "Name one of the files in it."
        )
    try:
        size = path.stat().st_size
        path.open("rb").close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise PictureError(
            f"{path.name}: expected a readable picture file, received: {reason}. "
            "Check the name and the permissions."
        ) from error
    if size > LARGEST_FILE:
        raise PictureError(
            f"{path.name}: expected a file of at most {LARGEST_FILE >> 20} MiB, received "
            f"{size >> 20} MiB. Make the picture smaller first."
        )


def _grey(picture: Image.Image, name: str) -> tuple[NDArray[np.float64], tuple[int, int], float]:
    width, height = picture.size
    if width * height > LARGEST_PIXELS:
        raise PictureError(
            f"{name}: expected at most {LARGEST_PIXELS // 10**6} million pixels, received "
            f"{width} x {height}. Make the picture smaller first."
        )
    if width < 1 or height < 1:
        raise PictureError(f"{name}: expected a picture with pixels, received {width} x {height}.")
    if picture.format in ("JPEG", "MPO"):
        # The decoder itself can halve large photographs, which saves their memory.
        picture.draft(None, (WORK_SIDE, WORK_SIDE))
    picture = ImageOps.exif_transpose(picture)
    if (picture.width < picture.height) != (width < height):
        width, height = height, width
    grey = _intensity(picture)
    longest = max(grey.shape)
    if longest > WORK_SIDE:
        shape = [max(round(extent * WORK_SIDE / longest), 1) for extent in grey.shape]
        grey = area_resample(grey, (shape[0], shape[1]))
    return grey, (width, height), max(width, height) / max(grey.shape)


def _intensity(picture: Image.Image) -> NDArray[np.float64]:
    """Return the luminance in [0, 1] of any mode, transparency laid over a contrasting page."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        values = np.asarray(_shrink(picture), dtype=np.float64)
        if picture.mode == "F":
            values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
            low, high = float(values.min()), float(values.max())
            return (values - low) / (high - low) if high > low else np.zeros_like(values)
        return np.clip(values / (65535.0 if values.max() > 255 or picture.mode != "I" else 255.0),
                       0.0, 1.0)  # fmt: skip
    transparent = picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or (
        "transparency" in picture.info
    )
    if not transparent:
        if picture.mode not in ("1", "L"):
            picture = picture.convert("RGB").convert("L")
        elif picture.mode == "1":
            picture = picture.convert("L")
        return np.asarray(_shrink(picture), dtype=np.float64) / 255
    picture = _shrink(picture.convert("RGBA"))
    alpha = np.asarray(picture.getchannel("A"), dtype=np.float64) / 255
    luminance = np.asarray(picture.convert("RGB").convert("L"), dtype=np.float64) / 255
    if alpha.min() == 1 or alpha.max() == 0:
        return luminance * alpha
    # Ink on a clear sheet: light ink needs a dark page, everything else a white one.
    light = float((luminance * alpha).sum() / alpha.sum()) > 0.5 and alpha.mean() < 0.5
    return luminance * alpha + (0.0 if light else 1.0) * (1 - alpha)


def _shrink(picture: Image.Image) -> Image.Image:
    """Reduce very large pictures by whole factors before they become float arrays."""
    factor = math.floor(max(picture.size) / (2 * WORK_SIDE))
    if factor < 2 or picture.mode not in ("L", "RGB", "RGBA", "I", "F"):
        return picture
    reduced: Any = picture.reduce(factor)
    return reduced  # type: ignore[no-any-return]
