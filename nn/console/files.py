"""Opening, saving, pasting, choosing weights: the part of the window that touches files."""

from __future__ import annotations

import contextlib
import io
import re
import tkinter as tk
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tkinter import filedialog
from typing import Any

import numpy as np
from PIL import Image

from nn.console import keys, texts
from nn.console.document import facts
from nn.console.document.drawing import Picture, Sheet, strokes_from_arrays
from nn.console.views import dialogs

PICTURE_NAMES = "*.png *.jpg *.jpeg *.bmp *.tif *.tiff *.webp *.gif"
STROKE_NAMES = "*.json"
LONGEST_SIDE = 1600
"""Pixels of an opened picture's ink: more does not help the reading."""


class FileActions:
    """Mixed into the window."""

    dialog: dialogs.Dialog | None

    @contextlib.contextmanager
    def complaints(self: Any) -> Iterator[None]:
        """Turn an expected failure into one readable dialog."""
        try:
            yield
        except (OSError, ValueError, MemoryError) as error:
            self.complain(_sentence(error))

    # ------------------------------------------------------------------ opening

    def do_open(self: Any) -> None:
        """Ask for a picture or strokes and open them."""
        name = filedialog.askopenfilename(
            parent=self.root,
            filetypes=[
                (texts.FILE_PICTURES, f"{PICTURE_NAMES} {STROKE_NAMES}"),
                (texts.FILE_ALL, "*"),
            ],
        )
        if name:
            self.open_file(Path(name))

    def open_file(self: Any, path: Path) -> None:
        """Open a picture or saved strokes; large photos are read in a worker."""
        if path.suffix.lower() == ".json":
            with self.complaints():
                self._open_strokes(path)
            return
        self.say(texts.OPENING.format(name=path.name))
        self.start(
            "open",
            lambda _report: _picture(path),
            partial(self._opened, path.name),
            self._not_opened,
        )

    def _open_strokes(self: Any, path: Path) -> None:
        from nn.drawing import load_strokes

        drawing = load_strokes(path)
        strokes = strokes_from_arrays(drawing.strokes, drawing.pen_width)
        self.document.show_sheet(Sheet(tuple(strokes)), drawing.size)
        self.say(texts.OPENED.format(name=path.name))
        self.strip.refresh()
        self.refresh()

    def _opened(self: Any, name: str, ink: Any) -> None:
        if not ink.any():
            self.complain(texts.NO_INK.format(name=name))
            return
        height, width = ink.shape
        self.document.show_sheet(Sheet((), Picture(ink, name)), (float(width), float(height)))
        self.say(texts.OPENED.format(name=name))
        self.strip.refresh()
        self.refresh()

    def _not_opened(self: Any, error: BaseException) -> None:
        if isinstance(error, (OSError, ValueError, MemoryError)):
            self.complain(_sentence(error))
        else:
            self.report(type(error), error, error.__traceback__)

    def do_paste(self: Any) -> None:
        """Read a picture from the clipboard, where the system allows."""
        image = clipboard_picture(self.root)
        if image is None:
            self.say(texts.NOTHING_PASTED)
            return
        self.start(
            "paste", lambda _report: _picture(image), partial(self._opened, "…"), self._not_opened
        )

    # ------------------------------------------------------------------ saving

    def _ask_save(self: Any, ending: str, kind: str) -> Path | None:
        if self.document.drawing.empty:
            self.say(texts.NOTHING_TO_SAVE)
            return None
        number = re.sub(r"\D", "", self.document.shown().number) or "digit"
        name = filedialog.asksaveasfilename(
            parent=self.root,
            defaultextension=ending,
            initialfile=f"{number}{ending}",
            filetypes=[(kind, f"*{ending}")],
        )
        return Path(name) if name else None

    def do_save_png(self: Any) -> None:
        """Save the sheet as a picture."""
        path = self._ask_save(".png", texts.FILE_PICTURES_ONLY)
        if path is not None:
            self.save(path)

    def do_save_svg(self: Any) -> None:
        """Save the strokes as a drawing that scales."""
        path = self._ask_save(".svg", texts.FILE_PICTURES_ONLY)
        if path is not None:
            self.save(path)

    def do_save_json(self: Any) -> None:
        """Save the strokes, to be opened again."""
        path = self._ask_save(".json", texts.FILE_STROKES)
        if path is not None:
            self.save(path)

    def save(self: Any, path: Path) -> None:
        """Save the sheet in the form the file's name asks for, all of it or nothing."""
        with self.complaints():
            write_sheet(path, self.document)
            self.say(texts.SAVED.format(name=path.name))

    # ------------------------------------------------------------------ the network

    def do_weights(self: Any) -> None:
        """Ask for another network and read with it."""
        name = filedialog.askopenfilename(
            parent=self.root,
            filetypes=[(texts.FILE_WEIGHTS, "*.h5 *.hdf5 *.keras"), (texts.FILE_ALL, "*")],
        )
        if name:
            self.choose_weights(Path(name))

    def choose_weights(self: Any, path: Path) -> None:
        """Load another network in a worker; the one in use stays if that fails."""
        from nn.recognise.reader import load

        self.say(texts.OPENING.format(name=path.name))
        self.start(
            "weights",
            lambda _report: load(path),
            self.use_reader,
            self._not_opened,
            patient=False,
        )

    def do_info(self: Any) -> None:
        """Say which network this is, what it was trained on, how well it does."""
        reader = self.document.reader
        if reader is None:
            self.say(texts.no_network(keys.shown("weights")))
            return
        note = ""
        if self.teacher is not None and self.teacher.lessons:
            note = texts.info_note(self.teacher.lessons)
        self.dialog = dialogs.facts(
            self.root, self.theme, texts.INFO_TITLE, note, facts.of_reader(reader)
        )

    def do_about(self: Any) -> None:
        """Say what this program is."""
        self.dialog = dialogs.message(self.root, self.theme, texts.ABOUT_TITLE, texts.ABOUT)


