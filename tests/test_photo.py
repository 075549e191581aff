"""Photographs of digits: uneven light, noise, blur, ruled lines, JPEG, both polarities, EXIF."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

ORIENTATIONS = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90,
                8: Image.Transpose.ROTATE_270}  # fmt: skip


def take_photo(digit, rng):
    """Return the bytes of a photograph of an MNIST digit (28, 28) in [0, 1] on paper."""
    size = int(rng.uniform(70, 360))
    width = int(size * rng.uniform(1.2, 3.0))
    height = int(size * rng.uniform(1.2, 2.4))
    pen = Image.fromarray((digit * 255).astype(np.uint8)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    ink = Image.new("L", (width, height))
    ink.paste(pen, (int(rng.uniform(0, width - size)), int(rng.uniform(0, height - size))))
    ink = np.asarray(ink, dtype=np.float64) / 255 * rng.uniform(0.5, 0.95)
    if rng.random() < 0.5:
        rules = Image.new("L", (width, height))
        draw = ImageDraw.Draw(rules)
        spacing, tilt = size * rng.uniform(0.22, 0.5), width * np.tan(rng.normal(0, 0.008))
        y = rng.uniform(0, spacing)
        while y < height + abs(tilt):
            draw.line((0, y, width, y + tilt), fill=255, width=int(rng.integers(1, 4)))
            y += spacing
        ink = np.maximum(ink, np.asarray(rules) / 255.0 * rng.uniform(0.12, 0.45))
    page = rng.uniform(0.75, 1.0) * (1 - ink)
    y, x = np.mgrid[0:1 : height * 1j, 0:1 : width * 1j]
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    slope = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)
    spot = np.exp(-((x - rng.random()) ** 2 + (y - rng.random()) ** 2) / rng.uniform(0.2, 1.0))
    if rng.random() < 0.5:  # chalk on a board
        page = 1 - page
    page = page * (1 - depth / 2 + depth * slope) * (1 - rng.uniform(0, 0.3) * (1 - spot))
    photo = Image.fromarray((np.clip(page, 0, 1) * 255).astype(np.uint8))
    photo = photo.filter(ImageFilter.GaussianBlur(rng.uniform(0, size / 70)))
    noisy = np.asarray(photo, dtype=np.float64) + rng.normal(
        0, rng.uniform(0, 10), (height, width)
    )
    photo = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    orientation = int(rng.choice(list(ORIENTATIONS)))
    if ORIENTATIONS[orientation] is not None:
        photo = photo.transpose(ORIENTATIONS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    if rng.random() < 0.8:
        photo.save(file, "JPEG", quality=int(rng.integers(25, 95)), exif=exif)
    else:
        photo.save(file, "PNG", exif=exif)
    return file.getvalue()
