"""Progress of a training: one line an epoch, under a live bar on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from nn.callbacks.base import Callback, Logs

COMPILING_AFTER = 1.5
"""Seconds without a finished step after which `CompilationNotice` looks for compilations."""


def figures(logs: Logs | None) -> list[str]:
    """Return ``["loss 0.0312", "accuracy 99.03 %", "validation loss 0.0402", …]``."""
    parts = []
    for name, value in (logs or {}).items():
        label = name.replace("val_", "validation ").replace("_", " ")
        if name.endswith("loss"):
            parts.append(f"{label} {value:.4f}")
        elif name.endswith(("accuracy", "acc")):
            parts.append(f"{label} {100 * value:.2f} %")
        else:
            parts.append(f"{label} {value:.4g}")
    return parts


class ProgressLogger(Callback):
    """Print a line after each epoch and, while it runs, show a bar.

    Parameters
    ----------
    live : bool, optional
        Show the bar; default: when the stream is a terminal.
    stream : text stream, optional
        Default: standard output.
    line : callable, optional
        ``(epoch from 0, logs) -> str``, what to print instead of the usual line.
    """

    def __init__(
        self,
        live: bool | None = None,
        stream: TextIO | None = None,
        line: Callable[[int, Logs], str] | None = None,
    ) -> None:
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty() if live is None else live
        self.line = line or self._usual_line
        self._bar: Any = None

    def _usual_line(self, epoch: int, logs: Logs) -> str:
        seconds, epochs = time.perf_counter() - self.started, self.params["epochs"]
        return (
            f"Epoch {epoch + 1:{len(str(epochs))}}/{epochs}  {seconds:6.2f} s  "
            f"{self._speed(self.params['samples'], seconds)}{', '.join(figures(logs))}"
        )

    @staticmethod
    def _speed(samples: int, seconds: float) -> str:
        """Return ``"5,000 images/s  "``, or nothing if their number is not known."""
        return f"{samples / seconds:>8,.0f} images/s  " if samples else ""

    def say(self, text: str) -> None:
        """Print ``text``, above the bar if there is one."""
        if self._bar is None:
            print(text, file=self.stream, flush=True)
        else:
            self._bar.console.print(text, markup=False, soft_wrap=True)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if not self.live:
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

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
        self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.started, self._shown = time.perf_counter(), 0.0
        if self._bar is None:
            return
        samples, epochs = self.params["samples"], self.params["epochs"]
        self._done = epoch * samples
        place: dict[str, Any] = {"completed": self._done, "epoch": f"{epoch + 1}/{epochs}"}
        if not self._bar.tasks:
            self._bar.add_task("", total=epochs * samples, figures="", **place)
        self._bar.update(self._bar.task_ids[0], **place)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        now = time.perf_counter()
        if self._bar is None or now - self._shown < 0.1:  # at most ten updates a second
            return
        self._shown = now
        done = self.params["samples"] * (batch + 1) // (self.params["steps"] or batch + 1)
        text = self._speed(done, now - self.started).lstrip() + "  ".join(figures(logs))
        self._bar.update(self._bar.task_ids[0], completed=self._done + done, figures=text)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.say(self.line(epoch, logs or {}))

    def close(self) -> None:
        """Remove the bar; ``fit`` calls it however it ends."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.stop()


class CompilationNotice(Callback):
    """Explain a first step that takes long because kernels are being compiled.

    Parameters
    ----------
    say : callable
        Prints a line.
    """

    def __init__(self, say: Callable[[str], None] = print) -> None:
        self.say = say
        self._stepped = threading.Event()
        self._explained = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._started = time.monotonic()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        wait = COMPILING_AFTER
        while not self._stepped.wait(wait):
            if compilations():
                self._explained = True
                self.say(
                    "Compiling the kernels for this machine; later runs find them in Numba's cache "
                    "and begin at once."
                )
                return
            wait = COMPILING_AFTER / 5

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self._stepped.is_set():
            return
        self.close()
        if self._explained:
            took = time.monotonic() - self._started
            self.say(f"Compiled; the first step was done after {took:.1f} s.")

    def close(self) -> None:
        """Stop waiting for the first step."""
        self._stepped.set()
        self._watcher.join()


def compilations() -> int:
    """Return the number of kernels compiled so far; 0 where Numba is not in use."""
    cache = sys.modules.get("nn.fast.jit.cache")
    return 0 if cache is None else int(cache.compilations())
