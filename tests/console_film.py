"""Film the console: a digit is drawn, read while the pen moves, then seen inside the network.

    python tests/console_film.py docs/pictures/console.gif

Needs ImageMagick's `import` for the screenshots, and Xvfb where there is no display.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from console_helpers import TWO, Window, display, real_weights  # noqa: E402

from nn.console.views.raster import smoothed  # noqa: E402
from nn.recognise.reader import load  # noqa: E402

SIZE = (900, 444)
STEP_MS, REST_MS = 70, 1500


def picture(window: Window, path: Path, box: tuple[int, int, int, int]) -> Image.Image:
    """Return what the screen shows in a box, at the film's size."""
    window.settle(0.06)
    subprocess.run(["import", "-window", "root", str(path)], check=True, timeout=60)
    with Image.open(path) as image:
        return image.convert("RGB").crop(box).resize(SIZE, Image.Resampling.LANCZOS)


def film(path: Path) -> None:
    """Write the animated picture."""
    weights = real_weights()
    if weights is None:
        raise SystemExit("no trained network found: train one with python train.py")
    frames: list[tuple[Image.Image, int]] = []
    with display(), tempfile.TemporaryDirectory() as folder:
        import tkinter as tk

        root = tk.Tk()
        window = Window(root, load(weights), Path(folder))
        shot = Path(folder) / "shot.png"
        root.geometry("1502x741+0+0")
        window.settle(0.5)
        box = (0, 0, 1502, 741)
        canvas = window.app.canvas
        line = smoothed(np.array(TWO, np.float32))
        line = line[:: max(len(line) // 30, 1)]
        points = [(round(x), round(y)) for x, y in (*line, TWO[-1])]
        window.app.run("inside")
        frames.append((picture(window, shot, box), REST_MS // 2))
        canvas.event_generate("<ButtonPress-1>", x=points[0][0], y=points[0][1])
        for x, y in points[1:]:
            canvas.event_generate("<B1-Motion>", x=x, y=y)
            frames.append((picture(window, shot, box), STEP_MS))
        canvas.event_generate("<ButtonRelease-1>", x=points[-1][0], y=points[-1][1])
        frames.append((picture(window, shot, box), REST_MS))
        view = window.app.panels.get("inside").view
        for _ in range(16):
            view.yview_scroll(2, "units")
            frames.append((picture(window, shot, box), 2 * STEP_MS))
        frames.append((picture(window, shot, box), REST_MS))
        window.close()
        root.destroy()
    palette = frames[-1][0].quantize(96, dither=Image.Dither.NONE)
    pictures = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f, _ in frames]
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=[milliseconds for _, milliseconds in frames],
        loop=0,
        optimize=True,
    )
    print(f"{path.name}: {len(frames)} pictures, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    film(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "pictures" / "console.gif"))
