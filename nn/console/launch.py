"""Starting the window: its log, the density of the screen, the network in a worker."""

from __future__ import annotations

import argparse
import contextlib
import logging
import logging.handlers
import sys
import tkinter as tk
from pathlib import Path

from nn.console.app import App, Options
from nn.recognise.reader import load


def dpi_aware() -> None:
    """Declare to Windows, before the first window, that the program scales itself."""
    if sys.platform == "win32":
        import ctypes

        with contextlib.suppress(AttributeError, OSError):  # before Windows 8.1
            ctypes.windll.shcore.SetProcessDpiAwareness(1)


def log_file() -> Path | None:
    """Return the log's path after opening it, or None where no folder can be written."""
    from platformdirs import user_log_path

    try:
        path = user_log_path("handwritten-digits", appauthor=False, ensure_exists=True)
        handler = logging.handlers.RotatingFileHandler(
            path / "console.log", maxBytes=500_000, backupCount=1, encoding="utf-8"
        )
    except OSError:
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("nn.console")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return path / "console.log"


def launch(root: tk.Tk, args: argparse.Namespace) -> int:
    """Build the window, load the network in a worker, run until it is closed."""
    options = Options(args.scale, args.theme, tuple(args.pictures), log_file())
    App(root, options, lambda: load(args.weights, args.input_scale, args.transpose, args.invert))
    root.mainloop()
    return 0
