"""A monkey at the console: random events, and what they cost.

    python tests/console_monkey.py --events 20000

Pointer, keys, menus, panels, lessons, sizes, lost focus, files that are not pictures. Prints how
long the window was deaf: the longest single trip through Tk's loop after each event (between two
trips it hears the pen), and all trips of the event together, each as processor time of Tk's
thread and by the clock, which on a busy machine also counts what others did. The longest by the
clock are listed with how Tk's thread spent them (it ran, it waited for a core, which Linux tells,
or for Python or the screen) and the jobs that ran beside it. Then the memory.
"""

from __future__ import annotations

import _tkinter
import argparse
import gc
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from unittest import mock

import numpy as np

Times = tuple[float, float, float]
"""Seconds by the clock, of processor, and of waiting for a core."""

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from console_helpers import Window, display, real_weights  # noqa: E402

from nn.console.commands import COMMANDS  # noqa: E402

NOT_FOR_MONKEYS = ("quit",)
LISTED = 10
"""How many of the longest trips and events are listed."""
OTHER_KEYS = ("<space>", "<Left>", "<Right>", "<Up>", "<Down>", "<Key-7>", "<Key-3>", "<Tab>")


def sequences() -> list[str]:
    """Return the Tk patterns of all keys but the one that ends the program."""
    found = [c.patterns() for name, c in COMMANDS.items() if name not in NOT_FOR_MONKEYS]
    return [*chain.from_iterable(found), *OTHER_KEYS]


