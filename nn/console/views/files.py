"""Opening, saving and pasting: the dialogs of the system and the clipboard."""

from __future__ import annotations

import contextlib
import io
import re
import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tkinter import filedialog
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nn.console.document.document import Document
from nn.console.document.drawing import Content, OpenedPicture
from nn.console.document.files import NOTHING_TO_SAVE, load_content, save
from nn.console.jobs import Job, JobRunner
from nn.console.views.dialogs import Dialogs
from nn.drawing import read_ink
from nn.recognise.evaluation import IMAGE_SUFFIXES

READABLE = " ".join(f"*{ending}" for ending in (*sorted(IMAGE_SUFFIXES), ".json"))
ALL = ("All files", "*")


@dataclass
class Files:
    """Opens, saves and pastes what is on the canvas; `say` puts a line into the status bar."""

    root: tk.Tk
    document: Document
    jobs: JobRunner
    dialogs: Dialogs
    say: Callable[[str], None]

    def ask_open(self) -> None:
        """Let the user choose a picture or strokes, and open them."""
        types = [("Pictures and strokes", READABLE), ALL]
        name = filedialog.askopenfilename(parent=self.root, filetypes=types)
        if name:
            self.open(Path(name))

    def open(self, path: Path) -> None:
        """Open saved strokes, or a picture, which is read in a worker."""
        if path.suffix.lower() == ".json":
            with self.dialogs.failures():
                self.document.open(*load_content(path))
                self.say(f"Opened {path.name}.")
            return
        self.say(f"Opening {path.name}…")
        self._start("open", path, path.name)

    def paste(self) -> None:
        """Open the picture on the clipboard, where the system allows."""
        image = clipboard_picture(self.root)
        if image is None:
            self.say("The clipboard holds no picture.")
        else:
            self._start("paste", image, "…")

    def _start(self, job: str, source: Any, name: str) -> None:
        done = Job(job, partial(self._opened, name), self.dialogs.fail)
        self.jobs.start(done, lambda _report: read_ink(source))

    def _opened(self, name: str, ink: NDArray[np.float32]) -> None:
        if not ink.any():
            self.dialogs.complain(f"{name} holds no ink that could be read.")
            return
        height, width = ink.shape
        self.document.open(Content((), OpenedPicture(ink)), (float(width), float(height)))
        self.say(f"Opened {name}.")

    def ask_save(self, ending: str) -> None:
        """Let the user choose a name that ends in .png, .svg or .json, and save under it."""
        if self.document.drawing.empty:
            self.say(NOTHING_TO_SAVE)
            return
        number = re.sub(r"\D", "", self.document.shown.number) or "digit"
        name = filedialog.asksaveasfilename(
            parent=self.root,
            defaultextension=ending,
            initialfile=f"{number}{ending}",
            filetypes=[("Strokes" if ending == ".json" else "Pictures", f"*{ending}")],
        )
        if name:
            self.save(Path(name))

    def save(self, path: Path) -> None:
        """Save what is on the canvas in the format that the name ends in."""
        with self.dialogs.failures():
            save(path, self.document)
            self.say(f"Saved {path.name}.")


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