def write_sheet(path: Path, document: Any) -> None:
    """Write a document's sheet as .png, .svg or .json, atomically.

    Raises
    ------
    ValueError
        If the sheet is empty, or is a picture where strokes are needed.
    OSError
        If the file cannot be written; what was there before is untouched.
    """
    from nn.atomic import write_atomically
    from nn.drawing import render_ink, save_strokes, strokes_to_svg

    drawing = document.drawing
    if drawing.empty:
        raise ValueError(texts.NOTHING_TO_SAVE)
    left, top, right, bottom = document.whole_page
    size = (right - left, bottom - top)
    arrays = [stroke.points - (left, top) for stroke in drawing.strokes]
    widths = [stroke.width for stroke in drawing.strokes] or [drawing.width]
    pen = float(np.median(widths))
    kind = path.suffix.lower()
    if kind == ".png":
        if drawing.picture is not None:
            ink = drawing.picture.ink
        else:
            ink = np.zeros((round(size[1]), round(size[0])), np.float32)
            for width in sorted(set(widths)):
                same = [a for a, w in zip(arrays, widths, strict=True) if w == width]
                ink = np.maximum(ink, render_ink(same, (ink.shape[1], ink.shape[0]), width))
        buffer = io.BytesIO()
        levels = np.round(255 * (1 - np.clip(ink, 0, 1))).astype(np.uint8)
        Image.fromarray(levels).save(buffer, "PNG", optimize=True)
        write_atomically(path, buffer.getvalue())
    elif not drawing.strokes:
        raise ValueError(texts.PICTURE_NOT_STROKES)
    elif kind == ".svg":
        write_atomically(path, strokes_to_svg(arrays, size, pen).encode())
    elif kind == ".json":
        timed = [
            np.column_stack([a, s.times - drawing.strokes[0].times[0]])
            for a, s in zip(arrays, drawing.strokes, strict=True)
        ]
        save_strokes(path, timed, size, pen)
    else:
        raise ValueError(texts.unknown_ending(path.name))


def clipboard_picture(root: tk.Misc) -> Image.Image | None:
    """Return the picture on the clipboard, or None."""
    from PIL import ImageGrab

    with contextlib.suppress(NotImplementedError, OSError, ValueError):
        grabbed = ImageGrab.grabclipboard()
        if isinstance(grabbed, Image.Image):
            return grabbed
        if isinstance(grabbed, list) and grabbed:
            return Image.open(str(grabbed[0]))
    with contextlib.suppress(tk.TclError, OSError, ValueError):
        # X11 without a helper program: Tk gives the bytes as a row of hexadecimal numbers.
        text = root.tk.call("selection", "get", "-selection", "CLIPBOARD", "-type", "image/png")
        data = bytes(int(part, 16) for part in str(text).split())
        return Image.open(io.BytesIO(data))
    return None


def _picture(source: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the ink of a picture, no larger than the screen needs."""
    from nn.drawing import read_ink

    ink = np.asarray(read_ink(source), np.float32)
    factor = LONGEST_SIDE / max(ink.shape)
    if factor < 1:
        size = (max(round(ink.shape[1] * factor), 1), max(round(ink.shape[0] * factor), 1))
        levels = Image.fromarray((np.clip(ink, 0, 1) * 255).astype(np.uint8))
        ink = np.asarray(levels.resize(size, Image.Resampling.BOX)).astype(np.float32) / np.float32(
            255
        )
    return ink


def _sentence(error: BaseException) -> str:
    """Return one clear sentence for an expected failure."""
    if isinstance(error, OSError) and error.strerror:
        name = Path(str(error.filename)).name if error.filename else ""
        return f"{name}: {error.strerror}." if name else f"{error.strerror}."
    return str(error) or texts.TOO_LARGE
