"""Draw a digit and watch the network read it; or read pictures without a window.

python gui_console.py                         open the window
python gui_console.py photo.jpg               open it with a picture
python gui_console.py --image photo.jpg       read a picture and print the answer
python gui_console.py --evaluate strokes.txt  measure on pen strokes or named pictures
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

DEFAULT_WEIGHTS = Path(__file__).resolve().parent / "weights" / "mnist.h5"

NO_TKINTER = (
    "gui_console: Python's tkinter is not installed. Install it with "
    "`sudo apt install python3-tk` (Debian, Ubuntu), `sudo dnf install python3-tkinter` (Fedora) "
    "or `brew install python-tk` (macOS), or read pictures without a window: "
    "gui_console.py --image FILE."
)
NO_DISPLAY = (
    "gui_console: there is no display to open a window on ({reason}). Start it in a desktop "
    "session or through `ssh -X`, or read pictures without a window: gui_console.py --image FILE."
)
OLD_TK = (
    "gui_console: Tk {found} is too old, 8.6 is needed. Install a newer one with "
    "`sudo apt install python3-tk`, `sudo dnf install python3-tkinter` or "
    "`brew install python-tk`."
)
EXAMPLES = """\
examples:
  gui_console.py                                  draw; press ? for the keys
  gui_console.py --theme dark --scale 2           dark, on a dense screen
  gui_console.py photo.jpg                        open a picture or saved strokes (.json)
  gui_console.py --image photo.jpg --json         one answer as JSON, no window
  gui_console.py --image folder --csv             one line a picture
  gui_console.py --weights old.h5 --input-scale 255
  gui_console.py --evaluate strokes.txt --json    accuracy on pen strokes, as JSON
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    p = argparse.ArgumentParser(
        prog="gui_console.py",
        description="Draw a digit and watch the network read it, or read pictures.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("pictures", nargs="*", type=Path, metavar="PICTURE", help="open this at once")
    p.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="network file (.h5)")
    p.add_argument("--scale", type=float, help="size of everything, 1 to 4 (default: the screen's)")
    p.add_argument("--theme", choices=("light", "dark"), default="light")
    without = p.add_argument_group("without a window")
    without.add_argument(
        "--image", metavar="FILE|FOLDER|-", help="read a picture, a folder of them or stdin"
    )
    without.add_argument(
        "--evaluate",
        type=Path,
        metavar="PATH",
        help="measure on UNIPEN strokes or a folder of pictures named by digit",
    )
    without.add_argument("--sheet", type=Path, help="with --evaluate: picture of the mistakes")
    form = without.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--csv", action="store_true", help="print CSV")
    model = p.add_argument_group("networks of other programs")
    model.add_argument("--input-scale", type=float, help="value of full ink, 255 for some models")
    model.add_argument(
        "--transpose", action="store_true", default=None, help="exchange rows and columns"
    )
    model.add_argument(
        "--invert", action="store_true", default=None, help="dark ink on bright paper"
    )
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console.

    Returns
    -------
    int
        0 when all went well, 2 when something is missing or cannot be read (one clear
        sentence on standard error says what).
    """
    p = parser()
    args = p.parse_args(argv)
    if args.scale is not None and not 0.5 <= args.scale <= 4:
        p.error(f"--scale: expected a number from 0.5 to 4, received {args.scale:g}.")
    if args.input_scale is not None and not args.input_scale > 0:
        p.error(f"--input-scale: expected a positive number, received {args.input_scale:g}.")
    if args.image is not None or args.evaluate is not None:
        from nn.recognise import headless

        return headless.run(args)
    if args.json or args.csv or args.sheet:
        p.error("--json, --csv and --sheet need --image or --evaluate.")
    return open_window(args)


def open_window(args: argparse.Namespace) -> int:
    """Open the window and stay until it is closed."""
    try:
        import tkinter as tk

        from PIL import ImageTk  # noqa: F401  some systems package it apart from Pillow
    except ImportError:
        return _refuse(NO_TKINTER)
    from nn.console.launch import dpi_aware, launch

    dpi_aware()
    try:
        root = tk.Tk(className="Digits")
    except tk.TclError as error:
        return _refuse(NO_DISPLAY.format(reason=str(error).rstrip(".")))
    if tk.TkVersion < 8.6:
        root.destroy()
        return _refuse(OLD_TK.format(found=tk.TkVersion))
    return launch(root, args)


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
