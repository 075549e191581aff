"""How ``fit`` shows its progress: a live bar on a terminal, else one line an epoch."""

from __future__ import annotations

import sys
import time
from typing import Any

from nn.callbacks import Callback, Logs


def figures(logs: Logs | None) -> str:
    """Return ``loss 0.0312 nats, accuracy 99.03 %, …``."""
    parts = []
    for name, value in (logs or {}).items():
        label = name.replace("val_", "validation ").replace("_", " ")
        if name.endswith("loss"):
            parts.append(f"{label} {value:.4f}")
        elif name.endswith(("accuracy", "acc")):
            parts.append(f"{label} {100 * value:.2f} %")
        else:
            parts.append(f"{label} {value:.4g}")
    return ", ".join(parts)


class ProgressLogger(Callback):
    """Print the progress of a training.

    Parameters
    ----------
    live : bool, optional
        Draw a bar that moves; default: when standard output is a terminal.
    """

    def __init__(self, live: bool | None = None) -> None:
        self.live = sys.stdout.isatty() if live is None else live
        self._bar: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if not self.live:
            return
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            transient=True,
        )
        self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.started = time.perf_counter()
        if self._bar is not None:
            self._task = self._bar.add_task(
                f"Epoch {epoch + 1}/{self.params['epochs']}",
                total=self.params["steps"],
                speed="",
                figures="",
            )
            self._shown = 0.0

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self._bar is None:
            return
        now = time.perf_counter()
        if now - self._shown < 0.1:  # ten times a second is all an eye can follow
            return
        self._shown = now
        done = (batch + 1) / self.params["steps"]
        speed = done * self.params["samples"] / (now - self.started)
        self._bar.update(
            self._task, completed=batch + 1, speed=f"{speed:,.0f} images/s", figures=figures(logs)
        )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        seconds = time.perf_counter() - self.started
        width = len(str(self.params["epochs"]))
        line = (
            f"Epoch {epoch + 1:{width}}/{self.params['epochs']}  {seconds:6.2f} s  "
            f"{self.params['samples'] / seconds:>8,.0f} images/s  {figures(logs)}"
        )
        if self._bar is not None:
            self._bar.remove_task(self._task)
            self._bar.console.print(line, highlight=False)
        else:
            print(line, flush=True)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar off the screen; harmless when there is none."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
