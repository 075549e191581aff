"""Rows of digits, divided and read: the generator of the rows, and what must come out."""

from __future__ import annotations

import numpy as np
from PIL import Image


def make_row(images, rng):
    """Lay MNIST digits out in a row of random sizes, gaps and baselines: an ink picture.

    Now and then neighbours touch or overlap by a pixel or two.
    """
    base = rng.uniform(24, 90)
    boxes = []
    for image in images:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = base * rng.uniform(0.75, 1.3) / 20
        size = [max(round(extent * scale), 2) for extent in box.shape[::-1]]
        resized = Image.fromarray((box * 255).astype(np.uint8)).resize(
            size, Image.Resampling.BILINEAR
        )
        boxes.append(np.asarray(resized, dtype=np.float32) / 255)
    height = int(2.2 * base)
    page = np.zeros((height, int(sum(box.shape[1] for box in boxes) + 6 * base)), np.float32)
    x = int(rng.uniform(0.1, 1.0) * base)
    for box in boxes:
        H, W = box.shape
        y = int(np.clip(0.6 * base + 0.5 * (base - H) + rng.normal(0, 0.12) * base, 0, height - H))
        page[y : y + H, x : x + W] = np.maximum(page[y : y + H, x : x + W], box)
        x += W + max(int(rng.uniform(0.02, 0.6) * base), 1)
    return page
