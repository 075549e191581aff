"""From the end of a motion event to the bars on screen, in a real window.

    python -m tests.benchmarks.console_latency

Prints the distribution in milliseconds without a panel, and to the last feature map with the
inside panel open: by the clock, and as processor time of Tk's thread, which other programs on a
busy machine do not lengthen. Then how long the window takes to appear, and what it costs while
nobody touches it. Opens an Xvfb of its own where there is no display.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from console_helpers import TWO, Window, display, real_weights  # noqa: E402

from nn.console.views.raster import smoothed  # noqa: E402
from nn.recognise.reader import load  # noqa: E402

START = """
import sys, time
import gui_console, tkinter as tk
begin = float(sys.argv[1])
from nn.console import app
build = app.App.__init__
def built(self, *arguments):
    build(self, *arguments)
    self.root.update_idletasks()
    self.root.wait_visibility()
    print(time.time() - begin)
    self.root.after(1, self.quit)
app.App.__init__ = built
sys.exit(gui_console.main([]))
"""


def now() -> tuple[float, float]:
    """Return clock and processor time in milliseconds."""
    return 1000 * time.perf_counter(), 1000 * time.thread_time()


def answers(window: Window, rounds: int) -> NDArray[np.float64]:
    """Draw the same 2 again and again; return milliseconds from each motion to its answer.

    The answer is there with the bars, or with the feature maps where the inside panel is open;
    (N, 2): by the clock, processor time.
    """
    app, canvas, root = window.app, window.app.canvas, window.root
    times: list[tuple[float, float]] = []
    asked: list[tuple[float, float]] = []
    panel = app.panels.get("inside")
    view, name = (app, "show_answer") if panel is None else (panel, "refresh")
    show = getattr(view, name)

    def shown() -> None:
        show()
        root.update_idletasks()
        end = now()
        times.extend((end[0] - start[0], end[1] - start[1]) for start in asked)
        asked.clear()

    setattr(view, name, shown)
    points = list(
        dict.fromkeys((round(x), round(y)) for x, y in smoothed(np.array(TWO, np.float32)))
    )
    for _ in range(rounds):
        canvas.event_generate("<ButtonPress-1>", x=points[0][0], y=points[0][1])
        asked.append(now())
        for x, y in points[1:]:
            canvas.event_generate("<B1-Motion>", x=x, y=y)
            asked.append(now())
            end = time.perf_counter() + 0.01  # a hand's events come about 10 ms apart
            while time.perf_counter() < end:
                root.update()
                time.sleep(0.0005)
        canvas.event_generate("<ButtonRelease-1>", x=x, y=y)
        app.run("clear")
        root.update()
    setattr(view, name, show)
    return np.array(times)


def idle(window: Window, seconds: float = 3.0) -> float:
    """Return the share of a core the window takes while nobody touches it."""
    window.root.after(round(1000 * seconds), window.root.quit)
    used = time.process_time()
    window.root.mainloop()
    return (time.process_time() - used) / seconds


def start_up() -> float:
    """Return the seconds from starting Python to a window one can see."""
    run = [sys.executable, "-c", START, repr(time.time())]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    return float(done.stdout.split()[-1])


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    weights = real_weights()
    if weights is None:
        print("no trained network found: train one with python train.py", file=sys.stderr)
        return 2
    with display(), tempfile.TemporaryDirectory() as folder:
        import tkinter as tk

        starts = [start_up() for _ in range(5)]
        print(f"window visible after {min(starts):.2f} to {max(starts):.2f} s (5 starts)")
        root = tk.Tk()
        window = Window(root, load(weights), Path(folder))
        for panel in ("closed", "open"):
            if panel == "open":
                window.app.run("inside")
            window.settle(0.5)
            times = answers(window, args.rounds)
            print(f"{len(times)} motions, inside panel {panel}:")
            for name, figures in zip(("by the clock", "processor"), times.T, strict=True):
                median, late, worst = np.percentile(figures, [50, 99, 100])
                print(
                    f"  {name}: median {median:.1f} ms, 99 % within {late:.1f} ms, "
                    f"worst {worst:.1f} ms"
                )
        window.settle(0.5)
        print(f"idle: {100 * idle(window):.2f} % of a core")
        window.close()
        root.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
