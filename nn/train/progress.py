"""Progress of a training: a live bar on a terminal, one line an epoch otherwise.

Both are callbacks for ``fit``. rich is imported by the live one only.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

from nn.callbacks import Callback

COMPILING_AFTER = 1.5
"""Seconds without a finished step after which the reader is told what the wait is for."""


def compilations() -> int:
    """Return how many kernels were compiled so far; 0 where Numba is not in use."""
    cache = sys.modules.get("nn.fast.jit.cache")
    return 0 if cache is None else int(cache.compilations())


class EpochLines(Callback):
    """Print one line an epoch, and a word while the kernels are being compiled.

    Parameters
    ----------
    epochs : int
        How many there will be, at most.
    images : int
        Training images an epoch.
    batch_size : int
        Images a step.
    stream : text stream, optional
        Standard output by default.
    """

    def __init__(
        self,
        epochs: int,
        images: int,
        batch_size: int,
        stream: TextIO | None = None,
    ) -> None:
        super().__init__()
        self.epochs = epochs
        self.images = images
        self.batch_size = batch_size
        self.stream = stream or sys.stdout
        self._timer: threading.Timer | None = None
        self._started = 0.0
        self._stepped = False
        self._explained = False

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=self.stream, flush=True)

    def begin(self, epoch: int) -> None:
        """Tell that the training begins with ``epoch``, counted from 0."""
        self._started = time.monotonic()
        self._watch(COMPILING_AFTER)

    def _watch(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._explain)
        self._timer.daemon = True
        self._timer.start()

    def _explain(self) -> None:
        if self._stepped:
            return
        if not compilations():  # a busy machine, not a cold cache; look again
            self._watch(COMPILING_AFTER / 5)
            return
        self._explained = True
        self.say(
            "Compiling the kernels for this machine; later runs find them in Numba's cache and "
            "begin at once."
        )

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Note the first finished step."""
        if not self._stepped:
            self._stepped = True
            self.end_watch()
            if self._explained:
                took = time.monotonic() - self._started
                self.say(f"Compiled; the first step was done after {took:.1f} s.")

    def epoch_done(self, epoch: int, logs: Mapping[str, float], seconds: float, note: str) -> None:
        """Print the line of ``epoch``, counted from 1, which took ``seconds``."""
        width = len(str(self.epochs))
        parts = [
            f"epoch {epoch:>{width}}/{self.epochs}",
            f"loss {logs['loss']:.4f}",
            f"accuracy {100 * logs['accuracy']:.2f} %",
        ]
        if "val_loss" in logs:
            parts.append(f"validation loss {logs['val_loss']:.4f}")
            parts.append(f"accuracy {100 * logs['val_accuracy']:.2f} %")
        parts.append(f"{seconds:.1f} s")
        parts.append(f"{self.images / max(seconds, 1e-9):,.0f} images/s")
        self.say("  ".join(parts) + (f"  {note}" if note else ""))

    def end_watch(self) -> None:
        """Stop waiting for a long first step."""
        self._stepped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """Leave the terminal as it was found."""
        self.end_watch()


class Quiet(EpochLines):
    """Print nothing."""

    def say(self, text: str) -> None:
        """Print nothing."""

    def begin(self, epoch: int) -> None:
        """Start nothing."""


class LiveBar(EpochLines):
    """Show a live bar with images a second, loss, accuracy and time left, beside the lines."""

    _bar: Any = None

    def begin(self, epoch: int) -> None:
        """Show the bar, ``epoch`` epochs of it done."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._epoch = epoch
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=Console(file=self.stream, highlight=False),
            transient=True,
        )
        self._task = self._bar.add_task(
            "training",
            total=self.epochs * self.images,
            completed=epoch * self.images,
            epoch=f"{epoch + 1}/{self.epochs}",
            figures="",
        )
        self._bar.start()
        super().begin(epoch)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar is None:
            super().say(text)
        else:
            self._bar.console.print(text, markup=False, soft_wrap=True)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Move the bar to the start of ``epoch``, counted from 0."""
        self._epoch = epoch
        self._epoch_started = time.monotonic()
        self._bar.update(
            self._task, completed=epoch * self.images, epoch=f"{epoch + 1}/{self.epochs}"
        )

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Move the bar by a step."""
        super().on_train_batch_end(batch, logs)
        done = min((batch + 1) * self.batch_size, self.images)
        rate = done / max(time.monotonic() - self._epoch_started, 1e-9)
        figures = f"{rate:,.0f} images/s"
        if logs and "loss" in logs and "accuracy" in logs:
            figures += f"  loss {logs['loss']:.4f}  accuracy {100 * logs['accuracy']:.2f} %"
        self._bar.update(self._task, completed=self._epoch * self.images + done, figures=figures)

    def end(self) -> None:
        """Take the bar away."""
        super().end()
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.stop()


def reporter(quiet: bool, **settings: Any) -> EpochLines:
    """Return the reporter that fits: silent, live on a terminal, lines otherwise.

    ``settings`` are the parameters of `EpochLines`.
    """
    if quiet:
        return Quiet(**settings)
    return LiveBar(**settings) if sys.stdout.isatty() else EpochLines(**settings)
