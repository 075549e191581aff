"""Image files: opened with care, turned upright, made grey, reduced to their ink."""

from __future__ import annotations

import io
import math
import os
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from .photo import extract_ink
from .resample import Floats, area_resample

ImageSource = str | os.PathLike[str] | bytes | bytearray | Image.Image

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
LARGEST_PIXELS = 120_000_000  # the largest cameras of telephones; their JPEGs open shrunk
MOST_PIXELS = f"at most {LARGEST_PIXELS // 10**6} million pixels"
LARGEST_FILE = 256 * 1024 * 1024  # bytes
WORK_SIDE = 1200  # longest side, in pixels, of the ink that is returned


class ImageFileError(ValueError):
    """The image cannot be read; the message is one sentence for the user."""


def read_ink(source: ImageSource) -> NDArray[np.float32]:
    """Read an image file, or take an open image, and return the ink in it.

    Reads PNG, JPEG, BMP, TIFF, WebP, GIF and PNM; EXIF rotation, transparency, 16 bits,
    palettes; photographs of paper with uneven light, ruled lines and noise; dark on light and
    light on dark.

    Parameters
    ----------
    source : path, bytes or PIL.Image.Image

    Returns
    -------
    (H, W) float32
        In [0, 1], ink = 1, background exactly 0, upright; the longest side has at most 1200
        pixels. All zeros for a blank, black or even image.

    Raises
    ------
    ImageFileError
        If the file is missing, no image, damaged, or larger than 120 million pixels.
    """
    return extract_ink(_grey_of(source))


def _grey_of(source: ImageSource) -> Floats:
    name = "the picture"
    if isinstance(source, (str, os.PathLike)):
        name = Path(source).name or str(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes are checked below, odd metadata is harmless
            if isinstance(source, Image.Image):
                return _upright_grey(source, name)
            if isinstance(source, (bytes, bytearray)):
                opened = Image.open(io.BytesIO(bytes(source)), formats=FORMATS)
            else:
                _check_file(Path(source))
                opened = Image.open(source, formats=FORMATS)
            with opened:
                return _upright_grey(opened, name)
    except ImageFileError:
        raise
    except Image.DecompressionBombError as error:
        raise _refused(name, MOST_PIXELS, "more") from error
    except MemoryError as error:
        raise _refused(name, "a picture that fits into memory", "a larger one") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise _refused(
            name,
            "a whole PNG, JPEG, BMP, TIFF, WebP or GIF picture",
            "something else or a damaged file",
            "Open and save it again with an image program.",
        ) from error


def _refused(
    name: str, expected: str, received: str, remedy: str = "Make the picture smaller first."
) -> ImageFileError:
    return ImageFileError(f"{name}: expected {expected}, received {received}. {remedy}")


def _check_file(path: Path) -> None:
    name = path.name or str(path)
    if path.is_dir():
        raise _refused(name, "a picture file", "a folder", "Name one of the files in it.")
    try:
        size = path.stat().st_size
        path.open("rb").close()
    except OSError as error:
        raise ImageFileError(
            f"{name}: expected a readable picture file, received: {error.strerror or error}. "
            "Check the name and the permissions."
        ) from error
    if size > LARGEST_FILE:
        most = f"a file of at most {LARGEST_FILE >> 20} MiB"
        raise _refused(name, most, f"{size >> 20} MiB")


def _upright_grey(image: Image.Image, name: str) -> Floats:
    """Return the luminance (H, W) in [0, 1] of the upright image, at most WORK_SIDE pixels long."""
    width, height = image.size
    if width * height > LARGEST_PIXELS:
        raise _refused(name, MOST_PIXELS, f"{width} x {height}")
    if width < 1 or height < 1:
        raise ImageFileError(f"{name}: expected a picture with pixels, received none.")
    if image.format in ("JPEG", "MPO"):
        # The decoder itself can halve large photographs, which saves their memory.
        image.draft(None, (WORK_SIDE, WORK_SIDE))
    grey = _luminance(ImageOps.exif_transpose(image))
    longest = max(grey.shape)
    if longest > WORK_SIDE:
        H, W = (max(round(extent * WORK_SIDE / longest), 1) for extent in grey.shape)
        grey = area_resample(grey, (H, W))
    return grey


def _luminance(image: Image.Image) -> Floats:
    """Return the luminance in [0, 1] of any mode, transparency laid over a contrasting page."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(_shrink(image), dtype=np.float64)
        if image.mode == "F":
            values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
            low, high = float(values.min()), float(values.max())
            return (values - low) / (high - low) if high > low else np.zeros_like(values)
        full = 255.0 if image.mode == "I" and values.max() <= 255 else 65535.0
        return np.clip(values / full, 0.0, 1.0)
    if not image.has_transparency_data:
        grey = image if image.mode == "L" else image.convert("RGB").convert("L")
        return np.asarray(_shrink(grey), dtype=np.float64) / 255
    image = _shrink(image.convert("RGBA"))
    alpha = np.asarray(image.getchannel("A"), dtype=np.float64) / 255
    luminance = np.asarray(image.convert("RGB").convert("L"), dtype=np.float64) / 255
    if alpha.min() == 1 or alpha.max() == 0:
        return luminance * alpha
    # Ink on a clear page: light ink needs a dark page, everything else a white one.
    light = float((luminance * alpha).sum() / alpha.sum()) > 0.5 and alpha.mean() < 0.5
    return luminance * alpha + (0.0 if light else 1.0) * (1 - alpha)


def _shrink(image: Image.Image) -> Image.Image:
    """Reduce very large images by whole factors before they become float arrays."""
    factor = math.floor(max(image.size) / (2 * WORK_SIDE))
    if factor < 2 or image.mode not in ("L", "RGB", "RGBA", "I", "F"):
        return image
    return image.reduce(factor)