def memory() -> float:
    """Return the process's resident memory in MiB, NaN where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Clocks:
    """Reads what the thread that made it has used so far."""

    def __init__(self) -> None:
        path = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._waited = path if path.exists() else None

    def __call__(self) -> Times:
        """Return `Times` in seconds; 0 for the last where the system does not tell it."""
        waited = 0.0
        if self._waited is not None:
            waited = int(self._waited.read_bytes().split()[1]) / 1e9
        return time.perf_counter(), time.thread_time(), waited


@dataclass(frozen=True)
class Cost:
    """What one event cost.

    Parameters
    ----------
    what : str
    trip, whole : Times
        Of the longest trip through Tk's loop by the clock, and of all trips together.
    processor : float
        Of the trip that took most of it, in seconds.
    beside : str
        The jobs under way.
    """

    what: str
    trip: Times
    whole: Times
    processor: float
    beside: str

    def line(self, times: Times) -> str:
        """Say how `trip` or `whole` was spent."""
        clock, processor, queue = (1000 * t for t in times)
        return (
            f"  {clock:6.1f} ms: ran {processor:.1f}, waited {queue:.1f} for a core and "
            f"{max(clock - processor - queue, 0):.1f} for Python or the screen; {self.what}; "
            f"beside: {self.beside}"
        )


@dataclass
class Monkey:
    """Random events for one window.

    Parameters
    ----------
    window : Window
    folder : Path
        For the files it opens.
    seed : int
    """

    window: Window
    folder: Path
    seed: int = 0
    costs: list[Cost] = field(default_factory=list)
    memories: list[float] = field(default_factory=list)
    _down: int | None = None

    def __post_init__(self) -> None:
        from PIL import Image

        self.rng = random.Random(self.seed)
        self.keys = sequences()
        noise = np.random.default_rng(self.seed).integers(0, 256, (300, 300), dtype=np.uint8)
        self.files = [self.folder / name for name in ("junk.png", "junk.json", "junk-noise.png")]
        self.files[0].write_bytes(self.rng.randbytes(300))
        self.files[1].write_text('{"strokes": [[["a"]]]}')
        Image.fromarray(noise).save(self.files[2])

    # ------------------------------------------------------------------ events

    def act(self) -> str:
        """Do one thing; returns what."""
        app, rng = self.window.app, self.rng
        canvas = app.canvas
        x, y = rng.randrange(-20, 640), rng.randrange(-20, 620)
        kind = rng.random()
        if kind < 0.5:
            return self._pen(x, y)
        if kind < 0.78:
            target, key = (
                rng.choice((canvas, app.strip, app.toolbar.recognise)),
                rng.choice(self.keys),
            )
            target.focus_force()
            target.event_generate(key)
            return f"key {key}"
        if kind < 0.82:
            size = f"{rng.randrange(900, 1700)}x{rng.randrange(700, 1200)}"
            app.root.geometry(size)
            return f"resize {size}"
        if kind < 0.85:
            event = rng.choice(("<Leave>", "<Enter>", "<FocusOut>"))
            canvas.event_generate(event)
            return event
        if kind < 0.87:
            path = rng.choice(self.files)
            if rng.random() < 0.2:
                app.session.choose(path, app.dialogs.fail)
                return f"weights {path.name}"
            app.files.open(path)
            return f"open {path.name}"
        if kind < 0.91:
            app.strip.event_generate("<Button-1>", x=x, y=20)
            return "history"
        if kind < 0.95:
            return self._menu()
        return self._panel(x, y)

    def _pen(self, x: int, y: int) -> str:
        canvas, rng = self.window.app.canvas, self.rng
        if self._down is None:
            self._down = rng.choice((1, 1, 1, 3))
            event = f"<ButtonPress-{self._down}>"
        elif rng.random() < 0.85:
            event = f"<B{self._down}-Motion>"
        else:
            event, self._down = f"<ButtonRelease-{self._down}>", None
        canvas.event_generate(event, x=x, y=y)
        return event

    def _menu(self) -> str:
        menu = self.rng.choice(list(self.window.app.menu.menus.values()))
        last = menu.index("end") or 0
        entry = self.rng.randrange(last + 1)
        if menu.type(entry) == "separator" or menu.entrycget(entry, "label").startswith("Quit"):
            return "menu"
        label = menu.entrycget(entry, "label")
        menu.invoke(entry)
        return f"menu {label}"

    def _panel(self, x: int, y: int) -> str:
        app, rng = self.window.app, self.rng
        torn = [name for name, holder in app.panels.holders.items() if holder.torn]
        if torn and rng.random() < 0.3:
            name = rng.choice(torn)
            app.panels.close_torn(name)
            return f"close {name}"
        if not app.panels.holders:
            return "no panel"
        name, panel = rng.choice([(n, h.panel) for n, h in app.panels.holders.items()])
        if name == "inside":
            panel.view.event_generate(
                rng.choice(("<Button-1>", "<Button-5>", "<Key-Down>")), x=x, y=y
            )
        elif name == "why":
            panel.mode.set(rng.choice(("gradient", "occlusion", "towards")))
            panel.overlay.set(rng.random() < 0.5)
            panel.refresh()
        elif name == "teach":
            button = rng.choice(
                (*panel.buttons, panel.undo_button, panel.forget_button, panel.cancel_button)
            )
            button.invoke()
            if (
                app.dialogs.current is not None
                and app.dialogs.current.winfo_exists()
                and rng.random() < 0.5
            ):
                for row in app.dialogs.current.body.winfo_children():
                    for widget in row.winfo_children():
                        if widget.winfo_class() == "TButton" and rng.random() < 0.5:
                            widget.invoke()
                            return "teach: answered"
        else:
            panel.play_button.invoke()
        return f"in {name}"

    # ------------------------------------------------------------------ measuring

    def run(self, events: int) -> None:
        """Do so many things, measuring each."""
        root, app, clocks = self.window.root, self.window.app, Clocks()
        for count in range(events):
            beside = {job.name for job in app.jobs.jobs}
            marks = [clocks()]
            what = self.act()
            marks.append(clocks())
            while root.tk.dooneevent(_tkinter.DONT_WAIT) and len(marks) < 500:
                marks.append(clocks())
            beside |= {job.name for job in app.jobs.jobs}
            trips = np.diff(np.array(marks), axis=0)
            self.costs.append(
                Cost(
                    what,
                    tuple(trips[trips[:, 0].argmax()]),
                    tuple(trips.sum(axis=0)),
                    float(trips[:, 1].max()),
                    ", ".join(sorted(beside)) or "nothing",
                )
            )
            if (
                app.dialogs.current is not None
                and app.dialogs.current.winfo_exists()
                and count % 7 == 0
            ):
                app.dialogs.current.destroy()
            if count % 500 == 499:
                gc.collect()
                self.memories.append(memory())

    def report(self) -> Iterator[str]:
        """Say what it cost."""
        for name, figures in (
            ("longest trip, processor", [c.processor for c in self.costs]),
            ("longest trip, clock", [c.trip[0] for c in self.costs]),
            ("whole event, processor", [c.whole[1] for c in self.costs]),
            ("whole event, clock", [c.whole[0] for c in self.costs]),
        ):
            median, late, worst = 1000 * np.percentile(figures, [50, 99, 100])
            over = int((np.array(figures) > 0.1).sum())
            yield (
                f"{name}: median {median:.1f} ms, 99 % within {late:.1f} ms, "
                f"worst {worst:.1f} ms, {over} of {len(figures)} over 100 ms"
            )
        yield "longest trips by the clock:"
        for cost in sorted(self.costs, key=lambda c: -c.trip[0])[:LISTED]:
            yield cost.line(cost.trip)
        yield "longest events by the clock:"
        for cost in sorted(self.costs, key=lambda c: -c.whole[0])[:LISTED]:
            yield cost.line(cost.whole)
        steps = self.memories[:: max(len(self.memories) // 10, 1)]
        yield "memory, MiB: " + ", ".join(f"{m:.0f}" for m in steps)


@contextmanager
def nobody() -> Iterator[None]:
    """Close the system's dialogs at once while it is entered: they wait for a person."""
    with (
        mock.patch("tkinter.filedialog.askopenfilename", return_value=""),
        mock.patch("tkinter.filedialog.asksaveasfilename", return_value=""),
        mock.patch("nn.console.views.files.clipboard_picture", return_value=None),
    ):
        yield


def main() -> int:
    """Let a monkey at a window with the shipped network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    weights = real_weights()
    if weights is None:
        print("no trained network found: train one with python train.py", file=sys.stderr)
        return 2
    from nn.recognise.reader import load

    with display(), tempfile.TemporaryDirectory() as folder, nobody():
        import tkinter as tk

        root = tk.Tk()
        window = Window(root, load(weights), Path(folder))
        monkey = Monkey(window, Path(folder), args.seed)
        start = time.monotonic()
        for done in range(0, args.events, 1000):
            monkey.run(min(1000, args.events - done))
            print(f"{done + 1000} after {time.monotonic() - start:.0f} s, {memory():.0f} MiB")
        window.settle(limit=300)
        print("\n".join(monkey.report()))
        problems = [p for p in window.app.dialogs.problems if "junk" not in p]
        print(f"{len(problems)} unexpected errors", *problems[:3], sep="\n")
        window.close()
        root.destroy()
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
