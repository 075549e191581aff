"""Contact sheets: pictures of all allographs, and of what augmentation makes of a digit.

``python -m tests.contact_sheets FOLDER`` draws both.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from nn.augment import Distortion, distort
from nn.drawing import render_batch
from nn.synthetic import generate
from nn.synthetic.allographs import ALLOGRAPHS, skeletons
from nn.synthetic.generator import Style, make_block

CELL = 30  # pixels from one digit to the next
MARGIN = 150  # for the names


def _paste(sheet: Image.Image, images: NDArray[np.float32], x: int, y: int) -> None:
    """Paste a row of images, ink black on white."""
    for k, image in enumerate(images):
        grey = np.rint(255 * (1 - image)).astype(np.uint8)
        sheet.paste(Image.fromarray(grey), (x + k * CELL + 1, y + 1))


def allograph_sheet(samples: int = 9, columns: int = 3, seed: int = 0) -> Image.Image:
    """Return a picture of every allograph: its name, its path, and digits written after it.

    Parameters
    ----------
    samples : int
        Digits an allograph.
    columns : int
        Of allographs, side by side.
    seed : int
        Of the digits.

    Returns
    -------
    PIL.Image
        Grey.
    """
    found: dict[int, list[NDArray[np.float32]]] = {i: [] for i in range(len(ALLOGRAPHS))}
    block_number = 0
    while min(map(len, found.values())) < samples:
        block = make_block(seed, block_number, Style())
        images = render_batch(block.pack(), block.widths)
        for index, image in zip(block.allographs.tolist(), images, strict=True):
            found[index].append(image)
        block_number += 1
    rows = -(-len(ALLOGRAPHS) // columns)
    width = MARGIN + (samples + 1) * CELL + 10
    sheet = Image.new("L", (columns * width, rows * CELL), 255)
    draw = ImageDraw.Draw(sheet)
    for i, (allograph, skeleton) in enumerate(zip(ALLOGRAPHS, skeletons(), strict=True)):
        x, y = i // rows * width, i % rows * CELL
        line = (skeleton.basis @ skeleton.control) * [0.72, 1]  # as wide as digits are
        strokes = [line[skeleton.stroke == k] for k in np.unique(skeleton.stroke)]
        draw.text((x + 6, y + 9), f"{allograph.digit}  {allograph.name}", fill=0)
        _paste(sheet, render_batch([strokes], 1.2), x + MARGIN, y)
        _paste(sheet, np.stack(found[i][:samples]), x + MARGIN + CELL, y)
    return sheet


def augmentation_sheet(samples: int = 16, seed: int = 0) -> Image.Image:
    """Return a picture of distorted copies: one row for each kind of distortion, then for all.

    Parameters
    ----------
    samples : int
        Copies a row.
    seed : int
        Of the digits and of the distortions.

    Returns
    -------
    PIL.Image
        Grey; the digit itself is at the left.
    """
    none = dict.fromkeys(("rotation", "scale", "aspect", "shear", "shift", "alpha"), 0.0)
    full = Distortion()
    kinds = [
        (name, Distortion(**(none | {"thickness": 0.0} | {name: getattr(full, name)})))
        for name in (*none, "thickness")
    ]
    kinds += [("all together", full)] * 6
    images = generate(len(kinds), seed=seed)[0]
    sheet = Image.new("L", (MARGIN + (samples + 1) * CELL + 10, len(kinds) * CELL), 255)
    draw = ImageDraw.Draw(sheet)
    for row, (name, distortion) in enumerate(kinds):
        draw.text((6, row * CELL + 9), name, fill=0)
        _paste(sheet, images[row : row + 1], MARGIN, row * CELL)
        copies = distort(images, distortion, seed=seed, rows=np.full(samples, row))
        _paste(sheet, copies, MARGIN + CELL, row * CELL)
    return sheet


def main(folder: str) -> None:
    """Write synthetic.png and augmentation.png into `folder`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    allograph_sheet().save(Path(folder) / "synthetic.png", optimize=True)
    augmentation_sheet().save(Path(folder) / "augmentation.png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
