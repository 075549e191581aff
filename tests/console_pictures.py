"""Draw all pictures of the console anew, with the shipped network.

    python tests/console_pictures.py                 docs/pictures/console-*.png and console.gif
    python tests/console_pictures.py --all FOLDER    every state, light and dark, scale 1 and 2

Needs ImageMagick's `import` for the screenshots, and Xvfb where there is no display.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from console_helpers import TWO, Window, display, real_weights  # noqa: E402
from PIL import Image  # noqa: E402

from nn.recognise.reader import load  # noqa: E402

NUMBER = [
    [(60, 190), (85, 165), (85, 320)],
    [(225, 200), (190, 175), (165, 210), (190, 245), (225, 215), (228, 190)]
    + [(226, 260), (205, 325)],
    [(360, 185), (320, 170), (300, 205), (335, 240), (365, 275), (340, 318)]
    + [(300, 290), (325, 245), (360, 210), (358, 183)],
    [(460, 170), (430, 260), (520, 258)],
    [(500, 195), (490, 325)],
]  # fmt: skip
UNSURE = [(190, 330), (300, 150), (330, 330), (300, 240), (200, 260), (330, 150)]
SHIPPED = ("answer-dark", "answer", "inside", "number", "steps", "teach", "why")


def states(window: Window) -> Iterator[str]:
    """Bring a window into one state after another; yields each one's name."""
    app = window.app
    window.settle(0.1)
    yield "empty"
    window.draw(TWO)
    app.run("recognise")
    window.settle()
    yield "answer"
    for name in ("steps", "inside", "why", "teach"):
        app.run(name)
        window.settle(0.2)
        if name == "steps":
            film = app.panels.get("steps")
            film.leave()
            film.show(film._film[0].seconds * 0.62)
        while name == "why" and app.panels.get("why").heat is None:
            window.settle(0.1)
        yield name
    app.panels.close()
    app.run("clear")
    for line in NUMBER:
        window.draw(line)
    app.run("recognise")
    window.settle()
    yield "number"
    app.run("clear")
    window.draw(UNSURE)
    yield "doubt"
    app.run("keys")
    window.settle(0.2)
    yield "keys"
    app.dialogs.current.destroy()
    app.run("info")
    window.settle(0.2)
    yield "info"
    app.dialogs.current.destroy()
    window.settle()


def shot(window: Window, path: Path) -> None:
    """Write what the screen shows of the window."""
    window.root.update()
    root = window.root
    subprocess.run(["import", "-window", "root", str(path)], check=True, timeout=60)
    with Image.open(path) as image:
        box = (root.winfo_rootx(), 0, root.winfo_rootx() + root.winfo_width())
        high = root.winfo_rooty() + root.winfo_height()
        image.convert("RGB").crop((box[0], box[1], box[2], high)).save(path, optimize=True)


def main() -> int:
    """Draw the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every state, to look at")
    args = parser.parse_args()
    weights = real_weights()
    if weights is None:
        print("no trained network found: train one with python train.py", file=sys.stderr)
        return 2
    folder = args.all or ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with display(), tempfile.TemporaryDirectory() as own:
        import tkinter as tk

        root = tk.Tk()
        reader = load(weights)
        base = reader.model
        for scale in (1, 2) if args.all else (1,):
            for theme in ("light", "dark"):
                window = Window(root, reader, Path(own), scale=scale, theme=theme)
                root.geometry("")
                for state in states(window):
                    if args.all:
                        shot(window, folder / f"{state}-{theme}-{scale}.png")
                    elif state in SHIPPED and (theme == "light" or f"{state}-dark" in SHIPPED):
                        shot(window, folder / f"console-{state}-{theme}.png")
                window.close()
                reader.use(base, "")
        root.destroy()
    if not args.all:
        subprocess.run([sys.executable, str(ROOT / "tests" / "console_film.py")], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
